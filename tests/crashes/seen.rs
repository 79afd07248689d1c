//! What people saw: the witness of the invariants. It knows what nobody keeps: who was told what, and when.

use std::{collections::HashMap, sync::Mutex, time::Instant};

use support::Answer;

/// One try of a click on **Go**.
pub(crate) struct Click {
    pub(crate) subscription: String,
    pub(crate) person: String,
    pub(crate) key: String,
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
    /// The password, where one was shown.
    pub(crate) shown: Option<String>,
    /// Why none was shown.
    pub(crate) reasons: Vec<String>,
    /// Somebody of another company asked.
    pub(crate) stranger: bool,
    /// Nothing where there was no answer.
    pub(crate) status: Option<u16>,
}

/// One try to sign in.
pub(crate) struct SignIn {
    pub(crate) user_name: String,
    pub(crate) password: String,
    pub(crate) answered: Instant,
    /// What began, where it was acknowledged.
    pub(crate) session: Option<String>,
}

/// One try to choose a password.
pub(crate) struct Reset {
    pub(crate) user_name: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// What began, where it was acknowledged.
    pub(crate) session: Option<String>,
}

/// One try to create an administrator.
pub(crate) struct Creation {
    pub(crate) user_name: String,
    pub(crate) password: String,
    /// The account, where it was acknowledged.
    pub(crate) account_id: Option<String>,
}

/// Everything.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) clicks: Mutex<Vec<Click>>,
    pub(crate) sign_ins: Mutex<Vec<SignIn>>,
    pub(crate) resets: Mutex<Vec<Reset>>,
    pub(crate) creations: Mutex<Vec<Creation>>,
    /// Sessions whose end was acknowledged.
    pub(crate) left: Mutex<Vec<String>>,
    /// Who waited for the mail of which issue.
    pub(crate) expected: Mutex<Vec<(String, u64)>>,
    /// By person.
    pub(crate) tokens: Mutex<HashMap<String, String>>,
    /// The body of every answer that is a problem, after customer and function.
    pub(crate) problems: Mutex<Vec<String>>,
}

/// One try of anything.
pub(crate) struct Try<'a> {
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
    /// Nothing where the process died, or did not answer in time.
    pub(crate) answer: Option<&'a Answer>,
}

impl Try<'_> {
    /// The session that began, where it was acknowledged.
    pub(crate) fn session(&self) -> Option<String> {
        self.answer.filter(|answer| answer.status == 200).and_then(Answer::session)
    }
}

impl Seen {
    /// Every password, token and session that anybody has had, each once.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut all = self.tokens.lock().unwrap().values().cloned().collect::<Vec<_>>();
        all.extend(self.clicks.lock().unwrap().iter().filter_map(|click| click.shown.clone()));
        for SignIn { password, session, .. } in &*self.sign_ins.lock().unwrap() {
            all.extend(session.clone().into_iter().chain([password.clone()]));
        }
        for Reset { to, session, .. } in &*self.resets.lock().unwrap() {
            all.extend(session.clone().into_iter().chain([to.clone()]));
        }
        all.extend(self.creations.lock().unwrap().iter().map(|creation| creation.password.clone()));
        all.sort();
        all.dedup();
        all
    }
}
