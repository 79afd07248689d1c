//! The items of a code and of its tokens, and the conditional writes on them.

use super::{ProductModel, Variant, World};

/// Ticks of one clock. A tick stands for a minute.
pub(crate) type Time = u8;

/// The lifetime of a code.
const CODE_LIFETIME: Time = 1;
/// How long a code stays after its end: longer than a token lives.
const CODE_KEPT: Time = 3;
/// The lifetime of a token.
const TOKEN_LIFETIME: Time = 2;

/// A token, identified by the use and the attempt that it was generated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TokenId {
    pub(crate) by: usize,
    pub(crate) attempt: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Code {
    pub(crate) version: u8,
    pub(crate) issued_at: Time,
    pub(crate) spent_by: Option<TokenId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token {
    pub(crate) id: TokenId,
    pub(crate) version: u8,
    pub(crate) expires_at: Time,
}

/// A request as the SDK sends it. Every attempt, and every copy that is carried out late, is this same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Write {
    PutCode(Code),
    Redeem { token: TokenId, version: u8, now: Time },
    Withdraw { token: TokenId, by: usize, now: Time },
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    /// The code was redeemed before, for this token.
    Spent(TokenId),
    /// The code has expired, or is not there any more.
    Expired,
    /// The account has changed, or the subscription has ended.
    NotValid,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) code: Option<Code>,
    /// The tokens, sorted.
    pub(crate) tokens: Vec<Token>,
    pub(crate) version: u8,
    pub(crate) ended: bool,
    /// Whether the end has closed the account.
    pub(crate) closed: bool,
}

impl Code {
    pub(crate) fn has_expired(&self, variant: Variant, now: Time) -> bool {
        variant != Variant::EndOfCodeNotCompared && self.is_over(now)
    }

    /// Returns whether the code's minute is over, whatever the protocol compares.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.issued_at + CODE_LIFETIME <= now
    }
}

impl Write {
    /// Returns when the invocation began that sends the request.
    pub(crate) fn made_at(self) -> Time {
        match self {
            Self::PutCode(code) => code.issued_at,
            Self::Redeem { now, .. } | Self::Withdraw { now, .. } => now,
        }
    }
}

impl Table {
    /// Returns whether the account has this version, and its subscription has not ended.
    pub(crate) fn is_account_good(&self, version: u8) -> bool {
        self.version == version && !self.ended
    }

    /// Returns whether userinfo accepts the token.
    pub(crate) fn is_token_good(&self, variant: Variant, token: &Token, now: Time) -> bool {
        let same_version = self.version == token.version || variant == Variant::VersionNotInLookup;
        let has_ended = self.ended && variant != Variant::CredentialNotInLookup;
        now < token.expires_at && same_version && !has_ended
    }

    /// Returns whether the time to live may delete the code.
    pub(crate) fn may_forget_code(&self, variant: Variant, now: Time) -> bool {
        let kept = if variant == Variant::ForgottenAtItsEnd { 0 } else { CODE_KEPT };
        self.code.is_some_and(|code| code.issued_at + CODE_LIFETIME + kept <= now)
    }

    fn put_code(&mut self, variant: Variant, code: Code) {
        if self.code.is_none() || variant == Variant::BarePut {
            self.code = Some(code);
        }
    }

    /// Carries out the transaction that redeems the code, if its conditions hold.
    fn redeem(&mut self, variant: Variant, id: TokenId, version: u8, now: Time) -> Written {
        let spent_by = self.code.and_then(|code| code.spent_by);
        let compared = spent_by.filter(|_| variant != Variant::SpendingNotCompared);
        let same_version = self.version == version || variant == Variant::VersionNotChecked;
        let has_ended = self.ended && variant != Variant::CredentialNotChecked;
        let is_valid = same_version && !has_ended;
        let Some(code) = self.code.as_mut().filter(|code| compared.is_none() && !code.has_expired(variant, now)) else {
            return match spent_by {
                Some(other) if other != id => Written::Spent(other),
                _ if !is_valid => Written::NotValid,
                Some(own) => Written::Spent(own),
                None => Written::Expired,
            };
        };
        if !is_valid {
            return Written::NotValid;
        }
        code.spent_by = Some(id);
        self.tokens.push(Token { id, version, expires_at: now + TOKEN_LIFETIME });
        self.tokens.sort_unstable();
        Written::Done
    }
}

impl ProductModel {
    /// Carries out a write, whether or not an invocation still waits for it.
    pub(crate) fn carry_out(&self, world: &mut World, write: Write) -> Written {
        match write {
            Write::PutCode(code) => world.table.put_code(self.variant, code),
            Write::Redeem { token, version, now } => {
                let (before, code) = (world.table.clone(), world.table.code);
                let written = world.table.redeem(self.variant, token, version, now);
                if let (Written::Done, Some(code)) = (written, code) {
                    world.witness.observe_redemption(&before, code, token, now);
                }
                return written;
            }
            Write::Withdraw { token, .. } => world.table.tokens.retain(|one| one.id != token),
        }
        Written::Done
    }
}
