//! Public keys of others by address: fetched, kept for a while, fetched again when a new one
//! appears.
//!
//! Only configured addresses are ever asked, so the number of sets is that of the configuration.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use jsonwebtoken::{
    DecodingKey,
    jwk::{Jwk, JwkSet},
};

use super::fetch::Fetch;
use crate::limits;

/// Sets of keys by address.
#[derive(Default)]
pub struct Keys(Mutex<HashMap<String, Kept>>);

#[derive(Clone)]
struct Kept {
    set: Arc<JwkSet>,
    fetched_ms: u64,
}

impl Keys {
    /// The keys at an address: those kept, unless they are old, or lack the key that is asked for.
    ///
    /// # Errors
    /// If there are none and they cannot be had.
    pub async fn at(
        &self,
        fetch: &Fetch,
        url: &str,
        key_id: Option<&str>,
        now_ms: u64,
    ) -> Result<Arc<JwkSet>, String> {
        let kept = self.lock().get(url).cloned();
        if let Some(kept) = &kept
            && kept.is_good_for(key_id, now_ms)
        {
            return Ok(kept.set.clone());
        }
        let fetched = fetch.json(url).await.and_then(|json| parse(json, url));
        match (fetched, kept) {
            (Ok(set), _) => {
                let set = Arc::new(set);
                self.lock().insert(url.to_owned(), Kept { set: set.clone(), fetched_ms: now_ms });
                Ok(set)
            }
            // Their server is away: what was good an hour ago serves.
            (Err(error), Some(kept)) if kept.age(now_ms) < limits::KEYS_STALE_MS_MAX => {
                tracing::warn!(%error, "keys cannot be fetched again");
                Ok(kept.set)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Kept {
    fn age(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.fetched_ms)
    }

    /// An unknown key is worth a look, but not at every request.
    fn is_good_for(&self, key_id: Option<&str>, now_ms: u64) -> bool {
        let is_known = key_id.is_none_or(|id| self.set.find(id).is_some());
        let age_ms = self.age(now_ms);
        age_ms < limits::KEYS_MS && (is_known || age_ms < limits::KEYS_MS_MIN)
    }
}

/// Reads a set. Keys of kinds that are not known here are no reason to refuse the others.
fn parse(json: serde_json::Value, url: &str) -> Result<JwkSet, String> {
    let fault = || format!("{url} is no JWK Set");
    let keys = json["keys"].as_array().ok_or_else(fault)?;
    let keys = keys.iter().take(limits::KEYS_MAX);
    let keys = keys.filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
    let is_usable = |key: &Jwk| DecodingKey::from_jwk(key).is_ok();
    Ok(JwkSet { keys: keys.filter(is_usable).collect() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_kept_and_looked_at_again_when_one_is_new() {
        let key = json!({ "kty": "EC", "crv": "P-384", "kid": "one", "x": "AA", "y": "AA" });
        let odd = json!({ "kty": "of tomorrow", "kid": "two" });
        let set = parse(json!({ "keys": [odd, key] }), "https://a.example").unwrap();
        assert_eq!(set.keys.len(), 1);
        let kept = Kept { set: Arc::new(set), fetched_ms: 0 };
        assert!(kept.is_good_for(Some("one"), limits::KEYS_MS - 1));
        assert!(!kept.is_good_for(Some("one"), limits::KEYS_MS));
        assert!(kept.is_good_for(Some("three"), limits::KEYS_MS_MIN - 1));
        assert!(!kept.is_good_for(Some("three"), limits::KEYS_MS_MIN));
        assert!(parse(json!({}), "https://a.example").is_err());
    }
}
