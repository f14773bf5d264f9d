//! One step of an import after the other: fetch an input, count the lines, file some of them.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
};

use fhir::{Issue, IssueCode, resource::head};
use vault::{Batch, JobPart, RecordId, Token};

use super::{
    Import, Imports, Why,
    outcome::{Item, after, refusal, start_of},
    spool::{self, Line, LineReader, Spooled},
    state::{Ended, Place, State},
};
use crate::{EntryOutcome, FlowError, Member, filing::Aside, ingest::Lines, limits};

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to do.
    More,
    /// It cannot go on now: try again after so many milliseconds.
    Later(u64),
    /// There is nothing more to do.
    Ended,
}

/// What a step works with.
pub(super) struct Work {
    state: State,
    brought: Option<Brought>,
    lines: Option<LineReader>,
    /// A line that was read and belongs to the next step.
    ahead: Option<Line>,
    /// How often the input that comes next was asked for.
    fetches: u32,
    /// How often in a row an input could not be read.
    failed_reads: u32,
}

impl Work {
    pub fn new(state: State) -> Self {
        Self { state, brought: None, lines: None, ahead: None, fetches: 0, failed_reads: 0 }
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Forgets what was read: it is read again from where the import is.
    fn rewind(&mut self) {
        (self.lines, self.ahead) = (None, None);
    }

    /// Whether a step that was not done ends its import, and why; else it is tried again.
    fn gives_up(&mut self, failed: Failed) -> Option<Why> {
        match failed {
            Failed::Ends(why) => Some(why),
            Failed::Flow(error) if error.is_fatal() => Some(Why {
                for_sender: "this node failed at it: its operator finds why in the log".to_owned(),
                for_log: error.to_string(),
            }),
            Failed::Flow(error) => {
                tracing::info!(%error, "an import waits");
                None
            }
            Failed::Read(error) => {
                self.failed_reads += 1;
                if !is_lost(&error) && self.failed_reads < limits::IMPORT_READS_MAX {
                    tracing::warn!(%error, "an input cannot be read now");
                    return None;
                }
                let text = format!("an input that was here cannot be read any more: {error}");
                Some(text.into())
            }
        }
    }
}

/// The records that an import brings: eight bytes of the opaque name of each.
pub struct Brought(Vec<u64>);

impl Brought {
    fn of(mut names: Vec<u64>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self(names)
    }

    pub(crate) fn has(&self, record: RecordId) -> bool {
        self.0.binary_search(&short(record)).is_ok()
    }
}

fn short(record: RecordId) -> u64 {
    u64::from_le_bytes(*record.0.first_chunk().expect("8 of 16 bytes"))
}

/// Why a step was not done.
enum Failed {
    /// The story says why: it may be tried again, or has failed for good.
    Flow(FlowError),
    /// An input that is here cannot be read.
    Read(io::Error),
    /// The import cannot go on.
    Ends(Why),
}

impl Failed {
    fn ends(why: impl Into<String>) -> Self {
        Failed::Ends(Why::from(why.into()))
    }
}

impl From<FlowError> for Failed {
    fn from(error: FlowError) -> Self {
        Failed::Flow(error)
    }
}

impl From<vault::VaultError> for Failed {
    fn from(error: vault::VaultError) -> Self {
        Failed::Flow(error.into())
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Read(error)
    }
}

/// Why an input was not fetched, and whether another try may come to another end.
struct Missed {
    why: Why,
    may_pass: bool,
}

/// Keeps how far an import is.
pub(super) fn keep(member: &Member, job: Token, state: &State) -> Result<(), FlowError> {
    let jobs = vec![state.seal(member, job)];
    member.vault.store(Batch { jobs, ..Batch::default() })?;
    Ok(())
}

impl Imports {
    /// Does the next step of an import. It blocks; whoever calls it again and again brings the
    /// import to its end, whatever is wrong with it: one that cannot go on, or at which this code
    /// panics, ends and says so.
    ///
    /// # Errors
    /// [`FlowError::Fatal`] if not even that can be kept: the vault has failed, and the process
    /// must end.
    pub fn step(&self, import: &Import) -> Result<Step, FlowError> {
        let mut work = import.work();
        if import.is_removed() || work.state.ended.is_some() {
            return Ok(Step::Ended);
        }
        // A panic leaves nothing half done: what is kept is stored in one step, and what is in
        // memory is looked at only to end the import.
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| self.next_step(import, &mut work)));
        let panicked = |_| Err(FlowError::Fatal("a step of an import panicked".to_owned()).into());
        match outcome.unwrap_or_else(panicked) {
            Ok(()) => {
                work.failed_reads = 0;
                if work.state.place.pass > LAST_PASS {
                    self.end(import, &mut work, None)?;
                }
            }
            Err(_) if import.is_removed() => return Ok(Step::Ended),
            Err(failed) => {
                work.rewind();
                match work.gives_up(failed) {
                    Some(why) => self.end(import, &mut work, Some(why))?,
                    None => return Ok(Step::Later(limits::IMPORT_LATER_MS)),
                }
            }
        }
        import.put_state(&work.state);
        Ok(if work.state.ended.is_some() { Step::Ended } else { Step::More })
    }

    fn next_step(&self, import: &Import, work: &mut Work) -> Result<(), Failed> {
        if let Some(input) = work.state.inputs.iter().position(|input| input.file.is_none()) {
            return self.fetch_input(import, work, input);
        }
        if work.brought.is_none() {
            return self.count_lines(import, work);
        }
        self.file_some(import, work)
    }

    /// The import is over; its inputs go.
    fn end(&self, import: &Import, work: &mut Work, why: Option<Why>) -> Result<(), FlowError> {
        if let Some(why) = &why {
            tracing::warn!(why = why.for_log, "an import came to no good end");
        }
        let why = why.map(|why| start_of(&why.for_sender, limits::IMPORT_WHY_CHARS_MAX));
        let at_ms = self.member.world.clock.now_ms();
        let mut state = State { ended: Some(Ended { at_ms, why }), ..work.state.clone() };
        state.inputs.iter_mut().for_each(|input| input.file = None);
        keep(&self.member, import.token, &state)?;
        self.remove_files(&work.state);
        *work = Work::new(state);
        Ok(())
    }

    // ---- inputs --------------------------------------------------------------------------

    fn fetch_input(&self, import: &Import, work: &mut Work, input: usize) -> Result<(), Failed> {
        let here = work.state.inputs.iter().filter_map(|input| input.file.as_ref());
        let room = limits::IMPORT_BYTES_MAX - here.map(|file| file.bytes()).sum::<u64>();
        let url = work.state.inputs[input].url.clone().unwrap_or_default();
        let number = input + 1;
        work.fetches += 1;
        match self.fetched(import, &url, room) {
            Ok(mut spooled) => {
                let mut state = work.state.clone();
                state.inputs[input].file = spooled.take();
                keep(&self.member, import.token, &state)?;
                (work.state, work.fetches) = (state, 0);
                Ok(())
            }
            Err(missed) if missed.may_pass && work.fetches < limits::IMPORT_FETCHES_MAX => {
                tracing::info!(number, why = missed.why.for_log, "an input is asked for again");
                Err(Failed::Flow(FlowError::Unavailable("an input cannot be fetched now")))
            }
            Err(Missed { why: Why { for_sender, for_log }, .. }) => Err(Failed::Ends(Why {
                for_sender: format!(
                    "input {number} ({url}) cannot be had: {for_sender}; nothing was filed"
                ),
                for_log: format!("input {number} cannot be had: {for_log}"),
            })),
        }
    }

    /// Fetches an input of at most so many bytes.
    fn fetched(&self, import: &Import, url: &str, bytes_max: u64) -> Result<Spooled, Missed> {
        let opened = self.fetch.open(url);
        let reader = opened.map_err(|why| Missed { why, may_pass: true })?;
        let is_given_up = || import.is_removed();
        let kept = spool::keep(&self.member, &self.folder, reader, bytes_max, &is_given_up);
        kept.map_err(|error| Missed {
            why: Why { for_sender: error.to_string(), for_log: error.for_log() },
            may_pass: error.may_pass(),
        })
    }

    /// Counts the lines and notes what they bring.
    fn count_lines(&self, import: &Import, work: &mut Work) -> Result<(), Failed> {
        let (mut lines, mut names) = (0, Vec::new());
        for input in &work.state.inputs {
            let Some(file) = &input.file else { continue };
            let mut reader = LineReader::open(&self.folder, file, Place::default())?;
            while let Some(line) = reader.next_line()? {
                if import.is_removed() {
                    return Err(Failed::ends("it was given up"));
                }
                lines += 1;
                if lines > limits::IMPORT_LINES_MAX {
                    let max = limits::IMPORT_LINES_MAX;
                    let why = format!("an import has at most {max} lines: nothing was filed");
                    return Err(Failed::ends(why));
                }
                if let (Some(kind), Some(id)) = head(line.text.as_deref().unwrap_or_default()) {
                    names.push(short(self.member.keys.record_id(&kind, &id)));
                }
            }
        }
        work.brought = Some(Brought::of(names));
        if work.state.lines.is_none() {
            let state = State { lines: Some(lines), ..work.state.clone() };
            keep(&self.member, import.token, &state)?;
            work.state = state;
        }
        Ok(())
    }

    // ---- lines ---------------------------------------------------------------------------

    fn file_some(&self, import: &Import, work: &mut Work) -> Result<(), Failed> {
        let (items, next) = self.next_items(import, work)?;
        if items.is_empty() {
            // Nothing came of it that had to be kept.
            work.state.place = next;
            return Ok(());
        }
        self.file_items(import, work, &items, next)
    }

    /// The next lines of this pass, all of one input, and what comes after them.
    fn next_items(&self, import: &Import, work: &mut Work) -> Result<(Vec<Item>, Place), Failed> {
        let mut place = work.state.place;
        let (mut items, mut bytes): (Vec<Item>, usize) = (Vec::new(), 0);
        loop {
            let Some(line) = self.next_line(work)? else {
                work.rewind();
                return Ok((items, after_input(place, work.state.inputs.len())));
            };
            if import.is_removed() {
                return Err(Failed::ends("it was given up"));
            }
            let (kind, id) = head(line.text.as_deref().unwrap_or_default());
            if pass_of(kind.as_deref()) != place.pass {
                (place.offset, place.line) = (line.end, line.number);
                continue;
            }
            let name = [kind.clone().unwrap_or_default(), id.unwrap_or_default()].join("/");
            let name = start_of(name.trim_matches('/'), limits::IMPORT_NAME_CHARS_MAX);
            let is_full =
                items.len() >= limits::IMPORT_STEP_LINES || bytes >= limits::IMPORT_STEP_BYTES;
            // Two versions of one record are two steps: the second follows the first.
            let is_twin = name.contains('/') && items.iter().any(|item| item.name == name);
            if is_full || is_twin {
                work.ahead = Some(line);
                return Ok((items, place));
            }
            (place.offset, place.line) = (line.end, line.number);
            bytes += line.text.as_ref().map_or(0, |text| text.len());
            items.push(item(&work.state, line, kind.as_deref(), name));
        }
    }

    fn next_line(&self, work: &mut Work) -> io::Result<Option<Line>> {
        if let Some(line) = work.ahead.take() {
            return Ok(Some(line));
        }
        let place = work.state.place;
        let input = &work.state.inputs[place.input as usize];
        let (Some(file), lines) = (&input.file, &mut work.lines) else { return Ok(None) };
        match lines {
            Some(lines) => lines.next_line(),
            None => lines.insert(LineReader::open(&self.folder, file, place)?).next_line(),
        }
    }

    /// Files lines in one step, or if that cannot be done one by one: then what is wrong with one
    /// is told of that one.
    fn file_items(
        &self,
        import: &Import,
        work: &mut Work,
        items: &[Item],
        next: Place,
    ) -> Result<(), Failed> {
        match self.file_step(import, work, items, next) {
            Err(Failed::Flow(error)) if !is_passing(&error) && items.len() > 1 => {}
            outcome => return outcome,
        }
        for (at, item) in items.iter().enumerate() {
            let is_last = at + 1 == items.len();
            let here = Place { offset: item.end, line: item.number, ..work.state.place };
            let here = if is_last { next } else { here };
            self.file_one(import, work, std::slice::from_ref(item), here)?;
        }
        Ok(())
    }

    fn file_one(
        &self,
        import: &Import,
        work: &mut Work,
        item: &[Item],
        next: Place,
    ) -> Result<(), Failed> {
        for _ in 1..limits::IMPORT_CONFLICTS_MAX {
            match self.file_step(import, work, item, next) {
                Err(Failed::Flow(FlowError::Conflict)) => {}
                Err(Failed::Flow(error)) if !is_passing(&error) => {
                    let issues = match error {
                        FlowError::Content(issues) | FlowError::Waits(issues) => issues,
                        error => vec![refusal(IssueCode::BusinessRule, error.to_string())],
                    };
                    return self.refuse(import, work, item, issues, next);
                }
                outcome => return outcome,
            }
        }
        let text = "others change it all the time: send it again";
        self.refuse(import, work, item, vec![refusal(IssueCode::Transient, text)], next)
    }

    /// Files lines, and keeps with them how far the import is then.
    fn file_step(
        &self,
        import: &Import,
        work: &mut Work,
        items: &[Item],
        next: Place,
    ) -> Result<(), Failed> {
        let Some(brought) = &work.brought else {
            return Err(Failed::ends("its lines were not counted"));
        };
        let whose = (&*self.member, import.token);
        let kept = |entries: &[EntryOutcome]| after(whose, &work.state, items, entries, next);
        let job = |entries: &[EntryOutcome]| -> Vec<JobPart> { kept(entries).1 };
        let texts: Vec<_> = items.iter().filter_map(|item| item.text.clone().ok()).collect();
        let entries = if texts.is_empty() {
            let job = |_: &[crate::Filed]| job(&[]);
            self.member.file_with(Vec::new(), Aside { job: Some(&job), ..Aside::default() })?;
            Vec::new()
        } else {
            let lines = Lines { brought, job: &job };
            self.member.ingest_lines(&work.state.owner, texts, lines)?.entries
        };
        work.state = kept(&entries).0;
        Ok(())
    }

    /// Refuses a line, and keeps that it was.
    fn refuse(
        &self,
        import: &Import,
        work: &mut Work,
        item: &[Item],
        issues: Vec<Issue>,
        next: Place,
    ) -> Result<(), Failed> {
        let entries = [EntryOutcome::Refused(issues)];
        let whose = (&*self.member, import.token);
        let (state, jobs) = after(whose, &work.state, item, &entries, next);
        self.member.vault.store(Batch { jobs, ..Batch::default() })?;
        work.state = state;
        Ok(())
    }
}

/// A line as it is filed, or why it is not.
fn item(state: &State, line: Line, kind: Option<&str>, name: String) -> Item {
    let Line { number, end, text } = line;
    let text = match (check(state, kind), text) {
        (Err(issue), _) => Err(issue),
        (Ok(()), Some(text)) => Ok(text),
        (Ok(()), None) => {
            let max = limits::IMPORT_LINE_BYTES_MAX;
            Err(refusal(IssueCode::TooLong, format!("a line has at most {max} bytes")))
        }
    };
    Item { number, end, name, text }
}

/// Whether a line of this type may come with this input, from this sender.
fn check(state: &State, kind: Option<&str>) -> Result<(), Issue> {
    // A line that says no type is refused with better words by who reads it.
    let Some(kind) = kind else { return Ok(()) };
    let input = &state.inputs[state.place.input as usize];
    if let Some(said) = input.kind.as_deref().filter(|said| *said != kind) {
        let text = format!("the input is said to have `{said}` alone: it has a {kind}");
        return Err(refusal(IssueCode::Invalid, text));
    }
    match &state.types {
        Some(types) if !types.contains(kind) => {
            let text = format!("no scope of the sender creates and updates {kind}");
            Err(refusal(IssueCode::Forbidden, text))
        }
        _ => Ok(()),
    }
}

/// Patients first: everything else is filed under one of them.
fn pass_of(kind: Option<&str>) -> u8 {
    u8::from(kind != Some("Patient"))
}

/// What comes after an input: the next one, or the next pass.
fn after_input(place: Place, inputs: usize) -> Place {
    let input = place.input + 1;
    match (input as usize) < inputs {
        true => Place { pass: place.pass, input, offset: 0, line: 0 },
        false => Place { pass: place.pass + 1, input: 0, offset: 0, line: 0 },
    }
}

/// Whether an input that cannot be read never can be: it is gone, or not what was written.
fn is_lost(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    matches!(error.kind(), NotFound | InvalidData | UnexpectedEof)
}

/// Whether it is nobody's fault and passes by itself, or ends the process.
fn is_passing(error: &FlowError) -> bool {
    matches!(error, FlowError::Fatal(_) | FlowError::Unavailable(_) | FlowError::NotFinal)
}

const LAST_PASS: u8 = 1;
