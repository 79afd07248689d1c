//! Chance that can be had again.

/// `SplitMix64`: the same numbers for the same seed, on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// In an order of which each is as likely as any other.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.up_to(last));
        }
    }

    /// From 0 to `most`. The remainder favours no number by more than one in 10^18.
    pub(super) fn up_to(&mut self, most: usize) -> usize {
        let numbers = most as u64 + 1;
        usize::try_from(self.next() % numbers).unwrap_or(most)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
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
            Random(seed).shuffle(&mut order);
            order
        };
        let drawn: BTreeSet<_> = (0..100).map(order).collect();
        assert_eq!(drawn.len(), 6);
        assert_eq!(order(7), order(7));
    }
}
