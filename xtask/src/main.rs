//! Automation of the repository: `cargo xtask <command>`.
//!
//! # Layout
//! - [`fuzz`]: every decoder, for a while
//! - [`setup`]: what a fresh machine needs, found or installed
//! - [`tidy`]: the code about the code: arrows, licences, sizes, names, links
//! - this file: the commands, each a few lines of cargo calls

mod fuzz;
mod setup;
mod tidy;

use std::{env, path::PathBuf, process::Command, process::ExitCode};

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask <command>

  demo [options]   build Carestone and play the whole story with four members
  test             set up, tidy, build and run every test
  tidy [--fix]     formatting, lints, arrows, licences, sizes, names, links
  bench [options]  measure; JSON on stdout, a table on stderr
  fuzz [options]   fuzz every decoder; --seconds N for each, or the names of targets
  setup            only find or install what the other commands need

Options after `demo` go to `carestone demo` (try --once --json), those after `bench` to
`carestone bench`.";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match command {
        "demo" => demo(rest),
        "test" => test(),
        "tidy" => tidy::run(rest.iter().any(|word| word == "--fix")),
        "bench" => bench(rest),
        "fuzz" => fuzz::fuzz(rest),
        "setup" => setup::for_tests(),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => Err(anyhow::anyhow!("unknown command `{other}`\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the release binary and plays the story; what it prints on stdout is untouched.
fn demo(options: &[String]) -> Result<()> {
    setup::run()?;
    cargo(&["build", "--release", "--package", "node"])?;
    carestone("demo", options)
}

/// Everything that must pass before a change lands.
fn test() -> Result<()> {
    setup::for_tests()?;
    tidy::run(false)?;
    if succeeds("cargo", &["nextest", "--version"]) {
        // The examples first: they take seconds, and nextest does not run them.
        cargo(&["test", "--workspace", "--doc", "--no-fail-fast"])?;
        cargo(&["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        cargo(&["test", "--workspace", "--no-fail-fast"])
    }
}

/// Measures the release binary.
fn bench(options: &[String]) -> Result<()> {
    setup::run()?;
    cargo(&["build", "--release", "--package", "node"])?;
    carestone("bench", options)
}

/// Runs the release binary with a command and its options.
fn carestone(command: &str, options: &[String]) -> Result<()> {
    let binary = target_folder().join("release").join("carestone");
    let status = Command::new(&binary)
        .arg(command)
        .args(options)
        .status()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    if !status.success() {
        bail!("`carestone {command}` failed ({status})");
    }
    Ok(())
}

/// Runs cargo in the repository and fails with its command line if it fails.
fn cargo(arguments: &[&str]) -> Result<()> {
    run("cargo", arguments)
}

/// Runs a program in the repository, showing its output on stderr.
fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let line = format!("{program} {}", arguments.join(" "));
    eprintln!("$ {line}");
    let status = command(program)
        .args(arguments)
        .current_dir(root())
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// A program without what cargo says of this one. Some build scripts run again when that changes,
/// and everything above them would be built again whenever `cargo xtask` and `cargo` take turns.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let is_own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_own)) {
        command.env_remove(name);
    }
    command
}

/// Whether a program can be started and ends well; its output is thrown away.
fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// The root of the repository.
fn root() -> PathBuf {
    // Asked of cargo when run, not when built: one built xtask may serve several checkouts.
    let own =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(own).parent().expect("xtask lies in the root").to_owned()
}

/// Where cargo puts what it builds.
fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
