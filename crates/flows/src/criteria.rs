//! Conditional writes: which of this member's own records a search names.
//!
//! At rest there is no readable index, so only what is kept as a keyed token can be asked for:
//! business identifiers, and the logical id. See [FHIR R4, conditional
//! create](http://hl7.org/fhir/R4/http.html#ccreate).

use std::collections::BTreeSet;

use fhir::{
    Issue, IssueCode,
    bundle::{Bundle, Entry, Method},
    derive::Code,
    reference::{Reference, Target},
};
use vault::{RecordId, Token, Version, Versions};

use crate::{FlowError, Member, words::query_pairs};

/// A record that a search names: as what it is known, and its latest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Type and logical id.
    pub target: Target,
    /// The latest version, from 1.
    pub version: u32,
}

impl Member {
    /// The record that a search names, if it names one.
    ///
    /// # Errors
    /// [`FlowError::Content`] if it asks for what is not indexed, [`FlowError::Ambiguous`] if it
    /// names several.
    pub fn known(&self, kind: &str, criteria: &str) -> Result<Option<Known>, FlowError> {
        let mut found: Option<BTreeSet<RecordId>> = None;
        for (name, values) in query_pairs(criteria) {
            let values = values.split(',').filter(|value| !value.is_empty());
            let named: Result<Vec<BTreeSet<RecordId>>, FlowError> =
                values.map(|value| self.named_by(kind, &name, value)).collect();
            let named: BTreeSet<RecordId> = named?.into_iter().flatten().collect();
            found = Some(match found {
                Some(found) => found.intersection(&named).copied().collect(),
                None => named,
            });
        }
        let found = found.ok_or_else(|| unsupported(kind, "nothing"))?;
        match found.iter().copied().collect::<Vec<_>>()[..] {
            [] => Ok(None),
            [record] => self.described(record),
            _ => Err(FlowError::Ambiguous(found.len())),
        }
    }

    /// Whether the latest version of a record is a deletion.
    pub(crate) fn is_deleted(&self, record: RecordId) -> Result<bool, FlowError> {
        let mark = self.deletion_mark(record);
        Ok(!self.vault.records_by_token(mark, Versions::Latest, 0, 1)?.is_empty())
    }

    /// Marks the version that deletes a record, so that it can be told without opening it.
    pub(crate) fn deletion_mark(&self, record: RecordId) -> Token {
        self.keys.token("deletion", &[&record.0])
    }

    pub(crate) fn identifier(&self, kind: &str, code: &Code) -> Token {
        let system = code.system.as_deref().unwrap_or_default();
        let parts = [kind.as_bytes(), system.as_bytes(), code.value.as_bytes()];
        self.keys.token("identifier", &parts)
    }

    /// An identifier by its value, of whatever system.
    pub(crate) fn identifier_value(&self, kind: &str, value: &str) -> Token {
        self.keys.token("identifier-value", &[kind.as_bytes(), value.as_bytes()])
    }

    /// `system|value`, `|value` (of no system) or `value` (of any), as searches name identifiers.
    pub(crate) fn identifier_named(&self, kind: &str, text: &str) -> Token {
        match text.split_once('|') {
            None => self.identifier_value(kind, text),
            Some((system, value)) => {
                let system = (!system.is_empty()).then(|| system.to_owned());
                self.identifier(kind, &Code { system, value: value.to_owned() })
            }
        }
    }

    /// What this node calls a record, for its own eyes.
    pub(crate) fn wrapped_name(&self, record: RecordId, target: &Target) -> Vec<u8> {
        let name = target.to_string();
        self.world.with_chance(|mut rng| self.keys.wrap(&label(record), name.as_bytes(), &mut rng))
    }

    fn named_by(
        &self,
        kind: &str,
        name: &str,
        value: &str,
    ) -> Result<BTreeSet<RecordId>, FlowError> {
        match name {
            "_id" => {
                let record = self.keys.record_id(kind, value);
                let exists = self.vault.latest_version(record)?.is_some();
                Ok((exists && !self.is_deleted(record)?).then_some(record).into_iter().collect())
            }
            "identifier" => {
                let token = self.identifier_named(kind, value);
                let found = self.vault.records_by_token(token, Versions::Latest, 0, MATCHES_MAX)?;
                Ok(found.iter().map(|record| record.place.record).collect())
            }
            other => Err(unsupported(kind, other)),
        }
    }

    fn described(&self, record: RecordId) -> Result<Option<Known>, FlowError> {
        let Some(sealed) = self.vault.record(record, Version::Latest)? else { return Ok(None) };
        let name = self.name_of(record)?;
        let damaged = || FlowError::Evidence("the name of a record cannot be read".to_owned());
        let target = Target::parse(&name).ok_or_else(damaged)?;
        Ok(Some(Known { target, version: sealed.place.version }))
    }

    /// What this node calls a record, as in `Patient/p1`.
    pub(crate) fn name_of(&self, record: RecordId) -> Result<String, FlowError> {
        let wrapped = self.vault.name(record)?.unwrap_or_default();
        let damaged = || FlowError::Evidence("the name of a record cannot be read".to_owned());
        let name = self.keys.unwrap(&label(record), &wrapped).map_err(|_| damaged())?;
        String::from_utf8(name.to_vec()).map_err(|_| damaged())
    }

    /// Follows what a Bundle says by search: conditional creates and updates, and references such
    /// as `Practitioner?identifier=...`. Gives for each entry the record that is there already and
    /// stays as it is.
    pub(crate) fn settle(&self, bundle: &mut Bundle) -> Result<Vec<Option<Known>>, FlowError> {
        let mut kept = Vec::with_capacity(bundle.entries.len());
        for index in 0..bundle.entries.len() {
            let settled = self.settle_entry(&bundle.entries[index]);
            let entry = &mut bundle.entries[index];
            let settled = match settled {
                Ok(settled) => settled,
                Err(FlowError::Content(issues)) => {
                    let place = entry.place();
                    entry.issues.extend(issues.into_iter().map(|issue| issue.within(&place)));
                    None
                }
                Err(error) => return Err(error),
            };
            let stays = entry.request.as_ref().is_some_and(|one| one.method == Method::Post);
            if let Some(known) = &settled {
                retarget(bundle, index, &known.target);
            }
            kept.push(settled.filter(|_| stays));
        }
        // Two searches may have named one record, which neither of them said.
        bundle.refuse_twins();
        for entry in &mut bundle.entries {
            self.follow_references(entry)?;
        }
        Ok(kept)
    }

    /// The record that the search of an entry names.
    fn settle_entry(&self, entry: &Entry) -> Result<Option<Known>, FlowError> {
        let Some(request) = &entry.request else { return Ok(None) };
        let criteria = match request.method {
            Method::Post => request.if_none_exist.as_deref(),
            Method::Put | Method::Delete => request.query(),
            _ => None,
        };
        let Some(criteria) = criteria else { return Ok(None) };
        let known = self.known(request.kind(), criteria).map_err(FlowError::into_content)?;
        if let (Method::Put, Some(known), Some(own)) = (request.method, &known, entry.own_id())
            && known.target.id != own
        {
            return Err(other_id(request.kind(), own, &known.target));
        }
        Ok(known)
    }

    fn follow_references(&self, entry: &mut Entry) -> Result<(), FlowError> {
        for name in std::mem::take(&mut entry.conditional) {
            let Some(Reference::Conditional { resource_type, query }) = Reference::parse(&name)
            else {
                continue;
            };
            match self.known(resource_type.name(), &query).map_err(FlowError::into_content) {
                Ok(Some(known)) => drop(entry.links.insert(name, known.target)),
                Ok(None) => {
                    let text = format!("`{name}` names no record of this hospital");
                    let place = format!("{}.resource", entry.place());
                    entry.issues.push(Issue::error(IssueCode::NotFound, place, text));
                }
                Err(FlowError::Content(issues)) => {
                    let place = format!("{}.resource", entry.place());
                    entry.issues.extend(issues.into_iter().map(|issue| issue.within(&place)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A resource that is put by a search cannot have another id than what the search finds.
pub(crate) fn other_id(kind: &str, own: &str, known: &Target) -> FlowError {
    let text = format!("the search names `{known}`, the resource says `{own}`: leave its id out");
    FlowError::Content(vec![Issue::error(IssueCode::Invalid, format!("{kind}.id"), text)])
}

/// Gives an entry the id of a record that is there already, also in what refers to it.
fn retarget(bundle: &mut Bundle, index: usize, target: &Target) {
    bundle.entries[index].target = Some(target.clone());
    let Some(name) = bundle.entries[index].full_url.clone() else { return };
    for entry in bundle.entries.iter_mut().filter(|entry| entry.links.target(&name).is_some()) {
        entry.links.insert(name.clone(), target.clone());
    }
}

fn unsupported(kind: &str, name: &str) -> FlowError {
    let text = format!(
        "a conditional request may name `identifier` and `_id`, not `{name}`: nothing else of a \
         {kind} is indexed at rest"
    );
    FlowError::Content(vec![Issue::error(IssueCode::NotSupported, "", text)])
}

fn label(record: RecordId) -> Vec<u8> {
    [b"name".as_slice(), &record.0].concat()
}

/// Two are as wrong as two hundred.
const MATCHES_MAX: usize = 16;
