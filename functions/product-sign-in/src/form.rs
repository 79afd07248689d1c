//! Bodies of forms: those of our own pages, and those of the token endpoint.

use std::collections::BTreeMap;

use form_urlencoded::parse as parse_form;
use http::header;
use web::{Request, request::LARGEST_BODY};

/// The parameters of a form that mean something and have a value.
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    /// Parses the body, which is declared as a form. `None` if it is larger than [`LARGEST_BODY`], or one of the `known` parameters occurs
    /// twice. All others are ignored, and one without a value counts as omitted (RFC 6749, 3.2).
    pub(crate) fn parse(request: &Request, known: &[&str]) -> Option<Self> {
        let bytes: &[u8] = request.body().as_ref();
        if bytes.len() > LARGEST_BODY || !is_declared(request) {
            return None;
        }
        let mut form = BTreeMap::new();
        let given = parse_form(bytes).into_owned();
        for (name, value) in given.filter(|(name, value)| known.contains(&name.as_str()) && !value.is_empty()) {
            if form.insert(name, value).is_some() {
                return None;
            }
        }
        Some(Self(form))
    }

    /// Returns the value of a parameter, if the form has it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Returns whether there is one `Content-Type`, and it is that of forms.
fn is_declared(request: &Request) -> bool {
    let mut declared = request.headers().get_all(header::CONTENT_TYPE).iter();
    let (Some(declared), None) = (declared.next(), declared.next()) else { return false };
    let media_type = declared.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    /// Returns a request with this body and these headers.
    pub(crate) fn request(body: &str, headers: &[(&str, &str)]) -> Request {
        let start = http::Request::builder().method("POST").uri("/oidc/token");
        let start = headers.iter().fold(start, |request, (name, value)| request.header(*name, *value));
        start.body(body.to_owned().into()).unwrap()
    }

    fn parse(body: &str) -> Option<Form> {
        Form::parse(&request(body, &[FORM]), &["code", "as"])
    }

    #[test]
    fn known_parameters_are_decoded_and_all_others_ignored() {
        let form = parse("code=a%2Bb+c&as=&resource=1&resource=2").unwrap();
        assert_eq!((form.get("code"), form.get("as"), form.get("resource")), (Some("a+b c"), None, None));
    }

    #[test]
    fn a_known_parameter_occurs_once() {
        assert!(parse("code=a&code=a").is_none());
        assert!(parse("code=a&code=").is_some(), "the second one has no value");
    }

    #[test]
    fn a_form_is_declared_and_has_at_most_16_kb() {
        let of_length = |length: usize| format!("code={}", "x".repeat(length - 5));
        assert!(parse(&of_length(LARGEST_BODY)).is_some());
        assert!(parse(&of_length(LARGEST_BODY + 1)).is_none());
        let declared = |headers: &[(&str, &str)]| Form::parse(&request("code=a", headers), &["code"]).is_some();
        assert!(declared(&[("content-type", "Application/X-WWW-Form-URLencoded; charset=utf-8")]));
        assert!(!declared(&[]) && !declared(&[FORM, FORM]));
        assert!(!declared(&[("content-type", "application/json")]));
    }
}
