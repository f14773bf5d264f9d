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
    /// What it calls itself, as in `Patient/p1`; empty if it does not say.
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
    let mut list = List { parts: Vec::new(), text: Vec::new() };
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
                    list.push(item, &issues);
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
struct List {
    parts: Vec<Vec<u8>>,
    text: Vec<u8>,
}

impl List {
    fn push(&mut self, item: &Item, issues: &[Issue]) {
        let issues: Vec<Issue> = issues
            .iter()
            .take(limits::IMPORT_ISSUES_MAX)
            .map(|issue| of_line(item, issue.clone()))
            .collect();
        self.text.extend(fhir::outcome(&issues).to_string().into_bytes());
        self.text.push(b'\n');
        if self.text.len() >= limits::IMPORT_PART_BYTES {
            self.parts.push(std::mem::take(&mut self.text));
        }
    }

    fn ended(mut self) -> Vec<Vec<u8>> {
        if !self.text.is_empty() {
            self.parts.push(self.text);
        }
        self.parts
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
    let said: String = issue.diagnostics.chars().take(limits::IMPORT_ISSUE_CHARS_MAX).collect();
    Issue { expression, diagnostics: format!("{line}: {said}"), ..issue }
}

/// A line that is refused for a reason of its import.
pub(super) fn refusal(code: IssueCode, text: impl Into<String>) -> Issue {
    Issue::error(code, "", text)
}
