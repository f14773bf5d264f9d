//! Requests from member to member and their answers.
//!
//! Message: kind (1) | number (8, big-endian) | payload. The number is chosen by the asker and
//! means nothing to the answerer.

use crate::{
    AskError,
    member::{Ask, Member},
    ordering::now_ms,
};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::{Clock, IoBuf, Spawner};
use futures::{FutureExt, select_biased};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Sends requests, answers those of others and matches answers with requests.
pub(crate) struct Requests<E, S> {
    context: E,
    member: Arc<Member>,
    sender: S,
    next: u64,
    open: BTreeMap<u64, Open>,
    answering: BTreeMap<[u8; 32], Arc<AtomicU32>>,
}

/// A request that waits for its answer.
struct Open {
    peer: [u8; 32],
    until_ms: u64,
    reply: oneshot::Sender<Result<Vec<u8>, AskError>>,
}

impl<E, S> Requests<E, S>
where
    E: Clock + Spawner,
    S: Sender<PublicKey = PublicKey>,
{
    pub(crate) fn new(context: E, member: Arc<Member>, sender: S) -> Self {
        Self { context, member, sender, next: 0, open: BTreeMap::new(), answering: BTreeMap::new() }
    }

    pub(crate) async fn run<R>(mut self, mut asks: mpsc::Receiver<Ask>, mut receiver: R)
    where
        R: Receiver<PublicKey = PublicKey>,
    {
        loop {
            let expiry = self.next_expiry();
            select_biased! {
                message = receiver.recv().fuse() => match message {
                    Ok((from, message)) => self.on_message(from, message),
                    Err(_) => return,
                },
                ask = asks.recv().fuse() => match ask {
                    Some(ask) => self.on_ask(ask),
                    None => return,
                },
                () = expiry.fuse() => self.expire(),
            }
        }
    }

    fn on_ask(&mut self, ask: Ask) {
        let refusal = self.refusal(&ask);
        let (None, Some(peer)) = (refusal, crate::roster::public_key(&ask.peer)) else {
            let _ = ask.reply.send(Err(refusal.unwrap_or(AskError::NotConnected)));
            return;
        };
        let number = self.next;
        self.next += 1;
        if self
            .sender
            .send(Recipients::One(peer), message(REQUEST, number, &ask.request), false)
            .is_empty()
        {
            let _ = ask.reply.send(Err(AskError::Busy));
            return;
        }
        let until_ms = now_ms(&self.context).saturating_add(ask.timeout_ms.min(TIMEOUT_MS_MAX));
        self.open.insert(number, Open { peer: ask.peer, until_ms, reply: ask.reply });
    }

    fn refusal(&self, ask: &Ask) -> Option<AskError> {
        if !self.member.status().connected.contains(&ask.peer) {
            return Some(AskError::NotConnected);
        }
        let under_way = self.open.values().filter(|open| open.peer == ask.peer).count();
        (under_way >= self.member.settings.limits.ask_inflight_max as usize)
            .then_some(AskError::Busy)
    }

    fn on_message(&mut self, from: PublicKey, message: IoBuf) {
        let bytes = message.as_ref();
        let Some((head, payload)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return };
        let number = u64::from_be_bytes(head[1..].try_into().expect("eight bytes follow the kind"));
        let key: [u8; 32] = from.as_ref().try_into().expect("keys have 32 bytes");
        match head[0] {
            REQUEST => self.answer(from, key, number, payload.to_vec()),
            ANSWER => self.finish(key, number, Ok(payload.to_vec())),
            BUSY => self.finish(key, number, Err(AskError::Busy)),
            TOO_LONG => self.finish(key, number, Err(AskError::TooLong)),
            _ => {}
        }
    }

    /// Only the member that was asked can answer.
    fn finish(&mut self, from: [u8; 32], number: u64, result: Result<Vec<u8>, AskError>) {
        if self.open.get(&number).is_some_and(|open| open.peer == from)
            && let Some(open) = self.open.remove(&number)
        {
            let _ = open.reply.send(result);
        }
    }

    fn answer(&mut self, from: PublicKey, key: [u8; 32], number: u64, request: Vec<u8>) {
        let limits = self.member.settings.limits;
        let answering = self.answering.entry(key).or_default().clone();
        if answering.fetch_add(1, Ordering::AcqRel) >= limits.ask_inflight_max {
            answering.fetch_sub(1, Ordering::AcqRel);
            let _ = self.sender.send(Recipients::One(from), message(BUSY, number, &[]), false);
            return;
        }
        let mut sender = self.sender.clone();
        let answer = self.member.application.answer(key, request);
        self.context.child("answer").spawn(move |_| async move {
            let answer = answer.await;
            let reply = if answer.len() <= limits.ask_bytes_max as usize {
                message(ANSWER, number, &answer)
            } else {
                message(TOO_LONG, number, &[])
            };
            let _ = sender.send(Recipients::One(from), reply, false);
            answering.fetch_sub(1, Ordering::AcqRel);
        });
    }

    fn next_expiry(&self) -> impl Future<Output = ()> + use<E, S> {
        let first = self.open.values().map(|open| open.until_ms).min();
        let wait_ms = first.map(|until| until.saturating_sub(now_ms(&self.context)) + 1);
        let sleep = wait_ms.map(|wait| self.context.sleep(Duration::from_millis(wait)));
        async move {
            match sleep {
                Some(sleep) => sleep.await,
                None => futures::future::pending().await,
            }
        }
    }

    fn expire(&mut self) {
        let now = now_ms(&self.context);
        let late: Vec<u64> =
            self.open.iter().filter(|(_, open)| open.until_ms <= now).map(|(n, _)| *n).collect();
        for number in late {
            if let Some(open) = self.open.remove(&number) {
                let _ = open.reply.send(Err(AskError::Timeout));
            }
        }
    }
}

fn message(kind: u8, number: u64, payload: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEAD_BYTES + payload.len());
    message.push(kind);
    message.extend_from_slice(&number.to_be_bytes());
    message.extend_from_slice(payload);
    message
}

/// No answer is worth waiting longer for.
const TIMEOUT_MS_MAX: u64 = 3_600_000;
/// Kind and number.
pub(crate) const HEAD_BYTES: usize = 9;
const REQUEST: u8 = 0;
const ANSWER: u8 = 1;
const BUSY: u8 = 2;
const TOO_LONG: u8 = 3;
