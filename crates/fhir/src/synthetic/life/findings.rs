//! What is found, measured, prescribed and done at the visits.

use super::ailments::Ailment;
use super::body::Body;
use super::therapies::Therapy;
use super::who::Allergy;
use super::{
    AllergyEntry, Directive, Group, Imaging, Intervention, Life, Limits, Plan, Prescription,
    Problem, Source, Vaccination, Value, Visit, VisitKind,
};
use crate::synthetic::day::Day;
use crate::synthetic::facts::conditions::{Course, Illness};
use crate::synthetic::facts::immunizations::{BY_AGE, CORONAVIRUS, INFLUENZA};
use crate::synthetic::facts::measures::{BLOOD_GROUPS, DETECTED, Measure, Panel};
use crate::synthetic::facts::procedures::{BIRTHS, OPERATIONS, PICTURES};
use crate::synthetic::random::Random;

/// Fills a life whose visits are planned.
pub(super) fn record(
    random: &Random,
    life: &mut Life,
    ailments: &[Ailment],
    therapies: &[Therapy],
    allergies: &[Allergy],
    limits: Limits,
) {
    problems(life, ailments);
    prescriptions(life, therapies);
    allergy_lists(life, allergies);
    interventions(&mut random.fork("interventions"), life, ailments);
    pictures(life);
    vaccinations(&mut random.fork("vaccinations"), life, limits.vaccinations);
    plans(life);
    life.directive = directive(&mut random.fork("directive"), life);
    let body = Body { random: random.fork("body"), who: &life.who, ailments, therapies };
    let mut groups = Vec::new();
    let mut tested = Tested::default();
    for (place, visit) in life.visits.iter().enumerate() {
        let mut draw = random.fork("readings").fork_number(place as u64);
        groups.extend(vitals(&mut draw, &body, place, visit, limits));
        let panels = tested.panels(visit, body.who.age(visit.at.day));
        for panel in panels.into_iter().take(limits.panels_per_visit) {
            groups.push(measure(&mut draw, &body, place, visit, panel));
        }
    }
    life.groups = groups;
}

/// The visit for an illness that began at most a few days before it.
fn visit_for(life: &Life, illness: Illness, day: Day) -> Option<usize> {
    life.visits.iter().position(|visit| {
        let near = (0..=3).contains(&visit.at.day.days_since(day));
        near && visit.reason == Some(illness)
    })
}

/// At home every lasting condition, and what passed if a visit for it is kept; elsewhere what was
/// found there, and the lasting conditions of the first visit's history. People do not tell
/// strangers everything: sensitive conditions stay where they were found.
fn problems(life: &mut Life, ailments: &[Ailment]) {
    for ailment in ailments {
        let visit = visit_for(life, ailment.illness, ailment.onset);
        let found_at = visit.map(|place| life.visits[place].site);
        let recorded = visit.map_or(ailment.onset, |place| life.visits[place].at.day);
        let problem = |site, visit, recorded| Problem { site, visit, ailment: *ailment, recorded };
        let keeps = ailment.is_lasting() || ailment.end.is_none();
        if visit.is_some() || keeps {
            life.problems.push(problem(found_at.unwrap_or(0), visit, recorded));
        }
        let private = ailment.illness.facts().sensitivity.is_some();
        for site in 0..life.sites.len() {
            let told = site == 0 || !private;
            if keeps && told && site != found_at.unwrap_or(0) {
                let heard = intake(life, site).max(recorded);
                life.problems.push(problem(site, None, heard));
            }
        }
    }
}

/// The first day at a site that is kept.
fn intake(life: &Life, site: usize) -> Day {
    let first = life.visits.iter().find(|visit| visit.site == site);
    first.map_or(life.who.birth, |visit| visit.at.day)
}

/// Home and the site of the visit order drugs; other sites list what is taken now as reported.
fn prescriptions(life: &mut Life, therapies: &[Therapy]) {
    for therapy in therapies {
        let visit = visit_for(life, therapy.reason, therapy.start);
        let past = therapy.stop.is_some();
        let passing = therapy.reason.facts().course != Course::Lasting;
        if past && passing && visit.is_none() {
            continue;
        }
        let site = visit.map_or(0, |place| life.visits[place].site);
        let entry = Prescription {
            site,
            visit,
            therapy: *therapy,
            source: Source::Ordered,
            recorded: therapy.start,
        };
        life.prescriptions.push(entry);
        let private = therapy.reason.facts().sensitivity.is_some();
        for other in (0..life.sites.len()).filter(|other| *other != site) {
            if therapy.is_active(life.today) && (other == 0 || !private) {
                let recorded = intake(life, other).max(therapy.start);
                let source = Source::Reported;
                life.prescriptions.push(Prescription {
                    site: other,
                    visit: None,
                    source,
                    recorded,
                    ..entry
                });
            }
        }
    }
}

fn allergy_lists(life: &mut Life, allergies: &[Allergy]) {
    for site in 0..life.sites.len() {
        let first = intake(life, site);
        for allergy in allergies {
            let recorded = if site == 0 { allergy.since } else { first.max(allergy.since) };
            let (allergen, severe) = (Some(allergy.allergen), allergy.severe);
            life.allergies.push(AllergyEntry { site, allergen, severe, recorded });
        }
        if allergies.is_empty() {
            life.allergies.push(AllergyEntry {
                site,
                allergen: None,
                severe: false,
                recorded: first,
            });
        }
    }
}

fn interventions(random: &mut Random, life: &mut Life, ailments: &[Ailment]) {
    let mut found = Vec::new();
    for (place, visit) in life.visits.iter().enumerate() {
        let Some(reason) = visit.reason else { continue };
        let intervention = |snomed, implant| Intervention {
            visit: Some(place),
            day: visit.at.day,
            snomed,
            reason,
            implant,
        };
        let ailment = ailments.iter().find(|one| one.illness == reason);
        let begins =
            visit_for(life, reason, ailment.map_or(visit.at.day, |one| one.onset)) == Some(place);
        let fits =
            |delayed: bool| if delayed { visit.kind == VisitKind::Operation } else { begins };
        for facts in OPERATIONS.iter().filter(|facts| facts.illness == reason) {
            let delayed = facts.delay_days.1 > 0;
            let done = delayed || random.chance(u32::from(facts.percent) * 10);
            if fits(delayed) && done {
                found.push(intervention(facts.snomed, facts.implant));
            }
        }
        if visit.kind == VisitKind::Ward && reason == Illness::Pregnancy {
            let normal = random.chance(BIRTHS[0].0);
            found.push(intervention(BIRTHS[usize::from(!normal)].1, None));
        }
    }
    life.interventions = found;
}

fn pictures(life: &mut Life) {
    for (visit, seen) in life.visits.iter().enumerate() {
        let begins = matches!(seen.kind, VisitKind::Acute | VisitKind::Emergency | VisitKind::Ward);
        if let Some(facts) =
            PICTURES.iter().find(|facts| begins && seen.reason == Some(facts.illness))
        {
            life.pictures.push(Imaging { visit, facts });
        }
    }
}

/// The newest vaccinations, up to a limit.
fn vaccinations(random: &mut Random, life: &mut Life, most: usize) {
    let mut given = Vec::new();
    for vaccine in BY_AGE {
        for months in vaccine.months {
            let day = life.who.birth.plus(i32::from(*months) * 61 / 2 + random.between(0, 40));
            let taken = random.chance(u32::from(vaccine.percent) * 10);
            if taken && day <= life.today && day.civil().0 >= vaccine.since {
                given.push(Vaccination { day, cvx: vaccine.cvx, lot: random.below(100_000) });
            }
        }
    }
    let (this_year, _, _) = life.today.civil();
    for year in this_year - 10..=this_year {
        let autumn = Day::new(year, 10, 1).expect("October begins").plus(random.between(0, 60));
        let old = life.who.age(autumn) >= 60.0;
        let flu = random.chance(if old { 620 } else { 190 });
        let lot = random.below(100_000);
        if flu && autumn <= life.today && life.who.age(autumn) > 0.6 {
            given.push(Vaccination { day: autumn, cvx: INFLUENZA, lot });
        }
    }
    coronavirus(random, life, &mut given);
    given.sort_by_key(|dose| (dose.day, dose.cvx.code));
    life.vaccinations = given.split_off(given.len().saturating_sub(most));
}

fn coronavirus(random: &mut Random, life: &Life, given: &mut Vec<Vaccination>) {
    let mut day = Day::new(2021, 2, 1).expect("February begins").plus(random.between(0, 200));
    let doses = random.between(0, 4);
    for dose in 0..doses {
        if day <= life.today && life.who.age(day) >= 12.0 {
            given.push(Vaccination { day, cvx: CORONAVIRUS, lot: random.below(100_000) });
        }
        day = day.plus(if dose == 0 { 28 } else { random.between(180, 400) });
    }
}

/// One plan: for the lasting condition that is seen most often.
fn plans(life: &mut Life) {
    let at_home =
        life.problems.iter().filter(|problem| problem.site == 0 && problem.ailment.is_lasting());
    let often = |illness: Illness| (1..=125).contains(&illness.facts().follow_up_days);
    let mut seen: Vec<&Problem> =
        at_home.filter(|problem| often(problem.ailment.illness)).collect();
    seen.sort_by_key(|problem| problem.ailment.illness.facts().follow_up_days);
    if let Some(problem) = seen.first() {
        let from = problem.recorded.max(life.today.plus(-400));
        life.plans.push(Plan { illness: problem.ailment.illness, from });
    }
}

fn directive(random: &mut Random, life: &Life) -> Option<Directive> {
    let age = life.who.age(life.today);
    let permille = match age {
        ..60.0 => 10,
        ..75.0 => 150,
        _ => 400,
    };
    let days = random.between(30, 1500);
    let no_resuscitation = random.chance(if age >= 80.0 { 500 } else { 200 });
    let wanted = age >= 18.5 && random.chance(permille);
    let day = life.today.plus(-days).max(life.who.birth.plus(18 * 366));
    wanted.then_some(Directive { day, no_resuscitation })
}

fn vitals(
    random: &mut Random,
    body: &Body<'_>,
    place: usize,
    visit: &Visit,
    limits: Limits,
) -> Option<Group> {
    use Measure::{
        BodyMass, Diastolic, HeartRate, Height, OxygenSaturation, Pain, RespiratoryRate, Systolic,
        Temperature, Weight,
    };
    let measures: &[Measure] = match visit.kind {
        VisitKind::CheckUp | VisitKind::Intake => {
            &[Systolic, Diastolic, HeartRate, Height, Weight, BodyMass]
        }
        VisitKind::FollowUp => &[Systolic, Diastolic, HeartRate, Weight],
        VisitKind::Acute => &[Systolic, Diastolic, HeartRate, Temperature, OxygenSaturation],
        VisitKind::Emergency | VisitKind::Ward => {
            &[Systolic, Diastolic, HeartRate, RespiratoryRate, Temperature, OxygenSaturation, Pain]
        }
        VisitKind::Prenatal => &[Systolic, Diastolic, Weight],
        VisitKind::Operation => &[Systolic, Diastolic, HeartRate, OxygenSaturation],
        VisitKind::Laboratory => return None,
    };
    // A body mass index without its height would be of no use, so cut from the end.
    let measures = &measures[..measures.len().min(limits.vitals_per_visit)];
    let at = visit.at.plus(5);
    let mut readings: Vec<(Measure, Value)> = Vec::new();
    for measure in measures {
        let reading = body.reading(random, *measure, at.day, |before| number(&readings, before));
        readings.push((*measure, Value::Number(reading)));
    }
    Some(Group { visit: place, panel: None, at, readings })
}

fn number(readings: &[(Measure, Value)], measure: Measure) -> Option<f64> {
    readings.iter().find_map(|(name, value)| match value {
        Value::Number(number) if *name == measure => Some(number.value()),
        _ => None,
    })
}

fn measure(
    random: &mut Random,
    body: &Body<'_>,
    place: usize,
    visit: &Visit,
    panel: Panel,
) -> Group {
    let at = visit.at.plus(20);
    let (_, measures) = panel.facts();
    let mut numbers: Vec<(Measure, Value)> = Vec::new();
    let ordered = measures.iter().filter(|name| is_computed(**name));
    // Computed measures come last, from those that they are computed from.
    for name in measures.iter().filter(|name| !is_computed(**name)).chain(ordered) {
        let value = match name {
            Measure::Coronavirus => Value::Coded(DETECTED),
            Measure::BloodGroup => Value::Coded(blood_group(body.who.blood_group)),
            _ => Value::Number(
                body.reading(random, *name, at.day, |before| number(&numbers, before)),
            ),
        };
        numbers.push((*name, value));
    }
    // The filtration formula is for adults.
    let child = body.who.age(at.day) < 18.0;
    numbers.retain(|(name, _)| !(child && *name == Measure::Filtration));
    Group { visit: place, panel: Some(panel), at, readings: numbers }
}

fn is_computed(measure: Measure) -> bool {
    matches!(measure, Measure::Creatinine | Measure::Hematocrit | Measure::Cholesterol)
}

fn blood_group(mut ticket: u32) -> crate::synthetic::facts::Code {
    for (share, group) in BLOOD_GROUPS {
        if ticket < u32::from(*share) {
            return *group;
        }
        ticket -= u32::from(*share);
    }
    unreachable!("the shares add up to a thousand")
}

/// When the general panels were last done.
#[derive(Default)]
struct Tested {
    general: Option<Day>,
    blood_group: bool,
}

impl Tested {
    /// What is measured at a visit: what its reason asks for, and once a year the general panels.
    fn panels(&mut self, visit: &Visit, age: f64) -> Vec<Panel> {
        let mut panels = match (visit.kind, visit.reason) {
            (VisitKind::Operation, _) => Vec::new(),
            (VisitKind::Laboratory, _) => vec![Panel::Coagulation],
            (_, Some(reason)) => reason.facts().panels.to_vec(),
            (_, None) => Vec::new(),
        };
        let routine =
            matches!(visit.kind, VisitKind::CheckUp | VisitKind::FollowUp | VisitKind::Intake);
        let due = self.general.is_none_or(|last| visit.at.day.days_since(last) > 330);
        if routine && due && age >= 18.0 {
            self.general = Some(visit.at.day);
            let general: &[Panel] = if age >= 40.0 {
                &[Panel::Metabolic, Panel::BloodCount, Panel::Lipids]
            } else {
                &[Panel::Metabolic, Panel::BloodCount]
            };
            panels
                .extend(general.iter().filter(|panel| !panels.contains(panel)).collect::<Vec<_>>());
        }
        let bleeds = matches!(visit.kind, VisitKind::Ward | VisitKind::Prenatal);
        if bleeds && !self.blood_group {
            self.blood_group = true;
            panels.push(Panel::BloodGroup);
        }
        panels
    }
}
