//! The pages of the demo product.

use axum::response::{Html, IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::Value;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff;margin:0}\
                     main{max-width:36rem;margin:4rem auto;padding:0 1rem;overflow-wrap:anywhere}\
                     dt{font-weight:600}dd{margin:0 0 .5rem}\
                     a{color:#5b2a86}\
                     button,.button{display:inline-block;font:inherit;margin-top:1rem;padding:.5rem 1.5rem;border:0;\
                     background:#5b2a86;color:#fff;text-decoration:none}\
                     :focus-visible{outline:3px solid #b35900;outline-offset:2px}";

/// The claims on the page of an administrator who is signed in, in this order.
const CLAIMS: [&str; 10] = [
    "sub",
    "preferred_username",
    "name",
    "email",
    "subscription_id",
    "company_id",
    "company_name",
    "product",
    "roles",
    "auth_time",
];

/// Returns the page of an administrator who is signed in: who they are, and for which subscription.
pub(crate) fn home(claims: &Value) -> Response {
    let list = CLAIMS.into_iter().filter(|name| !claims[*name].is_null()).fold(String::new(), |list, name| {
        list + &format!("<dt><code>{name}</code></dt><dd>{}</dd>", escape(&text(&claims[name])))
    });
    let body = format!(
        "<h1>{}</h1>\
         <p>You are signed in as <strong>{}</strong>, an administrator of <strong>{}</strong>.</p>\
         <h2>What the ID token says</h2><dl>{list}</dl>\
         <p><a href=\"/sign-in?prompt=login\">Sign in again</a></p>\
         <form method=\"post\" action=\"/sign-out\"><button>Sign out</button></form>",
        escape(&text(&claims["product"])),
        escape(&text(&claims["name"])),
        escape(&text(&claims["company_name"])),
    );
    page(StatusCode::OK, &text(&claims["product"]), &body)
}

/// Returns the page for a visitor who is not signed in.
pub(crate) fn start() -> Response {
    let body = "<h1>Demo product</h1>\
                <p>This page plays the vendor's product. Administrators sign in to it with their account of the \
                Administration Center.</p>\
                <p><a class=\"button\" href=\"/sign-in\">Sign in</a></p>";
    page(StatusCode::OK, "Demo product", body)
}

/// Returns the page for an error that the provider has answered with.
pub(crate) fn not_signed_in(error: &str) -> Response {
    let body = format!(
        "<h1>You are not signed in</h1><p>The provider answered <code>{}</code>.</p>\
         <p><a class=\"button\" href=\"/sign-in\">Sign in</a></p>",
        escape(error)
    );
    page(StatusCode::OK, "You are not signed in", &body)
}

/// Returns the page for an answer that the product does not accept.
pub(crate) fn refusal(status: StatusCode, why: &str) -> Response {
    let body = format!(
        "<h1>The sign-in failed</h1><p>{}</p><p><a class=\"button\" href=\"/sign-in\">Sign in</a></p>",
        escape(why)
    );
    page(status, "The sign-in failed", &body)
}

/// Returns a claim as people read it.
fn text(claim: &Value) -> String {
    match claim {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <link rel=\"icon\" href=\"data:,\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>",
        escape(title)
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'",
        ),
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
    use serde_json::json;

    use super::*;

    #[test]
    fn characters_that_end_text_or_an_attribute_are_escaped() {
        assert_eq!(escape(r#"<a href="x" b='y'>&"#), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
    }

    #[test]
    fn a_claim_is_shown_without_the_marks_of_json() {
        assert_eq!(text(&json!(["administrator", "reader"])), "administrator, reader");
        assert_eq!(text(&json!(1_790_000_000)), "1790000000");
    }
}
