//! The part of the load that operators of the support desk play, and their customers meanwhile.

use std::time::Instant;

use provider::Person;
use serde_json::Value;
use support::{Api, Call, DESK_CLIENT, desk, table::Table};
use tokio::join;

use super::{Customer, PATIENCE, World};
use crate::observations::{Act, Attempt};

/// A click of an operator.
struct OperatorClick<'a> {
    operator: &'a str,
    key: &'a str,
    /// The code of its entry in the history.
    what: &'static str,
}

/// The functions that operators call.
const FUNCTIONS: [&str; 3] = ["support-desk", "reissue-credentials", "change-access"];

const OLGA: &str = "olga";
const OMAR: &str = "omar";

impl Customer {
    /// Returns the address of an operator. Each customer has their own, so that the load does not spend their budgets.
    pub(crate) fn operator(&self, who: &str) -> String {
        format!("{who}@desk-{}.example", self.company)
    }
}

impl World {
    /// Runs the story of a customer whose credentials are reissued: at first by one operator, beside a retrieval; and by two, after the
    /// service administrator has chosen a password.
    pub(super) async fn be_reissued(&self, customer: &Customer) -> Option<()> {
        let (service, dana) = (customer.service(), customer.person("dana"));
        self.mail(customer, 1).await?;
        let reissue = |key, issue| self.reissue(customer, key, issue);
        let clicks = async {
            self.click(customer, &dana, "first").await;
            self.ask_support(customer, &dana).await;
        };
        let (first, second, ()) = join!(reissue("first", 1), reissue("first", 1), clicks);
        first.or(second)?;
        self.click(customer, &dana, "first").await;
        let mailed = self.mail(customer, 2).await?;
        let session = self.sign_in(customer, &service, &mailed).await?;
        self.choose(customer, &service, &session, (&mailed, &customer.choice(&service, 0))).await?;
        let asked = reissue("second", 2).await?;
        let approval = asked["approval"].as_str()?;
        let decide = || self.approve(customer, approval, "second-decided");
        let (first, second, ()) = join!(decide(), decide(), self.read_desk(customer));
        first.or(second)?;
        self.observe_reissue(customer, 3);
        let center = self.administration_center(customer, 3, u32::MAX);
        join!(self.portal(customer, "3"), center);
        Some(())
    }

    /// Runs the story of a customer of whom two operators add a portal user, and one removes another one while they retrieve, and unlocks
    /// the account of the service administrator.
    pub(super) async fn have_access_changed(&self, customer: &Customer) -> Option<()> {
        let [kim, sam] = ["kim", "sam"].map(|who| customer.person(who));
        self.mail(customer, 1).await?;
        let click = OperatorClick { operator: OLGA, key: "add", what: "approval-requested" };
        let asked = self.act(customer, &click, desk::add_portal_user(&customer.id, &sam, &reason("add"))).await?;
        let approval = asked["approval"].as_str()?;
        let decide = || self.approve(customer, approval, "add-decided");
        let (first, second, _) = join!(decide(), decide(), self.retrieve(customer, &kim, "k", false));
        if first.or(second).is_some() {
            self.click(customer, &sam, "s").await;
        }
        let remove = || self.remove(customer, &kim);
        let (first, second, _) = join!(remove(), remove(), self.retrieve(customer, &kim, "k", false));
        if first.or(second).is_some() {
            self.observed.removed.lock().unwrap().push((customer.id.clone(), kim.clone(), Instant::now()));
            self.retrieve(customer, &kim, "k", false).await;
        }
        self.administration_center(customer, 1, 2).await;
        self.be_unlocked(customer).await
    }

    /// Locks the service administrator out, whose password is chosen, and has an operator unlock the account until that succeeds.
    async fn be_unlocked(&self, customer: &Customer) -> Option<()> {
        let (service, begun) = (customer.service(), Instant::now());
        let chosen = customer.choice(&service, 1);
        self.sign_in(customer, &service, &chosen).await?;
        let table = Table::connect(&self.processes.cloud.aws_url(), "test");
        table.set_number(format!("ATTEMPTS#{service}"), "ACCOUNT", "failures", 100).await;
        while begun.elapsed() < PATIENCE {
            let key = "unlock";
            let click = OperatorClick { operator: OLGA, key, what: "account-unlocked" };
            if self.act(customer, &click, desk::unlock(&service, &reason(key))).await.is_some() {
                break;
            }
        }
        let session = self.sign_in(customer, &service, &chosen).await?;
        self.create_administrators(customer, &session).await;
        self.administrators(customer).await
    }

    /// Starts the issue after `issue`, or asks for it; returns the answer.
    async fn reissue(&self, customer: &Customer, key: &str, issue: u64) -> Option<Value> {
        let what = if issue == 1 { "reissued" } else { "approval-requested" };
        let click = OperatorClick { operator: OLGA, key, what };
        let answer = self.act(customer, &click, desk::reissue(&customer.id, issue, &reason(key))).await?;
        if let Some(next) = answer["issue"].as_u64() {
            self.observe_reissue(customer, next);
        }
        Some(answer)
    }

    fn observe_reissue(&self, customer: &Customer, issue: u64) {
        self.observed.reissued.lock().unwrap().push((customer.id.clone(), issue, Instant::now()));
    }

    async fn approve(&self, customer: &Customer, approval: &str, key: &str) -> Option<Value> {
        let what = "approval-decided";
        let click = OperatorClick { operator: OMAR, key, what };
        self.act(customer, &click, desk::decide(&customer.id, approval, "approve", &reason(key))).await
    }

    async fn remove(&self, customer: &Customer, person: &str) -> Option<Value> {
        let key = "removal";
        let click = OperatorClick { operator: OLGA, key, what: "portal-user-removed" };
        self.act(customer, &click, desk::remove_portal_user(&customer.id, person, &reason(key))).await
    }

    /// Carries out a click of an operator; returns the answer if it was carried out.
    async fn act(&self, customer: &Customer, click: &OperatorClick<'_>, call: Call) -> Option<Value> {
        let operator = customer.operator(click.operator);
        let (function, call) = call.key(click.key).operator(&self.operator_token(&operator)).routed(Api::Desk);
        assert!(FUNCTIONS.contains(&function.name()), "{function}");
        let record = |one: Attempt| {
            let done = one.answer.filter(|answer| answer.status == 202);
            // Where a crash has kept a password from being chosen, a reissue needs no approval.
            let is_reissue = done.is_some_and(|answer| answer.body["issue"].is_u64());
            self.observed.acts.lock().unwrap().push(Act {
                subscription: customer.id.clone(),
                operator: operator.clone(),
                reason: reason(click.key),
                what: if is_reissue { "reissued" } else { click.what },
                answer: done.map(|answer| answer.body.clone()),
            });
        };
        let answer = self.call_until_answered(customer, function.name(), &call, record).await?;
        (answer.status == 202).then_some(answer.body)
    }

    /// Searches for the subscription, and reads what the desk shows of it.
    async fn read_desk(&self, customer: &Customer) {
        let token = self.operator_token(&customer.operator(OMAR));
        let own = format!("/desk/api/subscriptions/{}", customer.id);
        let search = Call::get("/desk/api/subscriptions").query(&format!("query={}", customer.id));
        for call in [search, Call::get(&own), Call::get(&format!("{own}/history")), Call::get("/desk/api/approvals")] {
            let (function, call) = call.operator(&token).routed(Api::Desk);
            self.call_until_answered(customer, function.name(), &call, |_| ()).await;
        }
    }

    /// Returns a new token of an operator.
    fn operator_token(&self, address: &str) -> String {
        let token = self.processes.provider.token(&Person::at_client(DESK_CLIENT, address));
        self.observed.operators.lock().unwrap().push(token.clone());
        token
    }
}

/// Returns the reason that an operator gives with the click of a key.
fn reason(key: &str) -> String {
    support::specification::reason(key)
}
