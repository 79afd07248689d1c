//! The invariants of the sign-in to the product.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AccessToken, AuthorizationCode};

use super::{Aftermath, text};
use crate::customers::Customer;

/// The uses of a code: the tokens that answers gave for it, and whether one of them was refused.
#[derive(Default)]
struct Uses {
    tokens: BTreeSet<String>,
    is_refused: bool,
}

/// Returns the uses of a customer's codes, by the digest of the code. Tokens are digests, too.
fn uses(after: &Aftermath, customer: &Customer) -> BTreeMap<String, Uses> {
    let mut all: BTreeMap<String, Uses> = BTreeMap::new();
    let observed = after.world.observed.uses.lock().unwrap();
    for one in observed.iter().filter(|one| one.subscription == customer.id) {
        let code = AuthorizationCode::parse(&one.code).unwrap().digest().as_str().to_owned();
        let token = one.token.as_ref().map(|token| AccessToken::parse(token).unwrap().digest().as_str().to_owned());
        let uses = all.entry(code).or_default();
        uses.tokens.extend(token);
        uses.is_refused |= one.is_refused;
    }
    all
}

/// Returns the token that a code was redeemed for, by the table.
fn spent_by<'a>(after: &'a Aftermath, code: &str) -> &'a str {
    let key = format!("CODE#{code}");
    let item = after.table.iter().find(|item| text(item, "PK") == key);
    item.map_or("", |item| text(item, "spent_by"))
}

pub(super) fn a_code_gives_one_token(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let mut wrong = Vec::new();
    for (code, Uses { tokens, .. }) in uses(after, customer) {
        let stored = spent_by(after, &code);
        if tokens.len() > 1 || tokens.iter().any(|token| token != stored) {
            wrong.push(format!("code {code}, redeemed for {stored:?}, gave {tokens:?}"));
        }
    }
    wrong
}

/// Checks the table: no account changes before its product has used the code, so that a refusal is that of a second use.
pub(super) fn a_second_use_voids_the_token(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let is_left = |token: &str| {
        let key = format!("TOKEN#{token}");
        after.table.iter().any(|item| text(item, "PK") == key)
    };
    let mut wrong = Vec::new();
    for (code, Uses { is_refused, .. }) in uses(after, customer) {
        let token = spent_by(after, &code);
        if is_refused && is_left(token) {
            wrong.push(format!("the token {token} of code {code} is good after a second use"));
        }
    }
    wrong
}
