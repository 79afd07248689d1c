//! The act itself, once it may be carried out: at once, or with the decision of a second operator.

use aws::{ActOutcome, AnsweredClick, Consent, DeskState, OperatorAct, Reissue};
use domain::{
    Credential, DeskAct, EmailAddress, Issue, MailStatus, NewCredentials, PortalUserChange, Reason, SubscriptionId,
    TemporaryPassword, Timestamp, WelcomeMail,
};
use serde::Serialize;
use web::{Metric, Problem, acts::accepted};

use crate::{App, Click, Done, written};

/// An act that may be carried out.
pub(crate) struct Order<'a> {
    pub(crate) act: &'a DeskAct,
    /// The credential of today with the portal users of `change`.
    pub(crate) next: Credential,
    pub(crate) change: PortalUserChange,
    pub(crate) reason: &'a Reason,
    pub(crate) consent: Consent<'a>,
    /// The body of the answer; absent for that of the act itself.
    pub(crate) answer: Option<String>,
}

#[derive(Serialize)]
struct Output {
    issue: Issue,
    expires_at: Timestamp,
    welcome_mail: MailOutput,
}

#[derive(Serialize)]
struct MailOutput {
    status: MailStatus,
    at: Timestamp,
    to: String,
}

impl App {
    /// Carries out an act. `new` keeps the credentials of the next issue, which is the same one after a lost race. Returns `None` if another
    /// writer was faster.
    pub(crate) async fn carry_out(
        &self,
        click: &Click,
        known: &DeskState,
        order: Order<'_>,
        new: &mut Option<NewCredentials>,
    ) -> Result<Option<Done>, Problem> {
        match order.act {
            DeskAct::Reissue { email, .. } => {
                let new = match new {
                    Some(new) => new.clone(),
                    None => new.insert(self.new_credentials(&known.credential).await?).clone(),
                };
                self.start_issue(click, known, order, email.as_ref(), new).await
            }
            DeskAct::AddPortalUser(_) => self.add_portal_user(click, known, order).await,
        }
    }

    /// Starts the next issue.
    async fn start_issue(
        &self,
        click: &Click,
        known: &DeskState,
        order: Order<'_>,
        email: Option<&EmailAddress>,
        new: NewCredentials,
    ) -> Result<Option<Done>, Problem> {
        let next = order.next.reissued(new.sealed, click.at, self.lifetime);
        let mail = known.mail.clone().reissued(&next, email, self.welcome_mail);
        let answer = match order.answer {
            Some(answer) => answer,
            None => written(&Output::new(&next, &mail))?,
        };
        let reissue = Reissue {
            next: &next,
            hash: &new.hash,
            mail: &mail,
            change: &order.change,
            reminder_at: next.reminder_due_at(self.reminder_before),
        };
        let act = act(click, order.reason, order.consent, &answer);
        Ok(match self.reissues.reissue(known, &reissue, &act).await? {
            ActOutcome::Done => {
                let reply = Metric::count("Reissued", accepted(answer));
                Some(Done { reply, voided: Some(next.user_name) })
            }
            ActOutcome::LostRace => None,
        })
    }

    /// Adds a portal user, whose approval is decided with it.
    async fn add_portal_user(
        &self,
        click: &Click,
        known: &DeskState,
        order: Order<'_>,
    ) -> Result<Option<Done>, Problem> {
        let answer = order.answer.unwrap_or_else(|| "{}".to_owned());
        let act = act(click, order.reason, order.consent, &answer);
        Ok(match self.acts.change_portal_users(known, &order.next, &order.change, &act).await? {
            ActOutcome::Done => {
                let reply = Metric::count("PortalUserChanged", accepted(answer));
                Some(Done { reply, voided: None })
            }
            ActOutcome::LostRace => None,
        })
    }

    /// Generates a temporary password for the issue after that of `known`, and returns it sealed for the portal and the mail and hashed for
    /// the sign-in.
    async fn new_credentials(&self, known: &Credential) -> Result<NewCredentials, Problem> {
        let (subscription, issue): (&SubscriptionId, Issue) = (&known.subscription, known.issue.next());
        let password = TemporaryPassword::generate(lambda::random);
        let (sealed, hash) =
            tokio::join!(self.sealer.seal(&password, subscription, issue), self.hasher.hash_temporary(&password));
        Ok(NewCredentials { sealed: sealed?, hash: hash? })
    }
}

fn act<'a>(click: &'a Click, reason: &'a Reason, consent: Consent<'a>, answer: &'a str) -> OperatorAct<'a> {
    let answered = AnsweredClick { click: &click.id, answer };
    OperatorAct { operator: &click.by.operator, reason, consent, answered, at: click.at }
}

impl Output {
    fn new(next: &Credential, mail: &WelcomeMail) -> Self {
        let welcome_mail = MailOutput { status: mail.status, at: mail.at, to: mail.to.to_string() };
        Self { issue: next.issue, expires_at: next.expires_at, welcome_mail }
    }
}
