//! The addresses to which the provider redirects browsers.

/// Returns whether `uri` belongs to the origin. Fragments, and characters that browsers may interpret differently,
/// are not allowed.
pub(super) fn is_allowed(uri: &str, origin: &str) -> bool {
    let plain = uri.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\'));
    plain && uri.strip_prefix(origin).is_some_and(|path| path.is_empty() || path.starts_with('/'))
}

/// Returns `uri` with additional query parameters.
pub(super) fn with_parameters(uri: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    match () {
        () if query.is_empty() => uri.to_owned(),
        () if uri.contains('?') => format!("{uri}&{query}"),
        () => format!("{uri}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_an_allowed_origin_are_allowed() {
        let origin = "http://localhost:9000";
        for uri in ["http://localhost:9000", "http://localhost:9000/", "http://localhost:9000/auth/callback?a=b"] {
            assert!(is_allowed(uri, origin), "{uri}");
        }
        for uri in [
            "",
            "/auth/callback",
            "https://localhost:9000/",
            "http://localhost:90001/",
            "http://localhost:9000.evil.example/",
            "http://localhost:9000@evil.example/",
            "http://localhost:9000/#code",
            "http://localhost:9000/\r\nSet-Cookie: a=b",
            "http://localhost:9000\\@evil.example/",
            "javascript:alert(1)",
        ] {
            assert!(!is_allowed(uri, origin), "{uri}");
        }
    }

    #[test]
    fn parameters_are_encoded_and_added_to_an_existing_query() {
        assert_eq!(with_parameters("http://a/", &[("state", Some("a&b=ü"))]), "http://a/?state=a%26b%3D%C3%BC");
        assert_eq!(with_parameters("http://a/?x=1", &[("code", Some("c")), ("state", None)]), "http://a/?x=1&code=c");
        assert_eq!(with_parameters("http://a/", &[("state", None)]), "http://a/");
    }
}
