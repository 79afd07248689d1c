//! Acts of operators at the support desk: what each of them passes before it is carried out, and its answer.

use domain::{LookUpActOutcome, Operator, SpendActOutcome};
use http::StatusCode;

use crate::{
    problem::{Problem, ProblemCode},
    reply::{self, Reply},
};

/// The state that an act begins with, or the answer that its click has had before.
pub enum LookedUp<T> {
    /// The click is new.
    New(Box<T>),
    /// An earlier attempt of the click was carried out and had this answer.
    Answered(Reply),
}

/// Refuses an act of an operator whose budget is exhausted. The log has the operator, by whom the guide finds the other acts.
pub fn admit(operator: &Operator, spent: SpendActOutcome) -> Result<(), Problem> {
    match spent {
        SpendActOutcome::Admitted => Ok(()),
        SpendActOutcome::Exhausted { retry_after } => {
            tracing::warn!(
                metric = "OperatorLimited",
                operator = %operator.person,
                "an operator has used up the budget of acts"
            );
            Err(Problem::too_many_attempts(retry_after))
        }
    }
}

/// Returns what an act begins with. A key that was used for another request is a conflict.
pub fn looked_up<T>(outcome: LookUpActOutcome<T>) -> Result<LookedUp<T>, ProblemCode> {
    match outcome {
        LookUpActOutcome::New(state) => Ok(LookedUp::New(state)),
        LookUpActOutcome::Answered(answer) => Ok(LookedUp::Answered(accepted(answer))),
        LookUpActOutcome::AnotherRequest => Err(ProblemCode::Conflict),
        LookUpActOutcome::NotFound => Err(ProblemCode::NotFound),
    }
}

/// Returns the answer of an act that is carried out: a JSON object as text, which the mark of the click keeps.
#[must_use]
pub fn accepted(answer: String) -> Reply {
    reply::json_text(StatusCode::ACCEPTED, answer)
}
