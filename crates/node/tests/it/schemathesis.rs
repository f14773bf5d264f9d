//! Requests that [Schemathesis](https://schemathesis.io) draws from the node's own description,
//! right and wrong ones: none is answered with a 5xx, and every answer is as described.

use std::process::Command;

use crate::{clients, smart::node_with};

/// How long it goes on for each caller, in seconds.
const RUN_S: &str = "15";

/// Who asks. With a token that may not, most answers would be refusals.
const CALLERS: [&[&str]; 4] =
    [&[], &["--operator"], &["--staff", "dr.drawn"], &["--system", "drawn"]];

#[test]
fn what_is_drawn_from_the_description_is_answered_as_described() {
    let Some(schemathesis) = clients::schemathesis() else { return };
    let node = node_with("");
    for caller in CALLERS {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Command::new(&schemathesis);
        run.current_dir(folder.path()).args(["--no-color", "run"]);
        run.arg(format!("{}/carestone/v1/openapi.json", node.url));
        run.args(["--seed", "1", "--max-time", RUN_S, "--max-examples", "20", "--no-shrink"]);
        run.args(["--phases", "examples,coverage,fuzzing", "--checks", CHECKS]);
        run.args(["--continue-on-failure", "--generation-database", "none"]);
        run.args(["--request-timeout", "60", "--warnings", "off"]);
        if !caller.is_empty() {
            run.arg("--header").arg(format!("Authorization: Bearer {}", node.token(caller)));
        }
        let output = run.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        println!("{caller:?}\n{told}");
        assert!(output.status.success(), "{caller:?}: {told}");
    }
    assert_eq!(node.send("GET", "/readyz", None, &[], b"").status, 200);
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";
