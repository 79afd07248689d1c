//! Chance that can be repeated.

/// `SplitMix64`: the same numbers for the same seed, on every machine.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The same again for the same seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of the numbers below. The remainder favours none of them by more than one in 10^18.
    pub fn below(&mut self, number: usize) -> usize {
        usize::try_from(self.number() % number as u64).unwrap_or_default()
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())]
    }

    /// In an order of which each is as likely as any other.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for n in (1..things.len()).rev() {
            things.swap(n, self.below(n + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_order_is_drawn_from_all_and_is_the_same_for_the_same_seed() {
        let order = |seed| {
            let mut order = [0, 1, 2];
            Chance::of(seed).shuffle(&mut order);
            order
        };
        let drawn: BTreeSet<_> = (0..100).map(order).collect();
        assert_eq!(drawn.len(), 6);
        assert_eq!(order(7), order(7));
    }
}
