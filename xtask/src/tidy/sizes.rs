//! Small things stay small: lines of 100 columns, functions of 70 lines, files of 800.
//!
//! What is larger today is listed in `xtask/ratchet.txt` and may shrink, never grow.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};

use super::{Finding, Source};
use crate::root;

const COLUMNS_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 800;
const RATCHET: &str = "xtask/ratchet.txt";

/// Checks every source file against the limits or its place in the ratchet.
pub fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let ratchet = read_ratchet()?;
    let mut findings = Vec::new();
    for (what, lines) in excesses(sources) {
        let allowed = ratchet.get(&what).copied().unwrap_or(0);
        if lines > allowed {
            findings.push(Finding(format!("{what}: {lines} is over the limit; make it smaller")));
        }
    }
    Ok(findings)
}

/// Writes today's excesses as the ratchet, keeping the smaller of old and new.
pub fn lower_ratchet(sources: &[Source]) -> Result<()> {
    let old = read_ratchet()?;
    let kept = excesses(sources).into_iter().filter_map(|(what, lines)| {
        old.get(&what).map(|before| format!("{} {what}\n", lines.min(*before)))
    });
    fs::write(root().join(RATCHET), kept.collect::<String>()).context(RATCHET)
}

fn read_ratchet() -> Result<BTreeMap<String, usize>> {
    let text = fs::read_to_string(root().join(RATCHET)).unwrap_or_default();
    text.lines()
        .map(|line| {
            let (lines, what) =
                line.split_once(' ').with_context(|| format!("{RATCHET}: {line}"))?;
            Ok((what.to_owned(), lines.parse().with_context(|| format!("{RATCHET}: {line}"))?))
        })
        .collect()
}

/// Everything over a limit: what it is, and its size.
fn excesses(sources: &[Source]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for source in sources {
        let lines: Vec<&str> = source.text.lines().collect();
        if lines.len() > FILE_LINES_MAX {
            found.insert(format!("file {}", source.path), lines.len());
        }
        let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        if widest > COLUMNS_MAX {
            found.insert(format!("width {}", source.path), widest);
        }
        for (name, length) in functions(&lines) {
            if length > FUNCTION_LINES_MAX {
                found.insert(format!("function {}::{name}", source.path), length);
            }
        }
    }
    found
}

/// Names and lengths of the functions of a formatted file: from the line with `fn` to the closing
/// brace of the same indentation.
fn functions(lines: &[&str]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let ends = |line: &&&str| line.ends_with('{') || line.ends_with(';');
        if lines[start..].iter().find(ends).is_some_and(|line| line.ends_with(';')) {
            continue; // Declared in a trait, without a body.
        }
        let closing = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        if let Some(end) = lines[start..].iter().position(|line| *line == closing) {
            found.push((name.to_owned(), end + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let words = line.trim_start();
    let starts = [
        "fn ",
        "pub fn ",
        "pub(crate) fn ",
        "async fn ",
        "pub async fn ",
        "const fn ",
        "pub const fn ",
    ];
    let rest = starts.iter().find_map(|start| words.strip_prefix(start))?;
    if words.ends_with(';') || words.ends_with('}') {
        return None;
    }
    rest.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::functions;

    #[test]
    fn a_declaration_has_no_length() {
        let text =
            "trait A {\n    fn one(\n        a: u8,\n    ) -> u8;\n    fn two() {\n    }\n}\n";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(functions(&lines), [("two".to_owned(), 2)]);
    }

    #[test]
    fn a_function_is_measured_to_its_own_closing_brace() {
        let text =
            "fn one() {\n    if true {\n    }\n}\nimpl A {\n    pub fn two(\n    ) {\n    }\n}\n";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(functions(&lines), [("one".to_owned(), 4), ("two".to_owned(), 3)]);
    }
}
