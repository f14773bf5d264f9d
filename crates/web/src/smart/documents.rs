//! Documents of others by address: fetched, kept for a while, fetched again when they are old or do
//! not have what is looked for.
//!
//! Only configured addresses are ever asked, so their number is that of the configuration. Whoever
//! may send requests here must not make this node flood somebody else: there is one request at a
//! time to an address, and after each, whatever came of it, a pause.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::Value;

use super::fetch::Fetch;
use crate::limits;

/// What was read from documents, by address.
pub struct Documents<T>(Mutex<HashMap<String, Place<T>>>);

type Place<T> = Arc<tokio::sync::Mutex<Kept<T>>>;

struct Kept<T> {
    value: Option<T>,
    fetched_ms: u64,
    tried_ms: Option<u64>,
}

impl<T> Default for Documents<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Send + 'static> Documents<T> {
    /// What the document at an address says.
    ///
    /// # Errors
    /// If it is not kept and cannot be had, or says nothing that `read` understands.
    pub async fn at(
        &self,
        fetch: &Fetch,
        url: &str,
        read: impl FnOnce(Value) -> Result<T, String> + Send + 'static,
        is_enough: impl Fn(&T) -> bool + Send + 'static,
        now_ms: u64,
    ) -> Result<T, String> {
        let place = self.place(url);
        if let Some(good) = place.lock().await.good(&is_enough, now_ms) {
            return Ok(good);
        }
        let (fetch, url) = (fetch.clone(), url.to_owned());
        // A task of its own: who asked may go away, and the answer serves the next.
        let asking = tokio::spawn(async move {
            let mut kept = place.lock().await;
            if let Some(good) = kept.good(&is_enough, now_ms) {
                return Ok(good);
            }
            if kept.was_just_tried(now_ms) {
                return kept.usable(now_ms).ok_or_else(|| format!("{url} did not answer just now"));
            }
            let fetched = fetch.json(&url).await.and_then(read);
            kept.keep(fetched, now_ms)
        });
        asking.await.map_err(|panicked| panicked.to_string())?
    }

    fn place(&self, url: &str) -> Place<T> {
        let mut places = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        places.entry(url.to_owned()).or_default().clone()
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { value: None, fetched_ms: 0, tried_ms: None }
    }
}

impl<T: Clone> Kept<T> {
    fn good(&self, is_enough: impl Fn(&T) -> bool, now_ms: u64) -> Option<T> {
        let is_new = now_ms.saturating_sub(self.fetched_ms) < limits::KEYS_MS;
        self.value.clone().filter(|value| is_new && is_enough(value))
    }

    fn was_just_tried(&self, now_ms: u64) -> bool {
        let since_ms = self.tried_ms.map(|tried_ms| now_ms.saturating_sub(tried_ms));
        since_ms.is_some_and(|since_ms| since_ms < limits::KEYS_MS_MIN)
    }

    /// What was good an hour ago serves while their server is away.
    fn usable(&self, now_ms: u64) -> Option<T> {
        let age_ms = now_ms.saturating_sub(self.fetched_ms);
        self.value.clone().filter(|_| age_ms < limits::KEYS_STALE_MS_MAX)
    }

    fn keep(&mut self, fetched: Result<T, String>, now_ms: u64) -> Result<T, String> {
        self.tried_ms = Some(now_ms);
        match fetched {
            Ok(value) => {
                (self.value, self.fetched_ms) = (Some(value.clone()), now_ms);
                Ok(value)
            }
            Err(error) => {
                tracing::warn!(%error, "a document cannot be fetched");
                self.usable(now_ms).ok_or(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_or_not_enough_is_fetched_again_but_not_at_every_request() {
        let mut kept = Kept::default();
        assert!(!kept.was_just_tried(0));
        kept.keep(Ok("one"), 0).unwrap();
        let is = |wanted| move |value: &&str| *value == wanted;
        assert_eq!(kept.good(is("one"), limits::KEYS_MS - 1), Some("one"));
        assert_eq!(kept.good(is("one"), limits::KEYS_MS), None);
        assert_eq!(kept.good(is("two"), 0), None);
        assert!(kept.was_just_tried(limits::KEYS_MS_MIN - 1));
        assert!(!kept.was_just_tried(limits::KEYS_MS_MIN));
        // Their server is away.
        let away = |kept: &mut Kept<_>, now_ms| kept.keep(Err("away".to_owned()), now_ms);
        assert_eq!(away(&mut kept, limits::KEYS_STALE_MS_MAX - 1), Ok("one"));
        assert!(kept.was_just_tried(limits::KEYS_STALE_MS_MAX));
        assert_eq!(away(&mut kept, limits::KEYS_STALE_MS_MAX), Err("away".to_owned()));
    }
}
