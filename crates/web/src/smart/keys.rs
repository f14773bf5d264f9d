//! Public keys of others, by address.

use std::sync::Arc;

use jsonwebtoken::{
    DecodingKey,
    jwk::{Jwk, JwkSet},
};

use super::{Smart, jwt};
use crate::limits;

impl Smart {
    /// The keys at an address: those kept, unless they are old, or lack the key that a token names.
    ///
    /// # Errors
    /// If there are none and they cannot be had.
    pub(super) async fn keys_at(&self, url: &str, token: &str) -> Result<Arc<JwkSet>, String> {
        let (key_id, named) = (jwt::key_id(token), url.to_owned());
        let read = move |json| parse(json, &named).map(Arc::new);
        let is_enough =
            move |set: &Arc<JwkSet>| key_id.as_ref().is_none_or(|id| set.find(id).is_some());
        self.keys.at(&self.fetch, url, read, is_enough, self.now_ms()).await
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
    fn a_set_has_the_keys_that_are_understood() {
        let key = json!({ "kty": "EC", "crv": "P-384", "kid": "one", "x": "AA", "y": "AA" });
        let odd = json!({ "kty": "of tomorrow", "kid": "two" });
        let set = parse(json!({ "keys": [odd, key] }), "https://a.example").unwrap();
        assert_eq!(set.keys.len(), 1);
        assert!(parse(json!({}), "https://a.example").is_err());
    }
}
