//! What is kept of an import: in the vault, sealed.

use std::{collections::BTreeSet, fmt};

use borsh::{BorshDeserialize, BorshSerialize};
use vault::{JobPart, Token};

use super::{ImportOrder, Sender, Source, spool::SpoolFile};
use crate::{FlowError, Member, words::hex};

/// How far an import is.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub struct State {
    /// Who delivers, as in `system:ehr`.
    pub owner: String,
    /// What was asked, for the manifest.
    pub request: String,
    /// By which name the sender recognises it.
    pub key: Option<String>,
    /// The types that the sender may deliver; none: all.
    pub(super) types: Option<BTreeSet<String>>,
    /// When it began, in milliseconds since the Unix epoch.
    pub begun_ms: u64,
    /// Its inputs.
    pub inputs: Vec<InputState>,
    /// How many lines there are, once all inputs are here and counted.
    pub lines: Option<u64>,
    /// Which line comes next.
    pub(super) place: Place,
    /// Its end, if it has come to it.
    pub ended: Option<Ended>,
}

/// An input, and what became of its lines.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub struct InputState {
    /// The type of its resources, if it is said to have one.
    pub kind: Option<String>,
    /// Its address; none if it was sent.
    pub url: Option<String>,
    /// What became of its lines.
    pub counts: Counts,
    /// Where it is, once it is here.
    pub(super) file: Option<SpoolFile>,
    /// How many refused lines are listed.
    pub(super) listed: u64,
    /// How many parts the list has.
    pub(super) parts: u32,
}

impl InputState {
    /// How many of its refused lines are listed.
    pub fn listed(&self) -> u64 {
        self.listed
    }
}

/// What became of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Counts {
    /// A new record.
    pub created: u64,
    /// The next version of a record.
    pub updated: u64,
    /// The same bytes are on file under this id.
    pub unchanged: u64,
    /// It waits for somebody to look at it.
    pub waiting: u64,
    /// It was refused.
    pub refused: u64,
}

impl Counts {
    /// All lines that were looked at.
    pub fn all(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.waiting + self.refused
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self {
            created: sum.created + one.created,
            updated: sum.updated + one.updated,
            unchanged: sum.unchanged + one.unchanged,
            waiting: sum.waiting + one.waiting,
            refused: sum.refused + one.refused,
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, updated, unchanged, waiting, refused } = self;
        write!(
            f,
            "{created} created, {updated} updated, {unchanged} unchanged, {waiting} waiting, \
             {refused} refused"
        )
    }
}

/// A line, and in which pass it is filed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Place {
    /// 0: patients; 1: everything else; 2: all is filed.
    pub pass: u8,
    /// The input.
    pub input: u32,
    /// The byte of the input at which the line begins.
    pub offset: u64,
    /// How many lines of the input lie before it.
    pub line: u64,
}

/// How an import has ended.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ended {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Why it came to nothing, or no further; none if all lines were looked at.
    pub why: Option<String>,
}

/// What an import does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It fetches its inputs.
    Fetching {
        /// How many are here.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// It counts their lines.
    Counting,
    /// It files them.
    Filing {
        /// How many lines are done.
        done: u64,
        /// How many there are.
        total: u64,
    },
    /// It has ended.
    Ended,
}

impl State {
    pub(super) fn new(sender: &Sender, order: ImportOrder, begun_ms: u64) -> Self {
        let input = |input: super::Input| {
            let (url, file) = match input.source {
                Source::Url(url) => (Some(url), None),
                Source::Here(mut spooled) => (None, spooled.take()),
            };
            let counts = Counts::default();
            InputState { kind: input.kind, url, counts, file, listed: 0, parts: 0 }
        };
        Self {
            owner: sender.owner.clone(),
            request: order.request,
            key: sender.key.clone(),
            types: order.types,
            begun_ms,
            inputs: order.inputs.into_iter().map(input).collect(),
            lines: None,
            place: Place::default(),
            ended: None,
        }
    }

    /// What became of the lines of all inputs.
    pub fn counts(&self) -> Counts {
        self.inputs.iter().map(|input| input.counts).sum()
    }

    /// Whether this sender has begun it under this name.
    pub(super) fn is_of(&self, sender: &Sender) -> bool {
        sender.key.is_some() && self.key == sender.key && self.owner == sender.owner
    }

    /// What it does now.
    pub fn stage(&self) -> Stage {
        let here = self.inputs.iter().filter(|input| input.file.is_some()).count();
        match (&self.ended, self.lines) {
            (Some(_), _) => Stage::Ended,
            (None, _) if here < self.inputs.len() => {
                Stage::Fetching { done: here, total: self.inputs.len() }
            }
            (None, None) => Stage::Counting,
            (None, Some(total)) => Stage::Filing { done: self.counts().all(), total },
        }
    }

    /// The names of the files of its inputs.
    pub(super) fn files(&self) -> Vec<String> {
        let files = self.inputs.iter().filter_map(|input| input.file.as_ref());
        files.map(SpoolFile::name).collect()
    }

    /// As it is kept.
    pub(super) fn seal(&self, member: &Member, job: Token) -> JobPart {
        let plain = borsh::to_vec(&(VERSION, self)).expect("writing to memory does not fail");
        seal(member, job, 0, &plain)
    }

    /// As it was kept.
    ///
    /// # Errors
    /// [`FlowError::Evidence`] if it is damaged, or another version of the node has kept it.
    pub(super) fn open(member: &Member, part: &JobPart) -> Result<Self, FlowError> {
        match unseal(member, part)?.split_first() {
            Some((&VERSION, state)) => borsh::from_slice(state).map_err(|_| damaged(part)),
            _ => Err(FlowError::Evidence(format!(
                "import {} was kept by another version of this node",
                hex(&part.job.0)
            ))),
        }
    }
}

/// The number of a part of the list of refused lines of an input.
pub(super) fn part_of(input: usize, number: u32) -> u64 {
    (input as u64 + 1) << 32 | u64::from(number)
}

pub(super) fn seal(member: &Member, job: Token, part: u64, plain: &[u8]) -> JobPart {
    let label = label(job, part);
    let sealed = member.world.with_chance(|mut rng| member.keys.wrap(&label, plain, &mut rng));
    JobPart { job, part, sealed }
}

pub(super) fn unseal(member: &Member, part: &JobPart) -> Result<Vec<u8>, FlowError> {
    let plain = member.keys.unwrap(&label(part.job, part.part), &part.sealed);
    plain.map(|plain| plain.to_vec()).map_err(|_| damaged(part))
}

fn label(job: Token, part: u64) -> Vec<u8> {
    [b"import".as_slice(), &job.0, &part.to_le_bytes()].concat()
}

fn damaged(part: &JobPart) -> FlowError {
    FlowError::Evidence(format!("what is kept of import {} cannot be read", hex(&part.job.0)))
}

/// The first byte of what is kept: how the rest is written.
const VERSION: u8 = 1;
