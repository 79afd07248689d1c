//! The values of the template's names in the local cloud.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::REGION;
use template::Template;

use super::calls::{address, domain};

/// The AWS account of the local cloud.
pub(in super::super) const ACCOUNT: &str = "123456789012";

/// The aliases of the keys, and their logical ids in the template.
const KEYS: [(&str, &str); 3] = [
    (crate::SEALING_KEY, "SealingKey"),
    (crate::SIGNING_KEYS[0], "SigningKeyOne"),
    (crate::SIGNING_KEYS[1], "SigningKeyTwo"),
];

/// The logical id of the bus for published events in the template.
pub(super) const PUBLISHED_EVENTS: &str = "PublishedEvents";

/// The configurable names of a local cloud.
#[derive(Clone, Debug)]
pub(in super::super) struct Names {
    pub(in super::super) table: String,
    /// The sender of mails, an address or `Name <address>`.
    pub(in super::super) sender: String,
    /// The name of the client secret, which portal and support desk share, or an empty text.
    pub(in super::super) client_secret: String,
    /// The value of `BillingPrincipals`, or empty.
    pub(in super::super) billing_principals: String,
}

impl Names {
    /// Returns the value of a name in the template: a parameter that affects a role, a pseudo parameter, a resource or the
    /// ARN of a resource.
    pub(super) fn value(&self, template: &Template, name: &str) -> Option<String> {
        let sender = address(&self.sender);
        let value = match name {
            "AWS::Partition" => "aws".to_owned(),
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => "firstkey".to_owned(),
            "MailDomain" => domain(sender).to_owned(),
            "SenderMailbox" => sender.rsplit_once('@').map_or(sender, |(mailbox, _)| mailbox).to_owned(),
            "OidcClientSecretName" | "DeskOidcClientSecretName" => self.client_secret.clone(),
            // The local cloud always has a support desk. The roles name its provider nowhere.
            "DeskOidcIssuer" => "https://operators.example".to_owned(),
            // The local cloud always has a product, whose two signing keys are published.
            "ProductClientId" => "contoso-online-suite".to_owned(),
            "SigningKeys" => "one-two".to_owned(),
            "BillingPrincipals" if !self.billing_principals.is_empty() => self.billing_principals.clone(),
            "Table" => self.table.clone(),
            "MailConfiguration" => crate::CONFIGURATION_SET.to_owned(),
            _ => match name.split_once('.') {
                Some((id, "Arn")) => self.arn(template, id)?,
                // The local stream belongs to the cloud, so that no function reads it through the endpoint.
                Some((id, "StreamArn")) => self.arn(template, id)? + "/stream/local",
                Some(_) => return None,
                None => template.resource(name).ok().map(|_| name.to_owned())?,
            },
        };
        Some(value)
    }

    /// Returns the ARN of a resource of the template.
    fn arn(&self, template: &Template, id: &str) -> Option<String> {
        let resource = template.resource(id).ok()?;
        match resource["Type"].as_str()? {
            "AWS::DynamoDB::Table" => Some(table_arn(&self.table)),
            "AWS::KMS::Key" => Some(arn("kms", &format!("key/{id}"))),
            "AWS::Logs::LogGroup" => Some(arn("logs", &format!("log-group:{id}:*"))),
            "AWS::SQS::Queue" => Some(queue_arn(id)),
            "AWS::Events::EventBus" => Some(bus_arn(id)),
            "AWS::IAM::Role" => {
                let role = serde_json::json!({ "Fn::Sub": ["arn:aws:iam::${AWS::AccountId}:role${RolePath}${Name}", {
                    "Name": resource["Properties"]["RoleName"],
                }] });
                template.resolve(&role, &|name| self.value(template, name)).ok()?.as_str().map(str::to_owned)
            }
            _ => None,
        }
    }
}

/// Returns the ARN of a function by its name, as Lambda adds it to the calls of its code.
pub(super) fn function_arn(function: &str) -> String {
    arn("lambda", &format!("function:firstkey-{function}"))
}

/// Returns the account of an ARN.
pub(super) fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

pub(super) fn table_arn(table: &str) -> String {
    arn("dynamodb", &format!("table/{table}"))
}

/// Returns the ARN of a key, which a call gives by alias, by id or by ARN. IAM authorizes the key, so an alias is resolved.
pub(crate) fn key_arn(key: &str) -> String {
    let named = key.strip_prefix(&arn("kms", "")).unwrap_or(key);
    let id = named.strip_prefix("key/").unwrap_or(named);
    let id = KEYS.iter().find(|(alias, _)| *alias == id).map_or(id, |(_, id)| id);
    arn("kms", &format!("key/{id}"))
}

/// Returns the ARN of a secret. It ends in a hyphen and six characters: AWS chooses them at random, and here they follow from the name.
pub(crate) fn secret_arn(name: &str) -> String {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    arn("secretsmanager", &format!("secret:{name}-{:06x}", hasher.finish() & 0xff_ffff))
}

pub(super) fn identity_arn(domain: &str) -> String {
    arn("ses", &format!("identity/{domain}"))
}

pub(super) fn configuration_set_arn(name: &str) -> String {
    arn("ses", &format!("configuration-set/{name}"))
}

/// Returns the name of an event bus of this account, which a call gives by name or by ARN. Another ARN is returned unchanged.
pub(crate) fn bus_name(bus: &str) -> &str {
    bus.strip_prefix(&bus_arn("")).unwrap_or(bus)
}

/// Returns the ARN of the event bus that a call gives by name or by ARN.
pub(super) fn called_bus_arn(bus: &str) -> String {
    match bus_name(bus) {
        crate::EVENT_BUS => bus_arn(PUBLISHED_EVENTS),
        other if other.starts_with("arn:") => other.to_owned(),
        other => bus_arn(other),
    }
}

/// Returns the ARN of an event bus by its name in the template.
pub(super) fn bus_arn(id: &str) -> String {
    arn("events", &format!("event-bus/{id}"))
}

/// Returns the ARN of a queue by its name in the template.
pub(super) fn queue_arn(id: &str) -> String {
    arn("sqs", id)
}

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}
