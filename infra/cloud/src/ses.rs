//! A fake of SES, with the one operation that the product uses: `SendEmail` of the query protocol, which adds the mail to
//! the inbox. The fake refuses every parameter that it does not store, and names it, so that nothing is lost silently. It refuses what
//! exceeds the account's limits, and drops it, as SES does. What becomes of a mail to the mailbox simulator it reports by itself.

use std::collections::{BTreeMap, VecDeque};
use std::iter;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::Instant;
use uuid::Uuid;

use super::bus::Bus;
use super::feedback::Feedback;
use super::inbox::{Inbox, Mail};
use super::queue::Queues;
use super::service::Service;
use super::wire::{Answer, SES_NAMESPACE};
use super::{Clock, lock};

/// The name of the template's configuration set. A mail has it only if its call names it.
pub const CONFIGURATION_SET: &str = "firstkey";

/// The limits of an account: <https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas.html>.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// The mails in any second.
    pub rate: Option<usize>,
    /// The mails in any 24 hours.
    pub quota: Option<usize>,
}

/// The fake, with the times of the mails that it has accepted in the last 24 hours.
pub(super) struct Ses {
    inbox: Arc<Inbox>,
    bus: Arc<Bus>,
    queues: Arc<Queues>,
    clock: Clock,
    limits: Mutex<Limits>,
    accepted: Mutex<VecDeque<Instant>>,
}

impl Ses {
    pub(super) fn new(inbox: Arc<Inbox>, bus: Arc<Bus>, queues: Arc<Queues>, clock: Clock) -> Self {
        Self { inbox, bus, queues, clock, limits: Mutex::default(), accepted: Mutex::default() }
    }

    /// Forgets the mails that are older than a day, because the clock has moved forward.
    pub(super) fn advance(&self, moved: Duration) {
        let mut accepted = lock(&self.accepted);
        *accepted = accepted.iter().filter_map(|at| at.checked_sub(moved)).collect();
    }

    pub(super) fn set_limits(&self, limits: Limits) {
        *lock(&self.limits) = limits;
    }

    /// Answers a call. A call that SES refuses counts towards no limit.
    pub(super) fn call(&self, form: &Bytes) -> Answer {
        let sent = match action(form).as_str() {
            "SendEmail" => read(form, &self.clock).and_then(|mail| self.admit(Instant::now()).map(|()| mail)),
            "" => Err(("MissingAction", "The request has no Action.".to_owned())),
            other => Err(("InvalidAction", format!("The local SES only supports SendEmail, not {other}."))),
        };
        let mail = match sent {
            Ok(mail) => mail,
            Err((code, message)) => return Answer::error(Service::Ses, StatusCode::BAD_REQUEST, code, &message),
        };
        match self.inbox.add(mail.clone()) {
            Ok(()) => {
                self.simulate(&mail);
                accepted(&mail.message_id)
            }
            Err(error) => {
                tracing::error!(%error, "cannot write the inbox");
                Answer::refused(Service::Ses)
            }
        }
    }

    /// Publishes what becomes of a mail to the mailbox simulator.
    fn simulate(&self, mail: &Mail) {
        let feedback = mail.recipients().map(Feedback::simulated).find(|simulated| !simulated.is_empty());
        for event in feedback.unwrap_or_default().iter().filter_map(|feedback| feedback.event(mail, &self.clock)) {
            if let Some(queue) = self.bus.queue(&event) {
                self.queues.send(queue, event.to_string());
            }
        }
    }

    /// Counts a mail, unless it exceeds a limit.
    fn admit(&self, now: Instant) -> Result<(), Refusal> {
        let (limits, mut accepted) = (*lock(&self.limits), lock(&self.accepted));
        while accepted.front().is_some_and(|at| now.duration_since(*at) >= DAY) {
            accepted.pop_front();
        }
        let in_last_second = accepted.iter().rev().take_while(|at| now.duration_since(**at) < SECOND).count();
        let refused = |message: &str| Err(("Throttling", message.to_owned()));
        if limits.quota.is_some_and(|quota| accepted.len() >= quota) {
            return refused("Daily message quota exceeded.");
        }
        if limits.rate.is_some_and(|rate| in_last_second >= rate) {
            return refused("Maximum sending rate exceeded.");
        }
        accepted.push_back(now);
        Ok(())
    }
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// Returns the form's `Action`, or an empty string if it is absent.
pub(super) fn action(form: &Bytes) -> String {
    field(form, "Action").unwrap_or_default()
}

/// Returns a field of the form.
pub(super) fn field(form: &Bytes, name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

fn accepted(message_id: &str) -> Answer {
    let request = Uuid::new_v4();
    Answer::xml(
        StatusCode::OK,
        format!(
            "<SendEmailResponse xmlns=\"{SES_NAMESPACE}\"><SendEmailResult><MessageId>{message_id}</MessageId>\
             </SendEmailResult><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></SendEmailResponse>"
        ),
    )
}

type Refusal = (&'static str, String);

/// Parses the form described in <https://docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html>.
fn read(form: &Bytes, clock: &Clock) -> Result<Mail, Refusal> {
    let mut fields: BTreeMap<String, String> = form_urlencoded::parse(form).into_owned().collect();
    for known in
        ["Action", "Version", "Message.Subject.Charset", "Message.Body.Text.Charset", "Message.Body.Html.Charset"]
    {
        fields.remove(known);
    }
    let mut field = |name: &str| fields.remove(name);
    let from = field("Source").filter(|from| !from.is_empty()).ok_or_else(|| missing("Source"))?;
    let subject = field("Message.Subject.Data").ok_or_else(|| missing("Message.Subject.Data"))?;
    let text = field("Message.Body.Text.Data");
    let html = field("Message.Body.Html.Data");
    if text.is_none() && html.is_none() {
        return Err(missing("Message.Body"));
    }
    let configuration_set = field("ConfigurationSetName");
    if let Some(unknown) = configuration_set.as_deref().filter(|set| *set != CONFIGURATION_SET) {
        return Err(("ConfigurationSetDoesNotExist", format!("Configuration set <{unknown}> does not exist.")));
    }
    let to = members(&mut fields, "Destination.ToAddresses");
    let reply_to = members(&mut fields, "ReplyToAddresses");
    let tags = tags(&mut fields)?;
    if let Some(unknown) = fields.keys().next() {
        return Err(("InvalidParameterValue", format!("The local SES does not support {unknown}.")));
    }
    if to.is_empty() {
        return Err(missing("Destination.ToAddresses"));
    }
    if let Some(reason) = iter::once(&from).chain(&to).chain(&reply_to).find_map(|address| refused_address(address)) {
        return Err(("InvalidParameterValue", reason.to_owned()));
    }
    Ok(Mail {
        message_id: Uuid::new_v4().to_string(),
        from,
        to: to.join(", "),
        subject,
        text: text.unwrap_or_default(),
        html: html.unwrap_or_default(),
        reply_to: (!reply_to.is_empty()).then(|| reply_to.join(", ")),
        sent_at: clock.rfc3339(),
        tags,
        configuration_set,
    })
}

/// Returns why SES refuses an address, which may have a name before it. SES has no SMTPUTF8: the local part and the name are ASCII, and the
/// domain is in A-labels. The reasons are the real ones.
///
/// <https://docs.aws.amazon.com/ses/latest/APIReference/API_Destination.html>
fn refused_address(address: &str) -> Option<&'static str> {
    let (name, address) = match address.strip_suffix('>').and_then(|address| address.rsplit_once('<')) {
        Some((name, address)) => (name, address),
        None => ("", address),
    };
    let Some((local, domain)) = address.rsplit_once('@').filter(|(_, domain)| !domain.is_empty()) else {
        return Some("Missing final '@domain'");
    };
    let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let is_label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    if !local.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("Local address contains control or whitespace")
    } else if !local.bytes().all(|byte| byte == b'.' || is_atom(byte)) {
        Some("Local address contains illegal characters")
    } else if local.split('.').any(str::is_empty) {
        Some("Local address contains dot-dot")
    } else if !domain.split('.').all(is_label) {
        Some("Domain contains illegal character")
    } else {
        refused_name(name.trim()).then_some("Illegal address")
    }
}

/// Returns whether a name before an address is neither atoms nor a quoted string.
fn refused_name(name: &str) -> bool {
    let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&byte);
    match name.strip_prefix('"').map(|name| name.strip_suffix('"').unwrap_or("\"")) {
        None => !name.bytes().all(is_atom),
        Some(quoted) => {
            let plain = quoted.replace("\\\\", "").replace("\\\"", "");
            plain.contains(['"', '\\']) || !plain.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        }
    }
}

/// Removes and returns the fields `<list>.member.1`, `<list>.member.2` and so on.
fn members(fields: &mut BTreeMap<String, String>, list: &str) -> Vec<String> {
    (1..).map_while(|index| fields.remove(&format!("{list}.member.{index}"))).collect()
}

/// Removes and returns the message tags. SES allows at most 256 characters: ASCII letters, digits, `_` and `-`.
fn tags(fields: &mut BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut tags = BTreeMap::new();
    for index in 1.. {
        let Some(name) = fields.remove(&format!("Tags.member.{index}.Name")) else { break };
        let value = fields.remove(&format!("Tags.member.{index}.Value")).unwrap_or_default();
        for part in [&name, &value] {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if part.is_empty() || part.len() > 256 || !part.bytes().all(allowed) {
                return Err(("InvalidParameterValue", format!("{part:?} is not a valid tag name or value.")));
            }
        }
        if tags.insert(name.clone(), value).is_some() {
            return Err(("InvalidParameterValue", format!("The tag {name} is given twice.")));
        }
    }
    Ok(tags)
}

fn missing(field: &str) -> Refusal {
    ("ValidationError", format!("{field} is missing."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORM: &str = "Action=SendEmail&Version=2010-12-01&Source=a%40firstkey.example&Message.Subject.Data=Hello+there\
        &Message.Body.Text.Data=%C3%BC+%26&Destination.ToAddresses.member.1=b%40x.example";

    fn read(form: &Bytes) -> Result<Mail, Refusal> {
        super::read(form, &Clock::system())
    }

    fn refusal(more: &str) -> String {
        read(&format!("{FORM}{more}").into()).expect_err("refused").1
    }

    #[test]
    fn a_form_becomes_a_mail() {
        let mail = read(&FORM.into()).expect("a mail");
        assert_eq!(
            (mail.to.as_str(), mail.subject.as_str(), mail.text.as_str()),
            ("b@x.example", "Hello there", "ü &")
        );
        assert_eq!(mail.reply_to, None);
    }

    #[test]
    fn an_unsupported_parameter_is_refused_by_name() {
        assert!(refusal("&Destination.CcAddresses.member.1=c%40x.example").contains("CcAddresses"));
        assert!(refusal("&Tags.member.1.Name=a%40b&Tags.member.1.Value=c").contains("a@b"));
        assert!(refusal("&Tags.member.1.Name=a&Tags.member.1.Value=").contains("tag"));
        assert!(refusal("&Destination.ToAddresses.member.2=nobody").contains("Missing final '@domain'"));
        assert!(read(&"Action=SendEmail&Source=a%40b".into()).expect_err("refused").1.contains("Subject"));
    }

    #[test]
    fn an_address_outside_ascii_is_refused_wherever_it_is() {
        let local = "Local address contains control or whitespace";
        for (address, reason) in [
            ("j%C3%BCrgen%40x.example", local),
            ("a+b%40x.example", local),
            ("a..b%40x.example", "Local address contains dot-dot"),
            ("a.%40x.example", "Local address contains dot-dot"),
            ("a%40b%C3%BCcher.example", "Domain contains illegal character"),
            ("a%40", "Missing final '@domain'"),
            ("M%C3%BCller+%3Ca%40x.example%3E", "Illegal address"),
            ("Con,+Inc.+%3Ca%40x.example%3E", "Illegal address"),
        ] {
            for field in ["Destination.ToAddresses.member.2", "ReplyToAddresses.member.1", "Source"] {
                let form = format!("{field}={address}&{FORM}");
                let form = if field == "Source" { form.replace("&Source=a%40firstkey.example", "") } else { form };
                assert_eq!(read(&form.into()).expect_err("refused").1, reason, "{field} {address}");
            }
        }
        for name in ["=?UTF-8?B?TcO8bGxlciBBRw==?=", "\"A, \\\"B\\\" <c@d>\"", "Contoso", ""] {
            assert_eq!(refused_address(&format!("{name} <a@xn--bcher-kva.example>")), None, "{name}");
        }
    }

    #[test]
    fn a_configuration_set_is_known_by_its_name_alone() {
        assert_eq!(read(&FORM.into()).expect("a mail").configuration_set, None);
        let named = read(&format!("{FORM}&ConfigurationSetName={CONFIGURATION_SET}").into()).expect("a mail");
        assert_eq!(named.configuration_set.as_deref(), Some(CONFIGURATION_SET));
        let unknown = read(&format!("{FORM}&ConfigurationSetName=another").into()).expect_err("refused");
        assert_eq!(unknown.0, "ConfigurationSetDoesNotExist");
    }

    #[test]
    fn a_mail_beyond_a_limit_is_dropped_and_counts_towards_none() {
        let ses = ses();
        ses.set_limits(Limits { rate: Some(2), quota: Some(5) });
        let began = Instant::now();
        let admitted = |milliseconds| ses.admit(began + Duration::from_millis(milliseconds)).map_err(|(_, why)| why);
        let at: Vec<_> = [0, 10, 20, 999, 1000, 1500, 2000, 3000, 4000].map(admitted).into();
        let (fast, full) =
            (Err("Maximum sending rate exceeded.".to_owned()), Err("Daily message quota exceeded.".to_owned()));
        assert_eq!(at, [Ok(()), Ok(()), fast.clone(), fast, Ok(()), Ok(()), Ok(()), full.clone(), full]);
        assert_eq!(admitted(24 * 3_600_000), Ok(()), "the first mail was a day ago");
    }

    fn ses() -> Ses {
        let queues = Queues::open(None, SECOND, Clock::system()).expect("queues in memory");
        let (inbox, bus) = (Inbox::open(None).expect("an inbox in memory"), Bus::deployed().expect("the bus"));
        Ses::new(Arc::new(inbox), Arc::new(bus), Arc::new(queues), Clock::system())
    }

    #[test]
    fn a_day_later_by_the_clock_the_quota_is_free() {
        let ses = ses();
        ses.set_limits(Limits { rate: None, quota: Some(1) });
        let admitted = || ses.admit(Instant::now()).is_ok();
        assert_eq!([admitted(), admitted()], [true, false]);
        ses.advance(Duration::from_hours(23));
        assert!(!admitted());
        ses.advance(Duration::from_hours(1));
        assert!(admitted());
    }

    proptest! {
        #[test]
        fn whatever_the_product_would_mail_is_an_address_to_ses(
            text in prop_oneof![any::<String>(), "[a-zäß.+'=,]{1,8}@[a-zäß.-]{1,8}[.][a-z]{2,3}"],
            name in "\\PC{0,80}",
        ) {
            if let Some(address) = domain::EmailAddress::parse_leniently(&text).filter(domain::EmailAddress::can_be_mailed) {
                prop_assert_eq!(refused_address(&address.to_string()), None, "{}", address);
                let name = name.replace(['"', '\\'], "'");
                if let Some(sender) = domain::Sender::parse(&format!("\"{name}\" <{address}>")) {
                    prop_assert_eq!(refused_address(&sender.to_header()), None, "{}", sender.to_header());
                }
            }
        }
    }
}
