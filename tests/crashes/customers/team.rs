//! The part of the load that administrators play who add, help and remove each other.

use std::time::Instant;

use support::{Answer, Call, table::Table};
use tokio::join;

use super::{Customer, World};
use crate::observations::{Attempt, Creation, Handout};

/// An administrator who acts, with the session and the current password.
#[derive(Clone, Copy)]
struct Actor<'a> {
    session: &'a str,
    password: &'a str,
}

impl World {
    /// Runs the story of a team: Lee enters the product, adds Noor and helps Mo, both choose passwords, and then Lee and Noor remove each other.
    pub(super) async fn be_a_team(&self, customer: &Customer) -> Option<()> {
        self.administration_center(customer, 1, u32::MAX).await;
        let [lee, mo, noor] = ["lee", "mo", "noor"].map(|who| customer.account(who));
        let (session, password) = self.come_in(customer, &lee, &[2, 1]).await?;
        self.enter_product(customer, &session).await;
        let actor = Actor { session: &session, password: &password };
        let add = || self.add(customer, actor, &noor);
        let given = if customer.impatient {
            let (first, second) = join!(add(), add());
            first.or(second)
        } else {
            add().await
        };
        // Where the answer with the password was lost, a reset gives another one.
        let given = match given.flatten() {
            Some(given) => given,
            None => self.help(customer, actor, &noor).await?,
        };
        let noors = self.choose_own(customer, &noor, &given, 1);
        let mos = async {
            let given = self.help(customer, actor, &mo).await?;
            self.choose_own(customer, &mo, &given, 2).await
        };
        let (noors, _) = join!(noors, mos);
        let (noors, own) = (noors?, customer.choice(&noor, 1));
        let back = Actor { session: &noors, password: &own };
        join!(self.remove_administrator(customer, actor, &noor), self.remove_administrator(customer, back, &lee));
        Some(())
    }

    /// Signs in with one of the passwords that the owner of an account has chosen. Returns session and password.
    async fn come_in(&self, customer: &Customer, user_name: &str, times: &[u32]) -> Option<(String, String)> {
        for time in times {
            let password = customer.choice(user_name, *time);
            if let Some(session) = self.sign_in(customer, user_name, &password).await {
                return Some((session, password));
            }
        }
        None
    }

    /// Signs in with a temporary password and chooses another one. Returns the session.
    async fn choose_own(&self, customer: &Customer, user_name: &str, given: &str, time: u32) -> Option<String> {
        let session = self.sign_in(customer, user_name, given).await?;
        self.choose(customer, user_name, &session, (given, &customer.choice(user_name, time))).await
    }

    /// Adds an administrator. Returns the temporary password, if the answer shows one.
    async fn add(&self, customer: &Customer, actor: Actor<'_>, user_name: &str) -> Option<Option<String>> {
        let call = Call::add_admin(actor.session, user_name, actor.password).key(user_name);
        let record = |one: Attempt| {
            let created = one.answer.filter(|answer| answer.status == 201);
            let account_id = created.and_then(|answer| Some(answer.body["account_id"].as_str()?.to_owned()));
            let (name, password) = (user_name.to_owned(), actor.password.to_owned());
            self.observed.creations.lock().unwrap().push(Creation { user_name: name, password, account_id });
            self.note_handout(user_name, &one);
        };
        let answer = self.call_until_answered(customer, "create-admin", &call, record).await?;
        (answer.status == 201).then(|| answer.temporary_password().map(str::to_owned))
    }

    /// Resets the password of an administrator. Returns the temporary password.
    async fn help(&self, customer: &Customer, actor: Actor<'_>, user_name: &str) -> Option<String> {
        let call = Call::reset_admin(actor.session, &self.account_id(user_name).await?, actor.password);
        let record = |one: Attempt| self.note_handout(user_name, &one);
        let answer = self.call_until_answered(customer, "reset-admin", &call, record).await?;
        answer.temporary_password().map(str::to_owned)
    }

    fn note_handout(&self, user_name: &str, one: &Attempt) {
        let password = one.answer.and_then(Answer::temporary_password).map(str::to_owned);
        let (user_name, asked) = (user_name.to_owned(), one.asked);
        self.observed.handouts.lock().unwrap().push(Handout { user_name, password, asked });
    }

    async fn remove_administrator(&self, customer: &Customer, actor: Actor<'_>, user_name: &str) -> Option<()> {
        let call = Call::remove_admin(actor.session, &self.account_id(user_name).await?, actor.password);
        let answer = self.call_until_answered(customer, "remove-admin", &call, |_| ()).await?;
        if answer.status == 204 {
            self.observed.dismissed.lock().unwrap().push((user_name.to_owned(), Instant::now()));
        }
        Some(())
    }

    /// Returns the id of an account, which the team page shows.
    async fn account_id(&self, user_name: &str) -> Option<String> {
        let table = Table::connect(&self.processes.cloud.aws_url(), "test");
        let account = table.get(format!("ACCOUNT#{user_name}"), "ACCOUNT").await?;
        Some(account["account_id"].as_s().unwrap().clone())
    }
}
