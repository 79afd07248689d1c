//! Reports of SES on a mail, from the events that it publishes to `EventBridge`.
//!
//! <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html> describes the `detail` of these events.

use std::collections::HashMap;

use serde::Deserialize;

use crate::{Issue, MailDetail, MailKind, MailStatus, SubscriptionId, Timestamp};

/// One report of SES on one of our mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFeedback {
    /// The subscription that the mail is about.
    pub subscription: SubscriptionId,
    /// The issue that the mail is about.
    pub issue: Issue,
    /// The kind of the mail.
    pub mail: MailKind,
    /// How often the mail had been ordered again when this one was sent.
    pub round: u32,
    /// The status that the report gives the mail.
    pub status: MailStatus,
    /// Why the mail was delayed or not delivered.
    pub detail: Option<MailDetail>,
    /// The time at which it happened.
    pub at: Timestamp,
}

impl MailFeedback {
    /// Parses an `EventBridge` event of SES. `None` for an event that lacks one of our tags, or says nothing about the delivery.
    #[must_use]
    pub fn parse(event: &str) -> Option<Self> {
        let Event { detail: report } = serde_json::from_str(event).ok()?;
        let tag = |name: &str| match report.mail.tags.get(name).map(Vec::as_slice) {
            Some([value]) => Some(value.as_str()),
            Some(_) | None => None,
        };
        let (status, detail, at) = report.outcome()?;
        Some(Self {
            subscription: tag("subscription").and_then(SubscriptionId::parse)?,
            issue: Issue::new(tag("issue")?.parse().ok()?)?,
            mail: tag("mail").and_then(MailKind::parse_tag)?,
            round: tag("round")?.parse().ok()?,
            status,
            detail,
            at: Timestamp::parse_rfc3339(at)?,
        })
    }
}

#[derive(Deserialize)]
struct Event {
    detail: Report,
}

/// The detail of an event. It has a part named after its type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    event_type: String,
    mail: Mail,
    delivery: Option<Moment>,
    delivery_delay: Option<Delay>,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

#[derive(Deserialize)]
struct Mail {
    timestamp: String,
    #[serde(default)]
    tags: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Moment {
    timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delay {
    timestamp: String,
    delayed_recipients: Option<Vec<Recipient>>,
}

#[derive(Deserialize)]
struct Bounce {
    timestamp: String,
    #[serde(rename = "bounceType")]
    kind: String,
    #[serde(rename = "bounceSubType")]
    subtype: Option<String>,
    #[serde(rename = "bouncedRecipients")]
    recipients: Option<Vec<Recipient>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    timestamp: String,
    complaint_sub_type: Option<String>,
}

/// A recipient. Every mail has one.
#[derive(Deserialize)]
struct Recipient {
    /// The enhanced status code of RFC 3463, such as `5.1.1`.
    status: Option<String>,
}

type Outcome<'a> = (MailStatus, Option<MailDetail>, &'a str);

impl Report {
    /// Returns the status, its reason, and when it happened.
    fn outcome(&self) -> Option<Outcome<'_>> {
        match self.event_type.as_str() {
            "Send" => Some((MailStatus::Sent, None, &self.mail.timestamp)),
            "Reject" => Some((MailStatus::Bounced, Some(MailDetail::Blocked), &self.mail.timestamp)),
            "Delivery" => Some((MailStatus::Delivered, None, &self.delivery.as_ref()?.timestamp)),
            "DeliveryDelay" => {
                let delay = self.delivery_delay.as_ref()?;
                Some((MailStatus::Delayed, Some(reason(delay.delayed_recipients.as_deref())), &delay.timestamp))
            }
            "Bounce" => Some(self.bounce.as_ref()?.outcome()),
            "Complaint" => Some(self.complaint.as_ref()?.outcome()),
            _ => None,
        }
    }
}

/// Subtypes of a bounce or complaint about a mail that SES took and never sent.
const SUPPRESSED: [&str; 2] = ["Suppressed", "OnAccountSuppressionList"];

impl Bounce {
    fn outcome(&self) -> Outcome<'_> {
        let subtype = self.subtype.as_deref().unwrap_or_default();
        let reason = match subtype {
            "MailboxFull" => MailDetail::MailboxFull,
            "NoEmail" => MailDetail::NoSuchMailbox,
            "ContentRejected" | "AttachmentRejected" | "MessageTooLarge" => MailDetail::Blocked,
            _ => reason(self.recipients.as_deref()),
        };
        let (status, reason) = match (self.kind.as_str(), subtype) {
            ("Permanent", subtype) if SUPPRESSED.contains(&subtype) => (MailStatus::Suppressed, MailDetail::Suppressed),
            ("Permanent", _) => (MailStatus::Bounced, reason),
            ("Transient", "MailboxFull" | "MessageTooLarge" | "ContentRejected" | "AttachmentRejected") => {
                (MailStatus::Undelivered, reason)
            }
            // Automatic replies of a recipient come like this, after the delivery.
            _ => (MailStatus::Delayed, reason),
        };
        (status, Some(reason), &self.timestamp)
    }
}

impl Complaint {
    fn outcome(&self) -> Outcome<'_> {
        match self.complaint_sub_type.as_deref() {
            Some(subtype) if SUPPRESSED.contains(&subtype) => {
                (MailStatus::Suppressed, Some(MailDetail::Suppressed), &self.timestamp)
            }
            Some(_) | None => (MailStatus::Complained, None, &self.timestamp),
        }
    }
}

/// Returns the reason behind the status code of the recipient. The codes are those of
/// <https://www.iana.org/assignments/smtp-enhanced-status-codes>.
fn reason(recipients: Option<&[Recipient]>) -> MailDetail {
    let code = recipients
        .unwrap_or_default()
        .first()
        .and_then(|recipient| recipient.status.as_deref())
        .unwrap_or_default()
        .trim();
    match code.split_once('.').map_or("", |(_, rest)| rest) {
        "2.2" => MailDetail::MailboxFull,
        "1.1" | "1.6" | "2.0" | "2.1" => MailDetail::NoSuchMailbox,
        "1.2" | "1.10" | "4.4" | "4.6" => MailDetail::DomainUnknown,
        rest if rest.starts_with("7.") || rest.starts_with("6.") => MailDetail::Blocked,
        _ => MailDetail::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(event_type: &str, part: &str, more: &Value) -> Value {
        let tags = json!({
            "ses:configuration-set": ["firstkey"], "subscription": ["sub-1"], "issue": ["2"], "mail": ["welcome"],
            "round": ["1"],
        });
        let mail = json!({ "timestamp": "2026-11-10T09:00:00.000Z", "messageId": "m", "tags": tags });
        json!({
            "detail-type": "Email", "source": "aws.ses",
            "detail": { "eventType": event_type, "mail": mail, part: more },
        })
    }

    fn outcome(event: &Value) -> Option<(MailStatus, Option<MailDetail>)> {
        MailFeedback::parse(&event.to_string()).map(|feedback| (feedback.status, feedback.detail))
    }

    fn bounce(kind: &str, subtype: &str, status: &str) -> Value {
        let part = json!({
            "bounceType": kind, "bounceSubType": subtype, "timestamp": "2026-11-10T09:00:05.123Z",
            "bouncedRecipients": [{ "emailAddress": "a@b.example", "status": status, "diagnosticCode": "smtp; text" }],
        });
        event("Bounce", "bounce", &part)
    }

    #[test]
    fn a_report_names_its_mail_and_when_it_happened() {
        let report = event("Delivery", "delivery", &json!({ "timestamp": "2026-11-10T09:00:03.500Z" }));
        let feedback = MailFeedback::parse(&report.to_string()).unwrap();
        let expected = MailFeedback {
            subscription: SubscriptionId::parse("sub-1").unwrap(),
            issue: Issue::new(2).unwrap(),
            mail: MailKind::Welcome,
            round: 1,
            status: MailStatus::Delivered,
            detail: None,
            at: Timestamp::parse_rfc3339("2026-11-10T09:00:03Z").unwrap(),
        };
        assert_eq!(feedback, expected);
    }

    #[test]
    fn each_type_of_event_has_its_status() {
        let at = json!({ "timestamp": "2026-11-10T09:00:05Z" });
        let late = json!({ "timestamp": "2026-11-10T09:00:05Z", "delayedRecipients": [{ "status": "4.2.2" }] });
        let listed = json!({ "timestamp": "2026-11-10T09:00:05Z", "complaintSubType": "OnAccountSuppressionList" });
        let full = Some(MailDetail::MailboxFull);
        for (event_type, part, more, status, detail) in [
            ("Send", "send", &json!({}), MailStatus::Sent, None),
            ("Reject", "reject", &json!({ "reason": "Bad content" }), MailStatus::Bounced, Some(MailDetail::Blocked)),
            ("Delivery", "delivery", &at, MailStatus::Delivered, None),
            ("DeliveryDelay", "deliveryDelay", &late, MailStatus::Delayed, full),
            ("Complaint", "complaint", &at, MailStatus::Complained, None),
            ("Complaint", "complaint", &listed, MailStatus::Suppressed, Some(MailDetail::Suppressed)),
        ] {
            assert_eq!(outcome(&event(event_type, part, more)), Some((status, detail)), "{event_type}");
        }
    }

    #[test]
    fn a_bounce_is_final_delayed_or_suppressed_by_its_type() {
        use MailDetail::{Blocked, DomainUnknown, MailboxFull, NoSuchMailbox, Other, Suppressed};
        for (kind, subtype, code, status, detail) in [
            ("Permanent", "General", "5.1.1", MailStatus::Bounced, NoSuchMailbox),
            ("Permanent", "NoEmail", "", MailStatus::Bounced, NoSuchMailbox),
            ("Permanent", "General", "5.4.4", MailStatus::Bounced, DomainUnknown),
            ("Permanent", "General", "5.1.10", MailStatus::Bounced, DomainUnknown),
            ("Permanent", "General", "5.7.1", MailStatus::Bounced, Blocked),
            ("Permanent", "General", "5.9.9", MailStatus::Bounced, Other),
            ("Permanent", "Suppressed", "5.1.1", MailStatus::Suppressed, Suppressed),
            ("Permanent", "OnAccountSuppressionList", "5.1.1", MailStatus::Suppressed, Suppressed),
            ("Transient", "MailboxFull", "", MailStatus::Undelivered, MailboxFull),
            ("Transient", "MessageTooLarge", "", MailStatus::Undelivered, Blocked),
            ("Transient", "ContentRejected", "", MailStatus::Undelivered, Blocked),
            ("Transient", "AttachmentRejected", "", MailStatus::Undelivered, Blocked),
            ("Transient", "General", "4.4.7", MailStatus::Delayed, Other),
            ("Undetermined", "Undetermined", "", MailStatus::Delayed, Other),
        ] {
            assert_eq!(outcome(&bounce(kind, subtype, code)), Some((status, Some(detail))), "{kind} {subtype} {code}");
        }
    }

    #[test]
    fn an_event_may_leave_out_what_is_optional() {
        let null = json!({
            "bounceType": "Permanent", "bounceSubType": null, "timestamp": "2026-11-10T09:00:05Z", "bouncedRecipients": null,
        });
        assert_eq!(outcome(&event("Bounce", "bounce", &null)), Some((MailStatus::Bounced, Some(MailDetail::Other))));
        let unknown = json!({ "timestamp": "2026-11-10T09:00:05Z", "delayedRecipients": [{ "status": null }] });
        let delayed = outcome(&event("DeliveryDelay", "deliveryDelay", &unknown));
        assert_eq!(delayed, Some((MailStatus::Delayed, Some(MailDetail::Other))));
    }

    #[test]
    fn an_event_without_each_tag_or_about_something_else_is_no_report() {
        for tag in ["subscription", "issue", "mail", "round"] {
            for value in [None, Some(json!([])), Some(json!(["1", "2"])), Some(json!(["%"]))] {
                let mut event = bounce("Permanent", "General", "5.1.1");
                let tags = event["detail"]["mail"]["tags"].as_object_mut().unwrap();
                match value {
                    Some(value) => tags.insert(tag.to_owned(), value),
                    None => tags.remove(tag),
                };
                assert_eq!(outcome(&event), None, "{tag}");
            }
        }
        for event_type in ["Open", "Click", "Rendering Failure", "Subscription", ""] {
            assert_eq!(outcome(&event(event_type, "open", &json!({}))), None, "{event_type}");
        }
        assert_eq!(outcome(&event("Bounce", "delivery", &json!({}))), None, "the part of its type is missing");
        assert_eq!(MailFeedback::parse("no JSON"), None);
    }
}
