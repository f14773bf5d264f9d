//! Relative links in the documents lead to files that exist.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::{Finding, tracked_files};
use crate::root;

/// Checks every Markdown file.
pub fn check() -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in tracked_files("*.md")? {
        let text = fs::read_to_string(root().join(&path)).with_context(|| path.clone())?;
        let folder = Path::new(&path).parent().unwrap_or(Path::new(""));
        for target in targets(&text) {
            if !root().join(folder).join(target).exists() {
                findings.push(Finding(format!("{path}: the link to `{target}` leads nowhere")));
            }
        }
    }
    Ok(findings)
}

/// The relative targets of the links `[words](target#place)`.
fn targets(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .map(|target| target.split('#').next().unwrap_or(""))
        .filter(|target| !target.is_empty() && !target.contains(':') && !target.contains(' '))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn only_relative_links_are_followed() {
        let text = "[a](b.md) [c](https://d) [e](f/g.md#h) [i](#j)";
        assert_eq!(targets(text), ["b.md", "f/g.md"]);
    }
}
