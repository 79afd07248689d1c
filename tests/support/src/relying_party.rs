//! The vendor's product as a client of the provider: it sends a browser there, the browser follows the pages, and the product redeems the
//! code.

use form_urlencoded::{Serializer, parse};

use crate::{Answer, Call, PRODUCT_CLIENT, PRODUCT_REDIRECT_URI, PRODUCT_SECRET, TestStack};

/// The verifier of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The challenge of [`VERIFIER`].
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A sign-in to the product: the parameters of its authorization request, and those with which it redeems the code.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    request: Vec<(String, String)>,
    redemption: Vec<(String, String)>,
}

impl Default for RelyingParty {
    /// Returns a sign-in as the product begins one: with `state`, `nonce` and a challenge.
    fn default() -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let request = [
            ("response_type", "code"),
            ("client_id", PRODUCT_CLIENT),
            ("redirect_uri", PRODUCT_REDIRECT_URI),
            ("scope", "openid profile email"),
            ("state", "the state of a browser"),
            ("nonce", "the nonce of a sign-in"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let redemption = [
            ("grant_type", "authorization_code"),
            ("redirect_uri", PRODUCT_REDIRECT_URI),
            ("code_verifier", VERIFIER),
            ("client_id", PRODUCT_CLIENT),
            ("client_secret", PRODUCT_SECRET),
        ];
        Self { request: request.map(owned).into(), redemption: redemption.map(owned).into() }
    }
}

impl RelyingParty {
    /// Sets a parameter of the authorization request.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        set(&mut self.request, name, value);
        self
    }

    /// Leaves a parameter of the authorization request out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.request.retain(|(known, _)| known != name);
        self
    }

    /// Sets a parameter of the request that redeems the code.
    #[must_use]
    pub fn redeeming_with(mut self, name: &str, value: &str) -> Self {
        set(&mut self.redemption, name, value);
        self
    }

    /// Leaves a parameter of the request that redeems the code out.
    #[must_use]
    pub fn redeeming_without(mut self, name: &str) -> Self {
        self.redemption.retain(|(known, _)| known != name);
        self
    }

    /// Leaves the challenge and the verifier out, as Cognito does.
    #[must_use]
    pub fn without_challenge(self) -> Self {
        self.without("code_challenge").without("code_challenge_method").redeeming_without("code_verifier")
    }

    /// Returns the query of the authorization request.
    #[must_use]
    pub fn query(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.request).finish()
    }

    /// Returns the request with which the browser arrives from the product. It has no session: the cookie stays on its own site.
    #[must_use]
    pub fn authorize(&self) -> Call {
        Call::get("/oidc/authorize").query(&self.query()).header("sec-fetch-site", "cross-site")
    }

    /// Returns the request that redeems a code.
    #[must_use]
    pub fn redemption(&self, code: &str) -> Call {
        let given = self.redemption.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let parameters: Vec<_> = given.chain([("code", code)]).filter(|(_, value)| !value.is_empty()).collect();
        Call::token(&parameters)
    }

    /// Lets the browser arrive from the product. Returns the query of `/oidc/continue`, to which the page leads.
    pub async fn begin(&self, stack: &TestStack) -> String {
        let page = stack.call("product-sign-in", self.authorize()).await;
        assert_eq!(page.status, 200, "{page:?}");
        let address = address_in(&page);
        let query = address.strip_prefix("/oidc/continue?").unwrap_or_else(|| panic!("the page leads to {address}"));
        query.to_owned()
    }

    /// Lets the browser arrive and go on in a session. Returns the page that asks whether to continue, or what comes instead.
    pub async fn ask(&self, stack: &TestStack, session: &str) -> Answer {
        let query = self.begin(stack).await;
        stack.call("product-sign-in", Call::continue_to_product(&query, session)).await
    }

    /// Lets the browser arrive, and its user continue in a session. Returns the page that leads to the product.
    pub async fn confirm(&self, stack: &TestStack, session: &str) -> Answer {
        let query = self.begin(stack).await;
        let page = stack.call("product-sign-in", Call::continue_to_product(&query, session)).await;
        assert_eq!(page.status, 200, "{page:?}");
        let account = confirmed_account(&page);
        stack.call("product-sign-in", Call::confirm_product(&query, session, &account)).await
    }

    /// Signs the owner of a session in up to the product. Returns the code that the product gets.
    pub async fn code(&self, stack: &TestStack, session: &str) -> String {
        let page = self.confirm(stack, session).await;
        page.product_code().unwrap_or_else(|| panic!("no code: {page:?}"))
    }

    /// Redeems a code.
    pub async fn redeem(&self, stack: &TestStack, code: &str) -> Answer {
        stack.call("product-sign-in", self.redemption(code)).await
    }

    /// Signs the owner of a session in to the product. Returns the answer with the tokens.
    pub async fn sign_in(&self, stack: &TestStack, session: &str) -> Answer {
        let code = self.code(stack, session).await;
        let answer = self.redeem(stack, &code).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }
}

impl Call {
    /// `GET /oidc/continue` in a session; without one if it is empty.
    #[must_use]
    pub fn continue_to_product(query: &str, session: &str) -> Self {
        let call = Self::get("/oidc/continue").query(query).header("sec-fetch-site", "same-origin");
        if session.is_empty() { call } else { call.session(session) }
    }

    /// `POST /oidc/continue`: the form of the page that was shown for an account.
    #[must_use]
    pub fn confirm_product(query: &str, session: &str, account_id: &str) -> Self {
        let call = Self::post("/oidc/continue").query(query).header("sec-fetch-site", "same-origin");
        call.session(session).form(&[("as", account_id)])
    }
}

impl Answer {
    /// Returns the access token for the product, if the answer has one.
    #[must_use]
    pub fn access_token(&self) -> Option<&str> {
        self.body["access_token"].as_str()
    }

    /// Returns the ID token for the product, if the answer has one.
    #[must_use]
    pub fn id_token(&self) -> Option<&str> {
        self.body["id_token"].as_str()
    }

    /// Returns the code for the product, if the answer is the page that leads there with one.
    #[must_use]
    pub fn product_code(&self) -> Option<String> {
        answer_in(&refresh_in(self)?, "code")
    }

    /// Returns the code of the OAuth error, if the answer has one.
    #[must_use]
    pub fn oauth_error(&self) -> Option<&str> {
        self.body["error"].as_str()
    }
}

/// Returns the address to which a page leads by itself.
#[must_use]
pub fn address_in(page: &Answer) -> String {
    refresh_in(page).unwrap_or_else(|| panic!("the page leads nowhere: {page:?}"))
}

fn refresh_in(page: &Answer) -> Option<String> {
    let (_, refresh) = page.body.as_str()?.split_once("http-equiv=\"refresh\"")?;
    let (_, address) = refresh.split_once("url=")?;
    Some(unescaped(address.split('"').next()?))
}

/// Returns a parameter of an address that leads to the product.
#[must_use]
pub fn answer_in(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    parse(query.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// Returns the id of the account that the page would continue as.
#[must_use]
pub fn confirmed_account(page: &Answer) -> String {
    let html = page.body.as_str().unwrap_or_default();
    let field = html.split_once("name=\"as\" value=\"");
    let (_, rest) = field.unwrap_or_else(|| panic!("the page does not ask whether to continue: {page:?}"));
    rest.split('"').next().unwrap().to_owned()
}

/// Returns a text of a page as it was before the template escaped it.
fn unescaped(html: &str) -> String {
    let text = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">")];
    // The ampersand comes last: what it makes up is no entity.
    text.iter().fold(html.to_owned(), |html, (entity, sign)| html.replace(entity, sign)).replace("&#38;", "&")
}

fn set(parameters: &mut Vec<(String, String)>, name: &str, value: &str) {
    parameters.retain(|(known, _)| known != name);
    parameters.push((name.to_owned(), value.to_owned()));
}
