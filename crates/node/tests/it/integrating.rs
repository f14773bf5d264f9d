//! The guide for integrators, run as it is written: every block of shell in
//! `docs/integrating.md`, from top to bottom, with ports that are free.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use crate::node::free_port;

#[test]
fn the_guide_for_integrators_works_as_it_is_written() {
    for tool in ["bash", "curl", "openssl"] {
        let found = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: the guide needs {tool}");
            return;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fhir/testdata");
    let ports = [free_port(), free_port(), free_port()].map(|port| port.to_string());
    let init = "carestone init";
    let own_ports = format!("{init} --peer 127.0.0.1:{} --http 127.0.0.1:{}", ports[0], ports[1]);
    let script = blocks(include_str!("../../../../docs/integrating.md"))
        .replace("crates/fhir/testdata", samples.to_str().unwrap())
        .replace(init, &own_ports)
        .replace("localhost:8400", &format!("localhost:{}", ports[1]))
        .replace("127.0.0.1:2575", &format!("127.0.0.1:{}", ports[2]));
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n{script}");
    let binaries = Path::new(env!("CARGO_BIN_EXE_carestone")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(script).current_dir(folder.path()).env("PATH", path);
    let output = bash.env_remove("CARESTONE_TOKEN").output().unwrap();
    let (told, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{errors}");
    for expected in
        ["Penicillin", "van der M\u{fc}ller", "1 accepted", "60591-5", "smart/authorize"]
    {
        assert!(told.contains(expected), "`{expected}` is not in:\n{told}");
    }
}

/// What stands in the blocks of shell.
fn blocks(page: &str) -> String {
    let blocks = page.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}
