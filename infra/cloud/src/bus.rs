//! The event bus: the target of an event, by the rules of the template.

use serde_json::Value;

use super::Error;
use super::pattern::Pattern;
use super::queue::Queue;
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
        for (id, rule) in template.resources_of("AWS::Events::Rule") {
            let pattern = Pattern::read(&rule["Properties"]["EventPattern"].to_string()).map_err(wrong)?;
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

    /// Returns the target of the first rule that matches the event.
    pub(super) fn target(&self, event: &Value) -> Option<Target> {
        self.0.iter().find(|(pattern, _)| pattern.matches(event)).map(|(_, target)| *target)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rules_of_the_template_choose_the_target() {
        let template = Template::deployed().expect("the template");
        let deployed = template.resources_of("AWS::Events::Rule").count();
        let bus = Bus::deployed().expect("the bus");
        assert!(deployed > 0 && bus.0.len() >= deployed);
        let started = json!({"source": "billing.contoso", "detail-type": "SubscriptionStarted", "detail": {}});
        assert_eq!(bus.target(&started), Some(Target::Queue(Queue::SubscriptionStart)));
        let ended = json!({"source": "billing.contoso", "detail-type": "SubscriptionEnded", "detail": {}});
        assert_eq!(bus.target(&ended), Some(Target::Queue(Queue::SubscriptionEnd)));
        let bounced = json!({"source": "aws.ses", "detail-type": "Email Bounced"});
        assert_eq!(bus.target(&bounced), Some(Target::Function("mail-feedback")));
        for unknown in [json!({"detail-type": "SubscriptionStarte"}), json!({}), json!({"source": "billing.contoso"})] {
            assert_eq!(bus.target(&unknown), None, "{unknown}");
        }
    }
}
