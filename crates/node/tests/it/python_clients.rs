//! Real clients in Python: what their users do with them, at a node of their own.

use std::process::Command;

use crate::{
    backend,
    clients::{exercise, python, sources, token},
    keys::Key,
    node::Node,
};

#[test]
fn an_integrator_works_with_fhirpy() {
    run("fhirpy_client.py", token);
}

#[test]
fn an_integrator_works_with_the_typed_models_of_fhirclient() {
    // It signs on by itself, as a backend service.
    run("fhirclient_client.py", |node, key| backend::assertion(node, key, "ehr"));
}

fn run(script: &str, credential: impl Fn(&Node, &Key) -> String) {
    let Some(python) = python() else { return };
    let mut command = Command::new(python);
    // Nothing is written beside our sources.
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(sources().join(script));
    exercise(command, credential);
}
