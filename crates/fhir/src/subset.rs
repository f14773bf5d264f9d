//! Some of the elements of a resource (`_elements`, `_summary`), marked as such.
//!
//! The text of what is kept stays as it was received. The mark is the tag `SUBSETTED`: a part must
//! never be taken for the record, neither by who checks a proof nor by who writes it back. See
//! [FHIR R4, elements](http://hl7.org/fhir/R4/search.html#elements).

use std::ops::Range;

use crate::issue::IssueCode;
use crate::json::{Token, Tokens};
use crate::limits::{Limits, SEARCH_ELEMENTS_MAX};
use crate::resource::Resource;
use crate::validate::{Fhirkit, StructureValidator};

/// Which elements are wanted, beside those that a resource cannot do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subset {
    /// These.
    Elements(Vec<String>),
    /// The narrative (`_summary=text`).
    Text,
    /// All but the narrative (`_summary=data`).
    Data,
}

impl Subset {
    /// Reads `name,birthDate`, also with the type in front: `Patient.name`. `Err`: what to write
    /// instead.
    pub fn elements(text: &str) -> Result<Self, String> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        };
        match names.iter().find(|name| !is_name(name)) {
            Some(name) => Err(format!("`{name}` is no element: write them as in `name,birthDate`")),
            None if names.len() > SEARCH_ELEMENTS_MAX => {
                Err(format!("more than {SEARCH_ELEMENTS_MAX} elements: ask for all of them"))
            }
            None => Ok(Self::Elements(names)),
        }
    }

    /// The text of a resource with these elements alone; as it is, if that is all of it.
    pub fn of(&self, resource: &Resource) -> Vec<u8> {
        let text = resource.text();
        let members = members(text);
        let is_wanted = |name: &str| ALWAYS.contains(&name) || self.wants(resource, name);
        let mut kept: Vec<bool> = members.iter().map(|member| is_wanted(&member.name)).collect();
        if kept.iter().all(|kept| *kept) {
            return text.as_bytes().to_vec();
        }
        let needed = needed(&assembled(text, &members, &kept));
        for (member, kept) in members.iter().zip(&mut kept) {
            *kept |= needed.iter().any(|name| is_choice_of(&member.name, name));
        }
        assembled(text, &members, &kept).into_bytes()
    }

    fn wants(&self, resource: &Resource, member: &str) -> bool {
        // `_birthDate` goes with `birthDate`.
        let element = member.strip_prefix('_').unwrap_or(member);
        match self {
            Self::Text => element == "text",
            Self::Data => element != "text",
            Self::Elements(names) => names.iter().any(|name| {
                let own = match name.split_once('.') {
                    Some((kind, name)) if kind == resource.type_name() => name,
                    // An element within another brings the whole of it.
                    Some((name, _)) => name,
                    None => name,
                };
                let own = own.split('.').next().unwrap_or(own);
                is_choice_of(element, own)
            }),
        }
    }
}

/// A member of the resource: its name, and its text with the name in front.
struct Member {
    name: String,
    text: Range<usize>,
    value: Range<usize>,
}

/// The members of an object, as they lie in its text. The text was read before: it is JSON.
fn members(text: &str) -> Vec<Member> {
    let mut tokens = Tokens::new(text, Limits::STANDARD.depth_max);
    let mut members: Vec<Member> = Vec::new();
    while let Ok(Some((token, range))) = tokens.next_token() {
        match token {
            Token::Key(name) if tokens.depth() == 1 => members.push(Member {
                name: name.decode().into_owned(),
                text: range.clone(),
                value: range.end..range.end,
            }),
            _ if tokens.depth() == 0 => {}
            _ => {
                if let Some(member) = members.last_mut() {
                    if member.value.is_empty() {
                        member.value.start = range.start;
                    }
                    member.value.end = range.end;
                    member.text.end = range.end;
                }
            }
        }
    }
    members
}

/// The object with some of its members, and with the mark.
fn assembled(text: &str, members: &[Member], kept: &[bool]) -> String {
    let mut parts = Vec::new();
    let mut is_marked = false;
    for (member, _) in members.iter().zip(kept).filter(|(_, kept)| **kept) {
        let own = &text[member.text.clone()];
        if member.name == "meta" {
            is_marked = true;
            parts.push(format!("\"meta\":{}", marked(&text[member.value.clone()])));
        } else {
            parts.push(own.to_owned());
        }
    }
    if !is_marked {
        parts.push(format!("\"meta\":{{\"tag\":[{MARK}]}}"));
    }
    format!("{{{}}}", parts.join(","))
}

/// `meta` with the tag beside those that it has.
fn marked(meta: &str) -> String {
    let Some(tags) = members(meta).into_iter().find(|member| member.name == "tag") else {
        let rest = meta.trim_start().strip_prefix('{').unwrap_or_default();
        let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
        return format!("{{\"tag\":[{MARK}]{comma}{rest}");
    };
    let (before, after) = (&meta[..tags.value.start], &meta[tags.value.start..]);
    let rest = after.strip_prefix('[').unwrap_or_default();
    let comma = if rest.trim_start().starts_with(']') { "" } else { "," };
    format!("{before}[{MARK}{comma}{rest}")
}

/// The elements that the part must have to be a resource at all.
fn needed(part: &str) -> Vec<String> {
    let Ok(resource) = Resource::parse(part.as_bytes().to_vec(), &Limits::STANDARD) else {
        return Vec::new();
    };
    let missing = Fhirkit.check(&resource).into_iter();
    let missing = missing.filter(|issue| issue.code == IssueCode::Required);
    let named = missing.filter_map(|issue| {
        let (_, path) = issue.expression.split_once('.')?;
        Some(path.trim_end_matches("[x]").to_owned())
    });
    named.filter(|path| !path.contains('.')).collect()
}

/// Whether a member is the element: `valueQuantity` is `value`.
fn is_choice_of(member: &str, element: &str) -> bool {
    member.strip_prefix(element).is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(|first: char| first.is_ascii_uppercase())
    })
}

/// What says which resource it is, and what may turn the meaning of the rest.
const ALWAYS: [&str; 5] = ["resourceType", "id", "meta", "implicitRules", "modifierExtension"];

const MARK: &str = "{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ObservationValue\",\
    \"code\":\"SUBSETTED\"}";
