//! The start of a subscription that has ended: a first one under the next issue.

use aws::{LookUpEventOutcome, Restart, RestartOutcome};
use domain::{Credential, LifeChange, SubscriptionStarted, Timestamp, WelcomeMail};
use lambda::Rejection;
use tracing::info;

use crate::{App, Progress, portal_users, refuse_another_company};

impl App {
    /// Starts an ended subscription again, whose accounts are all closed. Product, kind, address and portal users are those of the event; the
    /// service administrator keeps the name, and the former administrators stay closed.
    pub(crate) async fn restart(
        &self,
        event: &SubscriptionStarted,
        known: &Credential,
        life: &LifeChange,
        now: Timestamp,
    ) -> Result<Progress, Rejection> {
        refuse_another_company(event, known)?;
        let (Some(ended_at), closed_at) = (known.ended_at, known.closed_at) else { return Ok(Progress::LostRace) };
        if self.subscriptions.look_up_event(&known.subscription, &event.event).await? == LookUpEventOutcome::Handled {
            return Ok(Progress::Handled);
        }
        let new = self.new_credentials(&known.subscription, known.issue.next()).await?;
        let portal_users = self.welcome(event, &event.company, &portal_users(event), closed_at, now).await?;
        if portal_users.is_empty() {
            // An operator has removed them, so another delivery has started the subscription again.
            return Ok(Progress::LostRace);
        }
        let next = known.restarted(event, &portal_users, new.sealed, now, self.lifetime);
        let mail = WelcomeMail::restarted(event, self.welcome_mail, &next);
        self.expect_reminder(&next).await?;
        let restart = Restart { next: &next, hash: &new.hash, mail: &mail, event: &event.event, life };
        Ok(match self.restarts.restart(known, ended_at, &restart).await? {
            RestartOutcome::Restarted => {
                info!(outcome = "started-again", metric = "Issued");
                Progress::Handled
            }
            RestartOutcome::AlreadyHandled => Progress::Handled,
            RestartOutcome::LostRace => Progress::LostRace,
        })
    }
}
