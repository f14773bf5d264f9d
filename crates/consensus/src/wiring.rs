//! The engine's parts and how they hang together, over any runtime and any peer network.

use crate::{
    Fatal, Limits, Peer, Settings, Stopped,
    application::COSIGNATURE_BYTES_MAX,
    block::EngineBlock,
    cosigning,
    delivery::{self, Delivery},
    epochs::{Calendar, Channels, Epochs},
    gossip,
    member::{Ask, Member},
    ordering::Ordering,
    requests::{self, Requests},
    roster::{Rosters, Schemes},
    stores,
};
use commonware_broadcast::buffered;
use commonware_consensus::{
    marshal::{
        self, Start,
        core::{Actor, Mailbox},
        resolver::p2p as backfill,
        standard::{Inline, Standard},
    },
    simplex::{self, SkipPolicy, config::SkipBudget},
    types::{FixedEpocher, ViewDelta},
};
use commonware_cryptography::{
    Digested, Digestible,
    ed25519::{PrivateKey, PublicKey},
    sha256::Digest,
};
use commonware_p2p::{Blocker, Provider, Receiver, Sender, utils::mux};
use commonware_parallel::Sequential;
use commonware_runtime::{
    Clock, Handle, Metrics, Quota, Spawner, Storage,
    buffer::paged::{CacheRef, page_size},
};
use commonware_utils::{NZU32, NZU64, NZUsize, NonZeroDuration};
use rand_core::CryptoRng;
use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;

pub(crate) type Scheme = simplex::scheme::ed25519::Scheme;
pub(crate) type Marshal = Mailbox<Scheme, Standard<EngineBlock>>;
pub(crate) type Automaton<E> = Inline<E, Scheme, Ordering, EngineBlock, FixedEpocher>;

/// What the wiring needs of a runtime.
pub(crate) trait Runtime: Spawner + Storage + Clock + Metrics + CryptoRng {}

impl<E: Spawner + Storage + Clock + Metrics + CryptoRng> Runtime for E {}

/// What the wiring needs of a peer network besides its lines.
pub(crate) trait Peering: Clone + Send + Sync + 'static {
    type Provider: Provider<PublicKey = PublicKey>;
    type Blocker: Blocker<PublicKey = PublicKey>;

    fn provider(&self) -> Self::Provider;
    fn blocker(&self) -> Self::Blocker;
    /// Connects to these peers from now on; indices rise.
    fn track(&mut self, index: u64, peers: &[Peer]);
}

/// The lines of one member to all others. Each has its own quota.
pub(crate) struct Lines<S, R> {
    pub(crate) votes: (S, R),
    pub(crate) certificates: (S, R),
    pub(crate) resolver: (S, R),
    pub(crate) backfill: (S, R),
    pub(crate) blocks: (S, R),
    pub(crate) commands: (S, R),
    pub(crate) cosignatures: (S, R),
    pub(crate) requests: (S, R),
}

/// Number and quota of each line, in the order of [`Lines`].
pub(crate) fn quotas() -> [(u64, Quota); 8] {
    let quota = |line, per_second: NonZeroU32, burst| {
        (line, Quota::per_second(per_second).allow_burst(burst))
    };
    [
        quota(0, NZU32!(1_024), NZU32!(32)),
        quota(1, NZU32!(1_024), NZU32!(32)),
        quota(2, NZU32!(256), NZU32!(32)),
        quota(3, NZU32!(256), NZU32!(32)),
        quota(4, NZU32!(256), NZU32!(16)),
        quota(5, NZU32!(1_024), NZU32!(16)),
        quota(6, NZU32!(512), NZU32!(16)),
        quota(7, NZU32!(512), NZU32!(64)),
    ]
}

impl<S, R> Lines<S, R> {
    /// From the lines that were opened with [`quotas`], in that order.
    pub(crate) fn new(lines: [(S, R); 8]) -> Self {
        let [votes, certificates, resolver, backfill, blocks, commands, cosignatures, requests] =
            lines;
        Self { votes, certificates, resolver, backfill, blocks, commands, cosignatures, requests }
    }
}

/// Longest message on any line.
pub(crate) fn message_bytes_max(limits: &Limits) -> u32 {
    let members = limits.members_max;
    commonware_p2p::max_message_size(&[
        mux::prefixed(simplex::max_payload_size::<Scheme, Digest>(members)),
        marshal::max_payload_size::<Standard<EngineBlock>, Scheme>(members, limits),
        gossip::BATCH_BYTES_MAX + gossip::HEAD_BYTES,
        requests::HEAD_BYTES + limits.ask_bytes_max as usize,
        COSIGNATURE_BYTES_MAX,
    ])
}

/// Numbers of the engine that are no business of the product.
#[derive(Clone)]
pub(crate) struct Tuning {
    pub(crate) mailbox: NonZeroUsize,
    pub(crate) replay_buffer: NonZeroUsize,
    pub(crate) write_buffer: NonZeroUsize,
    pub(crate) page_cache: CacheRef,
    pub(crate) leader_timeout: Duration,
    pub(crate) certification_timeout: Duration,
    pub(crate) timeout_retry: Duration,
    pub(crate) view_retention: ViewDelta,
    pub(crate) skip: SkipPolicy,
    pub(crate) fetch_timeout: NonZeroDuration,
    pub(crate) fetch_retry: Duration,
}

impl Tuning {
    fn new(settings: &Settings) -> Self {
        let leader_timeout = Duration::from_millis(settings.pacing.leader_timeout_ms);
        let certification_timeout = leader_timeout + Duration::from_secs(1);
        Self {
            mailbox: NZUsize!(256),
            replay_buffer: NZUsize!(64 * 1024),
            write_buffer: NZUsize!(64 * 1024),
            page_cache: CacheRef::new(page_size(4_096), NZUsize!(1_024)),
            leader_timeout,
            certification_timeout,
            timeout_retry: Duration::from_secs(1),
            view_retention: ViewDelta::new(32),
            skip: SkipPolicy::Enabled {
                timeout: certification_timeout + Duration::from_secs(2),
                budget: SkipBudget::Participants,
            },
            fetch_timeout: NonZeroDuration::new_panic(Duration::from_secs(1)),
            fetch_retry: Duration::from_millis(100),
        }
    }
}

/// Runs a member until it is asked to stop or cannot go on.
pub(crate) async fn run<E, S, R, P>(
    context: E,
    member: Arc<Member>,
    asks: mpsc::Receiver<Ask>,
    lines: Lines<S, R>,
    peering: P,
) -> Stopped
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    P: Peering,
{
    let ended = async {
        match assemble(context, member.clone(), asks, lines, peering).await {
            Ok(parts) => wait_for_first(parts).await,
            Err(fatal) => fatal,
        }
    };
    futures::pin_mut!(ended);
    let halt = member.halt.wait();
    futures::pin_mut!(halt);
    match futures::future::select(halt, ended).await {
        futures::future::Either::Left((reason, _)) => reason,
        futures::future::Either::Right((fatal, _)) => {
            member.fail(fatal.clone());
            Stopped::Failed(fatal.0)
        }
    }
}

/// Tasks of a member; none of them ends while it runs.
type Parts = Vec<Handle<Result<(), Fatal>>>;

async fn wait_for_first(parts: Parts) -> Fatal {
    let (first, _, _) = futures::future::select_all(parts).await;
    match first {
        Ok(Err(fatal)) => fatal,
        Ok(Ok(())) => Fatal("a part of the engine ended".into()),
        Err(error) => Fatal(format!("a part of the engine ended: {error}")),
    }
}

async fn assemble<E, S, R, P>(
    context: E,
    member: Arc<Member>,
    asks: mpsc::Receiver<Ask>,
    lines: Lines<S, R>,
    peering: P,
) -> Result<Parts, Fatal>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    P: Peering,
{
    let settings = &member.settings;
    let calendar = Calendar::new(settings);
    let tuning = Tuning::new(settings);
    let rosters = Rosters::open(context.child("rosters"), &member).await?;
    let (inbox, agreed) = delivery::inbox(member.clone());
    let store = Store { member: &member, tuning: &tuning, peering: &peering };
    let marshal =
        store.open(&context, rosters.schemes(), inbox, lines.backfill, lines.blocks).await?;
    catch_up(&member, &marshal).await?;

    let (epoch_sender, advances) = mpsc::channel(1);
    let automaton = Inline::new(
        context.child("ordering"),
        Ordering::new(member.clone()),
        marshal.clone(),
        epocher(settings),
    );
    let epochs = Epochs {
        context: context.child("epochs"),
        member: member.clone(),
        calendar,
        rosters,
        peering,
        marshal,
        automaton,
        channels: Channels::new(&context, lines.votes, lines.certificates, lines.resolver),
        tuning,
        advances,
    };
    let delivery = Delivery { member: member.clone(), calendar, agreed, epochs: epoch_sender };
    let mut parts = vec![
        context.child("epoch").spawn(move |_| epochs.run()),
        // The application blocks while it writes: it gets a thread of its own.
        context.child("delivery").dedicated().spawn(move |_| forever(delivery.run())),
    ];
    parts.extend(side_lines(
        &context,
        &member,
        asks,
        lines.commands,
        lines.cosignatures,
        lines.requests,
    ));
    Ok(parts)
}

fn side_lines<E, S, R>(
    context: &E,
    member: &Arc<Member>,
    asks: mpsc::Receiver<Ask>,
    commands: (S, R),
    cosignatures: (S, R),
    requests: (S, R),
) -> Parts
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let ((commands_out, commands_in), (cosigned_out, cosigned_in)) = (commands, cosignatures);
    let (sends, takes) = (member.clone(), member.clone());
    let (cosigns, reads) = (member.clone(), member.clone());
    let asking = Requests::new(context.child("requests"), member.clone(), requests.0);
    let spawn = |label| context.child(label);
    vec![
        spawn("gossip_out").spawn(move |e| forever(gossip::send(e, sends, commands_out))),
        // Checking signatures takes long enough to be kept off the threads that move messages.
        spawn("gossip_in").dedicated().spawn(move |_| forever(gossip::receive(takes, commands_in))),
        spawn("cosign_out").spawn(move |e| forever(cosigning::send(e, cosigns, cosigned_out))),
        spawn("cosign_in").spawn(move |_| forever(cosigning::receive(reads, cosigned_in))),
        spawn("asking").spawn(move |_| forever(asking.run(asks, requests.1))),
    ]
}

async fn forever(part: impl Future<Output = ()>) -> Result<(), Fatal> {
    part.await;
    Ok(())
}

/// Opens the store of blocks and starts the part that fills it.
struct Store<'a, P> {
    member: &'a Arc<Member>,
    tuning: &'a Tuning,
    peering: &'a P,
}

impl<P: Peering> Store<'_, P> {
    async fn open<E, S, R>(
        &self,
        context: &E,
        schemes: Schemes,
        inbox: delivery::Inbox,
        backfill: (S, R),
        blocks: (S, R),
    ) -> Result<Marshal, Fatal>
    where
        E: Runtime,
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let key = key_of(&self.member.settings).1;
        let resolver = backfill::init(context.child("backfill"), self.backfill(&key), backfill);
        let (broadcast, buffer) =
            buffered::Engine::new(context.child("blocks"), self.broadcast(&key));
        broadcast.start(blocks);
        let archives = stores::open(context, self.member, self.tuning).await?;
        let config = self.marshal(schemes);
        let (actor, marshal, _) =
            Actor::init(context.child("marshal"), archives.finalizations, archives.blocks, config)
                .await;
        actor.start(inbox, buffer, resolver);
        Ok(marshal)
    }

    fn marshal(
        &self,
        provider: Schemes,
    ) -> marshal::Config<
        Schemes,
        FixedEpocher,
        Sequential,
        EngineBlock,
        Digested<EngineBlock>,
        Digest,
    > {
        let settings = &self.member.settings;
        let genesis = EngineBlock::genesis(&settings.network, settings.genesis_time_ms);
        let digest = genesis.digest();
        marshal::Config {
            provider,
            epocher: epocher(settings),
            start: Start::Genesis(Digested::precomputed(genesis, digest)),
            partition_prefix: self.member.partition("marshal"),
            mailbox_size: self.tuning.mailbox,
            view_retention: self.tuning.view_retention,
            prunable_items_per_section: NZU64!(256),
            page_cache: self.tuning.page_cache.clone(),
            replay_buffer: self.tuning.replay_buffer,
            key_write_buffer: self.tuning.write_buffer,
            value_write_buffer: self.tuning.write_buffer,
            block_codec_config: settings.limits,
            max_repair: NZUsize!(16),
            max_pending_acks: NZUsize!(16),
            strategy: Sequential,
        }
    }

    fn backfill(&self, key: &PublicKey) -> backfill::Config<PublicKey, P::Provider, P::Blocker> {
        backfill::Config {
            public_key: key.clone(),
            peer_provider: self.peering.provider(),
            blocker: self.peering.blocker(),
            mailbox_size: self.tuning.mailbox,
            fetch_timeout: self.tuning.fetch_timeout,
            fetch_retry_delay: self.tuning.fetch_retry,
            priority_requests: false,
            priority_responses: false,
        }
    }

    fn broadcast(
        &self,
        key: &PublicKey,
    ) -> buffered::Config<PublicKey, Limits, P::Provider, Sequential> {
        buffered::Config {
            public_key: key.clone(),
            mailbox_size: self.tuning.mailbox,
            deque_size: 8,
            priority: false,
            codec_config: self.member.settings.limits,
            peer_provider: self.peering.provider(),
            strategy: Sequential,
        }
    }
}

/// Gives the application the blocks that the engine has and it lacks, and reminds the mempool
/// of what was ordered last.
async fn catch_up(member: &Member, marshal: &Marshal) -> Result<(), Fatal> {
    let done = marshal.get_processed().await.map_or(0, |processed| processed.height().get());
    while member.application.height() < done {
        let next = member.application.height() + 1;
        let block = block_at(marshal, next).await?;
        delivery::apply(member, &[block])?;
    }
    let height = member.application.height();
    member.set_height(height);
    let newest = block_at(marshal, height).await?;
    member.status().last_block_ms = newest.inner().time_ms();
    for height in height.saturating_sub(REMEMBERED_BLOCKS)..=height {
        let block = block_at(marshal, height).await?;
        member.mempool().remove_ordered(block.inner().ids());
    }
    Ok(())
}

/// A block that the engine must have, because the application has it or is about to get it.
pub(crate) async fn block_at(
    marshal: &Marshal,
    height: u64,
) -> Result<Digested<EngineBlock>, Fatal> {
    let height = commonware_consensus::types::Height::new(height);
    marshal.get_block(marshal::Identifier::Height(height)).await.ok_or_else(|| {
        Fatal(format!(
            "the engine's folder lacks block {height}, which the ledger needs; restore the folder, \
             or delete both the ledger and the folder to fetch everything anew"
        ))
    })
}

/// The engine's keys of a member.
pub(crate) fn key_of(settings: &Settings) -> (PrivateKey, PublicKey) {
    let private = crate::private_key(&settings.engine_seed);
    let public = PublicKey::from(private.clone());
    (private, public)
}

fn epocher(settings: &Settings) -> FixedEpocher {
    let blocks = NonZeroU64::new(settings.epoch_blocks).expect("the settings were checked");
    FixedEpocher::new(blocks)
}

/// Blocks whose commands are remembered after a restart.
const REMEMBERED_BLOCKS: u64 = 64;
