//! What is measured: vital signs, laboratory tests and questionnaires, with units, reference
//! ranges, and how much people differ from each other and from themselves.
//!
//! Codes: LOINC (<http://loinc.org>); units: UCUM (<http://unitsofmeasure.org>). Ranges are
//! those that an adult's laboratory report commonly prints.

use super::{Code, code};

/// The name of a measure in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::synthetic) enum Measure {
    Systolic,
    Diastolic,
    HeartRate,
    RespiratoryRate,
    Temperature,
    OxygenSaturation,
    Weight,
    Height,
    BodyMass,
    Pain,
    Sodium,
    Potassium,
    Chloride,
    Bicarbonate,
    Glucose,
    UreaNitrogen,
    Creatinine,
    Filtration,
    Calcium,
    Hemoglobin,
    Hematocrit,
    Leukocytes,
    Platelets,
    CellVolume,
    Cholesterol,
    Hdl,
    Ldl,
    Triglycerides,
    GlycatedHemoglobin,
    Thyrotropin,
    Inr,
    Alanine,
    Aspartate,
    AlkalinePhosphatase,
    Bilirubin,
    Albumin,
    Ferritin,
    ReactiveProtein,
    NatriureticPeptide,
    Troponin,
    ProstateAntigen,
    UrineAlbumin,
    Urate,
    VitaminD,
    Phq9,
    Gad7,
    Coronavirus,
    BloodGroup,
}

/// A reference range; an absent end is open.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct Range {
    pub low: Option<f64>,
    pub high: Option<f64>,
}

/// What sort of observation a measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synthetic) enum Kind {
    Vital,
    Laboratory,
    Survey,
}

/// What is known of a measure. Values, deviations and ranges are in its unit.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct Test {
    pub measure: Measure,
    pub kind: Kind,
    /// Plain words, for notes.
    pub name: &'static str,
    pub loinc: Code,
    /// The UCUM code of the unit.
    pub unit: &'static str,
    /// Decimal places that the device or the laboratory reports.
    pub places: u8,
    pub mean: Sexes<f64>,
    /// Standard deviation between people.
    pub between: f64,
    /// Standard deviation of one person from day to day.
    pub within: f64,
    /// The least value that a living person shows here.
    pub floor: f64,
    /// The greatest value that the measure can have.
    pub ceiling: f64,
    pub range: Sexes<Range>,
}

/// A fact that differs between the sexes.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct Sexes<T> {
    pub female: T,
    pub male: T,
}

impl Measure {
    /// What is known of it.
    pub fn facts(self) -> &'static Test {
        TESTS.iter().find(|row| row.measure == self).expect("every measure has a row")
    }
}

/// Measures that are ordered together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::synthetic) enum Panel {
    Metabolic,
    BloodCount,
    Lipids,
    Liver,
    Glycemia,
    Thyroid,
    Coagulation,
    Iron,
    Inflammation,
    NatriureticPeptide,
    Troponin,
    Prostate,
    UrineAlbumin,
    Urate,
    VitaminD,
    Depression,
    Anxiety,
    Coronavirus,
    BloodGroup,
}

impl Panel {
    /// The panel's own code and its measures. A panel of one measure is coded as that measure.
    pub fn facts(self) -> (Code, &'static [Measure]) {
        let (_, panel, measures) =
            PANELS.iter().find(|row| row.0 == self).expect("every panel has a row");
        (panel.unwrap_or(measures[0].facts().loinc), measures)
    }
}

impl Test {
    const fn male(mut self, mean: f64) -> Self {
        self.mean.male = mean;
        self
    }

    const fn range(mut self, low: f64, high: f64) -> Self {
        let range = Range { low: Some(low), high: Some(high) };
        self.range = Sexes { female: range, male: range };
        self
    }

    const fn male_range(mut self, low: f64, high: f64) -> Self {
        self.range.male = Range { low: Some(low), high: Some(high) };
        self
    }

    const fn below(mut self, high: f64) -> Self {
        let range = Range { low: None, high: Some(high) };
        self.range = Sexes { female: range, male: range };
        self
    }

    const fn above(mut self, low: f64) -> Self {
        let range = Range { low: Some(low), high: None };
        self.range = Sexes { female: range, male: range };
        self
    }

    const fn ceiling(mut self, ceiling: f64) -> Self {
        self.ceiling = ceiling;
        self
    }

    const fn floor(mut self, floor: f64) -> Self {
        self.floor = floor;
        self
    }
}

/// A test without a range: name, code, unit and places, then mean, and deviation between people and
/// within one.
const fn test(
    measure: Measure,
    kind: Kind,
    name: &'static str,
    loinc: Code,
    (unit, places): (&'static str, u8),
    (mean, between, within): (f64, f64, f64),
) -> Test {
    let open = Range { low: None, high: None };
    let range = Sexes { female: open, male: open };
    let mean = Sexes { female: mean, male: mean };
    let (floor, ceiling) = (0.0, f64::INFINITY);
    Test { measure, kind, name, loinc, unit, places, mean, between, within, floor, ceiling, range }
}

/// Panels: their own code if they have one, and their measures.
#[rustfmt::skip] // One panel, one row.
const PANELS: &[(Panel, Option<Code>, &[Measure])] = &[
    (Panel::Metabolic, Some(code("51990-0", "Basic metabolic panel - Blood")),
        &[Measure::Sodium, Measure::Potassium, Measure::Chloride, Measure::Bicarbonate,
            Measure::Glucose, Measure::UreaNitrogen, Measure::Creatinine, Measure::Filtration,
            Measure::Calcium]),
    (Panel::BloodCount,
        Some(code("58410-2", "CBC panel - Blood by Automated count")),
        &[Measure::Hemoglobin, Measure::Hematocrit, Measure::CellVolume, Measure::Leukocytes,
            Measure::Platelets]),
    (Panel::Lipids, Some(code("24331-1", "Lipid 1996 panel - Serum or Plasma")),
        &[Measure::Cholesterol, Measure::Hdl, Measure::Ldl, Measure::Triglycerides]),
    (Panel::Liver, Some(code("24325-3", "Hepatic function 2000 panel - Serum or Plasma")),
        &[Measure::Alanine, Measure::Aspartate, Measure::AlkalinePhosphatase, Measure::Bilirubin,
            Measure::Albumin]),
    (Panel::Glycemia, None, &[Measure::GlycatedHemoglobin]),
    (Panel::Thyroid, None, &[Measure::Thyrotropin]),
    (Panel::Coagulation, None, &[Measure::Inr]),
    (Panel::Iron, None, &[Measure::Ferritin]),
    (Panel::Inflammation, None, &[Measure::ReactiveProtein]),
    (Panel::NatriureticPeptide, None, &[Measure::NatriureticPeptide]),
    (Panel::Troponin, None, &[Measure::Troponin]),
    (Panel::Prostate, None, &[Measure::ProstateAntigen]),
    (Panel::UrineAlbumin, None, &[Measure::UrineAlbumin]),
    (Panel::Urate, None, &[Measure::Urate]),
    (Panel::VitaminD, None, &[Measure::VitaminD]),
    (Panel::Depression, None, &[Measure::Phq9]),
    (Panel::Anxiety, None, &[Measure::Gad7]),
    (Panel::Coronavirus, None, &[Measure::Coronavirus]),
    (Panel::BloodGroup, None, &[Measure::BloodGroup]),
];

use Kind::{Laboratory, Survey, Vital};

/// The tests. Blood pressure, heart and breathing rate, weight and height of children come from
/// `life::body`; the rows here are adults'.
#[rustfmt::skip] // One test, one short paragraph.
const TESTS: &[Test] = &[
    test(Measure::Systolic, Vital, "systolic blood pressure",
        code("8480-6", "Systolic blood pressure"), ("mm[Hg]", 0), (117.0, 8.0, 5.0))
        .male(122.0).range(90.0, 139.0).floor(55.0),
    test(Measure::Diastolic, Vital, "diastolic blood pressure",
        code("8462-4", "Diastolic blood pressure"), ("mm[Hg]", 0), (74.0, 5.0, 4.0))
        .male(77.0).range(60.0, 89.0).floor(30.0),
    test(Measure::HeartRate, Vital, "pulse",
        code("8867-4", "Heart rate"), ("/min", 0), (73.0, 7.0, 5.0))
        .male(69.0).range(50.0, 100.0).floor(40.0),
    test(Measure::RespiratoryRate, Vital, "breathing rate",
        code("9279-1", "Respiratory rate"), ("/min", 0), (15.0, 1.0, 1.2)).range(12.0,
            20.0).floor(8.0),
    test(Measure::Temperature, Vital, "temperature",
        code("8310-5", "Body temperature"), ("Cel", 1), (36.7, 0.1, 0.2)).range(36.1,
            37.8).floor(34.5),
    test(Measure::OxygenSaturation, Vital, "oxygen saturation",
        code("2708-6", "Oxygen saturation in Arterial blood"), ("%", 0), (98.0, 0.5, 0.6))
        .above(94.0).floor(80.0).ceiling(100.0),
    test(Measure::Weight, Vital, "weight",
        code("29463-7", "Body weight"), ("kg", 1), (0.0, 0.0, 0.7)).floor(2.0),
    test(Measure::Height, Vital, "height",
        code("8302-2", "Body height"), ("cm", 1), (163.5, 6.3, 0.2)).male(177.0).floor(44.0),
    test(Measure::BodyMass, Vital, "body mass index",
        code("39156-5", "Body mass index (BMI) [Ratio]"), ("kg/m2", 1), (23.6, 2.2, 0.0))
        .male(24.6).range(18.5, 24.9).floor(13.0),
    test(Measure::Pain, Vital, "pain",
        code("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported"),
        ("{score}", 0), (5.0, 0.0, 1.6)).ceiling(10.0),
    test(Measure::Sodium, Laboratory, "sodium",
        code("2951-2", "Sodium [Moles/volume] in Serum or Plasma"), ("mmol/L", 0), (140.0, 1.2,
            1.1))
        .range(135.0, 145.0).floor(118.0),
    test(Measure::Potassium, Laboratory, "potassium",
        code("2823-3", "Potassium [Moles/volume] in Serum or Plasma"), ("mmol/L", 1), (4.2, 0.18,
            0.16))
        .range(3.5, 5.1).floor(2.6),
    test(Measure::Chloride, Laboratory, "chloride",
        code("2075-0", "Chloride [Moles/volume] in Serum or Plasma"), ("mmol/L", 0), (103.0, 1.2,
            1.1))
        .range(98.0, 107.0).floor(85.0),
    test(Measure::Bicarbonate, Laboratory, "bicarbonate",
        code("2028-9", "Carbon dioxide, total [Moles/volume] in Serum or Plasma"),
        ("mmol/L", 0), (25.0, 1.0, 1.0)).range(22.0, 29.0).floor(12.0),
    test(Measure::Glucose, Laboratory, "glucose",
        code("2345-7", "Glucose [Mass/volume] in Serum or Plasma"), ("mg/dL", 0), (90.0, 5.0, 6.0))
        .range(70.0, 99.0).floor(45.0),
    test(Measure::UreaNitrogen, Laboratory, "urea nitrogen",
        code("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma"), ("mg/dL", 0), (13.5, 2.5,
            1.5))
        .range(7.0, 20.0).floor(4.0),
    test(Measure::Creatinine, Laboratory, "creatinine",
        code("2160-0", "Creatinine [Mass/volume] in Serum or Plasma"), ("mg/dL", 2), (0.8, 0.0,
            0.0))
        .male(0.95).range(0.50, 1.10).male_range(0.70, 1.30).floor(0.2),
    test(Measure::Filtration, Laboratory, "eGFR",
        code("98979-8", "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in \
            Serum, Plasma or Blood by Creatinine-based formula (CKD-EPI 2021)"),
        ("mL/min/{1.73_m2}", 0), (104.0, 7.0, 2.5)).above(60.0).floor(9.0),
    test(Measure::Calcium, Laboratory, "calcium",
        code("17861-6", "Calcium [Mass/volume] in Serum or Plasma"), ("mg/dL", 1), (9.5, 0.25,
            0.15))
        .range(8.6, 10.3).floor(6.5),
    test(Measure::Hemoglobin, Laboratory, "haemoglobin",
        code("718-7", "Hemoglobin [Mass/volume] in Blood"), ("g/dL", 1), (13.5, 0.6, 0.25))
        .male(15.0).range(12.0, 15.5).male_range(13.5, 17.5).floor(5.5),
    test(Measure::Hematocrit, Laboratory, "haematocrit",
        code("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count"), ("%", 1),
        (40.0, 0.0, 0.0)).male(45.0).range(36.0, 46.0).male_range(40.0, 52.0).floor(16.0),
    test(Measure::Leukocytes, Laboratory, "white cells",
        code("6690-2", "Leukocytes [#/volume] in Blood by Automated count"), ("10*3/uL", 1),
        (6.6, 1.1, 0.6)).range(4.0, 11.0).floor(1.5),
    test(Measure::Platelets, Laboratory, "platelets",
        code("777-3", "Platelets [#/volume] in Blood by Automated count"), ("10*3/uL", 0),
        (255.0, 40.0, 15.0)).range(150.0, 400.0).floor(40.0),
    test(Measure::CellVolume, Laboratory, "MCV",
        code("787-2", "MCV [Entitic mean volume] in Red Blood Cells by Automated count"), ("fL", 0),
        (89.0, 2.5, 0.7)).range(80.0, 100.0).floor(58.0),
    test(Measure::Cholesterol, Laboratory, "total cholesterol",
        code("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma"), ("mg/dL", 0), (0.0, 0.0,
            0.0))
        .below(200.0),
    test(Measure::Hdl, Laboratory, "HDL cholesterol",
        code("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma"), ("mg/dL", 0),
        (58.0, 8.0, 2.0)).male(49.0).above(40.0).floor(18.0),
    test(Measure::Ldl, Laboratory, "LDL cholesterol",
        code("13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation"),
        ("mg/dL", 0), (108.0, 16.0, 6.0)).below(130.0).floor(25.0),
    test(Measure::Triglycerides, Laboratory, "triglycerides",
        code("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma"), ("mg/dL", 0),
        (100.0, 22.0, 14.0)).male(115.0).below(150.0).floor(35.0),
    test(Measure::GlycatedHemoglobin, Laboratory, "HbA1c",
        code("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"), ("%", 1), (5.3, 0.2, 0.1))
        .range(4.0, 5.6).floor(4.0),
    test(Measure::Thyrotropin, Laboratory, "TSH",
        code("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma"), ("m[IU]/L", 2),
        (1.9, 0.5, 0.3)).range(0.40, 4.50).floor(0.05),
    test(Measure::Inr, Laboratory, "INR",
        code("6301-6", "INR in Platelet poor plasma by Coagulation assay"), ("{INR}", 1),
        (1.0, 0.03, 0.04)).range(0.8, 1.2).floor(0.8),
    test(Measure::Alanine, Laboratory, "ALT",
        code("1742-6", "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma"),
        ("U/L", 0), (21.0, 5.0, 3.0)).male(27.0).range(7.0, 45.0).floor(6.0),
    test(Measure::Aspartate, Laboratory, "AST",
        code("1920-8", "Aspartate aminotransferase [Enzymatic activity/volume] in Serum or Plasma"),
        ("U/L", 0), (21.0, 4.0, 3.0)).male(24.0).range(8.0, 40.0).floor(7.0),
    test(Measure::AlkalinePhosphatase, Laboratory, "alkaline phosphatase",
        code("6768-6", "Alkaline phosphatase [Enzymatic activity/volume] in Serum or Plasma"),
        ("U/L", 0), (70.0, 13.0, 5.0)).range(40.0, 130.0).floor(25.0),
    test(Measure::Bilirubin, Laboratory, "bilirubin",
        code("1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma"), ("mg/dL", 1),
        (0.6, 0.15, 0.1)).range(0.2, 1.2).floor(0.2),
    test(Measure::Albumin, Laboratory, "albumin",
        code("1751-7", "Albumin [Mass/volume] in Serum or Plasma"), ("g/dL", 1), (4.3, 0.2, 0.1))
        .range(3.5, 5.2).floor(1.8),
    test(Measure::Ferritin, Laboratory, "ferritin",
        code("2276-4", "Ferritin [Mass/volume] in Serum or Plasma"), ("ng/mL", 0), (75.0, 18.0,
            8.0))
        .male(140.0).range(15.0, 200.0).male_range(30.0, 400.0).floor(4.0),
    test(Measure::ReactiveProtein, Laboratory, "CRP",
        code("1988-5", "C reactive protein [Mass/volume] in Serum or Plasma"), ("mg/L", 1),
        (1.8, 0.7, 0.6)).below(5.0).floor(0.3),
    test(Measure::NatriureticPeptide, Laboratory, "NT-proBNP",
        code("33762-6",
            "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Serum or Plasma"),
        ("pg/mL", 0), (70.0, 20.0, 15.0)).below(125.0).floor(10.0),
    test(Measure::Troponin, Laboratory, "troponin I",
        code("89579-7",
            "Troponin I.cardiac [Mass/volume] in Serum or Plasma by High sensitivity method"),
        ("ng/L", 0), (5.0, 1.5, 1.0)).below(34.0).floor(2.0),
    test(Measure::ProstateAntigen, Laboratory, "PSA",
        code("2857-1", "Prostate specific Ag [Mass/volume] in Serum or Plasma"), ("ng/mL", 1),
        (1.4, 0.4, 0.2)).below(4.0).floor(0.1),
    test(Measure::UrineAlbumin, Laboratory, "urine albumin to creatinine ratio",
        code("9318-7", "Albumin/Creatinine [Mass Ratio] in Urine"), ("mg/g", 0), (9.0, 3.0, 2.5))
        .below(30.0).floor(2.0),
    test(Measure::Urate, Laboratory, "urate",
        code("3084-1", "Urate [Mass/volume] in Serum or Plasma"), ("mg/dL", 1), (4.5, 0.6, 0.3))
        .male(5.5).range(2.4, 6.0).male_range(3.4, 7.0).floor(1.5),
    test(Measure::VitaminD, Laboratory, "vitamin D",
        code("1989-3", "25-hydroxyvitamin D3 [Mass/volume] in Serum or Plasma"), ("ng/mL", 0),
        (24.0, 6.0, 2.5)).range(20.0, 50.0).floor(5.0),
    test(Measure::Phq9, Survey, "PHQ-9 score",
        code("44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]"),
        ("{score}", 0), (3.0, 1.0, 1.5)).below(4.0).ceiling(27.0),
    test(Measure::Gad7, Survey, "GAD-7 score",
        code("70274-6", "Generalized anxiety disorder 7 item (GAD-7) total score [Reported.PHQ]"),
        ("{score}", 0), (3.0, 1.0, 1.2)).below(4.0).ceiling(21.0),
    test(Measure::Coronavirus, Laboratory, "SARS-CoV-2 PCR",
        code("94500-6",
            "SARS-CoV-2 (COVID-19) RNA [Presence] in Respiratory system specimen by NAA \
            with probe detection"), ("", 0), (0.0, 0.0, 0.0)),
    test(Measure::BloodGroup, Laboratory, "blood group",
        code("882-1", "ABO and Rh group [Type] in Blood"), ("", 0), (0.0, 0.0, 0.0)),
];

/// Blood groups (SNOMED CT) with their share of a thousand people.
pub(in crate::synthetic) const BLOOD_GROUPS: &[(u16, Code)] = &[
    (370, code("278147001", "Blood group O Rh(D) positive")),
    (330, code("278149003", "Blood group A Rh(D) positive")),
    (110, code("278150003", "Blood group B Rh(D) positive")),
    (40, code("278151004", "Blood group AB Rh(D) positive")),
    (65, code("278148006", "Blood group O Rh(D) negative")),
    (60, code("278152006", "Blood group A Rh(D) negative")),
    (18, code("278153001", "Blood group B Rh(D) negative")),
    (7, code("278154007", "Blood group AB Rh(D) negative")),
];

/// The result of a test that finds what it looks for (SNOMED CT).
pub(in crate::synthetic) const DETECTED: Code = code("260373001", "Detected");
