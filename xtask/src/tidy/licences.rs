//! Which licences may come in. Copyleft that reaches our own code may not.

use serde_json::Value;

use super::{Finding, is_ours, packages, text};

/// Licences that ask for no more than notices.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0", // file-level copyleft: holds for its own unchanged files only
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks that every package can be used under allowed licences.
pub fn check(metadata: &Value) -> Vec<Finding> {
    let foreign = packages(metadata).filter(|package| !is_ours(package));
    foreign
        .filter(|package| !is_allowed(text(package, "license")))
        .map(|package| {
            Finding(format!(
                "`{} {}` has licence `{}`, which is not on the list in xtask/src/tidy/licences.rs",
                text(package, "name"),
                text(package, "version"),
                text(package, "license")
            ))
        })
        .collect()
}

/// Whether an SPDX expression can be met with allowed licences alone.
fn is_allowed(expression: &str) -> bool {
    let mut parser = Parser { words: words(expression), at: 0 };
    !expression.is_empty() && parser.any() && parser.at == parser.words.len()
}

/// The words and brackets of an expression; `/` means `OR`, and `WITH` joins its neighbours.
fn words(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words: Vec<String> = Vec::new();
    let mut parts = spaced.split_whitespace();
    while let Some(part) = parts.next() {
        match (part, words.last_mut()) {
            ("WITH", Some(licence)) => {
                *licence = format!("{licence} WITH {}", parts.next().unwrap_or(""));
            }
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// A recursive descent over `OR`, `AND` and brackets; each level says whether it is allowed.
struct Parser {
    words: Vec<String>,
    at: usize,
}

impl Parser {
    fn any(&mut self) -> bool {
        let mut allowed = self.all();
        while self.take("OR") {
            allowed |= self.all();
        }
        allowed
    }

    fn all(&mut self) -> bool {
        let mut allowed = self.one();
        while self.take("AND") {
            allowed &= self.one();
        }
        allowed
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let allowed = self.any();
            return self.take(")") && allowed;
        }
        let licence = self.words.get(self.at).cloned().unwrap_or_default();
        self.at += 1;
        ALLOWED.contains(&licence.as_str())
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn expressions_are_judged_by_what_they_allow() {
        let cases = [
            ("MIT", true),
            ("MIT OR GPL-3.0-only", true),
            ("MIT/Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("MIT AND GPL-3.0-only", false),
            ("Apache-2.0 WITH LLVM-exception OR MIT", true),
            ("AGPL-3.0", false),
            ("(MIT", false),
            ("", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(is_allowed(expression), expected, "{expression}");
        }
    }
}
