//! Units of the Unified Code for Units of Measure: whether a text is one.
//!
//! The grammar is that of [UCUM](https://ucum.org/ucum), case sensitive: terms of `.` and `/`,
//! parentheses, atoms with prefixes and exponents, `{annotations}`. The codes of atoms and prefixes
//! are facts of its version 2.1 and contain a portion of the UCUM table, copyright 1999-2013
//! Regenstrief Institute, Inc. and the UCUM Organization, used under the terms at
//! <https://ucum.org/license>.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::{Check, Finding};
use crate::resource::Resource;
use crate::systems::UCUM;

pub(super) fn check(resource: &Resource) -> Option<Finding> {
    find(resource.value()).map(|code| {
        Check::UnitNotUcum
            .finding(resource.type_name(), format_args!("`{code}` is no unit of UCUM"))
    })
}

/// The first code that says it is of UCUM and is not.
fn find(value: &Value) -> Option<&str> {
    match value {
        Value::Object(members) => {
            let is_ucum_system = members.get("system").is_some_and(|system| system == UCUM);
            let code = members.get("code").and_then(Value::as_str).filter(|_| is_ucum_system);
            let wrong = code.filter(|code| !is_ucum(code));
            wrong.or_else(|| members.values().find_map(find))
        }
        Value::Array(items) => items.iter().find_map(find),
        _ => None,
    }
}

/// Whether a text is a unit of UCUM, case sensitive.
///
/// ```
/// use fhir::quality::is_ucum;
/// assert!(is_ucum("mg/dL") && is_ucum("10*3/uL") && is_ucum("{beats}/min"));
/// assert!(!is_ucum("mg per dL") && !is_ucum("degC"));
/// ```
pub fn is_ucum(text: &str) -> bool {
    // Of spaces, HL7's own lists have some in annotations.
    let is_printable = text.bytes().all(|byte| (32..=126).contains(&byte));
    is_printable && text.len() <= UNIT_BYTES_MAX && {
        let mut rest = text.strip_prefix('/').unwrap_or(text);
        term(&mut rest) && rest.is_empty()
    }
}

/// Components with `.` or `/` between them. What is read is taken off the text.
fn term(rest: &mut &str) -> bool {
    loop {
        if !component(rest) {
            return false;
        }
        match rest.strip_prefix(['.', '/']) {
            Some(next) => *rest = next,
            None => return true,
        }
    }
}

/// An atom with its exponent and annotation, an annotation alone, or a term in parentheses.
fn component(rest: &mut &str) -> bool {
    if let Some(inside) = rest.strip_prefix('(') {
        *rest = inside.strip_prefix('/').unwrap_or(inside);
        let is_term = term(rest);
        // In the grammar no annotation follows; in HL7's lists one does: `U/(10.g){feces}`.
        let Some((_, after)) = rest.strip_prefix(')').and_then(annotation) else { return false };
        *rest = after;
        return is_term;
    }
    let end = simple_end(rest);
    let (unit, after) = rest.split_at(end);
    let Some((annotation, after)) = annotation(after) else { return false };
    *rest = after;
    if unit.is_empty() { annotation } else { is_simple(unit) }
}

/// Where the atom at the beginning ends: at an operator that is in no brackets.
fn simple_end(text: &str) -> usize {
    let mut is_inside = false;
    let end = text.bytes().position(|byte| {
        match byte {
            b'[' => is_inside = true,
            b']' => is_inside = false,
            b'.' | b'/' | b'(' | b')' | b'{' | b'}' => return !is_inside,
            _ => {}
        }
        false
    });
    end.unwrap_or(text.len())
}

/// Whether an annotation comes next, and what is behind it; `None` if it does not end.
fn annotation(text: &str) -> Option<(bool, &str)> {
    let Some(inside) = text.strip_prefix('{') else { return Some((false, text)) };
    let end = inside.find(['{', '}']).filter(|end| inside[*end..].starts_with('}'))?;
    Some((true, &inside[end + 1..]))
}

/// A number, or an atom, perhaps with a prefix and an exponent.
fn is_simple(unit: &str) -> bool {
    let base = unit.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let without_sign = match base.len() < unit.len() {
        true => base.strip_suffix(['+', '-']).unwrap_or(base),
        false => base,
    };
    base.is_empty() || is_atom(unit) || is_atom(without_sign)
}

fn is_atom(text: &str) -> bool {
    let with_prefix =
        |prefix: &str| text.strip_prefix(prefix).is_some_and(|atom| ATOMS.metric.contains(atom));
    ATOMS.metric.contains(text)
        || ATOMS.other.contains(text)
        || PREFIXES.iter().any(|prefix| with_prefix(prefix))
}

struct Atoms {
    /// Those that take a prefix.
    metric: HashSet<&'static str>,
    other: HashSet<&'static str>,
}

static ATOMS: LazyLock<Atoms> = LazyLock::new(|| Atoms {
    metric: METRIC.split_whitespace().collect(),
    other: OTHER.split_whitespace().collect(),
});

/// Longest unit that is read; the longest in use have some 40 characters.
const UNIT_BYTES_MAX: usize = 256;

const PREFIXES: [&str; 24] = [
    "Y", "Z", "E", "P", "T", "G", "M", "k", "h", "da", "d", "c", "m", "u", "n", "p", "f", "a", "z",
    "y", "Ki", "Mi", "Gi", "Ti",
];

const METRIC: &str = "
m s g rad K C cd mol sr Hz N Pa J W A V F Ohm S Wb Cel T H lm lx Bq Gy Sv l L ar t bar u eV pc
[c] [h] [k] [eps_0] [mu_0] [e] [m_e] [m_p] [G] [g] [ly] gf Ky Gal dyn erg P Bi St Mx G Oe Gb sb
Lmb ph Ci R RAD REM cal_[15] cal_[20] cal_m cal_IT cal_th cal tex m[H2O] m[Hg] eq osm g% kat U
[iU] [IU] Np B B[SPL] B[V] B[mV] B[uV] B[10.nV] B[W] B[kW] st mho bit By Bd
";

const OTHER: &str = "
10* 10^ [pi] % [ppth] [ppm] [ppb] [pptr] gon deg ' '' min h d a_t a_j a_g a wk mo_s mo_j mo_g mo
AU atm [lbf_av] [in_i] [ft_i] [yd_i] [mi_i] [fth_i] [nmi_i] [kn_i] [sin_i] [sft_i] [syd_i]
[cin_i] [cft_i] [cyd_i] [bf_i] [cr_i] [mil_i] [cml_i] [hd_i] [ft_us] [yd_us] [in_us] [rd_us]
[ch_us] [lk_us] [rch_us] [rlk_us] [fth_us] [fur_us] [mi_us] [acr_us] [srd_us] [smi_us] [sct]
[twp] [mil_us] [in_br] [ft_br] [rd_br] [ch_br] [lk_br] [fth_br] [pc_br] [yd_br] [mi_br] [nmi_br]
[kn_br] [acr_br] [gal_us] [bbl_us] [qt_us] [pt_us] [gil_us] [foz_us] [fdr_us] [min_us] [crd_us]
[bu_us] [gal_wi] [pk_us] [dqt_us] [dpt_us] [tbs_us] [tsp_us] [cup_us] [foz_m] [cup_m] [tsp_m]
[tbs_m] [gal_br] [pk_br] [bu_br] [qt_br] [pt_br] [gil_br] [foz_br] [fdr_br] [min_br] [gr]
[lb_av] [oz_av] [dr_av] [scwt_av] [lcwt_av] [ston_av] [lton_av] [stone_av] [pwt_tr] [oz_tr]
[lb_tr] [sc_ap] [dr_ap] [oz_ap] [lb_ap] [oz_m] [lne] [pnt] [pca] [pnt_pr] [pca_pr] [pied]
[pouce] [ligne] [didot] [cicero] [degF] [degR] [degRe] [Cal] [Btu_39] [Btu_59] [Btu_60] [Btu_m]
[Btu_IT] [Btu_th] [Btu] [HP] [den] [in_i'H2O] [in_i'Hg] [PRU] [wood'U] [diop] [p'diop] %[slope]
[mesh_i] [Ch] [drp] [hnsf'U] [MET] [hp'_X] [hp'_C] [hp'_M] [hp'_Q] [hp_X] [hp_C] [hp_M] [hp_Q]
[kp_X] [kp_C] [kp_M] [kp_Q] [pH] [S] [HPF] [LPF] [arb'U] [USP'U] [GPL'U] [MPL'U] [APL'U]
[beth'U] [anti'Xa'U] [todd'U] [dye'U] [smgy'U] [bdsk'U] [ka'U] [knk'U] [mclg'U] [tb'U] [CCID_50]
[TCID_50] [EID_50] [PFU] [FFU] [CFU] [IR] [BAU] [AU] [Amb'a'1'U] [PNU] [Lf] [D'ag'U] [FEU] [ELU]
[EU] Ao b att [psi] circ sph [car_m] [car_Au] [smoot] [m/s2/Hz^(1/2)] [NTU] [FNU] bit_s
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_laboratories_send() {
        for unit in [
            "mg/dL",
            "mmol/L",
            "10*3/uL",
            "10*-6",
            "/min",
            "{beats}/min",
            "%",
            "Cel",
            "[degF]",
            "mm[Hg]",
            "kg/m2",
            "mL/min/{1.73_m2}",
            "mL/min/1.73.m2",
            "g%",
            "[IU]/L",
            "m[IU]/mL",
            "(8.h)",
            "1",
            "{score}",
            "ug{FEU}/mL",
            "m[H2O]",
            "10^9/L",
            "[arb'U]/mL",
            "s-1",
            "a",
            "mg{total}",
            "kg.m/s2",
            "cm[H2O]",
            "{3 times}/d",
            "L/(24.h)",
            "mo",
            "[in_i]",
            "[lb_av]",
            "U/L",
            "wk",
        ] {
            assert!(is_ucum(unit), "{unit}");
        }
    }

    #[test]
    fn what_people_write_instead() {
        for unit in [
            "",
            "/",
            "mg/",
            "mg per dL",
            "degC",
            "\u{b0}C",
            "bpm",
            "beats/min",
            "mmHg",
            "lbs",
            "cc",
            "mg//dL",
            "(mg",
            "mg)",
            "{open",
            "m{a{b}}",
            "Mg/Dl",
            "IU/L",
            "mcg",
            "years",
            "mg/dl/",
            "min[Hg]",
            "k%",
            "hh",
            "x10E3/uL",
            "g.",
            "tablet",
            "[degC]",
        ] {
            assert!(!is_ucum(unit), "{unit}");
        }
    }
}
