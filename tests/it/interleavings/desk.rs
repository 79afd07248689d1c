//! Operators of the support desk beside each other, customers, administrators and the vendor: reissues, decisions on approvals, removals of
//! portal users, and the unlocking of an account that failures of strangers close.

use support::{
    desk::{self, Scope},
    specification::{
        APPROVAL_WAIT,
        Operator::{Olga, Omar},
        Person::{Dana, It, Kim, Sam},
    },
};

use super::{
    renewals::{PAID, RENEW},
    *,
};

/// The clicks in the portal after an order: a replay, and those of everyone else whom operators add or remove.
const AFTERWARDS: [(Person, Label); 4] = [(Kim, "a"), (It, "i"), (Sam, "s"), (Dana, "d")];

impl Bench {
    /// Starts a stack where sensitive acts take two operators, with customers who are signed in.
    async fn start_desk(is_step: fn(&HeldCall) -> bool) -> (Self, World) {
        let (mut bench, world) = Self::start_with(&[], State::started().with_desk_lines(), is_step).await;
        bench.has_desk = true;
        bench.sign_customers_in(0);
        (bench, world)
    }

    /// Carries out an act of an operator. Returns the answer, and the id of the approval that it asks for or decides on.
    pub(super) async fn act(
        &self,
        world: &World,
        (operator, key, act): (Operator, Label, DeskAct),
        worker: Option<usize>,
    ) -> (Reply, Option<String>) {
        let (subscription, company) = (&world.subscription(), &company(world.number));
        let scope = Scope { subscription, company, people: PEOPLE };
        let (function, call) = desk::request(&scope, key, act, |asked| world.approvals[asked].clone());
        // Each copy has its own operators, so that no budget runs out.
        let token = self.stack.operator_token(&format!("{operator}@desk-{}.example", world.number));
        let answer = self.call(worker, function, call.operator(&token)).await;
        if answer.status != 202 {
            return (reply(answer.status, answer.problem().unwrap_or_default()), None);
        }
        let approval = answer.body["approval"].as_str().map(str::to_owned);
        let id = |asked: Label| world.approvals.get(asked).or(approval.as_ref()).cloned().unwrap_or_default();
        ((202, desk::describe(key, act, &answer.body, id)), approval)
    }

    /// Lets strangers close an account. Beside other operations this is the hundredth failure in a row, and alone it is all of them.
    pub(super) async fn lock_out(&self, world: &World, who: UserName, worker: Option<usize>) -> Reply {
        if worker.is_none() {
            self.set_failures(world, who, 100).await;
            return reply(200, "");
        }
        let guess = Call::sign_in(&world.user_name(who), CHOICES[1]);
        let answer = self.call(worker, "sign-in", guess).await;
        if answer.status == 401 { reply(200, "") } else { reply(answer.status, "not a wrong password") }
    }

    async fn set_failures(&self, world: &World, who: UserName, failures: i64) {
        let attempts = format!("ATTEMPTS#{}", world.user_name(who));
        self.table.set_number(attempts, "ACCOUNT", "failures", failures).await;
    }

    /// Checks that the mails of an order are ordered, then tries the portal for everyone, every session and every password.
    pub(super) async fn try_at_both_sites(&self, mut world: World, mails_before: u64, story: &str) {
        self.count_mails(&world, mails_before, story).await;
        for (person, key) in AFTERWARDS {
            let op = retrieve(person, key);
            let (answer, _) = self.perform(&world, op, None).await;
            assert_eq!(answer, world.state.apply(op), "{op} {story}");
        }
        self.try_everything(world, story).await;
    }
}

/// Returns whether a call is a step where failures are counted beside an operator.
fn is_step_or_failure(call: &HeldCall) -> bool {
    let is_failures = key(call).is_some_and(|key| key.starts_with("ATTEMPTS#")) && sort_key(call) == Some("ACCOUNT");
    is_step(call) || is_failures
}

fn click(operator: Operator, key: Label, act: DeskAct) -> Op {
    Desk { operator, key, act }
}

fn retrieve(person: Person, key: Label) -> Op {
    Retrieve { person, key }
}

fn to_sam(key: Label) -> Op {
    click(Olga, key, DeskAct::Reissue { issue: 1, to: Some(Sam), keeps_old_address: false })
}

fn approve(approval: Label) -> Op {
    click(Omar, "yes", DeskAct::Decide { approval, approves: true })
}

fn remove(person: Person) -> Op {
    click(Omar, "removal", DeskAct::RemovePortalUser { person })
}

impl Bench {
    /// Runs the pairs in every order of their steps; with `FIRSTKEY_FULL` more pairs too, and triples in some orders.
    async fn run_with_more<const L: usize, const M: usize, const N: usize>(
        &mut self,
        start: &Snapshot,
        pairs: [[Op; 2]; L],
        more: [[Op; 2]; M],
        triples: [[Op; 3]; N],
    ) {
        self.run_together(start, pairs, []).await;
        if support::has_env("FIRSTKEY_FULL") {
            self.run_together(start, more, triples).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reissue_voids_what_happens_before_it_and_refuses_what_comes_later() {
    let (mut bench, mut world) = Bench::start_desk(is_step).await;
    let start = bench.perform_all(&mut world, [retrieve(Kim, "a")]).await;
    let (next, replay, third) = (reissue(1), retrieve(Kim, "a"), with_temporary(1, "C"));
    let other = click(Omar, "other", DeskAct::Reissue { issue: 1, to: None, keeps_old_address: false });
    let pairs = [[next, retrieve(Dana, "b")], [next, replay], [next, third], [next, next]];
    let triples = [[next, retrieve(Dana, "b"), third], [next, replay, other]];
    bench.run_with_more(&start, pairs, [[next, other]], triples).await;

    let start = bench.perform_all(&mut world, [with_temporary(1, "A"), with_temporary(1, "B")]).await;
    let first = reset("A", 1, "F");
    bench.run_with_more(&start, [[next, first]], [[next, third]], [[next, first, reset("B", 2, "G")]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_or_a_paid_event_beside_a_reissue_starts_one_issue() {
    let (mut bench, mut world) = Bench::start_desk(is_step).await;
    bench.perform_all(&mut world, [retrieve(Kim, "a")]).await;
    let start = bench.expire(&mut world).await;
    let next = reissue(1);
    bench.run_with_more(&start, [[next, RENEW], [next, PAID]], [], [[next, RENEW, PAID]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_is_approved_for_the_state_that_the_asker_saw_or_not_at_all() {
    let (mut bench, mut world) = Bench::start_desk(is_step).await;
    let start = bench.perform_all(&mut world, [retrieve(Kim, "a"), to_sam("ask")]).await;
    let (yes, next, first) = (approve("ask"), reissue(1), with_temporary(1, "A"));
    let decide = |key, approves| click(Omar, key, DeskAct::Decide { approval: "ask", approves });
    let (no, again) = (decide("no", false), decide("again", true));
    let more = [[yes, again], [yes, yes], [yes, retrieve(It, "i")], [yes, retrieve(Sam, "s")], [yes, remove(It)]];
    let (pairs, longer) = ([[yes, first], [yes, next], [yes, no]], [[yes, next, first], [yes, no, next]]);
    Box::pin(bench.run_with_more(&start, pairs, more, longer)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_password_is_voided_by_an_approval_unless_the_subscription_is_handed_over_before() {
    let (mut bench, mut world) = Bench::start_desk(is_step).await;
    bench.perform_all(&mut world, until_chosen()).await;
    let start = bench.perform_all(&mut world, [reissue(1)]).await;
    let (yes, lee, change) = (approve("first"), create("F", Lee, "lee"), change("F", 1, "G"));
    bench.run_with_more(&start, [[yes, lee]], [[yes, change], [yes, sign_in(Admin, "N")]], [[yes, lee, change]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_after_its_wait_leaves_the_administrators_at_work() {
    if !support::has_env("FIRSTKEY_FULL") {
        println!("left out without FIRSTKEY_FULL");
        return;
    }
    let (mut bench, mut world) = Bench::start_desk(is_step).await;
    bench.perform_all(&mut world, until_created()).await;
    bench.perform_all(&mut world, [sign_in(Lee, "L"), reissue(1)]).await;
    let wait = APPROVAL_WAIT.cast_signed();
    bench.stack.advance_clock(wait);
    bench.machines.iter().for_each(|machine| machine.advance_clock(wait));
    world.state.apply(Op::Wait { seconds: APPROVAL_WAIT });
    let start = bench.snapshot(&world).await;
    let (yes, mo) = (approve("first"), add("L", Mo, "mo"));
    bench.run_together(&start, [[yes, mo], [yes, sign_in(Lee, "M")]], [[yes, mo, sign_in(Lee, "M")]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_user_who_is_removed_sees_nothing_after_that_not_even_by_a_replay() {
    let (mut bench, mut world) = Bench::start_desk(is_step).await;
    let add_sam = click(Olga, "ask", DeskAct::AddPortalUser { person: Sam });
    let start = bench.perform_all(&mut world, [retrieve(Kim, "a"), add_sam]).await;
    let (gone, replay, new, yes) = (remove(Kim), retrieve(Kim, "a"), retrieve(Kim, "b"), approve("ask"));
    let pairs = [[gone, replay], [gone, new], [gone, yes]];
    let triples = [[gone, replay, new], [gone, new, reissue(1)]];
    bench.run_with_more(&start, pairs, [[gone, reissue(1)], [gone, gone]], triples).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_unlocked_after_its_hundredth_failure_alone() {
    let (mut bench, mut world) = Bench::start_desk(is_step_or_failure).await;
    bench.perform_all(&mut world, until_created()).await;
    bench.perform_all(&mut world, [sign_in(Lee, "L")]).await;
    bench.set_failures(&world, Lee, 99).await;
    let start = bench.snapshot(&world).await;
    let unlock = |operator, key| click(operator, key, DeskAct::Unlock { who: Lee });
    let (open, other) = (unlock(Olga, "open"), unlock(Omar, "other"));
    bench.run_with_more(&start, [[open, LockOut { who: Lee }]], [], []).await;

    let start = bench.perform_all(&mut world, [LockOut { who: Lee }]).await;
    let guess = SignIn { who: Lee, password: Chosen(1), begins: "none" };
    bench.run_with_more(&start, [[open, guess], [open, open]], [[open, other]], [[open, guess, other]]).await;
}
