//! The events about mails that SES publishes to `EventBridge`.
//!
//! The forms are those of
//! <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>, with the detail types of
//! <https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html>. The addresses of the mailbox simulator are reported without a
//! request: <https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html>.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::inbox::Mail;
use super::roles::ACCOUNT;
use super::{Clock, REGION, clock};

macro_rules! feedback {
    ($($(#[$doc:meta])* $name:literal $variant:ident;)*) => {
        /// The outcome of a mail that SES reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Feedback {
            $($(#[$doc])* $variant,)*
        }

        impl Feedback {
            /// Every kind of feedback.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// Returns the name, which `POST /feedback` takes.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

feedback! {
    /// SES has taken the mail and will try to deliver it.
    "sent" Sent;
    /// The recipient's mail server has accepted the mail.
    "delivered" Delivered;
    /// The recipient's mail server does not accept the mail yet, and SES tries again.
    "delayed" Delayed;
    /// The mailbox is full, and SES has given up.
    "undelivered" Undelivered;
    /// The mailbox does not exist.
    "bounced" Bounced;
    /// The address is on the suppression list, so that SES did not send the mail.
    "suppressed" Suppressed;
    /// The mailbox answered automatically, which SES reports as a transient bounce.
    "auto-replied" AutoReplied;
    /// The recipient has marked the mail as spam.
    "complained" Complained;
    /// SES found a virus in the mail and did not send it.
    "rejected" Rejected;
}

/// The host of the addresses of the mailbox simulator.
const SIMULATOR: &str = "simulator.amazonses.com";

impl Feedback {
    /// Returns the feedback of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feedback| feedback.name() == name)
    }

    /// Returns what SES reports about a mail to an address of the mailbox simulator, which may have a label as in `bounce+label@`. About
    /// another address it reports nothing by itself.
    pub(super) fn simulated(address: &str) -> &'static [Self] {
        let Some((local, host)) = address.rsplit_once('@') else { return &[] };
        let mailbox = local.split('+').next().unwrap_or_default();
        if !host.eq_ignore_ascii_case(SIMULATOR) {
            return &[];
        }
        match mailbox.to_ascii_lowercase().as_str() {
            "success" => &[Self::Sent, Self::Delivered],
            "bounce" => &[Self::Sent, Self::Bounced],
            "ooto" => &[Self::Sent, Self::Delivered, Self::AutoReplied],
            "complaint" => &[Self::Sent, Self::Delivered, Self::Complained],
            "suppressionlist" => &[Self::Sent, Self::Suppressed],
            _ => &[],
        }
    }

    /// Returns the detail type of the event, its `eventType`, and the name of the object that describes it.
    const fn event_type(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Sent => ("Email Sent", "Send", "send"),
            Self::Delivered => ("Email Delivered", "Delivery", "delivery"),
            Self::Delayed => ("Email Delivery Delayed", "DeliveryDelay", "deliveryDelay"),
            Self::Undelivered | Self::Bounced | Self::Suppressed | Self::AutoReplied => {
                ("Email Bounced", "Bounce", "bounce")
            }
            Self::Complained => ("Email Complaint Received", "Complaint", "complaint"),
            Self::Rejected => ("Email Rejected", "Reject", "reject"),
        }
    }

    /// Returns the object that describes the feedback.
    fn description(self, recipients: &[&str], at: &str) -> Value {
        match self {
            Self::Sent => json!({}),
            Self::Delivered => json!({
                "timestamp": at,
                "processingTimeMillis": 546,
                "recipients": recipients,
                "smtpResponse": "250 2.6.0 Message received",
                "reportingMTA": "a8-70.smtp-out.amazonses.com",
            }),
            Self::Delayed => json!({
                "timestamp": at,
                "delayType": "TransientCommunicationFailure",
                "expirationTime": at,
                "delayedRecipients": each(recipients, &json!({
                    "status": "4.4.1",
                    "diagnosticCode": "smtp; 421 4.4.1 Unable to connect to remote host",
                })),
            }),
            Self::Undelivered => {
                bounce("Transient", "MailboxFull", recipients, at, ("4.2.2", "smtp; 452 4.2.2 Mailbox full"))
            }
            Self::Bounced => bounce("Permanent", "General", recipients, at, ("5.1.1", "smtp; 550 5.1.1 user unknown")),
            Self::Suppressed => bounce("Permanent", "Suppressed", recipients, at, ("5.1.1", SUPPRESSED)),
            // There is no delivery status notification, so the recipients have nothing but their addresses.
            Self::AutoReplied => json!({
                "bounceType": "Transient",
                "bounceSubType": "General",
                "bouncedRecipients": each(recipients, &json!({})),
                "timestamp": at,
                "feedbackId": feedback_id(),
            }),
            Self::Complained => json!({
                "complainedRecipients": each(recipients, &json!({})),
                "timestamp": at,
                "feedbackId": feedback_id(),
                "complaintSubType": null,
                "complaintFeedbackType": "abuse",
                "userAgent": "Amazon SES Mailbox Simulator",
                "arrivalDate": at,
            }),
            Self::Rejected => json!({ "reason": "Bad content" }),
        }
    }

    /// Returns the event that SES publishes about a mail. About a mail without a configuration set it publishes none.
    pub(super) fn event(self, mail: &Mail, clock: &Clock) -> Option<Value> {
        let configuration_set = mail.configuration_set.as_deref()?;
        let recipients: Vec<_> = mail.recipients().collect();
        let (detail_type, event_type, name) = self.event_type();
        let mut detail = json!({ "eventType": event_type, "mail": described(mail, &recipients, configuration_set) });
        detail[name] = self.description(&recipients, &clock.rfc3339());
        Some(json!({
            "version": "0",
            "id": Uuid::new_v4().to_string(),
            "detail-type": detail_type,
            "source": "aws.ses",
            "account": ACCOUNT,
            "time": clock::whole_seconds(clock.epoch_seconds()),
            "region": REGION,
            "resources": [format!("arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{configuration_set}")],
            "detail": detail,
        }))
    }
}

/// The diagnosis of a bounce by the suppression list.
const SUPPRESSED: &str = "Amazon SES has suppressed sending to this address because it has a recent history of bouncing as \
                          an invalid address.";

fn bounce(bounce_type: &str, subtype: &str, recipients: &[&str], at: &str, (status, diagnosis): (&str, &str)) -> Value {
    let each = each(recipients, &json!({ "action": "failed", "status": status, "diagnosticCode": diagnosis }));
    json!({
        "bounceType": bounce_type,
        "bounceSubType": subtype,
        "bouncedRecipients": each,
        "timestamp": at,
        "feedbackId": feedback_id(),
        "reportingMTA": "dsn; a8-70.smtp-out.amazonses.com",
    })
}

/// Returns an object for each recipient: the address, and the fields of `more`.
fn each(recipients: &[&str], more: &Value) -> Vec<Value> {
    let one = |address: &&str| {
        let mut one = more.clone();
        one["emailAddress"] = (*address).into();
        one
    };
    recipients.iter().map(one).collect()
}

fn feedback_id() -> String {
    format!("{}-000000", Uuid::new_v4())
}

/// Returns the part of an event that describes the mail.
fn described(mail: &Mail, recipients: &[&str], configuration_set: &str) -> Value {
    let header = |name: &str, value: &str| json!({ "name": name, "value": value });
    let mut headers = vec![header("From", &mail.from), header("To", &mail.to), header("Subject", &mail.subject)];
    headers.extend(mail.reply_to.as_deref().map(|reply_to| header("Reply-To", reply_to)));
    let host = mail.from.rsplit('@').next().unwrap_or_default().trim_end_matches('>');
    let own = [
        ("ses:operation", "SendEmail"),
        ("ses:configuration-set", configuration_set),
        ("ses:source-ip", "127.0.0.1"),
        ("ses:from-domain", host),
        ("ses:caller-identity", "send-mail"),
    ];
    let tags = mail.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(own);
    let tags: Map<_, _> = tags.map(|(name, value)| (name.to_owned(), json!([value]))).collect();
    json!({
        "timestamp": mail.sent_at,
        "source": mail.from,
        "sourceArn": format!("arn:aws:ses:{REGION}:{ACCOUNT}:identity/{host}"),
        "sendingAccountId": ACCOUNT,
        "messageId": mail.message_id,
        "destination": recipients,
        "headersTruncated": false,
        "headers": headers,
        "commonHeaders": {
            "from": [mail.from], "to": recipients, "messageId": mail.message_id, "subject": mail.subject,
        },
        "tags": tags,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicI64;

    use super::*;

    fn mail() -> Mail {
        Mail {
            message_id: "m-1".to_owned(),
            from: "Contoso <welcome@contoso.example>".to_owned(),
            to: "it@fabrikam.example".to_owned(),
            subject: "Your credentials".to_owned(),
            text: "k7wmp-k7wmp".to_owned(),
            html: String::new(),
            reply_to: None,
            sent_at: "2026-11-10T08:59:58.5Z".to_owned(),
            tags: [("subscription".to_owned(), "sub-1".to_owned())].into(),
            configuration_set: Some("firstkey".to_owned()),
        }
    }

    fn event(feedback: Feedback) -> Value {
        let clock = Clock::manual(Arc::new(AtomicI64::new(1_794_301_200)));
        feedback.event(&mail(), &clock).expect("an event")
    }

    #[test]
    fn every_event_names_the_mail_and_has_its_tags_as_lists() {
        for feedback in Feedback::ALL {
            let event = event(feedback);
            assert_eq!((&event["source"], &event["time"]), (&json!("aws.ses"), &json!("2026-11-10T09:00:00Z")));
            let mail = &event["detail"]["mail"];
            assert_eq!((&mail["messageId"], &mail["timestamp"]), (&json!("m-1"), &json!("2026-11-10T08:59:58.5Z")));
            assert_eq!(mail["destination"], json!(["it@fabrikam.example"]));
            assert_eq!(mail["tags"]["subscription"], json!(["sub-1"]));
            assert_eq!(mail["tags"]["ses:configuration-set"], json!(["firstkey"]));
            assert_eq!(mail["tags"]["ses:from-domain"], json!(["contoso.example"]));
            assert!(!event.to_string().contains("k7wmp"), "{feedback:?}: the text of a mail is not in its events");
            assert_eq!(Feedback::from_name(feedback.name()), Some(feedback));
        }
    }

    #[test]
    fn an_event_has_the_types_and_the_object_of_its_kind() {
        for (feedback, detail_type, event_type, object) in [
            (Feedback::Sent, "Email Sent", "Send", "send"),
            (Feedback::Delivered, "Email Delivered", "Delivery", "delivery"),
            (Feedback::Delayed, "Email Delivery Delayed", "DeliveryDelay", "deliveryDelay"),
            (Feedback::Undelivered, "Email Bounced", "Bounce", "bounce"),
            (Feedback::Bounced, "Email Bounced", "Bounce", "bounce"),
            (Feedback::Suppressed, "Email Bounced", "Bounce", "bounce"),
            (Feedback::AutoReplied, "Email Bounced", "Bounce", "bounce"),
            (Feedback::Complained, "Email Complaint Received", "Complaint", "complaint"),
            (Feedback::Rejected, "Email Rejected", "Reject", "reject"),
        ] {
            let event = event(feedback);
            assert_eq!(
                (&event["detail-type"], &event["detail"]["eventType"]),
                (&json!(detail_type), &json!(event_type))
            );
            assert!(event["detail"][object].is_object(), "{event}");
            let timed = !matches!(feedback, Feedback::Sent | Feedback::Rejected);
            assert_eq!(event["detail"][object]["timestamp"] == json!("2026-11-10T09:00:00Z"), timed, "{event}");
        }
    }

    #[test]
    fn a_bounce_has_its_type_and_the_recipient_with_the_status() {
        for (feedback, bounce_type, subtype, status) in [
            (Feedback::Undelivered, "Transient", "MailboxFull", json!("4.2.2")),
            (Feedback::Bounced, "Permanent", "General", json!("5.1.1")),
            (Feedback::Suppressed, "Permanent", "Suppressed", json!("5.1.1")),
            (Feedback::AutoReplied, "Transient", "General", Value::Null),
        ] {
            let bounce = event(feedback)["detail"]["bounce"].take();
            assert_eq!((&bounce["bounceType"], &bounce["bounceSubType"]), (&json!(bounce_type), &json!(subtype)));
            let recipient = &bounce["bouncedRecipients"][0];
            assert_eq!((&recipient["emailAddress"], &recipient["status"]), (&json!("it@fabrikam.example"), &status));
        }
    }

    #[test]
    fn a_mail_without_a_configuration_set_has_no_events() {
        let mail = Mail { configuration_set: None, ..mail() };
        assert_eq!(Feedback::Delivered.event(&mail, &Clock::system()), None);
    }

    #[test]
    fn the_mailbox_simulator_reports_by_itself_with_and_without_a_label() {
        use Feedback::{AutoReplied, Bounced, Complained, Delivered, Sent, Suppressed};
        for (mailbox, reported) in [
            ("success", &[Sent, Delivered][..]),
            ("bounce", &[Sent, Bounced]),
            ("ooto", &[Sent, Delivered, AutoReplied]),
            ("complaint", &[Sent, Delivered, Complained]),
            ("suppressionlist", &[Sent, Suppressed]),
            ("other", &[]),
        ] {
            assert_eq!(Feedback::simulated(&format!("{mailbox}@simulator.amazonses.com")), reported);
            assert_eq!(Feedback::simulated(&format!("{mailbox}+a+b@Simulator.amazonses.com")), reported);
            assert_eq!(Feedback::simulated(&format!("{mailbox}@fabrikam.example")), [], "another host");
        }
        assert_eq!(Feedback::simulated("bounce"), []);
    }
}
