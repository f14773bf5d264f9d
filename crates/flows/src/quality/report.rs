//! What was counted of each source, by day: how much came, what became of it, and how complete it
//! was. Nothing about a person is counted.

use std::collections::{BTreeMap, BTreeSet};

use fhir::{
    Issue, Resource,
    quality::Check,
    systems::{ICD_10, ICD_10_CM, LOINC, SNOMED, UCUM},
};
use serde_json::{Value, json};
use vault::{Tally, Versions};

use crate::{FlowError, Incoming, Member, limits::SOURCE_CHARS_MAX, sessions::Change};

/// What is counted, in one step with what it counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted(BTreeMap<String, u64>);

impl Counted {
    pub(crate) fn add(&mut self, name: &str, count: u64) {
        *self.0.entry(name.to_owned()).or_default() += count;
    }

    /// What came to an end that is not filing: `refused` or `waits`, by check.
    pub(crate) fn ended(&mut self, what: &str, issues: &[Issue]) {
        self.add(what, 1);
        let checks: BTreeSet<&str> =
            issues.iter().map(|issue| issue.check.unwrap_or(CONTENT)).collect();
        checks.iter().for_each(|check| self.add(&format!("{what}/{check}"), 1));
    }

    /// A resource that is filed.
    pub(crate) fn filed(&mut self, one: &Incoming) {
        if one.change == Change::Deleted {
            return;
        }
        self.add("resources", 1);
        one.flags.iter().for_each(|check| self.add(&format!("flagged/{}", check.code()), 1));
        for (name, is_there) in completeness(&one.resource) {
            self.add(&format!("of/{name}"), 1);
            self.add(&format!("with/{name}"), u64::from(is_there));
        }
    }
}

/// Shares that say how complete records are: a name, and whether this one has it.
fn completeness(resource: &Resource) -> Vec<(&'static str, bool)> {
    let value = resource.value();
    let coded = |element: &Value, systems: &[&str]| {
        let codings = element["coding"].as_array().into_iter().flatten();
        codings.filter_map(|coding| coding["system"].as_str()).any(|of| systems.contains(&of))
    };
    match resource.type_name() {
        "Patient" => vec![
            ("Patient with birth date", value["birthDate"].is_string()),
            ("Patient with sex", value["gender"].is_string()),
            ("Patient with identifier", value["identifier"].is_array()),
        ],
        "Observation" => {
            let quantity = &value["valueQuantity"];
            let unit = quantity
                .is_object()
                .then(|| ("Quantity with UCUM unit", quantity["system"] == UCUM));
            let loinc = coded(&value["code"], &[LOINC]);
            let own = [("Observation with LOINC code", loinc)];
            own.into_iter().chain(unit).collect()
        }
        "Condition" => {
            vec![("Condition with SNOMED CT or ICD code", coded(&value["code"], &CODED))]
        }
        _ => Vec::new(),
    }
}

const CODED: [&str; 4] = [SNOMED, ICD_10, ICD_10_CM, "http://fhir.de/CodeSystem/bfarm/icd-10-gm"];

/// Faults that no check of quality names: what is not valid FHIR, or cannot be filed.
const CONTENT: &str = "content";

/// A record in which something was found, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flagged {
    /// Its sequence number: the list goes on after it.
    pub sequence: u64,
    /// What it is called here, as in `Observation/lab1`.
    pub name: String,
    /// Its version.
    pub version: u32,
}

impl Member {
    /// What is counted, as it is stored.
    pub(crate) fn tallies(&self, source: &str, counted: &Counted) -> Vec<Tally> {
        let day = u32::try_from(self.world.clock.now_ms() / DAY_MS).unwrap_or(u32::MAX);
        let source: String = source.chars().take(SOURCE_CHARS_MAX).collect();
        let tally = |(name, count): (&String, &u64)| {
            let token = self.keys.token("tally", &[source.as_bytes(), name.as_bytes()]);
            let sealed = self.wrap(TALLY, &token.0, &(&source, name));
            Tally { day, token, sealed, count: *count }
        };
        counted.0.iter().filter(|(_, count)| **count > 0).map(tally).collect()
    }

    /// What was counted in the last days, today included: by source, then by day.
    ///
    /// # Errors
    /// [`FlowError::Evidence`] if a count was stored by another node.
    pub fn quality_report(&self, days: u32) -> Result<Value, FlowError> {
        let today = u32::try_from(self.world.clock.now_ms() / DAY_MS).unwrap_or(u32::MAX);
        let mut sources: BTreeMap<String, BTreeMap<u32, Counts>> = BTreeMap::new();
        for tally in self.vault.tallies(today.saturating_sub(days.saturating_sub(1)))? {
            let (source, name): (String, String) =
                self.unwrap(TALLY, &tally.token.0, &tally.sealed)?;
            let of_source = sources.entry(source).or_default();
            of_source.entry(tally.day).or_default().insert(name, tally.count);
        }
        let source = |(source, days): (&String, &BTreeMap<u32, Counts>)| {
            let mut total = Counts::new();
            for (name, count) in days.values().flatten() {
                *total.entry(name.clone()).or_default() += count;
            }
            let day = |(day, counts): (&u32, &Counts)| {
                let mut told = told(counts);
                told["day"] = json!(date(*day));
                told
            };
            let days: Vec<Value> = days.iter().map(day).collect();
            json!({ "source": source, "total": told(&total), "days": days })
        };
        Ok(json!({ "sources": sources.iter().map(source).collect::<Vec<_>>() }))
    }

    /// A page of the records in which a check found something, as they are now, from this sequence
    /// number on. A version without the fault takes its record off the list.
    pub fn flagged(&self, check: Check, from: u64, max: usize) -> Result<Vec<Flagged>, FlowError> {
        let mark = self.finding_mark(check);
        let found = self.vault.records_by_token(mark, Versions::Latest, from, max)?;
        let flagged = found.into_iter().map(|record| {
            let name = self.name_of(record.place.record)?;
            Ok(Flagged { sequence: record.sequence, name, version: record.place.version })
        });
        flagged.collect()
    }
}

type Counts = BTreeMap<String, u64>;

/// Counts as they are told.
fn told(counts: &Counts) -> Value {
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    let below = |group: &str| -> BTreeMap<String, u64> {
        let within = counts.iter().filter_map(|(name, count)| {
            Some((name.strip_prefix(group)?.strip_prefix('/')?.to_owned(), *count))
        });
        within.collect()
    };
    let with = below("with");
    let complete = below("of").into_iter().map(|(name, of)| {
        let with = with.get(&name).copied().unwrap_or(0);
        json!({ "what": name, "of": of, "with": with })
    });
    json!({
        "deliveries": count("deliveries"),
        "resources": count("resources"),
        "refused": count("refused"),
        "quarantined": count("waits"),
        "refused_by": below("refused"),
        "quarantined_by": below("waits"),
        "flagged_by": below("flagged"),
        "completeness": complete.collect::<Vec<_>>(),
    })
}

fn date(day: u32) -> String {
    let instant = crate::time::instant(u64::from(day) * DAY_MS);
    instant.split('T').next().unwrap_or_default().to_owned()
}

const TALLY: &str = "tally";
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
