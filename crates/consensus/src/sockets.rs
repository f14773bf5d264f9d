//! A member on real sockets, disks and clocks.

use crate::{
    Application, Fatal, Handle, Peer, Settings, StartError, Stopped,
    address::address,
    member::{Ask, Member},
    roster::public_key,
    wiring::{self, Lines, Peering},
};
use commonware_cryptography::{
    ChaCha20Poly1305,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::{
    AddressableManager,
    authenticated::lookup::{self, Oracle},
};
use commonware_runtime::{Quota, Runner as _, Supervisor as _, tokio as runtime};
use commonware_stream::{
    SakeCups,
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{NZU32, NZUsize, ordered::Map};
use std::{
    net::TcpListener,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::sync::mpsc;

/// Starts the engine on threads of its own.
pub(crate) fn start(
    settings: Settings,
    application: Arc<dyn Application>,
) -> Result<Handle, StartError> {
    let environment =
        |what: &str, error: std::io::Error| StartError::Environment(format!("{what}: {error}"));
    // The engine would only report a taken port by ending later.
    TcpListener::bind(settings.listen)
        .map_err(|error| environment("the engine cannot listen at its address", error))?;
    std::fs::create_dir_all(&settings.data_dir)
        .map_err(|error| environment("the engine's folder cannot be made", error))?;
    let (_, key) = wiring::key_of(&settings);
    let key = key.as_ref().try_into().expect("keys have 32 bytes");
    let (member, asks) = Member::new(settings, key, application, String::new());
    let handle = Handle::new(member.clone());
    thread::Builder::new()
        .name("consensus".into())
        .spawn(move || run(member, asks))
        .map_err(|error| environment("the engine's thread cannot be started", error))?;
    Ok(handle)
}

fn run(member: Arc<Member>, asks: mpsc::Receiver<Ask>) {
    let config = runtime::Config::new()
        .with_worker_threads(WORKERS)
        .with_tcp_nodelay(Some(true))
        .with_storage_directory(&member.settings.data_dir);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime::Runner::new(config).start(|context| serve(context, member.clone(), asks))
    }));
    let reason = ended.unwrap_or_else(|panic| Stopped::Failed(panic_message(&panic)));
    member.halt.set(reason.clone());
    member.stopped.set(reason);
}

async fn serve(
    context: runtime::Context,
    member: Arc<Member>,
    asks: mpsc::Receiver<Ask>,
) -> Stopped {
    let (mut network, oracle) =
        lookup::Network::new(context.child("network"), network_config(&member.settings));
    let lines = Lines::new(wiring::quotas().map(|(line, quota)| network.register(line, quota)));
    let network = network.start();
    let running = wiring::run(context, member.clone(), asks, lines, Sockets { oracle });
    futures::pin_mut!(running);
    match futures::future::select(running, network).await {
        futures::future::Either::Left((reason, _)) => reason,
        futures::future::Either::Right(_) => {
            member.fail(Fatal("the peer network ended".into()));
            Stopped::Failed("the peer network ended".into())
        }
    }
}

fn network_config(settings: &Settings) -> lookup::Config<SakeCups<PrivateKey, ChaCha20Poly1305>> {
    let (signer, _) = wiring::key_of(settings);
    let handshake = Cups::<_, ChaCha20Poly1305>::new(
        Sake {
            signer,
            synchrony_bound: Duration::from_secs(5),
            max_handshake_age: Duration::from_secs(10),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let peers = settings.limits.members_max as usize + settings.contacts.len() + 1;
    lookup::Config {
        handshake,
        namespace: [b"carestone/peers/v1\n".as_slice(), &settings.network].concat(),
        listen: settings.listen,
        // Hospitals reach each other over private networks as often as over the Internet, and
        // through address translation. A peer is known by its key alone.
        allow_private_ips: true,
        allow_dns: true,
        bypass_ip_check: true,
        max_message_size: wiring::message_bytes_max(&settings.limits),
        max_peers_per_set: NonZeroUsize::new(peers).expect("there is at least this member"),
        mailbox_size: NZUsize!(256),
        send_batch_size: NZUsize!(8),
        handshake_timeout: Duration::from_secs(5),
        dial_timeout: Duration::from_secs(5),
        peer_connection_cooldown: Duration::from_secs(1),
        max_concurrent_handshakes: NZU32!(64),
        allowed_handshake_rate_per_ip: Quota::per_second(NZU32!(16)),
        allowed_handshake_rate_per_subnet: Quota::per_second(NZU32!(64)),
        ping_frequency: Duration::from_secs(5),
        dial_frequency: Duration::from_millis(500),
        tracked_peer_sets: NZUsize!(2),
        block_duration: Duration::from_secs(3_600),
    }
}

/// The peer network on TCP.
#[derive(Clone)]
struct Sockets {
    oracle: Oracle<PublicKey>,
}

impl Peering for Sockets {
    type Provider = Oracle<PublicKey>;
    type Blocker = Oracle<PublicKey>;

    fn provider(&self) -> Self::Provider {
        self.oracle.clone()
    }

    fn blocker(&self) -> Self::Blocker {
        self.oracle.clone()
    }

    fn track(&mut self, index: u64, peers: &[Peer]) {
        let known = peers.iter().filter_map(|peer| {
            let known = public_key(&peer.key).zip(address(&peer.address));
            if known.is_none() {
                tracing::warn!(address = peer.address, "a member's address is not host:port");
            }
            known
        });
        let _ = self.oracle.track(index, Map::from_iter_dedup(known));
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    format!("the ordering engine gave up: {text}")
}

const WORKERS: usize = 2;
