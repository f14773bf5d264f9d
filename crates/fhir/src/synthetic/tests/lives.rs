//! The lives: whether a population looks like people.

use super::*;
use crate::synthetic::facts::allergies::Allergen;
use crate::synthetic::facts::conditions::{Illness, LASTING};
use crate::synthetic::facts::effects::{Cause, EFFECTS};
use crate::synthetic::facts::episodes::PASSING;
use crate::synthetic::facts::measures::Measure;
use crate::synthetic::facts::medications::{Class, Drug};
use crate::synthetic::life::{Life, Value as Reading};

fn lives(hospitals: &[Hospital], patients: usize, scale: Scale) -> Vec<Life> {
    let population = population(hospitals, patients, scale);
    let root = Random::new(population.seed);
    (0..patients).map(|index| life::live(&root, &population, index)).collect()
}

fn has(life: &Life, illness: Illness) -> bool {
    life.problems.iter().any(|problem| problem.ailment.illness == illness)
}

/// Whether the share of those who fit among the lives lies between these percentages.
fn share(lives: &[&Life], fits: impl Fn(&Life) -> bool, percent: std::ops::Range<f64>) {
    let found = lives.iter().filter(|life| fits(life)).count() as f64 * 100.0;
    let share = found / lives.len() as f64;
    assert!(percent.contains(&share), "{share:.1} % of {}, expected {percent:?}", lives.len());
}

#[test]
fn ages_sexes_and_hospitals_are_spread() {
    let hospitals = sample_hospitals(4);
    let lives = lives(&hospitals, 3000, Scale::Small);
    let all: Vec<&Life> = lives.iter().collect();
    let age = |life: &Life| life.today.age(life.who.birth);
    share(&all, |life| age(life) < 18, 16.0..24.0);
    share(&all, |life| (18..65).contains(&age(life)), 52.0..66.0);
    share(&all, |life| age(life) >= 65, 17.0..27.0);
    share(&all, |life| life.who.sex == Sex::Female, 47.0..55.0);
    share(&all, |life| life.sites.len() >= 2, 40.0..50.0);
    share(&all, |life| life.sites.len() == 3, 7.0..13.0);
    for hospital in 0..4 {
        share(&all, |life| life.sites[0] == hospital, 20.0..30.0);
    }
}

#[test]
fn conditions_are_as_frequent_as_in_life() {
    let hospitals = sample_hospitals(2);
    let lives = lives(&hospitals, 4000, Scale::Small);
    let aged = |from: i32, to: i32| -> Vec<&Life> {
        lives.iter().filter(|life| (from..to).contains(&life.today.age(life.who.birth))).collect()
    };
    let (children, adults, old) = (aged(0, 18), aged(18, 120), aged(70, 120));
    share(&adults, |life| has(life, Illness::Diabetes2), 5.0..20.0);
    share(&adults, |life| has(life, Illness::Hypertension), 20.0..40.0);
    share(&adults, |life| has(life, Illness::Depression), 5.0..15.0);
    share(&adults, |life| has(life, Illness::Asthma), 4.0..14.0);
    share(&old, |life| has(life, Illness::AtrialFibrillation), 6.0..25.0);
    share(&old, |life| has(life, Illness::KidneyDisease), 8.0..35.0);
    share(&children, |life| has(life, Illness::Hypertension), 0.0..0.1);
    share(&children, |life| has(life, Illness::Asthma), 3.0..18.0);
}

#[test]
fn conditions_keep_to_their_sex() {
    let hospitals = sample_hospitals(2);
    for life in lives(&hospitals, 1500, Scale::Small) {
        for problem in &life.problems {
            let sex = problem.ailment.illness.facts().sex;
            assert!(sex.is_none_or(|sex| sex == life.who.sex), "{:?}", problem.ailment.illness);
        }
    }
}

#[test]
fn treatment_fits_the_condition() {
    let hospitals = sample_hospitals(1);
    let lives = lives(&hospitals, 4000, Scale::Small);
    let takes = |life: &Life, fits: &dyn Fn(Drug) -> bool| {
        let mut active =
            life.prescriptions.iter().filter(|entry| entry.therapy.is_active(life.today));
        active.any(|entry| fits(entry.therapy.drug))
    };
    let thinner = |drug: Drug| drug.facts().class == Class::Anticoagulant;
    let with = |illness| -> Vec<&Life> { lives.iter().filter(|life| has(life, illness)).collect() };
    share(&with(Illness::AtrialFibrillation), |life| takes(life, &thinner), 80.0..100.1);
    share(
        &with(Illness::Hypothyroidism),
        |life| takes(life, &|drug| drug == Drug::Levothyroxine),
        80.0..100.1,
    );
    for life in &lives {
        let painkiller = |drug: Drug| drug.facts().class == Class::Nsaid;
        assert!(!(takes(life, &thinner) && takes(life, &painkiller)), "person {}", life.index);
        let allergic = life.allergies.iter().any(|one| one.allergen == Some(Allergen::Penicillin));
        assert!(!(allergic && takes(life, &|drug| drug == Drug::Amoxicillin)));
    }
}

/// The readings of a measure, oldest first.
fn readings(life: &Life, measure: Measure) -> Vec<f64> {
    let readings = life.groups.iter().flat_map(|group| &group.readings);
    readings
        .filter_map(|(name, value)| match value {
            Reading::Number(number) if *name == measure => Some(number.value()),
            _ => None,
        })
        .collect()
}

#[test]
fn results_follow_illness_and_treatment() {
    let hospitals = sample_hospitals(1);
    let lives = lives(&hospitals, 1500, Scale::Full);
    let mean = |fits: &dyn Fn(&Life) -> bool, measure| {
        let values: Vec<f64> = lives
            .iter()
            .filter(|life| fits(life))
            .flat_map(|life| readings(life, measure))
            .collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let on = |life: &Life, drug| life.prescriptions.iter().any(|entry| entry.therapy.drug == drug);
    let sugar = Measure::GlycatedHemoglobin;
    let treated = mean(&|life| has(life, Illness::Diabetes2) && on(life, Drug::Metformin), sugar);
    let untreated = mean(
        &|life| {
            has(life, Illness::Diabetes2)
                && !life
                    .prescriptions
                    .iter()
                    .any(|entry| entry.therapy.reason == Illness::Diabetes2)
        },
        sugar,
    );
    assert!((6.2..7.6).contains(&treated), "{treated}");
    assert!(untreated > treated + 0.4, "{untreated} without, {treated} with treatment");
    let inr = mean(&|life| on(life, Drug::Warfarin), Measure::Inr);
    assert!((1.9..3.2).contains(&inr), "{inr}");
    let failing = mean(&|life| has(life, Illness::KidneyDisease), Measure::Filtration);
    let healthy = mean(&|life| !has(life, Illness::KidneyDisease), Measure::Filtration);
    assert!(failing < 55.0 && healthy > 80.0, "{failing} {healthy}");
    let pressure = mean(&|life| !has(life, Illness::Hypertension), Measure::Systolic);
    assert!((110.0..130.0).contains(&pressure), "{pressure}");
}

#[test]
fn numbers_of_the_living_are_possible() {
    let hospitals = sample_hospitals(2);
    let limits = [
        (Measure::Systolic, 60.0..230.0),
        (Measure::Potassium, 2.8..6.6),
        (Measure::Hemoglobin, 5.5..19.0),
        (Measure::Creatinine, 0.15..8.0),
        (Measure::BodyMass, 12.0..60.0),
        (Measure::Temperature, 35.0..41.0),
        (Measure::OxygenSaturation, 80.0..100.1),
    ];
    for life in lives(&hospitals, 400, Scale::Full) {
        for (measure, possible) in &limits {
            for value in readings(&life, *measure) {
                assert!(possible.contains(&value), "{measure:?} of {value}, person {}", life.index);
            }
        }
    }
}

#[test]
fn tables_are_complete_and_their_codes_unique() {
    let mut codes = BTreeSet::new();
    for facts in LASTING.iter().chain(PASSING) {
        assert!(codes.insert(facts.snomed.code), "{} twice", facts.snomed.code);
        let drugs = facts.treatment.iter().flat_map(|line| line.any_of);
        drugs.for_each(|drug| assert!(!drug.facts().doses.is_empty()));
        let panels = facts.panels.iter().flat_map(|panel| panel.facts().1);
        panels.for_each(|measure| assert!(!measure.facts().loinc.code.is_empty()));
        let ages: Vec<u8> = facts.frequency.iter().map(|(age, _)| *age).collect();
        assert!(ages.is_sorted_by(|earlier, later| earlier < later), "{}", facts.name);
    }
    for effect in EFFECTS {
        assert!(!effect.measure.facts().name.is_empty());
        match effect.cause {
            Cause::Illness(illness) => assert!(!illness.facts().name.is_empty()),
            Cause::Drug(drug) => assert!(!drug.facts().name.is_empty()),
        }
    }
}
