//! What people are allergic to, and what then happens. Codes: SNOMED CT.

use super::{Code, code};

/// The name of an allergen in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::synthetic) enum Allergen {
    Penicillin,
    Aspirin,
    Sulfonamide,
    Latex,
    Peanut,
    TreeNut,
    Shellfish,
    Egg,
    Milk,
    GrassPollen,
    DustMite,
    AnimalDander,
    BeeVenom,
}

/// Whether people are born into it or meet it later decides when it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synthetic) enum AllergenKind {
    Food,
    Medication,
    Environment,
}

/// What is known of an allergy.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct AllergyFacts {
    pub allergen: Allergen,
    /// Plain words, for notes.
    pub name: &'static str,
    /// The allergy as a finding.
    pub snomed: Code,
    pub kind: AllergenKind,
    /// How many of a thousand people have it.
    pub permille: u16,
    /// How many of a hundred of those risk their life.
    pub severe_percent: u8,
    pub mild: Code,
    pub severe: Code,
}

impl Allergen {
    /// What is known of it.
    pub fn facts(self) -> &'static AllergyFacts {
        ALLERGIES.iter().find(|row| row.allergen == self).expect("every allergen has a row")
    }
}

/// "No known allergy", said explicitly.
pub(in crate::synthetic) const NO_KNOWN_ALLERGY: Code = code("716186003", "No known allergy");

const RASH: Code = code("271807003", "Eruption of skin");
const HIVES: Code = code("126485001", "Urticaria");
const WHEEZING: Code = code("56018004", "Wheezing");
const SNEEZING: Code = code("162367006", "Sneezing");
const VOMITING: Code = code("422400008", "Vomiting");
const SWELLING: Code = code("41291007", "Angioedema");
const ANAPHYLAXIS: Code = code("39579001", "Anaphylaxis");

use AllergenKind::{Environment, Food, Medication};

const fn allergy(
    allergen: Allergen,
    (name, snomed): (&'static str, Code),
    kind: AllergenKind,
    (permille, severe_percent): (u16, u8),
    (mild, severe): (Code, Code),
) -> AllergyFacts {
    AllergyFacts { allergen, name, snomed, kind, permille, severe_percent, mild, severe }
}

/// The allergies.
#[rustfmt::skip] // One allergy, one short paragraph.
pub(in crate::synthetic) const ALLERGIES: &[AllergyFacts] = &[
    allergy(Allergen::Penicillin, ("penicillin", code("91936005", "Allergy to penicillin")),
        Medication, (70, 20), (RASH, ANAPHYLAXIS)),
    allergy(Allergen::Aspirin, ("aspirin", code("293586001", "Allergy to aspirin")),
        Medication, (14, 25), (HIVES, SWELLING)),
    allergy(Allergen::Sulfonamide, ("sulfonamides", code("91939003", "Allergy to sulfonamide")),
        Medication, (25, 15), (RASH, SWELLING)),
    allergy(Allergen::Latex, ("latex", code("300916003", "Latex allergy")),
        Environment, (14, 20), (HIVES, ANAPHYLAXIS)),
    allergy(Allergen::Peanut, ("peanuts", code("91935009", "Allergy to peanuts")),
        Food, (16, 55), (HIVES, ANAPHYLAXIS)),
    allergy(Allergen::TreeNut, ("tree nuts", code("91934008", "Allergy to nut")),
        Food, (12, 45), (SWELLING, ANAPHYLAXIS)),
    allergy(Allergen::Shellfish, ("shellfish", code("300913006", "Shellfish allergy")),
        Food, (18, 35), (HIVES, ANAPHYLAXIS)),
    allergy(Allergen::Egg, ("egg", code("91930004", "Allergy to eggs")),
        Food, (9, 10), (HIVES, ANAPHYLAXIS)),
    allergy(Allergen::Milk, ("cow's milk", code("782555009", "Allergy to cow's milk protein")),
        Food, (10, 8), (VOMITING, ANAPHYLAXIS)),
    allergy(Allergen::GrassPollen, ("grass pollen", code("418689008", "Allergy to grass pollen")),
        Environment, (90, 1), (SNEEZING, WHEEZING)),
    allergy(Allergen::DustMite, ("house dust mites", code("232350006", "House dust mite allergy")),
        Environment, (60, 1), (SNEEZING, WHEEZING)),
    allergy(Allergen::AnimalDander, ("animal hair", code("232347008", "Dander (animal) allergy")),
        Environment, (45, 2), (SNEEZING, WHEEZING)),
    allergy(Allergen::BeeVenom, ("bee venom", code("424213003", "Allergy to bee venom")),
        Environment, (18, 45), (SWELLING, ANAPHYLAXIS)),
];
