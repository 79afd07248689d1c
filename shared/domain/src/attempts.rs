//! Rate limits on sign-in attempts, each spent before a password is verified, and the failures in a row.
//!
//! | who tries | spends, in this order | is stopped by |
//! |---|---|---|
//! | a browser whose device cookie the account knows | [`DEVICE`] | this alone; after a hundred failures in a row the account forgets the device |
//! | a network that the account knows | [`NETWORK`], then [`ACCOUNT_FROM_NETWORK`] | these; after a hundred failures in a row the network is not known any more |
//! | anyone else | the same two | these; and a hundred failures in a row close the account to strangers: [`crate::Account::is_open_to`] |
//!
//! The account as a whole has no budget: strangers could spend it and keep its owner out.
//!
//! A budget allows `burst` attempts at once and one more each `interval` (GCRA, the generic cell rate algorithm). Its only state is the
//! theoretical arrival time, `tat`: the time at which all of the burst is available again. `DynamoDB` cannot compute the maximum of two
//! numbers, so an attempt is spent by a conditional write of one of two [`Shape`]s; a refused write returns the item, which says which
//! shape to use next. The writes commute: in any order, at most `burst + (t + 2δ) / interval` attempts are admitted in a time `t`, where
//! δ is the largest clock error.

use std::{net::IpAddr, time::Duration};

use crate::{
    DeviceDigest, Timestamp, UserName,
    digest::{digest, encode},
};

/// The size of a budget and how fast it refills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The number of attempts at once.
    pub burst: u32,
    /// The time after which one more attempt is available.
    pub interval: Duration,
}

/// The budget of one network over all accounts.
pub const NETWORK: Budget = Budget { burst: 60, interval: Duration::from_secs(2) };

/// The budget of one network for one account.
pub const ACCOUNT_FROM_NETWORK: Budget = Budget { burst: 5, interval: Duration::from_secs(30) };

/// The budget of one device for an account that knows it.
pub const DEVICE: Budget = Budget { burst: 5, interval: Duration::from_secs(30) };

/// The number of failures in a row after which a device is forgotten, a network is not known any more, and an account is closed to
/// strangers. It is the limit of NIST SP 800-63B-4, 3.2.2.
pub const FAILURES_IN_A_ROW: u64 = 100;

/// How long a network stays known to an account that has signed in from it, and how long its attempts at an account are stored.
pub const REMEMBERED: Duration = Duration::from_hours(90 * 24);

/// How long the attempts of a network at all accounts are stored. The item has an address, and no budget needs it for longer.
pub const NETWORK_STORED: Duration = Duration::from_hours(24);

/// Milliseconds since the epoch: a budget may refill within a second.
pub type Millis = i64;

/// The shape of the conditional write that spends an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The shape for a full budget. It sets `tat` to now plus one interval, if it is absent or not after now.
    Idle,
    /// The shape for any other budget. It adds one interval to `tat`, if it is after now and not after [`Budget::latest`].
    Busy,
}

/// The meaning of a refused write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// The write had the wrong shape; this is the right one.
    Again(Shape),
    /// No attempts are left.
    Exhausted {
        /// Seconds until the next attempt is available, at least one.
        retry_after: u32,
    },
}

impl Budget {
    /// Returns the interval in milliseconds.
    #[must_use]
    pub fn interval_millis(self) -> Millis {
        Millis::try_from(self.interval.as_millis()).unwrap_or(Millis::MAX)
    }

    /// Returns the latest `tat` that leaves room for one more attempt at `now`.
    #[must_use]
    pub fn latest(self, now: Millis) -> Millis {
        now.saturating_add(self.interval_millis().saturating_mul(Millis::from(self.burst.saturating_sub(1))))
    }

    /// Returns what it means that an item with this `tat` refused a write at `now`.
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

/// Converts a time to milliseconds. The clock has whole seconds, so two processes differ by up to a second even with perfect clocks.
#[must_use]
pub fn millis(now: Timestamp) -> Millis {
    now.epoch_seconds().saturating_mul(1000)
}

/// The network of a caller: an IPv4 address, or the /56 of an IPv6 address, which an internet provider assigns to one customer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network(String);

impl Network {
    /// Parses the address that the gateway saw. A header is never used, since callers can forge it.
    #[must_use]
    pub fn parse(address: &str) -> Option<Self> {
        Some(Self(match address.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(address) => format!("{address}/32"),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{:x}:{:x}:{:x}:{:x}::/56", a, b, c, d & 0xff00)
            }
        }))
    }

    /// Returns the network, such as `192.0.2.1/32` or `2001:db8:0:100::/56`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The origin of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The network of the caller.
    pub network: Network,
    /// The device cookie that the caller presents, if any. The account may not know it.
    pub device: Option<DeviceDigest>,
}

/// How an account knows the origin of an admitted attempt. Every attempt counts as a failure until its password proves right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The account knows the device.
    Device {
        /// The failures in a row of the device, including this attempt.
        failures: u64,
    },
    /// The account knows the network.
    KnownNetwork,
    /// The account knows neither.
    Stranger {
        /// The failures in a row of all strangers, including this attempt; `None` if there were [`FAILURES_IN_A_ROW`] before it.
        failures: Option<u64>,
    },
}

impl Admission {
    /// Returns whether a wrong password makes the account forget the device.
    #[must_use]
    pub fn forgets_device(self) -> bool {
        matches!(self, Self::Device { failures } if failures >= FAILURES_IN_A_ROW)
    }
}

/// Returns whether an account knows a device or a network `now`. `failures` are those in a row, including the attempt that asks.
#[must_use]
pub fn is_known(known_until: Option<Timestamp>, failures: u64, now: Timestamp) -> bool {
    known_until.is_some_and(|until| now < until) && failures <= FAILURES_IN_A_ROW
}

/// The user name that a caller claims. Text that is not a user name has an item in the table too, so that an attempt at it takes the same
/// writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimedName(String);

impl ClaimedName {
    /// Accepts any typed text, and ignores the white space around it, which copying adds.
    #[must_use]
    pub fn from_typed(typed: &str) -> Self {
        let typed = typed.trim();
        match UserName::parse(typed) {
            Some(name) => Self(name.as_str().to_owned()),
            // No user name begins with `?`, so this cannot collide with one.
            None => Self(format!("?{}", encode(&digest(&[typed.as_bytes()])))),
        }
    }

    /// Returns the text that the keys of the table contain.
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
    fn a_refusal_says_which_shape_to_use_or_how_long_to_wait() {
        assert_eq!(SMALL.judge_refusal(None, 0), Spend::Again(Shape::Idle));
        assert_eq!(SMALL.judge_refusal(Some(5_000), 5_000), Spend::Again(Shape::Idle));
        assert_eq!(SMALL.judge_refusal(Some(5_001), 5_000), Spend::Again(Shape::Busy));
        assert_eq!(SMALL.judge_refusal(Some(25_000), 5_000), Spend::Again(Shape::Busy));
        assert_eq!(SMALL.judge_refusal(Some(25_001), 5_000), Spend::Exhausted { retry_after: 1 });
        assert_eq!(SMALL.judge_refusal(Some(35_000), 5_000), Spend::Exhausted { retry_after: 10 });
    }

    /// Spends an attempt as `DynamoDB` carries out the writes.
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
        assert_eq!((0..64).filter(|_| spend(&mut tat, DEVICE, 1_000)).count(), 5);
        assert_eq!((0..64).filter(|_| spend(&mut tat, DEVICE, 31_000)).count(), 1);
    }

    #[test]
    fn a_device_or_a_network_is_known_until_its_time_and_up_to_a_hundred_failures() {
        let at = Timestamp::from_epoch_seconds;
        assert!(is_known(Some(at(60)), 100, at(59)));
        assert!(!is_known(Some(at(60)), 1, at(60)));
        assert!(!is_known(Some(at(60)), 101, at(59)));
        assert!(!is_known(None, 1, at(59)));
    }

    #[test]
    fn the_hundredth_failure_of_a_device_is_its_last() {
        assert!(!Admission::Device { failures: 99 }.forgets_device());
        assert!(Admission::Device { failures: 100 }.forgets_device());
        assert!(!Admission::KnownNetwork.forgets_device() && !Admission::Stranger { failures: None }.forgets_device());
    }

    #[test]
    fn a_network_is_an_ipv4_address_or_the_56_of_an_ipv6_address() {
        let network = |address| Network::parse(address).map(|network| network.0);
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
    fn text_that_is_not_a_user_name_has_an_item_of_its_own() {
        assert_eq!(ClaimedName::from_typed(" Admin@Fabrikam\n").as_str(), "admin@fabrikam");
        let (one, other) = (ClaimedName::from_typed("a#b@c"), ClaimedName::from_typed("a#b@d"));
        assert_ne!(one, other);
        assert!(one.as_str().starts_with('?') && one.as_str().len() == 23);
        assert_eq!(ClaimedName::from_typed(&"x".repeat(16_000)).as_str().len(), 23);
    }
}
