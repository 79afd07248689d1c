//! The reissue that an operator makes or asks for.

use aws::{ActOutcome, AnsweredClick, Consent, DeskState};
use domain::{Approval, ApprovalId, ApprovalPolicy, DeskAct, EmailAddress, Issue, NewCredentials, Reason};
use serde::{Deserialize, Serialize};
use web::{
    Metric, Problem, ProblemCode, Request,
    acts::{LookedUp, accepted},
};

use crate::{App, Click, Done, carry_out::Order, written};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    reason: String,
    email: Option<String>,
    keep_old_address: Option<bool>,
    if_issue: u32,
}

#[derive(Serialize)]
struct Asked<'a> {
    approval: &'a ApprovalId,
}

/// The reissue that an operator wants.
pub(crate) struct Wish {
    reason: Reason,
    email: Option<EmailAddress>,
    keeps_old_address: bool,
    if_issue: Issue,
}

impl Wish {
    /// Parses the body. SES must be able to send to the address.
    pub(crate) fn parse(request: &Request) -> Result<Self, Problem> {
        let input: Input = web::request::body(request)?;
        Ok(input.check().ok_or(ProblemCode::InvalidRequest)?)
    }
}

impl Input {
    fn check(self) -> Option<Wish> {
        let email = match &self.email {
            Some(email) => Some(EmailAddress::parse_leniently(email).filter(EmailAddress::can_be_mailed)?),
            None => None,
        };
        Some(Wish {
            reason: Reason::parse(&self.reason)?,
            email,
            keeps_old_address: self.keep_old_address.unwrap_or_default(),
            if_issue: Issue::new(self.if_issue)?,
        })
    }
}

impl App {
    /// Reissues the credentials, or asks for the approval of a sensitive reissue.
    pub(crate) async fn reissue(&self, click: &Click, wish: &Wish) -> Result<Done, Problem> {
        let mut new = None;
        for _ in 0..aws::RACES {
            let known = match self.look_up(click).await? {
                LookedUp::New(known) => known,
                LookedUp::Answered(reply) => return Ok(Done { reply, voided: None }),
            };
            if known.credential.ended_at.is_some() || known.credential.issue != wish.if_issue {
                return Err(ProblemCode::Conflict.into());
            }
            if let Some(done) = self.reissue_once(click, &known, wish, &mut new).await? {
                return Ok(done);
            }
        }
        Err(Problem::lost_races())
    }

    /// Returns `None` if another writer was faster.
    async fn reissue_once(
        &self,
        click: &Click,
        known: &DeskState,
        wish: &Wish,
        new: &mut Option<NewCredentials>,
    ) -> Result<Option<Done>, Problem> {
        let act = DeskAct::reissue(wish.email.clone(), wish.keeps_old_address, &known.mail.to);
        let change = act.portal_user_change(&known.credential, &known.mail.to);
        let next = known.credential.with_portal_users(&change).ok_or(ProblemCode::Conflict)?;
        let consent = if act.is_sensitive(&known.credential) {
            click.by.refuse_bearer()?;
            match self.approval_policy {
                ApprovalPolicy::Required => return self.ask(click, known, act, &wish.reason).await,
                ApprovalPolicy::Off => Consent::Waived,
            }
        } else {
            Consent::Unneeded
        };
        let order = Order { act: &act, next, change, reason: &wish.reason, consent, answer: None };
        self.carry_out(click, known, order, new).await
    }

    /// Asks for an approval. Returns `None` if another writer was faster.
    async fn ask(
        &self,
        click: &Click,
        known: &DeskState,
        act: DeskAct,
        reason: &Reason,
    ) -> Result<Option<Done>, Problem> {
        if known.approval.as_ref().is_some_and(|approval| approval.is_pending(click.at)) {
            return Err(ProblemCode::Conflict.into());
        }
        let id = ApprovalId::new(click.at, lambda::random_bytes());
        let answer = written(&Asked { approval: &id })?;
        let (state, asker) = ((&known.credential, &known.mail), (&click.by.operator, reason));
        let approval = Approval::new(id, act, state, asker, self.approval_wait, click.at);
        let answered = AnsweredClick { click: &click.id, answer: &answer };
        Ok(match self.acts.ask(known, &approval, answered).await? {
            ActOutcome::Done => {
                let reply = Metric::count("ApprovalRequested", accepted(answer));
                Some(Done { reply, voided: None })
            }
            ActOutcome::LostRace => None,
        })
    }
}
