//! Renewals beside each other and beside what else may happen at the expiry of the temporary password: a paid event, a retrieval, a sign-in
//! and an order to send the mail again. The last three may begin just before the expiry, on a machine whose clock is a second behind.

use domain::{Issue, SealedPassword, SubscriptionId, TemporaryPassword};
use support::{
    specification::{
        LIFETIME,
        Person::{Dana, Kim},
    },
    table::address,
};

use super::*;

/// The machine whose clock is behind where an operation begins just before the expiry.
const LATE: usize = 1;

/// The key of the retrieval that the test makes after an order.
const AFTERWARDS: Label = "afterwards";

impl Bench {
    /// Lets the temporary password expire, and signs the customers in to the portal.
    pub(super) async fn expire(&mut self, world: &mut World) -> Snapshot {
        let lifetime = LIFETIME.cast_signed();
        self.stack.advance_clock(lifetime);
        self.machines.iter().for_each(|machine| machine.advance_clock(lifetime));
        world.state.apply(Op::Wait { seconds: LIFETIME });
        self.sign_customers_in(-60);
        self.snapshot(world).await
    }

    pub(super) fn sign_customers_in(&mut self, seconds: i64) {
        let issued_at = json!({ "iat": self.machines[0].now() + seconds });
        let token = |who| self.stack.token_with(&address(who, PEOPLE), &issued_at);
        self.tokens = Person::ALL.map(|who| (who, token(who))).into();
    }

    /// Puts the clock of the second machine behind by some seconds.
    fn put_late_machine_behind(&mut self, seconds: u64) {
        self.machines[LATE].advance_clock(self.behind[LATE].cast_signed() - seconds.cast_signed());
        self.behind[LATE] = seconds;
    }

    /// Seals the temporary password of a copied subscription for it. A sealed password is bound to its subscription.
    pub(super) async fn seal(&self, copied: &World, world: usize, item: &mut Item) {
        let issue = read_number(item, "issue");
        let password = TemporaryPassword::from_unsealed(copied.temporary[&issue].clone().into_bytes()).unwrap();
        let subscription = SubscriptionId::parse(&subscription(world)).unwrap();
        let issue = Issue::new(issue.try_into().unwrap()).unwrap();
        let password = self.sealer.seal(&password, &subscription, issue).await.unwrap();
        item.insert("sealed_password".to_owned(), AttributeValue::B(Blob::new(password.as_bytes())));
    }

    /// Unseals the temporary password of an issue that has begun.
    #[expect(clippy::disallowed_methods, reason = "the tests sign in with it")]
    pub(super) async fn learn_temporary_password(&self, world: &mut World) {
        let credential = format!("SUBSCRIPTION#{}", world.subscription());
        let credential = self.table.get(credential, "CREDENTIAL").await.unwrap();
        let (issue, sealed) = (read_number(&credential, "issue"), credential.get("sealed_password"));
        let Some(sealed) = sealed.filter(|_| !world.temporary.contains_key(&issue)) else { return };
        let sealed = SealedPassword::new(sealed.as_b().unwrap().clone().into_inner());
        let subscription = SubscriptionId::parse(&world.subscription()).unwrap();
        let number = Issue::new(issue.try_into().unwrap()).unwrap();
        let password = self.unsealer.unseal(&sealed, &subscription, number).await.unwrap();
        world.temporary.insert(issue, password.expose_secret().to_owned());
        world.passwords.insert(Temporary(issue));
    }

    /// Carries out an operation of a customer or of the vendor.
    pub(super) async fn perform_for_customer(&self, world: &World, op: Op, worker: Option<usize>) -> Reply {
        let subscription = world.subscription();
        let (function, call) = match op {
            Retrieve { person, key } => {
                ("get-credentials", Call::get_credentials(&subscription).bearer(&self.tokens[&person]).key(key))
            }
            Renew { person } => {
                ("renew-credentials", Call::renew_credentials(&subscription).bearer(&self.tokens[&person]))
            }
            Resend { person } => ("resend-mail", Call::resend_mail(&subscription).bearer(&self.tokens[&person])),
            Start { event, paid } => return self.deliver(world, (event, paid), worker.unwrap_or_default()).await,
            other => panic!("{other} is not tested here"),
        };
        let answer = self.call(worker, function, call).await;
        let used = &answer.body["retrievals"]["used"];
        match (op, answer.status, answer.password()) {
            (Retrieve { .. }, 200, Some(password)) => {
                let issue = world.temporary.iter().find(|(_, known)| *known == password).map(|(issue, _)| *issue);
                // The password of an issue that begins in the same order is learned after it.
                let issue = issue.unwrap_or_else(|| world.temporary.keys().max().unwrap() + 1);
                (200, format!("the password of issue {issue}, {used} used"))
            }
            (Retrieve { .. }, 200, None) => (200, format!("blank: {}; {used} used", answer.reasons().join(", "))),
            (Renew { .. }, 202, _) => (202, format!("issue {}", answer.body["issue"])),
            (_, status, _) => reply(status, answer.problem().unwrap_or_default()),
        }
    }

    async fn deliver(&self, world: &World, (id, paid): (Label, bool), worker: usize) -> Reply {
        let mut started = event(&world.subscription(), if paid { "paid" } else { "trial" });
        started["id"] = id.into();
        started["detail"]["company"]["id"] = company(world.number).into();
        let message = json!({ "messageId": "message", "body": started.to_string() });
        let is_done = self.machines[worker].consume("subscription-start", &[message]).await;
        if is_done { reply(200, "done") } else { reply(503, "unavailable") }
    }

    /// Checks that an order has ordered the mails that the specification says.
    pub(super) async fn count_mails(&self, world: &World, mails_before: u64, story: &str) {
        self.stack.cloud.drained().await.unwrap();
        let orders = self.stack.take_mail_orders(&world.subscription());
        assert_eq!(orders.len() as u64, world.state.mails - mails_before, "mails that are ordered, {story}");
    }

    /// Checks that every issue and round that an order has begun was mailed once, and that the portal shows the password of the current
    /// issue, which signs in as the specification says. The password of the first issue must not.
    pub(super) async fn try_current_issue(&self, world: &World, mails_before: u64, story: &str) {
        self.count_mails(world, mails_before, story).await;
        let mut state = world.state.clone();
        let (old, token) = self.perform(world, with_temporary(1, "try"), None).await;
        assert_eq!((&old, token), (&state.apply(with_temporary(1, "try")), None), "the old password, {story}");
        let call = Call::get_credentials(&world.subscription()).bearer(&self.tokens[&Kim]).key(AFTERWARDS);
        let shown = self.call(None, "get-credentials", call).await;
        let (_, expected) = state.apply(Retrieve { person: Kim, key: AFTERWARDS });
        let is_shown = expected.starts_with("the password of issue");
        assert_eq!(shown.password().is_some(), is_shown, "{expected}, {story}");
        if let Some(password) = shown.password() {
            let signed_in = self.call(None, "sign-in", Call::sign_in(&world.user_name(Admin), password)).await;
            assert_eq!(signed_in.next(), Some("reset-password"), "the new password, {story}");
        }
    }
}

pub(super) const RENEW: Op = Renew { person: Dana };
const RENEW_TOO: Op = Renew { person: Kim };
pub(super) const PAID: Op = Start { event: "paid", paid: true };

fn retrieve(key: Label) -> Op {
    Retrieve { person: Kim, key }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_renewals_and_a_paid_event_at_once_start_one_issue() {
    let (mut bench, mut world) = Bench::start().await;
    let start = bench.expire(&mut world).await;
    let pairs = [[RENEW, RENEW_TOO], [RENEW, PAID]];
    bench.run_together(&start, pairs, [[RENEW, PAID, RENEW_TOO], [PAID, RENEW, retrieve("c")]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retrieval_at_the_expiry_is_in_the_history_before_the_renewal_or_shows_nothing_of_the_old_issue() {
    let (mut bench, mut world) = Bench::start().await;
    bench.sign_customers_in(0);
    bench.perform_all(&mut world, [retrieve("a")]).await;
    let start = bench.expire(&mut world).await;
    bench.run_together(&start, [[RENEW, retrieve("b")]], []).await;
    bench.put_late_machine_behind(1);
    bench
        .run_together(
            &start,
            [[RENEW, retrieve("b")]],
            [[RENEW, retrieve("b"), RENEW_TOO], [RENEW, retrieve("b"), PAID]],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_retrieval_at_the_expiry_keeps_the_renewal_out_or_is_kept_out_by_it() {
    let (mut bench, mut world) = Bench::start().await;
    bench.sign_customers_in(0);
    bench.perform_all(&mut world, [retrieve("a"), retrieve("b")]).await;
    let start = bench.expire(&mut world).await;
    bench.put_late_machine_behind(1);
    bench.run_together(&start, [[RENEW, retrieve("c")]], [[RENEW, retrieve("c"), RENEW_TOO]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_with_the_old_password_just_before_its_expiry_ends_with_the_renewal_or_is_refused() {
    let (mut bench, mut world) = Bench::start().await;
    bench.sign_customers_in(0);
    bench.perform_all(&mut world, [retrieve("a")]).await;
    let start = bench.expire(&mut world).await;
    bench.put_late_machine_behind(1);
    let old = with_temporary(1, "A");
    bench.run_together(&start, [[RENEW, old]], [[RENEW, old, RENEW_TOO], [RENEW, old, PAID]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_ordered_again_beside_a_renewal_is_of_the_old_issue_or_refused() {
    let (mut bench, mut world) = Bench::start().await;
    let start = bench.expire(&mut world).await;
    let again = Resend { person: Kim };
    bench.run_together(&start, [[RENEW, again]], []).await;
    bench.put_late_machine_behind(1);
    bench.run_together(&start, [[RENEW, again]], [[RENEW, again, RENEW_TOO], [RENEW, again, PAID]]).await;
}
