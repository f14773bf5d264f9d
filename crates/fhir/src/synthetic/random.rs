//! Seeded randomness whose stream never changes with a library's version.
//!
//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014):
//! good enough to invent people, useless for secrets.

/// A stream of pseudorandom numbers; the same seed and labels give the same stream for ever.
#[derive(Clone, Debug)]
pub(super) struct Random {
    origin: u64,
    state: u64,
}

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self { origin: seed, state: seed }
    }

    /// An independent stream named by a label. It depends on this stream's seed only, not on how
    /// much was drawn from it: a new draw in one part of a life leaves the others as they were.
    pub fn fork(&self, label: &str) -> Self {
        let mut hash = FNV_OFFSET;
        for byte in label.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        self.fork_number(hash)
    }

    /// An independent stream named by a number.
    pub fn fork_number(&self, number: u64) -> Self {
        Self::new(mix(self.origin ^ mix(number.wrapping_add(GAMMA))))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number below `end`, which must not be 0. The bias is below 2^-32 per value.
    pub fn below(&mut self, end: u32) -> u32 {
        assert!(end > 0, "nothing is below zero");
        (((self.bits() >> 32) * u64::from(end)) >> 32) as u32
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        assert!(low <= high, "an empty range holds no number");
        low + self.below((high - low) as u32 + 1) as i32
    }

    /// True `permille` times in a thousand.
    pub fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < permille
    }

    /// One of the items, all equally likely.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u32) as usize]
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A bell-shaped number with mean 0 and standard deviation 1, never beyond 6: the sum of twelve
    /// uniform numbers. It needs additions only, so every platform computes the same bits.
    pub fn bell(&mut self) -> f64 {
        let mut sum = 0u32;
        for _ in 0..3 {
            let bits = self.bits();
            sum += (0..4).map(|part| (bits >> (16 * part)) as u32 & 0xffff).sum::<u32>();
        }
        f64::from(sum) / 65536.0 - 6.0
    }
}

/// The finaliser of SplitMix64: a bijection of 64-bit numbers.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        let drawn: Vec<u64> = (0..5).map(|_| random.bits()).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(drawn, published);
    }

    #[test]
    fn forks_ignore_what_was_drawn() {
        let mut random = Random::new(7);
        let before = random.fork("names").bits();
        random.bits();
        assert_eq!(random.fork("names").bits(), before);
        assert_ne!(random.fork("towns").bits(), before);
    }

    #[test]
    fn bell_has_mean_zero_and_deviation_one() {
        let mut random = Random::new(3);
        let drawn: Vec<f64> = (0..20_000).map(|_| random.bell()).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
