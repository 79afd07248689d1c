//! The states that a call can meet, each told by what was done before it.

use support::{
    Function,
    specification::{LIFETIME, Label, OWN, Op, Password::Chosen, Password::Temporary, Person, Who},
};

/// What is done while AWS fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    /// An operation, and how it is asked for again.
    Do(Op, Op),
    /// Something is looked at.
    Read(Reading),
    /// The mail of an issue, which is then mailed so many times at least and at most.
    Mail { issue: u64, mails: (usize, usize) },
}

/// What changes nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading {
    /// The list of the subscriptions.
    List,
    /// The same as a page.
    Subscriptions,
    /// The page of an administrator, who is in this session.
    Administration { session: Label },
}

/// One function in one state.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) function: &'static str,
    pub(crate) state: &'static str,
    pub(crate) before: Vec<Op>,
    /// What is left of the mail when the deed begins.
    pub(crate) mail: Mail,
    pub(crate) deed: Deed,
    /// What must be true of whoever comes afterwards.
    pub(crate) afterwards: Vec<Op>,
}

/// How far the welcome mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mail {
    Out,
    Ordered,
    /// Whoever was to send it had a lease on it when they died.
    Leased,
}

const TRIAL: Op = Op::Start { event: "trial", paid: false };
const PAID: Op = Op::Start { event: "paid", paid: true };
const EXPIRE: Op = Op::Pass { seconds: LIFETIME };

fn click(person: Person, key: &'static str) -> Op {
    Op::Retrieve { person, key }
}

fn dana(key: &'static str) -> Op {
    click(Person::Dana, key)
}

fn kim(key: &'static str) -> Op {
    click(Person::Kim, key)
}

fn temporary(begins: &'static str) -> Op {
    Op::SignIn { who: Who::Admin, password: Temporary(1), begins }
}

fn sign_in(who: Who, begins: &'static str) -> Op {
    Op::SignIn { who, password: if who == Who::Admin { Chosen(0) } else { OWN }, begins }
}

fn reset(session: &'static str, begins: &'static str) -> Op {
    Op::Reset { session, current: None, to: Chosen(0), begins }
}

fn change(session: &'static str, begins: &'static str) -> Op {
    Op::Reset { session, current: Some(Chosen(0)), to: Chosen(1), begins }
}

fn create(session: &'static str, who: Who, key: &'static str) -> Op {
    Op::Create { session, who, key }
}

fn look(session: &'static str) -> Op {
    Op::Look { session }
}

/// A trial whose three retrievals are taken.
fn used_up() -> Vec<Op> {
    vec![TRIAL, dana("a"), kim("b"), kim("c")]
}

/// Its next issue, of which nothing is taken.
fn next_issue() -> Vec<Op> {
    [used_up(), vec![PAID]].concat()
}

/// The same, and those three are taken as well.
fn used_up_twice() -> Vec<Op> {
    [next_issue(), vec![dana("a"), kim("b"), kim("c")]].concat()
}

/// Up to a full session `F` of the service administrator.
fn until_chosen() -> Vec<Op> {
    vec![TRIAL, temporary("A"), reset("A", "F")]
}

/// Up to an administrator who has not signed in.
fn until_created() -> Vec<Op> {
    [until_chosen(), vec![create("F", Who::Lee, "lee")]].concat()
}

fn scenario(function: &'static str, state: &'static str, before: Vec<Op>, op: Op, afterwards: Vec<Op>) -> Scenario {
    let again = match op {
        Op::SignIn { who, password, .. } => Op::SignIn { who, password, begins: "again" },
        Op::Reset { session, current, to, .. } => Op::Reset { session, current, to, begins: "again" },
        other => other,
    };
    Scenario { function, state, before, mail: Mail::Out, deed: Deed::Do(op, again), afterwards }
}

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    Function::ALL.iter().flat_map(|function| scenarios(*function)).collect()
}

/// The scenarios of a function, of which there is at least one.
fn scenarios(function: Function) -> Vec<Scenario> {
    let scenarios = match function {
        Function::ContactSupport => requests(),
        Function::CreateAdmin => creations(),
        Function::GetCredentials => retrievals(),
        Function::ListSubscriptions => lists(),
        Function::Portal => pages(),
        Function::ResetPassword => resets(),
        Function::SendMail => mails(),
        Function::SignIn => sign_ins(),
        Function::SubscriptionStart => starts(),
    };
    assert!(!scenarios.is_empty(), "{function} has no scenario");
    assert!(scenarios.iter().all(|scenario| scenario.function == function.name()), "a scenario is not of {function}");
    scenarios
}

fn retrievals() -> Vec<Scenario> {
    let retrieve = |state, before, op| scenario("get-credentials", state, before, op, vec![kim("z"), dana("y")]);
    vec![
        retrieve("fresh", vec![TRIAL], dana("k")),
        retrieve("retrieved by another", vec![TRIAL, kim("k")], dana("k")),
        retrieve("the last of three", vec![TRIAL, kim("k"), kim("l")], dana("k")),
        retrieve("retrieved by the same click", vec![TRIAL, dana("k")], dana("k")),
        retrieve("the same click of long ago", vec![TRIAL, dana("k"), Op::Pass { seconds: 601 }], dana("k")),
        retrieve("used up", used_up(), dana("k")),
        retrieve("used up, the same click", used_up(), dana("a")),
        retrieve("of the next issue", next_issue(), dana("k")),
        retrieve("of the next issue, the same click as in the last", next_issue(), dana("a")),
        retrieve("of the next issue, used up", used_up_twice(), dana("k")),
        retrieve("expired", vec![TRIAL, kim("a"), EXPIRE], dana("k")),
        retrieve("signed in", vec![TRIAL, kim("a"), temporary("A")], dana("k")),
        retrieve("changed", vec![TRIAL, dana("k"), temporary("A"), reset("A", "F")], dana("k")),
        retrieve("not existing", vec![], dana("k")),
        retrieve("the caller a stranger", vec![TRIAL], click(Person::Stranger, "k")),
    ]
}

fn requests() -> Vec<Scenario> {
    let ask = |person, key| Op::Ask { person, key };
    let (dana_asks, kim_asks) = (|key| ask(Person::Dana, key), |key| ask(Person::Kim, key));
    let three = vec![TRIAL, dana_asks("a"), dana_asks("b"), kim_asks("a")];
    let request = |state, before, op| scenario("contact-support", state, before, op, vec![kim_asks("z"), dana("y")]);
    vec![
        request("first", vec![TRIAL], dana_asks("k")),
        request("the same click", vec![TRIAL, dana_asks("k")], dana_asks("k")),
        request("the third", vec![TRIAL, dana_asks("a"), kim_asks("k")], dana_asks("k")),
        request("the day is full", three, dana_asks("k")),
        request("not existing", vec![], dana_asks("k")),
        request("the caller a stranger", vec![TRIAL], ask(Person::Stranger, "k")),
    ]
}

fn sign_ins() -> Vec<Scenario> {
    let sign = |state, before, op, afterwards| scenario("sign-in", state, before, op, afterwards);
    let wrong = Op::SignIn { who: Who::Admin, password: Chosen(2), begins: "S" };
    let over = || vec![dana("z")];
    vec![
        sign("first", vec![TRIAL, kim("a")], temporary("S"), [over(), vec![reset("again", "F"), look("S")]].concat()),
        sign("again", vec![TRIAL, temporary("A")], temporary("S"), vec![reset("again", "F"), look("A"), look("S")]),
        sign("wrong password", vec![TRIAL], wrong, over()),
        sign("expired", vec![TRIAL, EXPIRE], temporary("S"), over()),
        sign("password chosen", until_chosen(), sign_in(Who::Admin, "S"), vec![look("again"), look("F")]),
        sign("first of an administrator", until_created(), sign_in(Who::Lee, "S"), vec![look("F"), look("again")]),
        sign(
            "an administrator again",
            [until_created(), vec![sign_in(Who::Lee, "L")]].concat(),
            sign_in(Who::Lee, "S"),
            vec![look("L"), look("again")],
        ),
        sign("retired", [until_created(), vec![sign_in(Who::Lee, "L")]].concat(), sign_in(Who::Admin, "S"), over()),
        sign("sign-out", until_chosen(), Op::SignOut { session: "F" }, vec![look("F")]),
    ]
}

fn resets() -> Vec<Scenario> {
    let reset_of = |state, before, op, afterwards| scenario("reset-password", state, before, op, afterwards);
    let two = vec![TRIAL, dana("a"), temporary("A"), temporary("B")];
    let both = [until_chosen(), vec![sign_in(Who::Admin, "G")]].concat();
    let wrong = Op::Reset { session: "F", current: Some(Chosen(2)), to: Chosen(1), begins: "N" };
    vec![
        reset_of("temporary", two.clone(), reset("A", "N"), vec![look("B"), sign_in(Who::Admin, "S"), temporary("T")]),
        reset_of("reset by another session", [two, vec![reset("B", "F")]].concat(), reset("A", "N"), vec![look("F")]),
        reset_of("current password", both, change("F", "N"), vec![look("G"), look("F")]),
        reset_of("wrong current password", until_chosen(), wrong, vec![look("F")]),
    ]
}

fn creations() -> Vec<Scenario> {
    let creation = |state, before, op, afterwards| scenario("create-admin", state, before, op, afterwards);
    let lee = create("F", Who::Lee, "lee");
    vec![
        creation("new", until_chosen(), lee, vec![create("F", Who::Lee, "other"), sign_in(Who::Lee, "L")]),
        creation("the same click", until_created(), lee, vec![sign_in(Who::Lee, "L")]),
        creation("taken", until_created(), create("F", Who::Lee, "other"), vec![]),
        creation("a second", until_created(), create("F", Who::Mo, "mo"), vec![sign_in(Who::Mo, "M")]),
        creation(
            "retired",
            [until_created(), vec![sign_in(Who::Lee, "L")]].concat(),
            create("F", Who::Mo, "mo"),
            vec![],
        ),
    ]
}

fn starts() -> Vec<Scenario> {
    let start = |state, before, op, afterwards| scenario("subscription-start", state, before, op, afterwards);
    vec![
        start("new", vec![], TRIAL, vec![dana("k"), temporary("A")]),
        start("delivered again", vec![TRIAL], TRIAL, vec![dana("k")]),
        start("paid in time", vec![TRIAL, dana("a")], PAID, vec![dana("k")]),
        start("paid after expiry", vec![TRIAL, dana("a"), EXPIRE], PAID, vec![dana("k"), kim("k"), temporary("A")]),
        start("paid when used up", used_up(), PAID, vec![dana("k"), kim("k"), temporary("A")]),
        start("paid, delivered again", next_issue(), PAID, vec![dana("k")]),
        start("paid, delivered again when used up again", used_up_twice(), PAID, vec![dana("k")]),
    ]
}

fn mails() -> Vec<Scenario> {
    let mail = |state, before, mail, issue, mails| Scenario {
        function: "send-mail",
        state,
        before,
        mail,
        deed: Deed::Mail { issue, mails },
        afterwards: vec![dana("k")],
    };
    vec![
        mail("pending", vec![TRIAL], Mail::Ordered, 1, (1, 2)),
        mail("already sent", vec![TRIAL], Mail::Out, 1, (1, 1)),
        mail("of an older issue", next_issue(), Mail::Out, 1, (1, 1)),
        mail("leased by one who died", vec![TRIAL], Mail::Leased, 1, (1, 2)),
        mail("expired", vec![TRIAL, EXPIRE], Mail::Ordered, 1, (0, 0)),
    ]
}

fn reading(function: &'static str, state: &'static str, before: Vec<Op>, reading: Reading) -> Scenario {
    Scenario { function, state, before, mail: Mail::Out, deed: Deed::Read(reading), afterwards: vec![] }
}

fn lists() -> Vec<Scenario> {
    vec![reading("list-subscriptions", "some", vec![TRIAL, dana("a")], Reading::List)]
}

fn pages() -> Vec<Scenario> {
    let administrator = [until_created(), vec![sign_in(Who::Lee, "L")]].concat();
    vec![
        reading("portal", "the list", vec![TRIAL, dana("a")], Reading::Subscriptions),
        reading("portal", "at home", administrator, Reading::Administration { session: "L" }),
    ]
}
