//! The pages between the product and the code that it gets. None has a script, so each works where scripts do not. They load the portal's
//! style sheet and icon: a file with the same content has the same path.

use askama::Template;
use aws::SignedIn;
use form_urlencoded::byte_serialize;
use http::{HeaderValue, StatusCode, header};
use page::{Asset, Brand, Choice, Filled, Policy, reply};
use web::{Problem, ProblemCode, Reply, Request};
use words::{Language, Words};

use crate::Provider;

/// The directory of the portal's files.
const ASSETS: &str = "/assets";

/// The referrer policy of a page that goes on by itself. The next page needs no address of this one, which is as long as the product's request:
/// the gateway takes 10,240 bytes of headers in all.
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// The referrer policy of the page with the form, whose address is as long. With `no-referrer`, the browser would send `Origin: null` with the form.
const ORIGIN_AS_REFERRER: HeaderValue = HeaderValue::from_static("strict-origin");

/// The paths of the portal's files, which depend on their content.
pub(crate) struct Assets {
    style: String,
    icon: String,
}

impl Assets {
    fn new(brand: &Brand) -> Self {
        Self { style: Asset::style(ASSETS, brand, "").path, icon: Asset::icon(ASSETS).path }
    }
}

/// A request that is answered with a page.
pub(crate) struct Visit<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) request: &'a Request,
}

/// The frame of every page.
struct Frame<'a> {
    brand: &'a Brand,
    choice: Choice,
    w: &'static Words,
    title: String,
    has_form: bool,
    style: &'a str,
    icon: &'a str,
    /// The query of the page apart from its language, with a `&` at its end, for the links to other languages.
    query: String,
}

#[derive(Template)]
#[template(path = "leave.html")]
struct LeavePage<'a> {
    f: Frame<'a>,
    address: &'a str,
}

#[derive(Template)]
#[template(path = "continue.html")]
struct ContinuePage<'a> {
    f: Frame<'a>,
    user_name: &'a str,
    account_id: &'a str,
    sign_in: String,
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    f: Frame<'a>,
    lead: &'a str,
    sign_in: Option<String>,
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage<'a> {
    f: Frame<'a>,
    again: &'a str,
}

/// Returns the address of a sign-in that leads back to the request with this query.
pub(crate) fn sign_in_address(query: &str) -> String {
    let query: String = byte_serialize(query.as_bytes()).collect();
    format!("/administration/sign-in?continue={query}")
}

impl Visit<'_> {
    /// Shows a page that goes on to `address` by itself. To a browser, what follows is a visit from this site, which a redirect is not: it
    /// sends the session cookie to this site, and it does not hold `form-action` against the product.
    pub(crate) fn leave(&self, address: &str) -> Result<Reply, Problem> {
        let f = self.frame();
        let title = f.w.leaving_title;
        let page = LeavePage { f: f.titled(title), address };
        let answer = reply(StatusCode::OK, Policy::Reads, &page, &page.f)?;
        Ok(with_referrer_policy(NO_REFERRER, answer))
    }

    /// Asks the account that is signed in whether the request with this query goes on. The form names the account, so that another one that
    /// has signed in meanwhile does not go on by it.
    pub(crate) fn continue_page(&self, signed_in: &SignedIn, query: &str) -> Result<Reply, Problem> {
        let SignedIn { account, credential, .. } = signed_in;
        self.continue_to(&credential.product, account.user_name.as_str(), &account.account_id, query)
    }

    fn continue_to(&self, product: &str, user_name: &str, account_id: &str, query: &str) -> Result<Reply, Problem> {
        let f = Frame { has_form: true, ..self.frame() };
        let title = words::fill(f.w.continue_title, &[("product", product)]);
        let page = ContinuePage { f: f.titled(&title), user_name, account_id, sign_in: sign_in_address(query) };
        let answer = reply(StatusCode::OK, Policy::Reads, &page, &page.f)?;
        Ok(with_referrer_policy(ORIGIN_AS_REFERRER, answer))
    }

    /// Shows that the client or its address is unknown. Nothing is sent to that address.
    pub(crate) fn unknown_client(&self) -> Result<Reply, Problem> {
        let f = self.frame();
        let (title, lead) = (f.w.product_refused_title, f.w.product_refused_lead);
        let page = RefusalPage { f: f.titled(title), lead, sign_in: None };
        reply(StatusCode::BAD_REQUEST, Policy::Reads, &page, &page.f)
    }

    /// Shows that the account must sign in again before it can open the product: no sign-in of its owner is on record.
    pub(crate) fn not_proven(&self) -> Result<Reply, Problem> {
        let f = self.frame();
        let (title, lead) = (f.w.product_not_proven_title, f.w.product_not_proven_lead);
        let sign_in = self.request.uri().query().map(sign_in_address);
        let page = RefusalPage { f: f.titled(title), lead, sign_in };
        reply(StatusCode::FORBIDDEN, Policy::Reads, &page, &page.f)
    }

    /// Shows an error page in place of a page that is unavailable for now. Any other problem is returned as it is.
    pub(crate) fn trouble(&self, problem: Problem) -> Result<Reply, Problem> {
        if problem.code() != ProblemCode::Unavailable {
            return Err(problem);
        }
        let (code, service) = (problem.code().as_str(), problem.service());
        tracing::error!(code, service, cause = problem.cause(), "a page is unavailable");
        let again = self.request.uri().path_and_query().map_or("/", |here| here.as_str());
        let f = self.frame();
        let title = f.w.page_unavailable;
        let page = TroublePage { f: f.titled(title), again };
        reply(StatusCode::SERVICE_UNAVAILABLE, Policy::Reads, &page, &page.f)
    }

    fn frame(&self) -> Frame<'_> {
        let brand = &self.provider.brand;
        let Assets { style, icon } = self.provider.assets.get_or_init(|| Assets::new(brand));
        let choice = Choice::new(self.request, self.provider.languages);
        Frame {
            brand,
            choice,
            w: choice.language.words(),
            title: String::new(),
            has_form: false,
            style,
            icon,
            query: query_without_language(self.request),
        }
    }
}

fn with_referrer_policy(policy: HeaderValue, mut answer: Reply) -> Reply {
    answer.headers_mut().insert(header::REFERRER_POLICY, policy);
    answer
}

/// Returns the query of a request, still encoded, for another language to be added.
fn query_without_language(request: &Request) -> String {
    let pairs = request.uri().query().unwrap_or_default().split('&');
    let kept = pairs.filter(|pair| !pair.is_empty() && !pair.starts_with("language="));
    kept.flat_map(|pair| [pair, "&"]).collect()
}

impl Frame<'_> {
    fn titled(self, title: &str) -> Self {
        Self { title: title.to_owned(), ..self }
    }

    /// Returns the name of the Administration Center, for the head of the page and its title.
    fn area_name(&self) -> String {
        words::fill(self.w.administration_center, &[("vendor", &self.brand.vendor)])
    }

    /// Returns the languages that the reader can switch to.
    fn other_languages(&self) -> impl Iterator<Item = Language> {
        self.choice.others()
    }

    /// Fills the placeholder of a text with a user name, which browsers must not translate or correct.
    #[expect(clippy::unused_self, reason = "templates have the frame and nothing else to call")]
    fn literally(&self, text: &str, value: &str) -> Filled {
        Filled::literally(text, value)
    }
}

impl page::Frame for Frame<'_> {
    fn brand(&self) -> &Brand {
        self.brand
    }

    fn choice(&self) -> Choice {
        self.choice
    }

    fn has_form(&self) -> bool {
        self.has_form
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Arc};

    use lambda::{Clock, Settings};

    use super::*;
    use crate::{App, request::AuthorizationRequest};

    /// Markup that a request or a product's name must not add to a page.
    const HOSTILE: &str = "\"'><script>alert(1)</script><meta http-equiv=refresh content=0>";
    const REDIRECT_URI: &str = "https://product.contoso.example/callback?from=firstkey";

    fn provider() -> Provider {
        let settings = [
            ("AWS_ACCESS_KEY_ID", "product-sign-in"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
            ("TABLE_NAME", "firstkey"),
            ("SIGNING_KEYS", "alias/firstkey-signing-one"),
            ("PUBLIC_ORIGIN", "https://firstkey.contoso.example"),
            ("VENDOR_NAME", "Contoso"),
            ("PRODUCT_CLIENT_ID", "contoso-online-suite"),
            ("PRODUCT_CLIENT_SECRET_DIGESTS", "fefa3ad83ecd9bc0d059de8228b6bcbebb46a2d9ee9fc9727ebf04ac2d60e2a5"),
            ("PRODUCT_REDIRECT_URIS", REDIRECT_URI),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let app = App::new(&Settings::given(HashMap::from(settings)), Clock::Manual(Arc::default()));
        app.unwrap().0.unwrap()
    }

    /// A request, and the provider that answers it.
    struct Site(Provider, Request);

    impl Site {
        fn at(path_and_query: &str) -> Self {
            let mut request = Request::default();
            *request.uri_mut() = path_and_query.parse().unwrap();
            Self(provider(), request)
        }

        fn visit(&self) -> Visit<'_> {
            Visit { provider: &self.0, request: &self.1 }
        }
    }

    /// Returns an answer, and the text of its page.
    fn read(answer: Result<Reply, Problem>) -> (Reply, String) {
        let answer = answer.unwrap();
        let html = String::from_utf8(answer.body().to_vec()).unwrap();
        (answer, html)
    }

    fn policy(answer: &Reply) -> &str {
        answer.headers()["content-security-policy"].to_str().unwrap()
    }

    #[test]
    fn nothing_of_a_request_or_of_a_product_is_markup() {
        let encoded: String = byte_serialize(HOSTILE.as_bytes()).collect();
        let site = Site::at(&format!("/oidc/continue?state={encoded}&nonce='&redirect_uri={encoded}"));
        let visit = site.visit();
        for (answer, refreshes) in [
            (visit.leave(HOSTILE), 1),
            (visit.continue_to(HOSTILE, HOSTILE, HOSTILE, HOSTILE), 0),
            (visit.unknown_client(), 0),
            (visit.not_proven(), 0),
            (visit.trouble(ProblemCode::Unavailable.into()), 0),
        ] {
            let (_, html) = read(answer);
            assert!(!html.contains("<script") && !html.contains('\''), "{html}");
            assert_eq!(html.matches("<meta http-equiv").count(), refreshes, "{html}");
        }
    }

    #[test]
    fn the_parameters_of_a_request_stay_encoded_on_their_way() {
        let site = Site::at("/oidc/authorize");
        let provider = &site.0;
        let mut query = form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair("client_id", "contoso-online-suite").append_pair("redirect_uri", REDIRECT_URI);
        let query = query.append_pair("response_type", "code").append_pair("scope", "openid");
        let query = query.append_pair("state", HOSTILE).append_pair("nonce", HOSTILE).finish();
        let parsed = AuthorizationRequest::parse(&query, &provider.client, provider.clock.now()).unwrap();
        for address in [
            format!("/oidc/continue?{}", parsed.query()),
            parsed.return_to.with(&provider.public_origin, &[("code", "A")]),
            sign_in_address(&parsed.query()),
        ] {
            assert!(!address.contains(['"', '\'', '<', '>', ' ']), "{address}");
            let (_, html) = read(site.visit().leave(&address));
            let escaped = address.replace('&', "&#38;");
            assert!(html.contains(&format!("<meta http-equiv=\"refresh\" content=\"0;url={escaped}\">")), "{html}");
            assert!(html.contains(&format!("href=\"{escaped}\"")), "{html}");
        }
    }

    #[test]
    fn only_the_page_with_the_question_may_post_and_only_to_this_site() {
        let site = Site::at("/oidc/continue?a=b");
        let (answer, html) = read(site.visit().continue_to("Contoso Online Suite", "lee@fabrikam", "01J", "a=b"));
        assert!(policy(&answer).contains("form-action 'self';"), "{}", policy(&answer));
        assert!(html.contains("<h1>Continue to Contoso Online Suite</h1>"), "{html}");
        assert!(html.contains("<form class=\"stack\" method=\"post\">"), "it posts to its own address: {html}");
        assert!(html.contains("<input type=\"hidden\" name=\"as\" value=\"01J\">"), "{html}");
        assert!(html.contains("href=\"/administration/sign-in?continue=a%3Db\""), "{html}");
        let (answer, _) = read(site.visit().leave("/oidc/continue"));
        assert!(policy(&answer).contains("form-action 'none';"), "{}", policy(&answer));
    }

    #[test]
    fn no_page_sends_its_address_on_and_the_form_has_an_origin() {
        let site = Site::at("/oidc/continue?state=a");
        let visit = site.visit();
        let question = visit.continue_to("Contoso Online Suite", "lee@fabrikam", "01J", "state=a");
        for (answer, expected) in [(visit.leave(REDIRECT_URI), "no-referrer"), (question, "strict-origin")] {
            let (answer, _) = read(answer);
            assert_eq!(answer.headers()["referrer-policy"], expected);
            assert_eq!(answer.headers()["cache-control"], "no-store");
        }
    }

    #[test]
    fn a_link_to_another_language_keeps_the_request() {
        let (_, html) = read(Site::at("/oidc/continue?state=a%26b&language=en&nonce=c").visit().unknown_client());
        assert!(html.contains("href=\"?state=a%26b&#38;nonce=c&#38;language=de\" lang=\"de\""), "{html}");
        let (_, html) = read(Site::at("/oidc/continue").visit().unknown_client());
        assert!(html.contains("href=\"?language=de\" lang=\"de\""), "{html}");
    }

    #[test]
    fn an_account_that_is_not_proven_is_led_to_a_sign_in_that_leads_back_to_the_request() {
        let (answer, html) = read(Site::at("/oidc/continue?a=b&c=d").visit().not_proven());
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert!(html.contains("href=\"/administration/sign-in?continue=a%3Db%26c%3Dd\""), "{html}");
    }

    #[test]
    fn only_an_unavailable_page_is_replaced_by_an_error_page() {
        let site = Site::at("/oidc/continue?state=a");
        let (answer, html) = read(site.visit().trouble(ProblemCode::Unavailable.into()));
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(html.contains("href=\"/oidc/continue?state=a\""), "{html}");
        let problem = site.visit().trouble(ProblemCode::Forbidden.into()).unwrap_err();
        assert_eq!(problem.code(), ProblemCode::Forbidden);
    }
}
