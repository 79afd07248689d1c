//! Requests in the form in which API Gateway passes them to functions, and the functions' answers.

use std::collections::{BTreeMap, VecDeque};

use base64::{Engine, prelude::BASE64_STANDARD};
use form_urlencoded::Serializer;
use http_body_util::Full;
use lambda_http::http::{Request, response};
use serde_json::{Value, json};

use crate::{Api, Function, Route};

/// A builder of a request.
#[derive(Clone)]
pub struct Call {
    method: &'static str,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    cookies: Vec<String>,
    body: Option<Vec<u8>>,
    path_parameters: BTreeMap<String, String>,
    source_ip: String,
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The cookies that it sets, with their attributes.
    pub cookies: Vec<String>,
    /// The body: a string if it is not JSON, and empty if there is no body.
    pub body: Value,
}

impl Call {
    /// `GET path`.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// `POST path`.
    #[must_use]
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// `POST /subscriptions/{subscription}/credentials`.
    #[must_use]
    pub fn get_credentials(subscription: &str) -> Self {
        let mut call = Self::post(&format!("/subscriptions/{subscription}/credentials"));
        call.path_parameters.insert("subscription_id".into(), subscription.into());
        call
    }

    /// `POST /subscriptions/{subscription}/support-requests`.
    #[must_use]
    pub fn contact_support(subscription: &str, message: &str) -> Self {
        let mut call = Self::post(&format!("/subscriptions/{subscription}/support-requests"));
        call.path_parameters.insert("subscription_id".into(), subscription.into());
        call.json(&json!({ "message": message }))
    }

    /// `POST /subscriptions/{subscription}/mails`.
    #[must_use]
    pub fn resend_mail(subscription: &str) -> Self {
        let mut call = Self::post(&format!("/subscriptions/{subscription}/mails"));
        call.path_parameters.insert("subscription_id".into(), subscription.into());
        call
    }

    /// `GET /subscriptions/{subscription}/history`.
    #[must_use]
    pub fn show_history(subscription: &str) -> Self {
        let mut call = Self::get(&format!("/subscriptions/{subscription}/history"));
        call.path_parameters.insert("subscription_id".into(), subscription.into());
        call
    }

    /// `POST /subscriptions/{subscription}/renewals`.
    #[must_use]
    pub fn renew_credentials(subscription: &str) -> Self {
        let mut call = Self::post(&format!("/subscriptions/{subscription}/renewals"));
        call.path_parameters.insert("subscription_id".into(), subscription.into());
        call
    }

    /// `POST /sign-in`.
    #[must_use]
    pub fn sign_in(user_name: &str, password: &str) -> Self {
        Self::post("/sign-in").json(&json!({ "user_name": user_name, "password": password }))
    }

    /// `POST /reset-password` in a session that began with a temporary password.
    #[must_use]
    pub fn reset_password(session: &str, new_password: &str) -> Self {
        Self::post("/reset-password").session(session).json(&json!({ "new_password": new_password }))
    }

    /// `POST /administrators`.
    #[must_use]
    pub fn create_admin(session: &str, user_name: &str, password: &str) -> Self {
        let body = json!({ "user_name": user_name, "display_name": "Lee Ahmadi", "password": password });
        Self::post("/administrators").session(session).json(&body)
    }

    /// `POST /desk/api/subscriptions/{subscription}/portal-users`.
    #[must_use]
    pub fn add_portal_user(subscription: &str, body: &Value) -> Self {
        let call = Self::post(&format!("/desk/api/subscriptions/{subscription}/portal-users"));
        call.parameter("subscription_id", subscription).json(body)
    }

    /// `POST /desk/api/subscriptions/{subscription}/portal-users/{principal}/removal`.
    #[must_use]
    pub fn remove_portal_user(subscription: &str, principal: &str, reason: &str) -> Self {
        let call = Self::post(&format!("/desk/api/subscriptions/{subscription}/portal-users/{principal}/removal"));
        let call = call.parameter("subscription_id", subscription).parameter("principal", principal);
        call.json(&json!({ "reason": reason }))
    }

    /// `POST /desk/api/accounts/{user_name}/unlock`.
    #[must_use]
    pub fn unlock(user_name: &str, reason: &str) -> Self {
        let call = Self::post(&format!("/desk/api/accounts/{user_name}/unlock")).parameter("user_name", user_name);
        call.json(&json!({ "reason": reason }))
    }

    /// `GET /oidc/authorize` with these parameters.
    #[must_use]
    pub fn authorize(parameters: &[(&str, &str)]) -> Self {
        Self::get("/oidc/authorize").query(&encode(parameters))
    }

    /// `POST /oidc/token` with these parameters, without authentication of the client in a header.
    #[must_use]
    pub fn token(parameters: &[(&str, &str)]) -> Self {
        Self::post("/oidc/token").form(parameters)
    }

    /// `GET /oidc/userinfo` with an access token.
    #[must_use]
    pub fn userinfo(access_token: &str) -> Self {
        Self::get("/oidc/userinfo").bearer(access_token)
    }

    fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: String::new(),
            headers: BTreeMap::new(),
            cookies: Vec::new(),
            body: None,
            path_parameters: BTreeMap::new(),
            source_ip: "192.0.2.1".into(),
        }
    }

    /// Adds a parameter of the path, as the gateway decodes it.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.path_parameters.insert(name.into(), value.into());
        self
    }

    /// Adds the token that identifies the customer.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Adds the idempotency key of a click.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Adds a cookie.
    #[must_use]
    pub fn cookie(mut self, name: &str, value: &str) -> Self {
        self.cookies.push(format!("{name}={value}"));
        self
    }

    /// Adds the cookie of a session in the Administration Center.
    #[must_use]
    pub fn session(self, token: &str) -> Self {
        self.cookie("__Host-session", token)
    }

    /// Adds the cookie of an operator's token at the support desk.
    #[must_use]
    pub fn operator(self, token: &str) -> Self {
        if token.is_empty() { self } else { self.cookie("__Host-desk", token) }
    }

    /// Returns the function that an API gives the call to, and the call with the parameters of its path.
    #[must_use]
    pub fn routed(mut self, api: Api) -> (Function, Self) {
        let (route, parameters) = Route::find(api, self.method, &self.path);
        self.path_parameters.extend(parameters);
        (route.function, self)
    }

    /// Adds the cookie by which an account knows a browser.
    #[must_use]
    pub fn device(self, token: &str) -> Self {
        self.cookie("__Host-device", token)
    }

    /// Sets the caller's IP address.
    #[must_use]
    pub fn from(mut self, source_ip: &str) -> Self {
        self.source_ip = source_ip.into();
        self
    }

    /// Sets the query, encoded as in a URI.
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        self.query = query.into();
        self
    }

    /// Sets a JSON body and its media type.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string().as_bytes())
    }

    /// Sets the body of a form and its media type.
    #[must_use]
    pub fn form(self, parameters: &[(&str, &str)]) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded").body(encode(parameters).as_bytes())
    }

    /// Adds the credentials of a client, encoded as RFC 6749 does.
    #[must_use]
    pub fn basic(self, client_id: &str, secret: &str) -> Self {
        let [client_id, secret] = [client_id, secret].map(|text| encode(&[(text, "")]).replace('=', ""));
        self.header("authorization", &format!("Basic {}", BASE64_STANDARD.encode(format!("{client_id}:{secret}"))))
    }

    /// Sets a body without a media type.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self
    }

    /// Returns the API that has the path of the call.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::from_path(&self.path)
    }

    /// Converts the call into an HTTP request to an origin. The network determines the caller's address, so `from` has no effect.
    #[must_use]
    pub fn into_request(self, origin: &str) -> Request<Full<VecDeque<u8>>> {
        let mut request = Request::builder().method(self.method).uri(format!("{origin}{}?{}", self.path, self.query));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            request = request.header("cookie", self.cookies.join("; "));
        }
        request.body(Full::new(VecDeque::from(self.body.unwrap_or_default()))).unwrap()
    }

    /// Converts the call into an event of API Gateway, payload format 2.0.
    #[must_use]
    pub fn into_event(self) -> Value {
        let raw_path = &self.path;
        let mut headers = self.headers;
        headers.entry("host".into()).or_insert_with(|| "portal.contoso.example".into());
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": raw_path,
            "rawQueryString": self.query,
            "cookies": self.cookies,
            "headers": headers,
            "pathParameters": self.path_parameters,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "domainName": "portal.contoso.example",
                "domainPrefix": "portal",
                "http": {
                    "method": self.method,
                    "path": raw_path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.source_ip,
                    "userAgent": "test",
                },
                "requestId": "request",
                "routeKey": "$default",
                "stage": "$default",
                "time": "10/Nov/2026:09:00:00 +0000",
                "timeEpoch": 1_794_301_200_000_i64,
            },
            "body": self.body.as_ref().map(|body| BASE64_STANDARD.encode(body)),
            "isBase64Encoded": self.body.is_some(),
        })
    }
}

/// Encodes parameters as in a query and in a form.
fn encode(parameters: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(parameters).finish()
}

impl Answer {
    /// Reads an answer from the response that a function returned to API Gateway.
    #[must_use]
    pub fn read(answer: &Value) -> Self {
        let headers = answer["headers"].as_object().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let body = answer["body"].as_str().unwrap_or_default();
        let cookies = answer["cookies"].as_array().into_iter().flatten();
        Self {
            status: answer["statusCode"].as_u64().unwrap().try_into().unwrap(),
            headers: headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect(),
            cookies: cookies.map(text).collect(),
            body: serde_json::from_str(body).unwrap_or_else(|_| body.into()),
        }
    }

    /// Reads an answer that was received over HTTP.
    #[must_use]
    pub fn from_parts(head: &response::Parts, body: &[u8]) -> Self {
        let text = |value: &lambda_http::http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        let cookies = head.headers.get_all("set-cookie").iter().map(text);
        Self {
            status: head.status.as_u16(),
            headers: headers.collect(),
            cookies: cookies.collect(),
            body: serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into()),
        }
    }

    /// Returns the temporary password, if the answer shows one.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.body["password"].as_str()
    }

    /// Returns the token of the session that the answer starts, if it starts one.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        self.cookie_value("__Host-session=")
    }

    /// Returns the token of the device cookie that the answer sets, if it sets one.
    #[must_use]
    pub fn device(&self) -> Option<String> {
        self.cookie_value("__Host-device=")
    }

    fn cookie_value(&self, name: &str) -> Option<String> {
        let value = self.cookies.iter().find_map(|cookie| cookie.strip_prefix(name))?.split(';').next()?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Returns the next step after a sign-in or a reset.
    #[must_use]
    pub fn next(&self) -> Option<&str> {
        self.body["next"].as_str()
    }

    /// Returns the codes of the reasons why the password field is blank.
    #[must_use]
    pub fn reasons(&self) -> Vec<&str> {
        let reasons = self.body["blank"]["reasons"].as_array().into_iter().flatten();
        reasons.map(|reason| reason["code"].as_str().unwrap()).collect()
    }

    /// Returns the code of the problem, if the answer is a problem document.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.body["code"].as_str()
    }
}
