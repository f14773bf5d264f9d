//! Contradictions between hospitals, put in on purpose: without them hospitals agree on allergies
//! and on what is taken now.

use super::{AllergyEntry, Life, Prescription, Source};
use crate::synthetic::Planted;
use crate::synthetic::facts::conditions::Illness;
use crate::synthetic::facts::medications::{Class, Drug};
use crate::synthetic::life::therapies::Therapy;
use crate::synthetic::random::Random;

/// Plants contradictions at the sites beside the home, and lists them.
pub(super) fn plant(random: &mut Random, life: &mut Life) {
    for site in 1..life.sites.len() {
        let draws: [u32; 5] = std::array::from_fn(|_| random.below(1000));
        let hospital = life.sites[site];
        if draws[0] < 300 {
            allergies(life, site, draws[0] < 120);
        }
        if draws[3] < 400 {
            interaction(life, site);
        }
        if draws[1] < 350 {
            dose(life, site);
        }
        if draws[2] < 300 {
            twice(life, site);
        }
        if draws[4] < 200 {
            life.old_address_at.push(site);
            life.planted.push(Planted::OldAddress { hospital });
        }
    }
}

/// The site does not list the first allergy, or denies all of them.
fn allergies(life: &mut Life, site: usize, deny: bool) {
    let own = |entry: &AllergyEntry| entry.site == site && entry.allergen.is_some();
    let known: Vec<AllergyEntry> = life.allergies.iter().copied().filter(own).collect();
    let (known_at, missing_at) = (life.sites[0], life.sites[site]);
    let names = || known.iter().filter_map(|entry| entry.allergen).map(|one| one.facts().name);
    let Some(allergy) = names().next() else { return };
    if deny || known.len() == 1 {
        life.allergies.retain(|entry| !own(entry));
    }
    if deny {
        let recorded = known[0].recorded;
        life.allergies.push(AllergyEntry { site, allergen: None, severe: false, recorded });
        let allergies = names().collect();
        life.planted.push(Planted::AllergyDenied { allergies, known_at, denied_at: missing_at });
    } else {
        let first = known[0].allergen;
        life.allergies.retain(|entry| !(own(entry) && entry.allergen == first));
        life.planted.push(Planted::AllergyMissing { allergy, known_at, missing_at });
    }
}

/// Places of the entries of one drug that home prescribes and the site has heard of.
fn shared(life: &Life, site: usize, fits: impl Fn(&Therapy) -> bool) -> Option<(usize, usize)> {
    let entries = &life.prescriptions;
    let place = |wanted: usize, source: Source, drug: Option<Drug>| {
        entries.iter().position(|entry| {
            let same = drug.is_none_or(|drug| drug == entry.therapy.drug);
            let now = entry.therapy.is_active(life.today);
            entry.site == wanted && entry.source == source && same && now && fits(&entry.therapy)
        })
    };
    let elsewhere = place(site, Source::Reported, None)?;
    let at_home = place(0, Source::Ordered, Some(entries[elsewhere].therapy.drug))?;
    Some((at_home, elsewhere))
}

/// The site lists another dose than home.
fn dose(life: &mut Life, site: usize) {
    let several = |therapy: &Therapy| therapy.drug.facts().doses.len() > 1;
    let Some((at_home, elsewhere)) = shared(life, site, several) else { return };
    let therapy = &mut life.prescriptions[elsewhere].therapy;
    therapy.step = if therapy.step == 0 { 1 } else { therapy.step - 1 };
    let listed = |site: usize, entry: &Prescription| (life.sites[site], entry.therapy.dose());
    life.planted.push(Planted::DoseDiffers {
        drug: life.prescriptions[at_home].therapy.drug.facts().name,
        doses: [
            listed(0, &life.prescriptions[at_home]),
            listed(site, &life.prescriptions[elsewhere]),
        ],
    });
}

/// The site prescribes what home prescribes already.
fn twice(life: &mut Life, site: usize) {
    let untouched: Vec<&str> = life
        .planted
        .iter()
        .filter_map(|one| match one {
            Planted::DoseDiffers { drug, .. } => Some(*drug),
            _ => None,
        })
        .collect();
    let same_dose = |therapy: &Therapy| !untouched.contains(&therapy.drug.facts().name);
    let Some((_, elsewhere)) = shared(life, site, same_dose) else { return };
    let entry = &mut life.prescriptions[elsewhere];
    entry.source = Source::Ordered;
    let drug = entry.therapy.drug.facts().name;
    life.planted.push(Planted::DrugTwice { drug, hospitals: [life.sites[0], life.sites[site]] });
}

/// The site, which has not been told of the anticoagulant, prescribes a painkiller.
fn interaction(life: &mut Life, site: usize) {
    let thinner = |therapy: &Therapy| therapy.drug.facts().class == Class::Anticoagulant;
    let Some((at_home, elsewhere)) = shared(life, site, thinner) else { return };
    let allergic =
        life.allergies.iter().any(|one| one.allergen == Drug::Ibuprofen.facts().allergen);
    if allergic {
        return;
    }
    let home = life.prescriptions[at_home].therapy;
    let heard = life.prescriptions.remove(elsewhere);
    let start = heard.recorded.max(life.today.plus(-20));
    let reason = Illness::BackPain;
    let therapy =
        Therapy { drug: Drug::Ibuprofen, step: 1, start, stop: None, reason, given_up: false };
    let entry =
        Prescription { site, visit: None, therapy, source: Source::Ordered, recorded: start };
    life.prescriptions.push(entry);
    let drugs =
        [(life.sites[0], home.drug.facts().name), (life.sites[site], Drug::Ibuprofen.facts().name)];
    life.planted.push(Planted::Interaction { drugs });
}
