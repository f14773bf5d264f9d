//! Conditions that stay: how often, with what, and how they are followed and treated.
//!
//! Codes: SNOMED CT (<http://snomed.info/sct>) and ICD-10 of the WHO
//! (<http://hl7.org/fhir/sid/icd-10>). Risk factors stand before what they lead to.

use super::measures::Panel;
use super::medications::Drug;
use super::{Code, Curve, code};
use crate::synthetic::{Sensitivity, Sex};

/// The name of a condition in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::synthetic) enum Illness {
    // Lasting.
    Obesity,
    Nicotine,
    AllergicRhinitis,
    AtopicDermatitis,
    Asthma,
    Hypertension,
    Hyperlipidemia,
    FamilialHypercholesterolemia,
    Diabetes1,
    Diabetes2,
    CoronaryDisease,
    AtrialFibrillation,
    HeartFailure,
    KidneyDisease,
    Copd,
    Depression,
    Anxiety,
    Bipolar,
    Schizophrenia,
    Adhd,
    Ptsd,
    Alcohol,
    Opioids,
    Migraine,
    Epilepsy,
    Parkinson,
    Alzheimer,
    Hypothyroidism,
    Reflux,
    KneeArthrosis,
    Osteoporosis,
    RheumatoidArthritis,
    Gout,
    Psoriasis,
    Crohn,
    ProstateHyperplasia,
    Cataract,
    Glaucoma,
    SleepApnea,
    BreastCancer,
    ProstateCancer,
    ColonCancer,
    LungCancer,
    Hemochromatosis,
    SickleCellTrait,
    Endometriosis,
    Insomnia,
    BackPain,
    GenitalHerpes,
    // Passing.
    Cold,
    OtitisMedia,
    Gastroenteritis,
    Bronchitis,
    Pneumonia,
    UrinaryInfection,
    Covid,
    AnkleSprain,
    ForearmFracture,
    Concussion,
    Laceration,
    HipFracture,
    Appendicitis,
    Gallstones,
    KidneyStone,
    HeartAttack,
    Stroke,
    VeinThrombosis,
    AsthmaAttack,
    IronDeficiency,
    Chlamydia,
    Miscarriage,
    PartnerViolence,
    Pregnancy,
    GestationalDiabetes,
}

/// Where a passing condition is cared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synthetic) enum Care {
    Clinic,
    Emergency,
    /// In a bed, for at least and at most this many days.
    Ward(u8, u8),
}

/// Whether a condition stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synthetic) enum Course {
    Lasting,
    /// Gone after at least and at most this many days.
    Passing {
        days: (u16, u16),
        care: Care,
    },
}

/// A line of treatment: so many percent of those affected get one of the drugs.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct Line {
    pub percent: u8,
    pub any_of: &'static [Drug],
    /// Days from diagnosis to the first dose.
    pub delay_days: u16,
    /// Days of treatment; 0 is for ever.
    pub days: u16,
}

/// What is known of a condition.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct Condition {
    pub illness: Illness,
    /// Plain words, for notes.
    pub name: &'static str,
    pub snomed: Code,
    pub icd10: Code,
    pub course: Course,
    /// Lasting: how many of a thousand people of this age have it.
    /// Passing: how many of a thousand get it in a year.
    pub frequency: Curve,
    /// Tenths by which having the other condition multiplies the frequency.
    pub linked: &'static [(Illness, u16)],
    pub sex: Option<Sex>,
    pub sensitivity: Option<Sensitivity>,
    /// Days between visits for it; 0 if it asks for none.
    pub follow_up_days: u16,
    /// What is measured at those visits, or at the visit for a passing condition.
    pub panels: &'static [Panel],
    pub treatment: &'static [Line],
}

impl Condition {
    const fn linked(mut self, linked: &'static [(Illness, u16)]) -> Self {
        self.linked = linked;
        self
    }

    pub(super) const fn only(mut self, sex: Sex) -> Self {
        self.sex = Some(sex);
        self
    }

    pub(super) const fn sensitive(mut self, sensitivity: Sensitivity) -> Self {
        self.sensitivity = Some(sensitivity);
        self
    }

    const fn followed(mut self, days: u16, panels: &'static [Panel]) -> Self {
        self.follow_up_days = days;
        self.panels = panels;
        self
    }

    pub(super) const fn measured(mut self, panels: &'static [Panel]) -> Self {
        self.panels = panels;
        self
    }

    pub(super) const fn treated(mut self, treatment: &'static [Line]) -> Self {
        self.treatment = treatment;
        self
    }

    pub(super) const fn risk(self, linked: &'static [(Illness, u16)]) -> Self {
        self.linked(linked)
    }
}

impl Illness {
    /// What is known of it.
    pub fn facts(self) -> &'static Condition {
        let found = LASTING.iter().chain(super::episodes::PASSING).find(|row| row.illness == self);
        found.expect("every condition has a row")
    }
}

/// A condition without links, sex, visits or treatment.
pub(super) const fn condition(
    illness: Illness,
    name: &'static str,
    snomed: Code,
    icd10: Code,
    course: Course,
    frequency: Curve,
) -> Condition {
    Condition {
        illness,
        name,
        snomed,
        icd10,
        course,
        frequency,
        linked: &[],
        sex: None,
        sensitivity: None,
        follow_up_days: 0,
        panels: &[],
        treatment: &[],
    }
}

/// Given for ever, from the diagnosis on.
const fn always(percent: u8, any_of: &'static [Drug]) -> Line {
    Line { percent, any_of, delay_days: 0, days: 0 }
}

/// Given for ever, once the first choice is not enough.
const fn later(percent: u8, delay_days: u16, any_of: &'static [Drug]) -> Line {
    Line { percent, any_of, delay_days, days: 0 }
}

/// Given for a while.
pub(super) const fn briefly(percent: u8, days: u16, any_of: &'static [Drug]) -> Line {
    Line { percent, any_of, delay_days: 0, days }
}

const fn lasting(
    illness: Illness,
    name: &'static str,
    snomed: Code,
    icd10: Code,
    frequency: Curve,
) -> Condition {
    condition(illness, name, snomed, icd10, Course::Lasting, frequency)
}

/// Conditions that stay.
#[rustfmt::skip] // One condition, one short paragraph.
pub(in crate::synthetic) const LASTING: &[Condition] = &[
    lasting(Illness::Obesity, "obesity",
        code("414916001", "Obesity"), code("E66.9", "Obesity, unspecified"),
        &[(5, 60), (20, 160), (50, 290), (80, 210)])
        .followed(365, &[Panel::Lipids]),
    lasting(Illness::Nicotine, "nicotine dependence",
        code("56294008", "Nicotine dependence"),
        code("F17.2",
            "Mental and behavioural disorders due to use of tobacco: dependence syndrome"),
        &[(16, 20), (25, 150), (60, 150), (85, 50)]),
    lasting(Illness::AllergicRhinitis, "hay fever",
        code("61582004", "Allergic rhinitis"), code("J30.4", "Allergic rhinitis, unspecified"),
        &[(3, 20), (12, 150), (40, 150), (80, 70)])
        .treated(&[always(60, &[Drug::Cetirizine]), always(25, &[Drug::Mometasone])]),
    lasting(Illness::AtopicDermatitis, "atopic eczema",
        code("24079001", "Atopic dermatitis"), code("L20.9", "Atopic dermatitis, unspecified"),
        &[(0, 40), (4, 130), (20, 50), (80, 30)])
        .linked(&[(Illness::AllergicRhinitis, 18)])
        .treated(&[always(70, &[Drug::Betamethasone])]),
    lasting(Illness::Asthma, "asthma",
        code("195967001", "Asthma"), code("J45.9", "Asthma, unspecified"),
        &[(2, 15), (10, 85), (30, 70), (80, 60)])
        .linked(&[(Illness::AllergicRhinitis, 22), (Illness::AtopicDermatitis, 16)])
        .followed(180, &[])
        .treated(&[always(95, &[Drug::Salbutamol]), always(70, &[Drug::Budesonide]),
            later(20, 500, &[Drug::Montelukast])]),
    lasting(Illness::Hypertension, "high blood pressure",
        code("59621000", "Essential hypertension"),
        code("I10", "Essential (primary) hypertension"),
        &[(20, 10), (40, 130), (60, 380), (80, 580)])
        .linked(&[(Illness::Obesity, 15)])
        .followed(182, &[Panel::Metabolic, Panel::UrineAlbumin])
        .treated(&[always(90, &[Drug::Lisinopril, Drug::Ramipril, Drug::Losartan]),
            later(50, 400, &[Drug::Amlodipine]), later(25, 900, &[Drug::Hydrochlorothiazide])]),
    lasting(Illness::Hyperlipidemia, "high cholesterol",
        code("55822004", "Hyperlipidemia"), code("E78.5", "Hyperlipidaemia, unspecified"),
        &[(25, 20), (45, 160), (65, 330), (85, 330)])
        .linked(&[(Illness::Obesity, 14)])
        .followed(365, &[Panel::Lipids, Panel::Liver])
        .treated(&[always(75, &[Drug::Atorvastatin, Drug::Atorvastatin, Drug::Rosuvastatin,
            Drug::Simvastatin])]),
    lasting(Illness::FamilialHypercholesterolemia, "familial hypercholesterolaemia",
        code("398036000", "Familial hypercholesterolemia"),
        code("E78.0", "Pure hypercholesterolaemia"), &[(8, 2), (20, 4), (80, 4)])
        .sensitive(Sensitivity::Genetic)
        .followed(365, &[Panel::Lipids, Panel::Liver])
        .treated(&[always(95, &[Drug::Rosuvastatin, Drug::Atorvastatin])]),
    lasting(Illness::Diabetes1, "type 1 diabetes",
        code("46635009", "Type 1 diabetes mellitus"),
        code("E10.9", "Type 1 diabetes mellitus without complications"),
        &[(3, 1), (20, 5), (80, 5)])
        .followed(91, &[Panel::Glycemia, Panel::Metabolic, Panel::UrineAlbumin])
        .treated(&[always(100, &[Drug::InsulinGlargine]), always(100, &[Drug::InsulinAspart])]),
    lasting(Illness::Diabetes2, "type 2 diabetes",
        code("44054006", "Type 2 diabetes mellitus"),
        code("E11.9", "Type 2 diabetes mellitus without complications"),
        &[(25, 4), (40, 35), (60, 110), (80, 150)])
        .linked(&[(Illness::Obesity, 22), (Illness::Hypertension, 13), (Illness::Diabetes1, 0)])
        .followed(91, &[Panel::Glycemia, Panel::Metabolic, Panel::UrineAlbumin, Panel::Lipids])
        .treated(&[always(90, &[Drug::Metformin]),
            later(45, 700, &[Drug::Empagliflozin, Drug::Sitagliptin]),
            later(20, 2000, &[Drug::InsulinGlargine])]),
    lasting(Illness::CoronaryDisease, "coronary heart disease",
        code("53741008", "Coronary arteriosclerosis"), code("I25.1",
            "Atherosclerotic heart disease"),
        &[(40, 8), (60, 60), (85, 150)])
        .linked(&[(Illness::Hyperlipidemia, 16), (Illness::Hypertension, 14),
            (Illness::Diabetes2, 15), (Illness::Nicotine, 15),
            (Illness::FamilialHypercholesterolemia, 40)])
        .followed(182, &[Panel::Lipids, Panel::BloodCount])
        .treated(&[always(90, &[Drug::Aspirin]), always(80, &[Drug::Metoprolol, Drug::Bisoprolol]),
            always(85, &[Drug::Atorvastatin]), always(40, &[Drug::Nitroglycerin])]),
    lasting(Illness::AtrialFibrillation, "atrial fibrillation",
        code("49436004", "Atrial fibrillation"),
        code("I48.9", "Atrial fibrillation and atrial flutter, unspecified"),
        &[(40, 4), (60, 30), (75, 90), (90, 160)])
        .linked(&[(Illness::Hypertension, 14), (Illness::CoronaryDisease, 15)])
        .followed(120, &[Panel::Metabolic, Panel::BloodCount])
        .treated(&[always(96, &[Drug::Apixaban, Drug::Warfarin, Drug::Rivaroxaban]),
            always(75, &[Drug::Bisoprolol, Drug::Metoprolol])]),
    lasting(Illness::HeartFailure, "heart failure",
        code("84114007", "Heart failure"), code("I50.9", "Heart failure, unspecified"),
        &[(45, 3), (65, 25), (85, 90)])
        .linked(&[(Illness::CoronaryDisease, 25), (Illness::AtrialFibrillation, 18),
            (Illness::Hypertension, 13)])
        .followed(91, &[Panel::NatriureticPeptide, Panel::Metabolic])
        .treated(&[always(90, &[Drug::Ramipril, Drug::Lisinopril]), always(90, &[Drug::Bisoprolol]),
            always(75, &[Drug::Furosemide]), later(40, 200, &[Drug::Spironolactone]),
            later(35, 500, &[Drug::Empagliflozin])]),
    lasting(Illness::KidneyDisease, "chronic kidney disease stage 3",
        code("433144002", "Chronic kidney disease stage 3"),
        code("N18.3", "Chronic kidney disease, stage 3"), &[(40, 8), (60, 40), (85, 180)])
        .linked(&[(Illness::Diabetes2, 18), (Illness::Diabetes1, 25), (Illness::Hypertension, 14)])
        .followed(120, &[Panel::Metabolic, Panel::UrineAlbumin, Panel::BloodCount]),
    lasting(Illness::Copd, "chronic obstructive lung disease",
        code("13645005", "Chronic obstructive lung disease"),
        code("J44.9", "Chronic obstructive pulmonary disease, unspecified"),
        &[(40, 6), (60, 40), (85, 75)])
        .linked(&[(Illness::Nicotine, 32)])
        .followed(120, &[Panel::BloodCount])
        .treated(&[always(85, &[Drug::Tiotropium]), always(90, &[Drug::Salbutamol]),
            later(30, 800, &[Drug::Budesonide])]),
    lasting(Illness::Depression, "depression",
        code("35489007", "Depressive disorder"), code("F32.9", "Depressive episode, unspecified"),
        &[(12, 10), (18, 60), (40, 95), (85, 70)])
        .linked(&[(Illness::Obesity, 12)])
        .sensitive(Sensitivity::Psychiatry)
        .followed(120, &[Panel::Depression])
        .treated(&[always(70, &[Drug::Sertraline, Drug::Escitalopram]),
            later(20, 300, &[Drug::Mirtazapine])]),
    lasting(Illness::Anxiety, "generalised anxiety disorder",
        code("21897009", "Generalized anxiety disorder"), code("F41.1",
            "Generalized anxiety disorder"),
        &[(10, 12), (20, 45), (60, 45)])
        .linked(&[(Illness::Depression, 28)])
        .sensitive(Sensitivity::Psychiatry)
        .followed(182, &[Panel::Anxiety])
        .treated(&[always(55, &[Drug::Escitalopram, Drug::Sertraline])]),
    lasting(Illness::Bipolar, "bipolar disorder",
        code("13746004", "Bipolar disorder"), code("F31.9",
            "Bipolar affective disorder, unspecified"),
        &[(18, 3), (30, 9), (80, 7)])
        .linked(&[(Illness::Depression, 3)])
        .sensitive(Sensitivity::Psychiatry)
        .followed(91, &[Panel::Metabolic, Panel::Thyroid])
        .treated(&[always(70, &[Drug::Lithium]), always(50, &[Drug::Quetiapine])]),
    lasting(Illness::Schizophrenia, "schizophrenia",
        code("58214004", "Schizophrenia"), code("F20.9", "Schizophrenia, unspecified"),
        &[(18, 2), (30, 6), (80, 5)])
        .linked(&[(Illness::Bipolar, 0)])
        .sensitive(Sensitivity::Psychiatry)
        .followed(91, &[Panel::Glycemia, Panel::Lipids])
        .treated(&[always(90, &[Drug::Olanzapine, Drug::Quetiapine])]),
    lasting(Illness::Adhd, "attention deficit hyperactivity disorder",
        code("406506008", "Attention deficit hyperactivity disorder"),
        code("F90.0", "Disturbance of activity and attention"), &[(5, 5), (9, 50), (18, 40), (45,
            12)])
        .sensitive(Sensitivity::Psychiatry)
        .followed(182, &[])
        .treated(&[always(60, &[Drug::Methylphenidate])]),
    lasting(Illness::Ptsd, "post-traumatic stress disorder",
        code("47505003", "Posttraumatic stress disorder"), code("F43.1",
            "Post-traumatic stress disorder"),
        &[(15, 4), (30, 22), (75, 15)])
        .linked(&[(Illness::Anxiety, 20), (Illness::Depression, 20)])
        .sensitive(Sensitivity::Psychiatry)
        .followed(182, &[Panel::Anxiety])
        .treated(&[always(45, &[Drug::Sertraline])]),
    lasting(Illness::Alcohol, "alcohol dependence",
        code("66590003", "Alcohol dependence"),
        code("F10.2",
            "Mental and behavioural disorders due to use of alcohol: dependence syndrome"),
        &[(18, 4), (35, 24), (60, 30), (85, 8)])
        .linked(&[(Illness::Nicotine, 18), (Illness::Depression, 15)])
        .sensitive(Sensitivity::Substance)
        .followed(182, &[Panel::Liver, Panel::BloodCount])
        .treated(&[always(35, &[Drug::Naltrexone])]),
    lasting(Illness::Opioids, "opioid dependence",
        code("75544000", "Opioid dependence"),
        code("F11.2",
            "Mental and behavioural disorders due to use of opioids: dependence syndrome"),
        &[(18, 2), (35, 8), (65, 5)])
        .linked(&[(Illness::Nicotine, 20)])
        .sensitive(Sensitivity::Substance)
        .followed(91, &[Panel::Liver])
        .treated(&[always(80, &[Drug::Buprenorphine])]),
    lasting(Illness::Migraine, "migraine",
        code("37796009", "Migraine"), code("G43.9", "Migraine, unspecified"),
        &[(10, 20), (25, 90), (45, 110), (80, 40)])
        .followed(365, &[])
        .treated(&[always(65, &[Drug::Sumatriptan]),
            later(30, 200, &[Drug::Propranolol, Drug::Topiramate])]),
    lasting(Illness::Epilepsy, "epilepsy",
        code("84757009", "Epilepsy"), code("G40.9", "Epilepsy, unspecified"),
        &[(1, 3), (20, 7), (85, 12)])
        .followed(182, &[Panel::Metabolic])
        .treated(&[always(95, &[Drug::Levetiracetam, Drug::Lamotrigine])]),
    lasting(Illness::Parkinson, "Parkinson's disease",
        code("49049000", "Parkinson's disease"), code("G20", "Parkinson disease"),
        &[(55, 1), (70, 10), (90, 28)])
        .followed(120, &[])
        .treated(&[always(90, &[Drug::Levodopa])]),
    lasting(Illness::Alzheimer, "Alzheimer's disease",
        code("26929004", "Alzheimer's disease"), code("G30.9", "Alzheimer disease, unspecified"),
        &[(65, 6), (75, 35), (90, 200)])
        .followed(182, &[])
        .treated(&[always(60, &[Drug::Donepezil])]),
    lasting(Illness::Hypothyroidism, "underactive thyroid",
        code("40930008", "Hypothyroidism"), code("E03.9", "Hypothyroidism, unspecified"),
        &[(15, 5), (50, 45), (85, 80)])
        .followed(182, &[Panel::Thyroid])
        .treated(&[always(95, &[Drug::Levothyroxine])]),
    lasting(Illness::Reflux, "acid reflux",
        code("235595009", "Gastroesophageal reflux disease"),
        code("K21.9", "Gastro-oesophageal reflux disease without oesophagitis"),
        &[(20, 25), (50, 110), (85, 130)])
        .linked(&[(Illness::Obesity, 14)])
        .treated(&[always(85, &[Drug::Omeprazole, Drug::Pantoprazole])]),
    lasting(Illness::KneeArthrosis, "osteoarthritis of the knee",
        code("239873007", "Osteoarthritis of knee"), code("M17.9", "Gonarthrosis, unspecified"),
        &[(40, 15), (60, 120), (85, 270)])
        .linked(&[(Illness::Obesity, 16)])
        .followed(365, &[])
        .treated(&[always(60, &[Drug::Paracetamol]), always(35, &[Drug::Ibuprofen,
            Drug::Naproxen])]),
    lasting(Illness::Osteoporosis, "osteoporosis",
        code("64859006", "Osteoporosis"), code("M81.9", "Osteoporosis, unspecified"),
        &[(50, 12), (65, 110), (85, 240)])
        .only(Sex::Female)
        .followed(365, &[Panel::VitaminD])
        .treated(&[always(70, &[Drug::Alendronate]), always(75, &[Drug::Colecalciferol])]),
    lasting(Illness::RheumatoidArthritis, "rheumatoid arthritis",
        code("69896004", "Rheumatoid arthritis"), code("M06.9",
            "Rheumatoid arthritis, unspecified"),
        &[(25, 3), (50, 9), (85, 14)])
        .followed(91, &[Panel::Inflammation, Panel::BloodCount, Panel::Liver])
        .treated(&[always(85, &[Drug::Methotrexate]), always(80, &[Drug::FolicAcid]),
            later(30, 600, &[Drug::Adalimumab])]),
    lasting(Illness::Gout, "gout",
        code("90560007", "Gout"), code("M10.9", "Gout, unspecified"), &[(30, 6), (60, 35), (85,
            60)])
        .linked(&[(Illness::KidneyDisease, 16), (Illness::Obesity, 15)])
        .followed(365, &[Panel::Urate])
        .treated(&[always(75, &[Drug::Allopurinol]), always(30, &[Drug::Colchicine])]),
    lasting(Illness::Psoriasis, "psoriasis",
        code("9014002", "Psoriasis"), code("L40.9", "Psoriasis, unspecified"),
        &[(10, 6), (30, 22), (80, 28)])
        .treated(&[always(80, &[Drug::Betamethasone])]),
    lasting(Illness::Crohn, "Crohn's disease",
        code("34000006", "Crohn's disease"), code("K50.9", "Crohn disease, unspecified"),
        &[(15, 2), (30, 4), (80, 4)])
        .followed(120, &[Panel::Inflammation, Panel::BloodCount, Panel::Iron])
        .treated(&[always(65, &[Drug::Azathioprine]), later(40, 500, &[Drug::Adalimumab])]),
    lasting(Illness::ProstateHyperplasia, "enlarged prostate",
        code("266569009", "Benign prostatic hyperplasia"), code("N40", "Hyperplasia of prostate"),
        &[(50, 70), (65, 240), (85, 400)])
        .only(Sex::Male)
        .followed(365, &[Panel::Prostate])
        .treated(&[always(65, &[Drug::Tamsulosin]), later(25, 500, &[Drug::Finasteride])]),
    lasting(Illness::Cataract, "cataract",
        code("193570009", "Cataract"), code("H26.9", "Cataract, unspecified"),
        &[(55, 20), (70, 190), (90, 380)]),
    lasting(Illness::Glaucoma, "glaucoma",
        code("23986001", "Glaucoma"), code("H40.9", "Glaucoma, unspecified"),
        &[(45, 6), (65, 30), (85, 70)])
        .followed(182, &[])
        .treated(&[always(85, &[Drug::Latanoprost])]),
    lasting(Illness::SleepApnea, "obstructive sleep apnoea",
        code("78275009", "Obstructive sleep apnea syndrome"), code("G47.3", "Sleep apnoea"),
        &[(30, 8), (55, 45), (80, 45)])
        .linked(&[(Illness::Obesity, 25)]),
    lasting(Illness::BreastCancer, "breast cancer",
        code("254837009", "Malignant neoplasm of breast"),
        code("C50.9", "Malignant neoplasm: Breast, unspecified"),
        &[(35, 2), (50, 14), (70, 35), (90, 40)])
        .only(Sex::Female)
        .followed(182, &[Panel::BloodCount, Panel::Liver])
        .treated(&[always(70, &[Drug::Letrozole, Drug::Tamoxifen])]),
    lasting(Illness::ProstateCancer, "prostate cancer",
        code("399068003", "Malignant tumor of prostate"), code("C61",
            "Malignant neoplasm of prostate"),
        &[(50, 3), (65, 28), (85, 70)])
        .only(Sex::Male)
        .followed(182, &[Panel::Prostate])
        .treated(&[always(45, &[Drug::Goserelin])]),
    lasting(Illness::ColonCancer, "bowel cancer",
        code("363406005", "Malignant tumor of colon"),
        code("C18.9", "Malignant neoplasm: Colon, unspecified"), &[(45, 2), (65, 11), (90, 28)])
        .followed(182, &[Panel::BloodCount, Panel::Liver]),
    lasting(Illness::LungCancer, "lung cancer",
        code("254637007", "Non-small cell lung cancer"),
        code("C34.9", "Malignant neoplasm: Bronchus or lung, unspecified"),
        &[(50, 1), (70, 6), (85, 6)])
        .linked(&[(Illness::Nicotine, 40), (Illness::Copd, 15)])
        .followed(91, &[Panel::BloodCount, Panel::Liver]),
    lasting(Illness::Hemochromatosis, "hereditary haemochromatosis",
        code("35400008", "Hereditary hemochromatosis"), code("E83.1",
            "Disorders of iron metabolism"),
        &[(20, 2), (50, 6), (80, 6)])
        .sensitive(Sensitivity::Genetic)
        .followed(182, &[Panel::Iron, Panel::Liver]),
    lasting(Illness::SickleCellTrait, "sickle cell trait",
        code("16402000", "Sickle cell trait"), code("D57.3", "Sickle-cell trait"), &[(0, 8), (90,
            8)])
        .sensitive(Sensitivity::Genetic),
    lasting(Illness::Endometriosis, "endometriosis",
        code("129103003", "Endometriosis"), code("N80.9", "Endometriosis, unspecified"),
        &[(18, 8), (35, 45), (50, 35), (85, 8)])
        .only(Sex::Female)
        .sensitive(Sensitivity::Sexual)
        .treated(&[always(50, &[Drug::Levonorgestrel]), always(40, &[Drug::Naproxen])]),
    lasting(Illness::Insomnia, "insomnia",
        code("193462001", "Insomnia"),
        code("G47.0", "Disorders of initiating and maintaining sleep [insomnias]"),
        &[(20, 15), (50, 50), (85, 80)])
        .linked(&[(Illness::Depression, 20)])
        .treated(&[always(35, &[Drug::Melatonin])]),
    lasting(Illness::BackPain, "chronic low back pain",
        code("278860009", "Chronic low back pain"), code("M54.5", "Low back pain"),
        &[(25, 15), (50, 80), (85, 95)])
        .linked(&[(Illness::Obesity, 13)])
        .treated(&[always(50, &[Drug::Ibuprofen, Drug::Naproxen]), always(45, &[Drug::Paracetamol]),
            later(12, 400, &[Drug::Tramadol])]),
    lasting(Illness::GenitalHerpes, "genital herpes",
        code("33839006", "Genital herpes simplex"),
        code("A60.0", "Herpesviral infection of genitalia and urogenital tract"),
        &[(18, 8), (35, 30), (75, 25)])
        .sensitive(Sensitivity::Sexual)
        .treated(&[always(55, &[Drug::Aciclovir])]),
];
