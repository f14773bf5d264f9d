//! The code about the code. Every check prints what is wrong, where, and why the rule exists.
//!
//! # Layout
//! - [`arrows`]: which crate may name which
//! - [`licences`]: which licences may come in
//! - [`names`]: what the pure crates may not name
//! - [`sizes`]: lines, functions and files, with a ratchet for what is larger today
//! - [`links`]: relative links in the documents lead somewhere

mod arrows;
mod licences;
mod links;
mod names;
mod sizes;

use std::{fs, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{cargo, root};

/// One thing that is wrong.
pub struct Finding(pub String);

/// Runs every check; with `fix`, formats and lowers the ratchet first.
pub fn run(fix: bool) -> Result<()> {
    if fix {
        cargo(&["fmt", "--all"])?;
        sizes::lower_ratchet(&source_files()?)?;
    }
    cargo(&["fmt", "--all", "--check"])?;
    let metadata = metadata()?;
    let sources = source_files()?;
    let findings: Vec<Finding> = [
        arrows::check(&metadata)?,
        licences::check(&metadata),
        names::check(&sources),
        sizes::check(&sources)?,
        links::check()?,
    ]
    .into_iter()
    .flatten()
    .collect();
    for Finding(words) in &findings {
        eprintln!("tidy: {words}");
    }
    if !findings.is_empty() {
        bail!("{} tidy finding(s)", findings.len());
    }
    cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
}

/// A Rust source file of ours.
pub struct Source {
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Every Rust file that git tracks or would track.
fn source_files() -> Result<Vec<Source>> {
    tracked_files("*.rs")?
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).with_context(|| path.clone())?;
            Ok(Source { path, text })
        })
        .collect()
}

/// The files git knows or would add, by pattern, that exist.
fn tracked_files(pattern: &str) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--", pattern])
        .current_dir(root())
        .output()
        .context("cannot run git")?;
    let text = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    let exists = |path: &&str| root().join(path).is_file();
    Ok(text.lines().filter(exists).map(str::to_owned).collect())
}

/// What cargo knows of the workspace and everything it depends on.
fn metadata() -> Result<Value> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")
}

/// The packages of a metadata document.
fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

/// Whether a package is one of ours (a workspace member comes from no registry).
fn is_ours(package: &Value) -> bool {
    package["source"].is_null()
}

/// A text field of a package.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("")
}
