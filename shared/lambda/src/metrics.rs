//! Metrics in `CloudWatch`'s embedded metric format: a log line says which of its fields are metrics, so no call is needed.
//!
//! A log event is counted if it has the field `metric`, with the name of the metric. A field `reason` beside it splits the count by reason.
//!
//! | metric | counts |
//! |---|---|
//! | `Issued` | issues of credentials: of new subscriptions, and next ones |
//! | `IssuedUnmailed` | issues whose mail is not sent, because its address is known to take none |
//! | `Mailed`, `MailRefused` | welcome mails that SES has accepted, and addresses that it refuses |
//! | `Resent` | welcome mails that a portal user has ordered again |
//! | `MailUndelivered`, `MailBounced`, `MailSuppressed`, `MailComplained` | reports of SES on welcome mails |
//! | `FeedbackIgnored` | reports of SES that lack one of our tags, or say nothing about the delivery |
//! | `MailNotNeeded` | welcome mails that were not sent, because the credentials had been used or had expired |
//! | `RemindersOrdered`, `RemindersFailed` | reminders that were ordered, and those that a run could not order |
//! | `ReminderMailed`, `ReminderMailRefused`, `ReminderMailNotNeeded` | the mails of reminders, counted as welcome mails are |
//! | `NoticeMailed`, `NoticeMailRefused`, `NoticeMailNotNeeded` | the mails of notices, counted as welcome mails are |
//! | `NoticeOrdered` | notices that were ordered |
//! | `Published`, `NotPublished` | events that EventBridge accepted, and events that it still refused after three tries |
//! | `RecordUnreadable` | records of the stream, and items read beside them, that could not be read and were passed over |
//! | `Retrieved` | retrievals that were counted and shown |
//! | `Blank` | answers without a password, by the first of their reasons |
//! | `SignedIn` | sign-ins to the Administration Center |
//! | `ProductEntered` | codes that the product redeemed: administrators who arrived there, signed in |
//! | `ProductCodeReused` | codes that came a second time, so that the token of the first time is void |
//! | `AttemptsExhausted` | attempts and requests that were refused because a budget was exhausted |
//! | `SignInMisconfigured` | sign-ins of customers that failed as the deployment or the provider is set up |
//! | `AccountClosed` | wrong passwords that closed an account to strangers, or found it closed |
//! | `Created` | administrators |
//! | `AdministratorReset`, `AdministratorRemoved` | administrators to whom another one gave a temporary password, and accounts that administrators closed |
//! | `Reissued` | issues that operators started, at once or with an approval |
//! | `ApprovalRequested`, `ApprovalDecided` | approvals that operators asked for, and those that were decided, by outcome |
//! | `PortalUserChanged`, `AccountUnlocked` | portal users that operators added or removed, and accounts that they unlocked |
//! | `OperatorLimited` | acts that were refused because an operator's budget was exhausted |
//! | `UserNameHeld` | events whose user name another subscription holds, so that the subscription starts under another one |
//! | `Ended` | subscriptions that have ended |
//! | `EndOvertaken` | ends that changed nothing, because a later start was handled before them and added to the life that they were to end |
//! | `Purged`, `PurgesFailed` | ended subscriptions whose items were deleted, and those that a run could not delete |
//! | `KeysRefreshed`, `KeysNotRefreshed` | identity providers whose keys were put into the table, failures to fetch or to put them, and runs that found newer ones |
//! | `CompanyNamedDifferently` | events that give a known company another name |
//! | `MessageRefused` | messages of a queue that can never be handled, by reason |
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use domain::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of all metrics. The dimension `function` tells deployments apart: its value is the function's whole name.
pub(crate) const NAMESPACE: &str = "Firstkey";

/// Turns a log line with the field `metric` into one that counts it; leaves every other line as it is.
pub(crate) fn embed(line: &mut Map<String, Value>, now: Timestamp) {
    let Some(Value::String(metric)) = line.remove("metric") else { return };
    let mut dimensions = vec![vec!["function"]];
    if line.contains_key("reason") {
        dimensions.push(vec!["function", "reason"]);
    }
    let counted = json!({
        "Timestamp": now.epoch_seconds() * 1000,
        "CloudWatchMetrics": [{
            "Namespace": NAMESPACE,
            "Dimensions": dimensions,
            "Metrics": [{ "Name": metric, "Unit": "Count" }],
        }],
    });
    line.insert("_aws".to_owned(), counted);
    line.insert(metric, 1.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded(line: Value) -> Value {
        let Value::Object(mut line) = line else { panic!("a line is an object") };
        embed(&mut line, Timestamp::from_epoch_seconds(1_794_301_200));
        Value::Object(line)
    }

    #[test]
    fn a_metric_is_counted_once_for_its_function() {
        let expected = json!({
            "function": "firstkey-sign-in",
            "SignedIn": 1,
            "_aws": {
                "Timestamp": 1_794_301_200_000_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "Firstkey",
                    "Dimensions": [["function"]],
                    "Metrics": [{ "Name": "SignedIn", "Unit": "Count" }],
                }],
            },
        });
        assert_eq!(embedded(json!({ "function": "firstkey-sign-in", "metric": "SignedIn" })), expected);
    }

    #[test]
    fn a_reason_divides_it() {
        let line = embedded(json!({ "function": "f", "metric": "Blank", "reason": "expired" }));
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["function"], ["function", "reason"]]));
        assert_eq!((&line["Blank"], &line["reason"]), (&json!(1), &json!("expired")));
    }

    #[test]
    fn a_line_that_counts_nothing_stays_as_it_is() {
        for line in [json!({ "function": "f", "reason": "expired" }), json!({ "message": "answered", "status": 200 })] {
            assert_eq!(embedded(line.clone()), line);
        }
    }
}
