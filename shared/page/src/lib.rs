//! The parts that every page is made of, at the portal and at the support desk.
//!
//! | module | holds |
//! |---|---|
//! | [`brand`] | the vendor's name, colour and logo |
//! | [`asset`] | static files, named by a hash of their content; the base of every style sheet, and the script that others import |
//! | [`language`] | the language of a page: the one that its reader has chosen, or the one that their browser prefers |
//! | [`reply`](mod@reply) | the answer with a page: its headers, and its content security policy |
//! | [`text`] | texts with markup for a value, such as a time |

pub mod asset;
pub mod brand;
pub mod language;
pub mod reply;
pub mod text;

pub use asset::Asset;
pub use brand::{Brand, InvalidBrand};
pub use language::Choice;
pub use reply::{Frame, Policy, is_navigation, reply};
pub use text::Filled;
