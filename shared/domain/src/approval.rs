//! Approvals: what an operator may do only with the consent of a second one, and when that consent counts.

use std::time::Duration;

use crate::{
    Credential, EmailAddress, Issue, Operator, PortalUser, Principal, Reason, SubscriptionId, Timestamp, WelcomeMail,
    text_enum,
};

/// How long an approval can be decided.
pub const APPROVAL_LIFETIME: Duration = Duration::from_hours(24);

/// How long the people of a subscription that is handed over can object, unless the deployment says otherwise.
pub const APPROVAL_WAIT: Duration = Duration::from_hours(1);

/// The age of a sign-in from which on an operator may not decide an approval.
pub const FRESH_SIGN_IN: Duration = Duration::from_mins(15);

/// The id of an approval, a ULID: 26 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalId(String);

impl ApprovalId {
    const CHARACTERS: usize = 26;
    /// The alphabet of Crockford's Base32.
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    /// Returns the ULID of this time with these random bytes.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let milliseconds = u64::try_from(now.epoch_seconds()).unwrap_or_default() * 1000;
        let random = random.iter().fold(0, |bits: u128, byte| bits << 8 | u128::from(*byte));
        let bits = u128::from(milliseconds) << 80 | random;
        let symbol = |n: usize| char::from(Self::ALPHABET[usize::from((bits >> (5 * n) & 31) as u8)]);
        Self((0..Self::CHARACTERS).rev().map(symbol).collect())
    }

    /// Parses an id. `None` for a text that is not written as [`ApprovalId::new`] writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == Self::CHARACTERS
            && text.bytes().all(|byte| Self::ALPHABET.contains(&byte))
            && text.as_bytes()[0] <= b'7';
        valid.then(|| Self(text.to_owned()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for ApprovalId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// An act of an operator on a subscription that may take a second operator. It has no `Debug`, because it holds personal data.
#[derive(Clone)]
pub enum DeskAct {
    /// Starts the next issue of credentials.
    Reissue {
        /// The address to send the mail to, if it is another one than the one on file.
        email: Option<EmailAddress>,
        /// Whether the address on file stays a portal user. Only with another address.
        keeps_old_address: bool,
    },
    /// Adds a portal user.
    AddPortalUser(PortalUser),
}

impl DeskAct {
    /// The code of a reissue.
    pub const REISSUE: &str = "reissue";
    /// The code of an addition of a portal user.
    pub const ADD_PORTAL_USER: &str = "add-portal-user";

    /// Returns the reissue to `email`, where `on_file` is the address of the current issue. An address that is compared as equal to that one
    /// is not another one.
    #[must_use]
    pub fn reissue(email: Option<EmailAddress>, keeps_old_address: bool, on_file: &EmailAddress) -> Self {
        let email = email.filter(|email| Principal::email(email) != Principal::email(on_file));
        Self::Reissue { keeps_old_address: keeps_old_address && email.is_some(), email }
    }

    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reissue { .. } => Self::REISSUE,
            Self::AddPortalUser(_) => Self::ADD_PORTAL_USER,
        }
    }

    /// Returns whether the act takes two operators: it brings a password to an address, or a way in to a person, that the customer's side has
    /// not had before, or it voids a password that the service administrator has chosen.
    #[must_use]
    pub fn is_sensitive(&self, credential: &Credential) -> bool {
        match self {
            Self::Reissue { email: Some(_), .. } | Self::AddPortalUser(_) => true,
            Self::Reissue { email: None, .. } => credential.changed_at.is_some() || credential.handed_over_at.is_some(),
        }
    }

    /// Returns the address that the act brings in, if it is about one.
    #[must_use]
    pub fn email(&self) -> Option<&EmailAddress> {
        match self {
            Self::Reissue { email, .. } => email.as_ref(),
            Self::AddPortalUser(user) => user.address(),
        }
    }
}

/// The state that an operator saw who asked for an approval. Where something of it has changed, the approval is overtaken. It has no `Debug`, because
/// it holds an address.
#[derive(Clone)]
pub struct SeenState {
    /// The issue.
    pub issue: Issue,
    /// The address on file.
    pub email: EmailAddress,
    /// When the service administrator first signed in with the issue.
    pub signed_in_at: Option<Timestamp>,
    /// When the service administrator chose a password.
    pub changed_at: Option<Timestamp>,
    /// When the subscription was last handed over.
    pub handed_over_at: Option<Timestamp>,
}

impl SeenState {
    /// Returns what an operator sees now.
    #[must_use]
    pub fn new(credential: &Credential, mail: &WelcomeMail) -> Self {
        Self {
            issue: credential.issue,
            email: mail.to.clone(),
            signed_in_at: credential.signed_in_at,
            changed_at: credential.changed_at,
            handed_over_at: credential.handed_over_at,
        }
    }

    /// Returns whether an operator would see the same now.
    fn is_current(&self, credential: &Credential, mail: &WelcomeMail) -> bool {
        let now = Self::new(credential, mail);
        (self.issue, self.signed_in_at, self.changed_at, self.handed_over_at)
            == (now.issue, now.signed_in_at, now.changed_at, now.handed_over_at)
            && Principal::email(&self.email) == Principal::email(&now.email)
    }
}

text_enum! {
    /// How an approval ended.
    pub enum ApprovalOutcome {
        /// The second operator consented, and the act was carried out.
        Approved = "approved",
        /// The second operator refused.
        Rejected = "rejected",
        /// Something had changed when the second operator consented, so nothing was done.
        Overtaken = "overtaken",
    }
}

text_enum! {
    /// Whether a deployment asks for approvals.
    pub enum ApprovalPolicy {
        /// A sensitive act takes a second operator.
        Required = "required",
        /// One operator suffices, and the history says so: a vendor may have only one.
        Off = "off",
    }
}

text_enum! {
    /// The answer of a second operator to an approval.
    pub enum Verdict {
        /// The act is to be carried out.
        Approve = "approve",
        /// The act is not to be carried out.
        Reject = "reject",
    }
}

/// The decision on an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How the approval ended.
    pub outcome: ApprovalOutcome,
    /// The second operator.
    pub by: Operator,
    /// The time of the decision.
    pub at: Timestamp,
}

/// An approval: a sensitive act that one operator asks for and another one decides on. It has no `Debug`, because it holds personal data.
#[derive(Clone)]
pub struct Approval {
    /// The id.
    pub id: ApprovalId,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The act that is to be carried out.
    pub act: DeskAct,
    /// The state that the asker saw.
    pub seen: SeenState,
    /// The operator who asked.
    pub asked_by: Operator,
    /// The reason that the asker gave.
    pub reason: Reason,
    /// The time of the request.
    pub asked_at: Timestamp,
    /// The approval cannot be given before this time, so that the people of the subscription, who have a notice, can object.
    pub not_before: Timestamp,
    /// The approval cannot be decided from this time on.
    pub expires_at: Timestamp,
    /// The decision, once there is one.
    pub decision: Option<Decision>,
}

/// Why a decision on an approval is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionRefusal {
    /// The approval is decided already, with this outcome.
    AlreadyDecided(ApprovalOutcome),
    /// The approval was not decided in its time.
    Expired,
    /// The operator asked for it.
    OwnRequest,
    /// The operator signed in too long ago.
    SignInTooOld,
    /// The approval can be given from this time on.
    TooEarly(Timestamp),
}

impl Approval {
    /// Returns the approval that `asked_by` asks for. On a subscription that is handed over it can be given after `wait`.
    #[must_use]
    pub fn new(
        id: ApprovalId,
        act: DeskAct,
        (credential, mail): (&Credential, &WelcomeMail),
        (asked_by, reason): (&Operator, &Reason),
        wait: Duration,
        now: Timestamp,
    ) -> Self {
        let seen = SeenState::new(credential, mail);
        Self {
            id,
            subscription: credential.subscription.clone(),
            act,
            asked_by: asked_by.clone(),
            reason: reason.clone(),
            asked_at: now,
            not_before: if seen.handed_over_at.is_some() { now.plus(wait) } else { now },
            expires_at: now.plus(APPROVAL_LIFETIME),
            seen,
            decision: None,
        }
    }

    /// Returns whether the approval can still be decided.
    #[must_use]
    pub fn is_pending(&self, now: Timestamp) -> bool {
        self.decision.is_none() && now < self.expires_at
    }

    /// Decides how the approval ends by the verdict of `decider`, who signed in at `signed_in_at`. What has changed since the request is
    /// found even before the time at which the approval can be given.
    pub fn judge(
        &self,
        verdict: Verdict,
        (credential, mail): (&Credential, &WelcomeMail),
        (decider, signed_in_at): (&Operator, Timestamp),
        now: Timestamp,
    ) -> Result<ApprovalOutcome, DecisionRefusal> {
        if let Some(decision) = &self.decision {
            return Err(DecisionRefusal::AlreadyDecided(decision.outcome));
        }
        if !self.is_pending(now) {
            return Err(DecisionRefusal::Expired);
        }
        if decider.person == self.asked_by.person {
            return Err(DecisionRefusal::OwnRequest);
        }
        if now.since(signed_in_at) >= FRESH_SIGN_IN {
            return Err(DecisionRefusal::SignInTooOld);
        }
        match verdict {
            Verdict::Reject => Ok(ApprovalOutcome::Rejected),
            Verdict::Approve if credential.ended_at.is_some() || !self.seen.is_current(credential, mail) => {
                Ok(ApprovalOutcome::Overtaken)
            }
            Verdict::Approve if now < self.not_before => Err(DecisionRefusal::TooEarly(self.not_before)),
            Verdict::Approve => Ok(ApprovalOutcome::Approved),
        }
    }

    /// Returns the approval with its decision.
    #[must_use]
    pub fn decided(&self, outcome: ApprovalOutcome, by: &Operator, at: Timestamp) -> Self {
        Self { decision: Some(Decision { outcome, by: by.clone(), at }), ..self.clone() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{MailContent, MailStatus, credential::tests::credential};

    const DAY: i64 = 24 * 60 * 60;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn operator(name: &str) -> Operator {
        Operator::new("https://staff.example", name, name)
    }

    pub(crate) fn mail(to: &str) -> WelcomeMail {
        WelcomeMail {
            issue: Issue::FIRST,
            to: address(to),
            locale: None,
            content: MailContent::Credentials,
            status: MailStatus::Sent,
            at: at(1),
            round: 0,
            resent_at: None,
            detail: None,
        }
    }

    fn asked(credential: &Credential) -> Approval {
        let act = DeskAct::reissue(Some(address("lee@fabrikam.example")), false, &address("it@fabrikam.example"));
        let (id, mail, reason) = (ApprovalId::new(at(100), [7; 10]), mail("it@fabrikam.example"), "Bounced");
        let reason = Reason::parse(reason).unwrap();
        Approval::new(id, act, (credential, &mail), (&operator("olivia"), &reason), Duration::from_hours(1), at(100))
    }

    fn judged(approval: &Approval, credential: &Credential, now: i64) -> Result<ApprovalOutcome, DecisionRefusal> {
        let mail = mail("IT@fabrikam.example");
        approval.judge(Verdict::Approve, (credential, &mail), (&operator("omar"), at(now)), at(now))
    }

    #[test]
    fn an_id_is_a_ulid_of_its_time() {
        let id = ApprovalId::new(at(1_469_918_176), [0xff; 10]);
        assert_eq!(id.as_str(), "01ARYZ6RR0ZZZZZZZZZZZZZZZZ");
        assert_eq!(ApprovalId::parse(id.as_str()), Some(id));
        for bad in ["", "01ARYZ6RR0ZZZZZZZZZZZZZZZ", "81ARYZ6RR0ZZZZZZZZZZZZZZZZ", "01aryz6rr0zzzzzzzzzzzzzzzz"] {
            assert_eq!(ApprovalId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_approval_is_decided_once_within_a_day() {
        let (credential, approval) = (credential(&[]), asked(&credential(&[])));
        assert_eq!(judged(&approval, &credential, 100 + DAY - 1), Ok(ApprovalOutcome::Approved));
        assert_eq!(judged(&approval, &credential, 100 + DAY), Err(DecisionRefusal::Expired));
        let decided = approval.decided(ApprovalOutcome::Rejected, &operator("omar"), at(200));
        let refusal = DecisionRefusal::AlreadyDecided(ApprovalOutcome::Rejected);
        assert_eq!(judged(&decided, &credential, 201), Err(refusal));
    }

    #[test]
    fn the_decider_is_another_person_who_has_just_signed_in() {
        let (credential, approval) = (credential(&[]), asked(&credential(&[])));
        let mail = mail("it@fabrikam.example");
        let judged = |name, signed_in_at, verdict| {
            approval.judge(verdict, (&credential, &mail), (&operator(name), at(signed_in_at)), at(2000))
        };
        for verdict in Verdict::ALL {
            assert_eq!(judged("olivia", 2000, verdict), Err(DecisionRefusal::OwnRequest));
            assert_eq!(judged("omar", 1100, verdict), Err(DecisionRefusal::SignInTooOld));
        }
        assert_eq!(judged("omar", 1101, Verdict::Approve), Ok(ApprovalOutcome::Approved));
        assert_eq!(judged("omar", 1101, Verdict::Reject), Ok(ApprovalOutcome::Rejected));
    }

    #[test]
    fn what_has_changed_since_the_request_overtakes_it() {
        let approval = asked(&credential(&[]));
        let changes: [fn(&mut Credential); 5] = [
            |known| known.issue = known.issue.next(),
            |known| known.signed_in_at = Some(at(150)),
            |known| known.changed_at = Some(at(150)),
            |known| known.handed_over_at = Some(at(150)),
            |known| known.ended_at = Some(at(150)),
        ];
        for change in changes {
            let mut known = credential(&[]);
            change(&mut known);
            assert_eq!(judged(&approval, &known, 200), Ok(ApprovalOutcome::Overtaken));
        }
        assert_eq!(judged(&approval, &credential(&[("dana", 150)]), 200), Ok(ApprovalOutcome::Approved));
        let decider = (&operator("omar"), at(200));
        let other = approval.judge(Verdict::Approve, (&credential(&[]), &mail("x@fabrikam.example")), decider, at(200));
        assert_eq!(other, Ok(ApprovalOutcome::Overtaken));
    }

    #[test]
    fn the_people_of_a_subscription_that_is_handed_over_have_time_to_object() {
        let mut known = credential(&[]);
        known.handed_over_at = Some(at(50));
        let approval = asked(&known);
        assert_eq!(judged(&approval, &known, 3699), Err(DecisionRefusal::TooEarly(at(3700))));
        assert_eq!(judged(&approval, &known, 3700), Ok(ApprovalOutcome::Approved));
        let again = Credential { handed_over_at: Some(at(60)), ..known.clone() };
        assert_eq!(judged(&approval, &again, 3699), Ok(ApprovalOutcome::Overtaken), "handed over once more");
        let (mail, decider) = (mail("it@fabrikam.example"), (&operator("omar"), at(200)));
        let rejected = approval.judge(Verdict::Reject, (&known, &mail), decider, at(200));
        assert_eq!(rejected, Ok(ApprovalOutcome::Rejected), "an objection needs no time");
    }

    #[test]
    fn a_new_way_in_and_the_loss_of_a_chosen_password_take_two() {
        let on_file = address("it@fabrikam.example");
        let reissue = |to: Option<&str>| DeskAct::reissue(to.map(address), true, &on_file);
        let fresh = credential(&[]);
        assert!(!reissue(None).is_sensitive(&fresh));
        assert!(!reissue(Some("IT@fabrikam.example")).is_sensitive(&fresh), "the same address");
        assert!(reissue(Some("lee@fabrikam.example")).is_sensitive(&fresh));
        assert!(DeskAct::AddPortalUser(PortalUser::Address(on_file.clone())).is_sensitive(&fresh));
        assert!(reissue(None).is_sensitive(&Credential { changed_at: Some(at(5)), ..fresh.clone() }));
        assert!(reissue(None).is_sensitive(&Credential { handed_over_at: Some(at(5)), ..fresh }));
        let same = DeskAct::reissue(Some(address("It@Fabrikam.example")), true, &on_file);
        assert!(matches!(same, DeskAct::Reissue { email: None, keeps_old_address: false }));
    }
}
