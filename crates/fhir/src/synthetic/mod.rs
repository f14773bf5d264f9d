//! Invented people: seeded FHIR R4 patients whose records lie at several hospitals.
//!
//! Nobody here exists and no text is taken from a real record. The same seed gives the same bytes
//! for ever, and person `i` depends on the seed and on `i` alone: a population of ten is the start
//! of a population of ten thousand. Time and randomness are inputs; no clock is read.
//!
//! # Layout
//!
//! Facts become a life, and a life becomes resources:
//!
//! - `facts`: tables of what is true of people in general, with the standards' codes
//! - `life`: what happens to one person, as typed events; no JSON
//! - `write`: events as FHIR resources, one transaction Bundle for each hospital
//! - `day`, `decimal`, `random`: dates, measured values and seeded numbers
//!
//! ```
//! use fhir::synthetic::{Population, Scale, sample_hospitals};
//!
//! let hospitals = sample_hospitals(4);
//! let population = Population { scale: Scale::Small, ..Population::new(7, 3, &hospitals) };
//! for person in population.people() {
//!     for bundle in &person.bundles {
//!         println!("{}: {} bytes", hospitals[bundle.hospital].name, bundle.bytes.len());
//!     }
//! }
//! ```

mod day;
mod decimal;
mod facts;
mod life;
mod random;
mod write;

#[cfg(test)]
mod tests;

pub use day::Day;

use random::Random;

/// A group of invented people who go to the same hospitals.
#[derive(Clone, Copy, Debug)]
pub struct Population<'a> {
    /// What everything random is drawn from.
    pub seed: u64,
    /// How many people [`Population::people`] yields; at most 100 million.
    pub patients: usize,
    /// Where they go. At least one.
    pub hospitals: &'a [Hospital],
    /// The reference date: nothing is dated later.
    pub today: Day,
    /// How many years of visits the records go back; at least 1.
    pub years: u16,
    /// How much is recorded of each person.
    pub scale: Scale,
}

/// A hospital that keeps records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hospital {
    /// What people call it.
    pub name: String,
    /// A short name in lower case letters, digits and hyphens. It makes the systems of its
    /// identifiers, as in `https://northgate.example.org/mrn`.
    pub id: String,
}

/// How much is recorded of each person, over all hospitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Some 30 to 60 resources, more for those with many illnesses: the newest visits only.
    Small,
    /// Some 100 to 400 resources for an adult: years of visits.
    Full,
}

/// One invented person and what the hospitals know.
#[derive(Clone, Debug)]
pub struct Person {
    /// The person's place in the population.
    pub index: usize,
    /// Given names.
    pub given: Vec<String>,
    /// Family name.
    pub family: String,
    /// Sex at birth.
    pub sex: Sex,
    /// Day of birth.
    pub birth: Day,
    /// The identifier that all hospitals share, in the system [`HEALTH_NUMBER_SYSTEM`].
    pub health_number: String,
    /// One transaction Bundle for each hospital that knows the person, the home hospital first.
    pub bundles: Vec<HospitalBundle>,
    /// What was put into the records, for those who check what a product shows.
    pub facts: Facts,
}

/// What one hospital knows of a person, ready to be posted to its FHIR endpoint.
#[derive(Clone, Debug)]
pub struct HospitalBundle {
    /// Place of the hospital in [`Population::hospitals`].
    pub hospital: usize,
    /// The hospital's own identifier of the person.
    pub mrn: String,
    /// The number of resources in the bundle.
    pub resources: usize,
    /// The transaction Bundle as JSON.
    pub bytes: Vec<u8>,
}

/// Sex at birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
}

/// Why a record is labelled as sensitive, from the HL7 v3 code system ActCode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sensitivity {
    /// `PSY`: psychiatry.
    Psychiatry,
    /// `ETH`: substance use.
    Substance,
    /// `SEX`: sexuality and reproductive health.
    Sexual,
    /// `GDIS`: genetic disease.
    Genetic,
    /// `SDV`: sexual assault, abuse or domestic violence.
    Violence,
}

/// What was put into a person's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Lasting conditions, in plain words.
    pub conditions: Vec<&'static str>,
    /// Drugs taken at the reference date by the home hospital's list, as in `metformin 500 mg`.
    pub medications: Vec<String>,
    /// What the person is allergic to, in plain words.
    pub allergies: Vec<&'static str>,
    /// Whether the person is pregnant at the reference date.
    pub pregnant: bool,
    /// The labels that occur in the records, each once.
    pub sensitive: Vec<Sensitivity>,
    /// Contradictions between hospitals that were put in on purpose.
    pub planted: Vec<Planted>,
}

/// A contradiction between two hospitals, put in on purpose. Numbers are places of hospitals in
/// [`Population::hospitals`]; drugs and allergies are in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planted {
    /// One hospital knows an allergy that another does not list.
    AllergyMissing {
        /// What the person is allergic to.
        allergy: &'static str,
        /// Who knows.
        known_at: usize,
        /// Who does not.
        missing_at: usize,
    },
    /// One hospital knows allergies, another says that there is none.
    AllergyDenied {
        /// What the person is allergic to.
        allergies: Vec<&'static str>,
        /// Who knows.
        known_at: usize,
        /// Who says "no known allergy".
        denied_at: usize,
    },
    /// Two hospitals prescribe the same drug in the same dose.
    DrugTwice {
        /// The drug.
        drug: &'static str,
        /// The hospitals.
        hospitals: [usize; 2],
    },
    /// Two hospitals list the same drug in different doses.
    DoseDiffers {
        /// The drug.
        drug: &'static str,
        /// Each hospital with the dose that it lists, as in `5 mg`.
        doses: [(usize, String); 2],
    },
    /// Two hospitals prescribe drugs that are dangerous together: an anticoagulant and an
    /// anti-inflammatory drug.
    Interaction {
        /// Each hospital with its drug.
        drugs: [(usize, &'static str); 2],
    },
    /// A hospital still has the address from before a move.
    OldAddress {
        /// The hospital.
        hospital: usize,
    },
}

/// The system of the identifier that all hospitals share.
pub const HEALTH_NUMBER_SYSTEM: &str = "https://health-number.example.org";

impl<'a> Population<'a> {
    /// People with ten years of full records, seen on 30 June 2026.
    pub fn new(seed: u64, patients: usize, hospitals: &'a [Hospital]) -> Self {
        let today = Day::new(2026, 6, 30).expect("June has thirty days");
        Self { seed, patients, hospitals, today, years: 10, scale: Scale::Full }
    }

    /// The people, in the order of their index.
    pub fn people(self) -> impl Iterator<Item = Person> + 'a {
        (0..self.patients).map(move |index| self.person(index))
    }

    /// The person of an index, which may lie beyond [`Population::patients`].
    ///
    /// # Panics
    ///
    /// If there is no hospital, no year, or the index is 100 million or more.
    pub fn person(&self, index: usize) -> Person {
        assert!(!self.hospitals.is_empty(), "people need at least one hospital");
        assert!(self.years > 0, "people need at least one year of records");
        assert!(index < 100_000_000, "identifiers are unique for 100 million people");
        let root = Random::new(self.seed);
        let life = life::live(&root, self, index);
        let bundles = (0..life.sites.len()).map(|site| self.bundle(&root, &life, site)).collect();
        Person {
            index,
            given: life.who.given.iter().map(ToString::to_string).collect(),
            family: life.who.family.to_string(),
            sex: life.who.sex,
            birth: life.who.birth,
            health_number: life.who.health_number.clone(),
            bundles,
            facts: life::facts_of(&life),
        }
    }

    fn bundle(&self, root: &Random, life: &life::Life, site: usize) -> HospitalBundle {
        let hospital = life.sites[site];
        write::bundle(root, life, site, &self.hospitals[hospital])
    }
}

impl Hospital {
    /// A hospital of this name and identifier.
    pub fn new(name: impl Into<String>, id: impl Into<String>) -> Self {
        Self { name: name.into(), id: id.into() }
    }
}

impl Sensitivity {
    /// The ActCode code, as in `PSY`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Psychiatry => "PSY",
            Self::Substance => "ETH",
            Self::Sexual => "SEX",
            Self::Genetic => "GDIS",
            Self::Violence => "SDV",
        }
    }

    /// The words that ActCode has for the code.
    fn display(self) -> &'static str {
        match self {
            Self::Psychiatry => "psychiatry disorder information sensitivity",
            Self::Substance => "substance abuse information sensitivity",
            Self::Sexual => "sexuality and reproductive health information sensitivity",
            Self::Genetic => "genetic disease information sensitivity",
            Self::Violence => "sexual assault, abuse, or domestic violence information sensitivity",
        }
    }
}

/// So many invented hospitals, with names and identifiers of their own.
pub fn sample_hospitals(count: usize) -> Vec<Hospital> {
    let named = facts::places::HOSPITALS;
    let hospital = |place: usize| match named.get(place) {
        Some((id, name)) => Hospital::new(*name, *id),
        None => Hospital::new(format!("General Hospital {place}"), format!("hospital-{place}")),
    };
    (0..count).map(hospital).collect()
}
