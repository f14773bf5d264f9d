//! Commands travel from the member that took them to all others, so that any leader can order
//! them.
//!
//! Nobody passes on what others sent: members form a full mesh, and whoever took a command from
//! a client sends it again until it is ordered.

use crate::{member::Member, mempool::Origin, ordering::now_ms};
use borsh::BorshDeserialize;
use bytes::Bytes;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Clock;
use futures::future::{Either, select};
use std::{sync::Arc, time::Duration};

/// Sends our own commands: new ones at once, old ones again.
pub(crate) async fn send<S>(clock: impl Clock, member: Arc<Member>, mut sender: S)
where
    S: Sender<PublicKey = PublicKey>,
{
    let mut again = clock.current() + RESEND_PERIOD;
    loop {
        let submitted = member.submitted.notified();
        let tick = clock.sleep_until(again);
        futures::pin_mut!(submitted, tick);
        if let Either::Right(_) = select(submitted, tick).await {
            again = clock.current() + RESEND_PERIOD;
            let now = now_ms(&clock);
            let before = now.saturating_sub(RESEND_PERIOD.as_millis() as u64);
            let due = member.mempool().resend(before, now, BATCH_BYTES_MAX);
            broadcast(&mut sender, &due);
        }
        loop {
            let fresh = member.mempool().take_unsent(BATCH_BYTES_MAX, now_ms(&clock));
            if fresh.is_empty() {
                break;
            }
            broadcast(&mut sender, &fresh);
            // Under load this lets commands share a message and keeps within the channel's quota.
            clock.sleep(BREATH).await;
        }
    }
}

/// Takes the commands of others.
pub(crate) async fn receive<R>(member: Arc<Member>, mut receiver: R)
where
    R: Receiver<PublicKey = PublicKey>,
{
    while let Ok((from, message)) = receiver.recv().await {
        let from = from.as_ref().try_into().expect("keys have 32 bytes");
        let Ok(commands) = Vec::<Vec<u8>>::try_from_slice(message.as_ref()) else {
            tracing::debug!("a member sent an unreadable batch of commands");
            continue;
        };
        member.offer_all(Origin::Peer(from), commands);
    }
}

fn broadcast<S: Sender<PublicKey = PublicKey>>(sender: &mut S, commands: &[Bytes]) {
    if commands.is_empty() {
        return;
    }
    let commands: Vec<&[u8]> = commands.iter().map(AsRef::as_ref).collect();
    let message = borsh::to_vec(&commands).expect("a list in memory encodes");
    let _ = sender.send(Recipients::All, message, false);
}

/// Number of commands in a message.
pub(crate) const HEAD_BYTES: usize = 4;
/// Bytes of commands in a message, with four bytes of length each.
pub(crate) const BATCH_BYTES_MAX: usize = 256 * 1024;
const RESEND_PERIOD: Duration = Duration::from_millis(1_000);
const BREATH: Duration = Duration::from_millis(2);
