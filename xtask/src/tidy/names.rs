//! What the pure crates may not name: anything that would make two members disagree.

use super::{Finding, Source};

/// Crates whose result may depend on nothing but their input.
const PURE: &[&str] = &["crates/proof/src/", "crates/ledger/src/"];

/// Names that bring in the outside world, or an order or rounding that is not the same everywhere.
const BANNED: &[(&str, &str)] = &[
    ("tokio", "no async runtime"),
    ("std::time", "time is an input"),
    ("std::fs", "no files"),
    ("std::net", "no network"),
    ("rand::", "randomness is an input"),
    ("serde", "core types are not serde types"),
    ("HashMap", "its order differs from run to run"),
    ("HashSet", "its order differs from run to run"),
    ("f64", "rounding differs"),
    ("f32", "rounding differs"),
    ("commonware", "the engine is named by consensus alone"),
    ("async fn", "no async"),
];

/// Checks the pure crates' sources, comments and tests aside.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let pure =
        sources.iter().filter(|source| PURE.iter().any(|path| source.path.starts_with(path)));
    pure.flat_map(check_source).collect()
}

fn check_source(source: &Source) -> Vec<Finding> {
    let product = source.text.split("#[cfg(test)]").next().unwrap_or("");
    let mut findings = Vec::new();
    for (index, line) in product.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for (name, why) in BANNED {
            if code.contains(name) {
                findings.push(Finding(format!(
                    "{}:{}: `{name}` may not be named here: {why}",
                    source.path,
                    index + 1
                )));
            }
        }
    }
    findings
}
