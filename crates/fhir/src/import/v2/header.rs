//! The header of a message: who sends what to whom, and how it wants to be answered.

use std::fmt;

use super::message::{Message, Segment};
use super::{Fault, FaultCode};
use crate::limits::v2::{CONTROL_ID_CHARS_MAX, HEADER_CHARS_MAX};

/// The segment MSH, as far as a receiver needs it.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// MSH-3 and MSH-4, with separators as sent: who sends.
    pub sender: (String, String),
    /// MSH-5 and MSH-6, with separators as sent: to whom.
    pub receiver: (String, String),
    /// MSH-7: when it was made.
    pub time: String,
    /// MSH-9.1, as in `ADT`.
    pub kind: String,
    /// MSH-9.2, as in `A01`; in versions that do not have it, EVN-1.
    pub event: String,
    /// MSH-10.
    pub control_id: String,
    /// MSH-11.1: `P` production, `T` training, `D` debugging.
    pub processing: String,
    /// MSH-12.1, as in `2.5.1`.
    pub version: String,
    /// MSH-15: when to acknowledge that the message is kept.
    pub accept: Wanted,
    /// MSH-16: when to acknowledge what became of it.
    pub application: Wanted,
    /// Fields of which only the beginning was read: what is echoed must stay short.
    too_long: Vec<usize>,
}

/// When an acknowledgment is wanted (HL7 table 0155).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The sender does not say.
    Unsaid,
    /// `AL`.
    Always,
    /// `NE`.
    Never,
    /// `ER`: on errors and rejections.
    OnError,
    /// `SU`: on success.
    OnSuccess,
}

impl Wanted {
    /// Whether it is wanted for this outcome.
    pub fn on(self, is_success: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never | Self::Unsaid => false,
            Self::OnError => !is_success,
            Self::OnSuccess => is_success,
        }
    }

    fn read(code: &str) -> Self {
        match code {
            "AL" => Self::Always,
            "NE" => Self::Never,
            "ER" => Self::OnError,
            "SU" => Self::OnSuccess,
            _ => Self::Unsaid,
        }
    }
}

impl Header {
    /// Reads the header. Whether it is sound is asked by [`Header::faults`]: also a message that is
    /// not gets an answer.
    pub fn read(message: &Message) -> Self {
        let header = message.header();
        let mut too_long = Vec::new();
        let mut short = |field: usize, text: &str| {
            let max = if field == 10 { CONTROL_ID_CHARS_MAX } else { HEADER_CHARS_MAX };
            let short: String = text.chars().take(max).collect();
            if short.len() < text.len() {
                too_long.push(field);
            }
            short
        };
        let mut text = |field: usize| short(field, &header.field(field).text());
        let (time, kind) = (text(7), text(9));
        let (control_id, processing, version) = (text(10), text(11), text(12));
        let (accept, application) = (text(15), text(16));
        // A line that goes on brings its end along, which in an answer would begin a segment.
        let mut raw = |field: usize| {
            short(field, &header.field(field).raw().trim().replace(char::is_control, " "))
        };
        let (sender, receiver) = ((raw(3), raw(4)), (raw(5), raw(6)));
        let event = header.field(9).component(2).text().into_owned();
        let event = if event.is_empty() { event_of(message) } else { event };
        let event = short(9, &event);
        // The structure (MSH-9.3), the security word, the country and so on say nothing clinical.
        header.skip();
        Self {
            sender,
            receiver,
            time,
            kind,
            event,
            control_id,
            processing,
            version,
            accept: Wanted::read(&accept),
            application: Wanted::read(&application),
            too_long,
        }
    }

    /// What makes the message one that cannot be taken, whatever follows. `processing` are the
    /// values of MSH-11 that are taken; a sender that says nothing means production.
    pub fn faults(&self, processing: &[String]) -> Vec<Fault> {
        let missing = |value: &str, field: usize| {
            value.is_empty().then(|| {
                let text = format!("MSH-{field} is missing: send it");
                Fault::new(FaultCode::RequiredFieldMissing, format!("MSH-{field}"), text)
            })
        };
        let mut faults: Vec<Fault> = Vec::new();
        faults.extend(missing(&self.kind, 9));
        faults.extend(missing(&self.control_id, 10));
        faults.extend(self.too_long.iter().map(|field| {
            let text = format!("MSH-{field} is longer than the standard allows: shorten it");
            Fault::new(FaultCode::DataType, format!("MSH-{field}"), text)
        }));
        if !is_known_version(&self.version) {
            let text = "versions 2.1 to 2.8 are understood: send one of them in MSH-12";
            faults.push(Fault::new(FaultCode::UnsupportedVersion, "MSH-12", text));
        }
        let meant = if self.processing.is_empty() { "P" } else { &self.processing };
        if !processing.iter().any(|taken| taken == meant) {
            let text = format!("only messages of MSH-11 {} are taken here", processing.join(", "));
            faults.push(Fault::new(FaultCode::UnsupportedProcessing, "MSH-11", text));
        }
        faults
    }

    /// Whether the sender asks for the enhanced mode: MSH-15 or MSH-16 say when to answer.
    pub fn is_enhanced(&self) -> bool {
        self.accept != Wanted::Unsaid || self.application != Wanted::Unsaid
    }

    /// Whether the version is at least this one, as in `(2, 5)`.
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0_u32));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
    }

    /// Who sends, for people and for `Provenance`: application and facility.
    pub fn sender_text(&self) -> String {
        let names =
            [&self.sender.0, &self.sender.1].map(|name| name.split('^').next().unwrap_or(""));
        match names {
            ["", ""] => "a sender without a name".to_owned(),
            [one, ""] | ["", one] => one.to_owned(),
            [application, facility] => format!("{application} at {facility}"),
        }
    }
}

/// Prints what kind of message it is.
impl fmt::Debug for Header {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Header({}^{}, version {})", self.kind, self.event, self.version)
    }
}

/// The event of EVN-1: versions up to 2.2 say it only there.
fn event_of(message: &Message) -> String {
    let event = message.segments().find(|segment| Segment::name(*segment) == "EVN");
    event.map(|event| event.field(1).text().into_owned()).unwrap_or_default()
}

/// 2.1 to 2.8 with their corrections; a sender that names none is taken for an old one.
fn is_known_version(version: &str) -> bool {
    let Some(minor) = version.strip_prefix("2.") else { return version.is_empty() };
    let minor = minor.split('.').next().unwrap_or_default();
    minor.parse::<u8>().is_ok_and(|minor| (1..=8).contains(&minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Header {
        Header::read(&Message::parse(text.as_bytes(), None).unwrap())
    }

    #[test]
    fn a_header_says_who_and_what() {
        let header = header(
            "MSH|^~\\&|LAB^1.2^ISO|WEST|EHR|HOSP|202401010930||ORU^R01^ORU_R01|7|P|2.5.1|||AL|NE",
        );
        assert_eq!((header.kind.as_str(), header.event.as_str()), ("ORU", "R01"));
        assert_eq!(header.sender_text(), "LAB at WEST");
        assert_eq!((header.accept, header.application), (Wanted::Always, Wanted::Never));
        assert!(header.is_enhanced() && header.is_at_least(2, 5) && !header.is_at_least(2, 6));
        assert_eq!(header.faults(&["P".to_owned()]), []);
    }

    #[test]
    fn an_old_message_names_its_event_in_evn() {
        let header = header("MSH|^~\\&|A|B|C|D|8901||ADT|1|P|2.1\rEVN|A08|8901");
        assert_eq!((header.event.as_str(), header.is_enhanced()), ("A08", false));
    }

    #[test]
    fn what_cannot_be_taken_is_said() {
        let production = ["P".to_owned()];
        let codes = |text: &str| {
            let faults = header(text).faults(&production);
            faults.into_iter().map(|one| one.place).collect::<Vec<_>>()
        };
        assert_eq!(codes("MSH|^~\\&|A|B|C|D|||||P|2.3"), ["MSH-9", "MSH-10"]);
        assert_eq!(codes("MSH|^~\\&|A|B|C|D|||ADT^A01|1|X|2.9"), ["MSH-12", "MSH-11"]);
        assert_eq!(codes("MSH|^~\\&|A|B|C|D|||ADT^A01|1|P|3"), ["MSH-12"]);
        assert_eq!(codes("MSH|^~\\&|A|B|C|D|||ADT^A01|1||2.3"), [""; 0]);
        for processing in ["T", "D"] {
            let text = format!("MSH|^~\\&|A|B|C|D|||ADT^A01|1|{processing}|2.3");
            assert_eq!(codes(&text), ["MSH-11"], "training must not become records");
        }
        let long = format!("MSH|^~\\&|A|B|C|D|||ADT^A01|{}|P|2.3", "1".repeat(200));
        assert_eq!(codes(&long), ["MSH-10"]);
    }
}
