//! HL7 v2 messages, versions 2.1 to 2.8.
//!
//! # Layout
//!
//! - [`charset`]: bytes as text, by MSH-18
//! - [`message`]: segments, fields, components; what has been read of them
//! - [`escape`]: `\F\`, `\X0D\`, `\.br\`
//! - [`header`]: MSH, and what is wrong with it
//! - [`batch`]: files of many messages
//! - [`ack`]: the answers that a sender hears
//! - [`mllp`]: messages on a byte stream
//! - [`translate()`]: a message as resources. `context`, `datatypes` and `tables` are its words,
//!   `walk` leads from segment to segment, and each kind of resource has a file of its name

pub mod charset;

pub mod message;

mod escape;

pub mod header;

pub mod batch;

pub mod ack;

pub mod mllp;

mod context;

mod datatypes;

mod tables;

mod walk;

mod patient;

mod encounter;

mod clinical;

mod order;

mod observation;

mod document;

mod medication;

mod appointment;

mod translate;

pub use ack::{Answered, acknowledge, acknowledge_unreadable};
pub use context::Settings;
pub use header::Header;
pub use message::{Message, ParseError};
pub use translate::{Merge, Translated, translate};

/// What is wrong with a message, as its sender hears it (segment ERR).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// HL7 table 0357.
    pub code: FaultCode,
    /// Where, as in `PID-3` or `OBX[2]-5`; empty if nowhere.
    pub place: String,
    /// What to do, without a word about the patient.
    pub text: String,
}

impl Fault {
    /// A fault at a place.
    pub fn new(code: FaultCode, place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code, place: place.into(), text: text.into() }
    }
}

/// HL7 table 0357, message error conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultCode {
    /// 100.
    SegmentSequence,
    /// 101.
    RequiredFieldMissing,
    /// 102.
    DataType,
    /// 200.
    UnsupportedMessageType,
    /// 202.
    UnsupportedProcessing,
    /// 203.
    UnsupportedVersion,
    /// 204.
    UnknownKey,
    /// 207.
    Internal,
}

impl FaultCode {
    /// The code and the words of the table.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::SegmentSequence => ("100", "Segment sequence error"),
            Self::RequiredFieldMissing => ("101", "Required field missing"),
            Self::DataType => ("102", "Data type error"),
            Self::UnsupportedMessageType => ("200", "Unsupported message type"),
            Self::UnsupportedProcessing => ("202", "Unsupported processing id"),
            Self::UnsupportedVersion => ("203", "Unsupported version id"),
            Self::UnknownKey => ("204", "Unknown key identifier"),
            Self::Internal => ("207", "Application internal error"),
        }
    }

    /// Whether another delivery of the same message cannot help: the sender must change it.
    pub fn is_rejection(self) -> bool {
        matches!(
            self,
            Self::UnsupportedMessageType | Self::UnsupportedProcessing | Self::UnsupportedVersion
        )
    }
}
