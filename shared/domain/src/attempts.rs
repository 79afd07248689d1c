//! How often somebody may try a password: three budgets, each spent before anything is verified.
//!
//! A budget is a bucket that holds `burst` attempts and gains one each `interval` (the generic cell rate algorithm). Its one number
//! is the theoretical arrival time, `tat`: when it will be full again. `DynamoDB` has no maximum of two numbers, so spending is a
//! conditional write of one of two [`Shape`]s, told from the item that the other one met. They commute: whatever order they are
//! carried out in, in a time `t` no more than `burst + (t + 2δ) / interval` are admitted, δ being how far clocks are off.

use std::{net::IpAddr, time::Duration};

use crate::{
    Timestamp, UserName,
    digest::{digest, encode},
};

/// A bucket's size and refill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Attempts at once.
    pub burst: u32,
    /// One more after each.
    pub interval: Duration,
}

/// The attempts of one network, whatever it tries.
pub const NETWORK: Budget = Budget { burst: 60, interval: Duration::from_secs(2) };

/// The attempts of one network at one account.
pub const ACCOUNT_FROM_NETWORK: Budget = Budget { burst: 5, interval: Duration::from_secs(30) };

/// The attempts at one account from all networks that it has not signed in from.
pub const ACCOUNT: Budget = Budget { burst: 20, interval: Duration::from_secs(30) };

/// How long a network from which an account has signed in stays known, and how long attempts are remembered.
pub const REMEMBERED: Duration = Duration::from_hours(90 * 24);

/// Milliseconds since the epoch, for a bucket that refills between two seconds.
pub type Millis = i64;

/// Which of the two writes spends an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The bucket is full: `tat` becomes now and one interval, if it is absent or not after now.
    Idle,
    /// It is not: `tat` becomes one interval later, if it is after now and not after [`Budget::latest`].
    Busy,
}

/// What a write that was refused means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// It was of the wrong shape.
    Again(Shape),
    /// Nothing is left. Seconds until something is, at least one.
    Exhausted {
        /// Seconds.
        retry_after: u32,
    },
}

impl Budget {
    /// The interval in milliseconds.
    #[must_use]
    pub fn interval_millis(self) -> Millis {
        Millis::try_from(self.interval.as_millis()).unwrap_or(Millis::MAX)
    }

    /// The latest `tat` that leaves room for one more attempt at `now`.
    #[must_use]
    pub fn latest(self, now: Millis) -> Millis {
        now.saturating_add(self.interval_millis().saturating_mul(Millis::from(self.burst.saturating_sub(1))))
    }

    /// What it means that a write at `now` was refused by an item with this `tat`.
    #[must_use]
    pub fn judge_refusal(self, tat: Option<Millis>, now: Millis) -> Spend {
        match tat {
            Some(tat) if tat > self.latest(now) => {
                let wait = tat.saturating_sub(self.latest(now));
                let seconds = u32::try_from(wait.saturating_add(999) / 1000).unwrap_or(u32::MAX);
                Spend::Exhausted { retry_after: seconds.max(1) }
            }
            Some(tat) if tat > now => Spend::Again(Shape::Busy),
            _ => Spend::Again(Shape::Idle),
        }
    }
}

/// `now` for a bucket. The clock gives whole seconds, so two processes are up to a second apart however good their clocks are.
#[must_use]
pub fn millis(now: Timestamp) -> Millis {
    now.epoch_seconds().saturating_mul(1000)
}

/// Where a caller is: an IPv4 address, or the /56 of an IPv6 address, which is what one customer of a provider is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network(String);

impl Network {
    /// From the address that the gateway saw, never from a header.
    #[must_use]
    pub fn of(address: &str) -> Option<Self> {
        Some(Self(match address.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(address) => format!("{address}/32"),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{:x}:{:x}:{:x}:{:x}::/56", a, b, c, d & 0xff00)
            }
        }))
    }

    /// `192.0.2.1/32`, `2001:db8:0:100::/56`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whom somebody claims to be. What is no user name has a place in the table as well, so that it costs the same writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimedName(String);

impl ClaimedName {
    /// From whatever was typed. Blanks around it come with copying.
    #[must_use]
    pub fn of(typed: &str) -> Self {
        let typed = typed.trim();
        match UserName::parse(typed) {
            Some(name) => Self(name.as_str().to_owned()),
            // No user name begins with `?`, so nobody's place is taken.
            None => Self(format!("?{}", encode(&digest(&[typed.as_bytes()])))),
        }
    }

    /// Part of a key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&UserName> for ClaimedName {
    fn from(name: &UserName) -> Self {
        Self(name.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Budget = Budget { burst: 3, interval: Duration::from_secs(10) };

    #[test]
    fn a_refusal_tells_the_other_shape_or_how_long_to_wait() {
        assert_eq!(SMALL.judge_refusal(None, 0), Spend::Again(Shape::Idle));
        assert_eq!(SMALL.judge_refusal(Some(5_000), 5_000), Spend::Again(Shape::Idle));
        assert_eq!(SMALL.judge_refusal(Some(5_001), 5_000), Spend::Again(Shape::Busy));
        assert_eq!(SMALL.judge_refusal(Some(25_000), 5_000), Spend::Again(Shape::Busy));
        assert_eq!(SMALL.judge_refusal(Some(25_001), 5_000), Spend::Exhausted { retry_after: 1 });
        assert_eq!(SMALL.judge_refusal(Some(35_000), 5_000), Spend::Exhausted { retry_after: 10 });
    }

    /// The writes on one number, as `DynamoDB` carries them out.
    fn spend(tat: &mut Option<Millis>, budget: Budget, now: Millis) -> bool {
        let mut shape = Shape::Idle;
        loop {
            let admitted = match shape {
                Shape::Idle => tat.is_none_or(|tat| tat <= now),
                Shape::Busy => tat.is_some_and(|tat| tat > now && tat <= budget.latest(now)),
            };
            if admitted {
                *tat = Some(match shape {
                    Shape::Idle => now + budget.interval_millis(),
                    Shape::Busy => tat.unwrap() + budget.interval_millis(),
                });
                return true;
            }
            match budget.judge_refusal(*tat, now) {
                Spend::Again(other) => shape = other,
                Spend::Exhausted { .. } => return false,
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_window_admits_more_than_burst_and_refill(
            steps in proptest::collection::vec((0_i64..4_000, -2_000_i64..=2_000), 1..200)
        ) {
            let (mut tat, mut now, mut admitted) = (None, 1_000_000, Vec::new());
            for (wait, skew) in steps {
                now += wait;
                if spend(&mut tat, SMALL, now + skew) {
                    admitted.push(now);
                }
            }
            for (i, first) in admitted.iter().enumerate() {
                for (j, last) in admitted.iter().enumerate().skip(i) {
                    let count = i64::try_from(j - i + 1).unwrap();
                    proptest::prop_assert!((count - 3) * 10_000 <= last - first + 2 * 2_000);
                }
            }
        }
    }

    #[test]
    fn the_burst_is_admitted_at_one_instant_and_no_more() {
        let mut tat = None;
        assert_eq!((0..64).filter(|_| spend(&mut tat, ACCOUNT, 1_000)).count(), 20);
        assert_eq!((0..64).filter(|_| spend(&mut tat, ACCOUNT, 31_000)).count(), 1);
    }

    #[test]
    fn a_network_is_an_ipv4_address_or_the_56_of_an_ipv6_address() {
        let network = |address| Network::of(address).map(|network| network.0);
        assert_eq!(network("192.0.2.1").as_deref(), Some("192.0.2.1/32"));
        assert_eq!(network("::ffff:192.0.2.1").as_deref(), Some("192.0.2.1/32"));
        assert_eq!(network("2001:db8:1:ab01:2:3:4:5").as_deref(), Some("2001:db8:1:ab00::/56"));
        assert_eq!(network("2001:DB8:1:abff::"), network("2001:db8:1:ab00::1"));
        assert_ne!(network("2001:db8:1:ac00::"), network("2001:db8:1:ab00::"));
        for bad in ["", "localhost", "192.0.2.1:80", "192.0.2.256", "192.0.2.1, 192.0.2.2"] {
            assert_eq!(network(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_name_that_is_none_has_a_place_of_its_own() {
        assert_eq!(ClaimedName::of(" Admin@Fabrikam\n").as_str(), "admin@fabrikam");
        let (one, other) = (ClaimedName::of("a#b@c"), ClaimedName::of("a#b@d"));
        assert_ne!(one, other);
        assert!(one.as_str().starts_with('?') && one.as_str().len() == 23);
        assert_eq!(ClaimedName::of(&"x".repeat(16_000)).as_str().len(), 23);
    }
}
