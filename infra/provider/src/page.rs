//! The provider's pages: the sign-in form, the confirmation of sign-out, and the error page.

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff;margin:0}\
                     main{max-width:26rem;margin:4rem auto;padding:0 1rem}\
                     label{display:block;font-weight:600}\
                     input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #5c5c5c}\
                     button{font:inherit;margin-top:1rem;padding:.5rem 1.5rem;border:0;background:#0b57a4;color:#fff}\
                     :focus-visible{outline:3px solid #b35900;outline-offset:2px}";

/// Returns the sign-in form, which accepts any address without a password.
pub(super) fn sign_in(redirect_origin: &str, fields: &[(&str, &str)], email: &str) -> Response {
    let hidden = fields.iter().fold(String::new(), |hidden, (name, value)| {
        hidden + &format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value))
    });
    let body = format!(
        "<h1>Sign in</h1>\
         <p>Development provider: it accepts any address.</p>\
         <form method=\"post\" action=\"/authorize\">{hidden}\
         <label for=\"email\">Email address</label>\
         <input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"email\" required autofocus value=\"{}\">\
         <button>Sign in</button></form>",
        escape(email)
    );
    // Browsers apply form-action also to the redirect that answers a form.
    let form_action = format!("form-action 'self' {redirect_origin}");
    page(StatusCode::OK, "Sign in", &body, &form_action)
}

pub(super) fn signed_out() -> Response {
    let body = "<h1>Signed out</h1><p>You can close this page.</p>";
    page(StatusCode::OK, "Signed out", body, "form-action 'none'")
}

pub(super) fn refusal(status: StatusCode, why: &str) -> Response {
    let body = format!("<h1>The request was refused</h1><p>{}</p>", escape(why));
    page(status, "The request was refused", &body, "form-action 'none'")
}

fn page(status: StatusCode, title: &str, body: &str, form_action: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    );
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; {form_action}"
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, &policy),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Html(html)).into_response()
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_end_text_or_an_attribute_are_escaped() {
        assert_eq!(escape(r#"<a href="x" b='y'>&"#), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
    }
}
