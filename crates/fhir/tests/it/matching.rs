//! Matching people: cases that name one trap each, and a generated population with generated
//! errors. The table in `docs/matching.md` is what the population comes to; the test fails if it is
//! not (with `UPDATE_DOCS=1` it is written anew).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use fhir::{
    matching::{Grade, Person},
    synthetic::{Population, Scale, sample_hospitals},
};
use serde_json::{Value, json};

use crate::resource;

fn person(patient: &Value) -> Person {
    Person::of(&resource(&patient.to_string()))
}

fn ana() -> Value {
    json!({
        "resourceType": "Patient",
        "name": [{ "family": "Delgado", "given": ["Anabel"] }],
        "birthDate": "1984-03-07", "gender": "female",
        "address": [{ "postalCode": "02134" }],
        "telecom": [{ "system": "phone", "value": "+1 617 555 0123" }],
    })
}

#[test]
fn each_trap_has_its_grade() {
    let with = |changes: Value| {
        let mut patient = ana();
        for (key, value) in changes.as_object().unwrap() {
            patient[key] = value.clone();
        }
        patient
    };
    let name = |family: &str, given: &str| json!([{ "family": family, "given": [given] }]);
    let number = |value: &str| json!([{ "system": "urn:nat", "value": value }]);
    use Grade::*;
    let cases = [
        ("the same", with(json!({})), Certain),
        ("case and accents", with(json!({ "name": name("DELGADO", "Anábel") })), Certain),
        (
            "another number and house",
            with(json!({ "address": [{ "postalCode": "99501" }],
            "telecom": [{ "system": "phone", "value": "907 555 9999" }] })),
            Certain,
        ),
        ("no sex", with(json!({ "gender": null })), Probable),
        ("a typing error", with(json!({ "name": name("Delgdao", "Anabel") })), Probable),
        ("day and month swapped", with(json!({ "birthDate": "1984-07-03" })), Probable),
        ("names swapped", with(json!({ "name": name("Anabel", "Delgado") })), Probable),
        ("only the year", with(json!({ "birthDate": "1984" })), Probable),
        ("a married name", with(json!({ "name": name("Whitcombe", "Anabel") })), Probable),
        ("a twin", with(json!({ "name": name("Delgado", "Rosa") })), Possible),
        (
            "a parent",
            with(json!({ "name": name("Delgado", "Rosa"), "birthDate": "1955-01-30" })),
            CertainlyNot,
        ),
        ("of the same name and house", with(json!({ "birthDate": "1955-01-30" })), Possible),
        (
            "a stranger born on the day",
            with(json!({ "name": name("Okafor", "Ngozi"),
            "address": null, "telecom": null })),
            CertainlyNot,
        ),
        (
            "a name alone",
            json!({ "resourceType": "Patient", "name": name("Delgado", "Anabel") }),
            Possible,
        ),
        ("nothing", json!({ "resourceType": "Patient" }), CertainlyNot),
    ];
    let ana = person(&ana());
    for (what, other, grade) in cases {
        let found = ana.likeness(&person(&other));
        assert_eq!(found.grade, grade, "{what}: {}", found.score);
        assert_eq!(found, person(&other).likeness(&ana), "{what}: the same both ways");
    }
    let numbered = person(&with(json!({ "identifier": number("7"), "birthDate": "1984-03-09" })));
    let known = person(&with(json!({ "identifier": number("7") })));
    assert_eq!(numbered.likeness(&known).grade, Certain, "a number, a name and a typing error");
    let named = |given: &str| {
        person(&with(json!({ "identifier": number("7"), "name": name("Delgado", given) })))
    };
    assert_eq!(known.likeness(&named("A.")).grade, Certain, "a number, an initial and a birthday");
    let twin = known.likeness(&named("Annabell"));
    assert_eq!(twin.grade, Probable, "twins of almost one name, and the number of their family");
    let other = person(&json!({ "resourceType": "Patient", "identifier": number("7"),
        "name": name("Okafor", "Ngozi"), "birthDate": "1990-01-01" }));
    assert!(other.likeness(&known).grade <= Possible, "a number alone decides nothing");
}

#[test]
fn other_spellings_are_found_by_the_same_words() {
    let spelled = |family: &str, given: &str, birth: &str| {
        let name = json!([{ "family": family, "given": [given] }]);
        let patient = json!({ "resourceType": "Patient", "name": name, "birthDate": birth });
        person(&patient).blocks()
    };
    let cases = [
        (("Müller", "Jörg", "1970-01-02"), ("Mueller", "Joerg", "1970-01-02")),
        (("Smith", "Jon", "1970-01-02"), ("Smyth", "John", "1970-02-01")),
        (("Smith", "Jon", "1970-01-02"), ("Brown", "Jon", "1970-01-02")),
        (("Anabel", "Delgado", "1970-01-02"), ("Delgado", "Anabel", "1970-05-05")),
        (("Дельгадо", "Анна", "1970-01-02"), ("Delgado", "Anna", "1970-01-02")),
    ];
    for (one, other) in cases {
        let shared = spelled(one.0, one.1, one.2);
        assert!(!shared.is_disjoint(&spelled(other.0, other.1, other.2)), "{one:?} {other:?}");
    }
    let stranger = spelled("Okafor", "Ngozi", "1970-01-02");
    assert!(stranger.is_disjoint(&spelled("Smith", "Jon", "1970-01-02")));
    assert!(spelled("", "", "1970-01-02").is_empty(), "a birthday alone finds nobody");
}

#[test]
fn a_population_with_errors_is_told_apart() {
    let table = Trial::run().table();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/matching.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the table has a beginning");
    let (_, after) = rest.split_once(END).expect("the table has an end");
    let expected = format!("{before}{BEGIN}\n{table}{END}{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), expected, "run it with UPDATE_DOCS=1");
}

const BEGIN: &str = "<!-- made by a test: begin -->";
const END: &str = "<!-- made by a test: end -->";

/// So many people are registered, so many come again with errors, so many are new; and of so many
/// a twin or a parent comes.
const REGISTERED: usize = 3_000;
const AGAIN: usize = 1_500;
const NEW: usize = 500;
const RELATIVES: usize = 400;

/// What the questions found.
#[derive(Default)]
struct Trial {
    /// By grade: pairs that are one person, pairs that are not, sum of scores.
    pairs: BTreeMap<Grade, (usize, usize, f64)>,
    /// By grade: people who come again whose own registration got this grade.
    own: BTreeMap<Grade, usize>,
    /// Registrations that were looked at, and the most for one question.
    opened: usize,
    opened_max: usize,
    /// New people and relatives who were taken for somebody, at least probably.
    mistaken: usize,
}

impl Trial {
    fn run() -> Trial {
        let patients = patients(REGISTERED + NEW);
        let registered: Vec<Person> = patients[..REGISTERED].iter().map(person).collect();
        let mut found_by: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, one) in registered.iter().enumerate() {
            one.blocks().into_iter().for_each(|word| found_by.entry(word).or_default().push(index));
        }
        let mut dice = Dice(20_261_121);
        let mut trial = Trial::default();
        for (index, patient) in patients[..AGAIN].iter().enumerate() {
            let asked = person(&dice.corrupted(patient));
            trial.ask(&asked, Some(index), &registered, &found_by);
        }
        for patient in &patients[REGISTERED..] {
            trial.ask(&person(patient), None, &registered, &found_by);
        }
        for (index, patient) in patients[..RELATIVES].iter().enumerate() {
            let asked = person(&dice.relative(patient, index % 2 == 0));
            trial.ask(&asked, None, &registered, &found_by);
        }
        trial
    }

    fn ask(
        &mut self,
        asked: &Person,
        own: Option<usize>,
        registered: &[Person],
        found_by: &BTreeMap<fhir::matching::Block, Vec<usize>>,
    ) {
        let words = asked.blocks();
        let candidates: BTreeSet<usize> =
            words.iter().filter_map(|word| found_by.get(word)).flatten().copied().collect();
        self.opened += candidates.len();
        self.opened_max = self.opened_max.max(candidates.len());
        let mut best = Grade::CertainlyNot;
        for candidate in &candidates {
            let likeness = asked.likeness(&registered[*candidate]);
            let pairs = self.pairs.entry(likeness.grade).or_default();
            let is_own = own == Some(*candidate);
            *(if is_own { &mut pairs.0 } else { &mut pairs.1 }) += 1;
            pairs.2 += likeness.score;
            best = best.max(if is_own { Grade::CertainlyNot } else { likeness.grade });
            if is_own {
                *self.own.entry(likeness.grade).or_default() += 1;
            }
        }
        self.mistaken += usize::from(own.is_none() && best >= Grade::Probable);
    }

    fn table(&self) -> String {
        let mut table = format!(
            "{REGISTERED} people are registered; {AGAIN} of them come again with errors, {NEW} are \
             new,\nand of {RELATIVES} a twin or a parent in the same household comes. The words \
             found {:.1}\nregistrations a question on average, {} at most. {} of those who are not \
             registered\nwere taken for somebody, at least probably.\n\n\
             | grade | pairs | one person | mean score | recall from here up |\n\
             | --- | ---: | ---: | ---: | ---: |\n",
            self.opened as f64 / (AGAIN + NEW + RELATIVES) as f64,
            self.opened_max,
            self.mistaken,
        );
        let mut recalled = 0;
        for grade in Grade::ALL {
            let (right, wrong, scores) = self.pairs.get(&grade).copied().unwrap_or_default();
            recalled += self.own.get(&grade).copied().unwrap_or_default();
            let pairs = (right + wrong) as f64;
            let (precise, mean) = (right as f64 / pairs, scores / pairs);
            let recall = recalled as f64 / AGAIN as f64;
            table.push_str(&format!(
                "| {} | {pairs} | {:.1} % | {mean:.3} | {:.1} % |\n",
                grade.code(),
                precise * 100.0,
                recall * 100.0
            ));
            match grade {
                Grade::Certain => assert!(precise >= 0.999 && recall >= 0.35, "{table}"),
                Grade::Probable => assert!(precise >= 0.97 && recall >= 0.85, "{table}"),
                Grade::Possible => assert!(recall >= 0.95, "{table}"),
                Grade::CertainlyNot => assert!(precise <= 0.05, "{table}"),
            }
        }
        table
    }
}

/// Registrations of invented people.
fn patients(count: usize) -> Vec<Value> {
    let hospitals = sample_hospitals(1);
    let population =
        Population { scale: Scale::Small, years: 1, ..Population::new(4, count, &hospitals) };
    let patient = |person: fhir::synthetic::Person| {
        let bundle: Value = serde_json::from_slice(&person.bundles[0].bytes).unwrap();
        let mut entries = bundle["entry"].as_array().unwrap().iter().map(|one| &one["resource"]);
        entries.find(|one| one["resourceType"] == "Patient").unwrap().clone()
    };
    population.people().map(patient).collect()
}

/// SplitMix64: the same errors in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    /// In so many of a thousand.
    fn in_1000(&mut self, often: usize) -> bool {
        self.below(1_000) < often
    }

    /// Who comes again: mostly without a number, and with what goes wrong at a desk.
    fn corrupted(&mut self, patient: &Value) -> Value {
        let mut patient = patient.clone();
        if self.in_1000(700) {
            patient["identifier"] = Value::Null;
        } else {
            patient["identifier"].as_array_mut().unwrap().remove(0);
        }
        for part in ["family", "given"] {
            if self.in_1000(80) {
                let place = &mut patient["name"][0][part];
                let place = if part == "given" { &mut place[0] } else { place };
                let typed = self.mistyped(place.as_str().unwrap());
                *place = json!(typed);
            }
        }
        let name = patient["name"][0].clone();
        let (family, given) = (&name["family"], &name["given"][0]);
        match self.below(1_000) {
            0..50 => patient["name"][0]["family"] = json!("Ravenscroft"),
            50..65 => patient["name"][0] = json!({ "family": given, "given": [family] }),
            65..85 => patient["name"][0]["given"] = json!([&given.as_str().unwrap()[..1]]),
            85..385 => {
                patient["name"][0]["family"] = json!(family.as_str().unwrap().to_uppercase());
            }
            _ => {}
        }
        let birth = patient["birthDate"].as_str().unwrap().to_owned();
        let (year, month, day) = (&birth[..4], &birth[5..7], &birth[8..]);
        match self.below(1_000) {
            0..15 => patient["birthDate"] = json!(format!("{year}-{day}-{month}")),
            15..35 => {
                patient["birthDate"] = json!(format!("{year}-{month}-{:02}", self.below(28) + 1))
            }
            35..50 => patient["birthDate"] = json!(year),
            50..60 => patient["birthDate"] = Value::Null,
            _ => {}
        }
        match self.below(1_000) {
            0..20 => patient["gender"] = Value::Null,
            20..25 => patient["gender"] = json!("other"),
            _ => {}
        }
        match self.below(1_000) {
            0..150 => patient["address"][0]["postalCode"] = json!("99999"),
            150..250 => patient["address"] = Value::Null,
            _ => {}
        }
        match self.below(1_000) {
            0..250 => patient["telecom"][0]["value"] = json!("+1 555 777 0001"),
            250..400 => patient["telecom"] = Value::Null,
            _ => {}
        }
        patient
    }

    /// One letter left out, doubled with its neighbour, or another in its place.
    fn mistyped(&mut self, word: &str) -> String {
        let mut letters: Vec<char> = word.chars().collect();
        let place = self.below(letters.len() - 1);
        match self.below(3) {
            0 => drop(letters.remove(place)),
            1 => letters.swap(place, place + 1),
            _ => letters[place] = (b'a' + self.below(26) as u8) as char,
        }
        letters.into_iter().collect()
    }

    /// Of the same house and name: a twin, or somebody a generation older.
    fn relative(&mut self, patient: &Value, is_twin: bool) -> Value {
        let mut patient = patient.clone();
        patient["identifier"] = Value::Null;
        let names = ["Wilhelmina", "Bartholomew", "Guinevere", "Ferdinand"];
        patient["name"][0]["given"] = json!([names[self.below(4)]]);
        if !is_twin {
            let birth = patient["birthDate"].as_str().unwrap();
            let year: u32 = birth[..4].parse().unwrap();
            patient["birthDate"] = json!(format!("{}-{:02}-11", year - 28, self.below(12) + 1));
        }
        patient
    }
}
