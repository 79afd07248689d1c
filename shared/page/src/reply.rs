//! The answer with a page. No page is cached, and each loads only what its content security policy names.

use askama::Template;
use http::{HeaderValue, StatusCode, header};
use web::{Problem, ProblemCode, Reply, Request};

use crate::{Brand, Choice};

/// The permissions of a page beyond loading our style sheet and images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Scripts rewrite the times.
    Reads,
    /// Scripts also call the JSON routes, and forms post to this site.
    Acts,
}

/// The frame of a page, as the answer with the page needs it.
pub trait Frame {
    /// Returns the vendor's brand.
    fn brand(&self) -> &Brand;

    /// Returns the language of the page.
    fn choice(&self) -> Choice;

    /// Returns whether the page has a form for every policy, such as that of the sign-out.
    fn has_form(&self) -> bool;
}

/// The permissions policy: the clipboard is the only browser feature that a page uses.
const PERMISSIONS: &str = "clipboard-write=(self), clipboard-read=(), camera=(), microphone=(), geolocation=(), payment=(), usb=(), \
                           publickey-credentials-get=(), display-capture=(), browsing-topics=()";

/// Renders a page, with the headers that every page has.
pub fn reply(status: StatusCode, policy: Policy, page: &impl Template, frame: &impl Frame) -> Result<Reply, Problem> {
    let html = page.render().map_err(|error| Problem::new(ProblemCode::Internal).because(error))?;
    let mut reply = web::html(status, html);
    let security = content_security_policy(policy, frame);
    let security =
        HeaderValue::try_from(security).map_err(|error| Problem::new(ProblemCode::Internal).because(error))?;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, security);
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(frame.choice().language.code()));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language, Cookie"));
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", PERMISSIONS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(frame.choice().remember(reply))
}

/// Returns the content security policy: `default-src 'none'`, and what the page uses.
fn content_security_policy(policy: Policy, frame: &impl Frame) -> String {
    let acts = policy == Policy::Acts;
    let logo = frame.brand().logo_origin().map(|origin| format!(" {origin}")).unwrap_or_default();
    let calls = if acts { " connect-src 'self';" } else { "" };
    let forms = if acts || frame.has_form() { "'self'" } else { "'none'" };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{logo};{calls} form-action {forms}; \
         base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// Returns whether a person waits for a page: browsers name HTML when they open an address, and scripts do not.
#[must_use]
pub fn is_navigation(request: &Request) -> bool {
    let accepted = request.headers().get_all(header::ACCEPT).iter().filter_map(|it: &HeaderValue| it.to_str().ok());
    let mut ranges = accepted.flat_map(|line| line.split(',')).map(|range| range.split(';').next().unwrap_or_default());
    ranges.any(|range| range.trim().eq_ignore_ascii_case("text/html"))
}
