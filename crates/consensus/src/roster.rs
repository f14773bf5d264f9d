//! The members of each epoch, durable, with the means to check their votes.

use crate::{
    Fatal, Peer, Settings,
    member::Member,
    wiring::{Scheme, key_of},
};
use borsh::BorshDeserialize;
use bytes::Bytes;
use commonware_codec::{DecodeExt, RangeCfg};
use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    Hasher, Sha256,
    certificate::{Provider, Scoped},
    ed25519::{PrivateKey, PublicKey},
};
use commonware_runtime::{Clock, Metrics, Storage};
use commonware_storage::metadata::{Config, Metadata};
use commonware_utils::{ordered::Set, sequence::U64};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

/// The members of one epoch.
#[derive(Clone)]
pub(crate) struct Roster {
    pub(crate) peers: Arc<Vec<Peer>>,
    pub(crate) scheme: Arc<Scheme>,
}

/// The members of all epochs so far. Only changes are stored.
pub(crate) struct Rosters<E: Storage + Clock + Metrics> {
    store: Option<Metadata<E, U64, Vec<u8>>>,
    known: Schemes,
    identity: Identity,
}

/// Who we are, for signing votes.
#[derive(Clone)]
struct Identity {
    namespace: Vec<u8>,
    key: PrivateKey,
    members_max: usize,
}

impl<E: Storage + Clock + Metrics> Rosters<E> {
    /// Opens the store; the first time, epoch 0 comes from the settings.
    pub(crate) async fn open(context: E, member: &Member) -> Result<Self, Fatal> {
        let settings = &member.settings;
        let config = Config {
            partition: member.partition("rosters"),
            codec_config: (RangeCfg::from(0..=ROSTER_BYTES_MAX), ()),
        };
        let store = Metadata::init(context, config).await.map_err(storage)?;
        let identity = Identity {
            namespace: settings.network.to_vec(),
            key: key_of(settings).0,
            members_max: settings.limits.members_max as usize,
        };
        let mut rosters = Self { store: Some(store), known: Schemes::default(), identity };
        rosters.load(settings).await?;
        Ok(rosters)
    }

    /// For the engine, which looks up the keys of an epoch.
    pub(crate) fn schemes(&self) -> Schemes {
        self.known.clone()
    }

    pub(crate) fn knows(&self, epoch: u64) -> bool {
        self.at(epoch).is_some()
    }

    pub(crate) fn at(&self, epoch: u64) -> Option<Roster> {
        self.known.at(epoch)
    }

    /// Makes the members of the next epoch durable. A set that cannot work leaves the members as
    /// they are: the ledger is the same everywhere, so all members decide alike.
    pub(crate) async fn extend(&mut self, epoch: u64, peers: Vec<Peer>) -> Result<(), Fatal> {
        let unchanged = peers.is_empty();
        let before = epoch.checked_sub(1).and_then(|before| self.at(before));
        let before = before.ok_or_else(|| Fatal(format!("epoch {epoch} has no predecessor")))?;
        match self.identity.roster(peers) {
            _ if unchanged => {}
            Ok(roster) if roster.peers != before.peers => self.put(epoch, roster),
            Ok(_) => {}
            Err(reason) => tracing::error!(epoch, reason, "the members stay as they are"),
        }
        self.put_raw(KNOWN_TO, epoch.to_be_bytes().to_vec());
        self.sync().await?;
        self.known.know_to(epoch);
        Ok(())
    }

    async fn load(&mut self, settings: &Settings) -> Result<(), Fatal> {
        let fingerprint = fingerprint(settings);
        match self.store().get(&U64::new(FINGERPRINT)) {
            None => return self.found(settings, fingerprint).await,
            Some(stored) if *stored != fingerprint => return Err(Fatal(FOREIGN.into())),
            Some(_) => {}
        }
        let corrupt = || Fatal("the store of members is damaged; restore the folder".into());
        let keys: Vec<u64> = self.store().keys().map(u64::from).collect();
        // Addresses of the founders may change in the settings; their keys may not.
        let founders = self.identity.roster(settings.members.clone()).map_err(|_| corrupt())?;
        self.known.put(0, founders);
        for epoch in keys.into_iter().filter(|epoch| (1..FINGERPRINT).contains(epoch)) {
            let stored = self.store().get(&U64::new(epoch)).ok_or_else(corrupt)?;
            let peers = Vec::<Peer>::try_from_slice(stored).map_err(|_| corrupt())?;
            let roster = self.identity.roster(peers).map_err(|_| corrupt())?;
            self.known.put(epoch, roster);
        }
        let known_to = self.store().get(&U64::new(KNOWN_TO)).ok_or_else(corrupt)?;
        let known_to = known_to.as_slice().try_into().map_err(|_| corrupt())?;
        self.known.know_to(u64::from_be_bytes(known_to));
        Ok(())
    }

    async fn found(&mut self, settings: &Settings, fingerprint: Vec<u8>) -> Result<(), Fatal> {
        let roster = self.identity.roster(settings.members.clone()).map_err(|reason| {
            Fatal(format!("the members in the settings cannot work: {reason}"))
        })?;
        self.put(0, roster);
        self.put_raw(FINGERPRINT, fingerprint);
        self.put_raw(KNOWN_TO, 0_u64.to_be_bytes().to_vec());
        self.sync().await
    }

    fn put(&mut self, epoch: u64, roster: Roster) {
        let bytes = borsh::to_vec(roster.peers.as_ref()).expect("a list in memory encodes");
        self.put_raw(epoch, bytes);
        self.known.put(epoch, roster);
    }

    fn put_raw(&mut self, key: u64, value: Vec<u8>) {
        self.store.as_mut().expect(OPEN).put(U64::new(key), value);
    }

    async fn sync(&mut self) -> Result<(), Fatal> {
        let store = self.store.take().expect(OPEN);
        self.store = Some(store.sync().await.map_err(storage)?);
        Ok(())
    }

    fn store(&self) -> &Metadata<E, U64, Vec<u8>> {
        self.store.as_ref().expect(OPEN)
    }
}

/// The keys of each epoch, shared with the engine.
#[derive(Clone, Default)]
pub(crate) struct Schemes {
    known: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    rosters: BTreeMap<u64, Roster>,
    to: u64,
}

impl Schemes {
    fn at(&self, epoch: u64) -> Option<Roster> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if epoch > known.to {
            return None;
        }
        known.rosters.range(..=epoch).next_back().map(|(_, roster)| roster.clone())
    }

    fn put(&self, epoch: u64, roster: Roster) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.rosters.insert(epoch, roster);
    }

    fn know_to(&self, epoch: u64) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).to = epoch;
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        self.at(epoch.get()).map(|roster| Scoped::scheme(roster.scheme))
    }
}

impl Identity {
    fn roster(&self, mut peers: Vec<Peer>) -> Result<Roster, &'static str> {
        peers.sort();
        peers.dedup_by(|later, earlier| later.key == earlier.key);
        if peers.is_empty() || peers.len() > self.members_max {
            return Err("there must be at least one member and not more than the limit");
        }
        let keys: Option<Vec<_>> = peers.iter().map(|peer| public_key(&peer.key)).collect();
        let keys = Set::from_iter_dedup(keys.ok_or("a member's engine key is not a valid key")?);
        let signer = Scheme::signer(&self.namespace, keys.clone(), self.key.clone());
        let scheme = signer.unwrap_or_else(|| Scheme::verifier(&self.namespace, keys));
        Ok(Roster { peers: Arc::new(peers), scheme: Arc::new(scheme) })
    }
}

/// The engine's form of a public key; `None` if the bytes are not a point of the curve.
pub(crate) fn public_key(key: &[u8; 32]) -> Option<PublicKey> {
    PublicKey::decode(Bytes::copy_from_slice(key)).ok()
}

fn fingerprint(settings: &Settings) -> Vec<u8> {
    let mut keys: Vec<_> = settings.members.iter().map(|peer| peer.key).collect();
    keys.sort();
    keys.dedup();
    let hash = Sha256::hash(&[
        b"carestone/engine-settings/v1\n",
        &settings.network,
        &settings.genesis_time_ms.to_be_bytes(),
        &settings.epoch_blocks.to_be_bytes(),
        &keys.concat(),
    ]);
    hash.to_vec()
}

fn storage(error: commonware_storage::metadata::Error) -> Fatal {
    Fatal(format!("the store of members cannot be used: {error}"))
}

const ROSTER_BYTES_MAX: usize = 1024 * 1024;
/// Keys above every epoch.
const KNOWN_TO: u64 = u64::MAX;
const FINGERPRINT: u64 = u64::MAX - 1;
const OPEN: &str = "the store is open between calls";
const FOREIGN: &str = "the engine's folder belongs to another network, or to other first members; \
                       use the settings it was made with, or another folder";
