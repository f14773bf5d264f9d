//! Answers: the message ACK in the original and in the enhanced mode (HL7 v2, chapter 2, "Message
//! processing rules").

use super::charset::Charset;
use super::message::{ParseError, Separators};
use super::{Fault, FaultCode, Header, Message};

/// What became of a message, in the words of its sender (HL7 table 0008).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is durable. The text may say what else is to be known.
    Accepted,
    /// It cannot be used as it is; it is kept, and somebody here looks at it.
    Error(Vec<Fault>),
    /// It cannot be taken at all: its sender must change it.
    Rejected(Vec<Fault>),
}

impl Answered {
    /// By its faults: a rejection if one of them is.
    pub fn by(faults: Vec<Fault>) -> Self {
        match faults.iter().any(|fault| fault.code.is_rejection()) {
            _ if faults.is_empty() => Self::Accepted,
            true => Self::Rejected(faults),
            false => Self::Error(faults),
        }
    }

    /// What is wrong.
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Accepted => &[],
            Self::Error(faults) | Self::Rejected(faults) => faults,
        }
    }

    fn code(&self, mode: Mode) -> &'static str {
        match (mode, self) {
            (Mode::Application, Self::Accepted) => "AA",
            (Mode::Application, Self::Error(_)) => "AE",
            (Mode::Application, Self::Rejected(_)) => "AR",
            (Mode::Accept, Self::Accepted) => "CA",
            (Mode::Accept, Self::Error(_)) => "CE",
            (Mode::Accept, Self::Rejected(_)) => "CR",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Accept,
    Application,
}

/// The answers a sender wants to hear, in the order in which they are sent: one `AA`, `AE` or `AR`
/// in the original mode; in the enhanced mode a `CA`, `CE` or `CR` if MSH-15 asks for it, and an
/// application answer if MSH-16 does. May be none.
///
/// `own_id` becomes MSH-10, `time` MSH-7 of the answer (`YYYYMMDDHHMMSS+ZZZZ`).
pub fn acknowledge(
    message: &Message,
    answered: &Answered,
    own_id: &str,
    time: &str,
) -> Vec<Vec<u8>> {
    let header = Header::read(message);
    let is_success = *answered == Answered::Accepted;
    let modes: Vec<Mode> = if header.is_enhanced() {
        let wanted = [(Mode::Accept, header.accept), (Mode::Application, header.application)];
        wanted
            .into_iter()
            .filter(|(_, wanted)| wanted.on(is_success))
            .map(|(mode, _)| mode)
            .collect()
    } else {
        vec![Mode::Application]
    };
    let answers = modes.into_iter().map(|mode| {
        let answer = Answer { header: &header, separators: message.separators(), own_id, time };
        message.charset().encode(&answer.text(answered, mode))
    });
    answers.collect()
}

/// The answers to bytes that are no message: as to the message that their header names, as far as
/// it can be read. If none can, there is one, and it names none.
pub fn acknowledge_unreadable(
    bytes: &[u8],
    error: ParseError,
    own_id: &str,
    time: &str,
) -> Vec<Vec<u8>> {
    match Message::header_alone(bytes) {
        Some(header) => {
            let fault = Fault::new(FaultCode::Internal, "", error.to_string());
            acknowledge(&header, &Answered::Rejected(vec![fault]), own_id, time)
        }
        None => vec![acknowledge_nobody(error, own_id, time)],
    }
}

fn acknowledge_nobody(error: ParseError, own_id: &str, time: &str) -> Vec<u8> {
    let separators = Separators::STANDARD;
    let text = error.to_string();
    let words = escaped(&text, &separators);
    let lines = [
        format!("MSH|^~\\&|||||{time}||ACK|{own_id}|P|2.5"),
        format!("MSA|AR||{words}"),
        format!("ERR|||207^Application internal error^HL70357|E||||{words}"),
    ];
    Charset::UTF_8.encode(&joined(&lines))
}

struct Answer<'a> {
    header: &'a Header,
    separators: Separators,
    own_id: &'a str,
    time: &'a str,
}

impl Answer<'_> {
    fn text(&self, answered: &Answered, mode: Mode) -> String {
        let mut lines = vec![self.header(), self.outcome(answered, mode)];
        lines.extend(answered.faults().iter().map(|fault| self.error(fault)));
        joined(&lines)
    }

    fn header(&self) -> String {
        let header = self.header;
        let (sender, receiver) = (&header.sender, &header.receiver);
        let version = if header.version.is_empty() { "2.1" } else { &header.version };
        let processing = if header.processing.is_empty() { "P" } else { &header.processing };
        let id = self.own_id;
        let encoding = self.encoding();
        let fields = [
            "MSH",
            &encoding,
            &receiver.0,
            &receiver.1,
            &sender.0,
            &sender.1,
            self.time,
            "",
            &self.kind(),
            id,
            &self.escaped(processing),
            &self.escaped(version),
        ];
        self.fields(&fields)
    }

    fn outcome(&self, answered: &Answered, mode: Mode) -> String {
        let text = answered.faults().first().map(|fault| self.escaped(&fault.text));
        let control_id = self.escaped(&self.header.control_id);
        let text = text.unwrap_or_default();
        let fields = ["MSA", answered.code(mode), &control_id, &text];
        self.fields(if text.is_empty() { &fields[..3] } else { &fields })
    }

    /// ERR-1 up to version 2.4, where it is all there is; ERR-2 and following from 2.5 on.
    fn error(&self, fault: &Fault) -> String {
        let (code, words) = fault.code.words();
        let (segment, sequence, field) = place_parts(&fault.place);
        if !self.header.is_at_least(2, 5) {
            let condition = self.joined_by(self.separators.subcomponent, &[code, words, "HL70357"]);
            let location = self.components(&[segment, sequence, field, &condition]);
            return self.fields(&["ERR", &location]);
        }
        let location = self.components(&[segment, sequence, field]);
        let location = if segment.is_empty() { String::new() } else { location };
        let condition = self.components(&[code, words, "HL70357"]);
        let text = self.escaped(&fault.text);
        self.fields(&["ERR", "", &location, &condition, "E", "", "", "", &text])
    }

    /// MSH-9: `ACK` alone before 2.3, with the event from then on, with its structure from 2.3.1.
    fn kind(&self) -> String {
        let event = self.escaped(&self.header.event);
        let has_structure =
            self.header.is_at_least(2, 4) || self.header.version.starts_with("2.3.");
        match (event.as_str(), self.header.is_at_least(2, 3)) {
            ("", _) | (_, false) => "ACK".to_owned(),
            (event, _) if has_structure => self.components(&["ACK", event, "ACK"]),
            (event, _) => self.components(&["ACK", event]),
        }
    }

    fn encoding(&self) -> String {
        let separators = &self.separators;
        let optional = [separators.repetition, separators.escape, separators.subcomponent];
        std::iter::once(separators.component).chain(optional.into_iter().flatten()).collect()
    }

    fn fields(&self, fields: &[&str]) -> String {
        fields.join(&self.separators.field.to_string())
    }

    fn components(&self, parts: &[&str]) -> String {
        self.joined_by(Some(self.separators.component), parts)
    }

    fn joined_by(&self, separator: Option<char>, parts: &[&str]) -> String {
        parts.join(&separator.map(String::from).unwrap_or_else(|| " ".to_owned()))
    }

    fn escaped(&self, text: &str) -> String {
        escaped(text, &self.separators)
    }
}

/// `PID[2]-3.1` as segment, its number, and field.
fn place_parts(place: &str) -> (&str, &str, &str) {
    let (segment, field) = place.split_once('-').unwrap_or((place, ""));
    let field = field.split('.').next().unwrap_or_default();
    match segment.split_once('[') {
        Some((segment, sequence)) => (segment, sequence.trim_end_matches(']'), field),
        None => (segment, if segment.is_empty() { "" } else { "1" }, field),
    }
}

/// A text with its separators escaped; without an escape, they become spaces.
fn escaped(text: &str, separators: &Separators) -> String {
    let name = |letter: char| match letter {
        _ if letter == separators.field => Some('F'),
        _ if letter == separators.component => Some('S'),
        _ if Some(letter) == separators.subcomponent => Some('T'),
        _ if Some(letter) == separators.repetition => Some('R'),
        _ if Some(letter) == separators.escape => Some('E'),
        _ => None,
    };
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match (name(letter), separators.escape) {
            (Some(name), Some(escape)) => escaped.extend([escape, name, escape]),
            (Some(_), None) => escaped.push(' '),
            (None, _) if letter.is_control() => escaped.push(' '),
            (None, _) => escaped.push(letter),
        }
    }
    escaped
}

fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\r")).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, answered: Answered, expected: Expect) {
        let message = Message::parse(text.as_bytes(), None).unwrap();
        let answers = acknowledge(&message, &answered, "9", "20240101093000+0000");
        let answers: Vec<_> =
            answers.iter().map(|answer| String::from_utf8(answer.clone()).unwrap()).collect();
        expected.assert_eq(&answers.join("--\r").replace('\r', "\n"));
    }

    fn fault(code: FaultCode) -> Vec<Fault> {
        vec![Fault::new(code, "PID[2]-3", "PID-3 is missing: a & b")]
    }

    #[test]
    fn the_original_mode_answers_once() {
        let text = "MSH|^~\\&|LAB^1^ISO|W|EHR|H|2024||ADT^A01^ADT_A01|x\\T\\7|T|2.5.1";
        check(
            text,
            Answered::Accepted,
            expect![[r#"
                MSH|^~\&|EHR|H|LAB^1^ISO|W|20240101093000+0000||ACK^A01^ACK|9|T|2.5.1
                MSA|AA|x\T\7
            "#]],
        );
        check(
            text,
            Answered::by(fault(FaultCode::RequiredFieldMissing)),
            expect![[r#"
                MSH|^~\&|EHR|H|LAB^1^ISO|W|20240101093000+0000||ACK^A01^ACK|9|T|2.5.1
                MSA|AE|x\T\7|PID-3 is missing: a \T\ b
                ERR||PID^2^3|101^Required field missing^HL70357|E||||PID-3 is missing: a \T\ b
            "#]],
        );
    }

    /// A sender's name goes back as it came, but never brings a segment along.
    #[test]
    fn what_goes_back_to_the_sender_stays_in_its_field() {
        check(
            "MSH|^~\\&|LAB^1\nPID |W\nMSA |EHR|H|2024||ADT^A01|7\nERR |P|2.5.1",
            Answered::Accepted,
            expect![[r#"
                MSH|^~\&|EHR|H|LAB^1 PID|W MSA|20240101093000+0000||ACK^A01^ACK|9|P|2.5.1
                MSA|AA|7 ERR
            "#]],
        );
    }

    #[test]
    fn old_versions_hear_old_segments() {
        check(
            "MSH$*~\\&$LAB$W$EHR$H$2024$$ADT*A01$7$P$2.3",
            Answered::by(fault(FaultCode::UnsupportedVersion)),
            expect![[r#"
                MSH$*~\&$EHR$H$LAB$W$20240101093000+0000$$ACK*A01$9$P$2.3
                MSA$AR$7$PID-3 is missing: a \T\ b
                ERR$PID*2*3*203&Unsupported version id&HL70357
            "#]],
        );
        check(
            "MSH|^~\\&|LAB|W|EHR|H|2024||ADT|7\rEVN|A01",
            Answered::Accepted,
            expect![[r#"
                MSH|^~\&|EHR|H|LAB|W|20240101093000+0000||ACK|9|P|2.1
                MSA|AA|7
            "#]],
        );
    }

    #[test]
    fn the_enhanced_mode_answers_what_is_asked_for() {
        let text = |accept: &str, application: &str| {
            format!("MSH|^~\\&|L||E||2024||ORU^R01|7|P|2.5|||{accept}|{application}")
        };
        check(
            &text("AL", "AL"),
            Answered::Accepted,
            expect![[r#"
                MSH|^~\&|E||L||20240101093000+0000||ACK^R01^ACK|9|P|2.5
                MSA|CA|7
                --
                MSH|^~\&|E||L||20240101093000+0000||ACK^R01^ACK|9|P|2.5
                MSA|AA|7
            "#]],
        );
        check(&text("ER", "NE"), Answered::Accepted, expect![""]);
        check(
            &text("ER", "NE"),
            Answered::by(fault(FaultCode::UnsupportedMessageType)),
            expect![[r#"
                MSH|^~\&|E||L||20240101093000+0000||ACK^R01^ACK|9|P|2.5
                MSA|CR|7|PID-3 is missing: a \T\ b
                ERR||PID^2^3|200^Unsupported message type^HL70357|E||||PID-3 is missing: a \T\ b
            "#]],
        );
    }

    #[test]
    fn an_answer_can_be_read_as_a_message() {
        let answers = acknowledge_unreadable(b"HELO", ParseError::NoHeader, "9", "2024");
        let answer = Message::parse(&answers[0], None).unwrap();
        assert_eq!(Header::read(&answer).kind, "ACK");
        let outcome = answer.segments().nth(1).unwrap();
        assert_eq!(outcome.field(1).text(), "AR");
        assert_eq!(outcome.field(3).text(), ParseError::NoHeader.to_string());
    }

    /// What cannot be decoded still says who sent it: a sender that hears nothing of its message
    /// sends it again for ever.
    #[test]
    fn a_message_that_cannot_be_decoded_is_answered_by_its_header() {
        for (accept, code) in [("", "AR"), ("|||AL", "CR")] {
            let bytes = format!("MSH|^~\\&|LAB|W|EHR|H|2024||ORU^R01|L-7|P|2.5{accept}\rPID|1||")
                .into_bytes();
            let bytes = [bytes, b"M\xfcller".to_vec()].concat();
            let error = Message::parse(&bytes, None).unwrap_err();
            let answers = acknowledge_unreadable(&bytes, error, "9", "2024");
            let text = String::from_utf8(answers.concat()).unwrap();
            assert!(text.contains(&format!("\rMSA|{code}|L-7|")), "{text}");
            assert!(text.starts_with("MSH|^~\\&|EHR|H|LAB|W|2024||ACK^R01"), "{text}");
        }
    }
}
