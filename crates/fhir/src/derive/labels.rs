//! Security labels, and which of them make a record sensitive.

use serde_json::Value;

use super::items;

/// The overlays that the security labels of a resource call for, in the order of the categories,
/// each once. A label counts by its code whatever its system: a sender's slip in the system must
/// not uncover a record.
pub(super) fn overlays(resource: &Value) -> Vec<&'static str> {
    let labels = items(&resource["meta"]["security"]).iter();
    let labels: Vec<&str> = labels.filter_map(|label| label["code"].as_str()).collect();
    let called = |row: &&(&str, &[&str])| {
        labels.iter().any(|label| row.1.iter().any(|code| label.eq_ignore_ascii_case(code)))
    };
    OVERLAYS.iter().filter(called).map(|row| row.0).collect()
}

/// Sensitivity codes of the code system ActCode (ActInformationSensitivityPolicy), which DS4P uses,
/// by overlay.
const OVERLAYS: [(&str, &[&str]); 5] = [
    ("mental-health", &["PSY", "MH", "BH", "PSYTHPN", "COGN", "EMOTDIS", "DVD"]),
    ("sexual-health", &["SEX", "HIV", "STD", "PREGNANT"]),
    ("substance-use", &["ETH", "SUD", "ETHUD", "ALC", "OPIOIDUD", "TBOO"]),
    ("genetics", &["GDIS", "SCA"]),
    ("violence", &["SDV", "VIO", "IPV", "MST"]),
];
