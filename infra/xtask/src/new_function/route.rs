//! The route of a function behind the HTTP API.

use std::fmt;

use anyhow::{Context as _, ensure};

use super::FunctionName;

/// A method and a path, such as `POST /subscriptions/{subscription_id}/renewals`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    pub(super) method: String,
    pub(super) path: String,
}

const METHODS: [&str; 5] = ["DELETE", "GET", "PATCH", "POST", "PUT"];

/// The section of `Cargo.toml` that has the routes.
const ROUTER: &str = "[workspace.metadata.lambda.watch.router]";

/// The first row of the portal, which has every path that no other function has.
const PORTAL: &str = "\"/\" = \"portal\"";

impl Route {
    /// Parses `METHOD /path`, with parameters in braces.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let malformed =
            || format!("{text:?} is not a route, such as \"POST /subscriptions/{{subscription_id}}/renewals\"");
        let (method, path) = text.split_once(' ').with_context(malformed)?;
        ensure!(METHODS.contains(&method), "{}: the method is one of {}", malformed(), METHODS.join(", "));
        let segments = path.strip_prefix('/').with_context(malformed)?;
        ensure!(segments.split('/').all(is_segment), malformed());
        let route = Self { method: method.to_owned(), path: path.to_owned() };
        let mut parameters: Vec<_> = route.parameters().collect();
        parameters.sort_unstable();
        parameters.dedup();
        ensure!(parameters.len() == route.parameters().count(), "{text:?} has two parameters of the same name");
        Ok(route)
    }

    /// Fails if another function has the route, or calls a parameter of the same path by another name.
    pub(super) fn check_against(&self, manifest: &str, contract: &str) -> anyhow::Result<()> {
        for (method, path) in routed(manifest)?.into_iter().chain(described(contract)) {
            let is_taken = method == self.method && shape(&path) == shape(&self.path);
            ensure!(!is_taken, "{self} is a route of another function: {method} {path}");
            let mut pairs = self.path.split('/').zip(path.split('/'));
            let differing = pairs.find(|(own, other)| own != other);
            if let Some((own, other)) = differing.filter(|(own, other)| is_parameter(own) && is_parameter(other)) {
                ensure!(path == "/{path}", "{own} is named {other} in the route {path}: use the same name");
            }
        }
        Ok(())
    }

    /// Returns the workspace's manifest with the route of `function`.
    pub(super) fn add_to(&self, manifest: &str, function: &FunctionName) -> anyhow::Result<String> {
        let Self { method, path } = self;
        let target = format!("{{ function = \"{function}\", method = \"{method}\" }}");
        let existing = format!("\"{path}\" = [");
        if let Some(row) = manifest.lines().find(|line| line.starts_with(&existing)) {
            let targets = row.strip_suffix(']').with_context(|| format!("{row}: more than one line"))?;
            return Ok(manifest.replace(row, &format!("{targets}, {target}]")));
        }
        ensure!(manifest.lines().any(|line| line == PORTAL), "Cargo.toml has no row {PORTAL}");
        Ok(manifest.replace(PORTAL, &format!("{existing}{target}]\n{PORTAL}")))
    }

    /// Returns the path with a value for each parameter.
    pub(super) fn example_path(&self) -> String {
        let example = |segment: &str| parameter(segment).map_or_else(|| segment.to_owned(), example);
        self.path.split('/').map(example).collect::<Vec<_>>().join("/")
    }

    /// Returns the field of an event with the values of the parameters, or nothing if there are none.
    pub(super) fn example_parameters(&self) -> String {
        let values: Vec<_> = self.parameters().map(|name| format!("    \"{name}\": \"{}\"", example(name))).collect();
        if values.is_empty() {
            return String::new();
        }
        format!("  \"pathParameters\": {{\n{}\n  }},\n", values.join(",\n"))
    }

    fn parameters(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(parameter)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Returns the routes in the manifest of the workspace.
fn routed(manifest: &str) -> anyhow::Result<Vec<(String, String)>> {
    let (_, section) = manifest.split_once(ROUTER).with_context(|| format!("Cargo.toml has no section {ROUTER}"))?;
    let table: toml::Table = section.parse().context("the routes in Cargo.toml")?;
    let mut routes = Vec::new();
    for (path, targets) in &table {
        let methods = targets.as_array().into_iter().flatten().filter_map(|target| target.get("method")?.as_str());
        routes.extend(methods.map(|method| (method.to_owned(), path.clone())));
    }
    Ok(routes)
}

/// Returns the routes in `openapi.yaml`, which also has the pages of the portal. Its paths and methods have lines of their own.
fn described(contract: &str) -> Vec<(String, String)> {
    let (mut routes, mut path) = (Vec::new(), "");
    for line in contract.lines() {
        if let Some(found) = line.strip_prefix("  /").and_then(|_| line.trim().strip_suffix(':')) {
            path = found;
        } else if let Some(method) = line.strip_prefix("    ").and_then(|line| line.strip_suffix(':')) {
            let method = method.to_ascii_uppercase();
            if METHODS.contains(&method.as_str()) {
                routes.push((method, path.to_owned()));
            }
        }
    }
    routes
}

/// Returns the path without the names of its parameters, which do not tell routes apart.
fn shape(path: &str) -> Vec<&str> {
    path.split('/').map(|segment| if is_parameter(segment) { "{}" } else { segment }).collect()
}

fn is_segment(segment: &str) -> bool {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    match parameter(segment) {
        Some(name) => {
            name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(|c| is_name(c) || c == '_')
        }
        None => !segment.is_empty() && segment.chars().all(|c| is_name(c) || c == '-'),
    }
}

fn is_parameter(segment: &str) -> bool {
    parameter(segment).is_some()
}

fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Returns a value for a parameter. The subscription is that of the other events.
fn example(parameter: &str) -> String {
    match parameter {
        "subscription_id" => "sub-1001".to_owned(),
        other => format!("{}-1", other.trim_end_matches("_id").replace('_', "-")),
    }
}
