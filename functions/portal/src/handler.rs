//! `portal`: every path that no other function has.
//!
//! **Route**: `$default`. It has no pages yet: each path is `not-found`, and nothing is read or written.

use std::sync::Arc;

use web::{Problem, ProblemCode, Reply, Request};

/// May do nothing.
pub struct App;

/// Handles one path.
#[expect(clippy::unused_async, reason = "every handler is one, and pages will wait")]
pub async fn handle(_: Arc<App>, _: Request) -> Result<Reply, Problem> {
    Err(ProblemCode::NotFound.into())
}
