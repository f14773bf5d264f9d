//! The product's stories: enrol, ingest, anchor, copy, grant, read, break glass, prove.
//!
//! Each story is a method of [`Member`] in the file of its name. Time, chance and the other members are
//! inputs ([`World`]), so that the same stories run in a node and, seeded, in the simulator.
//!
//! # Layout
//!
//! - [`limits`], [`world`], [`error`]: bounds, what comes from outside, what can go wrong
//! - [`keys`], [`member`]: a member and its keys; commands made final
//! - [`ceremony`]: how the members make the custody key
//! - [`patients`], [`scopes`], [`criteria`], [`ingest`], [`filing`]: from received bytes to sealed
//!   records; [`wrapped`]: what a node keeps for its own eyes beside them
//! - [`matching`]: which patient somebody may be; [`cases`], [`people`]: who is decided to be whom
//! - [`feed`], [`document`]: messages of HL7 v2 and C-CDA documents, each taken once; [`derived`]:
//!   whose they are
//! - [`quality`]: what is wrong with what comes in, by this hospital's policy; [`worklist`]: what
//!   waits for somebody
//! - [`anchor`], [`copies`]: what then happens by itself; [`erase`]: how records end
//! - [`receipt`], [`read`], [`sessions`], [`access`], [`staff`]: a consented read, receipt first;
//!   [`complaint`]: against stewards that answer wrongly
//! - [`message`], [`serve`], [`parted`]: what members do for each other
//! - [`answers`], [`history`], [`summary`], [`patch`], [`validation`]: FHIR answers from opened
//!   records, corrections, and what would be wrong; [`capability`]: what is answered at all
//! - [`export`]: the records of many patients, written to sealed files (Bulk Data); [`import`]: many
//!   resources at once, filed step by step; [`sealed`]: the files of both
//! - [`audit`]: receipts as AuditEvents; [`evidence`]: proof files; [`token`]: who may ask this node;
//!   [`words`], [`time`]: how things are said to people
//! - [`run`]: all that a member does by itself

pub mod limits;

pub mod error;
pub mod world;

pub mod keys;
pub mod member;

mod ceremony;

pub mod cases;
mod criteria;
mod filing;
pub mod ingest;
pub mod matching;
mod patients;
mod people;
mod scopes;
mod wrapped;

mod derived;
mod document;
pub mod feed;

pub mod quality;
pub mod worklist;

mod anchor;
mod copies;
pub mod erase;

mod access;
mod complaint;
pub mod read;
mod receipt;
pub mod sessions;
mod staff;

pub mod message;
mod parted;
mod serve;

mod answers;
mod audit;
mod capability;
mod evidence;
pub mod export;
mod history;
pub mod import;
mod patch;
mod sealed;
mod summary;
mod validation;

pub mod time;
pub mod token;
pub mod words;

mod run;

pub use answers::{Conditions, EntryAnswer, found_nothing, looks_beyond, meta, part_asked};
pub use audit::{AuditEvent, AuditPage, AuditTrail};
pub use capability::capability;
pub use criteria::Known;
pub use document::FiledDocument;
pub use error::{Busy, FlowError};
pub use export::{Export, ExportOrder, Exports};
pub use feed::{Feed, FeedOptions, FeedStatus};
pub use fhir::summary::PROFILE as SUMMARY_PROFILE;
pub use filing::Filed;
pub(crate) use filing::Incoming;
pub use history::{HistoryOf, Page as HistoryPage};
pub use import::{Import, ImportOrder, Imports};
pub use ingest::{Aim, Became, Delivery, EntryOutcome, FiledBundle, FiledResource, Write};
pub use keys::NodeSecret;
pub use member::{Custody, Final, Member};
pub use message::{Answer, Ask, Page, Refusal, ScopeEpoch};
pub use patch::{PatchForm, patched};
pub use read::Reading;
pub use receipt::OpenAccess;
pub use sessions::{Change, OpenedRecord, Session};
pub use validation::validation;
pub use worklist::{Original, Reasons, Replayed, Waiting};
pub use world::{AskError, Chance, Clock, Network, World};
