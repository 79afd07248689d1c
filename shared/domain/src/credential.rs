//! The credential of a subscription: its state, and why its password is blank.
//!
//! The conditional write of `get-credentials` decides; these functions tell what it decided, from the item that it returned.
//! A property test holds the two against each other: the write succeeds exactly when no [reason](Credential::blank_reasons) holds.

use std::{collections::BTreeMap, collections::BTreeSet, fmt, time::Duration};

use serde::{Serialize, Serializer};

use crate::{
    Caller, Company, Issue, PersonId, Principal, SealedPassword, SubscriptionId, Timestamp, UserName,
    digest::{digest, encode},
};

/// Retrievals for an issue, shared by everyone in the company.
pub const RETRIEVALS_PER_ISSUE: usize = 3;

/// How long one click, sent again with the same key, shows the same password. Bounded on purpose: unlimited replay would make
/// the cap meaningless.
pub const REPLAY_WINDOW: Duration = Duration::from_mins(10);

/// Tried or bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Tried.
    Trial,
    /// Bought; never becomes a trial again.
    Paid,
}

impl Kind {
    /// As it is kept and spoken.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Paid => "paid",
        }
    }

    /// As it was kept or spoken.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Trial, Self::Paid].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One click of one person: the first 16 bytes of SHA-256 over issuer, subject and key; random where no key came.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RetrievalId(String);

impl RetrievalId {
    /// The same for every attempt of the same click, and of nobody else's: never the principal that matched, since that may be
    /// a whole company.
    #[must_use]
    pub fn of_click(caller: &Caller, idempotency_key: &str) -> Self {
        Self::encode(digest(&[caller.issuer().as_bytes(), caller.subject().as_bytes(), idempotency_key.as_bytes()]))
    }

    /// For a click without a key: its answer, once lost, cannot be asked for again.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self::encode(bytes)
    }

    /// As it was kept.
    #[must_use]
    pub fn from_kept(text: String) -> Self {
        Self(text)
    }

    /// 22 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn encode(bytes: [u8; 16]) -> Self {
        Self(encode(&bytes))
    }
}

impl fmt::Debug for RetrievalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RetrievalId({})", self.0)
    }
}

/// One disclosure of the temporary password through the portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrieval {
    /// When it was counted.
    pub at: Timestamp,
    /// The person as others of the company see them, cut to [`Retrieval::LONGEST_LABEL`] bytes.
    pub by: String,
    /// The person.
    pub who: PersonId,
}

impl Retrieval {
    /// Keeps the credential within one write unit.
    pub const LONGEST_LABEL: usize = 64;

    /// A retrieval of `caller` at `now`.
    #[must_use]
    pub fn by(caller: &Caller, now: Timestamp) -> Self {
        let mut by = caller.label();
        by.truncate(by.floor_char_boundary(Self::LONGEST_LABEL));
        Self { at: now, by, who: caller.person() }
    }
}

/// The credential item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Whose credential it is.
    pub subscription: SubscriptionId,
    /// What the vendor calls it.
    pub product: String,
    /// The customer.
    pub company: Company,
    /// Tried or bought.
    pub kind: Kind,
    /// The service administrator's account.
    pub user_name: UserName,
    /// Who may see it in the Customer Portal.
    pub portal_users: BTreeSet<Principal>,
    /// Which generation of temporary credentials.
    pub issue: Issue,
    /// Absent as soon as the service administrator has signed in.
    pub sealed_password: Option<SealedPassword>,
    /// Those of this issue.
    pub retrievals: BTreeMap<RetrievalId, Retrieval>,
    /// When the subscription started.
    pub started_at: Timestamp,
    /// When this issue was made, a moment before it began.
    pub issued_at: Timestamp,
    /// When the temporary password stops working.
    pub expires_at: Timestamp,
    /// When the service administrator first signed in with this issue.
    pub signed_in_at: Option<Timestamp>,
    /// When they chose their own password.
    pub changed_at: Option<Timestamp>,
    /// When the first permanent administrator was created.
    pub handed_over_at: Option<Timestamp>,
    /// When the subscription ended.
    pub ended_at: Option<Timestamp>,
    /// How many entries the history has.
    pub seq: u64,
}

/// How far a credential is, for the list of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialState {
    /// Mailed, and nobody has signed in.
    Issued,
    /// The service administrator has signed in.
    SignedIn,
    /// The service administrator has chosen a password.
    Changed,
    /// A permanent administrator exists.
    HandedOver,
    /// Nobody changed the password in time.
    Expired,
    /// The subscription is over.
    Ended,
}

/// Why a password is blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReasonCode {
    /// The service administrator has signed in.
    AdministratorSignedIn,
    /// The service administrator has chosen a password.
    AdministratorChangedPassword,
    /// All retrievals of the issue are spent, by whomever.
    RetrievedThreeTimes,
    /// All are spent, and at least one of them by somebody else than the caller.
    RetrievedBySomeoneElse,
    /// Nobody changed the password in time.
    Expired,
    /// The subscription is over.
    SubscriptionEnded,
}

impl ReasonCode {
    /// As it is spoken.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdministratorSignedIn => "administrator-signed-in",
            Self::AdministratorChangedPassword => "administrator-changed-password",
            Self::RetrievedThreeTimes => "retrieved-three-times",
            Self::RetrievedBySomeoneElse => "retrieved-by-someone-else",
            Self::Expired => "expired",
            Self::SubscriptionEnded => "subscription-ended",
        }
    }
}

impl Serialize for ReasonCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One true reason, since when it holds, and in words who and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlankReason {
    /// For programs.
    pub code: ReasonCode,
    /// Since when it holds.
    pub at: Timestamp,
    /// For people of the company.
    pub detail: String,
}

/// What a refused conditional write means, told from the item as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The caller is no portal user: the answer is the same as for no subscription.
    NotAPortalUser,
    /// The write is our own or the same click again, and may be shown again: nothing is spent.
    SameClick,
    /// The password is blank, for every reason that holds.
    Blank(Vec<BlankReason>),
    /// This click is too old to be repeated, and retrievals are left for another.
    ClickTooOld,
    /// No rule explains it: the write asked for another issue than this item's. Nothing else does it while the condition and these
    /// rules agree, and the item is one that we have written.
    Unexplained,
    /// By the clock of whoever asked, this issue has not begun. The same click may have been answered by another call meanwhile, or
    /// clocks differ by a moment: whoever waits one and asks again is right.
    NotYet,
}

impl Credential {
    /// Whether one of `principals` may see this subscription.
    #[must_use]
    pub fn admits(&self, principals: &[Principal]) -> bool {
        principals.iter().any(|principal| self.portal_users.contains(principal))
    }

    /// How many retrievals are left for this issue.
    #[must_use]
    pub fn retrievals_remaining(&self) -> usize {
        RETRIEVALS_PER_ISSUE.saturating_sub(self.retrievals.len())
    }

    /// The retrievals of this issue in the order of time.
    #[must_use]
    pub fn retrievals_in_order(&self) -> Vec<&Retrieval> {
        let mut all: Vec<&Retrieval> = self.retrievals.values().collect();
        all.sort_by_key(|retrieval| retrieval.at);
        all
    }

    /// Whether the password stopped working before anybody changed it.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now && self.changed_at.is_none()
    }

    /// How far this credential is.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> CredentialState {
        match self {
            Self { ended_at: Some(_), .. } => CredentialState::Ended,
            Self { handed_over_at: Some(_), .. } => CredentialState::HandedOver,
            Self { changed_at: Some(_), .. } => CredentialState::Changed,
            Self { .. } if self.expired(now) => CredentialState::Expired,
            Self { signed_in_at: Some(_), .. } => CredentialState::SignedIn,
            Self { .. } => CredentialState::Issued,
        }
    }

    /// Whether a mail with the password, or the portal, could still show it to somebody, the cap apart.
    #[must_use]
    pub fn disclosable(&self, now: Timestamp) -> bool {
        self.sealed_password.is_some()
            && self.expires_at > now
            && self.signed_in_at.is_none()
            && self.changed_at.is_none()
            && self.ended_at.is_none()
    }

    /// Whether whoever pays must be given new credentials: nobody can use these any more. Expired before they were changed, or
    /// used up before anybody signed in.
    #[must_use]
    pub fn out_of_reach(&self, now: Timestamp) -> bool {
        let used_up = self.signed_in_at.is_none() && self.changed_at.is_none() && self.retrievals_remaining() == 0;
        self.ended_at.is_none() && (self.expired(now) || used_up)
    }

    /// Every reason for which `caller` is shown no password; none while one may be retrieved.
    #[must_use]
    pub fn blank_reasons(&self, caller: PersonId, now: Timestamp) -> Vec<BlankReason> {
        let mut reasons = Vec::new();
        let mut hold = |code, at: Timestamp, detail| reasons.push(BlankReason { code, at, detail });
        if let Some(at) = self.signed_in_at {
            let detail = format!("Your service administrator signed in on {}.", at.in_words());
            hold(ReasonCode::AdministratorSignedIn, at, detail);
        }
        if let Some(at) = self.changed_at {
            let detail = format!("Your service administrator chose their own password on {}.", at.in_words());
            hold(ReasonCode::AdministratorChangedPassword, at, detail);
        }
        let retrievals = self.retrievals_in_order();
        if let (true, Some(last)) = (retrievals.len() >= RETRIEVALS_PER_ISSUE, retrievals.last()) {
            let detail = format!(
                "These credentials have been retrieved three times in your company: {}.",
                told(&retrievals, caller)
            );
            hold(ReasonCode::RetrievedThreeTimes, last.at, detail);
            let others: Vec<&Retrieval> = retrievals.into_iter().filter(|retrieval| retrieval.who != caller).collect();
            if let Some(last) = others.last() {
                let detail = format!("Ask whoever retrieved them before: {}.", told(&others, caller));
                hold(ReasonCode::RetrievedBySomeoneElse, last.at, detail);
            }
        }
        if self.expired(now) {
            let detail = format!(
                "This password stopped working on {}, because nobody had changed it by then.",
                self.expires_at.in_words()
            );
            hold(ReasonCode::Expired, self.expires_at, detail);
        }
        if let Some(at) = self.ended_at {
            hold(ReasonCode::SubscriptionEnded, at, format!("This subscription ended on {}.", at.in_words()));
        }
        reasons
    }

    /// What it means that the conditional write of `click` was refused, this item being the one that it met.
    #[must_use]
    pub fn judge_refusal(&self, caller: &Caller, click: &RetrievalId, now: Timestamp) -> Refusal {
        if !self.admits(&caller.principals()) {
            return Refusal::NotAPortalUser;
        }
        let counted = self.retrievals.get(click);
        if counted.is_some_and(|counted| now.since(counted.at) < REPLAY_WINDOW) && self.disclosable(now) {
            return Refusal::SameClick;
        }
        let reasons = self.blank_reasons(caller.person(), now);
        match (reasons.is_empty(), counted) {
            (false, _) => Refusal::Blank(reasons),
            (true, Some(_)) => Refusal::ClickTooOld,
            (true, None) if self.issued_at > now => Refusal::NotYet,
            (true, None) => Refusal::Unexplained,
        }
    }
}

/// `7 November 2026, 09:04 UTC by you, 8 November 2026, 10:00 UTC by kim@fabrikam.example`
fn told(retrievals: &[&Retrieval], caller: PersonId) -> String {
    let one = |retrieval: &&Retrieval| {
        let by = if retrieval.who == caller { "you" } else { &retrieval.by };
        format!("{} by {by}", retrieval.at.in_words())
    };
    retrievals.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRES: i64 = 1_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn person(name: &str) -> Caller {
        Caller::new("https://issuer.example".into(), name.into(), None, vec!["fabrikam".into()])
    }

    fn credential(retrievals: &[(&str, i64)]) -> Credential {
        let entry = |(name, seconds): &(&str, i64)| {
            let caller = person(name);
            (RetrievalId::of_click(&caller, &seconds.to_string()), Retrieval::by(&caller, at(*seconds)))
        };
        Credential {
            subscription: SubscriptionId::parse("sub-1").unwrap(),
            product: "Suite".into(),
            company: Company { id: crate::CompanyId::parse("fabrikam").unwrap(), name: "Fabrikam".into() },
            kind: Kind::Trial,
            user_name: UserName::parse("admin@fabrikam").unwrap(),
            portal_users: BTreeSet::from([Principal::organization("https://issuer.example", "fabrikam")]),
            issue: Issue::FIRST,
            sealed_password: Some(SealedPassword::new(vec![1])),
            retrievals: retrievals.iter().map(entry).collect(),
            started_at: at(1),
            issued_at: at(1),
            expires_at: at(EXPIRES),
            signed_in_at: None,
            changed_at: None,
            handed_over_at: None,
            ended_at: None,
            seq: 1,
        }
    }

    fn codes(credential: &Credential, caller: &Caller, now: i64) -> Vec<ReasonCode> {
        credential.blank_reasons(caller.person(), at(now)).into_iter().map(|reason| reason.code).collect()
    }

    #[test]
    fn a_fresh_credential_has_no_reason_to_be_blank() {
        assert_eq!(codes(&credential(&[]), &person("dana"), 5), []);
        assert_eq!(codes(&credential(&[("dana", 1), ("kim", 2)]), &person("dana"), 5), []);
    }

    #[test]
    fn three_retrievals_of_ones_own_are_no_one_elses() {
        let all_mine = credential(&[("dana", 1), ("dana", 2), ("dana", 3)]);
        assert_eq!(codes(&all_mine, &person("dana"), 5), [ReasonCode::RetrievedThreeTimes]);
    }

    #[test]
    fn who_else_retrieved_is_told_with_the_time() {
        let mixed = credential(&[("dana", 1), ("kim", 3), ("dana", 2)]);
        let reasons = mixed.blank_reasons(person("dana").person(), at(5));
        assert_eq!(
            codes(&mixed, &person("dana"), 5),
            [ReasonCode::RetrievedThreeTimes, ReasonCode::RetrievedBySomeoneElse]
        );
        assert!(reasons[0].detail.contains("by you") && reasons[0].detail.contains("by kim"));
        assert!(reasons[1].detail.contains("by kim") && !reasons[1].detail.contains("by you"));
        assert_eq!(reasons[1].at, at(3));
    }

    #[test]
    fn a_password_that_was_changed_does_not_expire() {
        let mut changed = credential(&[]);
        (changed.signed_in_at, changed.changed_at, changed.sealed_password) = (Some(at(2)), Some(at(3)), None);
        let both = [ReasonCode::AdministratorSignedIn, ReasonCode::AdministratorChangedPassword];
        assert_eq!(codes(&changed, &person("dana"), EXPIRES), both);
        changed.changed_at = None;
        assert_eq!(codes(&changed, &person("dana"), EXPIRES), [ReasonCode::AdministratorSignedIn, ReasonCode::Expired]);
    }

    #[test]
    fn a_password_expires_at_the_very_second() {
        assert_eq!(codes(&credential(&[]), &person("dana"), EXPIRES - 1), []);
        assert_eq!(codes(&credential(&[]), &person("dana"), EXPIRES), [ReasonCode::Expired]);
    }

    #[test]
    fn the_same_click_is_shown_again_for_ten_minutes_even_when_it_took_the_last_retrieval() {
        let used_up = credential(&[("dana", 100), ("kim", 200), ("kim", 300)]);
        let (dana, window) = (person("dana"), i64::try_from(REPLAY_WINDOW.as_secs()).unwrap());
        let click = RetrievalId::of_click(&dana, "100");
        assert_eq!(used_up.judge_refusal(&dana, &click, at(100 + window - 1)), Refusal::SameClick);
        assert!(matches!(used_up.judge_refusal(&dana, &click, at(100 + window)), Refusal::Blank(_)));
        assert_eq!(
            used_up.judge_refusal(&dana, &click, at(50)),
            Refusal::SameClick,
            "clocks differ: a future time is young"
        );
    }

    #[test]
    fn an_old_click_is_a_conflict_while_retrievals_are_left() {
        let old = credential(&[("dana", 100)]);
        let click = RetrievalId::of_click(&person("dana"), "100");
        assert_eq!(old.judge_refusal(&person("dana"), &click, at(700)), Refusal::ClickTooOld);
    }

    #[test]
    fn the_same_key_of_another_person_is_another_click() {
        let used_up = credential(&[("dana", 100), ("dana", 200), ("dana", 300)]);
        let click = RetrievalId::of_click(&person("kim"), "100");
        assert!(matches!(used_up.judge_refusal(&person("kim"), &click, at(301)), Refusal::Blank(_)));
    }

    #[test]
    fn the_same_click_is_blank_once_the_administrator_has_signed_in() {
        let mut signed_in = credential(&[("dana", 100)]);
        (signed_in.signed_in_at, signed_in.sealed_password) = (Some(at(150)), None);
        let click = RetrievalId::of_click(&person("dana"), "100");
        assert!(matches!(signed_in.judge_refusal(&person("dana"), &click, at(160)), Refusal::Blank(_)));
    }

    #[test]
    fn whoever_is_no_portal_user_learns_nothing() {
        let stranger = Caller::new("https://other.example".into(), "dana".into(), None, vec!["fabrikam".into()]);
        let click = RetrievalId::of_click(&stranger, "1");
        assert_eq!(credential(&[]).judge_refusal(&stranger, &click, at(5)), Refusal::NotAPortalUser);
    }

    #[test]
    fn the_state_tells_the_furthest_step() {
        let mut credential = credential(&[]);
        assert_eq!(credential.state(at(5)), CredentialState::Issued);
        assert_eq!(credential.state(at(EXPIRES)), CredentialState::Expired);
        credential.signed_in_at = Some(at(6));
        assert_eq!(credential.state(at(7)), CredentialState::SignedIn);
        assert_eq!(credential.state(at(EXPIRES)), CredentialState::Expired);
        credential.changed_at = Some(at(8));
        assert_eq!(credential.state(at(EXPIRES)), CredentialState::Changed);
        credential.handed_over_at = Some(at(9));
        assert_eq!(credential.state(at(EXPIRES)), CredentialState::HandedOver);
        credential.ended_at = Some(at(10));
        assert_eq!(credential.state(at(EXPIRES)), CredentialState::Ended);
    }

    #[test]
    fn whoever_pays_gets_in_when_nobody_else_can() {
        assert!(!credential(&[("dana", 1), ("dana", 2)]).out_of_reach(at(5)));
        assert!(credential(&[("dana", 1), ("dana", 2), ("dana", 3)]).out_of_reach(at(5)));
        assert!(credential(&[]).out_of_reach(at(EXPIRES)));
        let mut used = credential(&[("dana", 1), ("dana", 2), ("dana", 3)]);
        used.signed_in_at = Some(at(4));
        assert!(!used.out_of_reach(at(5)), "the service administrator is in");
        assert!(used.out_of_reach(at(EXPIRES)), "in, but never chose a password");
        used.changed_at = Some(at(5));
        assert!(!used.out_of_reach(at(EXPIRES)));
    }

    #[test]
    fn a_long_label_is_cut_between_characters() {
        let caller = Caller::new("i".into(), "é".repeat(60), None, vec![]);
        assert_eq!(Retrieval::by(&caller, at(1)).by, "é".repeat(32));
    }
}
