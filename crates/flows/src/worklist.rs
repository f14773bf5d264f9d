//! The work list: what came in and waits for somebody to look at it.
//!
//! Messages that cannot be used, and deliveries that the checks of quality hold back, lie here
//! side by side, sealed. Somebody looks at one ([`Member::original`]) and has it tried again
//! ([`Member::replay`]), takes it in spite of what was found, or dismisses it. What is taken is
//! filed and settled in one step.

use borsh::{BorshDeserialize, BorshSerialize};
use fhir::{Issue, IssueCode};
use vault::{Batch, KeptMessage, Token};

use crate::{
    Aim, Delivery, FlowError, Member,
    feed::{Kept, Waits, Why, plan::reasons_of, replay::Replay},
    ingest::Taking,
    limits::WAITING_BYTES_MAX,
};

/// Something that waits for somebody. What it says of its patient is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its number, by which it is replayed or dismissed.
    pub number: u64,
    /// The feed it came from, or who delivered it, as in `system:ehr`.
    pub feed: String,
    /// When it came, in milliseconds since the Unix epoch.
    pub received_ms: u64,
    /// What kind it is, as in `ADT^A01` or `PUT Patient`; empty if it could not be read.
    pub kind: String,
    /// Who sent a message.
    pub sender: String,
    /// As which message (MSH-10).
    pub control_id: String,
    /// Why it waits: places, and what to do.
    pub reasons: Vec<(String, String)>,
    /// Whether it was filed, and waits only for a decision: two patients turned out to be one.
    pub is_filed: bool,
}

/// What waits, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their media type.
    pub media_type: &'static str,
}

/// What a delivery asked for.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum How {
    /// A transaction or collection.
    Bundle,
    /// One resource.
    Resource {
        /// The type in the address.
        kind: String,
        /// What is to be done with it.
        aim: Aim,
    },
    /// A document in XML.
    Document,
}

/// A delivery that waits, or waited.
#[derive(BorshSerialize, BorshDeserialize)]
struct Held {
    source: String,
    received_ms: u64,
    /// Nothing once it is settled.
    body: Vec<u8>,
    /// Means nothing once it is settled.
    how: How,
    reasons: Vec<(String, String)>,
}

/// What the list holds.
enum Item {
    Message(Kept),
    Delivery(Held),
}

/// Why something waits: places, and what to do.
pub type Reasons = Vec<(String, String)>;

/// What became of something that waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It was filed.
    Taken,
    /// It still waits.
    StillWaits(Reasons),
}

impl Replayed {
    fn still_waits(why: String) -> Self {
        Self::StillWaits(vec![(String::new(), why)])
    }
}

impl Member {
    /// A page of what waits for somebody, from this number on.
    pub fn waiting(&self, from: u64, max: usize) -> Result<Vec<Waiting>, FlowError> {
        let messages = self.vault.messages_waiting(from, max)?;
        messages.into_iter().map(|(number, message)| self.item(&message)?.told(number)).collect()
    }

    /// What waits, as it was sent.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if nothing of this number waits, or if it was filed: it is a record
    /// then, and read like one.
    pub fn original(&self, number: u64) -> Result<Original, FlowError> {
        let (_, item) = self.waiting_item(number)?;
        match item {
            Item::Message(kept) => {
                let Some(Why::NotFiled { bytes, .. }) = kept.waits.map(|waits| waits.why) else {
                    return Err(FlowError::NotFound("message that was not filed"));
                };
                Ok(Original { bytes, media_type: "application/hl7-v2" })
            }
            Item::Delivery(held) => {
                Ok(Original { media_type: held.how.media_type(), bytes: held.body })
            }
        }
    }

    /// Takes what waits, as it is understood now; says why if it still cannot be taken. With
    /// `is_decided` somebody has looked at it: what would make it wait is flagged instead.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if nothing of this number waits.
    pub fn replay(&self, number: u64, is_decided: bool) -> Result<Replayed, FlowError> {
        let (message, item) = self.waiting_item(number)?;
        let outcome = match item {
            Item::Message(kept) => {
                let replay = Replay::of(number, is_decided);
                self.replay_message(message.token, &kept, &replay)
            }
            Item::Delivery(held) => self.replay_delivery(&message, held, is_decided),
        };
        match outcome {
            Ok(Replayed::Taken) => {
                self.forget_replays()?;
                Ok(Replayed::Taken)
            }
            Err(FlowError::Content(issues) | FlowError::Waits(issues)) => {
                Ok(Replayed::StillWaits(reasons_of(&issues)))
            }
            // The world went on while it waited.
            Err(error @ (FlowError::Stale { .. } | FlowError::Ambiguous(_))) => {
                Ok(Replayed::still_waits(error.to_string()))
            }
            outcome => outcome,
        }
    }

    /// Takes something off the list without doing anything with it. Its original is forgotten.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if nothing of this number waits.
    pub fn dismiss(&self, number: u64) -> Result<(), FlowError> {
        let messages = vec![self.settled_item(number)?];
        self.vault.store(Batch { messages, ..Batch::default() })?;
        self.forget_replays()
    }

    /// Who gave way to whom by a message that waits for that decision.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] if nothing of this number waits.
    pub(crate) fn merges_waiting(&self, number: u64) -> Result<Vec<(String, String)>, FlowError> {
        let (_, Item::Message(kept)) = self.waiting_item(number)? else { return Ok(Vec::new()) };
        match kept.waits.map(|waits| waits.why) {
            Some(Why::Merges(merges)) => Ok(merges),
            _ => Ok(Vec::new()),
        }
    }

    /// What waits, as it is kept when it waits no more.
    pub(crate) fn settled_item(&self, number: u64) -> Result<KeptMessage, FlowError> {
        let (message, item) = self.waiting_item(number)?;
        Ok(match item {
            Item::Message(kept) => {
                self.sealed(message.token, message.feed, &Kept { waits: None, ..kept })
            }
            Item::Delivery(held) => self.settled(&message, &held),
        })
    }

    fn replay_message(
        &self,
        token: Token,
        kept: &Kept,
        replay: &Replay,
    ) -> Result<Replayed, FlowError> {
        let Some(Why::NotFiled { bytes, .. }) = kept.waits.as_ref().map(|waits| &waits.why) else {
            return Ok(Replayed::still_waits(FILED.to_owned()));
        };
        let Some(feed) = self.feed(&kept.feed) else {
            let text = format!("the feed `{}` is not configured any more: add it", kept.feed);
            return Ok(Replayed::still_waits(text));
        };
        let plan = self.plan(&feed, token, bytes, kept, Some(replay))?;
        if let Some(Why::NotFiled { reasons, .. }) = plan.waits.as_ref().map(|waits| &waits.why) {
            return Ok(Replayed::StillWaits(reasons.clone()));
        }
        self.carry_out(&feed, token, plan, kept, Some(replay)).map(|_| Replayed::Taken)
    }

    fn replay_delivery(
        &self,
        message: &KeptMessage,
        held: Held,
        is_decided: bool,
    ) -> Result<Replayed, FlowError> {
        let settled = self.settled(message, &held);
        let taking = Taking { is_decided, settled: vec![settled.clone()], import: None };
        let Held { source, body, how, .. } = held;
        match how {
            How::Bundle => {
                self.ingest_as(&source, Delivery::parse(body)?, taking)?;
            }
            How::Resource { kind, aim } => {
                self.resource_as(&source, body.into(), &kind, &aim, taking)?;
            }
            How::Document => {
                self.document_as(&source, &body, taking)?;
            }
        }
        // If nothing had to be filed any more, nothing was settled either.
        if self.vault.message(message.token)?.is_some_and(|message| message.is_waiting) {
            self.vault.store(Batch { messages: vec![settled], ..Batch::default() })?;
        }
        Ok(Replayed::Taken)
    }

    /// Keeps a delivery until somebody has looked at it. Sent again meanwhile, it waits once.
    pub(crate) fn keep_waiting<T>(
        &self,
        source: &str,
        body: &[u8],
        how: &How,
        issues: Vec<Issue>,
    ) -> Result<T, FlowError> {
        let mut aside = Taking::default().aside(source);
        aside.batch.messages.extend(self.waiting_as(source, body, how, &issues)?);
        aside.counted.ended("waits", &issues);
        match self.file_with(Vec::new(), aside) {
            // Somebody else was faster with the same delivery: it waits.
            Ok(_) | Err(FlowError::Conflict) => Err(FlowError::Waits(issues)),
            Err(error) => Err(error),
        }
    }

    /// What is kept of a delivery that waits; nothing if it waits already.
    ///
    /// # Errors
    /// [`FlowError::Content`] if it is too long to be kept.
    pub(crate) fn waiting_as(
        &self,
        source: &str,
        body: &[u8],
        how: &How,
        issues: &[Issue],
    ) -> Result<Option<KeptMessage>, FlowError> {
        if body.len() > WAITING_BYTES_MAX {
            let text = format!("more than {WAITING_BYTES_MAX} bytes cannot wait: send it in parts");
            let too_long = Issue::error(IssueCode::TooLong, "", text);
            return Err(FlowError::Content([&[too_long], issues].concat()));
        }
        let asked = borsh::to_vec(how).expect("writing to memory does not fail");
        let digest = proof::sha256(&[source.as_bytes(), b"\0", &asked, body]);
        let mut times = 0_u64;
        let token = loop {
            let token = self.keys.token("delivery", &[&digest, &times.to_le_bytes()]);
            match self.vault.message(token)? {
                None => break token,
                Some(known) if known.is_waiting => return Ok(None),
                // It waited before, and was settled: whoever sends it again has it judged again.
                Some(_) => times += 1,
            }
        };
        let held = Held {
            source: source.to_owned(),
            received_ms: self.world.clock.now_ms(),
            body: body.to_vec(),
            how: how.clone(),
            reasons: reasons_of(issues),
        };
        let feed = self.keys.token("source", &[source.as_bytes()]);
        Ok(Some(self.sealed_delivery(token, feed, &held, true)))
    }

    fn settled(&self, message: &KeptMessage, held: &Held) -> KeptMessage {
        let forgotten = Held {
            source: held.source.clone(),
            received_ms: held.received_ms,
            body: Vec::new(),
            // The address may name somebody.
            how: How::Bundle,
            reasons: Vec::new(),
        };
        self.sealed_delivery(message.token, message.feed, &forgotten, false)
    }

    fn sealed_delivery(
        &self,
        token: Token,
        feed: Token,
        held: &Held,
        is_waiting: bool,
    ) -> KeptMessage {
        let sealed = self.wrap(DELIVERY, &token.0, held);
        KeptMessage { token, feed, is_waiting, sealed }
    }

    fn waiting_item(&self, number: u64) -> Result<(KeptMessage, Item), FlowError> {
        let page = self.vault.messages_waiting(number, 1)?;
        let found = page.into_iter().find(|(found, _)| *found == number);
        let (_, message) = found.ok_or(FlowError::NotFound("message that waits"))?;
        let item = self.item(&message)?;
        Ok((message, item))
    }

    /// What lies behind an entry of the list: each kind is sealed under a label of its own.
    fn item(&self, message: &KeptMessage) -> Result<Item, FlowError> {
        match self.unwrap(DELIVERY, &message.token.0, &message.sealed) {
            Ok(held) => Ok(Item::Delivery(held)),
            Err(_) => self.opened(message).map(Item::Message),
        }
    }
}

impl Item {
    fn told(self, number: u64) -> Result<Waiting, FlowError> {
        match self {
            Item::Message(Kept { feed, received_ms, waits, .. }) => {
                let damaged = || FlowError::Evidence("a message cannot be read".to_owned());
                let waits = waits.ok_or_else(damaged)?;
                let Waits { kind, sender, control_id, why } = waits;
                let (reasons, is_filed) = match why {
                    Why::NotFiled { reasons, .. } => (reasons, false),
                    Why::Merges(merges) => (merges.iter().map(gave_way).collect(), true),
                };
                Ok(Waiting {
                    number,
                    feed,
                    received_ms,
                    kind,
                    sender,
                    control_id,
                    reasons,
                    is_filed,
                })
            }
            Item::Delivery(Held { source, received_ms, how, reasons, .. }) => Ok(Waiting {
                number,
                feed: source,
                received_ms,
                kind: how.words(),
                sender: String::new(),
                control_id: String::new(),
                reasons,
                is_filed: false,
            }),
        }
    }
}

impl How {
    fn words(&self) -> String {
        match self {
            How::Bundle => "Bundle".to_owned(),
            How::Document => "ClinicalDocument".to_owned(),
            How::Resource { kind, aim: Aim::Create { .. } } => format!("POST {kind}"),
            How::Resource { kind, .. } => format!("PUT {kind}"),
        }
    }

    fn media_type(&self) -> &'static str {
        match self {
            How::Document => "application/hl7-cda+xml",
            How::Bundle | How::Resource { .. } => "application/fhir+json",
        }
    }
}

fn gave_way((gone, survivor): &(String, String)) -> (String, String) {
    let what = format!("gave way to Patient/{survivor}: decide whose records they are");
    (format!("Patient/{gone}"), what)
}

const DELIVERY: &str = "delivery";
const FILED: &str = "it was filed, and waits for a decision about two patients: dismiss it then";
