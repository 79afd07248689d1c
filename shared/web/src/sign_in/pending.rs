//! A sign-in that has begun, and the cookie that keeps it in the browser.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Timestamp;
use http::HeaderMap;
use lambda_http::Request;

use super::SignInRefusal;
use crate::{
    cookie::{self, SameSite},
    identity::{AccountChoice, Asked, Site, Ties},
    reply::Reply,
    request::query_parameter,
};

/// How many characters of the state are in the name of its cookie: 48 bits.
const NAMED: usize = 8;

/// How long a person may take at their provider.
pub(super) const LIFETIME: Duration = Duration::from_mins(10);

/// How many sign-ins a browser can have at once. Another one takes the place of the oldest, so that the cookies stay few.
const AT_ONCE: usize = 3;

/// A sign-in that has begun. It has no `Debug`, because its values tie an answer of the provider to the browser.
pub struct SignIn {
    pub(super) site: Site,
    pub(super) ties: Ties,
    pub(super) begun_at: Timestamp,
    pub(super) turn: Turn,
    pub(super) asked: Asked,
    /// The path on this site to return to.
    pub(super) back: String,
}

/// Whether the person began a sign-in, or the site began it again after an answer that asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    First,
    Again,
}

impl SignIn {
    /// Returns the nonce that the ID token must have.
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.ties.nonce
    }

    /// Returns the path that begins this sign-in once more. Without the role, only another account helps.
    pub(super) fn again(&self, refusal: SignInRefusal) -> String {
        let mut path = self.site.sign_in_path(&self.back);
        if self.asked.account == AccountChoice::Ask || refusal == SignInRefusal::NoRole {
            path.push_str("&account=other");
        }
        if self.asked.is_for_decision {
            path.push_str("&decision=true");
        }
        path
    }

    pub(super) fn cookie_name(&self) -> String {
        cookie_name(self.site, &self.ties.state).unwrap_or_default()
    }

    /// Clears the cookie of a sign-in that is over.
    pub(super) fn clear(&self, reply: Reply) -> Reply {
        cookie::clear(reply, &self.cookie_name(), SameSite::Lax)
    }

    pub(super) fn to_cookie(&self) -> String {
        let Ties { state, nonce, verifier } = &self.ties;
        let (at, kind) = (self.begun_at.epoch_seconds(), self.kind());
        format!("{at}.{kind}.{state}.{nonce}.{verifier}.{}", BASE64_URL_SAFE_NO_PAD.encode(&self.back))
    }

    /// Returns the turn and what was asked of the provider, as a number from 1 to 16.
    fn kind(&self) -> u8 {
        let again = u8::from(self.turn == Turn::Again);
        let ask = u8::from(self.asked.account == AccountChoice::Ask);
        1 + again + 2 * ask + 4 * u8::from(self.asked.is_for_decision) + 8 * u8::from(self.asked.asks_to_sign_in)
    }

    /// Parses the cookie, with the checks that its content passed when it was written. It needs no signature: an attacker who can write
    /// our cookies could as well complete a sign-in.
    pub(super) fn from_cookie(site: Site, cookie: &str) -> Option<Self> {
        let mut parts = cookie.split('.');
        let begun_at = Timestamp::from_epoch_seconds(parts.next()?.parse().ok()?);
        let kind = parts.next()?.parse::<u8>().ok()?.checked_sub(1).filter(|kind| *kind < 16)?;
        let has = |bit: u8| kind & bit != 0;
        let turn = if has(1) { Turn::Again } else { Turn::First };
        let account = if has(2) { AccountChoice::Ask } else { AccountChoice::Current };
        let asked = Asked { account, is_for_decision: has(4), asks_to_sign_in: has(8) };
        let mut tie = || parts.next().filter(|tie| tie.len() == 43).map(str::to_owned);
        let ties = Ties { state: tie()?, nonce: tie()?, verifier: tie()? };
        let back = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        let is_valid = parts.next().is_none() && site.may_return_to(&back);
        is_valid.then_some(Self { site, ties, begun_at, turn, asked, back })
    }
}

/// Returns the name of the cookie of the sign-in with this state. `None` for a text that is not one of our states.
pub(super) fn cookie_name(site: Site, state: &str) -> Option<String> {
    let plain = state.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    state.get(..NAMED).filter(|_| plain).map(|begin| format!("{}{begin}", site.sign_in_cookie()))
}

/// Clears the oldest sign-ins of this browser, so that there is room for one more.
pub(super) fn clear_oldest(site: Site, reply: Reply, request: &Request) -> Reply {
    let current = query_parameter(request, "state").and_then(|state| cookie_name(site, &state));
    let mut pending = pending(site, request.headers());
    // The callback clears its own sign-in.
    pending.retain(|(_, name)| Some(*name) != current.as_deref());
    pending.sort_unstable();
    let surplus = (pending.len() + 1).saturating_sub(AT_ONCE);
    pending.iter().take(surplus).fold(reply, |reply, (_, name)| cookie::clear(reply, name, SameSite::Lax))
}

/// Returns the sign-ins of a browser: when each began, and the name of its cookie. One that cannot be read counts as the oldest.
fn pending(site: Site, headers: &HeaderMap) -> Vec<(Option<Timestamp>, &str)> {
    let is_named = |name: &str| name.strip_prefix(site.sign_in_cookie()).is_some_and(|end| end.len() == NAMED);
    let ours = cookie::all(headers).filter(|(name, _)| is_named(name));
    ours.map(|(name, value)| (SignIn::from_cookie(site, value).map(|sign_in| sign_in.begun_at), name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITES: [Site; 2] = [Site::Portal, Site::Desk];

    fn sign_in(site: Site, back: &str) -> SignIn {
        let tie = |c: &str| c.repeat(43);
        let ties = Ties { state: tie("a"), nonce: tie("b"), verifier: tie("c") };
        let asked = Asked { account: AccountChoice::Ask, is_for_decision: false, asks_to_sign_in: false };
        let begun_at = Timestamp::from_epoch_seconds(1_795_000_000);
        SignIn { site, ties, begun_at, turn: Turn::Again, asked, back: back.into() }
    }

    #[test]
    fn the_cookie_round_trips_and_malformed_cookies_are_rejected() {
        let begun = sign_in(Site::Portal, "/?cursor=x");
        let cookie = begun.to_cookie();
        let back = SignIn::from_cookie(Site::Portal, &cookie).unwrap();
        assert_eq!(
            (back.ties.state, back.ties.nonce, back.ties.verifier),
            (begun.ties.state, begun.ties.nonce, begun.ties.verifier)
        );
        assert_eq!((back.begun_at, back.turn, back.back.as_str()), (begun.begun_at, Turn::Again, "/?cursor=x"));
        assert_eq!(back.asked, begun.asked);
        let evil = BASE64_URL_SAFE_NO_PAD.encode("//evil.example");
        let (before, _) = cookie.rsplit_once('.').unwrap();
        for bad in [
            String::new(),
            ".....".into(),
            format!("{cookie}.x"),
            cookie[1..].replace("795", "x"),
            cookie.replacen(".4.", ".0.", 1),
            cookie.replacen(".4.", ".17.", 1),
            format!("{before}.{evil}"),
        ] {
            assert!(SignIn::from_cookie(Site::Portal, &bad).is_none(), "{bad}");
        }
        assert!(SignIn::from_cookie(Site::Desk, &cookie).is_none(), "the desk does not return to the portal");
    }

    #[test]
    fn the_cookie_tells_what_was_asked_of_the_provider() {
        for kind in 1..=16u8 {
            let mut begun = sign_in(Site::Desk, "/desk");
            let has = |bit: u8| (kind - 1) & bit != 0;
            begun.turn = if has(1) { Turn::Again } else { Turn::First };
            begun.asked.account = if has(2) { AccountChoice::Ask } else { AccountChoice::Current };
            (begun.asked.is_for_decision, begun.asked.asks_to_sign_in) = (has(4), has(8));
            assert_eq!(begun.kind(), kind);
            let back = SignIn::from_cookie(Site::Desk, &begun.to_cookie()).unwrap();
            assert_eq!((back.turn, back.asked), (begun.turn, begun.asked), "{kind}");
        }
    }

    #[test]
    fn a_cookie_with_the_longest_return_path_is_short() {
        for (site, most) in [(Site::Portal, 300), (Site::Desk, 304)] {
            let home = site.home();
            let back = format!("{}/{}", home.trim_end_matches('/'), "x".repeat(95 - home.trim_end_matches('/').len()));
            assert!(site.may_return_to(&back) && !site.may_return_to(&format!("{back}x")));
            let mut sign_in = sign_in(site, &back);
            sign_in.asked.asks_to_sign_in = site == Site::Desk;
            assert!(sign_in.cookie_name().len() + 1 + sign_in.to_cookie().len() <= most, "{site:?}");
        }
    }

    #[test]
    fn only_our_states_name_a_cookie_and_the_sites_share_none() {
        assert_eq!(cookie_name(Site::Portal, &"a".repeat(43)).as_deref(), Some("__Host-sign-in.aaaaaaaa"));
        assert_eq!(cookie_name(Site::Desk, &"a".repeat(43)).as_deref(), Some("__Host-desk-sign-in.aaaaaaaa"));
        for other in ["", "short", "a;b=cdefgh", "aaaaaaa\u{fc}", "a b c d e f"] {
            for site in SITES {
                assert_eq!(cookie_name(site, other), None, "{other}");
            }
        }
    }

    #[test]
    fn a_sign_in_that_failed_is_tried_again_as_it_was_begun() {
        let mut begun = sign_in(Site::Desk, "/desk/approvals");
        (begun.asked.is_for_decision, begun.asked.account) = (true, AccountChoice::Current);
        let path = "/desk/auth/sign-in?return=%2Fdesk%2Fapprovals";
        assert_eq!(begun.again(SignInRefusal::Stale), format!("{path}&decision=true"));
        assert_eq!(begun.again(SignInRefusal::NoRole), format!("{path}&account=other&decision=true"));
        assert_eq!(sign_in(Site::Portal, "/").again(SignInRefusal::Stale), "/auth/sign-in?return=%2F&account=other");
    }
}
