//! What became of the lines of one step: counted, and told where a line was refused.

use bytes::Bytes;
use fhir::{Issue, IssueCode};
use vault::{JobPart, Token};

use super::state::{self, Place, State};
use crate::{Became, EntryOutcome, Member, limits};

/// A line that is filed in this step.
pub(super) struct Item {
    /// Its number in its input, from 1.
    pub number: u64,
    /// Where the next line begins.
    pub end: u64,
    /// The start of what it calls itself, as in `Patient/p1`; empty if it does not say.
    pub name: String,
    /// What is to be filed, or why it is refused before anybody looks closer.
    pub text: Result<Bytes, Issue>,
}

/// How far an import is after a step, and what is kept of it: by what became of those lines that
/// were looked at, in their order.
pub(super) fn after(
    (member, job): (&Member, Token),
    before: &State,
    items: &[Item],
    entries: &[EntryOutcome],
    next: Place,
) -> (State, Vec<JobPart>) {
    let mut state = State { place: next, ..before.clone() };
    let place = before.place.input as usize;
    let mut list = List::default();
    let mut entries = entries.iter();
    for item in items {
        let said = match &item.text {
            Ok(_) => entries.next().expect("every line that was looked at has an outcome").clone(),
            Err(issue) => EntryOutcome::Refused(vec![issue.clone()]),
        };
        let input = &mut state.inputs[place];
        let counts = &mut input.counts;
        match said {
            EntryOutcome::Done(Became::Filed(filed)) if filed.version == 1 => counts.created += 1,
            EntryOutcome::Done(Became::Filed(_)) => counts.updated += 1,
            EntryOutcome::Done(Became::Kept(_) | Became::Absent) => counts.unchanged += 1,
            EntryOutcome::Waits(_) => counts.waiting += 1,
            EntryOutcome::Asks(_) => unreachable!("a line is put, it does not ask"),
            EntryOutcome::Refused(issues) => {
                counts.refused += 1;
                if input.listed < limits::IMPORT_OUTCOMES_MAX {
                    input.listed += 1;
                    list.push(&listed(item, &issues));
                }
            }
        }
    }
    let input = &mut state.inputs[place];
    let mut parts = Vec::new();
    for text in list.ended() {
        parts.push(state::seal(member, job, state::part_of(place, input.parts), &text));
        input.parts += 1;
    }
    parts.push(state.seal(member, job));
    (state, parts)
}

/// Refused lines, as NDJSON of OperationOutcomes, in parts that are not too long.
#[derive(Default)]
struct List {
    parts: Vec<Vec<u8>>,
    text: Vec<u8>,
}

impl List {
    fn push(&mut self, line: &[u8]) {
        if self.text.len() + line.len() > limits::IMPORT_PART_BYTES {
            self.parts.push(std::mem::take(&mut self.text));
        }
        self.text.extend_from_slice(line);
    }

    fn ended(mut self) -> Vec<Vec<u8>> {
        if !self.text.is_empty() {
            self.parts.push(self.text);
        }
        self.parts
    }
}

/// A refused line as it is listed: with as many of its issues as there is room for.
fn listed(item: &Item, issues: &[Issue]) -> Vec<u8> {
    let issues = issues.iter().take(limits::IMPORT_ISSUES_MAX);
    let mut issues: Vec<Issue> = issues.map(|issue| of_line(item, issue.clone())).collect();
    loop {
        let line = format!("{}\n", fhir::outcome(&issues)).into_bytes();
        // One alone always fits: see below.
        if line.len() <= limits::IMPORT_REFUSED_BYTES_MAX || issues.len() <= 1 {
            return line;
        }
        issues.pop();
    }
}

/// An issue of a step, told of its line: `Bundle.entry[3].resource.status` is `Patient.status`.
fn of_line(item: &Item, issue: Issue) -> Issue {
    let kind = item.name.split('/').next().unwrap_or_default();
    let expression = match issue.expression.split_once("].resource.") {
        Some((_, inside)) if !kind.is_empty() => format!("{kind}.{inside}"),
        _ if issue.expression.starts_with("Bundle.entry[") => kind.to_owned(),
        _ => issue.expression,
    };
    let line = match item.name.as_str() {
        "" => format!("line {}", item.number),
        name => format!("line {} ({name})", item.number),
    };
    let said = start_of(&issue.diagnostics, limits::IMPORT_ISSUE_CHARS_MAX);
    let expression = start_of(&expression, limits::IMPORT_NAME_CHARS_MAX);
    Issue { expression, diagnostics: format!("{line}: {said}"), ..issue }
}

/// The first characters of a text that somebody else wrote.
pub(super) fn start_of(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

/// A line that is refused for a reason of its import.
pub(super) fn refusal(code: IssueCode, text: impl Into<String>) -> Issue {
    Issue::error(code, "", text)
}

// One issue alone fits: a character has at most six bytes in JSON (`\u0001`).
const _: () = {
    let chars = limits::IMPORT_ISSUE_CHARS_MAX + 2 * limits::IMPORT_NAME_CHARS_MAX;
    assert!(6 * chars + 1_024 <= limits::IMPORT_REFUSED_BYTES_MAX);
};

// A step in which every line is refused fits into one batch, its parts but the last not shorter
// than a part without a line; the state of the import is one more.
const _: () = {
    let step = limits::IMPORT_STEP_LINES * limits::IMPORT_REFUSED_BYTES_MAX;
    let shortest = limits::IMPORT_PART_BYTES - limits::IMPORT_REFUSED_BYTES_MAX;
    assert!(step / shortest + 2 <= vault::limits::BATCH_JOB_PARTS_MAX);
    assert!(limits::IMPORT_PART_BYTES + 1_024 <= vault::limits::JOB_PART_BYTES_MAX);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_refused_lines_is_as_long_as_it_may_be_whatever_they_say() {
        let texts = ["\u{1}", "\u{10ffff}", "\"", "x", ""].map(|text| text.repeat(4_999));
        let mut list = List::default();
        for at in 0..limits::IMPORT_STEP_LINES {
            let text = &texts[at % texts.len()];
            let name = start_of(text, limits::IMPORT_NAME_CHARS_MAX);
            let item = Item { number: u64::MAX, end: 0, name, text: Ok(Bytes::new()) };
            let place = format!("Bundle.entry[3].resource.{text}");
            let issue = Issue::error(IssueCode::BusinessRule, place, text.as_str());
            let line = listed(&item, &vec![issue; 20]);
            assert!(line.len() <= limits::IMPORT_REFUSED_BYTES_MAX, "{at}: {}", line.len());
            list.push(&line);
        }
        let parts = list.ended();
        assert!(parts.len() < vault::limits::BATCH_JOB_PARTS_MAX, "{}", parts.len());
        assert!(parts.iter().all(|part| part.len() <= limits::IMPORT_PART_BYTES));
        let lines: usize = parts
            .iter()
            .map(|part| part.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count())
            .sum();
        assert_eq!(lines, limits::IMPORT_STEP_LINES);
    }
}
