//! A reader for the deployment template, `infra/template.yaml`. The local cloud and the checks read the template, so that no fact
//! in it has to be repeated in code.
//!
//! A template is YAML with CloudFormation tags (`!Ref`, `!GetAtt`, …). It is represented as JSON with the long forms of the tags
//! (`{"Ref": …}`, `{"Fn::GetAtt": ["Table", "Arn"]}`). [`Template::resolve`] replaces them with values.

mod resolve;
mod yaml;

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use serde_json::Value;

pub use yaml::from_yaml;

/// The text of the deployment template.
const DEPLOYED: &str = include_str!("../../template.yaml");

/// A CloudFormation template. A clone shares its document.
#[derive(Clone, Debug)]
pub struct Template(Arc<Value>);

/// An error in a template, with a message for its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Template {
    /// Returns the deployment template as it was at compile time. A process parses it once, however many parts of the local cloud read it.
    pub fn deployed() -> Result<Self, Error> {
        static PARSED: LazyLock<Result<Template, Error>> = LazyLock::new(|| Template::parse(DEPLOYED));
        PARSED.clone()
    }

    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document = from_yaml(text)?;
        for section in ["Parameters", "Resources"] {
            if !document[section].is_object() {
                return Err(Error::new(format!("{section}: the section is missing")));
            }
        }
        Ok(Self(Arc::new(document)))
    }

    /// Returns a resource by its logical id, with `Type`, `Properties` and its other fields.
    pub fn resource(&self, id: &str) -> Result<&Value, Error> {
        self.0["Resources"].get(id).ok_or_else(|| Error::new(format!("Resources: {id} is missing")))
    }

    /// Returns the resources of a type, such as `AWS::IAM::Role`, with their logical ids.
    pub fn resources_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let all = self.0["Resources"].as_object().into_iter().flatten();
        all.filter(move |(_, resource)| resource["Type"] == kind).map(|(id, resource)| (id.as_str(), resource))
    }

    /// Returns the whole template in long forms.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.0
    }

    /// Returns `value` with every intrinsic function replaced by its result. `names` returns the value of a name in the template:
    /// `Table` for a `Ref`, `Table.Arn` for a `GetAtt`, or `AWS::Region`. A parameter without a value in `names` has its default.
    /// The supported functions are `Ref`, `Fn::GetAtt`, `Fn::Sub`, `Fn::Join`, `Fn::Split` and `Fn::If`, and in conditions `Fn::Equals`,
    /// `Fn::Not`, `Fn::And`, `Fn::Or` and `Condition`. Another function or an unknown name is an error.
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
