//! What is done for a condition: procedures, pictures, implants. Codes: SNOMED CT, DICOM, LOINC.

use super::conditions::Illness;
use super::{Code, code};

/// A procedure done because of a condition.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct Operation {
    pub illness: Illness,
    pub snomed: Code,
    /// How many of a hundred of those affected have it.
    pub percent: u8,
    /// Least and most days from the onset to the procedure.
    pub delay_days: (u16, u16),
    /// What stays in the body.
    pub implant: Option<Implant>,
}

/// A device that stays in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synthetic) struct Implant {
    pub snomed: Code,
    /// What the invented maker calls it.
    pub model: &'static str,
    pub maker: &'static str,
}

/// A picture taken because of a condition.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct Picture {
    pub illness: Illness,
    /// The report's LOINC code.
    pub loinc: Code,
    /// The DICOM modality, and how it is called.
    pub modality: Code,
    /// SNOMED CT body site.
    pub site: Code,
    pub finding: &'static str,
}

const fn implant(snomed: Code, model: &'static str, maker: &'static str) -> Implant {
    Implant { snomed, model, maker }
}

const fn operation(illness: Illness, snomed: Code, percent: u8) -> Operation {
    Operation { illness, snomed, percent, delay_days: (0, 0), implant: None }
}

impl Operation {
    const fn after(mut self, least: u16, most: u16) -> Self {
        self.delay_days = (least, most);
        self
    }

    const fn leaving(mut self, implant: Implant) -> Self {
        self.implant = Some(implant);
        self
    }
}

const PACEMAKER: Implant =
    implant(code("14106009", "Cardiac pacemaker"), "Metronome DR 2", "Halden Rhythm Works");
const STENT: Implant =
    implant(code("705643001", "Coronary artery stent"), "Lumen 3.0", "Arvik Medical");
const HIP: Implant =
    implant(code("67270000", "Hip prosthesis"), "Strider H", "Osmund Orthopaedics");
const KNEE: Implant = implant(
    code("463239005", "Posterior-stabilized total knee prosthesis"),
    "Strider K",
    "Osmund Orthopaedics",
);

/// Procedures.
#[rustfmt::skip] // One procedure, one short paragraph.
pub(in crate::synthetic) const OPERATIONS: &[Operation] = &[
    operation(Illness::Appendicitis, code("80146002", "Appendectomy"), 95),
    operation(Illness::Gallstones, code("38102005", "Cholecystectomy"), 80),
    operation(Illness::HeartAttack, code("415070008", "Percutaneous coronary intervention"), 85)
        .leaving(STENT),
    operation(Illness::CoronaryDisease, code("232717009", "Coronary artery bypass graft"), 12)
        .after(200, 2500),
    operation(Illness::AtrialFibrillation, code("307280005", "Implantation of cardiac pacemaker"),
        16)
        .after(100, 2000).leaving(PACEMAKER),
    operation(Illness::HipFracture, code("52734007", "Total replacement of hip"), 85).leaving(HIP),
    operation(Illness::KneeArthrosis, code("609588000", "Total replacement of knee joint"), 15)
        .after(900, 4000).leaving(KNEE),
    operation(Illness::Cataract, code("54885007", "Extraction of cataract"), 55)
        .after(200, 1500),
    operation(Illness::ForearmFracture, code("274474001", "Bone immobilization"), 90),
    operation(Illness::Laceration, code("288086009", "Suture of open wound"), 85),
    operation(Illness::BreastCancer, code("392021009", "Lumpectomy of breast"), 80).after(14, 60),
    operation(Illness::BreastCancer, code("108290001", "Radiation oncology AND/OR radiotherapy"),
        60)
        .after(70, 140),
    operation(Illness::ProstateCancer, code("90470006", "Prostatectomy"), 45).after(30, 120),
    operation(Illness::ColonCancer, code("23968004", "Colectomy"), 85).after(14, 60),
    operation(Illness::LungCancer, code("367336001", "Chemotherapy"), 75).after(21, 60),
    operation(Illness::Asthma, code("127783003", "Spirometry"), 90).after(0, 60),
    operation(Illness::Copd, code("127783003", "Spirometry"), 95).after(0, 60),
    operation(Illness::HeartFailure, code("40701008", "Echocardiography"), 95).after(0, 40),
    operation(Illness::AtrialFibrillation, code("29303009", "Electrocardiographic procedure"), 100),
    operation(Illness::HeartAttack, code("29303009", "Electrocardiographic procedure"), 100),
    operation(Illness::Crohn, code("73761001", "Colonoscopy"), 95).after(0, 90),
    operation(Illness::ColonCancer, code("73761001", "Colonoscopy"), 100),
    operation(Illness::Depression, code("75516001", "Psychotherapy"), 45).after(20, 200),
    operation(Illness::Ptsd, code("75516001", "Psychotherapy"), 70).after(20, 200),
];

/// Birth, and its share in a thousand births.
pub(in crate::synthetic) const BIRTHS: [(u32, Code); 2] = [
    (740, code("177184002", "Normal delivery procedure")),
    (260, code("11466000", "Cesarean section")),
];

/// Pictures.
#[rustfmt::skip] // One picture, one short paragraph.
pub(in crate::synthetic) const PICTURES: &[Picture] = &[
    Picture { illness: Illness::Pneumonia, loinc: code("36643-5", "XR Chest 2 Views"),
        modality: code("DX", "Digital Radiography"), site: code("51185008", "Thoracic structure"),
        finding: "Patchy consolidation in the right lower lobe, no effusion." },
    Picture { illness: Illness::ForearmFracture, loinc: code("18748-4", "Diagnostic imaging study"),
        modality: code("DX", "Digital Radiography"), site: code("14975008", "Forearm structure"),
        finding: "Fracture of the distal radius in good position." },
    Picture { illness: Illness::AnkleSprain, loinc: code("18748-4", "Diagnostic imaging study"),
        modality: code("DX", "Digital Radiography"), site: code("344001", "Ankle region structure"),
        finding: "Soft tissue swelling, no fracture." },
    Picture { illness: Illness::HipFracture, loinc: code("18748-4", "Diagnostic imaging study"),
        modality: code("DX", "Digital Radiography"), site: code("29836001", "Hip region structure"),
        finding: "Displaced fracture of the femoral neck." },
    Picture { illness: Illness::Concussion, loinc: code("30799-1", "CT Head WO contrast"),
        modality: code("CT", "Computed Tomography"), site: code("69536005", "Head structure"),
        finding: "No bleeding and no fracture." },
    Picture { illness: Illness::Stroke, loinc: code("30799-1", "CT Head WO contrast"),
        modality: code("CT", "Computed Tomography"), site: code("69536005", "Head structure"),
        finding: "Early signs of infarction in the territory of the left middle cerebral artery." },
    Picture { illness: Illness::KidneyStone, loinc: code("24531-6", "US Retroperitoneum"),
        modality: code("US", "Ultrasound"), site: code("64033007", "Kidney structure"),
        finding: "Stone of 6 mm in the left ureter with mild dilatation." },
    Picture { illness: Illness::Gallstones, loinc: code("24558-9", "US Abdomen"),
        modality: code("US", "Ultrasound"), site: code("28231008", "Gallbladder structure"),
        finding: "Several stones in the gallbladder, wall not thickened." },
    Picture { illness: Illness::BreastCancer, loinc: code("24606-6", "MG Breast Screening"),
        modality: code("MG", "Mammography"), site: code("76752008", "Breast structure"),
        finding: "Irregular mass of 14 mm in the left breast." },
    Picture { illness: Illness::LungCancer, loinc: code("24627-2", "CT Chest"),
        modality: code("CT", "Computed Tomography"), site: code("51185008", "Thoracic structure"),
        finding: "Mass of 31 mm in the right upper lobe." },
];
