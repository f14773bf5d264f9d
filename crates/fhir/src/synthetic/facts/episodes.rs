//! Conditions that pass: infections, injuries, sudden illness, pregnancy.

use super::conditions::{Care, Condition, Course, Illness, briefly, condition};
use super::measures::Panel;
use super::medications::Drug;
use super::{Code, Curve, code};
use crate::synthetic::{Sensitivity, Sex};

const fn passing(
    illness: Illness,
    name: &'static str,
    snomed: Code,
    icd10: Code,
    days: (u16, u16),
    care: Care,
    frequency: Curve,
) -> Condition {
    condition(illness, name, snomed, icd10, Course::Passing { days, care }, frequency)
}

/// Conditions that pass. Pregnancy and what comes with it are planned apart and have frequency 0.
#[rustfmt::skip] // One condition, one short paragraph.
pub(in crate::synthetic) const PASSING: &[Condition] = &[
    passing(Illness::Cold, "upper respiratory infection",
        code("54150009", "Upper respiratory infection"),
        code("J06.9", "Acute upper respiratory infection, unspecified"), (5, 12), Care::Clinic,
        &[(0, 500), (6, 300), (18, 110), (80, 80)])
        .treated(&[briefly(30, 5, &[Drug::Paracetamol])]),
    passing(Illness::OtitisMedia, "middle ear infection",
        code("65363002", "Otitis media"), code("H66.9", "Otitis media, unspecified"),
        (7, 14), Care::Clinic, &[(0, 250), (5, 90), (14, 10), (80, 4)])
        .treated(&[briefly(80, 7, &[Drug::Amoxicillin])]),
    passing(Illness::Gastroenteritis, "gastroenteritis",
        code("25374005", "Gastroenteritis"),
        code("A09.9", "Gastroenteritis and colitis of unspecified origin"), (3, 8), Care::Clinic,
        &[(0, 120), (10, 40), (80, 25)])
        .measured(&[Panel::Metabolic]),
    passing(Illness::Bronchitis, "acute bronchitis",
        code("10509002", "Acute bronchitis"), code("J20.9", "Acute bronchitis, unspecified"),
        (10, 21), Care::Clinic, &[(5, 20), (50, 40), (80, 55)])
        .risk(&[(Illness::Nicotine, 15), (Illness::Copd, 20)])
        .treated(&[briefly(35, 7, &[Drug::Doxycycline, Drug::Amoxicillin])]),
    passing(Illness::Pneumonia, "pneumonia",
        code("233604007", "Pneumonia"), code("J18.9", "Pneumonia, unspecified organism"),
        (10, 28), Care::Ward(3, 8), &[(0, 8), (30, 3), (65, 12), (90, 45)])
        .risk(&[(Illness::Copd, 30), (Illness::HeartFailure, 15)])
        .measured(&[Panel::BloodCount, Panel::Inflammation, Panel::Metabolic])
        .treated(&[briefly(85, 7, &[Drug::Amoxicillin]), briefly(60, 5, &[Drug::Azithromycin])]),
    passing(Illness::UrinaryInfection, "urinary tract infection",
        code("68566005", "Urinary tract infection"),
        code("N39.0", "Urinary tract infection, site not specified"), (4, 10), Care::Clinic,
        &[(5, 15), (20, 60), (60, 70), (90, 120)])
        .only(Sex::Female)
        .treated(&[briefly(90, 5, &[Drug::Nitrofurantoin])]),
    passing(Illness::Covid, "COVID-19",
        code("840539006", "Disease caused by severe acute respiratory syndrome coronavirus 2"),
        code("U07.1", "COVID-19, virus identified"), (7, 21), Care::Clinic,
        &[(0, 40), (40, 70), (85, 60)])
        .measured(&[Panel::Coronavirus]),
    passing(Illness::AnkleSprain, "sprained ankle",
        code("44465007", "Sprain of ankle"), code("S93.4", "Sprain and strain of ankle"),
        (14, 42), Care::Emergency, &[(8, 12), (20, 18), (50, 7), (80, 4)])
        .treated(&[briefly(50, 7, &[Drug::Ibuprofen])]),
    passing(Illness::ForearmFracture, "fracture of the forearm",
        code("65966004", "Fracture of forearm"), code("S52.9",
            "Fracture of forearm, part unspecified"),
        (42, 70), Care::Emergency, &[(5, 12), (14, 10), (40, 3), (80, 10)])
        .risk(&[(Illness::Osteoporosis, 25)])
        .treated(&[briefly(80, 14, &[Drug::Paracetamol])]),
    passing(Illness::Concussion, "concussion",
        code("110030002", "Concussion injury of brain"), code("S06.0", "Concussion"),
        (7, 28), Care::Emergency, &[(4, 5), (18, 6), (60, 3), (85, 6)]),
    passing(Illness::Laceration, "laceration",
        code("312608009", "Laceration"), code("T14.1", "Open wound of unspecified body region"),
        (10, 21), Care::Emergency, &[(3, 14), (30, 12), (80, 6)]),
    passing(Illness::HipFracture, "hip fracture",
        code("5913000", "Fracture of neck of femur"), code("S72.0", "Fracture of neck of femur"),
        (70, 120), Care::Ward(6, 14), &[(62, 2), (80, 11), (95, 28)])
        .risk(&[(Illness::Osteoporosis, 25), (Illness::Parkinson, 15)])
        .measured(&[Panel::BloodCount, Panel::Metabolic])
        .treated(&[briefly(95, 21, &[Drug::Paracetamol]), briefly(40, 7, &[Drug::Tramadol])]),
    passing(Illness::Appendicitis, "appendicitis",
        code("74400008", "Appendicitis"), code("K37", "Unspecified appendicitis"),
        (10, 28), Care::Ward(2, 4), &[(5, 1), (15, 3), (45, 1), (80, 1)])
        .measured(&[Panel::BloodCount, Panel::Inflammation])
        .treated(&[briefly(90, 7, &[Drug::Paracetamol])]),
    passing(Illness::Gallstones, "gallstones",
        code("235919008", "Gallbladder calculus"),
        code("K80.2", "Calculus of gallbladder without cholecystitis"), (14, 42), Care::Ward(2, 4),
        &[(25, 2), (60, 5), (85, 5)])
        .risk(&[(Illness::Obesity, 18)])
        .measured(&[Panel::Liver, Panel::BloodCount])
        .treated(&[briefly(80, 7, &[Drug::Paracetamol])]),
    passing(Illness::KidneyStone, "kidney stone",
        code("95570007", "Kidney stone"), code("N20.0", "Calculus of kidney"),
        (5, 28), Care::Emergency, &[(20, 3), (50, 5), (80, 3)])
        .measured(&[Panel::Metabolic])
        .treated(&[briefly(60, 5, &[Drug::Tramadol]), briefly(50, 14, &[Drug::Tamsulosin])]),
    passing(Illness::HeartAttack, "heart attack",
        code("22298006", "Myocardial infarction"),
        code("I21.9", "Acute myocardial infarction, unspecified"), (28, 42), Care::Ward(4, 9),
        &[(45, 1), (65, 3), (90, 7)])
        .risk(&[(Illness::CoronaryDisease, 50), (Illness::Nicotine, 15)])
        .measured(&[Panel::Troponin, Panel::BloodCount, Panel::Metabolic])
        .treated(&[briefly(95, 365, &[Drug::Clopidogrel])]),
    passing(Illness::Stroke, "ischaemic stroke",
        code("422504002", "Ischemic stroke"), code("I63.9", "Cerebral infarction, unspecified"),
        (60, 120), Care::Ward(5, 14), &[(50, 1), (70, 4), (90, 12)])
        .risk(&[(Illness::AtrialFibrillation, 25), (Illness::Hypertension, 15)])
        .measured(&[Panel::BloodCount, Panel::Metabolic, Panel::Coagulation])
        .treated(&[briefly(80, 365, &[Drug::Clopidogrel])]),
    passing(Illness::VeinThrombosis, "deep vein thrombosis",
        code("128053003", "Deep venous thrombosis"),
        code("I80.2", "Phlebitis and thrombophlebitis of other deep vessels of lower extremities"),
        (90, 180), Care::Emergency, &[(25, 1), (70, 3), (90, 5)])
        .risk(&[(Illness::LungCancer, 30), (Illness::ColonCancer, 25), (Illness::Obesity, 15)])
        .measured(&[Panel::BloodCount, Panel::Coagulation])
        .treated(&[briefly(100, 100, &[Drug::Apixaban, Drug::Rivaroxaban])]),
    passing(Illness::AsthmaAttack, "acute asthma attack",
        code("708038006", "Acute exacerbation of asthma"), code("J45.9", "Asthma, unspecified"),
        (3, 10), Care::Emergency, &[(3, 1), (90, 1)])
        .risk(&[(Illness::Asthma, 900)])
        .treated(&[briefly(90, 5, &[Drug::Prednisolone])]),
    passing(Illness::IronDeficiency, "iron deficiency anaemia",
        code("87522002", "Iron deficiency anemia"), code("D50.9",
            "Iron deficiency anaemia, unspecified"),
        (150, 260), Care::Clinic, &[(1, 10), (15, 18), (45, 22), (85, 18)])
        .measured(&[Panel::BloodCount, Panel::Iron])
        .treated(&[briefly(95, 260, &[Drug::FerrousSulfate])]),
    passing(Illness::Chlamydia, "chlamydia infection",
        code("240589008", "Chlamydia trachomatis infection"),
        code("A56.2", "Chlamydial infection of genitourinary tract, unspecified"),
        (7, 14), Care::Clinic, &[(16, 8), (22, 20), (35, 5), (55, 0)])
        .sensitive(Sensitivity::Sexual)
        .treated(&[briefly(100, 7, &[Drug::Doxycycline])]),
    passing(Illness::Miscarriage, "miscarriage",
        code("17369002", "Miscarriage"), code("O03.9",
            "Spontaneous abortion, complete or unspecified"),
        (7, 21), Care::Emergency, &[(18, 5), (38, 10), (47, 0)])
        .only(Sex::Female)
        .sensitive(Sensitivity::Sexual)
        .measured(&[Panel::BloodCount]),
    passing(Illness::PartnerViolence, "injury by intimate partner violence",
        code("706893006", "Victim of intimate partner abuse"), code("T74.1", "Physical abuse"),
        (14, 60), Care::Emergency, &[(16, 2), (30, 5), (65, 1)])
        .sensitive(Sensitivity::Violence),
    passing(Illness::Pregnancy, "pregnancy",
        code("72892002", "Normal pregnancy"), code("Z34.9",
            "Supervision of normal pregnancy, unspecified"),
        (274, 287), Care::Ward(2, 4), &[])
        .only(Sex::Female)
        .measured(&[Panel::BloodCount])
        .treated(&[briefly(80, 120, &[Drug::FolicAcid])]),
    passing(Illness::GestationalDiabetes, "gestational diabetes",
        code("11687002", "Gestational diabetes mellitus"),
        code("O24.4", "Diabetes mellitus arising in pregnancy"), (90, 110), Care::Clinic, &[])
        .only(Sex::Female)
        .measured(&[Panel::Glycemia]),
];
