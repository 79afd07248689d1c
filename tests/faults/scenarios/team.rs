//! The scenarios of administrators who add, help and remove each other, and of the end of a subscription.

use support::specification::{
    ADMINISTRATOR_PASSWORD, DeskAct, Label, Op, Operator,
    Password::{self, Chosen, HandedOut, Temporary},
    UserName::{self, Admin, Lee, Mo},
};

use super::{
    Action, Consent, Mail, Scenario, TRIAL, admin_created, dana, kim, look, password_chosen, scenario, sign_in,
    temporary, used_up,
};

/// The password that Mo chooses.
const MOS: Password = Chosen(2);

/// The time after which an ended subscription is deleted, and a day.
const RETENTION: Op = Op::Wait { seconds: 401 * 24 * 60 * 60 };

pub(super) const END: Op = Op::End { at: 1 };

/// A start after [`END`].
const RESTART: Op = Op::Restart { event: "restart", at: 2 };

fn add(key: Label, gives: Label) -> Op {
    Op::Add { session: "L", who: Mo, current: ADMINISTRATOR_PASSWORD, key, gives }
}

fn help(who: UserName, gives: Label) -> Op {
    Op::Help { session: "L", who, current: ADMINISTRATOR_PASSWORD, gives }
}

fn remove(who: UserName) -> Op {
    Op::Remove { session: "L", who, current: ADMINISTRATOR_PASSWORD }
}

/// The removal of Lee by Mo.
const BACK: Op = Op::Remove { session: "M", who: Lee, current: MOS };

fn mo_signs_in(password: Password, begins: Label) -> Op {
    Op::SignIn { who: Mo, password, begins }
}

fn mo_chooses(session: Label, begins: Label) -> Op {
    Op::Reset { session, current: None, to: MOS, begins }
}

/// A subscription that is handed over to Lee, whose session is `L`.
fn handed_over() -> Vec<Op> {
    [admin_created(), vec![sign_in(Lee, "L")]].concat()
}

/// The same, with Mo, whom Lee has added and who has not signed in.
fn added() -> Vec<Op> {
    [handed_over(), vec![add("mo", "first")]].concat()
}

/// The same, after Mo has chosen a password, in the session `M`.
pub(super) fn proven() -> Vec<Op> {
    [added(), vec![mo_signs_in(HandedOut("first"), "m"), mo_chooses("m", "M")]].concat()
}

fn after(before: Vec<Op>, more: &[Op]) -> Vec<Op> {
    [before, more.to_vec()].concat()
}

/// The operations that show which temporary password of Mo works, and that it has to be changed.
fn mo_comes_in() -> Vec<Op> {
    vec![
        look("M"),
        mo_signs_in(MOS, "old"),
        mo_signs_in(HandedOut("one"), "n"),
        mo_signs_in(HandedOut("again"), "n"),
        help(Mo, "later"),
        mo_signs_in(HandedOut("later"), "o"),
        Op::Remove { session: "o", who: Lee, current: HandedOut("later") },
        mo_chooses("o", "N"),
        look("L"),
    ]
}

/// The scenarios of `create-admin` in a session of an administrator.
pub(super) fn additions() -> Vec<Scenario> {
    let addition = |state, before, op, afterwards| scenario("create-admin", state, before, op, afterwards);
    let wrong = Op::Add { session: "L", who: Mo, current: Chosen(1), key: "k", gives: "one" };
    let by_service = Op::Add { session: "F", who: Mo, current: Chosen(0), key: "k", gives: "one" };
    vec![
        addition("added", handed_over(), add("k", "one"), mo_comes_in()),
        addition("added by the same click", added(), add("mo", "one"), vec![mo_signs_in(HandedOut("first"), "m")]),
        addition("added, the name is taken", added(), add("k", "one"), vec![mo_signs_in(HandedOut("first"), "m")]),
        addition("added with a wrong password", handed_over(), wrong, vec![look("L")]),
        addition("added by the service administrator", password_chosen(), by_service, vec![look("F")]),
        addition("added by one who was removed", after(proven(), &[BACK]), add("mo", "one"), vec![look("L")]),
        addition("added after the end", after(handed_over(), &[END]), add("k", "one"), vec![]),
    ]
}

/// The scenarios of `reset-admin`.
pub(super) fn resets() -> Vec<Scenario> {
    let reset = |state, before, op, afterwards| scenario("reset-admin", state, before, op, afterwards);
    let wrong = Op::Help { session: "L", who: Mo, current: Chosen(1), gives: "one" };
    let at_once = Op::Help { session: "M", who: Lee, current: MOS, gives: "back" };
    vec![
        reset("proven", proven(), help(Mo, "one"), mo_comes_in()),
        reset("never signed in", added(), help(Mo, "one"), mo_comes_in()),
        reset("removed", after(proven(), &[remove(Mo)]), help(Mo, "one"), mo_comes_in()),
        reset("wrong password", proven(), wrong, vec![look("M")]),
        reset("own account", proven(), help(Lee, "one"), vec![look("L")]),
        reset("the service administrator", proven(), help(Admin, "one"), vec![look("M")]),
        reset("no such account", handed_over(), help(Mo, "one"), vec![]),
        reset("reset by the other one", after(proven(), &[at_once]), help(Mo, "one"), vec![look("M"), look("L")]),
        reset("ended", after(proven(), &[END]), help(Mo, "one"), vec![look("M")]),
    ]
}

/// The scenarios of `remove-admin`.
pub(super) fn removals() -> Vec<Scenario> {
    let removal = |state, before, op, afterwards| scenario("remove-admin", state, before, op, afterwards);
    let wrong = Op::Remove { session: "L", who: Mo, current: Chosen(1) };
    let reissue = DeskAct::Reissue { issue: 1, to: None, keeps_old_address: false };
    let reissue = Op::Desk { operator: Operator::Olga, key: "reissue", act: reissue };
    let reopened = after(handed_over(), &[reissue, dana("y")]);
    let second = |begins| Op::SignIn { who: Admin, password: Temporary(2), begins };
    let used = after(reopened.clone(), &[second("S")]);
    let gone = || {
        vec![look("M"), mo_signs_in(MOS, "n"), BACK, look("L"), help(Mo, "later"), mo_signs_in(HandedOut("later"), "o")]
    };
    let alone = |scenario| Scenario { consent: Consent::Off, ..scenario };
    vec![
        removal("proven", proven(), remove(Mo), gone()),
        removal("never signed in", added(), remove(Mo), vec![mo_signs_in(HandedOut("first"), "n")]),
        removal("removed before", after(proven(), &[remove(Mo)]), remove(Mo), gone()),
        removal("removed by the other one", after(proven(), &[BACK]), remove(Mo), vec![look("M"), look("L")]),
        removal("wrong password", proven(), wrong, vec![look("M")]),
        removal("own account", proven(), remove(Lee), vec![look("L")]),
        removal("the last administrator", added(), remove(Lee), vec![look("L")]),
        removal("no such account", handed_over(), remove(Mo), vec![look("L")]),
        removal("ended", after(proven(), &[END]), remove(Mo), vec![]),
        alone(removal("the service administrator", reopened, remove(Admin), vec![dana("y"), kim("z"), second("N")])),
        alone(removal("the service administrator, signed in", used, remove(Admin), vec![look("S"), second("N")])),
    ]
}

/// The scenarios of `subscription-end`.
pub(super) fn ends() -> Vec<Scenario> {
    let end = |state, before, op, afterwards| scenario("subscription-end", state, before, op, afterwards);
    let nothing_works = || {
        vec![look("L"), look("M"), sign_in(Lee, "n"), mo_signs_in(MOS, "n"), dana("z"), RESTART, dana("y"), look("L")]
    };
    let older = Op::Restart { event: "later", at: 4 };
    vec![
        end("handed over", proven(), END, nothing_works()),
        end("issued", vec![TRIAL, dana("a")], END, vec![dana("a"), temporary("A"), RESTART, dana("b")]),
        end("signed in", vec![TRIAL, temporary("A")], END, vec![look("A"), temporary("B")]),
        end("one was removed", after(proven(), &[remove(Mo)]), END, nothing_works()),
        end("the same again", after(proven(), &[END]), END, nothing_works()),
        end(
            "a later one",
            after(proven(), &[END]),
            Op::End { at: 5 },
            vec![Op::Restart { event: "old", at: 3 }, look("L")],
        ),
        end("older than the start", after(handed_over(), &[older]), Op::End { at: 3 }, vec![look("L")]),
        end("as old as the start", after(handed_over(), &[older]), Op::End { at: 4 }, vec![look("L")]),
        end("started again", after(proven(), &[END, RESTART]), END, vec![temporary("A"), dana("k")]),
        end("not known", vec![], END, vec![TRIAL, RESTART, dana("k")]),
    ]
}

/// The scenarios of `subscription-start` that are about an end.
pub(super) fn restarts() -> Vec<Scenario> {
    let start = |state, before, op, afterwards| scenario("subscription-start", state, before, op, afterwards);
    let second = |begins| Op::SignIn { who: Admin, password: Temporary(2), begins };
    let again = || vec![dana("k"), look("L"), sign_in(Lee, "n"), second("A"), help(Mo, "one")];
    let used_up = after(used_up(), &[END]);
    vec![
        start("after an end", after(proven(), &[END]), RESTART, again()),
        start("after an end, used up", used_up, RESTART, vec![dana("a"), kim("k"), second("A")]),
        start("after an end, delivered again", after(proven(), &[END, RESTART]), RESTART, again()),
        start("as old as the end", after(proven(), &[END]), Op::Restart { event: "old", at: 1 }, vec![look("L")]),
        start(
            "a later one without an end",
            handed_over(),
            Op::Restart { event: "later", at: 4 },
            vec![Op::End { at: 3 }, look("L"), Op::End { at: 5 }, look("L")],
        ),
    ]
}

/// The scenarios of `purge-subscriptions`.
pub(super) fn purges() -> Vec<Scenario> {
    let purge = |state, before, afterwards| {
        let (function, mail, action) = ("purge-subscriptions", Mail::Sent, Action::Purge);
        Scenario { function, state, before, mail, action, consent: Consent::Required, afterwards }
    };
    vec![
        purge("ended", after(proven(), &[END, RETENTION]), vec![TRIAL]),
        purge("started again", after(proven(), &[END, RESTART, RETENTION]), vec![dana("k"), TRIAL]),
    ]
}
