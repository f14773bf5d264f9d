//! Writes `src/search/parameters.tsv` from the search parameter definitions of R4.
//!
//! ```text
//! cargo run -p fhir --example search_table -- search-parameters-r4.json > parameters.tsv
//! ```
//! The input is the Bundle of HL7's SearchParameter resources (package `hl7.fhir.r4.examples`
//! 4.0.1, CC0). A parameter shared by several types becomes one row a type, with the part of its
//! expression that is about that type. A definition without an expression, or without a type, has a
//! row, too, so that the table tells how many there are. What US Core 7.0.0 adds is named here.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name the file of definitions")?;
    let bundle: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let definitions: Vec<&Value> =
        bundle["entry"].as_array().into_iter().flatten().map(|entry| &entry["resource"]).collect();
    let kinds: BTreeMap<&str, &str> = definitions
        .iter()
        .filter_map(|one| Some((one["url"].as_str()?, one["type"].as_str()?)))
        .collect();
    let rows: BTreeSet<String> =
        definitions.iter().flat_map(|definition| rows(definition, &kinds)).collect();
    println!("# Search parameters of FHIR R4 4.0.1 (facts of the standard; HL7, CC0).");
    println!("# At the end what US Core 7.0.0 adds (facts of the guide; HL7, CC0).");
    println!(
        "# type, name, kind, expression, parts of a composite (kind:expression;...) or types that a"
    );
    println!(
        "# reference leads to (type;..., or * for all), id of the definition unless it is type-name"
    );
    for row in rows {
        println!("{row}");
    }
    for (base, name, kind, expression) in US_CORE {
        println!("{base}\t{name}\t{kind}\t{base}.{expression}\t\tus-core-{base}-{name}");
    }
    Ok(())
}

fn rows(definition: &Value, kinds: &BTreeMap<&str, &str>) -> Vec<String> {
    let text = |name: &str| definition[name].as_str().unwrap_or_default();
    let bases = definition["base"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let bases: Vec<&str> = bases.collect();
    let bases = if bases.is_empty() { vec!["-"] } else { bases };
    bases
        .into_iter()
        .map(|base| {
            let branches = branches_of(text("expression"), base);
            let mut row = format!("{base}\t{}\t{}\t{branches}", text("code"), text("type"));
            let parts: Vec<String> = definition["component"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|part| component(part, kinds))
                .collect();
            let id = Some(text("id")).filter(|id| *id != format!("{base}-{}", text("code")));
            let parts = if parts.is_empty() { targets(definition) } else { parts };
            let columns = [parts.join(";"), id.unwrap_or_default().to_owned()];
            for column in columns {
                row.push('\t');
                row.push_str(&column);
            }
            row.trim_end().to_owned()
        })
        .collect()
}

/// The types that a reference leads to.
fn targets(definition: &Value) -> Vec<String> {
    let targets = definition["target"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut targets: Vec<String> = targets.map(str::to_owned).collect();
    targets.sort();
    if targets.len() >= ALL_TARGETS { vec!["*".to_owned()] } else { targets }
}

/// The branches of a union that begin with this type, joined again. A branch that begins with no
/// type at all (`InsurancePlan-name`, a slip of the standard) is taken from this one.
fn branches_of(expression: &str, base: &str) -> String {
    let of_base = |branch: &str| {
        let root = branch.trim_start_matches('(').split(['.', ' ']).next()?;
        match root.starts_with(|first: char| first.is_ascii_lowercase()) {
            true => Some(format!("{base}.{branch}")),
            false => (root == base).then(|| branch.to_owned()),
        }
    };
    let branches = expression.split('|').map(str::trim).filter_map(of_base);
    branches.collect::<Vec<_>>().join(" | ")
}

fn component(part: &Value, kinds: &BTreeMap<&str, &str>) -> String {
    let definition = part["definition"].as_str().unwrap_or_default();
    let kind = kinds.get(definition).copied().unwrap_or("token");
    format!("{kind}:{}", part["expression"].as_str().unwrap_or_default())
}

/// So many types are named where any will do.
const ALL_TARGETS: usize = 100;

const US_CORE: [(&str, &str, &str, &str); 6] = [
    ("CareTeam", "role", "token", "participant.role"),
    (
        "Condition",
        "asserted-date",
        "date",
        "extension.where(url='http://hl7.org/fhir/StructureDefinition/condition-assertedDate')\
            .value",
    ),
    ("Encounter", "discharge-disposition", "token", "hospitalization.dischargeDisposition"),
    ("Goal", "description", "token", "description"),
    ("Patient", "ethnicity", "token", ETHNICITY),
    ("Patient", "race", "token", RACE),
];

const ETHNICITY: &str = "extension\
    .where(url='http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity')\
    .extension.value";

const RACE: &str = "extension\
    .where(url='http://hl7.org/fhir/us/core/StructureDefinition/us-core-race')\
    .extension.value";
