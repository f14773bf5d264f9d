//! Vaccines and when they are given. Codes: CVX (<http://hl7.org/fhir/sid/cvx>).
//!
//! A plain schedule of the kind many countries use; no country's own.

use super::{Code, code};

/// A vaccine and its doses.
#[derive(Clone, Copy, Debug)]
pub(in crate::synthetic) struct Vaccine {
    pub cvx: Code,
    /// The first year in which it was given.
    pub since: i32,
    /// Ages of the doses, in months.
    pub months: &'static [u16],
    /// How many of a hundred people take a dose that is due.
    pub percent: u8,
}

const fn vaccine(cvx: Code, since: i32, percent: u8, months: &'static [u16]) -> Vaccine {
    Vaccine { cvx, since, months, percent }
}

/// Vaccines given at an age.
#[rustfmt::skip] // One vaccine, one row.
pub(in crate::synthetic) const BY_AGE: &[Vaccine] = &[
    vaccine(code("08", "Hep B, adolescent or pediatric"), 1992, 93, &[0, 2, 6]),
    vaccine(code("119", "rotavirus, monovalent"), 2006, 85, &[2, 4]),
    vaccine(code("20", "DTaP"), 1997, 95, &[2, 4, 6, 15, 60]),
    vaccine(code("49", "Hib (PRP-OMP)"), 1990, 94, &[2, 4, 12]),
    vaccine(code("133", "Pneumococcal conjugate PCV 13"), 2010, 93, &[2, 4, 12]),
    vaccine(code("10", "IPV"), 1960, 95, &[2, 4, 15, 60]),
    vaccine(code("03", "MMR"), 1971, 94, &[12, 48]),
    vaccine(code("21", "varicella"), 1995, 88, &[12, 48]),
    vaccine(code("83", "Hep A, ped/adol, 2 dose"), 1996, 60, &[18, 26]),
    vaccine(code("62", "HPV, quadrivalent"), 2006, 75, &[144, 150]),
    vaccine(code("115", "Tdap"), 2005, 85, &[138]),
    vaccine(code("114", "meningococcal MCV4P"), 2005, 75, &[142, 192]),
    vaccine(code("113", "Td (adult) preservative free"), 1953, 70,
        &[264, 384, 504, 624, 744, 864, 984, 1104]),
    vaccine(code("187", "zoster recombinant"), 2017, 55, &[720, 724]),
    vaccine(code("33", "pneumococcal polysaccharide vaccine, 23 valent"), 1983, 65, &[780]),
];

/// Given in autumn, to so many of a hundred people, more of them when old.
pub(in crate::synthetic) const INFLUENZA: Code =
    code("140", "Influenza, seasonal, injectable, preservative free");

/// Against COVID-19, from January 2021 on.
pub(in crate::synthetic) const CORONAVIRUS: Code =
    code("208", "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose");
