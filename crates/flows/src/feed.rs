//! Feeds of HL7 v2 messages: a message is durable before it is answered, taken once, and never
//! lost.
//!
//! What a message tells is filed in one atomic step with the note that it was taken and how it was
//! answered; a crash leaves all of it or nothing, and a message that is sent again is answered as
//! the first time. A message that cannot be used is kept, sealed, for people to look at, and taken
//! later (see [`worklist`](crate::worklist)).
//!
//! *Order.* Messages of one connection are taken one after the other, so those about one patient
//! stay in order. A message that waited and is taken later changes nothing that a younger one told.

pub(crate) mod plan;

pub(crate) mod replay;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use borsh::{BorshDeserialize, BorshSerialize};
pub use fhir::import::v2::{batch, mllp};
use fhir::import::{
    Names, Zone,
    v2::{ParseError, Settings, charset::Charset},
};
use vault::{KeptMessage, MessageCounts, Token};

use crate::{FlowError, Member, Reasons};

/// What an operator says of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedOptions {
    /// Its name, for people.
    pub name: String,
    /// The zone of times that name none: a name of the IANA database, or an offset.
    pub zone: Option<String>,
    /// The character set of messages that name none and are not UTF-8.
    pub charset: Option<String>,
    /// URIs of assigning authorities by the names that the sender uses.
    pub authorities: BTreeMap<String, String>,
    /// Which messages are taken, by MSH-11: `P` production, `T` training, `D` debugging. Production
    /// alone if nothing is said.
    pub processing: Vec<String>,
}

/// A feed that is connected.
pub struct Feed {
    name: String,
    token: Token,
    settings: Settings,
    tally: Tally,
}

/// What happened on a feed since the node started.
#[derive(Default)]
struct Tally {
    received: AtomicU64,
    repeated: AtomicU64,
    resources: AtomicU64,
    not_understood: AtomicU64,
}

/// The feeds of a member, by their names.
#[derive(Default)]
pub(crate) struct Feeds(RwLock<BTreeMap<String, Arc<Feed>>>);

/// How a feed does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStatus {
    /// Its name.
    pub name: String,
    /// Messages taken ever, and those of them that wait for somebody.
    pub counts: MessageCounts,
    /// Messages received since the node started, repeated ones included.
    pub received: u64,
    /// Messages received again since the node started.
    pub repeated: u64,
    /// Resources filed since the node started.
    pub resources: u64,
    /// Parts of messages that only their originals tell, since the node started.
    pub not_understood: u64,
}

/// What is kept of a message, sealed.
#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) struct Kept {
    pub(crate) feed: String,
    pub(crate) received_ms: u64,
    /// How many record versions the vault had when it came.
    pub(crate) records: u64,
    pub(crate) answers: Vec<Vec<u8>>,
    /// Of a message that waits.
    pub(crate) waits: Option<Waits>,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) struct Waits {
    pub(crate) kind: String,
    pub(crate) sender: String,
    pub(crate) control_id: String,
    pub(crate) why: Why,
}

/// Why a message waits for somebody.
#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) enum Why {
    /// It could not be filed.
    NotFiled {
        /// The message.
        bytes: Vec<u8>,
        /// Places, and what to do.
        reasons: Reasons,
    },
    /// It was filed, and tells who gave way to whom, by logical ids of patients: for people to
    /// decide.
    Merges(Vec<(String, String)>),
}

impl Member {
    /// Connects a feed, or changes what is known of it.
    ///
    /// # Errors
    /// What the operator has to correct.
    pub fn open_feed(&self, options: FeedOptions) -> Result<Arc<Feed>, String> {
        let mut settings = Settings::new(Names::new(*self.secret.import_key()));
        if let Some(zone) = &options.zone {
            settings.zone = Zone::named(zone)
                .ok_or_else(|| format!("`{zone}` is no zone: write `Europe/Berlin` or `+01:00`"))?;
        }
        if let Some(charset) = &options.charset {
            let known = Charset::named(charset);
            settings.charset = Some(known.ok_or_else(|| {
                format!("`{charset}` is no character set of HL7: write `8859/1` or `UNICODE UTF-8`")
            })?);
        }
        settings.authorities = options.authorities;
        if !options.processing.is_empty() {
            let is_known = |code: &String| matches!(code.as_str(), "P" | "T" | "D");
            if let Some(code) = options.processing.iter().find(|code| !is_known(code)) {
                return Err(format!("`{code}` is no processing id of HL7: write `P`, `T` or `D`"));
            }
            settings.processing = options.processing;
        }
        let token = self.keys.token("feed", &[options.name.as_bytes()]);
        let feed = Feed { name: options.name.clone(), token, settings, tally: Tally::default() };
        let feed = Arc::new(feed);
        let mut feeds = self.feeds.0.write().unwrap_or_else(PoisonError::into_inner);
        feeds.insert(options.name, feed.clone());
        Ok(feed)
    }

    /// Takes a message and returns what to answer, in order; perhaps nothing. It is durable then.
    ///
    /// # Errors
    /// Only what has nothing to do with the message: nothing was stored and nothing must be
    /// answered, so that it is sent again.
    pub fn receive(&self, feed: &Feed, bytes: &[u8]) -> Result<Vec<Vec<u8>>, FlowError> {
        feed.tally.received.fetch_add(1, Ordering::Relaxed);
        let token = self.keys.token("message", &[&proof::sha256(&[bytes])]);
        // Whoever is faster with the same message has taken it; the second look finds it.
        for _ in 0..2 {
            if let Some(kept) = self.vault.message(token)? {
                feed.tally.repeated.fetch_add(1, Ordering::Relaxed);
                return Ok(self.opened(&kept)?.answers);
            }
            let kept = Kept {
                feed: feed.name.clone(),
                received_ms: self.world.clock.now_ms(),
                records: self.vault.counts()?.records,
                answers: Vec::new(),
                waits: None,
            };
            match self.take(feed, token, bytes, &kept) {
                Err(FlowError::Conflict) => {}
                taken => return taken,
            }
        }
        Err(FlowError::Conflict)
    }

    /// The answers to a message that is longer than allowed, of which nothing is kept. `head` is
    /// how it began.
    pub fn refuse_too_long(&self, head: &[u8]) -> Vec<Vec<u8>> {
        let now_ms = self.world.clock.now_ms();
        plan::answer_unreadable(head, ParseError::TooLong, &now_ms.to_string(), now_ms)
    }

    /// How the feeds do.
    pub fn feed_status(&self) -> Result<Vec<FeedStatus>, FlowError> {
        let feeds = self.feeds.0.read().unwrap_or_else(PoisonError::into_inner);
        let status = feeds.values().map(|feed| {
            let number = |count: &AtomicU64| count.load(Ordering::Relaxed);
            Ok(FeedStatus {
                name: feed.name.clone(),
                counts: self.vault.message_counts(feed.token)?,
                received: number(&feed.tally.received),
                repeated: number(&feed.tally.repeated),
                resources: number(&feed.tally.resources),
                not_understood: number(&feed.tally.not_understood),
            })
        });
        status.collect()
    }

    pub(crate) fn feed(&self, name: &str) -> Option<Arc<Feed>> {
        self.feeds.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// A message as it is stored.
    pub(crate) fn sealed(&self, token: Token, feed: Token, kept: &Kept) -> KeptMessage {
        let sealed = self.wrap(MESSAGE, &token.0, kept);
        KeptMessage { token, feed, is_waiting: kept.waits.is_some(), sealed }
    }

    pub(crate) fn opened(&self, message: &KeptMessage) -> Result<Kept, FlowError> {
        self.unwrap(MESSAGE, &message.token.0, &message.sealed)
    }
}

const MESSAGE: &str = "message";
