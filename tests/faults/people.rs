//! The people of one company, the secrets that they know, and the requests for each operation.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};
use support::{
    Answer, Call, event,
    specification::{ADMINISTRATOR_PASSWORD, Label, Op, Password, Person, Reply, Report, UserName, reply},
};

use crate::scenarios::Reading;

/// One subscription and its people.
pub(crate) struct World {
    number: usize,
    tokens: BTreeMap<Person, String>,
    sessions: Mutex<BTreeMap<Label, String>>,
}

const CHOICES: [&str; 4] = [
    "seven green boats at noon",
    "nine slow trains to the coast",
    "an old clock behind the stairs",
    "a quiet lamp over the harbour",
];

const PEOPLE: [Person; 3] = [Person::Dana, Person::Kim, Person::Stranger];

/// Returns an address that no other request has, so that no result depends on the number of attempts from a network.
fn unused_address() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0x0a00_0000);
    Ipv4Addr::from(LAST.fetch_add(1, Ordering::Relaxed)).to_string()
}

impl World {
    /// Creates a subscription's people; `token` signs a person in to the portal by their address.
    pub(crate) async fn new<F: Future<Output = String>>(number: usize, token: impl Fn(String) -> F) -> Self {
        let mut world = Self { number, tokens: BTreeMap::new(), sessions: Mutex::default() };
        world.sign_in_to_the_portal(token).await;
        world
    }

    /// Signs the people in to the portal, again after their sessions have ended.
    pub(crate) async fn sign_in_to_the_portal<F: Future<Output = String>>(&mut self, token: impl Fn(String) -> F) {
        for person in PEOPLE {
            self.tokens.insert(person, token(self.address(person)).await);
        }
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn subscription(&self) -> String {
        format!("subscription-{}", self.number)
    }

    pub(crate) fn company(&self) -> String {
        format!("company-{}", self.number)
    }

    fn address(&self, person: Person) -> String {
        format!("{person}@{}.example", self.company())
    }

    pub(crate) fn token(&self, person: Person) -> &str {
        &self.tokens[&person]
    }

    /// Returns whether the session of `label` is known. A person who got no answer does not know a session that may have begun.
    pub(crate) fn knows(&self, label: Label) -> bool {
        self.sessions.lock().unwrap().contains_key(label)
    }

    fn session(&self, label: Label) -> String {
        self.sessions.lock().unwrap()[label].clone()
    }

    /// Stores the session that an answer brings.
    pub(crate) fn learn(&self, op: Op, answer: &Answer) {
        if let (Op::SignIn { begins, .. } | Op::Reset { begins, .. }, Some(session)) = (op, answer.session()) {
            self.sessions.lock().unwrap().insert(begins, session);
        }
    }

    /// Returns the event that starts the subscription, or makes it paid.
    pub(crate) fn event(&self, id: Label, paid: bool) -> Value {
        let mut event = event(&self.subscription(), if paid { "paid" } else { "trial" });
        event["id"] = format!("{}-{id}", self.subscription()).into();
        event["detail"]["company"]["id"] = self.company().into();
        let users = [Person::Dana, Person::Kim].map(|person| json!({ "email": self.address(person) }));
        event["detail"]["portal_users"] = json!(users);
        event
    }

    /// Returns a report of SES on the welcome mail, as the message of a queue.
    pub(crate) fn report(&self, (issue, round): (u64, u64), what: Report, at: u64) -> Value {
        let bounce = |kind: &str, subtype: &str, status: &str| {
            let recipients = json!([{ "emailAddress": self.address(Person::Dana), "status": status }]);
            json!({ "bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": recipients })
        };
        let (kind, part, mut more) = match what {
            Report::Delayed => ("DeliveryDelay", "deliveryDelay", json!({ "delayType": "General" })),
            Report::MailboxFull => ("Bounce", "bounce", bounce("Transient", "MailboxFull", "4.2.2")),
            Report::Delivered => ("Delivery", "delivery", json!({})),
            Report::NoSuchMailbox => ("Bounce", "bounce", bounce("Permanent", "General", "5.1.1")),
            Report::Blocked => ("Bounce", "bounce", bounce("Permanent", "General", "5.7.1")),
            Report::Complaint => ("Complaint", "complaint", json!({})),
        };
        let at = format!("2026-11-10T09:00:{at:02}Z");
        more["timestamp"] = json!(at);
        let tags = json!({
            "subscription": [self.subscription()], "issue": [issue.to_string()], "mail": ["welcome"],
            "round": [round.to_string()],
        });
        let detail = json!({ "eventType": kind, "mail": { "timestamp": at, "tags": tags }, part: more });
        json!({ "messageId": "report", "body": json!({ "source": "aws.ses", "detail": detail }).to_string() })
    }

    /// Returns the function that carries out an operation, and the request.
    pub(crate) fn request(&self, op: Op, mails: &Mails) -> (&'static str, Call) {
        let text = |password| match password {
            Password::Temporary(issue) => mails.password(issue),
            Password::Chosen(choice) => CHOICES[choice].to_owned(),
        };
        let user_name = |who: UserName| format!("{who}@{}", self.company());
        let (function, call) = match op {
            Op::Retrieve { person, key } => {
                ("get-credentials", Call::get_credentials(&self.subscription()).bearer(self.token(person)).key(key))
            }
            Op::ContactSupport { person, key } => {
                let call = Call::contact_support(&self.subscription(), "Please call.");
                ("contact-support", call.bearer(self.token(person)).key(key))
            }
            Op::Resend { person } => {
                ("resend-mail", Call::resend_mail(&self.subscription()).bearer(self.token(person)))
            }
            Op::Renew { person } => {
                ("renew-credentials", Call::renew_credentials(&self.subscription()).bearer(self.token(person)))
            }
            Op::SignIn { who, password, .. } => ("sign-in", Call::sign_in(&user_name(who), &text(password))),
            Op::SignOut { session } => ("sign-in", Call::post("/sign-out").session(&self.session(session))),
            Op::Reset { session, current, to, .. } => {
                let body = match current {
                    Some(current) => json!({ "new_password": text(to), "current_password": text(current) }),
                    None => json!({ "new_password": text(to) }),
                };
                ("reset-password", Call::reset_password(&self.session(session), "").json(&body))
            }
            Op::Create { session, who, key } => {
                let call = Call::create_admin(&self.session(session), &user_name(who), &text(ADMINISTRATOR_PASSWORD));
                ("create-admin", call.key(key))
            }
            Op::CheckSession { session } => ("reset-password", Call::reset_password(&self.session(session), "short")),
            Op::Start { .. } | Op::Report { .. } | Op::Reissue { .. } | Op::Wait { .. } => {
                panic!("{op} is not a request")
            }
        };
        (function, call.from(&unused_address()))
    }

    /// Returns the function that serves a reading, and the request.
    pub(crate) fn reading_request(&self, what: Reading) -> (&'static str, Call) {
        let kim = || self.token(Person::Kim);
        let (function, call) = match what {
            Reading::List => ("list-subscriptions", Call::get("/subscriptions").bearer(kim())),
            Reading::History => ("show-history", Call::show_history(&self.subscription()).bearer(kim())),
            Reading::Subscriptions => ("portal", Call::get("/").cookie("__Host-customer", kim())),
            Reading::Administration { session } => {
                ("portal", Call::get("/administration").session(&self.session(session)))
            }
        };
        (function, call.from(&unused_address()))
    }

    /// Returns whether a body shows the state that exists.
    pub(crate) fn shows(&self, what: Reading, body: &Value) -> bool {
        let names =
            |who: UserName| body.as_str().is_some_and(|page| page.contains(&format!("{who}@{}", self.company())));
        match what {
            Reading::List => {
                let listed = &body["subscriptions"];
                listed[0]["subscription_id"] == self.subscription() && listed[1].is_null()
            }
            Reading::History => {
                let shown = body["entries"].as_array().into_iter().flatten().map(|entry| &entry["what"]);
                shown.eq(["retrieved", "issued"])
            }
            Reading::Subscriptions => names(UserName::Admin),
            Reading::Administration { .. } => names(UserName::Lee),
        }
    }
}

/// Translates an answer into the specification's terms.
pub(crate) fn describe(op: Op, answer: &Answer, mails: &Mails) -> Reply {
    let used = &answer.body["retrievals"]["used"];
    match (op, answer.status) {
        (Op::Retrieve { .. }, 200) => match answer.password() {
            Some(password) => match mails.issue(password) {
                Some(issue) => (200, format!("the password of issue {issue}, {used} used")),
                None => reply(200, "a password that was never mailed"),
            },
            None => (200, format!("blank: {}; {used} used", answer.reasons().join(", "))),
        },
        (Op::Renew { .. }, 202) => (202, format!("issue {}", answer.body["issue"])),
        _ => reply(answer.status, answer.problem().or_else(|| answer.next()).unwrap_or_default()),
    }
}

/// The passwords that were mailed for one subscription.
#[derive(Default)]
pub(crate) struct Mails(pub(crate) Vec<(u64, String)>);

impl Mails {
    /// Picks the welcome mails of one subscription out of all mails, each with its tags and text.
    pub(crate) fn for_subscription(
        world: &World,
        all: impl Iterator<Item = (BTreeMap<String, String>, String)>,
    ) -> Self {
        let subscription = world.subscription();
        let own = all.filter(|(tags, _)| tags["subscription"] == subscription && tags["mail"] == "welcome");
        Self(own.map(|(tags, text)| (tags["issue"].parse().unwrap(), password_in(&text))).collect())
    }

    /// Returns the passwords that were mailed for an issue.
    pub(crate) fn passwords(&self, issue: u64) -> Vec<&str> {
        self.0.iter().filter(|(mailed, _)| *mailed == issue).map(|(_, password)| password.as_str()).collect()
    }

    fn password(&self, issue: u64) -> String {
        self.passwords(issue).pop().expect("the issue was mailed").to_owned()
    }

    fn issue(&self, password: &str) -> Option<u64> {
        self.0.iter().find(|(_, mailed)| mailed == password).map(|(issue, _)| *issue)
    }
}

fn password_in(text: &str) -> String {
    let is_password = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5);
    text.lines().find(is_password).expect("the mail has a password").to_owned()
}
