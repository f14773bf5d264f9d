//! Each member's signature over its own result travels to all others.
//!
//! Only the newest one matters, so nothing is kept or asked for: it is sent after each apply,
//! and now and then again for those who were not there.

use crate::{application::COSIGNATURE_BYTES_MAX, member::Member};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{CheckedSender, LimitedSender, Receiver, Recipients, Sender};
use commonware_runtime::Clock;
use futures::future::{Either, select};
use std::{sync::Arc, time::Duration};

/// Sends our newest cosignature, and notes who is connected.
pub(crate) async fn send<S>(clock: impl Clock, member: Arc<Member>, mut sender: S)
where
    S: Sender<PublicKey = PublicKey>,
{
    let mut quiet_ticks = 0;
    loop {
        note_connected(&member, &mut sender);
        let tick = clock.sleep(TICK);
        let applied = member.applied.notified();
        futures::pin_mut!(tick, applied);
        match select(applied, tick).await {
            Either::Left(_) => quiet_ticks = 0,
            Either::Right(_) => quiet_ticks += 1,
        }
        if quiet_ticks % TICKS_BETWEEN_REPEATS != 0 {
            continue;
        }
        let newest = member.application.cosignature();
        if let Some(cosignature) = newest.filter(|bytes| bytes.len() <= COSIGNATURE_BYTES_MAX) {
            let _ = sender.send(Recipients::All, cosignature, false);
        }
    }
}

/// Hands the cosignatures of others to the application.
pub(crate) async fn receive<R>(member: Arc<Member>, mut receiver: R)
where
    R: Receiver<PublicKey = PublicKey>,
{
    while let Ok((from, message)) = receiver.recv().await {
        if message.len() > COSIGNATURE_BYTES_MAX {
            continue;
        }
        let from = from.as_ref().try_into().expect("keys have 32 bytes");
        let cosignature = message.as_ref().to_vec();
        if let Err(fatal) = member.application.on_cosignature(from, cosignature) {
            return member.fail(fatal);
        }
    }
}

fn note_connected<S: LimitedSender<PublicKey = PublicKey>>(member: &Member, sender: &mut S) {
    let Ok(checked) = sender.check(Recipients::All) else { return };
    let mut connected: Vec<[u8; 32]> =
        checked.recipients().iter().filter_map(|key| key.as_ref().try_into().ok()).collect();
    connected.retain(|key| *key != member.key);
    connected.sort();
    member.status().connected = connected;
}

const TICK: Duration = Duration::from_millis(500);
const TICKS_BETWEEN_REPEATS: u32 = 6;
