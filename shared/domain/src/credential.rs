//! The credential of a subscription: its state, and the reasons for a blank password.
//!
//! The conditional write of `get-credentials` decides whether a retrieval is counted. These functions explain a refusal, from the item
//! that the write returned. A property test compares the two: the write succeeds exactly if no [reason](Credential::blank_reasons) holds.

use std::{collections::BTreeMap, collections::BTreeSet, fmt, time::Duration};

use crate::{
    Caller, Company, Issue, Label, PersonId, Principal, SealedPassword, SubscriptionId, Timestamp, UserName,
    digest::{digest, encode},
    text_enum,
};

/// The maximum number of retrievals for an issue, by all people of the company together.
pub const RETRIEVALS_PER_ISSUE: usize = 3;

/// How long a retry of a click with the same key shows the password again. Without a bound, the maximum number of retrievals would mean
/// nothing.
pub const REPLAY_WINDOW: Duration = Duration::from_mins(10);

text_enum! {
    /// Whether a subscription is a trial or paid.
    pub enum Kind {
        /// The customer tries the product.
        Trial = "trial",
        /// The customer has bought the product. A paid subscription never becomes a trial again.
        Paid = "paid",
    }
}

/// The identity of one click: the first 16 bytes of SHA-256 over issuer, subject and idempotency key, or random bytes without a key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RetrievalId(String);

impl RetrievalId {
    /// Derives the id from a click. Every attempt of one click has the same id, and no other click has it. It is derived from the person
    /// and not from the principal that gives access, which may be a whole company.
    #[must_use]
    pub fn from_click(caller: &Caller, idempotency_key: &str) -> Self {
        Self::encode(digest(&[caller.issuer().as_bytes(), caller.subject().as_bytes(), idempotency_key.as_bytes()]))
    }

    /// Creates an id for a click without a key. If the answer to such a click is lost, a retry is another click.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self::encode(bytes)
    }

    /// Restores a stored id.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns 22 characters of base64url.
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
    /// The time at which it was counted.
    pub at: Timestamp,
    /// The person as other people of the company see them, cut to [`Retrieval::LONGEST_LABEL`] bytes.
    pub by: Label,
    /// The person.
    pub who: PersonId,
}

impl Retrieval {
    /// The maximum number of bytes of a label, so that the credential stays within one write unit.
    pub const LONGEST_LABEL: usize = 64;

    /// Creates a retrieval by `caller` at `now`.
    #[must_use]
    pub fn new(caller: &Caller, now: Timestamp) -> Self {
        Self { at: now, by: caller.label().cut(Self::LONGEST_LABEL), who: caller.person() }
    }
}

/// The credential of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The vendor's name for the product.
    pub product: String,
    /// The customer organisation.
    pub company: Company,
    /// Whether it is a trial or paid.
    pub kind: Kind,
    /// The name of the service administrator's account.
    pub user_name: UserName,
    /// The principals that may see the subscription in the Customer Portal.
    pub portal_users: BTreeSet<Principal>,
    /// The current issue.
    pub issue: Issue,
    /// The temporary password. Absent after the service administrator has signed in.
    pub sealed_password: Option<SealedPassword>,
    /// The retrievals of this issue.
    pub retrievals: BTreeMap<RetrievalId, Retrieval>,
    /// When the subscription started.
    pub started_at: Timestamp,
    /// When this issue was created, which is shortly before the transaction that starts it.
    pub issued_at: Timestamp,
    /// When the temporary password stops working.
    pub expires_at: Timestamp,
    /// When the service administrator first signed in with this issue.
    pub signed_in_at: Option<Timestamp>,
    /// When the service administrator chose a password.
    pub changed_at: Option<Timestamp>,
    /// When the service administrator created the first administrator, in this issue or in an earlier one: the subscription is handed over.
    pub handed_over_at: Option<Timestamp>,
    /// When the subscription ended, by the time of the vendor's event.
    pub ended_at: Option<Timestamp>,
    /// When the last account of the ended subscription was closed.
    pub closed_at: Option<Timestamp>,
    /// Until when a run has the ended subscription for itself to delete its items. Where it is present, some may be deleted.
    pub purging_until: Option<Timestamp>,
    /// How often a portal user has started an issue.
    pub renewals: u32,
    /// When a portal user started this issue; absent where an event of the vendor started it.
    pub renewed_at: Option<Timestamp>,
    /// The number of entries of the history.
    pub seq: u64,
}

text_enum! {
    /// The progress of a credential, for the list of subscriptions.
    pub enum CredentialState {
        /// The credentials are issued, and the service administrator has not signed in.
        Issued = "issued",
        /// The service administrator has signed in.
        SignedIn = "signed-in",
        /// The service administrator has chosen a password.
        Changed = "changed",
        /// The service administrator has created an administrator in this issue.
        HandedOver = "handed-over",
        /// The temporary password expired before it was changed.
        Expired = "expired",
        /// The subscription has ended.
        Ended = "ended",
    }
}

text_enum! {
    /// Why a password is blank.
    #[derive(PartialOrd, Ord)]
    pub enum ReasonCode {
        /// The service administrator has signed in.
        AdministratorSignedIn = "administrator-signed-in",
        /// The service administrator has chosen a password.
        AdministratorChangedPassword = "administrator-changed-password",
        /// All retrievals of the issue are used up.
        RetrievedThreeTimes = "retrieved-three-times",
        /// All retrievals are used up, and at least one of them was another person's.
        RetrievedBySomeoneElse = "retrieved-by-someone-else",
        /// The temporary password expired before it was changed.
        Expired = "expired",
        /// The subscription has ended.
        SubscriptionEnded = "subscription-ended",
    }
}

/// A reason for a blank password, and the facts behind it. `words` renders them as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlankReason {
    /// The code.
    pub code: ReasonCode,
    /// When the reason began to hold.
    pub at: Timestamp,
    /// The retrievals that the reason is about, oldest first. Empty for every other kind of reason.
    pub retrievals: Vec<Retrieval>,
}

impl BlankReason {
    fn new(code: ReasonCode, at: Timestamp) -> Self {
        Self { code, at, retrievals: Vec::new() }
    }

    /// Returns a reason that holds since the last of `retrievals`. `None` if there are no retrievals.
    fn from_retrievals(code: ReasonCode, retrievals: Vec<Retrieval>) -> Option<Self> {
        let at = retrievals.last()?.at;
        Some(Self { code, at, retrievals })
    }
}

/// The meaning of a refused conditional write, according to the item that refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The caller is not a portal user. The answer is the same as if the subscription did not exist.
    NotAPortalUser,
    /// An earlier attempt of the same click was counted, and its answer may be repeated.
    SameClick,
    /// The password is blank, for these reasons.
    Blank(Vec<BlankReason>),
    /// The click is too old to be repeated, but retrievals are left for another click.
    ClickTooOld,
    /// No rule explains the refusal: the write asked for another issue than the item's. There is no other cause as long as the condition
    /// agrees with these rules.
    Unexplained,
    /// The issue begins after the time of the call, because clocks differ or because another call has answered the same click meanwhile. Or an
    /// administrator has withdrawn the password after that time, by removing the service administrator. The caller should retry after a second.
    NotYet,
}

impl Credential {
    /// Returns when the temporary password stops working if the service administrator's account is retired at `now`: never later than before.
    /// After a password was chosen, the issue keeps its expiry.
    #[must_use]
    pub fn withdrawn_at(&self, now: Timestamp) -> Timestamp {
        if self.changed_at.is_some() { self.expires_at } else { self.expires_at.min(now) }
    }

    /// Returns whether one of `principals` may see this subscription.
    #[must_use]
    pub fn admits(&self, principals: &[Principal]) -> bool {
        principals.iter().any(|principal| self.portal_users.contains(principal))
    }

    /// Returns the number of retrievals that are left for this issue.
    #[must_use]
    pub fn retrievals_remaining(&self) -> usize {
        RETRIEVALS_PER_ISSUE.saturating_sub(self.retrievals.len())
    }

    /// Returns the retrievals of this issue, oldest first.
    #[must_use]
    pub fn retrievals_in_order(&self) -> Vec<&Retrieval> {
        let mut all: Vec<&Retrieval> = self.retrievals.values().collect();
        all.sort_by_key(|retrieval| retrieval.at);
        all
    }

    /// Returns whether the password expired before it was changed.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now && self.changed_at.is_none()
    }

    /// Returns the progress of this credential.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> CredentialState {
        match self {
            Self { ended_at: Some(_), .. } => CredentialState::Ended,
            Self { .. } if self.issue_handed_over_at().is_some() => CredentialState::HandedOver,
            Self { changed_at: Some(_), .. } => CredentialState::Changed,
            Self { .. } if self.expired(now) => CredentialState::Expired,
            Self { signed_in_at: Some(_), .. } => CredentialState::SignedIn,
            Self { .. } => CredentialState::Issued,
        }
    }

    /// Returns whether a mail or the portal may still disclose the password, apart from the number of retrievals.
    #[must_use]
    pub fn disclosable(&self, now: Timestamp) -> bool {
        self.sealed_password.is_some()
            && self.expires_at > now
            && self.signed_in_at.is_none()
            && self.changed_at.is_none()
            && self.ended_at.is_none()
    }

    /// Returns whether the credentials cannot be used any more: they expired before they were changed, or all retrievals were used up before
    /// the service administrator signed in.
    #[must_use]
    pub fn is_unusable(&self, now: Timestamp) -> bool {
        let used_up = self.signed_in_at.is_none() && self.changed_at.is_none() && self.retrievals_remaining() == 0;
        self.ended_at.is_none() && (self.expired(now) || used_up)
    }

    /// Returns every reason why `caller` is shown no password. Empty while the password may be retrieved.
    #[must_use]
    pub fn blank_reasons(&self, caller: PersonId, now: Timestamp) -> Vec<BlankReason> {
        let retrievals = || self.retrievals_in_order().into_iter().cloned();
        let (all, others) = if self.retrievals_remaining() == 0 {
            (retrievals().collect(), retrievals().filter(|retrieval| retrieval.who != caller).collect())
        } else {
            (Vec::new(), Vec::new())
        };
        let expired_at = self.expired(now).then_some(self.expires_at);
        let reasons = [
            self.signed_in_at.map(|at| BlankReason::new(ReasonCode::AdministratorSignedIn, at)),
            self.changed_at.map(|at| BlankReason::new(ReasonCode::AdministratorChangedPassword, at)),
            BlankReason::from_retrievals(ReasonCode::RetrievedThreeTimes, all),
            BlankReason::from_retrievals(ReasonCode::RetrievedBySomeoneElse, others),
            expired_at.map(|at| BlankReason::new(ReasonCode::Expired, at)),
            self.ended_at.map(|at| BlankReason::new(ReasonCode::SubscriptionEnded, at)),
        ];
        reasons.into_iter().flatten().collect()
    }

    /// Returns what it means that this item refused the conditional write of `click`.
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
            (true, None) if self.issued_at > now || self.sealed_password.is_none() => Refusal::NotYet,
            (true, None) => Refusal::Unexplained,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const EXPIRES: i64 = 1_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn person(name: &str) -> Caller {
        Caller::new("https://issuer.example".into(), name.into(), None, vec!["fabrikam".into()])
    }

    pub(crate) fn credential(retrievals: &[(&str, i64)]) -> Credential {
        let entry = |(name, seconds): &(&str, i64)| {
            let caller = person(name);
            (RetrievalId::from_click(&caller, &seconds.to_string()), Retrieval::new(&caller, at(*seconds)))
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
            closed_at: None,
            purging_until: None,
            renewals: 0,
            renewed_at: None,
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
    fn three_retrievals_by_the_caller_are_not_someone_elses() {
        let all_mine = credential(&[("dana", 1), ("dana", 2), ("dana", 3)]);
        assert_eq!(codes(&all_mine, &person("dana"), 5), [ReasonCode::RetrievedThreeTimes]);
    }

    #[test]
    fn a_reason_names_who_retrieved_and_when() {
        let mixed = credential(&[("dana", 1), ("kim", 3), ("dana", 2)]);
        let reasons = mixed.blank_reasons(person("dana").person(), at(5));
        assert_eq!(
            codes(&mixed, &person("dana"), 5),
            [ReasonCode::RetrievedThreeTimes, ReasonCode::RetrievedBySomeoneElse]
        );
        let by =
            |reason: &BlankReason| reason.retrievals.iter().map(|one| (one.by.clone(), one.at)).collect::<Vec<_>>();
        let [dana, kim] = ["dana", "kim"].map(|name| person(name).label());
        assert_eq!(by(&reasons[0]), [(dana.clone(), at(1)), (dana, at(2)), (kim.clone(), at(3))]);
        assert_eq!(by(&reasons[1]), [(kim, at(3))]);
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
    fn a_password_expires_in_the_second_of_its_expiry() {
        assert_eq!(codes(&credential(&[]), &person("dana"), EXPIRES - 1), []);
        assert_eq!(codes(&credential(&[]), &person("dana"), EXPIRES), [ReasonCode::Expired]);
    }

    #[test]
    fn the_same_click_is_shown_again_for_ten_minutes_even_when_it_took_the_last_retrieval() {
        let used_up = credential(&[("dana", 100), ("kim", 200), ("kim", 300)]);
        let (dana, window) = (person("dana"), i64::try_from(REPLAY_WINDOW.as_secs()).unwrap());
        let click = RetrievalId::from_click(&dana, "100");
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
        let click = RetrievalId::from_click(&person("dana"), "100");
        assert_eq!(old.judge_refusal(&person("dana"), &click, at(700)), Refusal::ClickTooOld);
    }

    #[test]
    fn the_same_key_of_another_person_is_another_click() {
        let used_up = credential(&[("dana", 100), ("dana", 200), ("dana", 300)]);
        let click = RetrievalId::from_click(&person("kim"), "100");
        assert!(matches!(used_up.judge_refusal(&person("kim"), &click, at(301)), Refusal::Blank(_)));
    }

    #[test]
    fn the_same_click_is_blank_once_the_administrator_has_signed_in() {
        let mut signed_in = credential(&[("dana", 100)]);
        (signed_in.signed_in_at, signed_in.sealed_password) = (Some(at(150)), None);
        let click = RetrievalId::from_click(&person("dana"), "100");
        assert!(matches!(signed_in.judge_refusal(&person("dana"), &click, at(160)), Refusal::Blank(_)));
    }

    #[test]
    fn a_password_is_withdrawn_at_once_and_a_call_from_before_comes_back() {
        let mut withdrawn = credential(&[]);
        assert_eq!(withdrawn.withdrawn_at(at(EXPIRES + 1)), at(EXPIRES), "it never works for longer than before");
        (withdrawn.expires_at, withdrawn.sealed_password) = (withdrawn.withdrawn_at(at(60)), None);
        let click = RetrievalId::from_click(&person("dana"), "1");
        let refusal = |seconds| withdrawn.judge_refusal(&person("dana"), &click, at(seconds));
        assert_eq!(refusal(59), Refusal::NotYet);
        assert!(matches!(refusal(60), Refusal::Blank(reasons) if reasons[0].code == ReasonCode::Expired));
        let chosen = Credential { changed_at: Some(at(5)), ..credential(&[]) };
        assert_eq!(chosen.withdrawn_at(at(60)), at(EXPIRES));
    }

    #[test]
    fn a_caller_who_is_not_a_portal_user_learns_nothing() {
        let stranger = Caller::new("https://other.example".into(), "dana".into(), None, vec!["fabrikam".into()]);
        let click = RetrievalId::from_click(&stranger, "1");
        assert_eq!(credential(&[]).judge_refusal(&stranger, &click, at(5)), Refusal::NotAPortalUser);
    }

    #[test]
    fn the_state_is_the_furthest_step() {
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
    fn credentials_are_unusable_once_they_expired_unchanged_or_are_used_up_before_the_sign_in() {
        assert!(!credential(&[("dana", 1), ("dana", 2)]).is_unusable(at(5)));
        assert!(credential(&[("dana", 1), ("dana", 2), ("dana", 3)]).is_unusable(at(5)));
        assert!(credential(&[]).is_unusable(at(EXPIRES)));
        let mut used = credential(&[("dana", 1), ("dana", 2), ("dana", 3)]);
        used.signed_in_at = Some(at(4));
        assert!(!used.is_unusable(at(5)), "the service administrator is in");
        assert!(used.is_unusable(at(EXPIRES)), "in, but never chose a password");
        used.changed_at = Some(at(5));
        assert!(!used.is_unusable(at(EXPIRES)));
    }

    #[test]
    fn a_long_label_is_cut_between_characters() {
        let by = |subject: &str, address| {
            let caller = Caller::new("i".into(), subject.to_owned(), crate::EmailAddress::parse(address), vec![]);
            Retrieval::new(&caller, at(1)).by
        };
        assert_eq!(by(&"é".repeat(60), "").as_stored(), "é".repeat(32));
        assert_eq!(by(&format!("{}-abcdef", "x".repeat(200)), "").subject_end().as_deref(), Some("abcdef"));
        let address = format!("{}é{}@fabrikam.example", "x".repeat(42), "y".repeat(20));
        let cut = by("dana", &address);
        assert_eq!(cut.shown_address(), Some(&*format!("{}… @fabrikam.example", "x".repeat(42))));
        assert_eq!((cut.address(), cut.masked_address().as_deref()), (None, Some("x•@fabrikam.example")));
        // Cut in its domain, this would be the address of a colleague.
        let stranger = format!("{}@fabrikam.example.attacker.example", "k".repeat(47));
        let cut = by("mallory", &stranger);
        assert_eq!(
            (cut.address(), cut.masked_address().as_deref()),
            (None, Some("k•@fabrikam.example.attacker.example"))
        );
    }
}
