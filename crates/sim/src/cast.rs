//! The members of the world: their keys, and how they behave. Vaults live here, because what a vault
//! committed survives a power cut.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use consensus::{Peer, Settings};
use flows::NodeSecret;
use ledger::{Genesis, MemberId, Origin};

/// Everybody, in the order of their ids.
pub struct Cast {
    /// The seed of the run.
    pub seed: u64,
    /// How the network begins.
    pub genesis: Genesis,
    /// The members.
    pub hospitals: Vec<Hospital>,
}

/// One member, whatever happens to its machine.
pub struct Hospital {
    /// Who it is on the ledger.
    pub id: MemberId,
    /// How it behaves.
    pub conduct: Conduct,
    secret: [u8; 32],
    vault: Mutex<Arc<vault::Memory>>,
    lives: AtomicU64,
}

/// How a member behaves. What is not honest is done by its node's answers and commands alone; the
/// product's code is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// As the product does.
    Honest,
    /// As a steward it signs garbage, properly.
    BadPartials,
    /// It answers nobody.
    Mute,
    /// As a steward it answers for other scopes than asked.
    OtherScopes,
    /// As a steward it signs an answer without a single partial.
    EmptyAnswers,
    /// As a holder it changes the envelopes that it hands out.
    ChangedEnvelopes,
    /// It puts its own signature under everybody's commands and has them ordered first.
    Resigns,
}

impl Conduct {
    /// Every way to cheat.
    pub const BYZANTINE: [Conduct; 6] = [
        Conduct::BadPartials,
        Conduct::Mute,
        Conduct::OtherScopes,
        Conduct::EmptyAnswers,
        Conduct::ChangedEnvelopes,
        Conduct::Resigns,
    ];
}

impl Cast {
    /// So many honest members.
    pub fn new(seed: u64, count: usize) -> Self {
        let keys = (0..count as u64).map(|number| {
            proof::sha256(&[b"sim/member\n", &seed.to_le_bytes(), &number.to_le_bytes()])
        });
        let mut members: Vec<([u8; 32], ledger::Member)> =
            keys.enumerate().map(|(place, key)| (key, member(place, key))).collect();
        members.sort_by_key(|(_, member)| member.id);
        let hospitals = members.iter().map(|(secret, member)| Hospital {
            id: member.id,
            conduct: Conduct::Honest,
            secret: *secret,
            vault: Mutex::default(),
            lives: AtomicU64::new(0),
        });
        let hospitals = hospitals.collect();
        let genesis = Genesis {
            name: "Hostile network".to_owned(),
            origin: "sim.example.org/carestone".to_owned(),
            members: members.into_iter().map(|(_, member)| member).collect(),
            origins: vec![signer_origin()],
            created_ms: 0,
            epoch_blocks: EPOCH_BLOCKS,
        };
        Self { seed, genesis, hospitals }
    }

    /// The same cast with one member that behaves differently.
    pub fn with(mut self, member: usize, conduct: Conduct) -> Self {
        self.hospitals[member].conduct = conduct;
        self
    }

    /// How many members there are.
    pub fn count(&self) -> usize {
        self.hospitals.len()
    }

    /// The members that behave as the product does.
    pub fn honest(&self) -> impl Iterator<Item = usize> {
        let honest = |place: &usize| self.hospitals[*place].conduct == Conduct::Honest;
        (0..self.count()).filter(honest)
    }

    /// Where a member stands in the order of the ids.
    pub fn place_of(&self, id: MemberId) -> Option<usize> {
        self.hospitals.iter().position(|hospital| hospital.id == id)
    }

    /// What the engine of a member needs to know.
    pub fn settings(&self, member: usize) -> Settings {
        let peers = self.genesis.members.iter().map(peer).collect();
        let seed = *self.hospitals[member].secret().engine_seed();
        let network = self.genesis.id().0;
        let listen = ([127, 0, 0, 1], 1).into();
        let mut settings = Settings::new(PathBuf::new(), seed, network, listen, peers);
        settings.epoch_blocks = EPOCH_BLOCKS;
        settings
    }
}

impl Hospital {
    /// The member's secret, of which all of its keys are made.
    pub fn secret(&self) -> NodeSecret {
        NodeSecret::new(self.secret)
    }

    /// By which key the other engines know it.
    pub fn engine_key(&self) -> [u8; 32] {
        consensus::engine_key(&self.secret().engine_seed())
    }

    /// Its vault as it is now.
    pub fn vault(&self) -> Arc<vault::Memory> {
        self.vault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its disk is lost, and replaced by an empty one.
    pub fn lose_vault(&self) {
        *self.vault.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// Counts a start.
    pub(crate) fn next_life(&self) -> u64 {
        self.lives.fetch_add(1, Ordering::Relaxed)
    }
}

/// Where patients sign with passkeys.
pub fn signer_origin() -> Origin {
    Origin {
        origin: "https://sign.example.org".to_owned(),
        relying_party: "sign.example.org".to_owned(),
    }
}

/// The engine's view of a member.
pub(crate) fn peer(member: &ledger::Member) -> Peer {
    Peer { key: member.engine_key, address: member.address.clone() }
}

fn member(place: usize, secret: [u8; 32]) -> ledger::Member {
    let secret = NodeSecret::new(secret);
    let engine_key = consensus::engine_key(&secret.engine_seed());
    secret.member(&format!("Hospital {place}"), engine_key, &format!("10.0.0.{place}:1"))
}

const EPOCH_BLOCKS: u64 = 5_000;
