//! What the search does of the standard, counted. The page `docs/search.md` is written by this test
//! (`UPDATE_DOCS=1`), and compared with it otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fhir::search::{Query, parameter};
use fhir::types::ResourceType;

/// The definitions of the standard: all of them, each once for every type that it is of.
const TABLE: &str = include_str!("../../src/search/parameters.tsv");

/// How many SearchParameter resources R4 defines.
const OF_THE_STANDARD: usize = 1_400;

const KINDS: [&str; 9] =
    ["token", "reference", "string", "date", "uri", "quantity", "number", "composite", "special"];

/// A parameter of each kind, and a value that it reads.
const SAMPLES: [(&str, &str, &str, &str); 8] = [
    ("token", "Observation", "code", "http://loinc.org|1"),
    ("reference", "Observation", "subject", "Patient/1"),
    ("string", "Patient", "name", "a"),
    ("date", "Patient", "birthdate", "2024"),
    ("uri", "ValueSet", "url", "http://a.example/b"),
    ("quantity", "Observation", "value-quantity", "5.4|http://unitsofmeasure.org|mg"),
    ("number", "RiskAssessment", "probability", "0.8"),
    ("composite", "Observation", "code-value-quantity", "http://loinc.org|1$5.4"),
];

const MODIFIERS: [&str; 14] = [
    "missing",
    "exact",
    "contains",
    "text",
    "not",
    "in",
    "not-in",
    "above",
    "below",
    "of-type",
    "identifier",
    "Patient",
    "iterate",
    "nothing",
];

const PREFIXES: [&str; 9] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// What says how the search is done and how it is answered, with a value.
const AROUND: [(&str, &str); 28] = [
    ("_id", "1"),
    ("_lastUpdated", "gt2024"),
    ("_tag", "a"),
    ("_security", "a"),
    ("_profile", "urn:a"),
    ("_source", "urn:a"),
    ("_text", "a"),
    ("_content", "a"),
    ("_list", "1"),
    ("_list", "$current-problems"),
    ("_has:Observation:patient:code", "a"),
    ("general-practitioner.name", "a"),
    ("_filter", "name eq a"),
    ("_query", "a"),
    ("_type", "Patient"),
    ("_sort", "-birthdate"),
    ("_count", "10"),
    ("_total", "none"),
    ("_include", "Patient:general-practitioner"),
    ("_include:iterate", "Patient:link"),
    ("_revinclude", "Observation:patient"),
    ("_summary", "true"),
    ("_summary", "text"),
    ("_summary", "data"),
    ("_summary", "count"),
    ("_elements", "name"),
    ("_contained", "false"),
    ("_contained", "true"),
];

/// One row of the table.
struct Row {
    base: &'static str,
    name: &'static str,
    kind: &'static str,
    definition: String,
}

impl Row {
    fn read(line: &'static str) -> Self {
        let columns: Vec<&str> = line.split('\t').collect();
        let (base, name, kind) = (columns[0], columns[1], columns[2]);
        let id = columns.get(5).map_or(format!("{base}-{name}"), |id| (*id).to_owned());
        Self { base, name, kind, definition: id }
    }

    fn is_of_us_core(&self) -> bool {
        self.definition.starts_with("us-core-")
    }

    fn compiles(&self) -> bool {
        let resource_type = ResourceType::parse(self.base);
        let is_of_all = ["Resource", "DomainResource"].contains(&self.base);
        (resource_type.is_some() || is_of_all) && parameter(resource_type, self.name).is_some()
    }

    fn why_not(&self) -> &'static str {
        match (self.base, self.name) {
            (_, "_filter" | "_query") => "no parameter of a type: see below",
            ("-", _) => "the definition names no type",
            (_, "part-agree") => "its expression is about another type than it says",
            _ => "the definition says not where the values are",
        }
    }
}

#[test]
fn the_page_says_what_is_done() {
    let rows: Vec<Row> =
        TABLE.lines().filter(|line| !line.starts_with('#')).map(Row::read).collect();
    let page = format!(
        "# Search\n\n\
         What the search does of [FHIR R4](http://hl7.org/fhir/R4/search.html). This page is \
         written by a test (`search_page` of the\ncrate `fhir`) that asks the search itself.\n\n\
         Searches run in memory over what an access has opened: there is no readable index at \
         rest. A parameter, modifier or value\nthat is not done is refused with words; nothing is \
         ignored.\n\n\
         {}{}{}{}",
        parameters_section(&rows),
        values_section(),
        around_section(),
        TERMS
    );
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/search.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), page, "renew it with UPDATE_DOCS=1");
}

/// The table is the standard's, whole: where the definitions are at hand they are counted again.
#[test]
fn the_table_has_every_definition_of_the_standard() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("CARESTONE_DATA").map_or(beside, PathBuf::from);
    let path = root.join("fhir-r4-defs/search-parameters-r4.json");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("SKIPPED: no {}: set CARESTONE_DATA", path.display());
        return;
    };
    let bundle: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let ids = bundle["entry"].as_array().unwrap().iter();
    let ids: BTreeSet<&str> = ids.map(|entry| entry["resource"]["id"].as_str().unwrap()).collect();
    let rows: Vec<Row> =
        TABLE.lines().filter(|line| !line.starts_with('#')).map(Row::read).collect();
    let of_standard = rows.iter().filter(|row| !row.is_of_us_core());
    let known: BTreeSet<&str> = of_standard.map(|row| row.definition.as_str()).collect();
    assert_eq!(known, ids);
    assert_eq!(ids.len(), OF_THE_STANDARD);
}

fn parameters_section(rows: &[Row]) -> String {
    let mut text =
        "## Parameters\n\n| type | defined | done | not done | rows, one a resource type |\n\
                    |---|---|---|---|---|\n"
            .to_owned();
    let mut all = [0; 4];
    for kind in KINDS {
        let of_kind: Vec<&Row> =
            rows.iter().filter(|row| row.kind == kind && !row.is_of_us_core()).collect();
        let defined: BTreeSet<&str> = of_kind.iter().map(|row| row.definition.as_str()).collect();
        // A definition is done if it is for every type that it is of.
        let not: BTreeSet<&str> = of_kind
            .iter()
            .filter(|row| !row.compiles())
            .map(|row| row.definition.as_str())
            .collect();
        let figures = [defined.len(), defined.len() - not.len(), not.len(), of_kind.len()];
        text.push_str(&line(kind, figures));
        all.iter_mut().zip(figures).for_each(|(all, one)| *all += one);
    }
    assert_eq!(all[0], OF_THE_STANDARD);
    text.push_str(&line("all", all));
    text.push_str("\nNot done:\n\n| definition | why |\n|---|---|\n");
    let not: BTreeMap<&str, &str> = rows
        .iter()
        .filter(|row| !row.compiles())
        .map(|row| (row.definition.as_str(), row.why_not()))
        .collect();
    for (definition, why) in not {
        text.push_str(&format!("| `{definition}` | {why} |\n"));
    }
    let us_core = rows.iter().filter(|row| row.is_of_us_core());
    let us_core: Vec<String> = us_core
        .map(|row| {
            assert!(row.compiles(), "{}.{}", row.base, row.name);
            format!("`{}.{}`", row.base, row.name)
        })
        .collect();
    text.push_str(&format!("\nBeside them, from US Core: {}.\n\n", us_core.join(", ")));
    text
}

fn line(name: &str, figures: [usize; 4]) -> String {
    let figures = figures.map(|figure| figure.to_string()).join(" | ");
    format!("| {name} | {figures} |\n")
}

/// Asks the search which modifiers and prefixes each type of parameter takes.
fn values_section() -> String {
    let mut text =
        "## Modifiers and prefixes\n\n| type | modifiers | prefixes |\n|---|---|---|\n".to_owned();
    for (kind, resource_type, name, value) in SAMPLES {
        let is_done = |name: &str, value: &str| refusal(resource_type, name, value).is_none();
        assert!(is_done(name, value), "{name}={value}");
        let modifiers = MODIFIERS.into_iter().filter(|modifier| {
            let value = match *modifier {
                "missing" => "true",
                "of-type" => "urn:a|b|c",
                "Patient" => "1",
                _ => value,
            };
            // A set or system that is not held is refused for that alone.
            refusal(resource_type, &format!("{name}:{modifier}"), value)
                .is_none_or(|why| why.contains("is not held here"))
        });
        let modifiers: Vec<String> = modifiers.map(|modifier| format!("`:{modifier}`")).collect();
        let prefixes =
            PREFIXES.into_iter().filter(|_| ["date", "quantity", "number"].contains(&kind));
        let prefixes = prefixes.filter(|prefix| is_done(name, &format!("{prefix}{value}")));
        let prefixes: Vec<String> = prefixes.map(|prefix| format!("`{prefix}`")).collect();
        text.push_str(&format!("| {kind} | {} | {} |\n", modifiers.join(" "), prefixes.join(" ")));
    }
    assert!(!text.contains(":nothing"), "{text}");
    text.push_str("\n`:Patient` stands for every type. ");
    text.push_str(
        "Comma is *or*, a parameter twice is *and*, a backslash takes the meaning off.\n\n",
    );
    text
}

fn around_section() -> String {
    let mut text = "## Around the search\n\n| asked as | done |\n|---|---|\n".to_owned();
    for (name, value) in AROUND {
        let done = match refusal("Patient", name, value) {
            None => "yes".to_owned(),
            Some(why) => format!("no: {why}"),
        };
        text.push_str(&format!("| `{name}={value}` | {done} |\n"));
    }
    text.push('\n');
    text
}

/// Why a search of this type with this one parameter is refused.
fn refusal(resource_type: &str, name: &str, value: &str) -> Option<String> {
    // `_type` goes with a search of no type.
    let resource_type = ResourceType::parse(resource_type).filter(|_| name != "_type");
    let issues = Query::parse(resource_type, [(name, value)]).err()?;
    Some(issues[0].diagnostics.clone())
}

const TERMS: &str = "## What codes mean together\n\n\
    `:in`, `:not-in`, `:above` and `:below` of a token are read by the ValueSet and CodeSystem \
    resources that this member holds (delivered\nlike any other resource). A set is told by its \
    expansion if it has a whole one, else by what it lists, by whole code systems, by other\nsets, \
    by `is-a` and `descendent-of` along a complete code system, less what it excludes. A set or \
    system that is not held, or cannot be\ntold in this way, is an error that says so, never an \
    empty answer.\n\n\
    ## Filters and places\n\n\
    `_filter` joins conditions by `and`, `or` and `not (...)`, from left to right: `and` does not \
    go first. It has the operators of\n[R4](http://hl7.org/fhir/R4/search_filter.html) over the \
    parameters above, as far as the table there gives them to a type. A chain may carry\na filter \
    of its own: `subject[gender eq female].name co \"ada\"`. Whose records are searched is said \
    beside it, by `patient=`. A scope or a\nfilter of an export looks at each record alone, \
    and takes no chains, lists, includes and value sets.\n\n\
    `near` of a Location takes `latitude|longitude|distance|unit`: `km`, `m` or `mi`, 10 km if \
    nothing is said. Distances are those on a sphere.\n\n\
    ## Names and pages\n\n\
    A chain without a type leads to the types that the definition names. A search looks for at \
    most 100,000 values, those at the ends of chains\nonce a type. A reference by this node's own \
    address is the same as one by type and id. What another hospital wrote refers to what it \
    wrote:\nthe same type and id here is another resource, and where both are in one answer, the \
    other's `fullUrl` is a `urn:uuid:`.\n\n\
    A page is a part of what is found when it is asked for: what is filed or deleted between two \
    pages may show a record twice, or not at all.\nWhoever needs each exactly once asks for one \
    page, or sorts by what does not change and reads again.\n\n\
    ## Parts of resources\n\n\
    `_elements`, `_summary=true`, `_summary=text` and `_summary=data` give a part: what is asked \
    for, what a resource of its type must have,\nand the tag `SUBSETTED`. A read of one \
    resource takes them, too. What is kept has the bytes that were received.\n`_summary=true` \
    is what R4 marks as summary, also within elements and data types: a document comes without \
    its file, an Encounter without its past states.\n";
