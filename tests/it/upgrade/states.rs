//! The states that the items of a subscription can be in, each described by the steps that lead to it.

use domain::MailStatus;
use support::specification::LIFETIME;

/// A step on the way to a state.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Delivers `SubscriptionStarted` with this id and kind.
    Start(&'static str, &'static str),
    /// Delivers an event with every optional field: a language, the content of the mail, an organisation and a subject.
    StartWithEverything,
    /// Sends the pending mails.
    Send,
    /// Sends a mail without an answer of SES, so that the lease remains.
    SendWithoutAnswer,
    /// Records the feedback of SES, as `mail-feedback` will.
    Settle(MailStatus),
    /// Advances the clock by these seconds.
    Wait(i64),
    /// Retrieves the password as this person, with this idempotency key.
    Retrieve(&'static str, &'static str),
    /// Sends a request to support as this person, with this idempotency key.
    ContactSupport(&'static str, &'static str),
    /// Signs in to this account, with this password or else the temporary one, and gives the session a name.
    SignIn(&'static str, Option<&'static str>, &'static str),
    /// Signs out of this session.
    SignOut(&'static str),
    /// Resets the password in a session, with the current password unless it is the temporary one, and gives the new session a name.
    Reset(&'static str, Option<&'static str>, &'static str, &'static str),
    /// Creates this account in a session.
    Create(&'static str, &'static str),
    /// Makes this many attempts with a wrong password for the service administrator, each from another network.
    Guess(usize),
    /// Ends the subscription. No function of 0.1.0 does so, but all of them handle ended subscriptions.
    End,
}

use Step::{
    ContactSupport, Create, End, Guess, Reset, Retrieve, Send, SendWithoutAnswer, Settle, SignIn, SignOut, Start,
    StartWithEverything, Wait,
};

/// The password that the service administrator chooses.
pub(super) const CHOSEN: &str = "seven green boats at noon";
/// The password of Lee's new account.
pub(super) const OWN: &str = "a quiet lamp over the harbour";
/// The password that either of them chooses later.
pub(super) const LATER: &str = "nine slow trains to the coast";

const TRIAL: Step = Start("trial", "trial");
const PAID: Step = Start("paid", "paid");
const EXPIRE: Step = Wait(LIFETIME.cast_signed());
const FIRST_SIGN_IN: Step = SignIn("admin", None, "reset");
const CHOOSE: Step = Reset("reset", None, CHOSEN, "full");
const CREATE_LEE: Step = Create("full", "lee");
const LEE_SIGNS_IN: Step = SignIn("lee", Some(OWN), "lee");

/// A state: its name, its additional settings, and the steps that lead to it.
pub(super) type State = (&'static str, &'static [(&'static str, &'static str)], &'static [Step]);

const KEEPS: &[(&str, &str)] = &[("KEEP_SERVICE_ADMINISTRATOR", "true")];

/// Every state. Add new states at the end, because the position of a state determines its network.
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
    ("retrieved-twice", &[], &[TRIAL, Send, Retrieve("dana", "a"), Wait(30), Retrieve("kim", "a")]),
    ("retrieved-three-times", &[], &[TRIAL, Send, Retrieve("dana", "a"), Retrieve("kim", "a"), Retrieve("kim", "b")]),
    ("expired", &[], &[TRIAL, Send, Retrieve("dana", "a"), EXPIRE]),
    ("temporary-session", &[], &[TRIAL, Send, Retrieve("dana", "a"), FIRST_SIGN_IN]),
    ("password-chosen", &[], &[TRIAL, Send, FIRST_SIGN_IN, Wait(60), CHOOSE]),
    ("administrator-new", &[], &[TRIAL, Send, FIRST_SIGN_IN, CHOOSE, CREATE_LEE]),
    ("handed-over", &[], &[TRIAL, Send, FIRST_SIGN_IN, CHOOSE, CREATE_LEE, Wait(60), LEE_SIGNS_IN]),
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
    ("support-pending", &[], &[TRIAL, Send, ContactSupport("dana", "a")]),
    ("support-sent", &[], &[TRIAL, Send, ContactSupport("dana", "a"), Send]),
    (
        "support-of-the-day-used",
        &[],
        &[TRIAL, Send, ContactSupport("dana", "a"), ContactSupport("kim", "a"), ContactSupport("kim", "b"), Send],
    ),
    ("ended", &[], &[TRIAL, Send, Retrieve("dana", "a"), End]),
    ("ended-after-choice", &[], &[TRIAL, Send, FIRST_SIGN_IN, CHOOSE, End]),
];
