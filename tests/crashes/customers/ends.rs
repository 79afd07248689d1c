//! The part of the load that the vendor plays who ends subscriptions: some start again, and of the others nothing is left.

use std::time::{Duration, Instant};

use domain::{PurgeDay, Timestamp};
use serde_json::{Value, json};
use support::{Function, at, ended, table::Table};
use tokio::{join, time::sleep};

use super::{Customer, KINDS, PATIENCE, TRIES, World};

/// The time of an event that starts a subscription again.
const LATER: &str = "2026-11-21T09:00:00Z";

impl Customer {
    /// Returns whether the ended subscription is deleted instead of started again.
    pub(crate) fn is_purged(&self) -> bool {
        self.ends() && self.number.is_multiple_of(KINDS)
    }
}

impl World {
    /// Ends the subscription of a customer whose administrators are signed in, while one of them signs in again. Then it starts again, or
    /// everything of it is deleted.
    pub(super) async fn end(&self, customer: &Customer) -> Option<()> {
        self.administration_center(customer, 1, u32::MAX).await;
        let lee = customer.account("lee");
        let [first, second] = [1, 2].map(|time| customer.choice(&lee, time));
        let known: [&str; 2] = [&second, &first];
        join!(self.deliver_end(customer), self.deliver_end(customer), self.sign_in_with_any(customer, &lee, &known),);
        self.await_closed(customer).await?;
        if customer.is_purged() { self.purge(customer).await } else { self.start_again(customer).await }
    }

    async fn deliver_end(&self, customer: &Customer) {
        // The queue redelivers a failed event.
        drop(self.processes.cloud.deliver(ended(&customer.id)).await);
    }

    /// Waits until the end is complete.
    async fn await_closed(&self, customer: &Customer) -> Option<()> {
        let (table, begun) = (self.table(), Instant::now());
        while begun.elapsed() < PATIENCE {
            let credential = table.get(format!("SUBSCRIPTION#{}", customer.id), "CREDENTIAL").await?;
            if credential.contains_key("closed_at") {
                self.observed.ended.lock().unwrap().push((customer.id.clone(), Instant::now()));
                return Some(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        None
    }

    /// Delivers the event that starts the subscription again, twice at once. The service administrator creates an administrator.
    async fn start_again(&self, customer: &Customer) -> Option<()> {
        let (service, noor) = (customer.service(), customer.account("noor"));
        let later = || async { drop(self.processes.cloud.deliver(at(customer.event("trial"), LATER)).await) };
        let ((), (), mailed) = join!(later(), later(), self.mail(customer, 2));
        let (mailed, chosen) = (mailed?, customer.choice(&service, 2));
        let session = self.sign_in(customer, &service, &mailed).await?;
        let session = self.choose(customer, &service, &session, (&mailed, &chosen)).await?;
        let own = customer.choice(&noor, 1);
        self.create(customer, &session, &noor, &own).await;
        self.sign_in(customer, &noor, &own).await.map(drop)
    }

    /// Moves the deletion of the subscription to today, and runs the schedule until a run succeeds and nothing is left.
    async fn purge(&self, customer: &Customer) -> Option<()> {
        self.move_purge_to_today(customer).await;
        let tick: Value = serde_json::from_str(&Function::PurgeSubscriptions.event()).unwrap();
        for _ in 0..TRIES {
            let done = self.processes.invoke("purge-subscriptions", &tick).await.is_ok();
            let table = self.table();
            let credential = table.get(format!("SUBSCRIPTION#{}", customer.id), "CREDENTIAL").await;
            match credential {
                None if done => {
                    self.observed.purged.lock().unwrap().push(customer.id.clone());
                    return Some(());
                }
                // A run that was interrupted has the subscription to itself for a quarter of an hour.
                Some(credential) if credential.contains_key("purging_until") => {
                    let pk = format!("SUBSCRIPTION#{}", customer.id);
                    table.set_number_if_present(pk, "CREDENTIAL", "purging_until", 1).await;
                }
                _ => {}
            }
        }
        None
    }

    /// Deletes what a run that was killed has left.
    pub(crate) async fn finish_purges(&self, customers: &[Customer]) {
        let ended: Vec<_> = self.observed.ended.lock().unwrap().iter().map(|(id, _)| id.clone()).collect();
        let is_left = |customer: &&Customer| {
            let purged = self.observed.purged.lock().unwrap().contains(&customer.id);
            customer.is_purged() && ended.contains(&customer.id) && !purged
        };
        for customer in customers.iter().filter(is_left) {
            self.purge(customer).await;
        }
    }

    /// Returns whether the subscription of a customer has ended and not started again.
    pub(crate) async fn is_over(&self, customer: &Customer) -> bool {
        let credential = self.table().get(format!("SUBSCRIPTION#{}", customer.id), "CREDENTIAL").await;
        customer.ends() && credential.is_none_or(|credential| credential.contains_key("ended_at"))
    }

    async fn move_purge_to_today(&self, customer: &Customer) {
        let table = self.table();
        let own = format!("SUBSCRIPTION#{}#", customer.id);
        let is_own = |item: &Value| {
            let key = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
            key("PK").starts_with("PURGE#") && key("SK").starts_with(&own)
        };
        let today = PurgeDay::from_time(Timestamp::from_epoch_seconds(self.processes.cloud.clock().epoch_seconds()));
        for mut item in self.processes.cloud.dump_table().await.unwrap().into_iter().filter(is_own) {
            table.delete(&item).await;
            item["PK"] = json!({ "S": format!("PURGE#{today}") });
            table.put(&item).await;
        }
    }

    fn table(&self) -> Table {
        Table::connect(&self.processes.cloud.aws_url(), "test")
    }
}
