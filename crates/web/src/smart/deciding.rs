//! Authorizations on their way: from the app's request until a person has decided. In memory: who
//! is in the middle of signing in when a node restarts begins anew.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use sha2::{Digest, Sha256};

use super::{draw, grant::User, launch::Launch, scope::Scopes};
use crate::limits;

/// All of them, by a name that only the browser and the identity provider see.
#[derive(Default)]
pub struct Deciding(Mutex<HashMap<String, Kept>>);

struct Kept {
    /// SHA-256 of the cookie of the browser in which it began.
    browser: [u8; 32],
    ends_ms: u64,
    decision: Decision,
}

/// One authorization on its way.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What the app asks for, checked.
    pub asked: Asked,
    /// Proves that the form was ours.
    pub csrf: String,
    /// What was sent along to the identity provider.
    pub sign_on: SignOn,
    /// Who signed in.
    pub user: Option<User>,
}

/// What an app asks for, checked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The app.
    pub client: String,
    /// Where the browser goes back to.
    pub redirect_uri: String,
    /// What the app wants to get back.
    pub state: Option<String>,
    /// What it may have of what it asked for, before the role is known.
    pub scopes: Scopes,
    /// SHA-256 of its verifier, base64url.
    pub challenge: String,
    /// What it wants to find in the id token.
    pub nonce: Option<String>,
    /// How old the sign-on may be, in seconds.
    pub max_age_s: Option<u64>,
    /// Which kinds of sign-on it wants.
    pub acr_values: Vec<String>,
    /// The word of the EHR's launch, and what the EHR has open.
    pub launch: Option<(String, Launch)>,
}

/// What binds an answer of the identity provider to this authorization.
#[derive(Clone, Debug)]
pub struct SignOn {
    /// Stands in the id token.
    pub nonce: String,
    /// Redeems the provider's code.
    pub verifier: String,
}

impl Deciding {
    /// Begins one; gives its name. If there are too many, the oldest goes, and first those in
    /// which nobody signed in.
    pub fn begin(&self, asked: Asked, browser: &str, now_ms: u64) -> (String, Decision) {
        let sign_on = SignOn { nonce: draw(), verifier: draw() };
        let decision = Decision { asked, csrf: draw(), sign_on, user: None };
        let (name, ends_ms) = (draw(), now_ms + limits::DECIDING_MS);
        let mut all = self.lock();
        all.retain(|_, kept| now_ms < kept.ends_ms);
        if all.len() >= limits::DECIDING_MAX
            && let Some(oldest) = all.iter().min_by_key(|(_, kept)| kept.worth())
        {
            let oldest = oldest.0.clone();
            all.remove(&oldest);
        }
        let kept = Kept { browser: hash(browser), ends_ms, decision: decision.clone() };
        all.insert(name.clone(), kept);
        (name, decision)
    }

    /// The one of this name, for the browser in which it began.
    pub fn find(&self, name: &str, browser: &str, now_ms: u64) -> Option<Decision> {
        let all = self.lock();
        let kept = all.get(name).filter(|kept| kept.is_for(browser, now_ms))?;
        Some(kept.decision.clone())
    }

    /// Notes who signed in: once.
    pub fn sign_on(&self, name: &str, user: User) {
        if let Some(kept) = self.lock().get_mut(name) {
            kept.decision.user.get_or_insert(user);
        }
    }

    /// Takes the one of this name: it is decided.
    pub fn take(&self, name: &str, browser: &str, now_ms: u64) -> Option<Decision> {
        let mut all = self.lock();
        all.get(name).filter(|kept| kept.is_for(browser, now_ms))?;
        all.remove(name).map(|kept| kept.decision)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Kept {
    fn worth(&self) -> (bool, u64) {
        (self.decision.user.is_some(), self.ends_ms)
    }

    fn is_for(&self, browser: &str, now_ms: u64) -> bool {
        now_ms < self.ends_ms && self.browser == hash(browser)
    }
}

fn hash(browser: &str) -> [u8; 32] {
    Sha256::digest(browser.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked {
            client: "app".to_owned(),
            redirect_uri: "https://app.example/".to_owned(),
            state: None,
            scopes: Scopes::default(),
            challenge: String::new(),
            nonce: None,
            max_age_s: None,
            acr_values: Vec::new(),
            launch: None,
        }
    }

    #[test]
    fn only_the_browser_that_began_goes_on_and_not_for_ever() {
        let deciding = Deciding::default();
        let (name, _) = deciding.begin(asked(), "mine", 0);
        assert!(deciding.find(&name, "mine", limits::DECIDING_MS - 1).is_some());
        assert!(deciding.find(&name, "mine", limits::DECIDING_MS).is_none());
        assert!(deciding.find(&name, "another", 0).is_none());
        assert!(deciding.take(&name, "another", 0).is_none());
        assert!(deciding.take(&name, "mine", 0).is_some());
        assert!(deciding.take(&name, "mine", 0).is_none());
    }

    #[test]
    fn the_oldest_goes_if_there_are_too_many() {
        let deciding = Deciding::default();
        let (first, _) = deciding.begin(asked(), "mine", 0);
        let (signed_on, _) = deciding.begin(asked(), "mine", 0);
        let user =
            User { staff: "a".to_owned(), roles: None, signed_on_s: 0, acr: None, fhir_user: None };
        deciding.sign_on(&signed_on, user);
        for _ in 0..limits::DECIDING_MAX {
            deciding.begin(asked(), "mine", 1);
        }
        assert!(deciding.find(&first, "mine", 1).is_none());
        assert!(deciding.find(&signed_on, "mine", 1).is_some());
        assert_eq!(deciding.lock().len(), limits::DECIDING_MAX);
    }
}
