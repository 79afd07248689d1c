//! How Firstkey is spoken: JSON in and out, problems, and who the customer is.
//!
//! | module | holds |
//! |---|---|
//! | [`mod@endpoint`] | the boundary of every HTTP function: the last place where a failure is seen, and the only one where it is logged |
//! | [`request`] | what may come in: a declared JSON body, parameters, the key of a click |
//! | [`reply`] | what goes out |
//! | [`cursor`] | the cursor of a list, in and out |
//! | [`cookie`] | cookies, in and out |
//! | [`problem`] | what goes wrong, outside and inside (RFC 9457) |
//! | [`same_origin`] | the rule against requests that another site makes with the customer's cookie |
//! | [`session`] | the session of the Administration Center, in its cookie |
//! | [`identity`] | who the customer is: the one verifier of ID tokens, and the principals that a token gives |

pub mod cookie;
pub mod cursor;
pub mod endpoint;
pub mod identity;
pub mod problem;
pub mod reply;
pub mod request;
pub mod same_origin;
pub mod session;

pub use endpoint::{endpoint, malformed};
pub use identity::{CodeFlow, Customer, Identity, IdentitySettings, InvalidSetting, Ties};
pub use lambda_http::Request;
pub use problem::{Problem, ProblemCode};
pub use reply::{Metric, Reply, html, json, see_other};
