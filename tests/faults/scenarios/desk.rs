//! The scenarios of the support desk.

use support::specification::{
    APPROVAL_LIFETIME, APPROVAL_WAIT, DeskAct, Label, Op, Operator, Password::Temporary, Person, Report, UserName,
};

use super::{
    Consent, EXPIRE, PAID, Reading, Scenario, TRIAL, admin_created, click, dana, kim, look, password_chosen, reading,
    report, scenario, sign_in, temporary, used_up,
};

const ONE_DAY: Op = Op::Wait { seconds: APPROVAL_LIFETIME };
const ONE_HOUR: Op = Op::Wait { seconds: APPROVAL_WAIT };

fn olga(key: Label, act: DeskAct) -> Op {
    Op::Desk { operator: Operator::Olga, key, act }
}

/// A reissue of the first issue, to the address on file.
fn reissue(key: Label) -> Op {
    olga(key, DeskAct::Reissue { issue: 1, to: None, keeps_old_address: false })
}

/// A reissue of the first issue to the address of another person.
fn to_sam(key: Label) -> Op {
    olga(key, DeskAct::Reissue { issue: 1, to: Some(Person::Sam), keeps_old_address: false })
}

fn add(key: Label, person: Person) -> Op {
    olga(key, DeskAct::AddPortalUser { person })
}

fn remove(key: Label, person: Person) -> Op {
    olga(key, DeskAct::RemovePortalUser { person })
}

fn unlock(key: Label, who: UserName) -> Op {
    olga(key, DeskAct::Unlock { who })
}

fn approve(key: Label, approval: Label) -> Op {
    Op::Desk { operator: Operator::Omar, key, act: DeskAct::Decide { approval, approves: true } }
}

fn reject(key: Label, approval: Label) -> Op {
    Op::Desk { operator: Operator::Omar, key, act: DeskAct::Decide { approval, approves: false } }
}

fn it(key: Label) -> Op {
    click(Person::It, key)
}

fn sam(key: Label) -> Op {
    click(Person::Sam, key)
}

/// A sign-in with the temporary password of the second issue.
fn second(begins: Label) -> Op {
    Op::SignIn { who: UserName::Admin, password: Temporary(2), begins }
}

/// A subscription that is handed over, where the administrator has the session `L`.
fn handed_over() -> Vec<Op> {
    [admin_created(), vec![sign_in(UserName::Lee, "L")]].concat()
}

/// The same, after a hundred failures to sign in as the administrator.
fn locked_out() -> Vec<Op> {
    [handed_over(), vec![Op::LockOut { who: UserName::Lee }, sign_in(UserName::Lee, "refused")]].concat()
}

/// A trial with a portal user whom the desk has removed.
pub(super) fn kim_removed() -> Vec<Op> {
    vec![TRIAL, kim("a"), remove("removal", Person::Kim)]
}

/// The scenarios of `reissue-credentials`.
pub(super) fn reissues() -> Vec<Scenario> {
    [plain_reissues(), requests_for_approval(), decisions()].concat()
}

/// The operations that show that nothing of the first issue works, and all of the second: a replay and a password of each.
fn only_the_second() -> Vec<Op> {
    vec![temporary("O"), dana("a"), sam("s"), second("N"), dana("a")]
}

fn reissue_scenario(state: &'static str, before: Vec<Op>, op: Op, afterwards: Vec<Op>) -> Scenario {
    scenario("reissue-credentials", state, before, op, afterwards)
}

fn plain_reissues() -> Vec<Scenario> {
    let issued = |state, before| reissue_scenario(state, before, reissue("k"), only_the_second());
    let another = olga("k", DeskAct::Reissue { issue: 2, to: None, keeps_old_address: false });
    let bounced = vec![TRIAL, report(Report::NoSuchMailbox, 5)];
    let undelivered = vec![TRIAL, report(Report::MailboxFull, 5)];
    vec![
        issued("issued", vec![TRIAL, dana("a")]),
        issued("retrieved three times", used_up()),
        issued("signed in", vec![TRIAL, dana("a"), temporary("A")]),
        issued("expired", vec![TRIAL, dana("a"), EXPIRE]),
        issued("undelivered", undelivered),
        issued("the same click", vec![TRIAL, dana("a"), reissue("k")]),
        issued("another click before", vec![TRIAL, dana("a"), reissue("before")]),
        issued("paid", vec![TRIAL, PAID, kim("a")]),
        reissue_scenario("the address bounced", bounced, reissue("k"), vec![temporary("O")]),
        reissue_scenario("the same key for another act", vec![TRIAL, reissue("k")], another, only_the_second()),
        reissue_scenario("no such subscription", vec![], reissue("k"), vec![]),
        Scenario {
            consent: Consent::Off,
            ..reissue_scenario(
                "changed, without approvals",
                password_chosen(),
                reissue("k"),
                vec![look("F"), dana("a")],
            )
        },
        Scenario {
            consent: Consent::Off,
            ..reissue_scenario(
                "to another address, without approvals",
                vec![TRIAL, dana("a")],
                to_sam("k"),
                vec![it("i"), sam("s"), second("N")],
            )
        },
    ]
}

fn requests_for_approval() -> Vec<Scenario> {
    let asked = |state, before, op, afterwards| reissue_scenario(state, before, op, afterwards);
    let sessions = vec![look("F"), approve("d", "k"), look("F"), temporary("O"), dana("y"), second("N")];
    let waits = vec![approve("early", "k"), ONE_HOUR, approve("d", "k"), look("L"), dana("y"), second("N")];
    let moved = vec![it("i"), sam("s"), approve("d", "k"), it("i"), sam("s"), temporary("O"), dana("a"), second("N")];
    let pending = || vec![TRIAL, dana("a"), to_sam("first")];
    vec![
        asked("to another address", vec![TRIAL, dana("a")], to_sam("k"), moved),
        asked("changed", password_chosen(), reissue("k"), sessions),
        asked("handed over", handed_over(), reissue("k"), waits),
        asked("an approval is pending", pending(), to_sam("k"), vec![reissue("p"), approve("d", "first")]),
        asked(
            "an approval has expired",
            [pending(), vec![ONE_DAY]].concat(),
            to_sam("k"),
            vec![approve("d", "first"), approve("e", "k")],
        ),
        asked("another act beside a pending approval", pending(), reissue("k"), vec![approve("d", "first"), sam("s")]),
    ]
}

fn decisions() -> Vec<Scenario> {
    let asked = || vec![TRIAL, dana("a"), to_sam("ask")];
    let added = || vec![TRIAL, dana("a"), add("ask", Person::Sam)];
    let decided = |state, before, op, afterwards| reissue_scenario(state, before, op, afterwards);
    let after = |more: &[Op]| [asked(), more.to_vec()].concat();
    let keeps = olga("ask", DeskAct::Reissue { issue: 1, to: Some(Person::Sam), keeps_old_address: true });
    let own = olga("k", DeskAct::Decide { approval: "ask", approves: true });
    let bounced = vec![TRIAL, report(Report::NoSuchMailbox, 5), to_sam("ask")];
    let moved = || vec![it("i"), sam("s"), temporary("O"), dana("a"), second("N")];
    let handed_over = [handed_over(), vec![reissue("ask")]].concat();
    vec![
        decided("approve another address", asked(), approve("k", "ask"), moved()),
        decided("approve another address, the first bounced", bounced, approve("k", "ask"), moved()),
        decided("approve, and keep the old address", vec![TRIAL, keeps], approve("k", "ask"), vec![it("i"), sam("s")]),
        decided("approve a portal user", added(), approve("k", "ask"), vec![sam("s"), approve("d", "ask")]),
        decided("reject", asked(), reject("k", "ask"), vec![it("i"), sam("s"), to_sam("next"), approve("d", "ask")]),
        decided("overtaken by a sign-in", after(&[temporary("A")]), approve("k", "ask"), vec![sam("s"), to_sam("b")]),
        decided("overtaken by an issue", after(&[reissue("other")]), approve("k", "ask"), vec![it("i"), sam("s")]),
        decided("decided before", after(&[reject("d", "ask")]), approve("k", "ask"), vec![sam("s")]),
        decided("the same click", after(&[approve("k", "ask")]), approve("k", "ask"), moved()),
        decided("by the operator who asked", asked(), own, vec![sam("s"), approve("d", "ask"), sam("s")]),
        decided("expired", after(&[ONE_DAY]), approve("k", "ask"), vec![sam("s")]),
        decided("too early", handed_over, approve("k", "ask"), vec![ONE_HOUR, approve("d", "ask"), dana("y")]),
    ]
}

/// The scenarios of `change-access`.
pub(super) fn accesses() -> Vec<Scenario> {
    let access = |state, before, op, afterwards| scenario("change-access", state, before, op, afterwards);
    let last = vec![TRIAL, remove("a", Person::Dana), remove("b", Person::Kim)];
    let three_times = [1, 2, 3].map(|n| unlock(["a", "b", "c"][n - 1], UserName::Lee));
    let lock = Op::LockOut { who: UserName::Lee };
    let often = [handed_over(), three_times.iter().flat_map(|op| [lock, *op]).collect(), vec![lock]].concat();
    let approved = vec![sam("s"), approve("d", "k"), sam("s")];
    vec![
        access("add", vec![TRIAL], add("k", Person::Sam), approved),
        access("add, handed over", handed_over(), add("k", Person::Sam), vec![approve("d", "k")]),
        access("add a portal user", vec![TRIAL], add("k", Person::Kim), vec![kim("a")]),
        access("add, an approval is pending", vec![TRIAL, to_sam("a")], add("k", Person::Sam), vec![sam("s")]),
        Scenario {
            consent: Consent::Off,
            ..access("add, without approvals", vec![TRIAL], add("k", Person::Sam), vec![sam("s")])
        },
        Scenario {
            consent: Consent::Off,
            ..access("add one who was removed, without approvals", kim_removed(), add("k", Person::Kim), vec![kim("a")])
        },
        access("remove", vec![TRIAL, kim("a")], remove("k", Person::Kim), vec![kim("a"), dana("a"), PAID, kim("b")]),
        access("remove, the same click", kim_removed(), remove("removal", Person::Kim), vec![kim("a")]),
        access("remove, another click", kim_removed(), remove("k", Person::Kim), vec![kim("a")]),
        access("remove one who is no portal user", vec![TRIAL], remove("k", Person::Sam), vec![it("a")]),
        access("remove the last", last, remove("k", Person::It), vec![it("a")]),
        access("unlock", locked_out(), unlock("k", UserName::Lee), vec![sign_in(UserName::Lee, "M")]),
        access("unlock an open account", handed_over(), unlock("k", UserName::Lee), vec![sign_in(UserName::Lee, "M")]),
        access("unlock for the fourth time", often, unlock("k", UserName::Lee), vec![sign_in(UserName::Lee, "M")]),
        access("unlock no account", handed_over(), unlock("k", UserName::Mo), vec![]),
        access("no such subscription", vec![], remove("k", Person::Kim), vec![]),
    ]
}

/// The scenarios of `support-desk`.
pub(super) fn readings() -> Vec<Scenario> {
    let asked = || vec![TRIAL, dana("a"), temporary("A"), to_sam("ask")];
    vec![
        reading("support-desk", "a search", asked(), Reading::Search),
        reading("support-desk", "a subscription", asked(), Reading::Subscription),
        reading("support-desk", "the page of a subscription", asked(), Reading::SubscriptionPage),
        reading("support-desk", "a history", asked(), Reading::SubscriptionHistory),
        reading("support-desk", "the approvals", asked(), Reading::Approvals),
    ]
}
