//! Codes outside the value sets that R4 requires.
//!
//! All required bindings of elements of resources are checked, also deep inside, but those to value
//! sets of more than 60 codes (types, units of time, languages). Elements of data types, such as
//! `HumanName.use`, are not.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::issue::{Issue, IssueCode};
use crate::resource::Resource;
use crate::table::rows;

pub(super) fn check(resource: &Resource) -> Vec<Issue> {
    let mut issues = Vec::new();
    for binding in BINDINGS.get(resource.type_name()).into_iter().flatten() {
        binding.walk(resource.value(), resource.type_name(), &binding.steps, &mut issues);
    }
    issues
}

struct Binding {
    /// The way to the element from the resource.
    steps: Vec<&'static str>,
    codes: &'static str,
}

impl Binding {
    /// Follows the way through objects and arrays. The place is only written where something is
    /// wrong, or where the way goes through many.
    fn walk(&self, value: &Value, place: &str, steps: &[&str], issues: &mut Vec<Issue>) {
        let Some((step, rest)) = steps.split_first() else {
            return self.element(value, place, issues);
        };
        let Some(inside) = value.get(step) else { return };
        let place = || format!("{place}.{step}");
        match inside {
            Value::Array(items) => {
                let place = place();
                for (index, item) in items.iter().enumerate() {
                    self.walk(item, &format!("{place}[{index}]"), rest, issues);
                }
            }
            // The most frequent: a code that is right.
            Value::String(code) if rest.is_empty() && self.allows(code) => {}
            inside => self.walk(inside, &place(), rest, issues),
        }
    }

    /// A code, or a concept. In a concept one coding of the right system is enough; others may
    /// stand beside it.
    fn element(&self, element: &Value, place: &str, issues: &mut Vec<Issue>) {
        if let Value::String(code) = element {
            return issues.extend(self.issue(code, place.to_owned()));
        }
        let codings = element["coding"].as_array().into_iter().flatten().enumerate();
        let of_hl7: Vec<(usize, &str)> = codings
            .filter(|(_, coding)| {
                coding["system"].as_str().is_some_and(|system| system.starts_with(HL7_SYSTEMS))
            })
            .filter_map(|(index, coding)| Some((index, coding["code"].as_str()?)))
            .collect();
        if of_hl7.iter().any(|(_, code)| self.allows(code)) {
            return;
        }
        let place = |index| format!("{place}.coding[{index}].code");
        issues.extend(of_hl7.iter().filter_map(|(index, code)| self.issue(code, place(index))));
    }

    fn allows(&self, code: &str) -> bool {
        self.codes.split_ascii_whitespace().any(|allowed| allowed == code)
    }

    fn issue(&self, code: &str, place: String) -> Option<Issue> {
        if self.allows(code) {
            return None;
        }
        let codes: Vec<&str> = self.codes.split_ascii_whitespace().collect();
        let text = format!("`{code}` is not allowed here: use one of {}", codes.join(", "));
        Some(Issue::error(IssueCode::Value, place, text))
    }
}

/// The bindings by the type of the resource.
static BINDINGS: LazyLock<HashMap<&'static str, Vec<Binding>>> = LazyLock::new(|| {
    let mut bindings: HashMap<&str, Vec<Binding>> = HashMap::new();
    for row in rows(TABLE) {
        let Some((paths, codes)) = row.split_once(" :") else { continue };
        for path in paths.split_ascii_whitespace() {
            let mut steps = path.split('.');
            let of_type = steps.next().unwrap_or_default();
            bindings.entry(of_type).or_default().push(Binding { steps: steps.collect(), codes });
        }
    }
    bindings
});

const HL7_SYSTEMS: &str = "http://terminology.hl7.org/CodeSystem/";

const TABLE: &str = include_str!("bindings.txt");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ResourceType;

    #[test]
    fn the_table_is_read_whole() {
        let bindings: usize = BINDINGS.values().map(Vec::len).sum();
        assert_eq!(bindings, TABLE.lines().flat_map(str::split_whitespace).filter(is_path).count());
        for (of_type, bindings) in BINDINGS.iter() {
            assert!(ResourceType::parse(of_type).is_some(), "{of_type}");
            assert!(bindings.iter().all(|one| one.codes.contains(char::is_alphanumeric)));
        }
    }

    fn is_path(word: &&str) -> bool {
        word.starts_with(|letter: char| letter.is_ascii_uppercase()) && word.contains('.')
    }
}
