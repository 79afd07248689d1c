//! The authentication of the client at the token endpoint (RFC 6749, 2.3.1): by HTTP Basic or in the form, never by both.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::ProductClient;
use form_urlencoded::parse as parse_form;
use http::header;
use web::Request;

use crate::{form::Form, oauth::TokenError};

/// Authenticates the client of a token request.
pub(crate) fn authenticate(request: &Request, form: &Form, client: &ProductClient) -> Result<(), TokenError> {
    let given = match (request.headers().contains_key(header::AUTHORIZATION), form.get("client_secret")) {
        (true, Some(_)) => return Err(TokenError::InvalidRequest),
        (true, None) => basic(request),
        (false, Some(secret)) => form.get("client_id").map(|id| (id.to_owned(), secret.to_owned())),
        (false, None) => None,
    };
    let is_named = |id: &str| form.get("client_id").is_none_or(|named| named == id);
    let is_client = given.is_some_and(|(id, secret)| is_named(&id) && client.is_authenticated_by(&id, &secret));
    if is_client { Ok(()) } else { Err(TokenError::InvalidClient) }
}

/// Returns the credentials of the only `Authorization` header, if it has this scheme.
pub(crate) fn authorization<'a>(request: &'a Request, scheme: &str) -> Option<&'a str> {
    let mut given = request.headers().get_all(header::AUTHORIZATION).iter();
    let (Some(given), None) = (given.next(), given.next()) else { return None };
    let (named, credentials) = given.to_str().ok()?.split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}

fn basic(request: &Request) -> Option<(String, String)> {
    let decoded = BASE64_STANDARD.decode(authorization(request, "Basic")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((percent_decode(id), percent_decode(secret)))
}

/// Decodes what clients encode as in a form. A plus sign stays one, for the clients that encode nothing: no id and no secret has a space.
fn percent_decode(text: &str) -> String {
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    parse_form(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain::PkcePolicy;

    use super::*;
    use crate::form::tests::{FORM, request};

    // printf %s 'a+b/c=%&' | sha256sum
    const DIGEST: &str = "51ab543b6f75473f72d7145ae092ffd7e4b3d724b4c1754ce0e7b5bade14c101";
    const SECRET: &str = "a+b/c=%&";

    fn judge(body: &str, authorization: Option<&str>) -> Result<(), TokenError> {
        let client = ProductClient::new("pro duct".into(), DIGEST, "https://product.example/", PkcePolicy::Optional);
        let mut headers = vec![FORM];
        headers.extend(authorization.map(|value| ("authorization", value)));
        let request = request(body, &headers);
        let form = Form::parse(&request, &["client_id", "client_secret"]).unwrap();
        authenticate(&request, &form, &client.unwrap())
    }

    fn basic(id: &str, secret: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
    }

    #[test]
    fn the_secret_is_in_the_form_or_in_the_header() {
        assert_eq!(judge("client_id=pro+duct&client_secret=a%2Bb%2Fc%3D%25%26", None), Ok(()));
        for header in [
            basic("pro%20duct", "a%2Bb%2Fc%3D%25%26"),
            basic("pro duct", "a+b/c=%25&"),
            basic("pro duct", SECRET).replace("Basic", "basic"),
        ] {
            assert_eq!(judge("", Some(&header)), Ok(()), "{header}");
            assert_eq!(judge("client_id=pro+duct", Some(&header)), Ok(()), "{header}");
        }
    }

    #[test]
    fn both_at_once_are_an_invalid_request() {
        let body = "client_id=pro+duct&client_secret=a%2Bb%2Fc%3D%25%26";
        assert_eq!(judge(body, Some(&basic("pro duct", SECRET))), Err(TokenError::InvalidRequest));
    }

    #[test]
    fn every_other_client_is_invalid() {
        for body in ["", "client_id=pro+duct", "client_secret=a%2Bb%2Fc%3D%25%26", "client_id=pro+duct&client_secret=a"]
        {
            assert_eq!(judge(body, None), Err(TokenError::InvalidClient), "{body}");
        }
        let good = basic("pro duct", SECRET);
        for header in [
            basic("other", SECRET),
            basic("pro duct", ""),
            good.replace("Basic", "Bearer"),
            "Basic".into(),
            "Basic !".into(),
        ] {
            assert_eq!(judge("", Some(&header)), Err(TokenError::InvalidClient), "{header}");
        }
        assert_eq!(judge("client_id=other", Some(&good)), Err(TokenError::InvalidClient));
    }
}
