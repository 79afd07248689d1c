//! The states that the items of a subscription can be in, each described by the steps that lead to it.

use domain::MailStatus;
use support::specification::LIFETIME;

/// One step on the way to a state.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// An event `SubscriptionStarted` of this id and kind.
    Start(&'static str, &'static str),
    /// An event that names everything an event can name: a language, the content of the mail, an organisation and a subject.
    StartWithEverything,
    /// `send-mail` handles the orders that wait.
    Send,
    /// `send-mail` gets no answer of SES, so that its lease stays.
    SendWithoutAnswer,
    /// The feedback of SES, as `mail-feedback` will record it.
    Settle(MailStatus),
    /// Seconds pass.
    Pass(i64),
    /// This person clicks **Go**, with this key.
    Retrieve(&'static str, &'static str),
    /// This person asks support, with this key.
    Ask(&'static str, &'static str),
    /// This account signs in, with this password or else the temporary one, and the session gets a name.
    SignIn(&'static str, Option<&'static str>, &'static str),
    /// This session ends.
    SignOut(&'static str),
    /// In a session, a password is chosen in place of a current one or else of the temporary one; the new session gets a name.
    Reset(&'static str, Option<&'static str>, &'static str, &'static str),
    /// In a session, this account is created.
    Create(&'static str, &'static str),
    /// So many wrong passwords for the service administrator, each from another network.
    Guess(usize),
    /// The subscription ends. No function of 0.1.0 does this; all of them read it.
    End,
}

use Step::{
    Ask, Create, End, Guess, Pass, Reset, Retrieve, Send, SendWithoutAnswer, Settle, SignIn, SignOut, Start,
    StartWithEverything,
};

/// The password that the service administrator chooses.
pub(super) const CHOSEN: &str = "seven green boats at noon";
/// The password that Lee has.
pub(super) const OWN: &str = "a quiet lamp over the harbour";
/// The password that either chooses later.
pub(super) const LATER: &str = "nine slow trains to the coast";

const TRIAL: Step = Start("trial", "trial");
const PAID: Step = Start("paid", "paid");
const EXPIRE: Step = Pass(LIFETIME.cast_signed());
const FIRST_SIGN_IN: Step = SignIn("admin", None, "reset");
const CHOOSE: Step = Reset("reset", None, CHOSEN, "full");
const CREATE_LEE: Step = Create("full", "lee");
const LEE_SIGNS_IN: Step = SignIn("lee", Some(OWN), "lee");

/// A state: its name, settings beside those of the deployment, and the steps.
pub(super) type State = (&'static str, &'static [(&'static str, &'static str)], &'static [Step]);

const KEEPS: &[(&str, &str)] = &[("KEEP_SERVICE_ADMINISTRATOR", "true")];

/// Every state. A new state is added at the end, since a state's place gives its network.
pub(super) const STATES: &[State] = &[
    ("mail-pending", &[], &[TRIAL]),
    ("mail-leased", &[], &[TRIAL, SendWithoutAnswer]),
    ("mail-sent", &[], &[TRIAL, Send]),
    ("mail-delayed", &[], &[TRIAL, Send, Settle(MailStatus::Delayed)]),
    ("mail-delivered", &[], &[TRIAL, Send, Settle(MailStatus::Delivered)]),
    ("mail-bounced", &[], &[TRIAL, Send, Settle(MailStatus::Bounced)]),
    ("mail-complained", &[], &[TRIAL, Send, Settle(MailStatus::Complained)]),
    ("mail-not-needed", &[], &[TRIAL, EXPIRE, Send]),
    ("mail-of-a-link", &[], &[StartWithEverything, Send]),
    ("retrieved-once", &[], &[TRIAL, Send, Retrieve("dana", "a")]),
    ("retrieved-twice", &[], &[TRIAL, Send, Retrieve("dana", "a"), Pass(30), Retrieve("kim", "a")]),
    ("retrieved-three-times", &[], &[TRIAL, Send, Retrieve("dana", "a"), Retrieve("kim", "a"), Retrieve("kim", "b")]),
    ("expired", &[], &[TRIAL, Send, Retrieve("dana", "a"), EXPIRE]),
    ("temporary-session", &[], &[TRIAL, Send, Retrieve("dana", "a"), FIRST_SIGN_IN]),
    ("password-chosen", &[], &[TRIAL, Send, FIRST_SIGN_IN, Pass(60), CHOOSE]),
    ("administrator-new", &[], &[TRIAL, Send, FIRST_SIGN_IN, CHOOSE, CREATE_LEE]),
    ("handed-over", &[], &[TRIAL, Send, FIRST_SIGN_IN, CHOOSE, CREATE_LEE, Pass(60), LEE_SIGNS_IN]),
    ("handed-over-and-kept", KEEPS, &[TRIAL, Send, FIRST_SIGN_IN, CHOOSE, CREATE_LEE, LEE_SIGNS_IN]),
    ("signed-out", &[], &[TRIAL, Send, FIRST_SIGN_IN, CHOOSE, CREATE_LEE, LEE_SIGNS_IN, SignOut("lee")]),
    (
        "own-password-changed",
        &[],
        &[TRIAL, Send, FIRST_SIGN_IN, CHOOSE, CREATE_LEE, LEE_SIGNS_IN, Reset("lee", Some(OWN), LATER, "later")],
    ),
    ("paid-in-time", &[], &[TRIAL, Send, Retrieve("dana", "a"), PAID]),
    ("next-issue", &[], &[TRIAL, Send, Retrieve("dana", "a"), Retrieve("kim", "a"), Retrieve("kim", "b"), PAID, Send]),
    ("next-issue-after-expiry", &[], &[TRIAL, Send, EXPIRE, PAID, Send, Retrieve("dana", "a")]),
    ("next-issue-mail-pending", &[], &[TRIAL, Send, EXPIRE, PAID]),
    ("guessed", &[], &[TRIAL, Send, Guess(3)]),
    ("closed-by-failures", &[], &[TRIAL, Send, FIRST_SIGN_IN, CHOOSE, Guess(101)]),
    ("support-pending", &[], &[TRIAL, Send, Ask("dana", "a")]),
    ("support-sent", &[], &[TRIAL, Send, Ask("dana", "a"), Send]),
    ("support-of-the-day-used", &[], &[TRIAL, Send, Ask("dana", "a"), Ask("kim", "a"), Ask("kim", "b"), Send]),
    ("ended", &[], &[TRIAL, Send, Retrieve("dana", "a"), End]),
    ("ended-after-choice", &[], &[TRIAL, Send, FIRST_SIGN_IN, CHOOSE, End]),
];
