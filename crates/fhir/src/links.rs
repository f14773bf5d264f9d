//! Links between the entries of a Bundle, and the splice that follows them in the text.
//!
//! A transaction names its own entries by `urn:uuid:...`; the server's answer to such a name is
//! `Type/id`. The received bytes stay what is stored and proven. What each name stands for is kept
//! beside them as [`Links`], and [`Links::splice`] makes the text that is served and searched: it
//! replaces single string tokens and copies every other byte.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use crate::json::{Token, Tokens};
use crate::reference::Target;

/// What names such as `urn:uuid:...` stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(BTreeMap<String, Target>);

impl Links {
    /// No links.
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// What this name stands for.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.0.get(name)
    }

    /// Adds a link; the former target of the name comes back.
    pub fn insert(&mut self, name: String, target: Target) -> Option<Target> {
        self.0.insert(name, target)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each name and what it stands for, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Target)> {
        self.0.iter().map(|(name, target)| (name.as_str(), target))
    }

    /// The text with every linked reference replaced by `Type/id`, or `None` if there is none:
    /// then the received bytes are also the resolved ones.
    ///
    /// Only whole string values of members that hold a reference or a link are replaced
    /// (`reference`, `url`, `uri`, `valueUri`, `valueUrl`, `valueUuid`, `valueOid`): never an
    /// identifier's value, a text, or a name that only begins like a link.
    pub fn splice(&self, text: &str) -> Option<Bytes> {
        if self.is_empty() {
            return None;
        }
        let mut spliced = Vec::new();
        let mut copied = 0;
        for (range, name) in link_strings(text) {
            let Some(target) = self.target(&name) else { continue };
            spliced.extend_from_slice(&text.as_bytes()[copied..range.start]);
            // Type names and ids need no escapes in JSON.
            spliced.extend_from_slice(format!("\"{target}\"").as_bytes());
            copied = range.end;
        }
        if copied == 0 {
            return None;
        }
        spliced.extend_from_slice(&text.as_bytes()[copied..]);
        Some(Bytes::from(spliced))
    }
}

impl FromIterator<(String, Target)> for Links {
    fn from_iter<I: IntoIterator<Item = (String, Target)>>(links: I) -> Self {
        Self(links.into_iter().collect())
    }
}

/// The strings of a JSON text that may be links, each with its range including the quotes. Stops
/// at the first thing that is not JSON.
pub fn link_strings(text: &str) -> Vec<(Range<usize>, String)> {
    let mut tokens = Tokens::new(text, usize::MAX);
    let mut strings = Vec::new();
    let mut is_link = false;
    while let Ok(Some((token, range))) = tokens.next_token() {
        match token {
            Token::String(value) if is_link => strings.push((range, value.decode().into_owned())),
            _ => is_link = matches!(token, Token::Key(name) if is_link_member(&name.decode())),
        }
    }
    strings
}

/// Whether a string that is directly the value of a member of this name may be a link.
pub(crate) fn is_link_member(name: &str) -> bool {
    LINK_MEMBERS.contains(&name)
}

const LINK_MEMBERS: [&str; 7] =
    ["reference", "url", "uri", "valueUri", "valueUrl", "valueUuid", "valueOid"];
