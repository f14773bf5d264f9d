//! Links between the entries of a Bundle, and the splice that follows them in the text.
//!
//! A transaction names its own entries by `urn:uuid:...`; the server's answer to such a name is
//! `Type/id`. The received bytes stay what is stored and proven. What each name stands for is kept
//! beside them as [`Links`], and [`Links::splice`] makes the text that is served and searched: it
//! replaces single string tokens and copies every other byte.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use serde_json::Value;

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
    /// Only whole string values are replaced: of `reference`, whatever the name, and of `url`,
    /// `uri`, `valueUri`, `valueUrl`, `valueUuid` and `valueOid` if the name is a `urn:`. Never an
    /// identifier's value, a text, a name that only begins like a link, or the canonical URL of a
    /// definition that is also the `fullUrl` of its entry.
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

/// A string of a resource that may be a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkName<'v> {
    /// The string.
    pub name: &'v str,
    /// Whether it is the `reference` of a Reference: then it must lead somewhere.
    pub is_reference: bool,
}

/// The strings of a parsed resource that may be links, in document order.
pub fn link_names(value: &Value) -> Vec<LinkName<'_>> {
    let mut names = Vec::new();
    collect_names(value, &mut names);
    names
}

fn collect_names<'v>(value: &'v Value, names: &mut Vec<LinkName<'v>>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                match value {
                    Value::String(name) if may_link(member, name) => {
                        names.push(LinkName { name, is_reference: member == REFERENCE });
                    }
                    _ => collect_names(value, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_names(item, names)),
        _ => {}
    }
}

/// The same strings in a text, each with its range including the quotes. Stops at the first thing
/// that is not JSON.
fn link_strings(text: &str) -> Vec<(Range<usize>, String)> {
    let mut tokens = Tokens::new(text, usize::MAX);
    let mut strings = Vec::new();
    let mut member: Option<Cow<'_, str>> = None;
    while let Ok(Some((token, range))) = tokens.next_token() {
        let named = member.take();
        match (token, named) {
            (Token::Key(name), _) => member = Some(name.decode()),
            (Token::String(name), Some(member)) if is_link_member(&member) => {
                let name = name.decode();
                if may_link(&member, &name) {
                    strings.push((range, name.into_owned()));
                }
            }
            _ => {}
        }
    }
    strings
}

/// Whether a string that is directly the value of a member may be a link.
pub(crate) fn may_link(member: &str, name: &str) -> bool {
    member == REFERENCE || (name.starts_with("urn:") && is_link_member(member))
}

fn is_link_member(member: &str) -> bool {
    member == REFERENCE || URL_MEMBERS.contains(&member)
}

const REFERENCE: &str = "reference";

const URL_MEMBERS: [&str; 6] = ["url", "uri", "valueUri", "valueUrl", "valueUuid", "valueOid"];
