//! What happens to one person, as typed events; no JSON.
//!
//! A life is drawn in this order, each part from a stream of its own: who the person is (`who`),
//! what they suffer from (`ailments`), what they take (`therapies`), when they see whom (`visits`),
//! what is found and done there (`findings`, with the body's own numbers from `body`), and last
//! the contradictions between hospitals (`conflicts`).

pub(super) mod ailments;
mod body;
mod conflicts;
mod findings;
pub(super) mod therapies;
mod visits;
pub(super) mod who;

use super::day::{Day, Moment};
use super::decimal::Decimal;
use super::facts::Code;
use super::facts::allergies::Allergen;
use super::facts::conditions::{Course, Illness};
use super::facts::measures::{Measure, Panel};
use super::facts::procedures::{Implant, Picture};
use super::random::Random;
use super::{Facts, Planted, Population, Scale, Sensitivity};
use ailments::Ailment;
use therapies::Therapy;
use who::Who;

/// One person's life as the hospitals see it. A site is a place in `sites`; the home is site 0.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub index: usize,
    pub who: Who,
    pub today: Day,
    /// The hospitals that know the person, as places in the population's list.
    pub sites: Vec<usize>,
    /// Sites that still have the address from before a move.
    pub old_address_at: Vec<usize>,
    /// In the order of time.
    pub visits: Vec<Visit>,
    pub problems: Vec<Problem>,
    pub prescriptions: Vec<Prescription>,
    pub allergies: Vec<AllergyEntry>,
    pub groups: Vec<Group>,
    pub vaccinations: Vec<Vaccination>,
    pub interventions: Vec<Intervention>,
    pub pictures: Vec<Imaging>,
    pub plans: Vec<Plan>,
    pub directive: Option<Directive>,
    pub planted: Vec<Planted>,
}

/// What kind of visit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VisitKind {
    CheckUp,
    FollowUp,
    Acute,
    Emergency,
    Ward,
    Prenatal,
    Operation,
    Laboratory,
    /// The first visit at a hospital that is not the home.
    Intake,
}

/// A visit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    pub site: usize,
    pub at: Moment,
    pub minutes: i32,
    pub kind: VisitKind,
    pub reason: Option<Illness>,
    /// Which of the hospital's clinicians.
    pub staff: usize,
}

/// A condition on one hospital's list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    pub site: usize,
    pub visit: Option<usize>,
    pub ailment: Ailment,
    pub recorded: Day,
}

/// Whether a hospital prescribed a drug or only heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Ordered,
    Reported,
}

/// A drug on one hospital's list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prescription {
    pub site: usize,
    pub visit: Option<usize>,
    pub therapy: Therapy,
    pub source: Source,
    pub recorded: Day,
}

/// An allergy on one hospital's list, or with no allergen the statement that there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct AllergyEntry {
    pub site: usize,
    pub allergen: Option<Allergen>,
    pub severe: bool,
    pub recorded: Day,
}

/// What a reading says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Number(Decimal),
    Coded(Code),
}

/// What was measured together at a visit; without a panel these are vital signs.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub visit: usize,
    pub panel: Option<Panel>,
    pub at: Moment,
    pub readings: Vec<(Measure, Value)>,
}

/// A dose of a vaccine, given at home.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vaccination {
    pub day: Day,
    pub cvx: Code,
    pub lot: u32,
}

/// A procedure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intervention {
    pub visit: Option<usize>,
    pub day: Day,
    pub snomed: Code,
    pub reason: Illness,
    pub implant: Option<Implant>,
}

/// A picture and its report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Imaging {
    pub visit: usize,
    pub facts: &'static Picture,
}

/// A plan for a lasting condition, kept at home.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub illness: Illness,
    pub from: Day,
}

/// What a person wants done when they can no longer say so, kept at home.
#[derive(Clone, Copy, Debug)]
pub(super) struct Directive {
    pub day: Day,
    /// Whether the person wants no resuscitation.
    pub no_resuscitation: bool,
}

/// How much of a life is recorded.
#[derive(Clone, Copy, Debug)]
struct Limits {
    visits: usize,
    panels_per_visit: usize,
    vitals_per_visit: usize,
    vaccinations: usize,
}

impl Scale {
    fn limits(self) -> Limits {
        match self {
            Self::Small => {
                Limits { visits: 3, panels_per_visit: 1, vitals_per_visit: 4, vaccinations: 3 }
            }
            Self::Full => {
                Limits { visits: 19, panels_per_visit: 8, vitals_per_visit: 9, vaccinations: 24 }
            }
        }
    }
}

/// The life of the person of an index.
pub(super) fn live(root: &Random, population: &Population<'_>, index: usize) -> Life {
    let random = root.fork("people").fork_number(index as u64);
    let who = who::draw(root, &random, index, population.today);
    let sites = sites(&mut random.fork("sites"), population.hospitals.len());
    let since = population.today.years_before(i32::from(population.years)).max(who.birth);
    let window = Window { since, today: population.today };
    let allergies = who::allergies(&mut random.fork("allergies"), &who, population.today);
    let ailments = ailments::draw(&random.fork("ailments"), &who, window);
    let therapies = therapies::plan(&random.fork("therapies"), &ailments, &allergies, window);
    let limits = population.scale.limits();
    let visits = visits::plan(
        &random.fork("visits"),
        &visits::Story {
            who: &who,
            sites: sites.len(),
            ailments: &ailments,
            therapies: &therapies,
        },
        window,
        limits.visits,
    );
    let mut life = Life {
        index,
        who,
        today: population.today,
        sites,
        old_address_at: Vec::new(),
        visits,
        problems: Vec::new(),
        prescriptions: Vec::new(),
        allergies: Vec::new(),
        groups: Vec::new(),
        vaccinations: Vec::new(),
        interventions: Vec::new(),
        pictures: Vec::new(),
        plans: Vec::new(),
        directive: None,
        planted: Vec::new(),
    };
    findings::record(
        &random.fork("findings"),
        &mut life,
        &ailments,
        &therapies,
        &allergies,
        limits,
    );
    conflicts::plant(&mut random.fork("conflicts"), &mut life);
    life
}

/// What to tell of a life to those who check a product against it.
pub(super) fn facts_of(life: &Life) -> Facts {
    let at_home = |site: usize| site == 0;
    let lasting = life.problems.iter().filter(|problem| at_home(problem.site));
    let lasting = lasting.filter(|problem| problem.ailment.is_lasting());
    let taken = life.prescriptions.iter().filter(|entry| at_home(entry.site));
    let taken = taken.filter(|entry| entry.therapy.is_active(life.today));
    let mut allergies: Vec<Allergen> =
        life.allergies.iter().filter_map(|entry| entry.allergen).collect();
    allergies.sort();
    allergies.dedup();
    Facts {
        conditions: lasting.map(|problem| problem.ailment.illness.facts().name).collect(),
        medications: taken.map(|entry| entry.therapy.text()).collect(),
        allergies: allergies.iter().map(|allergen| allergen.facts().name).collect(),
        pregnant: life.problems.iter().any(|problem| {
            problem.ailment.illness == Illness::Pregnancy && problem.ailment.is_active(life.today)
        }),
        sensitive: labels(life),
        planted: life.planted.clone(),
    }
}

/// The part of a life that is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub since: Day,
    pub today: Day,
}

impl Window {
    fn contains(self, day: Day) -> bool {
        self.since <= day && day <= self.today
    }
}

impl Ailment {
    /// Whether it is of the kind that stays.
    pub fn is_lasting(&self) -> bool {
        self.illness.facts().course == Course::Lasting
    }
}

/// The home hospital first; near half of all people are known at a second one, a tenth at a third.
fn sites(random: &mut Random, hospitals: usize) -> Vec<usize> {
    let wanted = match random.below(1000) {
        0..100 => 3,
        100..450 => 2,
        _ => 1,
    };
    let mut free: Vec<usize> = (0..hospitals).collect();
    let mut draw = || free.remove(random.below(free.len() as u32) as usize);
    (0..wanted.min(hospitals)).map(|_| draw()).collect()
}

fn labels(life: &Life) -> Vec<Sensitivity> {
    let problems = life.problems.iter().map(|problem| problem.ailment.illness);
    let visits = life.visits.iter().filter_map(|visit| visit.reason);
    let drugs = life.prescriptions.iter().map(|entry| entry.therapy.reason);
    let done = life.interventions.iter().map(|entry| entry.reason);
    let reasons = problems.chain(visits).chain(drugs).chain(done);
    let mut labels: Vec<Sensitivity> =
        reasons.filter_map(|illness| illness.facts().sensitivity).collect();
    labels.sort();
    labels.dedup();
    labels
}
