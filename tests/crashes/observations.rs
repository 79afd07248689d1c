//! The answers that people got, which the invariants are checked against. No item of the table stores them.

use std::{collections::HashMap, sync::Mutex, time::Instant};

use serde_json::Value;
use support::Answer;

/// One attempt of a click on **Go**.
pub(crate) struct Click {
    pub(crate) subscription: String,
    pub(crate) person: String,
    pub(crate) key: String,
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
    /// The password, if the answer shows one.
    pub(crate) shown: Option<String>,
    /// The reasons why no password was shown.
    pub(crate) reasons: Vec<String>,
    /// Whether the person is from another company.
    pub(crate) stranger: bool,
    /// The status, if there was an answer.
    pub(crate) status: Option<u16>,
}

/// One attempt to sign in.
pub(crate) struct SignIn {
    pub(crate) user_name: String,
    pub(crate) password: String,
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
    /// The session that began, if it was acknowledged.
    pub(crate) session: Option<String>,
}

/// One attempt to choose a password.
pub(crate) struct Reset {
    pub(crate) user_name: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// The session that began, if it was acknowledged.
    pub(crate) session: Option<String>,
}

/// One attempt to create an administrator.
pub(crate) struct Creation {
    pub(crate) user_name: String,
    pub(crate) password: String,
    /// The id of the account, if it was acknowledged.
    pub(crate) account_id: Option<String>,
}

/// One attempt to give an administrator a temporary password.
pub(crate) struct Handout {
    pub(crate) user_name: String,
    /// The password, if the answer shows one.
    pub(crate) password: Option<String>,
    pub(crate) asked: Instant,
}

/// One attempt of the product to redeem a code.
pub(crate) struct CodeUse {
    pub(crate) subscription: String,
    pub(crate) code: String,
    /// The access token, if the answer gives one.
    pub(crate) token: Option<String>,
    /// Whether the answer says that the code is not valid.
    pub(crate) is_refused: bool,
}

/// One attempt of a click of an operator.
pub(crate) struct Act {
    pub(crate) subscription: String,
    /// The operator's address.
    pub(crate) operator: String,
    /// The reason, which only this click gives.
    pub(crate) reason: String,
    /// The code of the entry in the history that the click makes.
    pub(crate) what: &'static str,
    /// The answer, if the click was carried out.
    pub(crate) answer: Option<Value>,
}

/// Everything that people observed.
#[derive(Default)]
pub(crate) struct Observations {
    pub(crate) clicks: Mutex<Vec<Click>>,
    pub(crate) sign_ins: Mutex<Vec<SignIn>>,
    pub(crate) resets: Mutex<Vec<Reset>>,
    pub(crate) creations: Mutex<Vec<Creation>>,
    pub(crate) handouts: Mutex<Vec<Handout>>,
    pub(crate) uses: Mutex<Vec<CodeUse>>,
    /// The administrators whose removal was acknowledged, with the time of the answer.
    pub(crate) dismissed: Mutex<Vec<(String, Instant)>>,
    /// The customers whose subscription has ended, with the time at which all accounts were closed.
    pub(crate) ended: Mutex<Vec<(String, Instant)>>,
    /// The customers whose items are deleted.
    pub(crate) purged: Mutex<Vec<String>>,
    /// The customers whose mail SES has reported as delivered, with its issue and round.
    pub(crate) delivered: Mutex<Vec<(String, u64, u64)>>,
    /// The customers of whom a click got the answer that the mail is ordered again.
    pub(crate) resent: Mutex<Vec<String>>,
    /// The customers of whom a click got the answer that it, or another one, has renewed the credentials, with the issue.
    pub(crate) renewed: Mutex<Vec<(String, u64)>>,
    /// The customers whose reminder was due when a run over the reminders began and ended.
    pub(crate) reminded: Mutex<Vec<String>>,
    pub(crate) acts: Mutex<Vec<Act>>,
    /// The customers of whom an operator got the answer that an issue has started, with its number and the time of the answer.
    pub(crate) reissued: Mutex<Vec<(String, u64, Instant)>>,
    /// The customers and the portal users whose removal was acknowledged, with the time of the answer.
    pub(crate) removed: Mutex<Vec<(String, String, Instant)>>,
    /// The tokens of operators.
    pub(crate) operators: Mutex<Vec<String>>,
    /// Sessions whose end was acknowledged.
    pub(crate) signed_out: Mutex<Vec<String>>,
    /// The customers that waited for a mail, with its issue.
    pub(crate) expected: Mutex<Vec<(String, u64)>>,
    /// The portal token of each person.
    pub(crate) tokens: Mutex<HashMap<String, String>>,
    /// The problem documents, each after its customer and function.
    pub(crate) problems: Mutex<Vec<String>>,
}

/// One attempt of any request.
pub(crate) struct Attempt<'a> {
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
    /// The answer, unless the process died or did not answer in time.
    pub(crate) answer: Option<&'a Answer>,
}

impl Attempt<'_> {
    /// Returns the session that began, if it was acknowledged.
    pub(crate) fn session(&self) -> Option<String> {
        self.answer.filter(|answer| answer.status == 200).and_then(Answer::session)
    }
}

impl Observations {
    /// Returns every password, token and session that a person has had, without duplicates.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let mut all = self.tokens.lock().unwrap().values().cloned().collect::<Vec<_>>();
        all.extend(self.operators.lock().unwrap().iter().cloned());
        all.extend(self.clicks.lock().unwrap().iter().filter_map(|click| click.shown.clone()));
        for SignIn { password, session, .. } in &*self.sign_ins.lock().unwrap() {
            all.extend(session.clone().into_iter().chain([password.clone()]));
        }
        for Reset { to, session, .. } in &*self.resets.lock().unwrap() {
            all.extend(session.clone().into_iter().chain([to.clone()]));
        }
        all.extend(self.creations.lock().unwrap().iter().map(|creation| creation.password.clone()));
        all.extend(self.handouts.lock().unwrap().iter().filter_map(|handout| handout.password.clone()));
        for CodeUse { code, token, .. } in &*self.uses.lock().unwrap() {
            all.extend(token.clone().into_iter().chain([code.clone()]));
        }
        all.sort();
        all.dedup();
        all
    }
}
