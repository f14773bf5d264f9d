//! Clients that others wrote, from their registries: exactly the versions of the lock files beside
//! this file, installed once below the target folder. A test that cannot have them says so, loudly.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{
    backend,
    keys::{Key, toml_keys},
    node::Node,
};

/// The oldest major version of Node.js that the clients run in.
const NODE_JS_MIN: u32 = 20;

/// The folder with `node_modules` and our scripts beside it, if Node.js and the packages can be
/// had.
pub fn javascript() -> Option<PathBuf> {
    let scripts = ["steps.mjs", "fhir_kit.mjs", "medplum.mjs"];
    let install = npm_ci;
    let found = node_js().and_then(|()| {
        installed("clients-javascript", &["package.json", "package-lock.json"], &scripts, install)
    });
    found.inspect_err(|why| eprintln!("SKIPPED: {why}; `cargo xtask setup` installs Node.js")).ok()
}

/// The Python that has the packages, if it can be had.
pub fn python() -> Option<PathBuf> {
    let found = installed("clients-python", &["requirements.txt"], &[], |folder| {
        venv(folder, "requirements.txt")
    });
    let found = found.map(|folder| folder.join("venv/bin/python"));
    found.inspect_err(|why| eprintln!("SKIPPED: {why}; it needs python3-venv and PyPI")).ok()
}

/// Schemathesis, which draws requests from a description, if it can be had.
pub fn schemathesis() -> Option<PathBuf> {
    let found = installed("schemathesis", &["schemathesis.txt"], &[], |folder| {
        venv(folder, "schemathesis.txt")
    });
    let found = found.map(|folder| folder.join("venv/bin/st"));
    found.inspect_err(|why| eprintln!("SKIPPED: {why}; it needs python3-venv and PyPI")).ok()
}

/// The folder with every example of HL7's for R4, if the package can be had.
pub fn r4_examples() -> Option<PathBuf> {
    let manifest = ["r4-examples/package.json", "r4-examples/package-lock.json"];
    let install = |folder: &Path| npm_ci(&folder.join("r4-examples"));
    let found = installed("clients-r4-examples", &manifest, &[], install);
    let found = found.map(|folder| folder.join("r4-examples/node_modules/hl7.fhir.r4.examples"));
    found.inspect_err(|why| eprintln!("SKIPPED: {why}; it needs npm and its registry")).ok()
}

/// Installs exactly what the lock file names.
fn npm_ci(folder: &Path) -> Result<(), String> {
    let npm = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"];
    succeed(Command::new("npm").args(npm).arg("--prefix").arg(folder)).map(drop)
}

/// Where our scripts and the lock files are.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients")
}

/// Lets a script take its client through all its steps at a node of its own, as a service that
/// delivers and reads. What comes of each step is a row of `docs/clients.md`.
pub fn exercise(mut script: Command, credential: impl Fn(&Node, &Key) -> String) {
    let key = Key::p384("ehr");
    let node = Node::start_with(&format!(
        "[[roles]]\nname = \"ehr\"\nmay_deliver = true\n[[clients]]\nid = \"ehr\"\n\
         kind = \"backend\"\nrole = \"ehr\"\njwks = {}\nscopes = \"system/*.cruds\"\n",
        toml_keys(&[&key])
    ));
    script.args([format!("{}/fhir", node.url), credential(&node, &key)]);
    let output = script.output().unwrap();
    let (rows, errors) = words(&output);
    println!("{rows}");
    assert!(output.status.success(), "{rows}{errors}");
    let documented = include_str!("../../../../docs/clients.md");
    let client = rows.split_inclusive(" | ").next().unwrap();
    let of_client = documented.lines().filter(|line| line.starts_with(client));
    let documented: Vec<&str> = of_client.collect();
    assert_eq!(rows.lines().collect::<Vec<_>>(), documented, "left is true: put it into the page");
}

/// An access token, for clients that are given one.
pub fn token(node: &Node, key: &Key) -> String {
    backend::token(node, key, "ehr", "system/*.cruds")
}

fn node_js() -> Result<(), String> {
    let output = succeed(Command::new("node").arg("--version"))?;
    let (version, _) = words(&output);
    let major = version.trim().trim_start_matches('v').split('.').next().unwrap_or_default();
    match major.parse::<u32>() {
        Ok(major) if major >= NODE_JS_MIN => Ok(()),
        _ => Err(format!("Node.js {version} is older than {NODE_JS_MIN}")),
    }
}

/// A Python of its own with exactly what a lock file names.
fn venv(folder: &Path, lock: &str) -> Result<(), String> {
    let venv = folder.join("venv");
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--retries=1", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
    succeed(pip.arg("-r").arg(folder.join(lock))).map(drop)
}

/// A folder with what the manifest names, installed once, and with our scripts as they are now.
/// Tests are processes: one looks at a time.
fn installed(
    name: &str,
    manifest: &[&str],
    scripts: &[&str],
    install: impl Fn(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    // npm takes a folder behind a link for another package than its own.
    let folder = folder.canonicalize().unwrap();
    let turn = File::create(folder.join("turn")).unwrap();
    turn.lock().unwrap();
    let done = folder.join("done");
    if manifest.iter().any(|file| differs(file, &folder)) {
        // What is there in part must not pass for the whole.
        let _ = fs::remove_file(&done);
        manifest.iter().for_each(|file| copy(file, &folder));
    }
    if !done.exists() {
        install(&folder)?;
        fs::write(done, "").unwrap();
    }
    scripts.iter().for_each(|script| copy(script, &folder));
    Ok(folder)
}

/// Whether a file of ours is not there, or not as it is now.
fn differs(file: &str, folder: &Path) -> bool {
    !fs::read(folder.join(file)).is_ok_and(|there| there == fs::read(sources().join(file)).unwrap())
}

/// Copies a file of ours unless it is there already: another test may run it now.
fn copy(file: &str, folder: &Path) {
    if differs(file, folder) {
        let there = folder.join(file);
        fs::create_dir_all(there.parent().unwrap()).unwrap();
        fs::copy(sources().join(file), there).unwrap();
    }
}

fn succeed(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name} cannot start: {error}"))?;
    let (_, errors) = words(&output);
    if output.status.success() { Ok(output) } else { Err(format!("{name} fails: {errors}")) }
}

fn words(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}
