//! What is noted while the world runs. Notes survive power cuts; checkers read them at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use ledger::{
    AccessId, Category, Event, MemberId, Outcome, PatientId,
    sign::{SigningKey, VerificationKey},
};
use proof::Hash;

/// The notes of a run.
#[derive(Default)]
pub struct Watch(Mutex<Notes>);

/// Everything that was seen.
#[derive(Default)]
pub struct Notes {
    /// By member: the blocks that it was given, by height.
    pub blocks: BTreeMap<usize, BTreeMap<u64, chain::Block>>,
    /// By member: the hashes of its log's leaves, by position.
    pub leaves: BTreeMap<usize, BTreeMap<u64, Hash>>,
    /// By member: the root of its log after each block, by height.
    pub roots: BTreeMap<usize, BTreeMap<u64, Hash>>,
    /// Members whose past changed, and how.
    pub rewritten: Vec<String>,
    /// By member: every root that its cosigning key signed, by size.
    pub signed: BTreeMap<usize, BTreeMap<u64, BTreeSet<Hash>>>,
    /// Checkpoints of one member that are not one history.
    pub inconsistent: Vec<String>,
    /// Where the oracle and a member differ.
    pub disagreements: Vec<String>,
    /// What honest members handed out.
    pub handed: Vec<Handed>,
    /// What was stored and acknowledged.
    pub stored: Vec<Stored>,
    /// What was erased, on the ledger of some member: custodian, sequence number.
    pub erased: BTreeSet<(MemberId, u64)>,
    /// Erased records that somebody still gave, opened or holds.
    pub unerased: Vec<String>,
    /// What readers opened that nobody had stored.
    pub untrue: Vec<String>,
    /// What was found at the end.
    pub finale: Finale,
    /// Members that stopped by themselves, and why.
    pub stopped: Vec<String>,
    /// What the story did, for people who look at a failure.
    pub story: Vec<String>,
    readers: BTreeMap<[u8; 32], [u8; 32]>,
}

/// Something that an honest member handed to another one.
#[derive(Clone, Debug)]
pub struct Handed {
    /// Who handed it out.
    pub server: usize,
    /// Who got it.
    pub reader: MemberId,
    /// Under which access.
    pub access: AccessId,
    /// Whose record or scope it is.
    pub custodian: MemberId,
    /// Of which kind, if the one who handed it out can know.
    pub category: Option<Category>,
    /// What it was, in words.
    pub what: String,
    /// Whether a final allowed receipt of this reader for this scope was on its own ledger.
    pub receipted: bool,
    /// Whether that access had ended there, or the scope was hidden.
    pub over: bool,
}

/// A resource whose custodian said that it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The custodian.
    pub custodian: usize,
    /// The account it is filed under.
    pub patient: PatientId,
    /// Its place there.
    pub sequence: u64,
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// Type and logical id.
    pub name: (String, String),
}

/// What was found at the end, after everything had healed.
#[derive(Default)]
pub struct Finale {
    /// Whether the world went on: blocks came, and the last read opened everything.
    pub alive: Option<Result<(), String>>,
    /// By custodian and sequence: the bytes that it read back, and whether they are anchored.
    pub read_back: BTreeMap<(usize, u64), (Vec<u8>, bool)>,
    /// Custodians that could not read their records back, and why.
    pub unread: Vec<String>,
    /// By member and patient: receipts counted, receipts shown, receipts that the oracle expects.
    pub receipts: BTreeMap<(usize, PatientId), [u64; 3]>,
    /// By member: scopes whose epoch is not the oracle's.
    pub epochs: Vec<String>,
    /// Proof files with their policy, and what they are of.
    pub proofs: Vec<(String, String, String)>,
    /// Proofs that could not be made.
    pub unproven: Vec<String>,
}

impl Watch {
    /// Opens the notes.
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the notes.
    pub fn into_notes(self) -> Notes {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the story did.
    pub fn say(&self, words: impl Into<String>) {
        self.notes().story.push(words.into());
    }

    /// Notes what may be the seed of a reader key.
    pub(crate) fn reader_seed(&self, seed: [u8; 32]) {
        let key = VerificationKey::from(&SigningKey::from(seed));
        self.notes().readers.insert(key.into(), seed);
    }

    /// The seed of a reader key.
    pub(crate) fn seed_of(&self, reader_key: &[u8; 32]) -> Option<[u8; 32]> {
        self.notes().readers.get(reader_key).copied()
    }
}

impl Notes {
    /// Notes a block that a member was given.
    pub fn block(&mut self, member: usize, block: chain::Block) {
        let height = block.height;
        let known = self.blocks.entry(member).or_default().insert(height, block.clone());
        if known.is_some_and(|known| known != block) {
            self.rewritten.push(format!("member {member} was given another block {height}"));
        }
    }

    /// Notes what a member made of a block.
    pub fn applied(&mut self, member: usize, applied: &chain::Applied) {
        let root = applied.tip.root;
        self.roots.entry(member).or_default().insert(applied.tip.height, root);
        self.erased.extend(applied.entries.iter().flat_map(erased));
        let leaves = self.leaves.entry(member).or_default();
        for (position, entry) in (applied.first..).zip(&applied.entries) {
            let hash = ledger::Leaf::new(entry.clone()).hash;
            let known = leaves.insert(position, hash);
            if known.is_some_and(|known| known != hash) {
                let words = format!("member {member} has another leaf {position} than before");
                self.rewritten.push(words);
            }
        }
    }

    /// Notes what a member signed.
    pub fn signed(&mut self, member: usize, size: u64, root: Hash) {
        let roots = self.signed.entry(member).or_default();
        roots.entry(size).or_default().insert(root);
    }
}

/// The records that an entry of the log erases.
fn erased(entry: &ledger::Entry) -> Vec<(MemberId, u64)> {
    let ledger::Entry::Outcome { outcome: Outcome::Accepted(Event::Erased(one)), .. } = entry
    else {
        return Vec::new();
    };
    let numbers =
        one.runs.iter().flat_map(|run| (0..run.count).map(|at| run.first + u64::from(at)));
    numbers.map(|number| (one.custodian, number)).collect()
}
