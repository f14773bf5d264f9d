//! Chance, all of it from the seed of the run.

use std::{convert::Infallible, sync::Arc};

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use rand_core::{TryCryptoRng, TryRng};

use crate::watch::Watch;

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough to choose with.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice for one purpose in the run of a seed.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let hash = proof::sha256(&[b"sim/dice\n", &seed.to_le_bytes(), purpose.as_bytes()]);
        let [a, b, c, d, e, f, g, h, ..] = hash;
        Self(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    /// A number of this range.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True so many times out of a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// An index into something of this length, which is not 0.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.index(list.len())]
    }
}

/// A member's source of keys, salts and nonces. The watch learns the seeds of reader keys, so that it
/// can read what stewards seal to readers.
pub struct Chance {
    stream: ChaCha20Rng,
    watch: Arc<Watch>,
    last: usize,
}

impl Chance {
    /// The source of one life of a member: nothing is drawn twice, also not after a power cut.
    pub fn new(seed: u64, member: usize, life: u64, watch: Arc<Watch>) -> Self {
        let parts = [seed, member as u64, life].map(u64::to_le_bytes);
        let key = proof::sha256(&[b"sim/chance\n", &parts.concat()]);
        Self { stream: ChaCha20Rng::from_seed(key), watch, last: 0 }
    }
}

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.stream.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.stream.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.stream.fill_bytes(bytes);
        // A request draws its nonce, and then the seed of its reader key.
        if let (8, Ok(seed)) = (self.last, <[u8; 32]>::try_from(&*bytes)) {
            self.watch.reader_seed(seed);
        }
        self.last = bytes.len();
        Ok(())
    }
}

impl TryCryptoRng for Chance {}

/// Gives out bytes that were drawn before.
pub(crate) struct Again(pub [u8; 32]);

impl TryRng for Again {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0[..bytes.len()]);
        Ok(())
    }
}

impl TryCryptoRng for Again {}
