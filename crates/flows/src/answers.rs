//! FHIR answers from opened records: one resource, a search, everything, the capability statement.
//!
//! Resources go out byte for byte; versions travel as ETags, never as edits of what was received.

use fhir::{
    bundle::{
        BundleKind,
        answer::{Answer, Match, Mode, Response},
    },
    capability::{Capability, Interaction, Operation, SystemInteraction, TypeCapability},
    search::{Candidate, Query, parameters},
    types::ResourceType,
};

use crate::{FiledBundle, FlowError, OpenedRecord, Session, limits};

impl Session {
    /// The latest version of a resource.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if there is none, or none that the access covers: both look alike.
    pub fn find(&self, kind: &str, id: &str) -> Result<&OpenedRecord, FlowError> {
        self.versions(kind, id).pop().ok_or(FlowError::NotFound("resource"))
    }

    /// One version of a resource.
    pub fn find_version(
        &self,
        kind: &str,
        id: &str,
        version: u32,
    ) -> Result<&OpenedRecord, FlowError> {
        let mut versions = self.versions(kind, id).into_iter();
        versions.find(|record| record.version == version).ok_or(FlowError::NotFound("version"))
    }

    /// The answer to a search: a searchset, at most one page of it from `skip` on.
    ///
    /// `patient` and `subject` have chosen the session already and are not conditions any more. `page_url`
    /// gives the address of the page that skips so many matches.
    pub fn search(
        &self,
        base: &str,
        kind: Option<&str>,
        pairs: &[(String, String)],
        skip: usize,
        page_url: impl Fn(usize) -> String,
    ) -> Result<Vec<u8>, FlowError> {
        let resource_type = match kind {
            Some(kind) => {
                Some(ResourceType::parse(kind).ok_or(FlowError::NotFound("resource type"))?)
            }
            None => None,
        };
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let query = Query::parse(resource_type, pairs).map_err(FlowError::Content)?;
        let records: Vec<&OpenedRecord> = self.latest().collect();
        let times: Vec<String> =
            records.iter().map(|record| instant(record.metadata.stored_ms)).collect();
        let candidates = records.iter().zip(&times).map(|(record, time)| Candidate {
            resource: &record.resolved,
            id: &record.metadata.id,
            last_updated: Some(time),
        });
        let found = query.run(candidates);
        let count = query.count().unwrap_or(limits::PAGE_MATCHES).min(limits::PAGE_MATCHES);
        let mut links = vec![("self", page_url(skip))];
        if !query.only_total() && skip + count < found.len() {
            links.push(("next", page_url(skip + count)));
        }
        let links: Vec<(&str, &str)> =
            links.iter().map(|(relation, url)| (*relation, url.as_str())).collect();
        let mut answer = Answer::new(BundleKind::Searchset, None).total(found.len()).links(&links);
        if !query.only_total() {
            for candidate in found.iter().skip(skip).take(count) {
                push(&mut answer, base, candidate.resource, candidate.id);
            }
        }
        Ok(answer.finish())
    }

    /// Everything the access opens, as a searchset (`Patient/$everything`).
    pub fn everything(&self, base: &str) -> Vec<u8> {
        let records: Vec<&OpenedRecord> = self.latest().collect();
        let mut answer = Answer::new(BundleKind::Searchset, None).total(records.len());
        for record in records {
            push(&mut answer, base, &record.resolved, &record.metadata.id);
        }
        answer.finish()
    }
}

/// Conditions on resources of one type, as in the query of a scope: a search that chooses.
#[derive(Clone, Debug)]
pub struct Conditions(Query);

impl Conditions {
    /// Reads search parameters of a type.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if there is no such type, [`FlowError::Content`] if a parameter is not known.
    pub fn parse(kind: &str, pairs: &[(String, String)]) -> Result<Self, FlowError> {
        let kind = ResourceType::parse(kind).ok_or(FlowError::NotFound("resource type"))?;
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Query::parse(Some(kind), pairs).map(Self).map_err(FlowError::Content)
    }

    /// Whether they hold for a record.
    pub fn hold(&self, record: &OpenedRecord) -> bool {
        let time = instant(record.metadata.stored_ms);
        self.0.matches(&Candidate {
            resource: &record.resolved,
            id: &record.metadata.id,
            last_updated: Some(&time),
        })
    }
}

impl FiledBundle {
    /// The response Bundle.
    pub fn answer(&self) -> Vec<u8> {
        let kind = match self.kind {
            BundleKind::Batch => BundleKind::BatchResponse,
            _ => BundleKind::TransactionResponse,
        };
        let mut answer = Answer::new(kind, None);
        for entry in &self.entries {
            match entry {
                Ok(filed) => {
                    let version = filed.version.to_string();
                    let location = format!("{}/_history/{version}", filed.target);
                    let status = match (filed.sequence, filed.version) {
                        (Some(_), 1) => "201 Created",
                        _ => "200 OK",
                    };
                    let response = Response {
                        status,
                        location: Some(&location),
                        version: Some(&version),
                        ..Response::default()
                    };
                    answer.push_response(&response, None);
                }
                Err(issues) => {
                    let outcome = fhir::outcome(issues);
                    let response = Response {
                        status: "422 Unprocessable Entity",
                        outcome: Some(&outcome),
                        ..Response::default()
                    };
                    answer.push_response(&response, None);
                }
            }
        }
        answer.finish()
    }

    /// How many resources were stored.
    pub fn stored(&self) -> usize {
        let stored = |entry: &&Result<crate::Filed, _>| {
            entry.as_ref().is_ok_and(|filed| filed.sequence.is_some())
        };
        self.entries.iter().filter(stored).count()
    }
}

/// What this server really does, as a `CapabilityStatement`.
pub fn capability(base: &str, version: &str) -> String {
    let names: Vec<(ResourceType, Vec<&str>)> = ResourceType::all()
        .map(|kind| (kind, parameters(Some(kind)).map(|one| one.name).collect()))
        .collect();
    let types = names.iter().map(|(resource_type, parameters)| TypeCapability {
        resource_type: *resource_type,
        interactions: &INTERACTIONS,
        parameters,
        operations: if resource_type.name() == "Patient" { &EVERYTHING } else { &[] },
    });
    let capability = Capability {
        base_url: base,
        software: "Carestone",
        version,
        date: "2026-11-20",
        types: types.collect(),
        interactions: &[SystemInteraction::Transaction, SystemInteraction::Batch],
        operations: &[],
        security: "a bearer token that this node's operator issues",
    };
    capability.statement().to_string()
}

/// A time in milliseconds as a FHIR instant.
fn instant(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map(|time| time.to_string()).unwrap_or_default()
}

fn push(answer: &mut Answer, base: &str, resource: &fhir::Resource, id: &str) {
    let full_url = format!("{base}/{}/{id}", resource.type_name());
    answer.push_match(&Match {
        full_url: &full_url,
        resource: resource.bytes(),
        mode: Mode::Match,
    });
}

const INTERACTIONS: [Interaction; 5] = [
    Interaction::Read,
    Interaction::ReadVersion,
    Interaction::Update,
    Interaction::Create,
    Interaction::Search,
];

const EVERYTHING: [Operation<'static>; 1] = [Operation {
    name: "everything",
    definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
}];
