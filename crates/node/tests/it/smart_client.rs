//! A real client: an app written with `fhirclient`, the JavaScript library of the SMART project, in
//! Node.js. Skipped loudly where Node.js or the library cannot be had.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    browser::{APP, Browser, Seen},
    clients,
    node::Node,
    smart::{CLIENTS, allow, node_with},
};

/// An app; it ends with the test.
struct App(Child);

impl Drop for App {
    fn drop(&mut self) {
        self.0.kill().expect("the app can be killed");
        self.0.wait().expect("the app ends");
    }
}

#[test]
fn an_app_written_with_fhirclient_signs_on_reads_and_refreshes() {
    let Some(library) = clients::javascript() else { return };
    let library = library.join("node_modules/fhirclient");
    let node = node_with(CLIENTS);
    let (_app, port) = start(&library, &node);
    let mut browser = Browser::default();
    let page = browser.follow("GET", &format!("http://127.0.0.1:{port}/launch"), "").page();
    let staff = node.token(&["--staff", "dr.okafor"]);
    let page = browser.submit(&node, &page, &[("token", &staff)]).page();
    let Seen::App(back) = allow(&node, &mut browser, &page, "p1") else { panic!("not back") };
    let back = back.replace(APP, &format!("http://127.0.0.1:{port}/app"));
    let Seen::Page { status, body } = browser.follow("GET", &back, "") else { panic!("{back}") };
    assert_eq!(status, 200, "{body}");
    let found: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        found,
        json!({
            "patient": "p1", "observations": ["lab1", "vital1"], "refused": 403, "refreshed": "p1",
            "user": null,
        })
    );
}

fn start(library: &Path, node: &Node) -> (App, u16) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients/smart.cjs");
    let scope = "openid offline_access launch/patient patient/Patient.rs patient/Observation.rs";
    let child = Command::new("node")
        .arg(script)
        .arg(library)
        .args([&format!("{}/fhir", node.url), APP, scope])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut app = App(child);
    let mut line = String::new();
    BufReader::new(app.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (app, line.trim().parse().unwrap())
}
