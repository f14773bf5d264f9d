//! Drugs: what they are called, how they are given, in which doses.
//!
//! Codes: RxNorm ingredients (<http://www.nlm.nih.gov/research/umls/rxnorm>) and ATC of the WHO
//! (<http://www.whocc.no/atc>). Doses are commonly prescribed steps, weakest first.

use super::allergies::Allergen;
use super::{Code, code};

/// The name of a drug in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::synthetic) enum Drug {
    Aciclovir,
    Adalimumab,
    Alendronate,
    Allopurinol,
    Amlodipine,
    Amoxicillin,
    Apixaban,
    Aspirin,
    Atorvastatin,
    Azathioprine,
    Azithromycin,
    Betamethasone,
    Bisoprolol,
    Budesonide,
    Buprenorphine,
    Cetirizine,
    Clopidogrel,
    Colchicine,
    Colecalciferol,
    Donepezil,
    Doxycycline,
    Empagliflozin,
    Escitalopram,
    FerrousSulfate,
    Finasteride,
    FolicAcid,
    Furosemide,
    Goserelin,
    Hydrochlorothiazide,
    Ibuprofen,
    InsulinAspart,
    InsulinGlargine,
    Lamotrigine,
    Latanoprost,
    Letrozole,
    Levetiracetam,
    Levodopa,
    Levonorgestrel,
    Levothyroxine,
    Lisinopril,
    Lithium,
    Losartan,
    Melatonin,
    Metformin,
    Methotrexate,
    Methylphenidate,
    Metoprolol,
    Mirtazapine,
    Mometasone,
    Montelukast,
    Naltrexone,
    Naproxen,
    Nitrofurantoin,
    Nitroglycerin,
    Olanzapine,
    Omeprazole,
    Pantoprazole,
    Paracetamol,
    Prednisolone,
    Propranolol,
    Quetiapine,
    Ramipril,
    Rivaroxaban,
    Rosuvastatin,
    Salbutamol,
    Sertraline,
    Simvastatin,
    Sitagliptin,
    Spironolactone,
    Sumatriptan,
    Tamoxifen,
    Tamsulosin,
    Tiotropium,
    Topiramate,
    Tramadol,
    Warfarin,
}

/// How a drug gets into the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synthetic) enum Route {
    Mouth,
    Inhaled,
    Nose,
    Skin,
    UnderSkin,
    UnderTongue,
    Eye,
}

impl Route {
    /// The SNOMED CT code, and the words of a dose text.
    pub fn facts(self) -> (Code, &'static str) {
        match self {
            Self::Mouth => (code("26643006", "Oral route"), "by mouth"),
            Self::Inhaled => (code("447694001", "Respiratory tract route"), "by inhalation"),
            Self::Nose => (code("46713006", "Nasal route"), "into each nostril"),
            Self::Skin => (code("6064005", "Topical route"), "on the affected skin"),
            Self::UnderSkin => (code("34206005", "Subcutaneous route"), "under the skin"),
            Self::UnderTongue => (code("37839007", "Sublingual route"), "under the tongue"),
            Self::Eye => (code("54485002", "Ophthalmic route"), "into each eye"),
        }
    }
}

/// How often a dose is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synthetic) enum Rhythm {
    /// So many times a day.
    Daily(u8),
    /// Once in so many weeks.
    Weeks(u8),
    AsNeeded,
}

/// What a drug does that makes it dangerous together with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synthetic) enum Class {
    Anticoagulant,
    /// Non-steroidal anti-inflammatory drug.
    Nsaid,
    Statin,
    /// Acts on the renin-angiotensin system.
    Renin,
    /// Beta blocker.
    Beta,
    Other,
}

/// What is known of a drug.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct Medicine {
    pub drug: Drug,
    pub name: &'static str,
    pub rxnorm: &'static str,
    pub atc: Code,
    pub route: Route,
    /// UCUM unit of the doses.
    pub unit: &'static str,
    /// Amounts of one dose, weakest first.
    pub doses: &'static [&'static str],
    pub rhythm: Rhythm,
    pub class: Class,
    /// Who is allergic to this does not get it.
    pub allergen: Option<Allergen>,
    /// Whether it can harm an unborn child.
    pub harms_unborn: bool,
}

impl Drug {
    /// What is known of it.
    pub fn facts(self) -> &'static Medicine {
        MEDICINES.iter().find(|row| row.drug == self).expect("every drug has a row")
    }
}

impl Medicine {
    const fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    const fn allergen(mut self, allergen: Allergen) -> Self {
        self.allergen = Some(allergen);
        self
    }

    const fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    const fn harms_unborn(mut self) -> Self {
        self.harms_unborn = true;
        self
    }
}

/// A drug taken by mouth: name, RxNorm and ATC codes, unit, doses, rhythm.
const fn oral(
    drug: Drug,
    (name, rxnorm): (&'static str, &'static str),
    atc: Code,
    unit: &'static str,
    doses: &'static [&'static str],
    rhythm: Rhythm,
) -> Medicine {
    Medicine {
        drug,
        name,
        rxnorm,
        atc,
        route: Route::Mouth,
        unit,
        doses,
        rhythm,
        class: Class::Other,
        allergen: None,
        harms_unborn: false,
    }
}

use Rhythm::{AsNeeded, Daily, Weeks};

/// The drugs.
#[rustfmt::skip] // One drug, one row.
const MEDICINES: &[Medicine] = &[
    oral(Drug::Aciclovir, ("aciclovir", "281"),
        code("J05AB01", "aciclovir"), "mg", &["400", "800"], Daily(2)),
    oral(Drug::Adalimumab, ("adalimumab", "327361"),
        code("L04AB04", "adalimumab"), "mg", &["40"], Weeks(2))
        .route(Route::UnderSkin),
    oral(Drug::Alendronate, ("alendronic acid", "46041"),
        code("M05BA04", "alendronic acid"), "mg", &["70"], Weeks(1)),
    oral(Drug::Allopurinol, ("allopurinol", "519"),
        code("M04AA01", "allopurinol"), "mg", &["100", "200", "300"], Daily(1)),
    oral(Drug::Amlodipine, ("amlodipine", "17767"),
        code("C08CA01", "amlodipine"), "mg", &["5", "10"], Daily(1)),
    oral(Drug::Amoxicillin, ("amoxicillin", "723"),
        code("J01CA04", "amoxicillin"), "mg", &["250", "500", "1000"], Daily(3))
        .allergen(Allergen::Penicillin),
    oral(Drug::Apixaban, ("apixaban", "1364430"),
        code("B01AF02", "apixaban"), "mg", &["2.5", "5"], Daily(2))
        .class(Class::Anticoagulant).harms_unborn(),
    oral(Drug::Aspirin, ("acetylsalicylic acid", "1191"),
        code("B01AC06", "acetylsalicylic acid"), "mg", &["75", "100"], Daily(1))
        .allergen(Allergen::Aspirin),
    oral(Drug::Atorvastatin, ("atorvastatin", "83367"),
        code("C10AA05", "atorvastatin"), "mg", &["10", "20", "40", "80"], Daily(1))
        .class(Class::Statin).harms_unborn(),
    oral(Drug::Azathioprine, ("azathioprine", "1256"),
        code("L04AX01", "azathioprine"), "mg", &["50", "100", "150"], Daily(1)),
    oral(Drug::Azithromycin, ("azithromycin", "18631"),
        code("J01FA10", "azithromycin"), "mg", &["250", "500"], Daily(1)),
    oral(Drug::Betamethasone, ("betamethasone cream 0.1 %", "1514"),
        code("D07AC01", "betamethasone"), "g", &["1", "2"], Daily(2))
        .route(Route::Skin),
    oral(Drug::Bisoprolol, ("bisoprolol", "19484"),
        code("C07AB07", "bisoprolol"), "mg", &["1.25", "2.5", "5", "10"], Daily(1))
        .class(Class::Beta),
    oral(Drug::Budesonide, ("budesonide inhaler", "19831"),
        code("R03BA02", "budesonide"), "ug", &["100", "200", "400"], Daily(2))
        .route(Route::Inhaled),
    oral(Drug::Buprenorphine, ("buprenorphine", "1819"),
        code("N07BC01", "buprenorphine"), "mg", &["4", "8", "16"], Daily(1))
        .route(Route::UnderTongue),
    oral(Drug::Cetirizine, ("cetirizine", "20610"),
        code("R06AE07", "cetirizine"), "mg", &["5", "10"], Daily(1)),
    oral(Drug::Clopidogrel, ("clopidogrel", "32968"),
        code("B01AC04", "clopidogrel"), "mg", &["75"], Daily(1)),
    oral(Drug::Colchicine, ("colchicine", "2683"),
        code("M04AC01", "colchicine"), "mg", &["0.5"], AsNeeded),
    oral(Drug::Colecalciferol, ("vitamin D3", "2418"),
        code("A11CC05", "colecalciferol"), "[iU]", &["800", "1000"], Daily(1)),
    oral(Drug::Donepezil, ("donepezil", "135447"),
        code("N06DA02", "donepezil"), "mg", &["5", "10"], Daily(1)),
    oral(Drug::Doxycycline, ("doxycycline", "3640"),
        code("J01AA02", "doxycycline"), "mg", &["100"], Daily(2))
        .harms_unborn(),
    oral(Drug::Empagliflozin, ("empagliflozin", "1545653"),
        code("A10BK03", "empagliflozin"), "mg", &["10", "25"], Daily(1))
        .harms_unborn(),
    oral(Drug::Escitalopram, ("escitalopram", "321988"),
        code("N06AB10", "escitalopram"), "mg", &["5", "10", "20"], Daily(1)),
    oral(Drug::FerrousSulfate, ("ferrous sulfate", "24947"),
        code("B03AA07", "ferrous sulfate"), "mg", &["200", "325"], Daily(1)),
    oral(Drug::Finasteride, ("finasteride", "25025"),
        code("G04CB01", "finasteride"), "mg", &["5"], Daily(1)),
    oral(Drug::FolicAcid, ("folic acid", "4511"),
        code("B03BB01", "folic acid"), "mg", &["0.4", "5"], Daily(1)),
    oral(Drug::Furosemide, ("furosemide", "4603"),
        code("C03CA01", "furosemide"), "mg", &["20", "40", "80"], Daily(1)),
    oral(Drug::Goserelin, ("goserelin implant", "50610"),
        code("L02AE03", "goserelin"), "mg", &["10.8"], Weeks(12))
        .route(Route::UnderSkin),
    oral(Drug::Hydrochlorothiazide, ("hydrochlorothiazide", "5487"),
        code("C03AA03", "hydrochlorothiazide"), "mg", &["12.5", "25"], Daily(1)),
    oral(Drug::Ibuprofen, ("ibuprofen", "5640"),
        code("M01AE01", "ibuprofen"), "mg", &["200", "400", "600"], Daily(3))
        .class(Class::Nsaid).allergen(Allergen::Aspirin).harms_unborn(),
    oral(Drug::InsulinAspart, ("insulin aspart", "51428"),
        code("A10AB05", "insulin aspart"), "[iU]", &["4", "6", "8"], Daily(3))
        .route(Route::UnderSkin),
    oral(Drug::InsulinGlargine, ("insulin glargine", "274783"),
        code("A10AE04", "insulin glargine"), "[iU]", &["10", "16", "24"], Daily(1))
        .route(Route::UnderSkin),
    oral(Drug::Lamotrigine, ("lamotrigine", "28439"),
        code("N03AX09", "lamotrigine"), "mg", &["50", "100", "200"], Daily(2)),
    oral(Drug::Latanoprost, ("latanoprost eye drops", "43611"),
        code("S01EE01", "latanoprost"), "[drp]", &["1"], Daily(1))
        .route(Route::Eye),
    oral(Drug::Letrozole, ("letrozole", "72965"),
        code("L02BG04", "letrozole"), "mg", &["2.5"], Daily(1))
        .harms_unborn(),
    oral(Drug::Levetiracetam, ("levetiracetam", "114477"),
        code("N03AX14", "levetiracetam"), "mg", &["250", "500", "1000"], Daily(2)),
    oral(Drug::Levodopa, ("levodopa with carbidopa", "6375"),
        code("N04BA02", "levodopa and decarboxylase inhibitor"), "mg", &["100", "200"], Daily(3)),
    oral(Drug::Levonorgestrel, ("levonorgestrel", "6373"),
        code("G03AC03", "levonorgestrel"), "ug", &["30"], Daily(1)),
    oral(Drug::Levothyroxine, ("levothyroxine", "10582"),
        code("H03AA01", "levothyroxine sodium"), "ug", &["50", "75", "100", "125"], Daily(1)),
    oral(Drug::Lisinopril, ("lisinopril", "29046"),
        code("C09AA03", "lisinopril"), "mg", &["5", "10", "20"], Daily(1))
        .class(Class::Renin).harms_unborn(),
    oral(Drug::Lithium, ("lithium carbonate", "42351"),
        code("N05AN01", "lithium"), "mg", &["300", "400"], Daily(2))
        .harms_unborn(),
    oral(Drug::Losartan, ("losartan", "52175"),
        code("C09CA01", "losartan"), "mg", &["25", "50", "100"], Daily(1))
        .class(Class::Renin).harms_unborn(),
    oral(Drug::Melatonin, ("melatonin", "6711"),
        code("N05CH01", "melatonin"), "mg", &["2"], Daily(1)),
    oral(Drug::Metformin, ("metformin", "6809"),
        code("A10BA02", "metformin"), "mg", &["500", "850", "1000"], Daily(2)),
    oral(Drug::Methotrexate, ("methotrexate", "6851"),
        code("L04AX03", "methotrexate"), "mg", &["10", "15", "20"], Weeks(1))
        .harms_unborn(),
    oral(Drug::Methylphenidate, ("methylphenidate", "6901"),
        code("N06BA04", "methylphenidate"), "mg", &["5", "10", "20"], Daily(2)),
    oral(Drug::Metoprolol, ("metoprolol", "6918"),
        code("C07AB02", "metoprolol"), "mg", &["25", "50", "100"], Daily(2))
        .class(Class::Beta),
    oral(Drug::Mirtazapine, ("mirtazapine", "15996"),
        code("N06AX11", "mirtazapine"), "mg", &["15", "30"], Daily(1)),
    oral(Drug::Mometasone, ("mometasone nasal spray", "108118"),
        code("R01AD09", "mometasone"), "ug", &["50", "100"], Daily(1))
        .route(Route::Nose),
    oral(Drug::Montelukast, ("montelukast", "88249"),
        code("R03DC03", "montelukast"), "mg", &["5", "10"], Daily(1)),
    oral(Drug::Naltrexone, ("naltrexone", "7243"),
        code("N07BB04", "naltrexone"), "mg", &["50"], Daily(1)),
    oral(Drug::Naproxen, ("naproxen", "7258"),
        code("M01AE02", "naproxen"), "mg", &["250", "500"], Daily(2))
        .class(Class::Nsaid).allergen(Allergen::Aspirin).harms_unborn(),
    oral(Drug::Nitrofurantoin, ("nitrofurantoin", "7454"),
        code("J01XE01", "nitrofurantoin"), "mg", &["50", "100"], Daily(2)),
    oral(Drug::Nitroglycerin, ("glyceryl trinitrate", "4917"),
        code("C01DA02", "glyceryl trinitrate"), "mg", &["0.4"], AsNeeded)
        .route(Route::UnderTongue),
    oral(Drug::Olanzapine, ("olanzapine", "61381"),
        code("N05AH03", "olanzapine"), "mg", &["5", "10", "15"], Daily(1)),
    oral(Drug::Omeprazole, ("omeprazole", "7646"),
        code("A02BC01", "omeprazole"), "mg", &["20", "40"], Daily(1)),
    oral(Drug::Pantoprazole, ("pantoprazole", "40790"),
        code("A02BC02", "pantoprazole"), "mg", &["20", "40"], Daily(1)),
    oral(Drug::Paracetamol, ("paracetamol", "161"),
        code("N02BE01", "paracetamol"), "mg", &["500", "1000"], AsNeeded),
    oral(Drug::Prednisolone, ("prednisolone", "8638"),
        code("H02AB06", "prednisolone"), "mg", &["20", "40"], Daily(1)),
    oral(Drug::Propranolol, ("propranolol", "8787"),
        code("C07AA05", "propranolol"), "mg", &["20", "40", "80"], Daily(2))
        .class(Class::Beta),
    oral(Drug::Quetiapine, ("quetiapine", "51272"),
        code("N05AH04", "quetiapine"), "mg", &["50", "100", "200"], Daily(2)),
    oral(Drug::Ramipril, ("ramipril", "35296"),
        code("C09AA05", "ramipril"), "mg", &["2.5", "5", "10"], Daily(1))
        .class(Class::Renin).harms_unborn(),
    oral(Drug::Rivaroxaban, ("rivaroxaban", "1114195"),
        code("B01AF01", "rivaroxaban"), "mg", &["15", "20"], Daily(1))
        .class(Class::Anticoagulant).harms_unborn(),
    oral(Drug::Rosuvastatin, ("rosuvastatin", "301542"),
        code("C10AA07", "rosuvastatin"), "mg", &["5", "10", "20"], Daily(1))
        .class(Class::Statin).harms_unborn(),
    oral(Drug::Salbutamol, ("salbutamol inhaler", "435"),
        code("R03AC02", "salbutamol"), "ug", &["100", "200"], AsNeeded)
        .route(Route::Inhaled),
    oral(Drug::Sertraline, ("sertraline", "36437"),
        code("N06AB06", "sertraline"), "mg", &["50", "100", "150"], Daily(1)),
    oral(Drug::Simvastatin, ("simvastatin", "36567"),
        code("C10AA01", "simvastatin"), "mg", &["10", "20", "40"], Daily(1))
        .class(Class::Statin).harms_unborn(),
    oral(Drug::Sitagliptin, ("sitagliptin", "593411"),
        code("A10BH01", "sitagliptin"), "mg", &["50", "100"], Daily(1)),
    oral(Drug::Spironolactone, ("spironolactone", "9997"),
        code("C03DA01", "spironolactone"), "mg", &["25", "50"], Daily(1)),
    oral(Drug::Sumatriptan, ("sumatriptan", "37418"),
        code("N02CC01", "sumatriptan"), "mg", &["50", "100"], AsNeeded),
    oral(Drug::Tamoxifen, ("tamoxifen", "10324"),
        code("L02BA01", "tamoxifen"), "mg", &["20"], Daily(1))
        .harms_unborn(),
    oral(Drug::Tamsulosin, ("tamsulosin", "77492"),
        code("G04CA02", "tamsulosin"), "mg", &["0.4"], Daily(1)),
    oral(Drug::Tiotropium, ("tiotropium inhaler", "69120"),
        code("R03BB04", "tiotropium bromide"), "ug", &["18"], Daily(1))
        .route(Route::Inhaled),
    oral(Drug::Topiramate, ("topiramate", "38404"),
        code("N03AX11", "topiramate"), "mg", &["25", "50", "100"], Daily(2))
        .harms_unborn(),
    oral(Drug::Tramadol, ("tramadol", "10689"),
        code("N02AX02", "tramadol"), "mg", &["50", "100"], AsNeeded)
        .harms_unborn(),
    oral(Drug::Warfarin, ("warfarin", "11289"),
        code("B01AA03", "warfarin"), "mg", &["3", "4", "5", "6"], Daily(1))
        .class(Class::Anticoagulant).harms_unborn(),
];
