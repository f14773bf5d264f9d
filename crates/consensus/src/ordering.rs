//! What a leader proposes and what the others vote for.
//!
//! A leader with nothing to order waits for a command or for the heartbeat, which paces the
//! views of an idle network. A verifier says no only to what is wrong for ever and for all; a
//! block from a clock that runs ahead is left unanswered until our clock has followed.

use crate::{block::EngineBlock, member::Member, wiring::Scheme};
use bytes::Bytes;
use commonware_consensus::{
    Application, Heightable, marshal::ancestry::Ancestry, simplex::types::Context,
};
use commonware_cryptography::{Digested, Digestible, ed25519::PublicKey, sha256::Digest};
use commonware_runtime::{Clock, Metrics, Spawner};
use futures::{
    StreamExt,
    future::{Either, select},
};
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The engine's view of the product: it proposes and verifies blocks.
#[derive(Clone)]
pub(crate) struct Ordering {
    member: Arc<Member>,
}

impl Ordering {
    pub(crate) fn new(member: Arc<Member>) -> Self {
        Self { member }
    }

    /// Commands of blocks that are agreed or about to be, but not applied yet.
    async fn in_flight(
        &self,
        parent: &Digested<EngineBlock>,
        ancestry: &mut impl Ancestry<EngineBlock>,
    ) -> HashSet<[u8; 32]> {
        let applied = self.member.height();
        let mut taken = HashSet::new();
        let mut next = Some(parent.clone());
        while let Some(block) = next.filter(|block| block.height().get() > applied) {
            taken.extend(block.inner().ids());
            next = ancestry.next().await;
        }
        taken
    }

    /// Waits until a command that is not in flight has arrived, at most for the heartbeat; then
    /// gives others a moment to join it.
    async fn gather(&self, clock: &impl Clock, taken: &HashSet<[u8; 32]>) -> Vec<Bytes> {
        let pacing = &self.member.settings.pacing;
        let heartbeat = clock.sleep(Duration::from_millis(pacing.heartbeat_ms));
        futures::pin_mut!(heartbeat);
        loop {
            let arrived = self.member.arrived.notified();
            futures::pin_mut!(arrived);
            arrived.as_mut().enable();
            if self.member.mempool().has_other_than(taken) {
                break;
            }
            if let Either::Right(_) = select(arrived, heartbeat.as_mut()).await {
                return Vec::new();
            }
        }
        clock.sleep(Duration::from_millis(pacing.gather_ms)).await;
        self.member.mempool().select(taken)
    }

    /// Checks the commands that this member has not checked yet, away from the threads that
    /// move messages.
    async fn commands_are_valid<E: Spawner>(
        &self,
        context: E,
        block: &Digested<EngineBlock>,
    ) -> bool {
        let ids = block.inner().ids();
        let distinct: HashSet<_> = ids.iter().collect();
        if distinct.len() != ids.len() {
            return false;
        }
        let unchecked = {
            let mempool = self.member.mempool();
            ids.iter().any(|id| !mempool.is_checked(id))
        };
        if !unchecked {
            return true;
        }
        let (member, block) = (self.member.clone(), block.inner_shared());
        let check = context
            .child("check")
            .shared(true)
            .spawn(move |_| async move { check_unchecked(&member, &block) });
        // A check that could not run says nothing about the block: leave it unanswered.
        match check.await {
            Ok(valid) => valid,
            Err(_) => futures::future::pending().await,
        }
    }

    /// Waits until the block's time is no longer too far ahead of our clock.
    async fn clock_follows(&self, clock: &impl Clock, time_ms: u64) {
        let skew_ms = self.member.settings.pacing.skew_ms;
        let acceptable_ms = time_ms.saturating_sub(skew_ms);
        let ahead_ms = acceptable_ms.saturating_sub(now_ms(clock));
        if ahead_ms > 0 {
            clock.sleep(Duration::from_millis(ahead_ms)).await;
        }
    }

    fn note(&self, context: &Context<Digest, PublicKey>) {
        let mut status = self.member.status();
        status.view = context.round.view().get();
        status.leader = context.leader.as_ref().try_into().ok();
    }
}

impl<E: Clock + Spawner + Metrics> Application<E> for Ordering {
    type SigningScheme = Scheme;
    type Context = Context<Digest, PublicKey>;
    type Block = EngineBlock;
    type Input = ();

    async fn propose(
        &mut self,
        (clock, context): (E, Self::Context),
        mut ancestry: impl Ancestry<EngineBlock>,
        _: (),
    ) -> Option<Digested<EngineBlock>> {
        self.note(&context);
        let parent = ancestry.next().await?;
        let taken = self.in_flight(&parent, &mut ancestry).await;
        let commands = self.gather(&clock, &taken).await;
        let block = EngineBlock::child(&parent, now_ms(&clock), commands);
        let digest = block.digest();
        Some(Digested::precomputed(block, digest))
    }

    async fn verify(
        &mut self,
        (context, round): (E, Self::Context),
        mut ancestry: impl Ancestry<EngineBlock>,
    ) -> bool {
        self.note(&round);
        let (Some(block), Some(parent)) = (ancestry.next().await, ancestry.next().await) else {
            return false;
        };
        let time_ms = block.inner().time_ms();
        let too_old = now_ms(&context).saturating_sub(BEHIND_MS_MAX) > time_ms;
        if time_ms <= parent.inner().time_ms() || too_old {
            return false;
        }
        if !self.commands_are_valid(context.child("commands"), &block).await {
            return false;
        }
        self.clock_follows(&context, time_ms).await;
        true
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms(clock: &impl Clock) -> u64 {
    milliseconds(clock.current())
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn check_unchecked(member: &Member, block: &EngineBlock) -> bool {
    let mempool = member.mempool();
    let unchecked = block.ids().iter().zip(block.commands());
    let unchecked: Vec<&[u8]> = unchecked
        .filter(|(id, _)| !mempool.is_checked(id))
        .map(|(_, command)| command.as_ref())
        .collect();
    drop(mempool);
    if !member.application.check(&unchecked).into_iter().all(|valid| valid) {
        return false;
    }
    member.mempool().remember_checked(block.ids().iter().copied());
    true
}

/// A block older than this when it is proposed comes from a leader that holds time back. It can
/// win us nothing to vote for it: the view has passed long ago.
const BEHIND_MS_MAX: u64 = 60_000;
