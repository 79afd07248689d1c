//! What the names of the template stand for here.

use crate::REGION;
use template::Template;

use super::calls::{address, domain};

/// The account that everything is in.
pub(super) const ACCOUNT: &str = "123456789012";

/// The identity's own configuration set, by the name that the template has for it.
const CONFIGURATION_SET: &str = "MailConfiguration";

/// The sealing key, by the name that the template has for it.
const SEALING_KEY: &str = "SealingKey";

/// The names of one local cloud.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) table: String,
    /// Who mails come from, an address or `Name <address>`.
    pub(super) sender: String,
}

impl Names {
    /// The value of a name of the template: a parameter that decides about a role, a pseudo parameter, a resource, or its ARN.
    pub(super) fn value(&self, template: &Template, name: &str) -> Option<String> {
        let sender = address(&self.sender);
        let value = match name {
            "AWS::Partition" => "aws".to_owned(),
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::StackName" => "firstkey".to_owned(),
            "MailDomain" => domain(sender).to_owned(),
            "SenderMailbox" => sender.rsplit_once('@').map_or(sender, |(mailbox, _)| mailbox).to_owned(),
            "Table" => self.table.clone(),
            _ => match name.split_once('.') {
                Some((id, "Arn")) => self.arn(id, template.resource(id).ok()?["Type"].as_str()?)?,
                Some(_) => return None,
                None => template.resource(name).ok().map(|_| name.to_owned())?,
            },
        };
        Some(value)
    }

    /// The ARN of a resource of the template.
    fn arn(&self, id: &str, kind: &str) -> Option<String> {
        match kind {
            "AWS::DynamoDB::Table" => Some(table_arn(&self.table)),
            "AWS::KMS::Key" => Some(arn("kms", &format!("key/{id}"))),
            "AWS::Logs::LogGroup" => Some(arn("logs", &format!("log-group:{id}:*"))),
            "AWS::SQS::Queue" => Some(arn("sqs", id)),
            "AWS::IAM::Role" => Some(format!("arn:aws:iam::{ACCOUNT}:role/{id}")),
            _ => None,
        }
    }
}

pub(super) fn table_arn(table: &str) -> String {
    arn("dynamodb", &format!("table/{table}"))
}

/// Of a key by its alias: IAM asks for the key behind it.
pub(super) fn key_arn(key: &str) -> String {
    let id = if key == crate::SEALING_KEY { SEALING_KEY } else { key };
    arn("kms", &format!("key/{id}"))
}

pub(super) fn identity_arn(domain: &str) -> String {
    arn("ses", &format!("identity/{domain}"))
}

pub(super) fn configuration_set_arn(name: Option<&str>) -> String {
    arn("ses", &format!("configuration-set/{}", name.unwrap_or(CONFIGURATION_SET)))
}

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}
