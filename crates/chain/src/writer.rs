//! Executing blocks: the ledger's rules over the chain's state, one block after the other, and the one
//! durable transaction that keeps them.

use std::collections::BTreeSet;
use std::time::Instant;

use ledger::{
    Author, Checked, CommandId, Entry, Fault, Genesis, Key, Leaf, MemberId, Moment, NetworkState,
    Outcome, Reject, Working, codec,
};
use proof::tree;

use crate::error::damaged;
use crate::log::{Edge, Log};
use crate::store::{BlockRow, Commit, ProvenChange, StateChange, Store, View};
use crate::tree::StateTree;
use crate::values::{BlockChange, Values};
use crate::{Applied, Block, Error, Result, Spent, Tip};

/// Owns everything that changes with a block. There is one, behind a mutex.
pub(crate) struct Writer {
    tip: BlockRow,
    log: Log,
    tree: StateTree,
    values: Values,
    network: NetworkState,
    /// What the next commit will write.
    commit: Commit,
    spent: Spent,
}

/// A command of a block, checked or not worth applying.
pub(crate) type Admitted = core::result::Result<Checked, Refused>;

/// A command that fails the stateless check. Valid blocks hold none; if one does, every member refuses
/// it alike and says so in the log.
pub(crate) struct Refused {
    pub command: CommandId,
    pub author: Author,
    pub reject: Reject,
}

impl Writer {
    /// Founds the ledger in an empty store.
    pub fn found(store: &dyn Store, genesis: &Genesis) -> Result<()> {
        let mut commit = Commit { network: Some(genesis.id()), ..Commit::default() };
        let mut change = StateChange::default();
        for (key, value) in genesis.initial_state() {
            let (key, before, after) = (key.encode(), None, Some(value.into()));
            change.proven.push(ProvenChange { key, before, after });
        }
        let state_root =
            StateTree::new().update(&*store.view()?, change.leaves(), &mut commit.nodes)?;
        commit.changes.push((0, change));
        commit.blocks.push(BlockRow {
            height: 0,
            time: genesis.created_ms,
            size: 0,
            root: tree::empty_root(),
            state_root,
            leaf: [0; 32],
        });
        store.commit(commit)
    }

    /// Rebuilds everything from the store.
    pub fn open(view: &dyn View) -> Result<Self> {
        let tip = view.tip().ok_or_else(|| damaged("the ledger has no genesis"))?.clone();
        let network = view.value(&Key::Network.encode())?;
        let network = network.and_then(|bytes| codec::decode(&bytes).ok());
        let log = Log::open(view, tip.size, &tip.root)?;
        Ok(Self {
            commit: Commit { first: tip.size, ..Commit::default() },
            log,
            tip,
            tree: StateTree::new(),
            values: Values::open(view)?,
            network: network.ok_or_else(|| damaged("the network's state is missing"))?,
            spent: Spent::default(),
        })
    }

    /// The last block executed.
    pub fn tip(&self) -> &BlockRow {
        &self.tip
    }

    /// The network after the last block executed.
    pub fn network(&self) -> &NetworkState {
        &self.network
    }

    /// The right edge of the log.
    pub fn edge(&self) -> Edge {
        self.log.edge()
    }

    /// Where the time went.
    pub fn spent(&mut self) -> &mut Spent {
        &mut self.spent
    }

    /// Whether so much is pending that it should be committed before the next block.
    pub fn is_full(&self) -> bool {
        self.commit.entries.len() >= PENDING_ENTRIES_MAX
    }

    /// Executes a block that follows the tip. Nothing is durable yet.
    pub fn execute(
        &mut self,
        view: &dyn View,
        block: &Block,
        commands: Vec<Admitted>,
    ) -> Result<Applied> {
        let started = Instant::now();
        self.spent.commands += commands.len() as u64;
        let at = Moment { height: block.height, time: block.time };
        let (mut leaves, changes) = self.run(view, at, commands)?;
        let change = self.values.change(view, changes)?;
        self.spent.rules += started.elapsed();

        let started = Instant::now();
        let state_root = self.change_state(view, at.height, change)?;
        self.spent.tree += started.elapsed();

        let count = u32::try_from(leaves.len()).expect("a block's size is limited");
        let previous = self.tip.leaf;
        let (height, time) = (at.height, at.time);
        leaves.push(Leaf::new(Entry::Block { height, time, count, state_root, previous }));
        let first = self.log.size();
        let entries = self.append(leaves);
        self.end_block(at, state_root);
        Ok(Applied { tip: Tip::from(&self.tip), first, entries })
    }

    /// Makes everything executed so far durable. What blocks up to `cosigned` replaced is forgotten.
    pub fn commit(&mut self, store: &dyn Store, cosigned: u64) -> Result<()> {
        let started = Instant::now();
        self.commit.forget = cosigned;
        self.commit.forget_seen = self.values.forget_seen(self.tip.time);
        let next = Commit { first: self.log.size(), ..Commit::default() };
        let commit = std::mem::replace(&mut self.commit, next);
        store.commit(commit)?;
        self.values.committed();
        self.tree.committed();
        self.spent.store += started.elapsed();
        Ok(())
    }

    /// Due events, then commands.
    fn run(
        &mut self,
        view: &dyn View,
        at: Moment,
        commands: Vec<Admitted>,
    ) -> Result<(Vec<Leaf>, Changes)> {
        let mut working = self.prefetch(view, at, &commands)?;
        let mut leaves = ledger::due(&mut working, at).map_err(fault)?;
        for command in commands {
            leaves.push(match command {
                Ok(checked) => ledger::apply(&mut working, &checked, at).map_err(fault)?,
                Err(refused) => refused.leaf(at.height),
            });
        }
        Ok((leaves, working.into_changes()))
    }

    fn prefetch(&mut self, view: &dyn View, at: Moment, commands: &[Admitted]) -> Result<Working> {
        let mut keys = BTreeSet::new();
        for row in self.values.due(at.time)? {
            keys.extend(ledger::due_touches(&row));
        }
        for checked in commands.iter().flatten() {
            keys.extend(ledger::touches(checked));
        }
        let mut working = Working::new([]).map_err(fault)?;
        for key in keys {
            let value = self.values.read(view, &key, at.time)?;
            working.load(key, value.as_deref()).map_err(fault)?;
        }
        Ok(working)
    }

    /// Brings the state tree up to date; returns its root.
    fn change_state(
        &mut self,
        view: &dyn View,
        height: u64,
        change: BlockChange,
    ) -> Result<proof::Hash> {
        let BlockChange { state, seen } = change;
        if !seen.is_empty() {
            self.commit.seen.push((height, self.values.remember(height, &seen)));
        }
        let network = Key::Network.encode();
        if let Some(found) = state.proven.iter().find(|change| change.key == network) {
            let decoded = found.after.as_ref().and_then(|bytes| codec::decode(bytes).ok());
            self.network = decoded.ok_or_else(|| damaged("the network's state is gone"))?;
        }
        let mut root = self.tip.state_root;
        if !state.proven.is_empty() {
            root = self.tree.update(view, state.leaves(), &mut self.commit.nodes)?;
        }
        if !state.proven.is_empty() || !state.local.is_empty() {
            self.commit.changes.push((height, state));
        }
        Ok(root)
    }

    /// Appends leaves to the log and indexes them.
    fn append(&mut self, leaves: Vec<Leaf>) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(leaves.len());
        for Leaf { entry, bytes, hash } in leaves {
            let position = self.log.size();
            self.log.push(hash, &mut self.commit.tiles);
            self.commit.index.add(&entry, position);
            self.commit.entries.push(bytes);
            self.tip.leaf = hash;
            entries.push(entry);
        }
        entries
    }

    fn end_block(&mut self, at: Moment, state_root: proof::Hash) {
        self.tip.height = at.height;
        self.tip.time = at.time;
        self.tip.size = self.log.size();
        self.tip.root = self.log.root();
        self.tip.state_root = state_root;
        self.commit.blocks.push(self.tip.clone());
    }
}

impl Refused {
    fn leaf(self, height: u64) -> Leaf {
        let Refused { command, author, reject } = self;
        Leaf::new(Entry::Outcome { height, command, author, outcome: Outcome::Rejected(reject) })
    }
}

type Changes = Vec<(Key, Option<Vec<u8>>)>;

/// Author of bytes that are no command.
pub(crate) const NOBODY: Author = Author::Member(MemberId([0; 32]));

/// The rules found the state damaged, or themselves wrong; either way this member must stop.
fn fault(fault: Fault) -> Error {
    damaged(&fault.to_string())
}

/// Entries that may wait for one transaction.
const PENDING_ENTRIES_MAX: usize = 16_384;
