//! What a fresh machine needs besides Rust: found, installed with apt when we are root, or named.
//! What only tests of others' clients need may be missing: those tests then say that they are
//! skipped.

use anyhow::{Result, bail};

use crate::succeeds;

/// A system tool that building or testing needs.
struct Tool {
    /// How to see that it is there.
    probe: (&'static str, &'static [&'static str]),
    /// The Debian package that has it.
    package: &'static str,
    /// Why it is needed, in a few words.
    why: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { probe: ("cc", &["--version"]), package: "gcc", why: "SQLite and the curve code are C" },
    Tool { probe: ("git", &["--version"]), package: "git", why: "tidy reads the list of files" },
];

/// For tests that start clients of others, with the packages of their lock file.
const CLIENT_TOOLS: &[Tool] = &[
    Tool { probe: ("node", &["--version"]), package: "nodejs", why: "clients run in it" },
    Tool { probe: ("npm", &["--version"]), package: "npm", why: "it installs clients" },
    Tool {
        probe: ("python3", &["-c", "import ensurepip"]),
        package: "python3-venv",
        why: "clients in Python are installed in one",
    },
];

/// Finds every tool, installing what is missing when that is possible.
pub fn run() -> Result<()> {
    TOOLS.iter().try_for_each(provide)
}

/// The same, and what tests of others' clients need, as far as it can be had.
pub fn for_tests() -> Result<()> {
    run()?;
    for tool in CLIENT_TOOLS {
        if let Err(error) = provide(tool) {
            eprintln!("warning: {error:#}; the tests that need it are skipped");
        }
    }
    Ok(())
}

fn provide(tool: &Tool) -> Result<()> {
    let (program, arguments) = tool.probe;
    if succeeds(program, arguments) {
        return Ok(());
    }
    if is_root() && succeeds("apt-get", &["--version"]) {
        eprintln!("installing {} ({})", tool.package, tool.why);
        return install(tool.package);
    }
    bail!(
        "`{program}` is missing ({}); install it, on Debian with: sudo apt-get install {}",
        tool.why,
        tool.package
    );
}

fn install(package: &str) -> Result<()> {
    crate::run("apt-get", &["update", "-qq"])?;
    crate::run("apt-get", &["install", "-y", "-qq", "--no-install-recommends", package])
}

fn is_root() -> bool {
    std::process::Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
