//! The HTTP contract, `infra/openapi.yaml`. Every answer of a function that a test sees is held against it: its status, the headers that are
//! promised for it, its media type, and its body.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use jsonschema::Validator;
use serde_json::{Value, json};
use template::from_yaml;

use crate::Answer;

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    method: String,
    path: String,
}

/// The methods that an `OpenAPI` path can have.
pub const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];

/// Where the portal function's "and every other path" stands.
const EVERYTHING_ELSE: &str = "/{path}";

/// The gateway's own answers have this body, and none of the headers that are ours.
const GATEWAY: &str = "application/json";

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| from_yaml(include_str!("../../../infra/openapi.yaml")).expect("openapi.yaml is YAML"));

/// A schema is compiled when the first answer is held against it.
static COMPILED: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// The document, as JSON.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

impl Asked {
    /// `method` of `path`.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_ascii_lowercase(), path: path.to_owned() }
    }

    /// By an event of the gateway, if it is one.
    #[must_use]
    pub fn by(event: &Value) -> Option<Self> {
        let method = event["requestContext"]["http"]["method"].as_str()?;
        Some(Self::new(method, event["rawPath"].as_str()?))
    }

    /// Fails the test whose answer is not in the contract.
    pub fn hold(&self, answer: &Answer) {
        if let Err(why) = self.judge(answer) {
            panic!("{} {} is answered as the contract does not say: {why}", self.method, self.path);
        }
    }

    /// Why the contract does not have this answer.
    pub fn judge(&self, answer: &Answer) -> Result<(), String> {
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

    /// The operation and where it stands. A path with a parameter gives way to one without; what no route has is the portal's.
    fn operation(&self) -> (String, &'static Value) {
        let paths = DOCUMENT["paths"].as_object().expect("openapi.yaml has paths");
        let method = if self.method == "head" { "get" } else { &*self.method };
        let mut matching: Vec<_> = paths.keys().filter(|template| self.matches(template)).collect();
        matching.sort_by_key(|template| (template.matches('{').count(), std::cmp::Reverse(template.len())));
        let found = matching.into_iter().find(|template| paths[*template].get(method).is_some());
        let (template, method) = found.map_or((EVERYTHING_ELSE, "get"), |template| (&**template, method));
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

/// Why `value` is not as a schema of the document says. `at` names the schema, to compile it once.
pub fn fits(at: &str, schema: &Value, value: &Value) -> Result<(), String> {
    let compiled =
        Arc::clone(COMPILED.lock().unwrap().entry(at.to_owned()).or_insert_with(|| Arc::new(compile(schema))));
    let why: Vec<String> = compiled
        .iter_errors(value)
        .map(|error| format!("{} at {:?}", error.masked(), error.instance_path().as_str()))
        .collect();
    if why.is_empty() { Ok(()) } else { Err(why.join("; ")) }
}

/// References in a schema begin at the root of the document, so its components come along.
fn compile(schema: &Value) -> Validator {
    let mut root = schema.clone();
    root["components"] = DOCUMENT["components"].clone();
    let options = jsonschema::options().offline().should_validate_formats(true);
    options.build(&root).unwrap_or_else(|error| panic!("a schema of openapi.yaml: {error}: {schema}"))
}

/// What is promised must be there, and be as promised.
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

/// What `$ref` points to, and where that is.
fn referenced(reference: &Value) -> (&'static Value, String) {
    let at = reference.as_str().expect("a reference is text");
    let pointer = at.strip_prefix('#').expect("a reference stays in the document");
    (DOCUMENT.pointer(pointer).unwrap_or_else(|| panic!("openapi.yaml has no {at}")), at.to_owned())
}
