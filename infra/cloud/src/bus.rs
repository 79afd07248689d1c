//! The event bus: the target of an event, by the rules of the template.

use serde_json::Value;

use super::Error;
use super::pattern::Pattern;
use super::queue::Queue;
use super::roles::ACCOUNT;
use template::Template;

/// The target of a rule, which gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Queue(Queue),
    /// A function that the bus invokes directly.
    Function(&'static str),
}

pub(super) struct Bus(Vec<(Pattern, Target)>);

/// Rules for functions that the template does not have yet. A rule of the template with the same target replaces the one here.
const PLANNED: [(&str, Target); 2] = [
    (r#"{"source": ["aws.ses"]}"#, Target::Function("mail-feedback")),
    (r#"{"detail-type": ["SubscriptionEnded"]}"#, Target::Queue(Queue::SubscriptionEnd)),
];

impl Bus {
    pub(super) fn deployed() -> Result<Self, Error> {
        let wrong = |refusal: String| Error::caused("the rules of the template's event bus cannot be used", refusal);
        let template = Template::deployed().map_err(|error| wrong(error.to_string()))?;
        let mut rules = Vec::new();
        for (id, rule) in template.resources_of("AWS::Events::Rule").filter(|(_, rule)| !is_report(&template, rule)) {
            let pattern = template.resolve(&rule["Properties"]["EventPattern"], &name);
            let pattern = pattern.map_err(|error| wrong(error.to_string()))?;
            let pattern = Pattern::read(&pattern.to_string()).map_err(wrong)?;
            let targets = rule["Properties"]["Targets"].as_array().map(Vec::as_slice);
            let target = match targets {
                Some([target]) => {
                    target["Arn"]["Fn::GetAtt"][0].as_str().and_then(Queue::from_logical_id).map(Target::Queue)
                }
                _ => None,
            };
            let target = target.ok_or_else(|| wrong(format!("{id} needs one target that is a known queue")))?;
            rules.push((pattern, target));
        }
        for (pattern, target) in PLANNED {
            if rules.iter().all(|(_, deployed)| *deployed != target) {
                rules.push((Pattern::read(pattern).map_err(wrong)?, target));
            }
        }
        Ok(Self(rules))
    }

    /// Returns an event as the bus receives it: from this account and Region, whatever its publisher wrote, and with a source.
    pub(super) fn receive(mut event: Value) -> Value {
        if let Some(fields) = event.as_object_mut() {
            fields.insert("account".to_owned(), ACCOUNT.into());
            fields.insert("region".to_owned(), crate::REGION.into());
            fields.entry("source").or_insert_with(|| "local".into());
        }
        event
    }

    /// Returns the target of the first rule that matches the event.
    pub(super) fn target(&self, event: &Value) -> Option<Target> {
        self.0.iter().find(|(pattern, _)| pattern.matches(event)).map(|(_, target)| *target)
    }
}

/// Returns the value of a name in the pattern of a rule.
fn name(name: &str) -> Option<String> {
    match name {
        "AWS::AccountId" => Some(ACCOUNT.to_owned()),
        "MailConfiguration" => Some(crate::CONFIGURATION_SET.to_owned()),
        _ => None,
    }
}

/// Returns whether a rule sends to a topic what `CloudTrail` reports. The local cloud has neither.
fn is_report(template: &Template, rule: &Value) -> bool {
    let targets = rule["Properties"]["Targets"].as_array().into_iter().flatten();
    let topic = |target: &Value| {
        let id = target["Arn"]["Ref"].as_str();
        id.is_some_and(|id| template.resources_of("AWS::SNS::Topic").any(|(topic, _)| topic == id))
    };
    targets.clone().count() > 0 && targets.into_iter().all(topic)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rules_of_the_template_choose_the_target() {
        let template = Template::deployed().expect("the template");
        let rules = template.resources_of("AWS::Events::Rule");
        let deployed = rules.filter(|(_, rule)| !is_report(&template, rule)).count();
        let bus = Bus::deployed().expect("the bus");
        assert!(deployed > 0 && bus.0.len() >= deployed);
        let started = json!({"detail-type": "SubscriptionStarted", "detail": {}, "account": "111122223333"});
        let mut started = Bus::receive(started);
        assert_eq!(bus.target(&started), Some(Target::Queue(Queue::SubscriptionStart)));
        started["source"] = "firstkey".into();
        assert_eq!(bus.target(&started), None, "an event of our own");
        (started["source"], started["account"]) = ("billing.contoso".into(), "111122223333".into());
        assert_eq!(bus.target(&started), None, "another account");
        let ended = json!({"source": "billing.contoso", "detail-type": "SubscriptionEnded", "detail": {}});
        assert_eq!(bus.target(&ended), Some(Target::Queue(Queue::SubscriptionEnd)));
        let bounced = json!({"source": "aws.ses", "detail-type": "Email Bounced"});
        assert_eq!(bus.target(&bounced), Some(Target::Function("mail-feedback")));
        for unknown in [json!({"detail-type": "SubscriptionStarte"}), json!({}), json!({"source": "billing.contoso"})] {
            assert_eq!(bus.target(&unknown), None, "{unknown}");
        }
    }

    /// Returns the rules that report a call, as `CloudTrail` describes it.
    fn reports(source: &str, event_name: &str, field: &str, value: &Value) -> Vec<String> {
        let template = Template::deployed().expect("the template");
        let event = json!({
            "source": source, "detail-type": "AWS API Call via CloudTrail",
            "detail": {"eventName": event_name, "requestParameters": {field: value}, "resources": [{"ARN": value}]},
        });
        let names = |name: &str| match name {
            "AWS::StackName" => Some("firstkey".to_owned()),
            _ => template.resource(name.split('.').next()?).ok().map(|_| format!("id:{name}")),
        };
        let reports = |rule: &Value| {
            let pattern = template.resolve(&rule["Properties"]["EventPattern"], &names).expect("no unknown name");
            Pattern::read(&pattern.to_string()).expect("a pattern").matches(&event)
        };
        let rules = template.resources_of("AWS::Events::Rule");
        let reporting = rules.filter(|(_, rule)| is_report(&template, rule) && reports(rule));
        reporting.map(|(id, _)| id.to_owned()).collect()
    }

    #[test]
    fn tampering_with_a_key_code_a_role_or_a_policy_is_reported() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:firstkey-portal";
        for (rule, source, call, field, value) in [
            ("KeyTampering", "aws.kms", "PutKeyPolicy", "keyId", "id:SealingKey.Arn"),
            ("KeyTampering", "aws.kms", "ScheduleKeyDeletion", "keyId", "id:TableKey.Arn"),
            ("CodeTampering", "aws.lambda", "UpdateFunctionCode20150331v2", "functionName", "firstkey-portal"),
            ("CodeTampering", "aws.lambda", "CreateFunction20150331", "functionName", "firstkey-send-mail"),
            ("CodeTampering", "aws.lambda", "UpdateFunctionConfiguration20150331v2", "functionName", arn),
            ("RoleTampering", "aws.iam", "PutRolePolicy", "roleName", "id:PortalRole"),
            ("PolicyTampering", "aws.dynamodb", "PutResourcePolicy", "resourceArn", "id:Table.Arn"),
            ("PolicyTampering", "aws.events", "RemovePermission", "eventBusName", "id:VendorBus"),
        ] {
            assert_eq!(reports(source, call, field, &json!(value)), [rule], "{call} of {value}");
            assert!(reports(source, call, field, &json!("another")).is_empty(), "{call} of another resource");
            assert!(reports(source, "Describe", field, &json!(value)).is_empty(), "{value}");
        }
    }
}
