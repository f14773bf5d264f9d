//! A node says what is wrong with its folder, and what to do.

use std::fs;

use crate::node::{carestone, stdout};

/// Changes the folder of a new node, runs it, and gives the words it ends with.
fn words_of(change: impl Fn(&std::path::Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    assert!(carestone(&["init", "--name", "A", "--data", data]).status.success());
    change(data.as_ref());
    let output = carestone(&["run", "--data", data]);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn an_unknown_key_is_an_error_with_a_suggestion() {
    let words = words_of(|data| {
        let path = data.join("carestone.toml");
        let text = fs::read_to_string(&path).unwrap() + "heartbeat = 5\n";
        fs::write(path, text).unwrap();
    });
    assert!(words.contains("unknown key `heartbeat`; did you mean `heartbeat_ms`?"), "{words}");
}

#[test]
fn a_rule_of_quality_that_is_not_known_is_an_error_with_a_suggestion() {
    for (rule, error) in [
        ("dangling-references = \"off\"", "did you mean `dangling-reference`?"),
        ("dangling-reference = \"ignore\"", "`refuse`, `quarantine`, `flag`, `off`"),
        ("sources.\"feed:x\".same = \"off\"", "unknown key `quality.sources.feed:x.same`"),
        ("sources.\"feed:x\" = \"off\"", "names checks and actions"),
    ] {
        let words = words_of(|data| {
            let path = data.join("carestone.toml");
            let text = fs::read_to_string(&path).unwrap() + "[quality]\n" + rule + "\n";
            fs::write(path, text).unwrap();
        });
        assert!(words.contains(error), "{rule}: {words}");
    }
}

#[test]
fn a_missing_genesis_says_how_to_get_one() {
    let words = words_of(|data| fs::remove_file(data.join("genesis.json")).unwrap());
    assert!(words.contains("carestone genesis"), "{words}");
}

#[test]
fn a_key_of_another_node_is_not_taken_for_a_member() {
    let words = words_of(|data| fs::write(data.join("node.key"), "07".repeat(32)).unwrap());
    assert!(words.contains("not among the members"), "{words}");
}

#[test]
fn a_folder_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    assert!(carestone(&["init", "--name", "A", "--data", data]).status.success());
    let before = fs::read(folder.path().join("node.key")).unwrap();
    assert!(!carestone(&["init", "--name", "B", "--data", data]).status.success());
    assert_eq!(fs::read(folder.path().join("node.key")).unwrap(), before);
}

#[test]
fn apps_are_registered_listed_and_forgotten_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    stdout(&carestone(&["init", "--name", "x", "--data", data]));
    let add = |id: &str, redirect: &str, more: &[&str]| {
        let fixed = ["client", "add", id, "--data", data, "--redirect", redirect];
        carestone(&[&fixed, &["--scopes", "patient/*.rs", "--json"][..], more].concat())
    };
    let secret = stdout(&add("board", "https://board.example/", &["--confidential"]));
    let secret: serde_json::Value = serde_json::from_str(&secret).unwrap();
    assert_eq!(secret["secret"].as_str().unwrap().len(), 64);
    stdout(&add("chart", "https://chart.example/", &["--name", "Growth \"chart\""]));
    // What a node would not start with is not written.
    assert!(!add("chart", "https://chart.example/", &[]).status.success());
    assert!(!add("other", "http://other.example/", &[]).status.success());
    let list = || stdout(&carestone(&["client", "list", "--data", data]));
    assert_eq!(list(), "board (confidential): patient/*.rs\nchart (public): patient/*.rs\n");
    assert!(!carestone(&["client", "remove", "other", "--data", data]).status.success());
    stdout(&carestone(&["client", "remove", "board", "--data", data]));
    assert_eq!(list(), "chart (public): patient/*.rs\n");
}
