//! The sign-in to the product in the specification: codes, each for one token, and tokens that end with what ends sessions.

use std::collections::BTreeMap;

use super::{Label, Reply, Session, State, UserName, reply};

/// The time in which a code can be redeemed, in seconds.
const CODE_LIFETIME: u64 = 60;

/// The lifetime of a token, in seconds.
const TOKEN_LIFETIME: u64 = 300;

/// The account that a code or a token is for, as it was when the code was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Holder {
    who: UserName,
    version: u64,
}

/// A code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Code {
    holder: Holder,
    expires_at: u64,
    /// The token that it was redeemed for.
    spent_by: Option<Label>,
}

/// The codes and tokens of a subscription. A token that a second use of its code has voided is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Product {
    codes: BTreeMap<Label, Code>,
    tokens: BTreeMap<Label, (Holder, u64)>,
}

fn invalid_grant() -> Reply {
    reply(400, "invalid_grant")
}

impl State {
    /// Confirms in a session, on the page for an account, that it continues to the product.
    pub(super) fn enter_product(&mut self, session: Label, who: UserName, code: Label) -> Reply {
        match self.valid_session(session) {
            Some(Session { who: owner, full: true, version }) if self.is_proven(owner) => {
                if owner != who {
                    return reply(200, "a page for another account");
                }
                let (holder, expires_at) = (Holder { who, version }, self.now + CODE_LIFETIME);
                self.product.codes.insert(code, Code { holder, expires_at, spent_by: None });
                reply(200, "a code")
            }
            _ => reply(303, ""),
        }
    }

    /// Redeems a code. Its second use voids the token of the first.
    pub(super) fn redeem_code(&mut self, code: Label, gives: Label) -> Reply {
        let Some(&Code { holder, expires_at, spent_by }) = self.product.codes.get(code) else { return invalid_grant() };
        if let Some(first) = spent_by {
            self.product.tokens.remove(first);
            return invalid_grant();
        }
        if expires_at <= self.now || !self.is_known(holder) {
            return invalid_grant();
        }
        self.product.codes.insert(code, Code { holder, expires_at, spent_by: Some(gives) });
        self.product.tokens.insert(gives, (holder, self.now + TOKEN_LIFETIME));
        reply(200, "a token")
    }

    /// Asks with a token for the claims.
    pub(super) fn read_user(&self, token: Label) -> Reply {
        let known = self.product.tokens.get(token);
        let is_good = known.is_some_and(|(holder, expires_at)| self.now < *expires_at && self.is_known(*holder));
        if is_good { reply(200, "the claims") } else { reply(401, "invalid_token") }
    }

    /// Returns whether the account is as it was, and its subscription has not ended.
    fn is_known(&self, holder: Holder) -> bool {
        let account = self.accounts.get(&holder.who).filter(|account| account.version == holder.version);
        account.is_some_and(|account| account.active) && !self.life.has_ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::{ADMINISTRATOR_PASSWORD, Op, Password};

    /// Returns a subscription that is handed over to Lee, whose session is `L` and whose code is `c`.
    fn entered() -> State {
        let mut state = State::started();
        let sign_in = |who, password, begins| Op::SignIn { who, password, begins };
        for op in [
            sign_in(UserName::Admin, Password::Temporary(1), "A"),
            Op::Reset { session: "A", current: None, to: Password::Chosen(0), begins: "F" },
            Op::Create { session: "F", who: UserName::Lee, key: "lee" },
        ] {
            assert!(state.apply(op).0 < 300, "{op}");
        }
        assert_eq!(state.apply(enter("F", "f")), reply(303, ""), "the service administrator creates an account");
        assert_eq!(state.apply(sign_in(UserName::Lee, ADMINISTRATOR_PASSWORD, "L")), reply(200, "home"));
        let other = Op::Enter { session: "L", who: UserName::Mo, code: "c" };
        assert_eq!(state.apply(other), reply(200, "a page for another account"));
        assert_eq!(state.apply(enter("L", "c")), reply(200, "a code"));
        state
    }

    fn enter(session: Label, code: Label) -> Op {
        Op::Enter { session, who: UserName::Lee, code }
    }

    fn redeem(gives: Label) -> Op {
        Op::Redeem { code: "c", gives }
    }

    fn user_status(state: &mut State, token: Label) -> u16 {
        state.apply(Op::ReadUser { token }).0
    }

    #[test]
    fn a_code_gives_one_token_which_its_second_use_voids() {
        let mut state = entered();
        assert_eq!(state.apply(redeem("one")), reply(200, "a token"));
        assert_eq!(user_status(&mut state, "one"), 200);
        assert_eq!(state.apply(redeem("two")), invalid_grant());
        assert_eq!((user_status(&mut state, "one"), user_status(&mut state, "two")), (401, 401));
    }

    #[test]
    fn a_code_ends_after_a_minute_and_a_token_after_five() {
        let mut state = entered();
        let late = &mut state.clone();
        late.apply(Op::Wait { seconds: CODE_LIFETIME });
        assert_eq!(late.apply(redeem("one")), invalid_grant());
        state.apply(redeem("one"));
        state.apply(Op::Wait { seconds: TOKEN_LIFETIME - 1 });
        assert_eq!(user_status(&mut state, "one"), 200);
        state.apply(Op::Wait { seconds: 1 });
        assert_eq!(user_status(&mut state, "one"), 401);
    }

    #[test]
    fn an_end_voids_codes_and_tokens() {
        let mut state = entered();
        let before = &mut state.clone();
        state.apply(Op::End { at: 1 });
        assert_eq!(state.apply(redeem("one")), invalid_grant());
        assert_eq!(state.apply(enter("L", "d")), reply(303, ""));
        before.apply(redeem("one"));
        before.apply(Op::End { at: 1 });
        assert_eq!(user_status(before, "one"), 401);
    }
}
