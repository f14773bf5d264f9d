//! Which members decide, and when that changes.
//!
//! Blocks are cut into epochs of equal length. At the last block of an epoch every member
//! derives the next set from the ledger, makes it durable, connects to it and starts a fresh
//! engine whose first parent is that block. Only then is the block acknowledged, so a crash in
//! between repeats the step.

use crate::{
    Fatal, Peer, Settings,
    block::EngineBlock,
    member::Member,
    roster::{Roster, Rosters},
    wiring::{Automaton, Marshal, Peering, Runtime, Tuning, block_at},
};
use commonware_consensus::{
    Reporters,
    simplex::{self, Floor, elector::RoundRobin},
    types::{Epoch, Height},
};
use commonware_cryptography::{Digested, Digestible, Sha256, ed25519::PublicKey, sha256::Digest};
use commonware_p2p::{
    Channel, Message, Receiver, Sender,
    utils::mux::{Builder, MuxHandle, Muxer},
};
use commonware_runtime::{Handle, Spawner};
use commonware_utils::vec::NonEmptyVec;
use futures::{FutureExt, select_biased};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Which block belongs to which epoch. Epoch 0 contains block 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calendar {
    blocks: u64,
}

impl Calendar {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { blocks: settings.epoch_blocks }
    }

    /// Last block of an epoch.
    pub(crate) fn last(&self, epoch: u64) -> u64 {
        epoch.saturating_add(1).saturating_mul(self.blocks) - 1
    }

    pub(crate) fn is_last(&self, height: u64) -> bool {
        (height + 1).is_multiple_of(self.blocks)
    }

    /// Epoch of the block that follows `height`.
    pub(crate) fn epoch_after(&self, height: u64) -> u64 {
        (height + 1) / self.blocks
    }
}

/// Tells that the last block of an epoch has been applied.
pub(crate) struct Advance {
    pub(crate) epoch: u64,
    pub(crate) boundary: Digested<EngineBlock>,
    pub(crate) entered: oneshot::Sender<()>,
}

/// Channels of the engine, shared by the epochs.
pub(crate) struct Channels<S: Sender> {
    votes: MuxHandle<S>,
    certificates: MuxHandle<S>,
    resolver: MuxHandle<S>,
    later_votes: mpsc::Receiver<(Channel, Message<S::PublicKey>)>,
    later_certificates: mpsc::Receiver<(Channel, Message<S::PublicKey>)>,
}

impl<S: Sender<PublicKey = PublicKey>> Channels<S> {
    pub(crate) fn new<E, R>(
        context: &E,
        (vote_sender, vote_receiver): (S, R),
        (certificate_sender, certificate_receiver): (S, R),
        (resolver_sender, resolver_receiver): (S, R),
    ) -> Self
    where
        E: Spawner,
        R: Receiver<PublicKey = PublicKey>,
    {
        let (mux, votes, later_votes) =
            Muxer::builder(context.child("votes"), vote_sender, vote_receiver)
                .with_backup()
                .build();
        mux.start();
        let (mux, certificates, later_certificates) =
            Muxer::builder(context.child("certificates"), certificate_sender, certificate_receiver)
                .with_backup()
                .build();
        mux.start();
        let (mux, resolver) =
            Muxer::new(context.child("resolver"), resolver_sender, resolver_receiver);
        mux.start();
        Self { votes, certificates, resolver, later_votes, later_certificates }
    }
}

/// Runs one engine at a time and moves it from epoch to epoch.
pub(crate) struct Epochs<E, S, P>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    P: Peering,
{
    pub(crate) context: E,
    pub(crate) member: Arc<Member>,
    pub(crate) calendar: Calendar,
    pub(crate) rosters: Rosters<E>,
    pub(crate) peering: P,
    pub(crate) marshal: Marshal,
    pub(crate) automaton: Automaton<E>,
    pub(crate) channels: Channels<S>,
    pub(crate) tuning: Tuning,
    pub(crate) advances: mpsc::Receiver<Advance>,
}

/// The engine of the current epoch. Aborted when replaced.
struct Running {
    epoch: u64,
    engine: Handle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.engine.abort();
    }
}

impl<E, S, P> Epochs<E, S, P>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    P: Peering,
{
    /// Enters the epoch after the newest applied block and stays until the engine stops.
    pub(crate) async fn run(mut self) -> Result<(), Fatal> {
        let epoch = self.calendar.epoch_after(self.member.height());
        let boundary = self.boundary(epoch).await?;
        let mut running = self.enter(epoch, boundary).await?;
        loop {
            select_biased! {
                ended = (&mut running.engine).fuse() => {
                    return Err(Fatal(format!("the engine of epoch {epoch} ended: {ended:?}")));
                }
                advance = self.advances.recv().fuse() => {
                    let Some(advance) = advance else { return Ok(()) };
                    self.advance(advance, &mut running).await?;
                }
                later = self.channels.later_votes.recv().fuse() => {
                    let Some((channel, (from, _))) = later else { return Ok(()) };
                    self.hint(running.epoch, channel, from);
                }
                later = self.channels.later_certificates.recv().fuse() => {
                    let Some((channel, (from, _))) = later else { return Ok(()) };
                    self.hint(running.epoch, channel, from);
                }
            }
        }
    }

    async fn advance(&mut self, advance: Advance, running: &mut Running) -> Result<(), Fatal> {
        // A block that is delivered again after a restart may end an epoch we have left.
        if advance.epoch > running.epoch {
            let digest = advance.boundary.digest();
            *running = self.enter(advance.epoch, digest).await?;
            self.forget(advance.epoch).await;
        }
        let _ = advance.entered.send(());
        Ok(())
    }

    /// A message of a later epoch proves that its sender has the end of ours: fetch it there.
    fn hint(&self, epoch: u64, channel: Channel, from: PublicKey) {
        if channel > epoch {
            let last = Height::new(self.calendar.last(epoch));
            self.marshal.hint_finalized(last, NonEmptyVec::new(from));
        }
    }

    /// The digest on which the first block of an epoch builds.
    async fn boundary(&self, epoch: u64) -> Result<Digest, Fatal> {
        let height = epoch.checked_sub(1).map_or(0, |before| self.calendar.last(before));
        block_at(&self.marshal, height).await.map(|block| block.digest())
    }

    async fn enter(&mut self, epoch: u64, boundary: Digest) -> Result<Running, Fatal> {
        if !self.rosters.knows(epoch) {
            let peers = self.member.application.members(epoch);
            self.rosters.extend(epoch, peers).await?;
        }
        let roster = self.rosters.at(epoch).expect("the roster was just made known");
        self.connect(epoch, &roster);
        let engine = self.engine(epoch, &roster, boundary);
        let closed = || Fatal("the peer network closed".into());
        let votes = self.channels.votes.register(epoch).await.map_err(|_| closed())?;
        let certificates =
            self.channels.certificates.register(epoch).await.map_err(|_| closed())?;
        let resolver = self.channels.resolver.register(epoch).await.map_err(|_| closed())?;
        let engine = engine.start(votes, certificates, resolver);
        self.member.mempool().set_members(roster.peers.len());
        self.member.status().epoch = epoch;
        tracing::info!(epoch, members = roster.peers.len(), "entered epoch");
        Ok(Running { epoch, engine })
    }

    /// Connects to the members of an epoch and to the contacts from the settings, whose
    /// addresses count more than the ledger's: they are the operator's own word.
    fn connect(&mut self, epoch: u64, roster: &Roster) {
        let contacts = &self.member.settings.contacts;
        let others = roster
            .peers
            .iter()
            .filter(|peer| contacts.iter().all(|contact| contact.key != peer.key));
        let peers: Vec<Peer> = contacts.iter().chain(others).cloned().collect();
        self.peering.track(epoch, &peers);
    }

    fn engine(&self, epoch: u64, roster: &Roster, boundary: Digest) -> Engine<E, P> {
        let config = simplex::Config {
            scheme: (*roster.scheme).clone(),
            elector: RoundRobin::<Sha256>::default(),
            blocker: self.peering.blocker(),
            automaton: self.automaton.clone(),
            relay: self.automaton.clone(),
            reporter: Reporters::from((self.automaton.clone(), crate::evidence::Watch)),
            track_historical_votes: false,
            strategy: commonware_parallel::Sequential,
            partition: self.votes(epoch),
            mailbox_size: self.tuning.mailbox,
            epoch: Epoch::new(epoch),
            floor: Floor::Genesis(boundary),
            replay_buffer: self.tuning.replay_buffer,
            write_buffer: self.tuning.write_buffer,
            page_cache: self.tuning.page_cache.clone(),
            leader_timeout: self.tuning.leader_timeout,
            certification_timeout: self.tuning.certification_timeout,
            timeout_retry: self.tuning.timeout_retry,
            view_retention: self.tuning.view_retention,
            skip: self.tuning.skip,
            fetch_timeout: self.tuning.fetch_timeout,
            fetch_retry_delay: self.tuning.fetch_retry,
            forward: simplex::ForwardPolicy::SilentVoters,
        };
        simplex::Engine::new(self.context.child("engine").with_attribute("epoch", epoch), config)
    }

    /// Where our votes of an epoch are kept.
    fn votes(&self, epoch: u64) -> String {
        self.member.partition(&format!("votes-{epoch}"))
    }

    /// Drops the votes of the epoch before last, which can no longer be asked for.
    async fn forget(&self, epoch: u64) {
        if let Some(old) = epoch.checked_sub(2)
            && let Err(error) = self.context.remove(&self.votes(old), None).await
        {
            tracing::debug!(epoch = old, %error, "votes of an old epoch are already gone");
        }
    }
}

type Engine<E, P> = simplex::Engine<
    E,
    crate::wiring::Scheme,
    RoundRobin<Sha256>,
    <P as Peering>::Blocker,
    Digest,
    Automaton<E>,
    Automaton<E>,
    Reporters<Automaton<E>, crate::evidence::Watch>,
    commonware_parallel::Sequential,
>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_tile_the_blocks() {
        let calendar = Calendar { blocks: 10 };
        assert_eq!(calendar.last(0), 9);
        assert_eq!(calendar.last(1), 19);
        assert!(calendar.is_last(9) && calendar.is_last(19) && !calendar.is_last(10));
        let epochs = [0, 8, 9, 18, 19].map(|height| calendar.epoch_after(height));
        assert_eq!(epochs, [0, 0, 1, 1, 2]);
    }
}
