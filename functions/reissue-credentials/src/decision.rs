//! The decision of a second operator on an approval.

use aws::{ActOutcome, AnsweredClick, Consent, DeskState};
use domain::{Approval, ApprovalId, ApprovalOutcome, Decision, DecisionRefusal, NewCredentials, Reason, Verdict};
use serde::{Deserialize, Serialize};
use tracing::info;
use web::{
    Problem, ProblemCode, Request,
    acts::{LookedUp, accepted},
};

use crate::{App, Click, Done, carry_out::Order, written};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    decision: String,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Output<'a> {
    approval: &'a ApprovalId,
    outcome: ApprovalOutcome,
}

/// The verdict of a second operator, with a reason if they give one.
pub(crate) struct GivenVerdict {
    verdict: Verdict,
    reason: Option<Reason>,
}

impl GivenVerdict {
    /// Parses the body. An empty reason counts as absent.
    pub(crate) fn parse(request: &Request) -> Result<Self, Problem> {
        let input: Input = web::request::body(request)?;
        Ok(input.check().ok_or(ProblemCode::InvalidRequest)?)
    }
}

impl Input {
    fn check(self) -> Option<GivenVerdict> {
        let reason = match self.reason.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(reason) => Some(Reason::parse(reason)?),
        };
        Some(GivenVerdict { verdict: Verdict::parse(&self.decision)?, reason })
    }
}

impl App {
    /// Decides on the approval with this id, and carries out what is approved.
    pub(crate) async fn decide(&self, click: &Click, id: &ApprovalId, given: &GivenVerdict) -> Result<Done, Problem> {
        click.by.refuse_bearer()?;
        let mut new = None;
        for _ in 0..aws::RACES {
            let known = match self.look_up(click).await? {
                LookedUp::New(known) => known,
                LookedUp::Answered(reply) => return Ok(Done { reply, voided: None }),
            };
            let approval = known.approval.as_ref().filter(|approval| approval.id == *id);
            let approval = approval.ok_or(ProblemCode::NotFound)?;
            if let Some(done) = self.decide_once(click, &known, approval, given, &mut new).await? {
                return Ok(done);
            }
        }
        Err(Problem::lost_races())
    }

    /// Returns `None` if another writer was faster.
    async fn decide_once(
        &self,
        click: &Click,
        known: &DeskState,
        approval: &Approval,
        given: &GivenVerdict,
        new: &mut Option<NewCredentials>,
    ) -> Result<Option<Done>, Problem> {
        let (state, decider) = ((&known.credential, &known.mail), (&click.by.operator, click.by.signed_in_at));
        let outcome = approval.judge(given.verdict, state, decider, click.at).map_err(refused)?;
        let change = approval.act.portal_user_change(&known.credential, &known.mail.to);
        let (outcome, next) = match (outcome, known.credential.with_portal_users(&change)) {
            (ApprovalOutcome::Approved, None) => (ApprovalOutcome::Overtaken, None),
            (outcome, next) => (outcome, next),
        };
        let decision = Decision { outcome, by: click.by.operator.clone(), at: click.at };
        let answer = written(&Output { approval: &approval.id, outcome })?;
        let done = match (outcome, next) {
            (ApprovalOutcome::Approved, Some(next)) => {
                let consent = Consent::Given { approval, decision: &decision, reason: given.reason.as_ref() };
                let (act, reason) = (&approval.act, &approval.reason);
                let order = Order { act, next, change, reason, consent, answer: Some(answer) };
                self.carry_out(click, known, order, new).await?
            }
            _ => self.settle(click, known, approval, &decision, given.reason.as_ref(), &answer).await?,
        };
        if done.is_some() {
            info!(metric = "ApprovalDecided", reason = outcome.as_str(), "an approval is decided");
        }
        match outcome {
            ApprovalOutcome::Overtaken if done.is_some() => Err(ProblemCode::Conflict.into()),
            ApprovalOutcome::Approved | ApprovalOutcome::Rejected | ApprovalOutcome::Overtaken => Ok(done),
        }
    }

    /// Records a decision with which nothing is carried out. Returns `None` if another writer was faster.
    async fn settle(
        &self,
        click: &Click,
        known: &DeskState,
        approval: &Approval,
        decision: &Decision,
        reason: Option<&Reason>,
        answer: &str,
    ) -> Result<Option<Done>, Problem> {
        // An overtaken approval is answered with a problem, now and whenever the click is retried.
        let is_rejected = decision.outcome == ApprovalOutcome::Rejected;
        let answered = is_rejected.then_some(AnsweredClick { click: &click.id, answer });
        Ok(match self.acts.settle(known, approval, decision, reason, answered).await? {
            ActOutcome::Done => Some(Done { reply: accepted(answer.to_owned()), voided: None }),
            ActOutcome::LostRace => None,
        })
    }
}

fn refused(refusal: DecisionRefusal) -> ProblemCode {
    match refusal {
        DecisionRefusal::OwnRequest | DecisionRefusal::SignInTooOld => ProblemCode::Forbidden,
        DecisionRefusal::AlreadyDecided(_) | DecisionRefusal::Expired | DecisionRefusal::TooEarly(_) => {
            ProblemCode::Conflict
        }
    }
}
