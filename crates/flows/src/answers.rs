//! FHIR answers from opened records: one resource, a search, everything, the capability statement.
//!
//! Resources go out byte for byte; versions travel as ETags, never as edits of what was received.

use std::collections::{HashMap, HashSet};

use fhir::{
    Issue, IssueCode, Severity,
    bundle::{
        BundleKind,
        answer::{Answer, Match, Mode, Response},
    },
    links::Links,
    quality::references,
    reference::Target,
    search::{Candidate, Home, Query, Terms},
    subset::Subset,
    types::ResourceType,
};
use serde_json::{Value, json};

use crate::{
    Became, Change, EntryOutcome, FiledBundle, FlowError, OpenedRecord, Session, history::Page,
    limits, time::instant, words,
};

impl Session {
    /// The latest version of a resource.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if there is none, or none that the access covers: both look alike;
    /// [`FlowError::Gone`] if it was deleted.
    pub fn find(&self, kind: &str, id: &str) -> Result<&OpenedRecord, FlowError> {
        present(self.versions(kind, id).pop().ok_or(FlowError::NotFound("resource"))?)
    }

    /// One version of a resource.
    pub fn find_version(
        &self,
        kind: &str,
        id: &str,
        version: u32,
    ) -> Result<&OpenedRecord, FlowError> {
        let versions = self.versions(kind, id);
        if versions.is_empty() {
            // As for a resource that was never there.
            return Err(FlowError::NotFound("resource"));
        }
        let found = versions.into_iter().find(|record| record.version == version);
        present(found.ok_or(FlowError::NotFound("version"))?)
    }

    /// The answer to a search: a searchset, at most one page of it from `skip` on.
    ///
    /// `patient` and `subject` have chosen the session already and are not conditions any more.
    /// `page_url` gives the address of the page that skips so many matches. The `house`, where it
    /// is open, is what chains and includes lead to beyond the patient's records, and its value
    /// sets and code systems tell what codes mean together (`:in` and the like).
    pub fn search(
        &self,
        base: &str,
        kind: Option<&str>,
        pairs: &[(String, String)],
        skip: usize,
        page_url: impl Fn(usize) -> String,
        house: Option<&Session>,
    ) -> Result<Vec<u8>, FlowError> {
        let records: Vec<&OpenedRecord> = self.latest().collect();
        let times: Vec<String> =
            records.iter().map(|record| instant(record.metadata.stored_ms)).collect();
        let candidates = records
            .iter()
            .zip(&times)
            .map(|(record, time)| self.candidate(base, record, Some(time)));
        let beside = self.other(house).into_iter().flat_map(Session::latest);
        let beside: Vec<Candidate<'_>> =
            beside.map(|record| self.candidate(base, record, None)).collect();
        let held = house.into_iter().flat_map(Session::latest).map(|record| &record.resolved);
        let around = Around { beside, terms: Terms::of(held), missing: self.missing.len() };
        searchset(base, kind, pairs, skip, page_url, candidates, &around)
    }

    /// All that the access opened, or what of it is of these types, as a searchset; and what it
    /// refers to in the `house`, such as who treated and where. A page of it, if so many are wanted.
    pub fn everything(
        &self,
        base: &str,
        types: &[ResourceType],
        page: Page,
        page_url: impl Fn(usize) -> String,
        house: Option<&Session>,
    ) -> Vec<u8> {
        let is_asked = |record: &&OpenedRecord| {
            (types.is_empty() || types.contains(&record.resolved.resource_type()))
                && record.metadata.stored_ms >= page.since_ms
        };
        let records: Vec<&OpenedRecord> = self.latest().filter(is_asked).collect();
        let count = page.count.unwrap_or(records.len());
        let links = match page.count {
            Some(count) => page_links(page.skip, count, records.len(), page_url),
            None => Vec::new(),
        };
        let links: Vec<(&str, &str)> =
            links.iter().map(|(relation, url)| (*relation, url.as_str())).collect();
        let mut answer = Answer::new(BundleKind::Searchset).total(records.len()).links(&links);
        let end = page.skip.saturating_add(count).min(records.len());
        let shown = &records[page.skip.min(end)..end];
        let addresses = self.addresses(base, house);
        for record in shown {
            push(&mut answer, &addresses, &self.candidate(base, record, None), Mode::Match);
        }
        // What others refer to by these names is theirs.
        let own = shown.iter().filter(|record| record.custodian == self.receipt.reader);
        let named = own.flat_map(|record| references(&record.resolved, &Links::none()).targets);
        let named: HashSet<Target> = named.collect();
        for record in self.other(house).into_iter().flat_map(Session::latest) {
            let resource_type = record.resolved.resource_type();
            if named.contains(&Target { resource_type, id: record.metadata.id.clone() }) {
                let one = self.candidate(base, record, None);
                push(&mut answer, &addresses, &one, Mode::Include);
            }
        }
        push_missing(&mut answer, self.missing.len());
        answer.finish()
    }

    /// The house, where it is beside what is searched: a search of the house has nothing beside it.
    fn other<'h>(&self, house: Option<&'h Session>) -> Option<&'h Session> {
        house.filter(|house| house.receipt.patient != self.receipt.patient)
    }

    fn candidate<'a>(
        &self,
        base: &'a str,
        record: &'a OpenedRecord,
        last_updated: Option<&'a str>,
    ) -> Candidate<'a> {
        Candidate { home: self.home(base, record), ..record.candidate(last_updated) }
    }

    /// Where a record is kept. The addresses of other hospitals' nodes are not known.
    pub(crate) fn home<'a>(&self, base: &'a str, record: &OpenedRecord) -> Home<'a> {
        let base = if record.custodian == self.receipt.reader { base } else { "" };
        Home { of: record.custodian.0, base }
    }

    /// The addresses of all that was opened, and of the house.
    pub(crate) fn addresses<'a>(
        &'a self,
        base: &'a str,
        house: Option<&'a Session>,
    ) -> Addresses<'a> {
        let records = self.records.iter().chain(house.into_iter().flat_map(|one| &one.records));
        let names = records.map(|record| {
            let place = (record.custodian != self.receipt.reader, record.custodian.0);
            (record.metadata.kind.as_str(), record.metadata.id.as_str(), place)
        });
        Addresses::new(base, names)
    }
}

/// The addresses of resources in an answer.
///
/// What two hospitals keep under the same type and id are two resources. The address of that name
/// here is this hospital's own one; the other has a name that leads nowhere.
pub(crate) struct Addresses<'a> {
    base: &'a str,
    /// By type and id: whether the one that has the address is kept elsewhere, and where.
    first: HashMap<(&'a str, &'a str), (bool, [u8; 32])>,
}

impl<'a> Addresses<'a> {
    fn new(
        base: &'a str,
        names: impl Iterator<Item = (&'a str, &'a str, (bool, [u8; 32]))>,
    ) -> Self {
        let mut first = HashMap::new();
        for (kind, id, place) in names {
            let known = first.entry((kind, id)).or_insert(place);
            *known = place.min(*known);
        }
        Self { base, first }
    }

    /// The address of a resource that is kept at this custodian's.
    pub(crate) fn of(&self, custodian: [u8; 32], kind: &str, id: &str) -> String {
        match self.first.get(&(kind, id)) {
            Some((_, first)) if *first != custodian => elsewhere(custodian, kind, id),
            _ => format!("{}/{kind}/{id}", self.base),
        }
    }
}

/// A name for what another hospital keeps: always the same, and no address.
fn elsewhere(custodian: [u8; 32], kind: &str, id: &str) -> String {
    let name = format!("{kind}/{id}");
    let hash = proof::sha256(&[b"carestone/elsewhere/v1\n", &custodian, name.as_bytes()]);
    let (bytes, _) = hash.split_first_chunk::<16>().expect("a hash has 32 bytes");
    // Version 8, variant 2: made in a way of one's own (RFC 9562, section 5.8).
    let number = u128::from_be_bytes(*bytes) & !(0xf << 76 | 0x3 << 62) | 0x8 << 76 | 0x2 << 62;
    let text = format!("{number:032x}");
    let [a, b, c, d, e] = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    format!("urn:uuid:{a}-{b}-{c}-{d}-{e}")
}

/// The answer to a search that finds nothing, and has nowhere to look.
///
/// # Errors
/// As [`Session::search`].
pub fn found_nothing(
    base: &str,
    kind: &str,
    pairs: &[(String, String)],
    skip: usize,
    page_url: impl Fn(usize) -> String,
    house: Option<&Session>,
) -> Result<Vec<u8>, FlowError> {
    let held = house.into_iter().flat_map(Session::latest).map(|record| &record.resolved);
    let around = Around { terms: Terms::of(held), ..Around::default() };
    searchset(base, Some(kind), pairs, skip, page_url, std::iter::empty(), &around)
}

/// What a search looks at beyond its candidates.
#[derive(Default)]
pub(crate) struct Around<'a> {
    beside: Vec<Candidate<'a>>,
    terms: Terms<'a>,
    /// How many custodians could not be reached.
    missing: usize,
}

/// A page of what a search finds among candidates.
pub(crate) fn searchset<'a>(
    base: &str,
    kind: Option<&str>,
    pairs: &[(String, String)],
    skip: usize,
    page_url: impl Fn(usize) -> String,
    candidates: impl Iterator<Item = Candidate<'a>> + Clone,
    around: &Around<'a>,
) -> Result<Vec<u8>, FlowError> {
    let resource_type = match kind {
        Some(kind) => Some(ResourceType::parse(kind).ok_or(FlowError::NotFound("resource type"))?),
        None => None,
    };
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query =
        Query::parse_with(resource_type, pairs, &around.terms).map_err(FlowError::Content)?;
    let found = query.run_beside(candidates.clone(), &around.beside);
    let count = query.count().unwrap_or(limits::PAGE_MATCHES).min(limits::PAGE_MATCHES);
    let count = if query.only_total() { 0 } else { count };
    let links = page_links(skip, count, found.len(), page_url);
    let links: Vec<(&str, &str)> =
        links.iter().map(|(relation, url)| (*relation, url.as_str())).collect();
    let answer = Answer::new(BundleKind::Searchset);
    let answer = if query.wants_total() { answer.total(found.len()) } else { answer };
    let mut answer = answer.links(&links);
    let all = candidates.clone().chain(around.beside.iter().copied());
    let addresses = Addresses::new(base, all.map(|one| name_of(&one)));
    if !query.only_total() {
        let end = skip.saturating_add(count).min(found.len());
        let page = &found[skip.min(end)..end];
        for candidate in page {
            match query.subset() {
                Some(subset) => {
                    let part = subset.of(candidate.resource);
                    push_text(&mut answer, &addresses, candidate, &part);
                }
                None => push(&mut answer, &addresses, candidate, Mode::Match),
            }
        }
        for candidate in query.included(candidates, &around.beside, page) {
            push(&mut answer, &addresses, &candidate, Mode::Include);
        }
    }
    push_missing(&mut answer, around.missing);
    Ok(answer.finish())
}

/// What is not whole must be seen not to be whole.
fn push_missing(answer: &mut Answer, missing: usize) {
    if missing > 0 {
        let text = format!(
            "{missing} of the hospitals that keep records of this patient could not be reached: \
             what they keep is not here"
        );
        let issue = Issue::error(IssueCode::Transient, "", text);
        answer.push_outcome(&fhir::outcome(&[Issue { severity: Severity::Warning, ..issue }]));
    }
}

/// Which part of a single resource is asked for, by `_summary` or `_elements` of a query; none if
/// it is all of it.
///
/// # Errors
/// [`FlowError::NotFound`] if there is no such type, [`FlowError::Content`] if there is no such
/// part.
pub fn part_asked(kind: &str, query: &str) -> Result<Option<Subset>, FlowError> {
    let resource_type = ResourceType::parse(kind).ok_or(FlowError::NotFound("resource type"))?;
    let mut pairs = words::query_pairs(query);
    pairs.retain(|(name, _)| name == "_summary" || name == "_elements");
    let query = Query::parse(Some(resource_type), pairs).map_err(FlowError::Content)?;
    if query.only_total() {
        let text = "`_summary=count` counts what a search finds: leave it out";
        let issue = Issue::error(IssueCode::NotSupported, "http._summary", text);
        return Err(FlowError::Content(vec![issue]));
    }
    Ok(query.subset().cloned())
}

/// Conditions on resources of one type, as in the query of a scope: a search that chooses.
#[derive(Clone, Debug)]
pub struct Conditions(Query);

impl Conditions {
    /// Reads search parameters of a type.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if there is no such type, [`FlowError::Content`] if a parameter is
    /// not known.
    pub fn parse(kind: &str, pairs: &[(String, String)]) -> Result<Self, FlowError> {
        let kind = ResourceType::parse(kind).ok_or(FlowError::NotFound("resource type"))?;
        // Of a record alone a condition on others never holds, so its opposite would always; and
        // reading many chains is dear.
        let asks_others = |(name, value): &&(String, String)| Query::leads_beyond(name, value);
        if let Some((name, _)) = pairs.iter().find(asks_others) {
            let text = "what chooses records looks at each alone: leave out chains, lists, \
                        includes, and in a filter what codes mean together";
            let issue = Issue::error(IssueCode::NotSupported, format!("http.{name}"), text);
            return Err(FlowError::Content(vec![issue]));
        }
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Query::parse(Some(kind), pairs).map(Self).map_err(FlowError::Content)
    }

    /// Whether they hold for a record.
    pub fn hold(&self, record: &OpenedRecord) -> bool {
        let time = instant(record.metadata.stored_ms);
        self.0.matches(&record.candidate(Some(&time)))
    }
}

impl OpenedRecord {
    fn candidate<'a>(&'a self, last_updated: Option<&'a str>) -> Candidate<'a> {
        let (resource, id) = (&self.resolved, &self.metadata.id);
        // Its address is the session's to know.
        let home = Home { of: self.custodian.0, base: "" };
        Candidate { resource, id, last_updated, home }
    }
}

/// What an entry that asks to read is answered.
#[derive(Debug, Default)]
pub struct EntryAnswer {
    /// The HTTP status, as in `200 OK`.
    pub status: String,
    /// The version that was read, if one was.
    pub version: Option<u32>,
    /// The resource; empty if none is sent.
    pub resource: Vec<u8>,
}

impl FiledBundle {
    /// The response Bundle. `ask` gives what the entries that ask to read are answered, in their
    /// order.
    pub fn answer(&self, mut ask: impl FnMut() -> EntryAnswer) -> Vec<u8> {
        let kind = match self.kind {
            BundleKind::Batch => BundleKind::BatchResponse,
            _ => BundleKind::TransactionResponse,
        };
        let mut answer = Answer::new(kind);
        for entry in &self.entries {
            match entry {
                EntryOutcome::Done(became) => push_done(&mut answer, became),
                EntryOutcome::Asks(_) => push_read(&mut answer, &ask()),
                EntryOutcome::Refused(issues) | EntryOutcome::Waits(issues) => {
                    let outcome = fhir::outcome(issues);
                    let response = Response {
                        status: match entry {
                            EntryOutcome::Waits(_) => "202 Accepted",
                            _ => refusal_status(issues),
                        },
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
        let stored = |entry: &&EntryOutcome| matches!(entry, EntryOutcome::Done(Became::Filed(_)));
        self.entries.iter().filter(stored).count()
    }
}

/// With which status an entry is refused that alone would be refused so.
fn refusal_status(issues: &[Issue]) -> &'static str {
    let is_condition =
        |issue: &Issue| matches!(issue.code, IssueCode::Conflict | IssueCode::MultipleMatches);
    match issues.iter().any(is_condition) {
        true => "412 Precondition Failed",
        false => "422 Unprocessable Entity",
    }
}

/// What is known about a version beside its bytes (`$meta`).
pub fn meta(record: &OpenedRecord) -> Value {
    let mut meta = record.resolved.value()["meta"].clone();
    if !meta.is_object() {
        meta = json!({});
    }
    meta["versionId"] = json!(record.version.to_string());
    meta["lastUpdated"] = json!(instant(record.metadata.stored_ms));
    json!({ "resourceType": "Parameters", "parameter": [{ "name": "return", "valueMeta": meta }] })
}

/// The links of a page: itself, and its neighbours. A page of nothing but the total has none.
pub(crate) fn page_links(
    skip: usize,
    count: usize,
    total: usize,
    page_url: impl Fn(usize) -> String,
) -> Vec<(&'static str, String)> {
    let mut links = vec![("self", page_url(skip))];
    let next = skip.saturating_add(count);
    if count > 0 && next < total {
        links.push(("next", page_url(next)));
    }
    if count > 0 && skip > 0 {
        links.push(("previous", page_url(skip.saturating_sub(count))));
    }
    links
}

/// The record, unless it says that the resource is deleted.
fn present(record: &OpenedRecord) -> Result<&OpenedRecord, FlowError> {
    if record.is_deletion() { Err(FlowError::Gone) } else { Ok(record) }
}

fn push_read(answer: &mut Answer, read: &EntryAnswer) {
    let version = read.version.map(|version| version.to_string());
    let (status, version) = (read.status.as_str(), version.as_deref());
    let resource = Some(&*read.resource).filter(|resource| !resource.is_empty());
    answer.push_response(&Response { status, version, ..Response::default() }, resource);
}

fn push_done(answer: &mut Answer, became: &Became) {
    let (status, named) = match became {
        Became::Absent => ("204 No Content", None),
        Became::Kept(known) => ("200 OK", Some((&known.target, known.version))),
        Became::Filed(filed) => {
            let status = match (filed.change, filed.version) {
                (Change::Deleted, _) => "204 No Content",
                (_, 1) => "201 Created",
                _ => "200 OK",
            };
            (status, Some((&filed.target, filed.version)))
        }
    };
    let location = named.map(|(target, version)| format!("{target}/_history/{version}"));
    let version = named.map(|(_, version)| version.to_string());
    let (location, version) = (location.as_deref(), version.as_deref());
    answer.push_response(&Response { status, location, version, ..Response::default() }, None);
}

/// Whether a search of these parameters looks beyond the records that are searched: then the house
/// belongs to what it needs.
pub fn looks_beyond(pairs: &[(String, String)]) -> bool {
    pairs.iter().any(|(name, value)| Query::looks_beyond(name, value))
}

fn push(answer: &mut Answer, addresses: &Addresses<'_>, candidate: &Candidate<'_>, mode: Mode) {
    let full_url = full_url(addresses, candidate);
    answer.push_match(&Match { full_url: &full_url, resource: candidate.resource.bytes(), mode });
}

/// A match of which only a part is asked for.
fn push_text(
    answer: &mut Answer,
    addresses: &Addresses<'_>,
    candidate: &Candidate<'_>,
    text: &[u8],
) {
    let full_url = full_url(addresses, candidate);
    answer.push_match(&Match { full_url: &full_url, resource: text, mode: Mode::Match });
}

fn full_url(addresses: &Addresses<'_>, candidate: &Candidate<'_>) -> String {
    addresses.of(candidate.home.of, candidate.resource.type_name(), candidate.id)
}

/// What a candidate is called, and where it is kept: what has an address is of this hospital.
fn name_of<'a>(candidate: &Candidate<'a>) -> (&'a str, &'a str, (bool, [u8; 32])) {
    let Candidate { resource, id, home, .. } = *candidate;
    (resource.type_name(), id, (home.base.is_empty(), home.of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chooses_records_looks_at_each_alone() {
        let cases = [
            ("category", "laboratory", true),
            ("status:not", "final", true),
            ("_filter", "status eq final", true),
            ("patient.patient.patient._id", "a", false),
            ("subject:Patient.name", "a", false),
            ("_has:Provenance:target:_id", "a", false),
            ("_list", "1", false),
            ("_include", "*", false),
            ("_revinclude:iterate", "*", false),
            ("_filter", "subject.name eq a", false),
        ];
        for (name, value, is_taken) in cases {
            let pairs = [(name.to_owned(), value.to_owned())];
            let conditions = Conditions::parse("Observation", &pairs);
            assert_eq!(conditions.is_ok(), is_taken, "{name}={value}");
        }
    }
}
