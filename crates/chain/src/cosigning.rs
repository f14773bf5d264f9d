//! Checkpoints: what members sign about the result, and when enough of them have.
//!
//! After each block a member signs `{origin, size, root}` of its own log. Signatures are counted for a
//! few sizes at a time; with a quorum of them the checkpoint is *cosigned*, and proofs rest on it.
//! A signature travels as a signed note with one line, so that it is evidence by itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};

use ledger::{Member, MemberId, NetworkState};
use proof::checkpoint::{Checkpoint, Note, NoteSignature};
use proof::cosignature::{self, CosignerKey};
use proof::policy::Policy;
use proof::{Hash, ProofError};

use crate::chain::Now;
use crate::log::Reader;
use crate::store::{CosignedCheckpoint, View};
use crate::{Chain, Error, Result};

/// What a cosignature was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It is counted; more are needed.
    Waiting,
    /// With it the checkpoint is cosigned, and kept.
    Cosigned,
    /// It is for a block that is not applied here yet, and waits for it.
    Early,
    /// A checkpoint of that size or a larger one is cosigned already.
    Late,
}

/// A member signed a log that differs from ours: evidence against one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Who signed.
    pub member: MemberId,
    /// Entries in the log.
    pub size: u64,
    /// Root of our log at that size.
    pub ours: Hash,
    /// Root that the member signed.
    pub theirs: Hash,
    /// The signed note.
    pub note: String,
}

/// Why a cosignature does not count.
#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    /// Not a note with one signature line.
    #[error("the cosignature is not a signed note with one line: {0}")]
    Malformed(ProofError),
    /// For another log.
    #[error("the cosignature is for the log {0}, not for this network's")]
    ForeignOrigin(String),
    /// By nobody who counts.
    #[error("the cosignature is by nobody who is a member now")]
    UnknownMember,
    /// The signature is not by this member's key.
    #[error("the cosignature of {0} does not verify with its cosigning key")]
    BadSignature(MemberId),
    /// A valid signature under another root than ours.
    #[error("member {} signed another log of {} entries than ours; keep its note as evidence and \
             compare the program versions", .0.member, .0.size)]
    Divergence(Box<Divergence>),
    /// The chain failed, or it is us who diverged.
    #[error(transparent)]
    Chain(#[from] Error),
}

/// The count of cosignatures.
pub(crate) struct Cosigning {
    newest: Option<Arc<CosignedCheckpoint>>,
    /// By log size: who signed our root.
    tallies: BTreeMap<u64, BTreeMap<MemberId, NoteSignature>>,
    /// Verified signatures for blocks that are not applied here yet, a few per member.
    early: BTreeMap<MemberId, Vec<Note>>,
    /// Signatures under other roots than ours, a few per member.
    divergences: BTreeMap<MemberId, VecDeque<Divergence>>,
}

impl Cosigning {
    /// Goes on from the newest cosigned checkpoint.
    pub fn open(view: &dyn View) -> Result<Self> {
        Ok(Self {
            newest: view.checkpoint()?.map(Arc::new),
            tallies: BTreeMap::new(),
            early: BTreeMap::new(),
            divergences: BTreeMap::new(),
        })
    }

    fn cosigned_size(&self) -> u64 {
        self.newest.as_ref().map_or(0, |newest| newest.size)
    }

    /// Keeps a signature for later.
    fn postpone(&mut self, member: MemberId, note: Note) {
        let waiting = self.early.entry(member).or_default();
        waiting.retain(|other| other.checkpoint.size != note.checkpoint.size);
        waiting.push(note);
        if waiting.len() > EARLY_PER_MEMBER_MAX {
            waiting.remove(0);
        }
    }

    /// Takes out the signatures whose blocks are applied by now.
    fn due(&mut self, size: u64) -> Vec<(MemberId, Note)> {
        let mut due = Vec::new();
        for (member, waiting) in &mut self.early {
            let ready = waiting.extract_if(.., |note| note.checkpoint.size <= size);
            due.extend(ready.map(|note| (*member, note)));
        }
        due
    }

    /// Keeps evidence and tells how many members signed that same other log.
    fn diverge(&mut self, divergence: Divergence) -> usize {
        let (size, theirs) = (divergence.size, divergence.theirs);
        let known = self.divergences.entry(divergence.member).or_default();
        known.retain(|other| (other.size, other.theirs) != (size, theirs));
        known.push_back(divergence);
        if known.len() > DIVERGENCES_PER_MEMBER_MAX {
            known.pop_front();
        }
        let same = |other: &Divergence| (other.size, other.theirs) == (size, theirs);
        self.divergences.values().filter(|known| known.iter().any(same)).count()
    }
}

impl Chain {
    /// What a member would sign now; none before the first block.
    pub fn pending_checkpoint(&self) -> Option<Checkpoint> {
        pending(&self.now())
    }

    /// Signs the newest block's checkpoint with the 32-byte seed of a member's cosigning key, counts
    /// the signature, and returns it for the other members; none before the first block. `now_s` is
    /// the clock's time in seconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`CosignError::UnknownMember`] if no member has that key, or what counting it may bring.
    pub fn cosign(
        &self,
        seed: &[u8; 32],
        now_s: u64,
    ) -> core::result::Result<Option<Vec<u8>>, CosignError> {
        let now = self.now();
        let Some(checkpoint) = pending(&now) else { return Ok(None) };
        let key = cosignature::public_key(seed);
        let member = now.network.members.iter().find(|member| member.cosign_key == key);
        let member = member.ok_or(CosignError::UnknownMember)?.id;
        let line = cosignature::sign(seed, &checkpoint, now_s);
        let note = Note { checkpoint, signatures: vec![line] };
        let bytes = note.to_text().into_bytes();
        self.count(member, note)?;
        Ok(Some(bytes))
    }

    /// Counts a member's cosignature, as made by its [`Chain::cosign`].
    ///
    /// # Errors
    ///
    /// [`CosignError`]. With [`Error::WeDiverged`] the process must stop.
    pub fn add_cosignature(
        &self,
        member: MemberId,
        cosignature: &[u8],
    ) -> core::result::Result<Counted, CosignError> {
        let note = parse(cosignature)?;
        let now = self.now();
        if note.checkpoint.origin != now.network.origin {
            return Err(CosignError::ForeignOrigin(note.checkpoint.origin));
        }
        let key = find(&now.network, member).ok_or(CosignError::UnknownMember)?.cosign_key;
        if self.is_late(&now, &note.checkpoint)? {
            return Ok(Counted::Late);
        }
        CosignerKey::new(&now.network.origin, &key)
            .and_then(|key| key.verify(&note.checkpoint, &note.signatures[0]))
            .map_err(|_| CosignError::BadSignature(member))?;
        self.count(member, note)
    }

    /// The newest cosigned checkpoint as a signed note; none before the first.
    pub fn checkpoint(&self) -> Option<String> {
        Some(self.cosigning().newest.as_ref()?.note.clone())
    }

    /// The trust policy of this network (`c2sp.org/tlog-policy`): what an outsider needs to verify.
    pub fn policy(&self) -> Result<String> {
        Ok(policy(&self.now().network)?.to_string())
    }

    /// Signatures of members under other roots than ours, a few of each member.
    pub fn divergences(&self) -> Vec<Divergence> {
        self.cosigning().divergences.values().flatten().cloned().collect()
    }

    /// Entries that the newest cosigned checkpoint covers.
    pub fn cosigned_size(&self) -> u64 {
        self.cosigning().cosigned_size()
    }

    pub(crate) fn cosigned_height(&self) -> u64 {
        self.cosigning().newest.as_ref().map_or(0, |newest| newest.height)
    }

    /// Counts what arrived before its block did.
    pub(crate) fn count_early_cosignatures(&self) -> Result<()> {
        let due = self.cosigning().due(self.now().tip.size);
        for (member, note) in due {
            // A difference leaves evidence; everything else was found out when it arrived.
            if let Err(CosignError::Chain(error)) = self.count(member, note) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Counts a signature that was verified.
    fn count(&self, member: MemberId, note: Note) -> core::result::Result<Counted, CosignError> {
        let now = self.now();
        let size = note.checkpoint.size;
        if size > now.tip.size {
            self.cosigning().postpone(member, note);
            return Ok(Counted::Early);
        }
        let (ours, height) = self.own_root(&now, size)?;
        let mut cosigning = self.cosigning();
        if ours != note.checkpoint.root {
            let agreeing = cosigning.diverge(divergence(member, ours, &note));
            drop(cosigning);
            return Err(self.judge(&now.network, agreeing, divergence(member, ours, &note)));
        }
        let Some(height) = height.filter(|_| size > cosigning.cosigned_size()) else {
            return Ok(Counted::Late);
        };
        let tally = cosigning.tallies.entry(size).or_default();
        tally.extend(note.signatures.into_iter().map(|line| (member, line)));
        tally.retain(|member, _| find(&now.network, *member).is_some());
        if tally.len() < ledger::quorum(now.network.members.len()) {
            while cosigning.tallies.len() > TALLIES_MAX {
                cosigning.tallies.pop_first();
            }
            return Ok(Counted::Waiting);
        }
        let signatures = std::mem::take(tally).into_values().collect();
        let note = Note { checkpoint: note.checkpoint, signatures }.to_text();
        self.keep(cosigning, CosignedCheckpoint { height, size, note })?;
        Ok(Counted::Cosigned)
    }

    fn keep(
        &self,
        mut cosigning: MutexGuard<'_, Cosigning>,
        new: CosignedCheckpoint,
    ) -> Result<()> {
        self.guard(|| self.store.keep_checkpoint(&new))?;
        let size = new.size;
        cosigning.tallies = cosigning.tallies.split_off(&(size + 1));
        cosigning.newest = Some(Arc::new(new));
        drop(cosigning);
        self.waiters().cosigned(size);
        Ok(())
    }

    /// One member that differs is evidence against that member; a quorum of them, or all others, is
    /// evidence against us.
    fn judge(&self, network: &NetworkState, agreeing: usize, found: Divergence) -> CosignError {
        let members = network.members.len();
        let enough = ledger::quorum(members).min(members.saturating_sub(1)).max(1);
        if agreeing < enough {
            return CosignError::Divergence(Box::new(found));
        }
        let Divergence { size, ours, theirs, .. } = found;
        let stopped: Result<()> = self.guard(|| Err(Error::WeDiverged { size, ours, theirs }));
        CosignError::Chain(stopped.err().unwrap_or(Error::Stopped))
    }

    /// Whether a checkpoint says what is cosigned already; then its signature need not be looked at.
    fn is_late(&self, now: &Now, checkpoint: &Checkpoint) -> Result<bool> {
        if checkpoint.size > self.cosigned_size() {
            return Ok(false);
        }
        Ok(self.own_root(now, checkpoint.size)?.0 == checkpoint.root)
    }

    /// Root of our log at a size that it has reached, and the height of the block that ends there.
    fn own_root(&self, now: &Now, size: u64) -> Result<(Hash, Option<u64>)> {
        if size == now.tip.size {
            return Ok((now.tip.root, Some(now.tip.height)));
        }
        let view = self.store.view()?;
        if let Some(block) = view.block_by_size(size)? {
            return Ok((block.root, Some(block.height)));
        }
        let reader = Reader::new(&*view, &now.edge);
        let root = proof::tree::root_from(size, |level, index| reader.node(level, index))?;
        Ok((root, None))
    }

    fn cosigning(&self) -> MutexGuard<'_, Cosigning> {
        self.cosigning.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The policy of a network. Members go by their ids: display names may have spaces and may repeat.
pub(crate) fn policy(network: &NetworkState) -> Result<Policy> {
    let names: Vec<String> = network.members.iter().map(|member| member.id.to_string()).collect();
    let keys = network.members.iter().map(|member| member.cosign_key);
    let members: Vec<_> = names.iter().map(String::as_str).zip(keys).collect();
    Policy::of_members(&network.origin, &members, ledger::quorum(members.len()))
        .map_err(|error| Error::Damaged(format!("the members' cosigning keys: {error}")))
}

fn pending(now: &Now) -> Option<Checkpoint> {
    let origin = now.network.origin.clone();
    (now.tip.size > 0).then_some(Checkpoint { origin, size: now.tip.size, root: now.tip.root })
}

fn parse(cosignature: &[u8]) -> core::result::Result<Note, CosignError> {
    let text = core::str::from_utf8(cosignature)
        .map_err(|_| CosignError::Malformed(ProofError::Format("text")))?;
    let note = Note::parse(text).map_err(CosignError::Malformed)?;
    match note.signatures.len() {
        1 => Ok(note),
        _ => Err(CosignError::Malformed(ProofError::Format("one signature line"))),
    }
}

fn divergence(member: MemberId, ours: Hash, note: &Note) -> Divergence {
    let Checkpoint { size, root, .. } = note.checkpoint;
    Divergence { member, size, ours, theirs: root, note: note.to_text() }
}

fn find(network: &NetworkState, member: MemberId) -> Option<&Member> {
    network.members.iter().find(|known| known.id == member)
}

/// Log sizes for which signatures are counted at one time.
const TALLIES_MAX: usize = 64;
/// Signatures ahead of our own blocks that are kept for one member.
const EARLY_PER_MEMBER_MAX: usize = 64;
/// Differing signatures that are kept of one member.
const DIVERGENCES_PER_MEMBER_MAX: usize = 16;
