//! The event buses: the queue of an event, by the rules of the template.

use serde_json::Value;

use super::Error;
use super::pattern::Pattern;
use super::queue::Queue;
use super::roles::ACCOUNT;
use template::Template;

/// A rule of a bus: which events it sends to which queue.
struct Rule {
    /// The logical id of the bus, or nothing for the default bus of the account.
    bus: Option<String>,
    pattern: Pattern,
    queue: Queue,
}

/// The buses of the account.
pub(super) struct Bus(Vec<Rule>);

/// The logical id of the bus on which the vendor puts events.
const VENDOR: &str = "VendorBus";

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
            let queue = match targets {
                Some([target]) => target["Arn"]["Fn::GetAtt"][0].as_str().and_then(Queue::from_logical_id),
                _ => None,
            };
            let queue = queue.ok_or_else(|| wrong(format!("{id} needs one target that is a known queue")))?;
            rules.push(Rule { bus: bus_of(rule), pattern, queue });
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
        if event["source"] == "aws.ses"
            && let Some(tags) = event.pointer_mut("/detail/mail/tags").and_then(Value::as_object_mut)
        {
            // SES adds the tag to every mail that names a configuration set, and ours all do.
            tags.entry("ses:configuration-set").or_insert_with(|| serde_json::json!([crate::CONFIGURATION_SET]));
        }
        event
    }

    /// Returns whether AWS itself publishes the event.
    pub(super) fn is_from_aws(event: &Value) -> bool {
        event["source"].as_str().is_some_and(|source| source.starts_with("aws."))
    }

    /// Returns the queue of the first rule that matches the event. AWS puts its own events on the default bus; all others are on the
    /// vendor's.
    pub(super) fn queue(&self, event: &Value) -> Option<Queue> {
        let bus = (!Self::is_from_aws(event)).then_some(VENDOR);
        let mut rules = self.0.iter().filter(|rule| rule.bus.as_deref() == bus);
        rules.find(|rule| rule.pattern.matches(event)).map(|rule| rule.queue)
    }
}

/// Returns the logical id of the bus of a rule, or nothing for the default bus.
fn bus_of(rule: &Value) -> Option<String> {
    let bus = &rule["Properties"]["EventBusName"];
    let id = bus["Ref"].as_str().or_else(|| bus["Fn::GetAtt"][0].as_str()).or_else(|| bus.as_str());
    id.filter(|id| *id != "default").map(str::to_owned)
}

/// Returns the value of a name in the pattern of a rule.
fn name(name: &str) -> Option<String> {
    let value = match name {
        "AWS::AccountId" => ACCOUNT,
        "AWS::Region" => crate::REGION,
        "AWS::StackName" => "firstkey",
        "MailConfiguration" => crate::CONFIGURATION_SET,
        _ => return None,
    };
    Some(value.to_owned())
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
        assert!(deployed > 0 && bus.0.len() == deployed);
        let started = json!({"detail-type": "SubscriptionStarted", "detail": {}, "account": "111122223333"});
        let mut started = Bus::receive(started);
        assert_eq!(bus.queue(&started), Some(Queue::SubscriptionStart));
        started["source"] = "firstkey".into();
        assert_eq!(bus.queue(&started), None, "an event of our own");
        (started["source"], started["account"]) = ("billing.contoso".into(), "111122223333".into());
        assert_eq!(bus.queue(&started), None, "another account");
        let mut ended = Bus::receive(json!({"detail-type": "SubscriptionEnded", "detail": {}}));
        assert_eq!(bus.queue(&ended), Some(Queue::SubscriptionEnd));
        ended["source"] = "firstkey".into();
        assert_eq!(bus.queue(&ended), None, "an event of our own");
        let bounced = |tags: Value| {
            let detail = json!({"mail": {"tags": tags}});
            Bus::receive(json!({"source": "aws.ses", "detail-type": "Email Bounced", "detail": detail}))
        };
        assert_eq!(bus.queue(&bounced(json!({}))), Some(Queue::MailFeedback), "SES adds our set");
        let another = bounced(json!({"ses:configuration-set": ["another"]}));
        assert_eq!(bus.queue(&another), None, "a mail of another system");
        assert!(Bus::is_from_aws(&another));
        for unknown in [json!({"detail-type": "SubscriptionStarte"}), json!({}), json!({"source": "billing.contoso"})] {
            assert_eq!(bus.queue(&unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_buses_are_apart() {
        let any = || Pattern::read(r#"{"detail-type": ["Email Sent"]}"#).expect("a pattern");
        let default = Rule { bus: None, pattern: any(), queue: Queue::MailFeedback };
        let vendor = Rule { bus: Some(VENDOR.to_owned()), pattern: any(), queue: Queue::SubscriptionStart };
        let bus = Bus(vec![default, vendor]);
        let event = |source: &str| json!({"source": source, "detail-type": "Email Sent"});
        assert_eq!(bus.queue(&event("aws.ses")), Some(Queue::MailFeedback));
        assert_eq!(bus.queue(&event("billing.contoso")), Some(Queue::SubscriptionStart));
        let on = |name: Value| bus_of(&json!({"Properties": {"EventBusName": name}}));
        assert_eq!((on(json!({"Ref": VENDOR})), on(Value::Null)), (Some(VENDOR.to_owned()), None));
        assert_eq!(on(json!("default")), None);
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
