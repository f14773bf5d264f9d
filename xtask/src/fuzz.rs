//! `cargo xtask fuzz`: every kind of bytes that comes from outside, for some seconds each.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::{root, run, succeeds};

/// Seconds for each target unless `--seconds` says otherwise.
const SECONDS: u64 = 60;

/// Good inputs to begin with, by target, as a folder of the repository.
const SEEDS: [(&str, &str); 4] = [
    ("cda", "crates/fhir/testdata/cda"),
    ("hl7v2", "crates/fhir/testdata/v2"),
    ("mllp", "crates/fhir/testdata/v2"),
    ("proof_text", "spec/vectors"),
];

/// Runs the targets, or those that are named; the first finding ends it.
pub fn fuzz(options: &[String]) -> Result<()> {
    if !succeeds("cargo", &["+nightly", "fuzz", "--version"]) {
        bail!(
            "fuzzing needs a nightly compiler and cargo-fuzz: \
             `rustup toolchain install nightly` and `cargo install cargo-fuzz`"
        );
    }
    let (mut seconds, mut named) = (SECONDS, Vec::new());
    let mut words = options.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                let number = words.next().context("`--seconds` needs a number")?;
                seconds = number.parse().context("`--seconds` needs a number")?;
            }
            name => named.push(name.to_owned()),
        }
    }
    let targets = if named.is_empty() { targets(&root())? } else { named };
    for target in &targets {
        let corpus = format!("fuzz/corpus/{target}");
        fs::create_dir_all(root().join(&corpus))?;
        let time = format!("-max_total_time={seconds}");
        let mut arguments = vec!["+nightly", "fuzz", "run", target, &corpus];
        arguments.extend(SEEDS.iter().filter(|(name, _)| name == target).map(|(_, seeds)| *seeds));
        // Ten seconds for one input is a hang; the bound on memory is libFuzzer's own.
        arguments.extend(["--", &time, "-timeout=10", "-print_final_stats=1"]);
        run("cargo", &arguments)?;
    }
    eprintln!("{} targets, {seconds} s each: no finding", targets.len());
    Ok(())
}

fn targets(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
