//! The code that the functions of the Administration Center share: who may act on the accounts of others, how people prove that they are the owner of
//! their session, the temporary password that one administrator hands to another, and what accounts remember of attempts.
//!
//! | piece | for |
//! |---|---|
//! | [`Acts`] | a request to act on the account of another administrator |
//! | [`refuse_unproven`] | a function whose caller must be a proven administrator |
//! | [`CurrentPassword`] | a request that brings the current password along, which spends the budget of a sign-in |
//! | [`Handout`] | an answer that shows a temporary password once |
//! | [`note_success`], [`note_failure`] | the notes that follow an attempt at a password |
//! | [`forget_attempts`] | a reset, after which the account forgets its failures, devices and networks |
//! | [`forget_known_places`] | the end of an account, after which it forgets its devices and networks |
//!
//! Notes and forgetting come without a guarantee, since the budgets hold without them.

mod act;
mod current_password;
mod handout;
mod notes;
mod session;

pub use act::{Act, Acts};
pub use current_password::CurrentPassword;
pub use handout::Handout;
pub use notes::{forget_attempts, forget_known_places, note_failure, note_success};
pub use session::refuse_unproven;
