//! Records what an observer of the table and of the answers would see, and states the invariants over it. The protocol never reads any of
//! this.

use stateright::Property;

use super::process::Answer;
use super::table::{Code, Table, Time, Token, TokenId};
use super::{ProductModel, Variant, World};

pub(crate) const ONE_TOKEN: &str = "a code gives at most one token";
pub(crate) const VOID_AFTER_SECOND_USE: &str = "after an answered second use of a code no token of it is good";
pub(crate) const OWN_USE_ANSWERED: &str =
    "a use whose token was issued is answered with it, whatever answers were lost";
pub(crate) const IN_ITS_MINUTE: &str = "no code is redeemed by a request that comes after its end";
pub(crate) const NONE_AFTER_RESET: &str = "8: no code is redeemed after a reset or a removal";
pub(crate) const NONE_AFTER_END: &str = "16: no code is redeemed after the end";
pub(crate) const VOID_AFTER_RESET: &str = "8: no token is good for a version that has moved on";
pub(crate) const VOID_AFTER_END: &str = "16: no token is good after the end";

/// A violation that leaves no trace in the table, so the witness records it when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Breach {
    OwnUseRefused,
    RedeemedAfterItsMinute,
    RedeemedAfterReset,
    RedeemedAfterEnd,
}

/// A situation that a test of the design must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Situation {
    Redeemed,
    OwnRecognised,
    /// A use is refused after another one has got its token.
    SecondUse,
    Overtaken,
    Expired,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// The tokens that were issued, in order.
    issued: Vec<TokenId>,
    situations: Vec<Situation>,
    breaches: Vec<Breach>,
}

impl Witness {
    pub(crate) fn record(&mut self, situation: Situation) {
        if let Err(place) = self.situations.binary_search(&situation) {
            self.situations.insert(place, situation);
        }
    }

    pub(crate) fn has_seen(&self, situation: Situation) -> bool {
        self.situations.binary_search(&situation).is_ok()
    }

    fn check(&mut self, breached: bool, breach: Breach) {
        if breached && let Err(place) = self.breaches.binary_search(&breach) {
            self.breaches.insert(place, breach);
        }
    }

    /// Records that the code was redeemed by a request of the time `now`, with the table as it was before.
    pub(crate) fn observe_redemption(&mut self, before: &Table, code: Code, token: TokenId, now: Time) {
        self.issued.push(token);
        self.check(code.is_over(now), Breach::RedeemedAfterItsMinute);
        self.check(before.version != code.version, Breach::RedeemedAfterReset);
        self.check(before.ended, Breach::RedeemedAfterEnd);
    }
}

impl World {
    /// Records the answer of a use.
    pub(crate) fn observe_answer(&mut self, n: usize, answer: Answer) {
        let own = self.witness.issued.iter().any(|token| token.by == n);
        let others = self.witness.issued.iter().any(|token| token.by != n);
        match answer {
            Answer::Token(_) => self.witness.record(Situation::Redeemed),
            Answer::InvalidGrant if others => self.witness.record(Situation::SecondUse),
            Answer::InvalidGrant => {
                // A reset and the end void the token anyway, so that they may refuse the use.
                let has_changed = self.table.version > 0 || self.table.ended;
                self.witness.check(own && !has_changed, Breach::OwnUseRefused);
            }
        }
    }

    fn has_breach(&self, breach: Breach) -> bool {
        self.witness.breaches.contains(&breach)
    }

    fn good_tokens(&self, variant: Variant) -> impl Iterator<Item = &Token> {
        self.table.tokens.iter().filter(move |token| self.table.is_token_good(variant, token, self.now))
    }
}

pub(crate) fn properties() -> Vec<Property<ProductModel>> {
    vec![
        Property::always(ONE_TOKEN, |_, world: &World| world.witness.issued.len() <= 1),
        Property::always(VOID_AFTER_SECOND_USE, |model: &ProductModel, world: &World| {
            !world.witness.has_seen(Situation::SecondUse) || world.good_tokens(model.variant).next().is_none()
        }),
        Property::always(OWN_USE_ANSWERED, |_, world: &World| !world.has_breach(Breach::OwnUseRefused)),
        Property::always(IN_ITS_MINUTE, |_, world: &World| !world.has_breach(Breach::RedeemedAfterItsMinute)),
        Property::always(NONE_AFTER_RESET, |_, world: &World| !world.has_breach(Breach::RedeemedAfterReset)),
        Property::always(NONE_AFTER_END, |_, world: &World| !world.has_breach(Breach::RedeemedAfterEnd)),
        Property::always(VOID_AFTER_RESET, |model: &ProductModel, world: &World| {
            world.good_tokens(model.variant).all(|token| token.version == world.table.version)
        }),
        Property::always(VOID_AFTER_END, |model: &ProductModel, world: &World| {
            !world.table.ended || world.good_tokens(model.variant).next().is_none()
        }),
    ]
}
