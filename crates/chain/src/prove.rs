//! Proofs: all against the newest cosigned checkpoint, all in formats that outlive this program.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::{AccessState, CommandId, Entry, Event, Key, MemberId, Outcome, PatientId, codec};
use proof::Hash;
use proof::checkpoint::Note;
use proof::opening::{self, Anchor, Opening};
use proof::proof_file::ProofFile;
use proof::state::StateProof;

use crate::chain::Now;
use crate::error::damaged;
use crate::log::{Reader, TILE_WIDTH};
use crate::snapshot::{Snapshot, decode_entry};
use crate::store::{self, BlockRow, Value};
use crate::tree::{self, NodeName, Update};
use crate::{Chain, Error, Result, Tip, cosigning};

/// What a custodian knows about one of its records: how to open its commitment, and its place in the
/// anchored batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordOpening {
    /// Who wrote it.
    pub custodian: MemberId,
    /// Its sequence number there.
    pub sequence: u64,
    /// Hides the record in its commitment.
    pub salt: [u8; 32],
    /// SHA-256 of the record's exact bytes.
    pub digest: Hash,
    /// From its commitment to the batch root: [`proof::tree::inclusion_path`].
    pub path: Vec<Hash>,
}

/// A batch of records that a custodian committed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchoredBatch {
    /// Position of the anchor in the log.
    pub position: u64,
    /// Height of its block.
    pub height: u64,
    /// The command that anchored it.
    pub command: CommandId,
    /// Sequence number of its first record.
    pub first: u64,
    /// Records in it.
    pub count: u32,
    /// RFC 6962 root over their commitments.
    pub root: Hash,
}

/// One value of the state with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateAnswer {
    /// The block at whose end it holds.
    pub height: u64,
    /// Root of the state tree, which `Entry::Block` of that height commits to.
    pub state_root: Hash,
    /// The value; none if the key has none.
    pub value: Option<Vec<u8>>,
    /// From the key's place to the root.
    pub proof: StateProof,
}

impl Chain {
    /// Proves an entry of the log, for instance a receipt. [`ProofFile::to_text`] is the file.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`], [`Error::NotCosigned`], or a fatal error.
    pub fn prove_entry(&self, position: u64) -> Result<ProofFile> {
        let base = self.base(position)?;
        let entry = base.snapshot.view().entries(position, position + 1)?.pop();
        base.file(Opening::Entry(entry.ok_or(Error::OutOfRange)?), position)
    }

    /// Proves that a custodian committed to a record.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if no anchor covers the sequence number or if the opening does not lead to
    /// it, [`Error::NotCosigned`], or a fatal error.
    pub fn prove_record(&self, record: RecordOpening) -> Result<ProofFile> {
        let (position, anchor) = self.find_anchor(record.custodian, record.sequence)?;
        let base = self.base(position)?;
        let RecordOpening { sequence, salt, digest, path, .. } = record;
        let opening = Opening::Record(opening::Record { anchor, sequence, salt, digest, path });
        let entry = base.snapshot.view().entries(position, position + 1)?.pop();
        let leaf = proof::tree::leaf_hash(&entry.ok_or(Error::OutOfRange)?);
        if opening.leaf() != Ok(leaf) {
            return Err(Error::Unknown("a record with this salt, digest and batch path"));
        }
        base.file(opening, position)
    }

    /// Proves the complete list of a patient's receipts at the end of the newest cosigned block; the
    /// list is empty for a patient that nobody ever asked about.
    ///
    /// # Errors
    ///
    /// [`Error::NotCosigned`] before the first cosigned block, or a fatal error.
    pub fn prove_receipts(&self, patient: PatientId) -> Result<ProofFile> {
        let base = self.base(0)?;
        let view = base.snapshot.view();
        let block = &base.block;
        let key = Key::Accesses(patient);
        let (value, state) = base.state(&key)?;
        let accesses: Option<AccessState> = value
            .as_ref()
            .map(|bytes| codec::decode(bytes).map_err(|_| damaged("a list of receipts")))
            .transpose()?;
        let count = accesses.map_or(0, |accesses| accesses.count);
        let mut entries = Vec::new();
        for position in view.receipts(&patient, 0, count)? {
            entries.extend(view.entries(position, position + 1)?);
        }
        let head = base.block_head()?;
        let receipts = opening::Receipts::new(patient.0, head, state, value.as_deref(), entries)
            .map_err(|error| damaged(&format!("the receipts of a patient: {error}")))?;
        base.file(Opening::Receipts(receipts), block.size - 1)
    }

    /// Proves the present value of a state key, or that it has none, at the newest block.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] for a key that is not in the tree, or a fatal error.
    pub fn prove_state(&self, key: &Key) -> Result<StateAnswer> {
        if !key.is_proven() {
            return Err(Error::Unknown("a proof of a key outside of the state tree"));
        }
        let snapshot = self.snapshot()?;
        let view = snapshot.view();
        let Tip { height, state_root, .. } = snapshot.tip();
        let value = view.value(&key.encode())?.map(|value| value.to_vec());
        let proof = tree::prove(|name| view.node(name), &key.hash())?;
        Ok(StateAnswer { height, state_root, value, proof })
    }

    /// Proves that the log of `old` entries is a prefix of the log of `new` entries (RFC 6962).
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] unless `old <= new <=` the log's size, or a fatal error.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>> {
        self.with_log(|now, reader| {
            if old > new || new > now.edge.size() {
                return Err(Error::OutOfRange);
            }
            proof::tree::consistency_path_from(old, new, |level, index| reader.node(level, index))
        })
    }

    /// A tile of the log (`c2sp.org/tlog-tiles`): the first `width` hashes, 1 to 256, of the tile
    /// `index` at tile level `level`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the log has no such tile or not so much of it, or a fatal error.
    pub fn tile(&self, level: u8, index: u64, width: u64) -> Result<Vec<u8>> {
        self.with_log(|_, reader| {
            let width = checked_width(width)?;
            let tile = reader.tile(level, index)?;
            Ok(tile.get(..width as usize).ok_or(Error::OutOfRange)?.concat())
        })
    }

    /// An entry bundle (`c2sp.org/tlog-tiles`): the first `width` entries, 1 to 256, of the bundle
    /// `index`, each after its length as a big-endian u16.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the log has not all of them, or a fatal error.
    pub fn entry_bundle(&self, index: u64, width: u64) -> Result<Vec<u8>> {
        let width = checked_width(width)?;
        let from = index.checked_mul(TILE_WIDTH).ok_or(Error::OutOfRange)?;
        let to = from.checked_add(width).ok_or(Error::OutOfRange)?;
        let mut bundle = Vec::new();
        for entry in self.snapshot()?.view().entries(from, to)? {
            let length = u16::try_from(entry.len()).map_err(|_| damaged("an entry is too long"))?;
            bundle.extend(length.to_be_bytes());
            bundle.extend(entry);
        }
        Ok(bundle)
    }

    /// The anchored batch that holds a record; none if the record is not anchored.
    ///
    /// # Errors
    ///
    /// A fatal error.
    pub fn anchored(&self, custodian: MemberId, sequence: u64) -> Result<Option<AnchoredBatch>> {
        let snapshot = self.snapshot()?;
        let Some((_, position)) = snapshot.view().anchor(&custodian, sequence)? else {
            return Ok(None);
        };
        let entry = snapshot.view().entries(position, position + 1)?.pop();
        match decode_entry(&entry.ok_or(Error::OutOfRange)?)? {
            Entry::Outcome {
                height,
                command,
                outcome: Outcome::Accepted(Event::Anchored { first, count, root, .. }),
                ..
            } => {
                let batch = AnchoredBatch { position, height, command, first, count, root };
                let holds = sequence >= first && sequence - first < u64::from(count);
                Ok(holds.then_some(batch))
            }
            _ => Err(damaged("the index of anchors names another entry")),
        }
    }

    /// The position of the anchor that covers a record, and the anchor.
    fn find_anchor(&self, custodian: MemberId, sequence: u64) -> Result<(u64, Anchor)> {
        let batch = self.anchored(custodian, sequence)?;
        let AnchoredBatch { position, height, command, first, count, .. } =
            batch.ok_or(Error::Unknown("an anchor that covers this record"))?;
        Ok((position, Anchor { height, command: command.0, custodian: custodian.0, first, count }))
    }

    /// Everything a proof of the entry at `position` rests on.
    fn base(&self, position: u64) -> Result<Base<'_>> {
        loop {
            let now = self.now();
            let snapshot = self.snapshot()?;
            if position >= now.tip.size && position > 0 {
                return Err(Error::OutOfRange);
            }
            let found = snapshot.view().checkpoint()?;
            let found = found.filter(|checkpoint| checkpoint.size > position);
            let checkpoint = found.ok_or(Error::NotCosigned { position })?;
            if checkpoint.size > now.edge.size() {
                // A block came between the two looks.
                continue;
            }
            let note = trusted(&now, &checkpoint.note).ok_or(Error::NotCosigned { position })?;
            let block = snapshot.view().block(checkpoint.height)?;
            let block = block.ok_or_else(|| damaged("the cosigned block is missing"))?;
            return Ok(Base { now, snapshot, block, note });
        }
    }

    fn with_log<T>(&self, ask: impl FnOnce(&Now, &Reader<'_>) -> Result<T>) -> Result<T> {
        // The edge first: it must not be newer than what the view has.
        let now = self.now();
        let snapshot = self.snapshot()?;
        ask(&now, &Reader::new(snapshot.view(), &now.edge))
    }
}

/// A cosigned checkpoint, its block, and a view that has everything below.
struct Base<'a> {
    now: Arc<Now>,
    snapshot: Snapshot<'a>,
    block: BlockRow,
    note: Note,
}

impl Base<'_> {
    /// The proof file for an opening that leads to the entry at `position`.
    fn file(&self, opening: Opening, position: u64) -> Result<ProofFile> {
        let reader = Reader::new(self.snapshot.view(), &self.now.edge);
        let path = proof::tree::inclusion_path_from(position, self.block.size, |level, index| {
            reader.node(level, index)
        })?;
        Ok(ProofFile { opening, index: position, path, note: self.note.clone() })
    }

    /// The value of a key at the end of the cosigned block, with its proof. What later blocks changed is
    /// undone on the way: they are few, since members sign every block.
    fn state(&self, key: &Key) -> Result<(Option<Value>, StateProof)> {
        let view = self.snapshot.view();
        let mut before: BTreeMap<Vec<u8>, Option<Value>> = BTreeMap::new();
        for height in self.block.height + 1..=self.snapshot.tip().height {
            for change in view.change(height)?.unwrap_or_default().proven {
                before.entry(change.key).or_insert(change.before);
            }
        }
        let undo = before.iter().map(|(key, value)| store::leaf(key, value)).collect();
        let (root, nodes) = Update::run(|name| view.node(name), undo)?;
        if root != self.block.state_root {
            return Err(damaged("undoing blocks does not lead to the cosigned state"));
        }
        let read = |name: &NodeName| match nodes.get(name) {
            Some(node) => Ok(node.clone()),
            None => view.node(name),
        };
        let value = match before.remove(&key.encode()) {
            Some(value) => value,
            None => view.value(&key.encode())?,
        };
        Ok((value, tree::prove(read, &key.hash())?))
    }

    /// The end of the cosigned block, as its leaf says it.
    fn block_head(&self) -> Result<opening::Block> {
        let last = self.block.size - 1;
        let entry = self.snapshot.view().entries(last, last + 1)?.pop();
        match decode_entry(&entry.ok_or(Error::OutOfRange)?)? {
            Entry::Block { height, time, count, previous, .. } => {
                Ok(opening::Block { height, time_ms: time, count, previous })
            }
            _ => Err(damaged("the last entry of a block is another one")),
        }
    }
}

/// The note with the lines of present members only, if they are still a quorum: a verifier refuses
/// lines of keys that its policy does not name.
fn trusted(now: &Now, note: &str) -> Option<Note> {
    let policy = cosigning::policy(&now.network).ok()?;
    let mut note = Note::parse(note).ok()?;
    note.signatures.retain(|line| policy.knows(line));
    (note.signatures.len() >= ledger::quorum(now.network.members.len())).then_some(note)
}

fn checked_width(width: u64) -> Result<u64> {
    if (1..=TILE_WIDTH).contains(&width) { Ok(width) } else { Err(Error::OutOfRange) }
}
