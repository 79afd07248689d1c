//! The people of one company, the secrets that they know, and the requests for each operation.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use domain::Timestamp;
use serde_json::{Value, json};
use support::{
    Answer, Api, Call, RelyingParty, address_in, answer_in, desk, ended, event,
    specification::{
        ADMINISTRATOR_PASSWORD, DeskAct, Label, Op, Operator, Password, Person, Reply, Report, UserName, reply,
    },
    table,
};

use crate::scenarios::Reading;

/// One subscription and its people.
pub(crate) struct World {
    number: usize,
    tokens: BTreeMap<Person, String>,
    operators: BTreeMap<Operator, String>,
    sessions: Mutex<BTreeMap<Label, String>>,
    /// The ids of approvals, by the keys of the clicks that asked for them.
    approvals: Mutex<BTreeMap<Label, String>>,
    /// The passwords that the portal has shown and no mail, each with its issue.
    unmailed: Mutex<BTreeMap<String, u64>>,
    /// The temporary passwords of administrators that answers have shown.
    handed_out: Mutex<BTreeMap<Label, String>>,
    /// The ids of accounts.
    account_ids: Mutex<BTreeMap<UserName, String>>,
    /// The codes and the access tokens that the product got.
    codes: Mutex<BTreeMap<Label, String>>,
    access_tokens: Mutex<BTreeMap<Label, String>>,
}

/// The site that a token signs a person in to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    Portal,
    Desk,
}

const CHOICES: [&str; 4] = [
    "seven green boats at noon",
    "nine slow trains to the coast",
    "an old clock behind the stairs",
    "a quiet lamp over the harbour",
];

/// The time of the first event, 10 November 2026, 09:00 UTC, in seconds since the epoch.
const FIRST_EVENT: i64 = 1_794_301_200;

/// The id of no account.
const NO_ACCOUNT: &str = "01KB7Z0M4Q8X2V5T6R9W3YHJDN";

/// A temporary password that no account has.
const NO_PASSWORD: &str = "22222-33333-44444-55555";

/// Returns the time of an event, some hours after the first one.
fn hour(at: u64) -> String {
    Timestamp::from_epoch_seconds(FIRST_EVENT + 3600 * i64::try_from(at).unwrap()).to_string()
}

/// Returns an address that no other request has, so that no result depends on the number of attempts from a network.
fn unused_address() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0x0a00_0000);
    Ipv4Addr::from(LAST.fetch_add(1, Ordering::Relaxed)).to_string()
}

impl World {
    /// Creates a subscription's people; `token` signs a person in to a site by their address.
    pub(crate) async fn new<F: Future<Output = String>>(number: usize, token: impl Fn(Site, String) -> F) -> Self {
        let mut world = Self {
            number,
            tokens: BTreeMap::new(),
            operators: BTreeMap::new(),
            sessions: Mutex::default(),
            approvals: Mutex::default(),
            unmailed: Mutex::default(),
            handed_out: Mutex::default(),
            account_ids: Mutex::default(),
            codes: Mutex::default(),
            access_tokens: Mutex::default(),
        };
        world.sign_everyone_in(token).await;
        world
    }

    /// Signs the people in at their sites, again after their sessions have ended.
    pub(crate) async fn sign_everyone_in<F: Future<Output = String>>(&mut self, token: impl Fn(Site, String) -> F) {
        for person in Person::ALL {
            self.tokens.insert(person, token(Site::Portal, self.address(person)).await);
        }
        // Each subscription has its own operators, so that no result depends on what they did elsewhere.
        for operator in [Operator::Olga, Operator::Omar] {
            let address = format!("{operator}@desk-{}.example", self.number);
            self.operators.insert(operator, token(Site::Desk, address).await);
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
        table::address(person, &self.company())
    }

    pub(crate) fn token(&self, person: Person) -> &str {
        &self.tokens[&person]
    }

    /// Returns whether the session of `label` is known. A person who got no answer does not know a session that may have begun.
    pub(crate) fn knows(&self, label: Label) -> bool {
        self.sessions.lock().unwrap().contains_key(label)
    }

    /// Returns whether the password is known. A person who got no answer does not know a temporary password that may be stored.
    pub(crate) fn knows_password(&self, password: Password) -> bool {
        match password {
            Password::HandedOut(label) => self.handed_out.lock().unwrap().contains_key(label),
            Password::Temporary(_) | Password::Chosen(_) => true,
        }
    }

    /// Returns whether the code is known. A product that got no answer does not know a code that may be stored.
    pub(crate) fn knows_code(&self, code: Label) -> bool {
        self.codes.lock().unwrap().contains_key(code)
    }

    /// Returns whether the access token is known, as with a code.
    pub(crate) fn knows_access_token(&self, token: Label) -> bool {
        self.access_tokens.lock().unwrap().contains_key(token)
    }

    pub(crate) fn known_access_tokens(&self) -> Vec<Label> {
        self.access_tokens.lock().unwrap().keys().copied().collect()
    }

    /// Stores the id of an account, by which administrators name it.
    pub(crate) fn learn_account(&self, who: UserName, id: &str) {
        self.account_ids.lock().unwrap().insert(who, id.to_owned());
    }

    fn account_id(&self, who: UserName) -> String {
        self.account_ids.lock().unwrap().get(&who).map_or(NO_ACCOUNT, String::as_str).to_owned()
    }

    fn session(&self, label: Label) -> String {
        self.sessions.lock().unwrap()[label].clone()
    }

    /// Returns the key of a click whose approval is known.
    pub(crate) fn known_approvals(&self) -> Vec<Label> {
        self.approvals.lock().unwrap().keys().copied().collect()
    }

    /// Stores the session that an answer brings, or the id of an approval.
    pub(crate) fn learn(&self, op: Op, answer: &Answer) {
        if let (Op::Add { gives, .. } | Op::Help { gives, .. }, Some(password)) = (op, answer.temporary_password()) {
            self.handed_out.lock().unwrap().insert(gives, password.to_owned());
        }
        if let (Op::SignIn { begins, .. } | Op::Reset { begins, .. }, Some(session)) = (op, answer.session()) {
            self.sessions.lock().unwrap().insert(begins, session);
        }
        if let (Op::Enter { code, .. }, Some(given)) = (op, code_in(answer)) {
            self.codes.lock().unwrap().insert(code, given);
        }
        if let (Op::Redeem { gives, .. }, Some(token)) = (op, answer.access_token()) {
            self.access_tokens.lock().unwrap().insert(gives, token.to_owned());
        }
        if let Op::Desk { key, act: DeskAct::Reissue { .. } | DeskAct::AddPortalUser { .. }, .. } = op
            && let Some(approval) = answer.body["approval"].as_str()
        {
            self.approvals.lock().unwrap().entry(key).or_insert_with(|| approval.to_owned());
        }
    }

    /// Returns the id of the approval that a click has asked for; of an unknown one, an id that no approval has.
    fn approval(&self, key: Label) -> String {
        let known = self.approvals.lock().unwrap().get(key).cloned();
        known.unwrap_or_else(|| "00000000000000000000000000".to_owned())
    }

    /// Sets the issues of the passwords that no mail has shown.
    pub(crate) fn set_unmailed(&self, unmailed: BTreeMap<String, u64>) {
        *self.unmailed.lock().unwrap() = unmailed;
    }

    /// Attributes the password that an answer shows, if no mail has it, to the latest issue, whose mail is without a password.
    pub(crate) fn attribute_password(&self, answer: &Answer, mails: &Mails) {
        if let (Some(password), Some(issue)) = (answer.password(), mails.latest_issue())
            && self.issue(password, mails).is_none()
            && mails.passwords(issue).is_empty()
        {
            self.unmailed.lock().unwrap().insert(password.to_owned(), issue);
        }
    }

    fn issue(&self, password: &str, mails: &Mails) -> Option<u64> {
        mails.issue(password).or_else(|| self.unmailed.lock().unwrap().get(password).copied())
    }

    fn temporary_password(&self, issue: u64, mails: &Mails) -> String {
        let unmailed = self.unmailed.lock().unwrap();
        let shown = || unmailed.iter().find(|(_, known)| **known == issue).map(|(password, _)| password.as_str());
        mails.passwords(issue).pop().or_else(shown).expect("the password of the issue is known").to_owned()
    }

    /// Returns the event that starts the subscription, or makes it paid.
    pub(crate) fn event(&self, id: Label, paid: bool) -> Value {
        let mut event = event(&self.subscription(), if paid { "paid" } else { "trial" });
        event["id"] = format!("{}-{id}", self.subscription()).into();
        event["detail"]["company"]["id"] = self.company().into();
        let users = [Person::Dana, Person::Kim].map(|person| json!({ "email": self.address(person) }));
        event["detail"]["portal_users"] = json!(users);
        event["detail"]["service_administrator"]["email"] = self.address(Person::It).into();
        event
    }

    /// Returns a later event that starts the subscription.
    pub(crate) fn later_event(&self, id: Label, at: u64) -> Value {
        let mut event = self.event(id, false);
        event["time"] = hour(at).into();
        event
    }

    /// Returns the event that ends the subscription.
    pub(crate) fn end(&self, at: u64) -> Value {
        let mut event = ended(&self.subscription());
        event["id"] = format!("{}-end-{at}", self.subscription()).into();
        event["time"] = hour(at).into();
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

    fn text(&self, password: Password, mails: &Mails) -> String {
        match password {
            Password::Temporary(issue) => self.temporary_password(issue, mails),
            Password::Chosen(choice) => CHOICES[choice].to_owned(),
            Password::HandedOut(label) => {
                self.handed_out.lock().unwrap().get(label).map_or(NO_PASSWORD, String::as_str).to_owned()
            }
        }
    }

    /// Returns the function that carries out an operation, and the request.
    pub(crate) fn request(&self, op: Op, mails: &Mails) -> (&'static str, Call) {
        let text = |password| self.text(password, mails);
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
            Op::SignIn { who, password, .. } => ("sign-in", Call::sign_in(&self.user_name(who), &text(password))),
            Op::SignOut { session } => ("sign-in", Call::post("/sign-out").session(&self.session(session))),
            Op::Reset { session, current, to, .. } => {
                let body = match current {
                    Some(current) => json!({ "new_password": text(to), "current_password": text(current) }),
                    None => json!({ "new_password": text(to) }),
                };
                ("reset-password", Call::reset_password(&self.session(session), "").json(&body))
            }
            Op::Create { .. } | Op::Add { .. } | Op::Help { .. } | Op::Remove { .. } => {
                self.act_of_administrator(op, text)
            }
            Op::Enter { .. } | Op::Redeem { .. } | Op::ReadUser { .. } => {
                ("product-sign-in", self.sign_in_to_product(op))
            }
            Op::CheckSession { session } => ("reset-password", Call::reset_password(&self.session(session), "short")),
            Op::Desk { operator, key, act } => {
                let (subscription, company) = (&self.subscription(), &self.company());
                let scope = desk::Scope { subscription, company, people: company };
                let (function, call) = desk::request(&scope, key, act, |asked| self.approval(asked));
                (function, call.operator(&self.operators[&operator]))
            }
            Op::Start { .. }
            | Op::Restart { .. }
            | Op::End { .. }
            | Op::Purge
            | Op::Report { .. }
            | Op::Reissue { .. }
            | Op::LockOut { .. }
            | Op::Wait { .. } => panic!("{op} is not a request"),
        };
        (function, call.from(&unused_address()))
    }

    /// Returns the function that carries out an act on an administrator, and the request. `text` returns what a password is.
    fn act_of_administrator(&self, op: Op, text: impl Fn(Password) -> String) -> (&'static str, Call) {
        match op {
            Op::Create { session, who, key } => {
                let (session, name) = (self.session(session), self.user_name(who));
                ("create-admin", Call::create_admin(&session, &name, &text(ADMINISTRATOR_PASSWORD)).key(key))
            }
            Op::Add { session, who, current, key, .. } => {
                let (session, name) = (self.session(session), self.user_name(who));
                ("create-admin", Call::add_admin(&session, &name, &text(current)).key(key))
            }
            Op::Help { session, who, current, .. } => {
                ("reset-admin", Call::reset_admin(&self.session(session), &self.account_id(who), &text(current)))
            }
            Op::Remove { session, who, current } => {
                ("remove-admin", Call::remove_admin(&self.session(session), &self.account_id(who), &text(current)))
            }
            other => panic!("{other} is no act on an administrator"),
        }
    }

    /// Returns the request of a sign-in to the product.
    fn sign_in_to_product(&self, op: Op) -> Call {
        let product = RelyingParty::default();
        match op {
            Op::Enter { session, who, .. } => {
                Call::confirm_product(&product.query(), &self.session(session), &self.account_id(who))
            }
            Op::Redeem { code, .. } => product.redemption(&self.codes.lock().unwrap()[code]),
            Op::ReadUser { token } => Call::userinfo(&self.access_tokens.lock().unwrap()[token]),
            other => panic!("{other} is no sign-in to the product"),
        }
    }

    pub(crate) fn user_name(&self, who: UserName) -> String {
        format!("{who}@{}", self.company())
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
            Reading::Search => self.desk_reading(&Call::get("/desk/api/subscriptions").query(&self.query())),
            Reading::Subscription => self.desk_reading(&Call::get(&self.desk_path(""))),
            Reading::SubscriptionHistory => self.desk_reading(&Call::get(&self.desk_path("/history"))),
            Reading::Approvals => self.desk_reading(&Call::get("/desk/api/approvals")),
            Reading::SubscriptionPage => {
                self.desk_reading(&Call::get(&format!("/desk/subscriptions/{}", self.subscription())))
            }
        };
        (function, call.from(&unused_address()))
    }

    fn query(&self) -> String {
        format!("query={}", self.subscription())
    }

    fn desk_path(&self, rest: &str) -> String {
        format!("/desk/api/subscriptions/{}{rest}", self.subscription())
    }

    fn desk_reading(&self, call: &Call) -> (&'static str, Call) {
        let (function, call) = call.clone().routed(Api::Desk);
        (function.name(), call.operator(&self.operators[&Operator::Olga]))
    }

    /// Returns the part of a body that concerns this subscription.
    pub(crate) fn own_part(&self, what: Reading, mut body: Value) -> Value {
        if let (Reading::Approvals, Some(Value::Array(all))) = (what, body.get_mut("approvals")) {
            all.retain(|approval| approval["subscription_id"] == self.subscription());
        }
        body
    }

    /// Returns whether a body shows the state that exists.
    pub(crate) fn shows(&self, what: Reading, body: &Value) -> bool {
        let names =
            |who: UserName| body.as_str().is_some_and(|page| page.contains(&format!("{who}@{}", self.company())));
        match what {
            Reading::List | Reading::Search => {
                let listed = &body["subscriptions"];
                listed[0]["subscription_id"] == self.subscription() && listed[1].is_null()
            }
            Reading::History => {
                let shown = body["entries"].as_array().into_iter().flatten().map(|entry| &entry["what"]);
                shown.eq(["retrieved", "issued"])
            }
            Reading::Subscriptions | Reading::SubscriptionPage => names(UserName::Admin),
            Reading::Administration { .. } => names(UserName::Lee),
            Reading::Subscription => {
                body["subscription_id"] == self.subscription()
                    && body["email"] == self.address(Person::It)
                    && body["portal_users"].as_array().is_some_and(|users| users.len() == 3)
                    && !body["approval"].is_null()
            }
            Reading::SubscriptionHistory => {
                let shown = body["entries"].as_array().into_iter().flatten().map(|entry| &entry["what"]);
                shown.eq(["approval-requested", "signed-in", "retrieved", "issued"])
            }
            Reading::Approvals => {
                let approvals = body["approvals"].as_array();
                approvals.is_some_and(|all| all.len() == 1 && all[0]["id"] == self.approval("ask"))
            }
        }
    }
}

impl World {
    /// Translates an answer into the specification's terms.
    pub(crate) fn describe(&self, op: Op, answer: &Answer, mails: &Mails) -> Reply {
        let used = &answer.body["retrievals"]["used"];
        match (op, answer.status) {
            (Op::Retrieve { .. }, 200) => match answer.password() {
                Some(password) => match self.issue(password, mails) {
                    Some(issue) => (200, format!("the password of issue {issue}, {used} used")),
                    None => reply(200, "a password of no issue"),
                },
                None => (200, format!("blank: {}; {used} used", answer.reasons().join(", "))),
            },
            (Op::Add { .. }, 201) | (Op::Help { .. }, 200) => {
                let shown = answer.temporary_password().is_some();
                reply(answer.status, if shown { "a password" } else { "no password" })
            }
            (Op::Enter { .. }, 200) => {
                reply(200, if code_in(answer).is_some() { "a code" } else { "a page for another account" })
            }
            (Op::Redeem { .. }, 200) => reply(200, if answer.access_token().is_some() { "a token" } else { "nothing" }),
            (Op::ReadUser { .. }, 200) => {
                let is_right = answer.body["subscription_id"] == self.subscription();
                reply(200, if is_right { "the claims" } else { "other claims" })
            }
            (Op::Redeem { .. } | Op::ReadUser { .. }, _) => {
                reply(answer.status, answer.oauth_error().unwrap_or_default())
            }
            (Op::Renew { .. }, 202) => (202, format!("issue {}", answer.body["issue"])),
            (Op::Desk { key, act, .. }, 202) => {
                (202, desk::describe(key, act, &answer.body, |asked| self.approval(asked)))
            }
            _ => reply(answer.status, answer.problem().or_else(|| answer.next()).unwrap_or_default()),
        }
    }
}

/// The welcome mails of one subscription: the issue of each, and the password, unless the mail leads to the portal instead.
#[derive(Default)]
pub(crate) struct Mails(pub(crate) Vec<(u64, Option<String>)>);

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

    /// Returns the number of mails of an issue.
    pub(crate) fn count(&self, issue: u64) -> usize {
        self.0.iter().filter(|(mailed, _)| *mailed == issue).count()
    }

    /// Returns the latest issue that was mailed.
    pub(crate) fn latest_issue(&self) -> Option<u64> {
        self.0.iter().map(|(issue, _)| *issue).max()
    }

    /// Returns the passwords that were mailed for an issue.
    pub(crate) fn passwords(&self, issue: u64) -> Vec<&str> {
        self.0.iter().filter(|(mailed, _)| *mailed == issue).filter_map(|(_, password)| password.as_deref()).collect()
    }

    fn issue(&self, password: &str) -> Option<u64> {
        self.0.iter().find(|(_, mailed)| mailed.as_deref() == Some(password)).map(|(issue, _)| *issue)
    }
}

/// Returns whether an answer says that AWS is unavailable. A page, and an error of OAuth, are no problem documents.
pub(crate) fn is_unavailable(op: Op, answer: &Answer) -> bool {
    let says_so = match op {
        Op::Enter { .. } => true,
        Op::Redeem { .. } => answer.oauth_error() == Some("server_error"),
        _ => answer.problem() == Some("unavailable"),
    };
    says_so && answer.status == 503
}

/// Returns the code with which a page leads to the product.
fn code_in(answer: &Answer) -> Option<String> {
    let leads_on = answer.body.as_str().is_some_and(|page| page.contains("http-equiv=\"refresh\""));
    leads_on.then(|| answer_in(&address_in(answer), "code"))?
}

fn password_in(text: &str) -> Option<String> {
    let is_password = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5);
    text.lines().find(is_password).map(ToOwned::to_owned)
}
