//! `docs/api.md`, from the same data as everything else.

use super::{GROUPS, openapi::INTRODUCTION, operation::Operation};

/// The page.
pub fn markdown() -> String {
    let groups = GROUPS.iter().map(|group| {
        let rows: String = group.operations.iter().map(row).collect();
        let head = "| request | who | what |\n|---|---|---|";
        format!("\n## {}\n\n{}\n\n{head}\n{rows}", group.title, folded(&linked(group.text)))
    });
    let introduction = folded(&linked(INTRODUCTION));
    format!("# Endpoints\n\n{}\n\n{introduction}\n{}", folded(SERVED), groups.collect::<String>())
}

fn row(operation: &Operation) -> String {
    let text = match operation.text {
        "" => String::new(),
        text => format!(". {}", linked(text)),
    };
    let (method, path, who) = (operation.method, operation.path, operation.who.words);
    format!("| `{method} {path}` | {who} | {}{text} |\n", operation.title)
}

/// Names of pages, as in `docs/smart.md`, as links.
fn linked(text: &str) -> String {
    let mut parts = text.split('`');
    let mut linked = parts.next().unwrap_or_default().to_owned();
    // Every other part stands between ticks.
    while let Some(quoted) = parts.next() {
        linked.push_str(&match quoted {
            "spec/formats.md" => "[spec/formats.md](../spec/formats.md)".to_owned(),
            _ => match quoted.strip_prefix("docs/") {
                Some(page) => format!("[{page}]({page})"),
                None => format!("`{quoted}`"),
            },
        });
        linked.push_str(parts.next().unwrap_or_default());
    }
    linked
}

/// Lines of at most 110 characters, broken at spaces.
fn folded(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if line.len() + word.len() >= 110 {
            lines.push(word.to_owned());
        } else if line.is_empty() {
            line.push_str(word);
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n")
}

const SERVED: &str = "Every endpoint, in short. A running node serves the whole of it: for people \
     at `/carestone/v1/reference`, with parameters, bodies, answers and examples; for programs at \
     `/carestone/v1/openapi.json`, as OpenAPI 3.1. All three are made from the same data, and this \
     page by a test (`UPDATE_DOCS=1`). How to connect what a hospital has: \
     [integrating.md](integrating.md). What the clients of others do with it: \
     [clients.md](clients.md). What each kind of bad input is answered with: \
     [bad-input.md](bad-input.md).";

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    #[test]
    fn the_page_of_the_documentation_is_that_of_the_data() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
        let page = super::markdown();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &page).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), page, "renew it with UPDATE_DOCS=1");
    }
}
