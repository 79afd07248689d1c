//! The HTTP side of Firstkey: requests and answers in JSON, problems, sessions, and the identity of the customer.
//!
//! | module | holds |
//! |---|---|
//! | [`mod@endpoint`] | the boundary of every HTTP function, where each request is logged and each failure becomes an answer |
//! | [`request`] | parsing of requests: a declared JSON body, parameters, the idempotency key |
//! | [`reply`] | answers |
//! | [`acts`] | acts of operators at the support desk |
//! | [`cookie`] | cookies of requests and replies |
//! | [`problem`] | problems (RFC 9457): a code for the caller, a cause for the log |
//! | [`same_origin`] | protection against cross-site request forgery |
//! | [`session`] | the session cookie of the Administration Center |
//! | [`sign_in`] | sign-ins and sign-outs at the identity provider of a site |
//! | [`device`] | the device cookie, by which an account knows a browser again |
//! | [`identity`] | the identities of customers and operators: the verifier of ID tokens, and what a token gives |

pub mod acts;
pub mod cookie;
pub mod cursor;
pub mod device;
pub mod endpoint;
pub mod identity;
pub mod problem;
pub mod reply;
pub mod request;
pub mod same_origin;
pub mod session;
pub mod sign_in;

pub use endpoint::{endpoint, malformed};
pub use identity::{
    ClientSecretSource, CodeFlow, Customer, Deadline, Identity, IdentitySettings, InvalidSetting, LogoutHint,
    OperatorIdentity, OperatorSettings, Presentation, ReadClientSecret, SignedInOperator, Site, TokenRefusal,
};
pub use lambda_http::Request;
pub use problem::{Problem, ProblemCode};
pub use reply::{Metric, Reply, html, json, see_other};
pub use sign_in::{Redeemed, SignIn, SignInOutcome, SignInRefusal, SignIns};
