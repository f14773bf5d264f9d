//! A small network with a log, a state tree's proofs and files, all deterministic.

use proof::{
    Hash, ProofError,
    checkpoint::{Checkpoint, Note},
    cosignature::{public_key, sign},
    opening::{Anchor, Opening, Record, record_commitment},
    policy::Policy,
    proof_file::ProofFile,
    sha256,
    tree::{self, Frontier},
};

/// Origin of the log.
pub const ORIGIN: &str = "carestone.example/demo";

/// Names of the members, in the order of their seeds.
pub const MEMBERS: [&str; 4] = ["north", "east", "south", "west"];

/// Time of the first member's cosignature, in seconds; each further member signs a second later.
pub const TIME_S: u64 = 1_790_000_000;

/// A log with every node kept.
#[derive(Clone, Default)]
pub struct Log {
    frontier: Frontier,
    levels: Vec<Vec<Hash>>,
}

impl Log {
    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        for node in self.frontier.push(leaf) {
            let level = usize::from(node.level);
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            assert_eq!(self.levels[level].len() as u64, node.index);
            self.levels[level].push(node.hash);
        }
    }

    /// A log of this many other leaves.
    pub fn of_size(size: u64) -> Log {
        let mut log = Log::default();
        (0..size).for_each(|number| log.push(random("leaf", number)));
        log
    }

    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    pub fn node(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
        Ok(self.levels[usize::from(level)][index as usize])
    }

    pub fn path(&self, index: u64) -> Vec<Hash> {
        tree::inclusion_path_from(index, self.frontier.size(), |l, i| self.node(l, i)).unwrap()
    }

    /// The log's checkpoint with cosignatures of these members.
    pub fn note(&self, members: &[usize]) -> Note {
        let (size, root) = (self.frontier.size(), self.frontier.root());
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root };
        let cosign = |member: &usize| sign(&seed(*member), &checkpoint, TIME_S + *member as u64);
        Note { signatures: members.iter().map(cosign).collect(), checkpoint: checkpoint.clone() }
    }

    /// Puts the opening's leaf between `before` and `after` others; three members cosign.
    pub fn file_around(opening: Opening, before: u64, after: u64) -> ProofFile {
        let mut log = Log::of_size(before);
        log.push(opening.leaf().unwrap());
        (0..after).for_each(|number| log.push(random("later leaf", number)));
        ProofFile { opening, index: before, path: log.path(before), note: log.note(&[0, 1, 3]) }
    }
}

/// Signing seed of a member.
pub fn seed(member: usize) -> [u8; 32] {
    [member as u8 + 1; 32]
}

/// Three of the four members.
pub fn policy() -> Policy {
    let members: Vec<_> =
        MEMBERS.iter().enumerate().map(|(at, name)| (*name, public_key(&seed(at)))).collect();
    Policy::of_members(ORIGIN, &members, 3).unwrap()
}

/// The bytes of the record that [`record`] opens.
pub const RECORD: &[u8] = br#"{"resourceType":"Observation","valueQuantity":{"value":1.50}}"#;

/// Opens record `index` of an anchored batch of `count`.
pub fn record(index: u32, count: u32) -> Record {
    let salt = random("salt", 0);
    let digest = sha256(&[RECORD]);
    let mut leaves: Vec<Hash> = (0..count).map(|at| random("commitment", at.into())).collect();
    leaves[index as usize] = tree::leaf_hash(&record_commitment(&salt, &digest));
    let anchor = Anchor {
        height: 7,
        command: random("command", 0),
        custodian: random("member", 0),
        first: 1_000,
        count,
    };
    let path = tree::inclusion_path(&leaves, index.into()).unwrap();
    Record { anchor, sequence: 1_000 + u64::from(index), salt, digest, path }
}

/// 32 bytes that look random.
pub fn random(what: &str, number: u64) -> [u8; 32] {
    sha256(&[what.as_bytes(), &number.to_le_bytes()])
}
