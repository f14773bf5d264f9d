//! A message: segments, fields, repetitions, components, subcomponents.
//!
//! The text is kept whole and cut on demand, so a hostile message costs its own size and a bit per
//! byte: the mark of what has been read, from which what was not understood is listed at the end.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use super::charset::Charset;
use super::escape::unescape;
use crate::import::NotUnderstood;
use crate::limits::v2::{
    HEAD_BYTES_MAX, MESSAGE_BYTES_MAX, NOT_UNDERSTOOD_MAX, QUOTED_CHARS_MAX, SEGMENTS_MAX,
};

/// One message as text, cut into segments.
pub struct Message {
    text: String,
    charset: Charset,
    separators: Separators,
    segments: Vec<Range<usize>>,
    /// A bit per byte of the text: whether the value that begins there has been read.
    read: Vec<Cell<u64>>,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There is nothing.
    #[error("the message is empty: send one")]
    Empty,
    /// It does not begin with MSH.
    #[error("a message begins with the segment MSH: send it first")]
    NoHeader,
    /// MSH-1 and MSH-2 are no separators.
    #[error("MSH-1 and MSH-2 must name different separators, as in `|^~\\&`")]
    Separators,
    /// Too many bytes.
    #[error("the message is longer than {MESSAGE_BYTES_MAX} bytes: split it")]
    TooLong,
    /// Too many segments.
    #[error("the message has more than {SEGMENTS_MAX} segments: split it")]
    TooManySegments,
    /// MSH-18 is not known.
    #[error("MSH-18 names a character set that is not known here: use UNICODE UTF-8")]
    UnknownCharset,
    /// The bytes are not of the character set of MSH-18.
    #[error("the message has bytes that are not of the character set of MSH-18: correct MSH-18")]
    WrongCharset,
    /// There are letters beyond ASCII, and nobody says how they are written.
    #[error("the message has letters beyond ASCII that are not UTF-8: name the set in MSH-18")]
    UndeclaredCharset,
}

/// The separators of a message, from MSH-1 and MSH-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Separators {
    /// Between fields.
    pub field: char,
    /// Between components.
    pub component: char,
    /// Between repetitions.
    pub repetition: Option<char>,
    /// Around escapes.
    pub escape: Option<char>,
    /// Between subcomponents.
    pub subcomponent: Option<char>,
}

impl Separators {
    /// Those that nearly everybody uses.
    pub const STANDARD: Self = Self {
        field: '|',
        component: '^',
        repetition: Some('~'),
        escape: Some('\\'),
        subcomponent: Some('&'),
    };

    fn parse(header: &str) -> Result<Self, ParseError> {
        let rest = header.strip_prefix("MSH").ok_or(ParseError::NoHeader)?;
        let mut letters = rest.chars();
        let field = letters.next().ok_or(ParseError::Separators)?;
        let encoding: Vec<char> = letters.take_while(|letter| *letter != field).take(6).collect();
        let mut all = encoding.clone();
        all.push(field);
        let is_sound = (1..=5).contains(&encoding.len())
            && all.iter().all(|letter| letter.is_ascii_punctuation() && *letter != '"');
        all.sort_unstable();
        all.dedup();
        if !is_sound || all.len() != encoding.len() + 1 {
            return Err(ParseError::Separators);
        }
        Ok(Self {
            field,
            component: encoding[0],
            repetition: encoding.get(1).copied(),
            escape: encoding.get(2).copied(),
            subcomponent: encoding.get(3).copied(),
        })
    }
}

impl Message {
    /// Reads a message. Segments may end with CR, LF or both; a line that begins with no segment's
    /// name goes on with the line before, as senders write long texts.
    ///
    /// ```
    /// use fhir::import::v2::Message;
    /// let message = Message::parse(b"MSH|^~\\&|LAB\rPID|1||4711^^^WARD", None).unwrap();
    /// let patient = message.segments().nth(1).unwrap();
    /// assert_eq!(patient.field(3).component(4).text(), "WARD");
    /// ```
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse(bytes: &[u8], fallback: Option<Charset>) -> Result<Self, ParseError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            return Err(ParseError::Empty);
        }
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(ParseError::TooLong);
        }
        let declared = declared_charsets(bytes)?;
        let declared: Vec<&str> = declared.iter().map(String::as_str).collect();
        let (text, charset) = Charset::decode(bytes, &declared, fallback)?;
        Self::of_text(text.into_owned(), charset)
    }

    /// The segment MSH of bytes that are no message, as far as it is ASCII: so that they can be
    /// answered.
    pub fn header_alone(bytes: &[u8]) -> Option<Self> {
        let bytes = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
        let ascii = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { '?' };
        Self::of_text(line.iter().map(ascii).collect(), Charset::UTF_8).ok()
    }

    fn of_text(text: String, charset: Charset) -> Result<Self, ParseError> {
        let separators = Separators::parse(&text)?;
        let segments = segments(&text, separators.field)?;
        let read = vec![Cell::new(0); text.len() / 64 + 1];
        Ok(Self { text, charset, separators, segments, read })
    }

    /// The segments in order, the first is MSH.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        (0..self.segments.len()).map(|index| self.segment(index))
    }

    /// The segment MSH.
    pub fn header(&self) -> Segment<'_> {
        self.segment(0)
    }

    /// The separators.
    pub fn separators(&self) -> Separators {
        self.separators
    }

    /// The character set.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// Which of the segments of its name a segment is, from 1.
    pub fn occurrence(&self, segment: Segment<'_>) -> usize {
        let before = self.segments().take(segment.index);
        before.filter(|other| other.name() == segment.name()).count() + 1
    }

    /// Every value that has not been read, component by component.
    pub fn unread(&self) -> Vec<NotUnderstood> {
        let mut unread = Unread::default();
        let mut counts = std::collections::BTreeMap::new();
        for segment in self.segments() {
            let count = counts.entry(segment.name()).or_insert(0_usize);
            *count += 1;
            segment.unread(*count, &mut unread);
        }
        unread.finish()
    }

    fn segment(&self, index: usize) -> Segment<'_> {
        let range = self.segments[index].clone();
        Segment { message: self, index, start: range.start, text: &self.text[range] }
    }

    fn mark(&self, start: usize) {
        let cell = &self.read[start / 64];
        cell.set(cell.get() | 1 << (start % 64));
    }

    fn is_read(&self, start: usize) -> bool {
        self.read[start / 64].get() & 1 << (start % 64) != 0
    }
}

/// Prints the names of its segments, and nothing of what they say.
impl fmt::Debug for Message {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.segments().take(8).map(|segment| segment.name());
        write!(out, "Message({} segments: {:?})", self.segments.len(), names.collect::<Vec<_>>())
    }
}

/// One segment.
#[derive(Clone, Copy)]
pub struct Segment<'m> {
    message: &'m Message,
    index: usize,
    start: usize,
    text: &'m str,
}

impl<'m> Segment<'m> {
    /// Its name, as in `PID`.
    pub fn name(self) -> &'m str {
        &self.text[..3]
    }

    /// Its place in the message, from 0.
    pub fn index(self) -> usize {
        self.index
    }

    /// A field by its number in the standard; empty if there is none.
    pub fn field(self, number: usize) -> Value<'m> {
        let whole = Value::new(self.message, self.start, self.text, Level::Field);
        // MSH-1 is the separator itself, so that MSH-2 follows the first one.
        let is_header = HEADERS.contains(&self.name());
        let at = if is_header { number.saturating_sub(1) } else { number };
        match number {
            0 => whole.empty(),
            1 if is_header => whole.slice(3..4.min(self.text.len())),
            _ => whole.nth(Some(self.message.separators.field), at).at(Level::Field),
        }
    }

    /// The segments before it, the nearest first.
    pub fn before(self) -> impl Iterator<Item = Segment<'m>> {
        (0..self.index).rev().map(move |index| self.message.segment(index))
    }

    /// The names and numbers of places in it, as in `OBX[2]-5`.
    pub fn place(self, field: usize) -> String {
        format!("{}-{field}", place_name(self.name(), self.message.occurrence(self)))
    }

    /// Marks all of it as read: what it says is said by others, or means nothing outside.
    pub fn skip(self) {
        for at in 0..=self.text.len() {
            self.message.mark(self.start + at);
        }
    }

    fn unread(self, occurrence: usize, unread: &mut Unread) {
        let name = place_name(self.name(), occurrence);
        let whole = Value::new(self.message, self.start, self.text, Level::Field);
        let is_header = HEADERS.contains(&self.name());
        // A line that goes on may stand before the first separator.
        let head = whole.nth(Some(self.message.separators.field), 0);
        let head = head.slice(3..head.text.len());
        if !head.is_empty() && !self.message.is_read(head.start) {
            unread.add(&name, 0, 1, head);
        }
        for (number, field) in whole.split(Some(self.message.separators.field)).enumerate().skip(1)
        {
            let number = if is_header { number + 1 } else { number };
            if is_header && number == 2 {
                continue;
            }
            for repetition in field.at(Level::Field).repetitions() {
                for (component, value) in repetition.components().enumerate() {
                    if value.has_unread() {
                        unread.add(&name, number, component + 1, value);
                    }
                }
            }
        }
    }
}

/// How deep a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Field,
    Repetition,
    Component,
    Subcomponent,
}

/// A field or a part of one. An empty value stands for what was not sent.
#[derive(Clone, Copy)]
pub struct Value<'m> {
    message: &'m Message,
    start: usize,
    text: &'m str,
    level: Level,
}

impl<'m> Value<'m> {
    fn new(message: &'m Message, start: usize, text: &'m str, level: Level) -> Self {
        Self { message, start, text, level }
    }

    /// The repetitions of a field; none if it is empty.
    pub fn repetitions(self) -> impl Iterator<Item = Value<'m>> {
        let separator = self.message.separators.repetition.filter(|_| self.level == Level::Field);
        self.split(separator).map(|value| value.at(Level::Repetition)).filter(|one| !one.is_empty())
    }

    /// The first repetition that says anything.
    pub fn first(self) -> Value<'m> {
        match self.level {
            Level::Field => self.repetitions().next().unwrap_or(self.empty().at(Level::Repetition)),
            _ => self,
        }
    }

    /// A component of the first repetition, by its number.
    pub fn component(self, number: usize) -> Value<'m> {
        match self.level {
            Level::Field => self.first().component(number),
            Level::Repetition => {
                let separator = Some(self.message.separators.component);
                self.nth(separator, number - 1).at(Level::Component)
            }
            Level::Component => self.subcomponent(number),
            Level::Subcomponent if number == 1 => self,
            Level::Subcomponent => self.empty(),
        }
    }

    /// A subcomponent of a component, by its number; of a field, that of its first component.
    pub fn subcomponent(self, number: usize) -> Value<'m> {
        match self.level {
            Level::Field | Level::Repetition => self.component(1).subcomponent(number),
            Level::Component => {
                self.nth(self.message.separators.subcomponent, number - 1).at(Level::Subcomponent)
            }
            Level::Subcomponent if number == 1 => self,
            Level::Subcomponent => self.empty(),
        }
    }

    /// The text of the first part of it, with escapes undone; empty for what was not sent and for
    /// `""`, by which a sender says that there is no value any more. Marks it as read.
    pub fn text(self) -> Cow<'m, str> {
        let leaf = self.leaf();
        leaf.mark();
        leaf.plain()
    }

    /// All of it with separators of parts as spaces: for texts that a sender split by mistake.
    pub fn whole(self) -> String {
        let mut texts = Vec::new();
        for repetition in self.repetitions() {
            for component in repetition.components() {
                for leaf in component.split(component.message.separators.subcomponent) {
                    leaf.mark();
                    texts.push(leaf.plain());
                }
            }
        }
        texts.retain(|text| !text.is_empty());
        texts.join(" ")
    }

    /// As sent, with its separators. Does not count as read.
    pub fn raw(self) -> &'m str {
        self.text
    }

    /// Whether it says nothing: it was not sent, or is `""`.
    pub fn is_empty(self) -> bool {
        let message = self.message;
        let separators = [
            Some(message.separators.component),
            message.separators.subcomponent,
            message.separators.repetition,
        ];
        let says = |letter: char| !letter.is_whitespace() && !separators.contains(&Some(letter));
        self.text == NOTHING || !self.text.contains(says)
    }

    /// The components of a repetition.
    fn components(self) -> impl Iterator<Item = Value<'m>> {
        let separator = Some(self.message.separators.component);
        self.split(separator.filter(|_| self.level == Level::Repetition))
            .map(|value| value.at(Level::Component))
    }

    /// What was not sent begins where something else does, and must not mark that.
    fn mark(self) {
        if !self.text.is_empty() {
            self.message.mark(self.start);
        }
    }

    fn leaf(self) -> Value<'m> {
        match self.level {
            Level::Subcomponent => self,
            _ => self.first().component(1).subcomponent(1),
        }
    }

    fn plain(self) -> Cow<'m, str> {
        if self.text == NOTHING {
            return Cow::Borrowed("");
        }
        unescape(self.text.trim(), &self.message.separators, self.message.charset)
    }

    fn has_unread(self) -> bool {
        let leaves = self.split(self.message.separators.subcomponent);
        let mut unread = leaves.filter(|leaf| !leaf.is_empty());
        unread.any(|leaf| !self.message.is_read(leaf.start))
    }

    fn split(self, separator: Option<char>) -> impl Iterator<Item = Value<'m>> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let value = rest?;
            let end = separator.and_then(|separator| value.text.find(separator));
            let Some(end) = end else { return rest.take() };
            rest = Some(value.slice(end + 1..value.text.len()));
            Some(value.slice(0..end))
        })
    }

    fn nth(self, separator: Option<char>, index: usize) -> Value<'m> {
        self.split(separator).nth(index).unwrap_or(self.empty())
    }

    fn slice(self, range: Range<usize>) -> Self {
        Self { start: self.start + range.start, text: &self.text[range], ..self }
    }

    fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    fn empty(self) -> Self {
        Self { text: "", ..self }
    }
}

/// Collects what was not read, up to a limit.
#[derive(Default)]
struct Unread {
    list: Vec<NotUnderstood>,
    beyond: usize,
}

impl Unread {
    fn add(&mut self, segment: &str, field: usize, component: usize, value: Value<'_>) {
        if self.list.len() >= NOT_UNDERSTOOD_MAX {
            self.beyond += 1;
            return;
        }
        let place = format!("{segment}-{field}.{component}");
        let text: String = value.text.chars().take(QUOTED_CHARS_MAX).collect();
        self.list.push(NotUnderstood::new(place, "no element was derived from it", text));
    }

    fn finish(mut self) -> Vec<NotUnderstood> {
        if self.beyond > 0 {
            let why = format!("{} more parts are only in the original", self.beyond);
            self.list.push(NotUnderstood::new("", why, ""));
        }
        self.list
    }
}

fn place_name(name: &str, occurrence: usize) -> String {
    if occurrence == 1 { name.to_owned() } else { format!("{name}[{occurrence}]") }
}

/// The repetitions of MSH-18 as they stand in the bytes: the header is ASCII as far as separators
/// go.
fn declared_charsets(bytes: &[u8]) -> Result<Vec<String>, ParseError> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let header = String::from_utf8_lossy(&bytes[..end]);
    let separators = Separators::parse(&header)?;
    let field = header.split(separators.field).nth(17).unwrap_or_default();
    let repetitions = field.split(|letter: char| Some(letter) == separators.repetition);
    let first = |one: &str| one.split(separators.component).next().unwrap_or_default().to_owned();
    Ok(repetitions.take(CHARSETS_MAX).map(first).collect())
}

fn segments(text: &str, field: char) -> Result<Vec<Range<usize>>, ParseError> {
    let mut segments: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for line in text.split(['\r', '\n']) {
        let range = start..start + line.len();
        start = range.end + 1;
        if line.trim().is_empty() {
            continue;
        }
        match segments.last_mut() {
            Some(last) if !is_segment(line, field) => last.end = range.end,
            _ => segments.push(range),
        }
        if segments.len() > SEGMENTS_MAX {
            return Err(ParseError::TooManySegments);
        }
    }
    Ok(segments)
}

fn is_segment(line: &str, field: char) -> bool {
    let name = line.as_bytes();
    name.len() >= 3
        && name[0].is_ascii_uppercase()
        && name[1..3].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && match line[3..].chars().next() {
            Some(next) => next == field,
            // Three letters alone may be the next line of a text: `MRI`, `ECG`.
            None => super::walk::knows(line),
        }
}

/// What a sender writes for "there is no value any more".
const NOTHING: &str = "\"\"";

/// Character sets that one message may name.
const CHARSETS_MAX: usize = 16;

/// Segments whose first field is the separator itself.
const HEADERS: [&str; 3] = ["MSH", "FHS", "BHS"];

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(text.as_bytes(), None).unwrap()
    }

    #[test]
    fn parts_are_found_at_every_level() {
        let message = message("MSH|^~\\&|LAB|H\rPID|1||A^^^X&1.2&ISO~B^^^Y||DOE\\T\\CO^\"\"^C");
        assert_eq!(message.header().field(1).raw(), "|");
        assert_eq!(message.header().field(2).raw(), "^~\\&");
        assert_eq!(message.header().field(3).text(), "LAB");
        let patient = message.segments().nth(1).unwrap();
        let ids: Vec<_> =
            patient.field(3).repetitions().map(|one| one.component(1).text()).collect();
        assert_eq!(ids, ["A", "B"]);
        assert_eq!(patient.field(3).component(4).subcomponent(2).text(), "1.2");
        assert_eq!(patient.field(5).text(), "DOE&CO");
        assert!(patient.field(5).component(2).is_empty() && patient.field(99).is_empty());
        assert_eq!(patient.field(5).component(3).subcomponent(2).text(), "");
        assert_eq!(patient.place(3), "PID-3");
    }

    #[test]
    fn other_separators_and_line_ends() {
        for end in ["\r", "\n", "\r\n", "\n\n"] {
            let text = format!("MSH$%*@!$LAB{end}PID$1$$A%B!C{end}{end}ZZ1$x{end}");
            let message = message(&text);
            let names: Vec<_> = message.segments().map(Segment::name).collect();
            assert_eq!(names, ["MSH", "PID", "ZZ1"]);
            let patient = message.segments().nth(1).unwrap();
            assert_eq!(patient.field(3).component(2).subcomponent(2).text(), "C");
        }
    }

    #[test]
    fn a_line_without_a_name_goes_on_with_the_one_before() {
        let message = message("MSH|^~\\&|LAB\rOBX|1|TX|||first\nsecond|x\nBP 120\rNTE|1");
        let result = message.segments().nth(1).unwrap();
        assert_eq!(result.field(5).text(), "first\nsecond");
        assert_eq!(result.field(6).text(), "x\nBP 120");
        assert_eq!(message.segments().count(), 3);
    }

    #[test]
    fn three_letters_alone_are_text_unless_they_name_a_segment() {
        let text = "MSH|^~\\&|LAB\rOBX|1|TX|||Findings\nMRI\nshows a fracture|||||F\nOBR\nECG|1";
        let message = message(text);
        let names: Vec<_> = message.segments().map(Segment::name).collect();
        assert_eq!(names, ["MSH", "OBX", "OBR", "ECG"]);
        let result = message.segments().nth(1).unwrap();
        assert_eq!(result.field(5).text(), "Findings\nMRI\nshows a fracture");
        assert_eq!(result.field(10).text(), "F");
        let message = Message::parse(b"MSH|^~\\&|LAB\rOBR\nhas more|1", None).unwrap();
        assert_eq!(message.unread()[1].place, "OBR-0.1");
    }

    #[test]
    fn what_was_not_read_is_listed() {
        let message = message("MSH|^~\\&|LAB\rOBX|1||A^B^C\rOBX|2||D~E^F&G");
        message.header().skip();
        for segment in message.segments().skip(1) {
            segment.field(1).text();
            segment.field(3).text();
        }
        let places: Vec<_> = message.unread().into_iter().map(|one| one.place).collect();
        assert_eq!(places, ["OBX-3.2", "OBX-3.3", "OBX[2]-3.1", "OBX[2]-3.2"]);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (bytes, error) in [
            (&b""[..], ParseError::Empty),
            (b" \r\n", ParseError::Empty),
            (b"PID|1", ParseError::NoHeader),
            (b"MSH", ParseError::Separators),
            (b"MSHA^~\\&A", ParseError::Separators),
            (b"MSH|^^~\\|", ParseError::Separators),
            (b"MSH||LAB", ParseError::Separators),
            (b"MSH|^~\\&|\xff", ParseError::UndeclaredCharset),
        ] {
            assert_eq!(Message::parse(bytes, None).unwrap_err(), error);
        }
        let many = format!("MSH|^~\\&|{}", "\rZZZ|".repeat(SEGMENTS_MAX));
        let error = Message::parse(many.as_bytes(), None).unwrap_err();
        assert_eq!(error, ParseError::TooManySegments);
        let long = format!("MSH|^~\\&|{}", "x".repeat(MESSAGE_BYTES_MAX));
        assert_eq!(Message::parse(long.as_bytes(), None).unwrap_err(), ParseError::TooLong);
    }
}
