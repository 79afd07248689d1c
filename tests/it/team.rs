//! The deeds of administrators of one team together: the whole story of two of them, and those who remove each other at the same time.

use cloud::{Fault, Mode, Service};
use futures_util::{future::join_all, join};
use serde_json::Value;
use support::{Answer, Call, Deployment, TestStack};

use crate::administrators::{
    ADMIN, CHOSEN, LEE, LEES, MO, MOS, REFILL, Team, call_and_change, is_signed_in, outcome, with_retries,
};

/// The password that Lee chooses after Mo has helped.
const NEXT: &str = "nine slow trains to the coast";

#[tokio::test]
async fn lee_adds_mo_who_helps_lee_who_removes_mo() {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", ADMIN, CHOSEN).await;
    let lee = stack.first_administrator(&service, LEE, LEES).await;
    let temporary = stack.add_administrator(&lee, LEES, MO).await;

    let signed_in = stack.sign_in(MO, &temporary).await;
    assert_eq!(signed_in.next(), Some("reset-password"), "Mo must choose");
    let session = signed_in.session().unwrap();
    let forbidden = stack.call("create-admin", Call::add_admin(&session, "noor@fabrikam", &temporary)).await;
    assert_eq!(outcome(&forbidden), (403, Some("forbidden")));
    let chosen = stack.call("reset-password", Call::reset_password(&session, MOS)).await;
    assert_eq!((chosen.status, chosen.next()), (200, Some("home")));
    let mo = chosen.session().unwrap();
    stack.advance_clock(REFILL);

    let lees_id = stack.account_id(LEE).await;
    let reset = stack.call("reset-admin", Call::reset_admin(&mo, &lees_id, MOS)).await;
    assert_eq!(reset.status, 200, "in the session that the choice has begun: {reset:?}");
    assert!(!is_signed_in(&stack, &lee).await);
    stack.advance_clock(REFILL);
    let lee = stack.choose_password(LEE, reset.temporary_password().unwrap(), NEXT).await;

    let mos_id = stack.account_id(MO).await;
    let removed = stack.call("remove-admin", Call::remove_admin(&lee, &mos_id, NEXT)).await;
    assert_eq!(removed.status, 204, "{removed:?}");
    let next = stack.call("portal", Call::get("/administration").session(&mo)).await;
    assert!(next.body.as_str().unwrap().contains("data-form=\"sign-in\""), "Mo's session ends with the next request");
    for (name, password, status) in [(MO, MOS, 401), (LEE, LEES, 401), (LEE, NEXT, 200), (ADMIN, CHOSEN, 401)] {
        stack.advance_clock(REFILL);
        assert_eq!(stack.sign_in(name, password).await.status, status, "{name} {password}");
    }
    let history = stack.history("sub-1").await;
    let acts: Vec<&str> =
        history.iter().map(String::as_str).filter(|line| line.starts_with("administrator-")).collect();
    for (place, act) in [
        "administrator-created by admin@fabrikam",
        "administrator-created by lee@fabrikam",
        "administrator-reset by mo@fabrikam",
        "administrator-removed by lee@fabrikam",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(acts.iter().filter(|line| !line.contains("signed-in")).nth(place), Some(&act), "{history:#?}");
    }
}

#[tokio::test]
async fn an_added_administrator_has_signed_in_for_good_once_they_have_chosen_a_password() {
    let team = Team::start().await;
    let accounts = team.stack.items("ACCOUNT").await;
    let proven = accounts.iter().filter(|item| is_proven(item)).count();
    assert_eq!(proven, 2, "{accounts:#?}");
    let added = team.stack.history("sub-1").await;
    let count = |entry: &str| added.iter().filter(|line| *line == entry).count();
    assert_eq!(count("administrator-signed-in by mo@fabrikam"), 1, "{added:#?}");
    assert_eq!(count("service-administrator-retired by lee@fabrikam"), 1, "{added:#?}");
}

/// Returns whether an account is that of an administrator who is active, has signed in, and has a password of their own.
fn is_proven(account: &Value) -> bool {
    account["role"]["S"] == "administrator"
        && account["status"]["S"] == "active"
        && account["first_signed_in_at"].is_object()
        && account["must_change"]["BOOL"] != true
}

/// Asserts that a proven administrator is left, and returns how many there are.
async fn proven(stack: &TestStack, subscription: &str) -> usize {
    let mut accounts = stack.items("ACCOUNT").await;
    accounts.retain(|item| item["subscription_id"]["S"] == subscription && is_proven(item));
    assert!(!accounts.is_empty(), "no proven administrator is left");
    accounts.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_who_remove_each_other_at_once_remains() {
    for _ in 0..3 {
        let team = Team::start().await;
        let remove = |session: &str, id: &str, password: &str| Call::remove_admin(session, id, password);
        let (by_lee, by_mo) = join!(
            with_retries(|| team.stack.call("remove-admin", remove(&team.lee, &team.mos_id, LEES))),
            with_retries(|| team.stack.call("remove-admin", remove(&team.mo, &team.lees_id, MOS))),
        );
        let mut both = [outcome(&by_lee), outcome(&by_mo)];
        both.sort_unstable();
        assert_eq!(both, [(204, None), (401, Some("not-signed-in"))]);
        assert_eq!(proven(&team.stack, "sub-1").await, 1);
        let (left, gone) = if by_lee.status == 204 { (&team.lee, &team.mo) } else { (&team.mo, &team.lee) };
        assert!(is_signed_in(&team.stack, left).await && !is_signed_in(&team.stack, gone).await);
    }
}

#[tokio::test]
async fn an_administrator_who_is_removed_while_they_remove_the_other_changes_nothing() {
    let team = Team::start().await;
    let by_mo = team.stack.call("remove-admin", Call::remove_admin(&team.mo, &team.lees_id, MOS));
    // The removal by Lee is carried out while the one by Mo waits before its transaction, on another machine.
    let machine = team.stack.separate_machine("@lee");
    let by_lee = async {
        let answer = machine.call("remove-admin", Call::remove_admin(&team.lee, &team.mos_id, LEES)).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    };
    let answer = call_and_change(&team.stack, "remove-admin", by_mo, by_lee).await;
    assert_eq!(outcome(&answer), (401, Some("not-signed-in")));
    assert!(is_signed_in(&team.stack, &team.lee).await && !is_signed_in(&team.stack, &team.mo).await);
    assert_eq!(proven(&team.stack, "sub-1").await, 1);
}

/// The number of those who remove each other.
const CROWD: usize = 10;

/// A team of ten proven administrators, each with their session and the id of their account.
struct Crowd {
    stack: TestStack,
    members: Vec<(String, String)>,
}

impl Crowd {
    async fn start() -> Self {
        let stack = Deployment::default().with("SIGN_IN_NETWORK_BURST", "10000").start().await;
        let service = &stack.service_administrator("sub-1", ADMIN, CHOSEN).await;
        let mut members = Vec::new();
        for n in 0..CROWD {
            let create = Call::create_admin(service, &name(n), LEES);
            assert_eq!(stack.call("create-admin", create).await.status, 201);
        }
        for n in 0..CROWD {
            let session = stack.sign_in(&name(n), LEES).await.session().unwrap();
            members.push((session, stack.account_id(&name(n)).await));
        }
        stack.advance_clock(REFILL);
        assert_eq!(proven(&stack, "sub-1").await, CROWD);
        Self { stack, members }
    }

    /// Lets a member remove another one.
    async fn remove(&self, who: usize, whom: usize) -> Answer {
        let ((session, _), (_, id)) = (&self.members[who], &self.members[whom]);
        self.stack.call("remove-admin", Call::remove_admin(session, id, LEES)).await
    }

    /// Lets each member remove one or two others at once. Returns who removed whom with which answer.
    async fn remove_each_other(&self, steps: &[usize]) -> Vec<(usize, usize, Answer)> {
        let pairs = steps.iter().flat_map(|step| (0..CROWD).map(move |who| (who, (who + step) % CROWD)));
        let removals = pairs.map(async |(who, whom)| (who, whom, with_retries(|| self.remove(who, whom)).await));
        join_all(removals).await
    }

    /// Checks what must be true afterwards: a proven administrator is left, and each removed one has lost their session.
    async fn check(&self, removals: &[(usize, usize, Answer)], story: &str) {
        let left = proven(&self.stack, "sub-1").await;
        let removed: std::collections::BTreeSet<_> =
            removals.iter().filter(|(_, _, answer)| answer.status == 204).map(|(_, whom, _)| *whom).collect();
        assert_eq!(left, CROWD - removed.len(), "{story}: {removals:#?}");
        for (who, whom, answer) in removals {
            let expected = [(204, None), (401, Some("not-signed-in"))];
            assert!(expected.contains(&outcome(answer)), "{story}: {who} removes {whom}: {answer:?}");
        }
        for (n, (session, _)) in self.members.iter().enumerate() {
            assert_eq!(is_signed_in(&self.stack, session).await, !removed.contains(&n), "{story}: {n}");
        }
        let history = self.stack.history("sub-1").await;
        let entries = history.iter().filter(|line| line.starts_with("administrator-removed")).count();
        assert_eq!(entries, removed.len(), "{story}: each removal is in the history once");
    }
}

fn name(n: usize) -> String {
    format!("person-{n}@fabrikam")
}

#[tokio::test(flavor = "multi_thread")]
async fn at_least_one_of_ten_who_remove_each_other_at_once_remains() {
    for steps in [&[1][..], &[1, 9], &[5]] {
        let crowd = Crowd::start().await;
        let removals = crowd.remove_each_other(steps).await;
        crowd.check(&removals, &format!("{steps:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_least_one_of_ten_who_remove_each_other_while_calls_fail_remains() {
    for fault in [
        Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Duplicated, 100_000),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Conflict, 10),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Refused, 10),
        Fault::new(Service::DynamoDb, "*", Mode::Reset, 20),
    ] {
        let crowd = Crowd::start().await;
        crowd.stack.cloud.set_fault(fault.clone());
        let removals = crowd.remove_each_other(&[1]).await;
        crowd.stack.cloud.set_fault(Fault { count: 0, ..fault.clone() });
        // A removal may have been carried out whose answer was lost and whose retry found its own session ended.
        let left = proven(&crowd.stack, "sub-1").await;
        let removed = removals.iter().filter(|(_, _, answer)| answer.status == 204).count();
        assert!(CROWD - left >= removed, "{fault:?}: {removed} were removed, and {left} are left");
        for (who, whom, answer) in &removals {
            let done = answer.status == 204;
            let status = &crowd.stack.account(&name(*whom)).await["status"]["S"];
            assert!(!done || status == "closed", "{fault:?}: {who} removed {whom}, who is {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_who_reset_each_other_at_once_leave_a_way_in() {
    let crowd = Crowd::start().await;
    let resets = (0..CROWD).map(async |who| {
        let ((session, _), (_, id)) = (&crowd.members[who], &crowd.members[(who + 1) % CROWD]);
        with_retries(|| crowd.stack.call("reset-admin", Call::reset_admin(session, id, LEES))).await
    });
    let answers = join_all(resets).await;
    let mut shown = 0;
    for (who, answer) in answers.iter().enumerate() {
        assert!([(200, None), (401, Some("not-signed-in"))].contains(&outcome(answer)), "{answer:?}");
        if let Some(temporary) = answer.temporary_password() {
            let whom = name((who + 1) % CROWD);
            assert_eq!(crowd.stack.sign_in(&whom, temporary).await.next(), Some("reset-password"), "{whom}");
            shown += 1;
        }
    }
    // The last reset was made in a valid session, whose owner has kept their own password.
    let left = crowd.stack.items("ACCOUNT").await.iter().filter(|item| is_proven(item)).count();
    assert!(shown > 0 && left == CROWD - shown, "{shown} of ten were reset, and {left} have their own password");
}
