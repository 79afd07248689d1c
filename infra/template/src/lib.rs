//! The deployment template, `infra/template.yaml`, as the local cloud and the checks read it: they take from it what would otherwise
//! be said twice.
//!
//! A template is YAML with the tags of CloudFormation (`!Ref`, `!GetAtt`, …), kept here as JSON with their long forms (`{"Ref": …}`,
//! `{"Fn::GetAtt": ["Table", "Arn"]}`). [`Template::resolve`] puts values in place of them.

mod resolve;
mod yaml;

use std::fmt;

use serde_json::Value;

pub use yaml::from_yaml;

/// The one that is deployed.
const DEPLOYED: &str = include_str!("../../template.yaml");

/// A template.
#[derive(Clone, Debug)]
pub struct Template(Value);

/// What is wrong with a template, for whoever writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Template {
    /// The template that is deployed, as it was when this was compiled.
    pub fn deployed() -> Result<Self, Error> {
        Self::parse(DEPLOYED)
    }

    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document = from_yaml(text)?;
        for section in ["Parameters", "Resources"] {
            if !document[section].is_object() {
                return Err(Error::new(format!("{section}: there are none")));
            }
        }
        Ok(Self(document))
    }

    /// A resource by its logical id: `Type`, `Properties` and the rest.
    pub fn resource(&self, id: &str) -> Result<&Value, Error> {
        self.0["Resources"].get(id).ok_or_else(|| Error::new(format!("Resources: {id} is missing")))
    }

    /// The resources of a type, such as `AWS::IAM::Role`, by their logical ids.
    pub fn resources_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let all = self.0["Resources"].as_object().into_iter().flatten();
        all.filter(move |(_, resource)| resource["Type"] == kind).map(|(id, resource)| (id.as_str(), resource))
    }

    /// The whole, in long forms.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.0
    }

    /// `value` without intrinsic functions. What they name is looked up in `names` by the name that the template has for it, `Table` for
    /// a `Ref`, `Table.Arn` for a `GetAtt`, `AWS::Region`; a parameter that is not found there has its default. `Ref`, `Fn::GetAtt`,
    /// `Fn::Sub`, `Fn::Join` and `Fn::If` are understood, and in conditions `Fn::Equals`, `Fn::Not`, `Fn::And`, `Fn::Or` and
    /// `Condition`; another function, or a name that nobody knows, is an error.
    pub fn resolve(&self, value: &Value, names: &dyn Fn(&str) -> Option<String>) -> Result<Value, Error> {
        resolve::Resolver { template: &self.0, names }.resolve(value)
    }
}

impl Error {
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
