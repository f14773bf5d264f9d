//! How often a client gets tokens: a small bucket each, filled at a steady rate.

use std::{collections::HashMap, sync::Mutex};

use crate::limits;

/// Buckets by client.
#[derive(Default)]
pub struct Rate(Mutex<HashMap<String, Bucket>>);

struct Bucket {
    tokens_milli: u64,
    filled_ms: u64,
}

impl Rate {
    /// Takes one from the client's bucket; false if it is empty.
    pub fn take(&self, client: &str, now_ms: u64) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let full = limits::TOKEN_BURST * 1_000;
        let bucket = buckets
            .entry(client.to_owned())
            .or_insert(Bucket { tokens_milli: full, filled_ms: now_ms });
        let elapsed_ms = now_ms.saturating_sub(bucket.filled_ms);
        let refill = elapsed_ms.saturating_mul(limits::TOKENS_PER_SECOND);
        bucket.tokens_milli = bucket.tokens_milli.saturating_add(refill).min(full);
        bucket.filled_ms = now_ms;
        let is_left = bucket.tokens_milli >= 1_000;
        if is_left {
            bucket.tokens_milli -= 1_000;
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_asks_too_often_waits_and_others_do_not() {
        let rate = Rate::default();
        for _ in 0..limits::TOKEN_BURST {
            assert!(rate.take("a", 0));
        }
        assert!(!rate.take("a", 0));
        assert!(rate.take("b", 0));
        assert!(!rate.take("a", 1_000 / limits::TOKENS_PER_SECOND - 1));
        assert!(rate.take("a", 1_000 / limits::TOKENS_PER_SECOND));
    }
}
