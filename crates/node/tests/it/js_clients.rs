//! Real clients in JavaScript: what their users do with them, at a node of their own.

use std::process::Command;

use crate::clients::{exercise, javascript, token};

#[test]
fn an_integrator_works_with_fhir_kit_client() {
    run("fhir_kit.mjs");
}

#[test]
fn an_integrator_works_with_medplum() {
    run("medplum.mjs");
}

fn run(script: &str) {
    let Some(folder) = javascript() else { return };
    let mut node_js = Command::new("node");
    // A client that can also subscribe looks for WebSocket, which Node.js 20 has behind a flag.
    node_js.arg("--experimental-websocket").arg(folder.join(script));
    exercise(node_js, token);
}
