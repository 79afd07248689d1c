//! The HTTP contract, `infra/openapi.yaml`. Every answer that a function gives in a test is checked against it: its status, its promised
//! headers, its media type, and its body.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use jsonschema::Validator;
use serde_json::{Value, json};
use template::from_yaml;

use crate::{Answer, Api};

/// The method and path of a request.
#[derive(Clone, Debug)]
pub struct RequestLine {
    method: String,
    path: String,
}

/// The methods that an `OpenAPI` path can have.
pub const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];

/// The path in the contract that covers every path without its own entry. The portal function answers those.
const FALLBACK: &str = "/{path}";

/// The same for the paths of the support desk, if the contract has it.
const DESK_FALLBACK: &str = "/desk/{path}";

/// The media type of the gateway's own errors, which lack the headers that the functions set.
const GATEWAY: &str = "application/json";

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| from_yaml(include_str!("../../../infra/openapi.yaml")).expect("openapi.yaml is YAML"));

/// The compiled schemas. Each is compiled when the first answer is checked against it.
static COMPILED: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Returns the contract, as JSON.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

impl RequestLine {
    /// Creates a request line from a method in any case and a path.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_ascii_lowercase(), path: path.to_owned() }
    }

    /// Reads the request line of an API Gateway event. Returns `None` for any other event.
    #[must_use]
    pub fn from_event(event: &Value) -> Option<Self> {
        let method = event["requestContext"]["http"]["method"].as_str()?;
        Some(Self::new(method, event["rawPath"].as_str()?))
    }

    /// Fails the test if the contract does not allow `answer`.
    pub fn assert_allows(&self, answer: &Answer) {
        if let Err(why) = self.check(answer) {
            panic!("{} {} has an answer that the contract does not allow: {why}", self.method, self.path);
        }
    }

    /// Checks `answer` against the contract. The error says what the contract does not allow.
    pub fn check(&self, answer: &Answer) -> Result<(), String> {
        let (pointer, operation) = self.operation();
        let status = answer.status.to_string();
        let response = operation["responses"].get(&status);
        let (response, at) = match response.ok_or_else(|| format!("status {status}"))?.get("$ref") {
            Some(reference) => referenced(reference),
            None => (&operation["responses"][&status], format!("{pointer}/responses/{status}")),
        };
        let Some(contents) = response["content"].as_object() else {
            let empty = matches!(&answer.body, Value::Null) || answer.body == "";
            return if empty { headers(response, answer) } else { Err(format!("{status} with a body")) };
        };
        let declared = answer.headers.get("content-type").map_or("", String::as_str);
        let media_type = declared.split(';').next().unwrap_or_default().trim();
        let content = contents.get(media_type).ok_or_else(|| format!("{status} as {declared:?}"))?;
        let schema = format!("{at}/content/{}/schema", media_type.replace('/', "~1"));
        fits(&schema, &content["schema"], &answer.body).map_err(|why| format!("{status}: {why}"))?;
        if status.as_str() >= "400" && media_type == GATEWAY { Ok(()) } else { headers(response, answer) }
    }

    /// Returns the operation and its JSON pointer. A path without parameters takes precedence over one with them; a path that is not
    /// in the contract belongs to the portal.
    fn operation(&self) -> (String, &'static Value) {
        let paths = DOCUMENT["paths"].as_object().expect("openapi.yaml has paths");
        let method = if self.method == "head" { "get" } else { &*self.method };
        let mut matching: Vec<_> = paths.keys().filter(|template| self.matches(template)).collect();
        matching.sort_by_key(|template| (template.matches('{').count(), std::cmp::Reverse(template.len())));
        let found = matching.into_iter().find(|template| paths[*template].get(method).is_some());
        let is_desks = Api::from_path(&self.path) == Api::Desk && paths.contains_key(DESK_FALLBACK);
        let fallback = if is_desks { DESK_FALLBACK } else { FALLBACK };
        let (template, method) = found.map_or((fallback, "get"), |template| (&**template, method));
        let at = format!("#/paths/{}/{method}", template.replace('/', "~1"));
        (at, &paths[template][method])
    }

    fn matches(&self, template: &str) -> bool {
        let (mut given, mut wanted) = (self.path.split('/'), template.split('/'));
        loop {
            match (given.next(), wanted.next()) {
                (None, None) => return true,
                (Some(given), Some(wanted)) if given == wanted || (wanted.starts_with('{') && !given.is_empty()) => {}
                _ => return false,
            }
        }
    }
}

/// Checks `value` against a schema of the contract. `at` identifies the schema, which is compiled once. The error lists the mismatches.
pub fn fits(at: &str, schema: &Value, value: &Value) -> Result<(), String> {
    let compiled =
        Arc::clone(COMPILED.lock().unwrap().entry(at.to_owned()).or_insert_with(|| Arc::new(compile(schema))));
    let why: Vec<String> = compiled
        .iter_errors(value)
        .map(|error| format!("{} at {:?}", error.masked(), error.instance_path().as_str()))
        .collect();
    if why.is_empty() { Ok(()) } else { Err(why.join("; ")) }
}

/// Compiles a schema together with the contract's components, to which its references point.
fn compile(schema: &Value) -> Validator {
    let mut root = schema.clone();
    root["components"] = DOCUMENT["components"].clone();
    let options = jsonschema::options().offline().should_validate_formats(true);
    options.build(&root).unwrap_or_else(|error| panic!("a schema of openapi.yaml: {error}: {schema}"))
}

/// Checks that every required header is present and that every declared header matches its schema.
fn headers(response: &Value, answer: &Answer) -> Result<(), String> {
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let (header, at) = match header.get("$ref") {
            Some(reference) => referenced(reference),
            None => (header, format!("{name}: {header}")),
        };
        let values: Vec<&String> = match name.as_str() {
            "Set-Cookie" => answer.cookies.iter().collect(),
            name => answer.headers.get(&name.to_ascii_lowercase()).into_iter().collect(),
        };
        if values.is_empty() && header["required"] == true {
            return Err(format!("{} without {name}", answer.status));
        }
        for value in values {
            fits(&at, &header["schema"], &json!(value)).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    Ok(())
}

/// Resolves a `$ref`: returns its target and the target's JSON pointer.
fn referenced(reference: &Value) -> (&'static Value, String) {
    let at = reference.as_str().expect("a reference is text");
    let pointer = at.strip_prefix('#').expect("a reference stays in the document");
    (DOCUMENT.pointer(pointer).unwrap_or_else(|| panic!("openapi.yaml has no {at}")), at.to_owned())
}
