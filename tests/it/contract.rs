//! The HTTP contract: its routes are those that are built, its examples are right, and an answer that it does not have is found.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{
    Answer, Api, Function, Route,
    contract::{METHODS, RequestLine, document, fits},
    functions::read,
};
use web::ProblemCode::{self, *};

/// Returns every operation of the contract, with its route and its JSON pointer.
fn operations() -> Vec<(Route, String, &'static Value)> {
    let mut all = Vec::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for method in METHODS.into_iter().filter(|method| !item[*method].is_null()) {
            let operation = &item[method];
            let pointer = format!("#/paths/{}/{method}", path.replace('/', "~1"));
            let function = operation["x-function"].as_str().unwrap_or_else(|| panic!("{method} {path}: no x-function"));
            let function = Function::from_name(function);
            let (api, method) = (Api::from_path(path), method.to_ascii_uppercase());
            let route = Route { api, method, path: path.clone(), function };
            all.push((route, pointer, operation));
        }
    }
    all
}

/// Returns the text between the first two quotation marks.
fn quoted(line: &str) -> Option<String> {
    line.split('"').nth(1).map(str::to_owned)
}

#[test]
fn the_routes_are_those_of_the_router() {
    let (others, built): (BTreeSet<_>, BTreeSet<_>) =
        Route::all().into_iter().partition(|route| route.path == Route::DEFAULT);
    let defaults: BTreeSet<_> = others.into_iter().map(|route| route.function).collect();
    assert!(defaults.contains(&Function::Portal));
    let (pages, documented): (BTreeSet<_>, BTreeSet<_>) =
        operations().into_iter().map(|(route, ..)| route).partition(|route| defaults.contains(&route.function));
    assert_eq!(documented, built);
    assert!(!pages.is_empty());
}

#[test]
fn the_pages_are_those_that_the_portal_has() {
    let handler = read("functions/portal/src/handler.rs");
    let arms = handler.lines().map(str::trim).filter(|line| line.starts_with("\"/") && line.contains("=>"));
    let built: BTreeSet<(String, String)> = arms
        .map(|arm| {
            let method = if arm.contains("Method::POST") { "POST" } else { "GET" };
            (method.to_owned(), quoted(arm).unwrap())
        })
        .collect();
    let pages = operations().into_iter().map(|(route, ..)| route).filter(|route| route.function == Function::Portal);
    let pages: BTreeSet<_> =
        pages.map(|route| (route.method, route.path)).filter(|(_, path)| !path.contains('{')).collect();
    assert_eq!(pages, built);
}

/// Every media type of a content, with its examples.
fn each_example(content: &Value, at: &str, look: &mut impl FnMut(&str, &Value, &Value)) {
    for (media_type, content) in content.as_object().into_iter().flatten() {
        let at = format!("{at}/content/{}/schema", media_type.replace('/', "~1"));
        let several = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
        let examples: Vec<&Value> = content.get("example").into_iter().chain(several).collect();
        assert!(!examples.is_empty(), "{at}: no example");
        for example in examples {
            look(&at, &content["schema"], example);
        }
    }
}

/// Everything in the document that has an example, or must have one.
fn every_example(mut look: impl FnMut(&str, &Value, &Value)) {
    for (_, at, operation) in operations() {
        each_example(&operation["requestBody"]["content"], &format!("{at}/requestBody"), &mut look);
        for (status, response) in operation["responses"].as_object().unwrap() {
            each_example(&response["content"], &format!("{at}/responses/{status}"), &mut look);
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|it| it["$ref"].is_null()) {
            look(&format!("{at}: {}", parameter["name"]), &parameter["schema"], &parameter["example"]);
        }
    }
    let components = &document()["components"];
    for (name, response) in components["responses"].as_object().unwrap() {
        each_example(&response["content"], &format!("#/components/responses/{name}"), &mut look);
    }
    for kind in ["headers", "parameters"] {
        for (name, one) in components[kind].as_object().unwrap() {
            look(&format!("#/components/{kind}/{name}"), &one["schema"], &one["example"]);
        }
    }
}

#[test]
fn every_body_parameter_and_header_has_an_example_that_fits() {
    let mut seen = 0;
    every_example(|at, schema, example| {
        seen += 1;
        assert_eq!(fits(at, schema, example), Ok(()), "{at}");
    });
    assert!(seen > 50, "{seen}");
}

#[test]
fn problems_are_described_as_they_are_answered() {
    let mut described = BTreeSet::new();
    every_example(|at, _, example| {
        // An authorization code is called `code`, too.
        let Some(code) = example["code"].as_str().filter(|_| example["type"].is_string()) else { return };
        let known = ProblemCode::parse(code).unwrap_or_else(|| panic!("{at}: {code}"));
        let status = known.status().as_u16();
        let expected = json!({
            "type": format!("urn:firstkey:problem:{code}"), "title": known.title(), "status": status,
            "detail": known.detail(), "code": code, "request_id": example["request_id"],
        });
        assert_eq!(example, &expected, "{at}");
    });
    let schemas = document()["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas.iter().filter(|(name, _)| name.ends_with("Problem") && *name != "Problem") {
        let code = &schema["properties"]["code"];
        let codes = code["enum"].as_array().cloned().unwrap_or_else(|| vec![code["const"].clone()]);
        for code in codes {
            let known = code.as_str().and_then(ProblemCode::parse).unwrap_or_else(|| panic!("{name}: {code}"));
            assert_eq!(schema["properties"]["status"]["const"], known.status().as_u16(), "{name}");
            described.insert(known.as_str());
        }
    }
    assert_eq!(described, ProblemCode::ALL.map(ProblemCode::as_str).into_iter().collect());
}

/// Returns a valid answer to `POST /sign-in`.
fn signed_in() -> Answer {
    let headers =
        [("content-type", "application/json"), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")];
    Answer {
        status: 200,
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        cookies: vec!["__Host-session=x; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Strict".into()],
        body: json!({ "next": "home", "user_name": "lee@fabrikam" }),
    }
}

/// Returns why the contract does not allow the valid answer after `change`.
fn refusal(change: impl FnOnce(&mut Answer)) -> String {
    let mut answer = signed_in();
    change(&mut answer);
    RequestLine::new("POST", "/sign-in").check(&answer).expect_err("the contract does not allow it")
}

#[test]
fn an_answer_that_the_contract_does_not_allow_is_refused() {
    assert_eq!(RequestLine::new("POST", "/sign-in").check(&signed_in()), Ok(()));
    assert!(refusal(|answer| answer.status = 418).contains("status 418"));
    assert!(refusal(|answer| answer.status = 204).contains("status 204"));
    assert!(refusal(|answer| drop(answer.headers.remove("cache-control"))).contains("without Cache-Control"));
    assert!(
        refusal(|answer| drop(answer.headers.insert("cache-control".into(), "max-age=9".into())))
            .contains("Cache-Control")
    );
    assert!(refusal(|answer| answer.cookies.clear()).contains("without Set-Cookie"));
    assert!(refusal(|answer| answer.cookies[0] = answer.cookies[0].replace("; Secure", "")).contains("Set-Cookie"));
    assert!(
        refusal(|answer| drop(answer.headers.insert("content-type".into(), "text/html".into()))).contains("text/html")
    );
    assert!(refusal(|answer| answer.body["next"] = json!("elsewhere")).contains("/next"));
    assert!(refusal(|answer| answer.body["password"] = json!("k7wmp")).contains("password"));
    assert!(refusal(|answer| drop(answer.body["user_name"].take())).contains("user_name"));
}

#[test]
fn a_problem_must_belong_to_its_route_and_a_retry_must_have_a_delay() {
    let problem = |code: ProblemCode| Answer {
        status: code.status().as_u16(),
        headers: [
            ("content-type", "application/problem+json"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        cookies: Vec::new(),
        body: json!({
            "type": format!("urn:firstkey:problem:{}", code.as_str()), "title": code.title(), "detail": code.detail(),
            "status": code.status().as_u16(), "code": code.as_str(), "request_id": "r",
        }),
    };
    let check = |path: &str, answer: &Answer| RequestLine::new("POST", path).check(answer);
    assert_eq!(check("/sign-in", &problem(InvalidCredentials)), Ok(()));
    assert!(check("/sign-in", &problem(NotSignedIn)).is_err(), "signing in needs no session");
    assert!(check("/administrators", &problem(PasswordReused)).is_err());
    assert_eq!(check("/administrators", &problem(UserNameTaken)), Ok(()));
    assert_eq!(check("/administrators", &problem(Conflict)), Ok(()));
    let mut busy = problem(TooManyAttempts);
    assert!(check("/sign-in", &busy).unwrap_err().contains("without Retry-After"));
    busy.headers.insert("retry-after".into(), "0".into());
    assert!(check("/sign-in", &busy).unwrap_err().contains("Retry-After"));
    busy.headers.insert("retry-after".into(), "30".into());
    assert_eq!(check("/sign-in", &busy), Ok(()));
    busy.body["status"] = json!(428);
    assert!(check("/sign-in", &busy).unwrap_err().contains("/status"));
}

#[test]
fn a_path_without_a_route_must_be_not_found() {
    let not_found = Answer { status: 404, ..signed_in() };
    for (method, path) in
        [("GET", "/a/b/c"), ("DELETE", "/sign-in"), ("GET", "/sign-in"), ("OPTIONS", "/"), ("HEAD", "/x")]
    {
        assert!(
            RequestLine::new(method, path).check(&signed_in()).unwrap_err().contains("status 200"),
            "{method} {path}"
        );
        assert!(
            RequestLine::new(method, path).check(&not_found).unwrap_err().contains("application/json"),
            "{method} {path}"
        );
    }
}
