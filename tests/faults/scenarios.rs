//! The scenarios: the states that a call can meet, each described by the operations that lead to it.

mod desk;
mod product;
mod team;

use support::{
    Function,
    specification::{
        ADMINISTRATOR_PASSWORD, LIFETIME, Label, Op, Password::Chosen, Password::Temporary, Person, Report, UserName,
    },
};

/// The action during which AWS fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// An operation, and the operation that retries it.
    Do(Op, Op),
    /// A request that reads.
    Read(Reading),
    /// The delivery of one of the orders to mail, by its place among them: the issue, the least and the largest number of mails of the
    /// issue that are expected, and the status that is recorded.
    Mail { order: usize, issue: u64, mails: (usize, usize), status: &'static str },
    /// A run over the reminders that are due, and the number that is mailed in the end.
    Remind { reminders: usize },
    /// The delivery of every record of the stream that is about the subscription, the number of events that are published in the end, and
    /// that of the notices that are ordered.
    Publish { events: usize, notices: usize },
    /// Runs of the schedule that deletes what ended long ago.
    Purge,
    /// A run that copies the provider's keys, which the table has from an earlier one.
    Refresh,
}

/// A request that changes nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading {
    /// The list of the subscriptions.
    List,
    /// The history of the subscription.
    History,
    /// The list of the subscriptions as a page.
    Subscriptions,
    /// The page of an administrator, in this session.
    Administration { session: Label },
    /// The desk's search for the subscription.
    Search,
    /// The desk's document about the subscription.
    Subscription,
    /// The same as a page.
    SubscriptionPage,
    /// The history of the subscription, as the desk shows it.
    SubscriptionHistory,
    /// The desk's list of the approvals that are pending.
    Approvals,
}

/// Whether a deployment wants the consent of a second operator for what is sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    Required,
    Off,
}

/// One function in one state.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) function: &'static str,
    pub(crate) state: &'static str,
    pub(crate) before: Vec<Op>,
    /// The state of the welcome mail when the action begins.
    pub(crate) mail: Mail,
    pub(crate) action: Action,
    pub(crate) consent: Consent,
    /// The operations afterwards, which show the final state.
    pub(crate) afterwards: Vec<Op>,
}

/// The state of the welcome mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mail {
    Sent,
    Ordered,
    /// A worker died while it held the lease.
    Leased,
}

const TRIAL: Op = Op::Start { event: "trial", paid: false };
const PAID: Op = Op::Start { event: "paid", paid: true };
const EXPIRE: Op = Op::Wait { seconds: LIFETIME };
const A_MINUTE: Op = Op::Wait { seconds: 60 };
const TEN_MINUTES: Op = Op::Wait { seconds: 600 };

/// The time after which the reminder of an issue is due, two days before its password expires.
const UNTIL_REMINDER: Op = Op::Wait { seconds: LIFETIME - 2 * 24 * 60 * 60 };

fn click(person: Person, key: &'static str) -> Op {
    Op::Retrieve { person, key }
}

fn dana(key: &'static str) -> Op {
    click(Person::Dana, key)
}

fn kim(key: &'static str) -> Op {
    click(Person::Kim, key)
}

fn resend(person: Person) -> Op {
    Op::Resend { person }
}

fn renew(person: Person) -> Op {
    Op::Renew { person }
}

/// A report on the first sending of the first issue's mail.
fn report(what: Report, at: u64) -> Op {
    Op::Report { issue: 1, round: 0, what, at }
}

fn temporary(begins: &'static str) -> Op {
    Op::SignIn { who: UserName::Admin, password: Temporary(1), begins }
}

fn sign_in(who: UserName, begins: &'static str) -> Op {
    Op::SignIn { who, password: if who == UserName::Admin { Chosen(0) } else { ADMINISTRATOR_PASSWORD }, begins }
}

fn reset(session: &'static str, begins: &'static str) -> Op {
    Op::Reset { session, current: None, to: Chosen(0), begins }
}

fn change(session: &'static str, begins: &'static str) -> Op {
    Op::Reset { session, current: Some(Chosen(0)), to: Chosen(1), begins }
}

fn create(session: &'static str, who: UserName, key: &'static str) -> Op {
    Op::Create { session, who, key }
}

fn look(session: &'static str) -> Op {
    Op::CheckSession { session }
}

/// A trial whose three retrievals are used.
fn used_up() -> Vec<Op> {
    vec![TRIAL, dana("a"), kim("b"), kim("c")]
}

/// The issue after that of [`used_up`], with no retrieval used.
fn next_issue() -> Vec<Op> {
    [used_up(), vec![PAID]].concat()
}

/// The issue of [`next_issue`], with its three retrievals used as well.
fn used_up_twice() -> Vec<Op> {
    [next_issue(), vec![dana("a"), kim("b"), kim("c")]].concat()
}

/// A trial whose service administrator has chosen a password and has a full session `F`.
fn password_chosen() -> Vec<Op> {
    vec![TRIAL, temporary("A"), reset("A", "F")]
}

/// A trial with an administrator who has not signed in yet.
fn admin_created() -> Vec<Op> {
    [password_chosen(), vec![create("F", UserName::Lee, "lee")]].concat()
}

fn scenario(function: &'static str, state: &'static str, before: Vec<Op>, op: Op, afterwards: Vec<Op>) -> Scenario {
    let again = match op {
        Op::SignIn { who, password, .. } => Op::SignIn { who, password, begins: "again" },
        Op::Reset { session, current, to, .. } => Op::Reset { session, current, to, begins: "again" },
        Op::Add { session, who, current, key, .. } => Op::Add { session, who, current, key, gives: "again" },
        Op::Help { session, who, current, .. } => Op::Help { session, who, current, gives: "again" },
        Op::Enter { session, who, .. } => Op::Enter { session, who, code: "again" },
        Op::Redeem { code, .. } => Op::Redeem { code, gives: "again" },
        other => other,
    };
    let action = Action::Do(op, again);
    Scenario { function, state, before, mail: Mail::Sent, action, consent: Consent::Required, afterwards }
}

/// Returns every scenario.
pub(crate) fn all() -> Vec<Scenario> {
    Function::ALL.iter().flat_map(|function| scenarios(*function)).collect()
}

type Scenarios = fn() -> Vec<Scenario>;

/// The scenarios of each function.
const SCENARIOS: &[(Function, Scenarios)] = &[
    (Function::ChangeAccess, desk::accesses),
    (Function::ContactSupport, requests),
    (Function::CreateAdmin, creations),
    (Function::GetCredentials, retrievals),
    (Function::ListSubscriptions, lists),
    (Function::MailFeedback, reports),
    (Function::Portal, pages),
    (Function::ProductSignIn, product::sign_ins),
    (Function::PublishEvents, publications),
    (Function::PurgeSubscriptions, team::purges),
    (Function::RefreshKeys, refreshes),
    (Function::ReissueCredentials, desk::reissues),
    (Function::RemoveAdmin, team::removals),
    (Function::RenewCredentials, renewals),
    (Function::ResendMail, resends),
    (Function::ResetAdmin, team::resets),
    (Function::ResetPassword, resets),
    (Function::SendMail, mails),
    (Function::SendReminders, reminders),
    (Function::ShowHistory, histories),
    (Function::SignIn, sign_ins),
    (Function::SubscriptionEnd, team::ends),
    (Function::SubscriptionStart, starts),
    (Function::SupportDesk, desk::readings),
];

/// The scenarios of a function, of which there is at least one.
fn scenarios(function: Function) -> Vec<Scenario> {
    let found = SCENARIOS.iter().find(|(known, _)| *known == function);
    let (_, scenarios) = found.unwrap_or_else(|| panic!("{function}: no row in tests/faults/scenarios.rs"));
    let scenarios = scenarios();
    assert!(!scenarios.is_empty(), "{function} has no scenario");
    assert!(scenarios.iter().all(|scenario| scenario.function == function.name()), "a scenario is not of {function}");
    scenarios
}

fn retrievals() -> Vec<Scenario> {
    let retrieve = |state, before, op| scenario("get-credentials", state, before, op, vec![kim("z"), dana("y")]);
    vec![
        retrieve("fresh", vec![TRIAL], dana("k")),
        retrieve("retrieved by another person", vec![TRIAL, kim("k")], dana("k")),
        retrieve("the last of three", vec![TRIAL, kim("k"), kim("l")], dana("k")),
        retrieve("retrieved by the same click", vec![TRIAL, dana("k")], dana("k")),
        retrieve("the same click after ten minutes", vec![TRIAL, dana("k"), Op::Wait { seconds: 601 }], dana("k")),
        retrieve("used up", used_up(), dana("k")),
        retrieve("used up, the same click", used_up(), dana("a")),
        retrieve("next issue", next_issue(), dana("k")),
        retrieve("next issue, the same click as in the previous one", next_issue(), dana("a")),
        retrieve("next issue, used up", used_up_twice(), dana("k")),
        retrieve("expired", vec![TRIAL, kim("a"), EXPIRE], dana("k")),
        retrieve("signed in", vec![TRIAL, kim("a"), temporary("A")], dana("k")),
        retrieve("changed", vec![TRIAL, dana("k"), temporary("A"), reset("A", "F")], dana("k")),
        retrieve("no such subscription", vec![], dana("k")),
        retrieve("the caller is a stranger", vec![TRIAL], click(Person::Stranger, "k")),
    ]
}

fn requests() -> Vec<Scenario> {
    let ask = |person, key| Op::ContactSupport { person, key };
    let (dana_asks, kim_asks) = (|key| ask(Person::Dana, key), |key| ask(Person::Kim, key));
    let three = vec![TRIAL, dana_asks("a"), dana_asks("b"), kim_asks("a")];
    let request = |state, before, op| scenario("contact-support", state, before, op, vec![kim_asks("z"), dana("y")]);
    vec![
        request("first", vec![TRIAL], dana_asks("k")),
        request("the same click", vec![TRIAL, dana_asks("k")], dana_asks("k")),
        request("the third", vec![TRIAL, dana_asks("a"), kim_asks("k")], dana_asks("k")),
        request("the daily limit is reached", three, dana_asks("k")),
        request("no such subscription", vec![], dana_asks("k")),
        request("the caller is a stranger", vec![TRIAL], ask(Person::Stranger, "k")),
    ]
}

fn sign_ins() -> Vec<Scenario> {
    let sign = |state, before, op, afterwards| scenario("sign-in", state, before, op, afterwards);
    let wrong = Op::SignIn { who: UserName::Admin, password: Chosen(2), begins: "S" };
    let over = || vec![dana("z")];
    vec![
        sign("first", vec![TRIAL, kim("a")], temporary("S"), [over(), vec![reset("again", "F"), look("S")]].concat()),
        sign("again", vec![TRIAL, temporary("A")], temporary("S"), vec![reset("again", "F"), look("A"), look("S")]),
        sign("wrong password", vec![TRIAL], wrong, over()),
        sign("expired", vec![TRIAL, EXPIRE], temporary("S"), over()),
        sign(
            "after the choice of a password",
            password_chosen(),
            sign_in(UserName::Admin, "S"),
            vec![look("again"), look("F")],
        ),
        sign("first of an administrator", admin_created(), sign_in(UserName::Lee, "S"), vec![look("F"), look("again")]),
        sign(
            "an administrator again",
            [admin_created(), vec![sign_in(UserName::Lee, "L")]].concat(),
            sign_in(UserName::Lee, "S"),
            vec![look("L"), look("again")],
        ),
        sign(
            "retired",
            [admin_created(), vec![sign_in(UserName::Lee, "L")]].concat(),
            sign_in(UserName::Admin, "S"),
            over(),
        ),
        sign("sign-out", password_chosen(), Op::SignOut { session: "F" }, vec![look("F")]),
    ]
}

fn resets() -> Vec<Scenario> {
    let reset_scenario = |state, before, op, afterwards| scenario("reset-password", state, before, op, afterwards);
    let two = vec![TRIAL, dana("a"), temporary("A"), temporary("B")];
    let both = [password_chosen(), vec![sign_in(UserName::Admin, "G")]].concat();
    let wrong = Op::Reset { session: "F", current: Some(Chosen(2)), to: Chosen(1), begins: "N" };
    vec![
        reset_scenario(
            "temporary",
            two.clone(),
            reset("A", "N"),
            vec![look("B"), sign_in(UserName::Admin, "S"), temporary("T")],
        ),
        reset_scenario(
            "reset by another session",
            [two, vec![reset("B", "F")]].concat(),
            reset("A", "N"),
            vec![look("F")],
        ),
        reset_scenario("current password", both, change("F", "N"), vec![look("G"), look("F")]),
        reset_scenario("wrong current password", password_chosen(), wrong, vec![look("F")]),
    ]
}

fn creations() -> Vec<Scenario> {
    let creation = |state, before, op, afterwards| scenario("create-admin", state, before, op, afterwards);
    let lee = create("F", UserName::Lee, "lee");
    let mut all = vec![
        creation("new", password_chosen(), lee, vec![create("F", UserName::Lee, "other"), sign_in(UserName::Lee, "L")]),
        creation("the same click", admin_created(), lee, vec![sign_in(UserName::Lee, "L")]),
        creation("taken", admin_created(), create("F", UserName::Lee, "other"), vec![]),
        creation(
            "a second administrator",
            admin_created(),
            create("F", UserName::Mo, "mo"),
            vec![sign_in(UserName::Mo, "M")],
        ),
        creation(
            "retired",
            [admin_created(), vec![sign_in(UserName::Lee, "L")]].concat(),
            create("F", UserName::Mo, "mo"),
            vec![],
        ),
    ];
    all.extend(team::additions());
    all
}

fn starts() -> Vec<Scenario> {
    let start = |state, before, op, afterwards| scenario("subscription-start", state, before, op, afterwards);
    let mut all = vec![
        start("new", vec![], TRIAL, vec![dana("k"), temporary("A")]),
        start("delivered again", vec![TRIAL], TRIAL, vec![dana("k")]),
        start("paid in time", vec![TRIAL, dana("a")], PAID, vec![dana("k")]),
        start("paid after expiry", vec![TRIAL, dana("a"), EXPIRE], PAID, vec![dana("k"), kim("k"), temporary("A")]),
        start("paid when used up", used_up(), PAID, vec![dana("k"), kim("k"), temporary("A")]),
        start("paid, delivered again", next_issue(), PAID, vec![dana("k")]),
        start("paid, delivered again when used up again", used_up_twice(), PAID, vec![dana("k")]),
        start(
            "paid, with a portal user whom the desk has removed",
            desk::kim_removed(),
            PAID,
            vec![dana("k"), kim("k")],
        ),
    ];
    all.extend(team::restarts());
    all
}

fn mails() -> Vec<Scenario> {
    let mail = |state, before, mail, order, (least, most), status| {
        let action = Action::Mail { order, issue: 1, mails: (least, most), status };
        let consent = Consent::Required;
        Scenario { function: "send-mail", state, before, mail, action, consent, afterwards: vec![dana("k")] }
    };
    let ordered_again = || vec![TRIAL, TEN_MINUTES, resend(Person::Kim)];
    vec![
        mail("pending", vec![TRIAL], Mail::Ordered, 0, (1, 2), "sent"),
        mail("already sent", vec![TRIAL], Mail::Sent, 0, (1, 1), "sent"),
        mail("an older issue", next_issue(), Mail::Sent, 0, (1, 1), "sent"),
        mail("leased by a worker that died", vec![TRIAL], Mail::Leased, 0, (1, 2), "sent"),
        mail("expired", vec![TRIAL, EXPIRE], Mail::Ordered, 0, (0, 0), "not-needed"),
        mail("ordered again", ordered_again(), Mail::Ordered, 1, (1, 2), "sent"),
        Scenario { afterwards: vec![], ..mail("an older round", ordered_again(), Mail::Ordered, 0, (0, 0), "pending") },
    ]
}

fn resends() -> Vec<Scenario> {
    let (dana, kim, stranger) = (resend(Person::Dana), resend(Person::Kim), resend(Person::Stranger));
    let three = vec![TRIAL, kim, TEN_MINUTES, kim, TEN_MINUTES, kim, TEN_MINUTES];
    let bounced = vec![TRIAL, report(Report::NoSuchMailbox, 5)];
    let resend = |state, before| scenario("resend-mail", state, before, dana, vec![kim, TEN_MINUTES, kim]);
    vec![
        resend("first", vec![TRIAL]),
        resend("a minute ago", vec![TRIAL, kim, A_MINUTE]),
        resend("at the same time", vec![TRIAL, kim]),
        resend("ten minutes ago", vec![TRIAL, kim, TEN_MINUTES]),
        resend("three times", three),
        resend("used up", used_up()),
        resend("next issue", [vec![TRIAL, kim], used_up(), vec![PAID]].concat()),
        resend("signed in", vec![TRIAL, temporary("A")]),
        resend("expired", vec![TRIAL, EXPIRE]),
        resend("delivered", vec![TRIAL, report(Report::Delivered, 5)]),
        resend("bounced", bounced),
        resend("no such subscription", vec![]),
        scenario("resend-mail", "the caller is a stranger", vec![TRIAL], stranger, vec![kim]),
    ]
}

fn renewals() -> Vec<Scenario> {
    let (dana_renews, kim_renews) = (renew(Person::Dana), renew(Person::Kim));
    let renew_scenario =
        |state, before, afterwards| scenario("renew-credentials", state, before, dana_renews, afterwards);
    let of_two = || vec![kim_renews, dana("k"), temporary("A"), resend(Person::Kim)];
    let renewed = || vec![TRIAL, dana("a"), EXPIRE, kim_renews];
    let three = [renewed(), vec![EXPIRE, kim_renews, EXPIRE, kim_renews, EXPIRE]].concat();
    let bounced = vec![TRIAL, report(Report::NoSuchMailbox, 5), EXPIRE];
    vec![
        renew_scenario("expired", vec![TRIAL, kim("a"), EXPIRE], of_two()),
        renew_scenario("signed in and expired", vec![TRIAL, dana("a"), temporary("A"), EXPIRE], of_two()),
        renew_scenario("renewed a minute ago", [renewed(), vec![A_MINUTE]].concat(), of_two()),
        renew_scenario("renewed ten minutes ago", [renewed(), vec![TEN_MINUTES]].concat(), of_two()),
        renew_scenario("renewed and expired again", [renewed(), vec![EXPIRE]].concat(), vec![kim_renews, dana("k")]),
        renew_scenario("three times", three, vec![PAID]),
        renew_scenario("paid after the expiry", vec![TRIAL, EXPIRE, PAID], of_two()),
        renew_scenario("used up", [used_up(), vec![EXPIRE]].concat(), vec![PAID]),
        renew_scenario("changed", [password_chosen(), vec![EXPIRE]].concat(), vec![]),
        renew_scenario("handed over", [admin_created(), vec![EXPIRE]].concat(), vec![]),
        renew_scenario("not expired", vec![TRIAL], vec![dana("k")]),
        renew_scenario("the address bounced", bounced, vec![kim_renews]),
        renew_scenario("no such subscription", vec![], vec![]),
        scenario("renew-credentials", "the caller is a stranger", vec![TRIAL, EXPIRE], renew(Person::Stranger), vec![]),
    ]
}

fn reports() -> Vec<Scenario> {
    let reported = |state, before, what, at| {
        scenario("mail-feedback", state, before, report(what, at), vec![report(Report::Delayed, 59), dana("k")])
    };
    let (blocked, delivered) = (report(Report::Blocked, 10), report(Report::Delivered, 10));
    vec![
        reported("sent", vec![TRIAL], Report::Delivered, 5),
        reported("delivered", vec![TRIAL, delivered], Report::Complaint, 20),
        reported("delivered, and a late delay", vec![TRIAL, delivered], Report::Delayed, 5),
        reported("an earlier one of the same status", vec![TRIAL, blocked], Report::NoSuchMailbox, 5),
        reported("a later one of the same status", vec![TRIAL, blocked], Report::NoSuchMailbox, 15),
        reported("the same again", vec![TRIAL, blocked], Report::Blocked, 10),
        reported("another round", vec![TRIAL, resend(Person::Kim)], Report::NoSuchMailbox, 5),
        reported("another issue", next_issue(), Report::MailboxFull, 5),
        reported("no such subscription", vec![], Report::Delivered, 5),
    ]
}

fn reminders() -> Vec<Scenario> {
    let run = |state, before, reminders| Scenario {
        function: "send-reminders",
        state,
        before,
        mail: Mail::Sent,
        action: Action::Remind { reminders },
        consent: Consent::Required,
        afterwards: vec![dana("k")],
    };
    let used_up = || [used_up(), vec![UNTIL_REMINDER]].concat();
    vec![
        run("due", used_up(), 1),
        run("signed in", vec![TRIAL, temporary("A"), UNTIL_REMINDER], 0),
        run("another issue", [next_issue(), vec![UNTIL_REMINDER]].concat(), 1),
        run("bounced", vec![TRIAL, report(Report::Blocked, 5), UNTIL_REMINDER], 0),
    ]
}

fn publications() -> Vec<Scenario> {
    let publish = |state, before, events, notices| Scenario {
        function: "publish-events",
        state,
        before,
        mail: Mail::Sent,
        action: Action::Publish { events, notices },
        consent: Consent::Required,
        afterwards: vec![],
    };
    vec![
        publish("retrieved and signed in", vec![TRIAL, dana("a"), temporary("A")], 3, 3),
        publish("the first administrator", admin_created(), 4, 5),
    ]
}

fn refreshes() -> Vec<Scenario> {
    let (function, mail, action, consent) = ("refresh-keys", Mail::Sent, Action::Refresh, Consent::Required);
    vec![Scenario { function, state: "an earlier run", before: vec![], mail, action, consent, afterwards: vec![] }]
}

fn reading(function: &'static str, state: &'static str, before: Vec<Op>, reading: Reading) -> Scenario {
    let (action, consent) = (Action::Read(reading), Consent::Required);
    Scenario { function, state, before, mail: Mail::Sent, action, consent, afterwards: vec![] }
}

fn lists() -> Vec<Scenario> {
    vec![reading("list-subscriptions", "one subscription", vec![TRIAL, dana("a")], Reading::List)]
}

fn histories() -> Vec<Scenario> {
    vec![reading("show-history", "one retrieval", vec![TRIAL, dana("a")], Reading::History)]
}

fn pages() -> Vec<Scenario> {
    let administrator = [admin_created(), vec![sign_in(UserName::Lee, "L")]].concat();
    vec![
        reading("portal", "the list", vec![TRIAL, dana("a")], Reading::Subscriptions),
        reading("portal", "the home page", administrator, Reading::Administration { session: "L" }),
    ]
}
