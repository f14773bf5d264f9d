//! Some of the elements of a resource (`_elements`, `_summary`), marked as such.
//!
//! The text of what is kept stays as it was received. The mark is the tag `SUBSETTED`: a part must
//! never be taken for the record, neither by who checks a proof nor by who writes it back. See
//! [FHIR R4, elements](http://hl7.org/fhir/R4/search.html#elements).

mod cut;
mod summary;

use crate::issue::IssueCode;
use crate::limits::SEARCH_ELEMENTS_MAX;
use crate::resource::Resource;
use crate::search::is_choice_of;
use crate::validate::structure;
use cut::{Part, parts};

/// Which elements are wanted, beside those that a resource cannot do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subset {
    /// These.
    Elements(Vec<String>),
    /// Those that the standard marks as summary (`_summary=true`).
    Summary,
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
        let members = parts(text);
        let is_wanted = |name: &str| ALWAYS.contains(&name) || self.wants(resource, name);
        let mut kept: Vec<Option<String>> = members
            .iter()
            .map(|member| self.within(resource, text, member).filter(|_| is_wanted(&member.name)))
            .collect();
        let is_whole = |(member, kept): (&Part, &Option<String>)| {
            kept.as_ref().is_some_and(|kept| kept.len() == member.text.len())
        };
        if members.iter().zip(&kept).all(is_whole) {
            return text.as_bytes().to_vec();
        }
        let needed = needed(&assembled(&members, &kept));
        for (member, kept) in members.iter().zip(&mut kept) {
            if needed.iter().any(|name| is_choice_of(&member.name, name)) {
                kept.get_or_insert_with(|| text[member.text.clone()].to_owned());
            }
        }
        assembled(&members, &kept).into_bytes()
    }

    /// A member, with its name, as far as it is wanted.
    fn within(&self, resource: &Resource, text: &str, member: &Part) -> Option<String> {
        let whole = &text[member.text.clone()];
        if *self != Self::Summary {
            return Some(whole.to_owned());
        }
        let paths = cut::beyond(summary::left_out(resource.type_name()), &member.name)?;
        let value = cut::without(&text[member.value.clone()], &paths)?;
        Some(format!("{}{value}", &text[member.text.start..member.value.start]))
    }

    fn wants(&self, resource: &Resource, member: &str) -> bool {
        // `_birthDate` goes with `birthDate`.
        let element = member.strip_prefix('_').unwrap_or(member);
        match self {
            Self::Text => element == "text",
            Self::Summary => summary::elements(resource.type_name())
                .iter()
                .any(|name| is_choice_of(element, name)),
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

/// The object with what is kept of its members, and with the mark.
fn assembled(members: &[Part], kept: &[Option<String>]) -> String {
    let mut all = Vec::new();
    let mut is_marked = false;
    for (member, kept) in members.iter().zip(kept) {
        let Some(kept) = kept else { continue };
        if member.name == "meta" {
            is_marked = true;
            let value = &kept[member.value.start - member.text.start..];
            all.push(format!("\"meta\":{}", marked(value)));
        } else {
            all.push(kept.clone());
        }
    }
    if !is_marked {
        all.push(format!("\"meta\":{{\"tag\":[{MARK}]}}"));
    }
    format!("{{{}}}", all.join(","))
}

/// `meta` with the tag beside those that it has. What is no object, or no list of tags, gives way:
/// the mark must stand.
fn marked(meta: &str) -> String {
    let Some(rest) = meta.strip_prefix('{') else {
        return format!("{{\"tag\":[{MARK}]}}");
    };
    let comma_before = |end: char, rest: &str| match rest.trim_start().starts_with(end) {
        true => "",
        false => ",",
    };
    let Some(tags) = parts(meta).into_iter().find(|member| member.name == "tag") else {
        return format!("{{\"tag\":[{MARK}]{}{rest}", comma_before('}', rest));
    };
    let (before, after) = (&meta[..tags.value.start], &meta[tags.value.end..]);
    match meta[tags.value.clone()].strip_prefix('[') {
        Some(rest) => format!("{before}[{MARK}{}{rest}{after}", comma_before(']', rest)),
        None => format!("{before}[{MARK}]{after}"),
    }
}

/// The elements that the part must have to be a resource at all.
fn needed(part: &str) -> Vec<String> {
    let Ok(resource) = Resource::parse(part.as_bytes().to_vec()) else {
        return Vec::new();
    };
    let missing = structure(&resource).into_iter();
    let missing = missing.filter(|issue| issue.code == IssueCode::Required);
    let named = missing.filter_map(|issue| {
        let (_, path) = issue.expression.split_once('.')?;
        Some(path.trim_end_matches("[x]").to_owned())
    });
    named.filter(|path| !path.contains('.')).collect()
}

/// What says which resource it is, and what may turn the meaning of the rest.
const ALWAYS: [&str; 5] = ["resourceType", "id", "meta", "implicitRules", "modifierExtension"];

const MARK: &str = "{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ObservationValue\",\
    \"code\":\"SUBSETTED\"}";
