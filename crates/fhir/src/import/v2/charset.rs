//! Bytes of a message as text, by the character set that MSH-18 names (HL7 table 0211).

use std::borrow::Cow;

use encoding_rs::{BIG5, EUC_KR, Encoding, GB18030, ISO_2022_JP, UTF_8, WINDOWS_1252};

use super::message::ParseError;

/// The character set of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    /// UTF-8.
    pub const UTF_8: Self = Self(UTF_8);

    /// The character set of this name: one of table 0211, or a label of the web (`windows-1252`).
    ///
    /// ```
    /// use fhir::import::v2::charset::Charset;
    /// assert_eq!(Charset::named("UNICODE UTF-8"), Some(Charset::UTF_8));
    /// assert!(Charset::named("8859/15").is_some() && Charset::named("EBCDIC").is_none());
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_uppercase();
        if let Some((_, encoding)) = TABLE_0211.iter().find(|(known, _)| *known == name) {
            return Some(Self(encoding));
        }
        let part = name.strip_prefix("8859/").or_else(|| name.strip_prefix("ISO8859/"));
        let label = match part {
            Some(part) => format!("iso-8859-{part}"),
            None => name,
        };
        // UTF-16 is not taken: its bytes are not those by which a message is framed.
        let encoding = Encoding::for_label(label.as_bytes())?;
        encoding.is_ascii_compatible().then_some(Self(encoding))
    }

    /// The text of a message. `declared` are the repetitions of MSH-18, `fallback` what the feed's
    /// operator knows of a sender that names none.
    ///
    /// The first repetition is the set of the message; the others are those that it switches to by
    /// escapes (ISO 2022), which only the Japanese sets do.
    ///
    /// # Errors
    /// A character set that is not known, or bytes that are not of it: letters are never guessed.
    pub fn decode<'b>(
        bytes: &'b [u8],
        declared: &[&str],
        fallback: Option<Self>,
    ) -> Result<(Cow<'b, str>, Self), ParseError> {
        if let Some(charset) = Self::declared(declared)? {
            return charset.exact(bytes).map(|text| (text, charset));
        }
        match (Self::UTF_8.exact(bytes), fallback) {
            (Ok(text), _) => Ok((text, Self::UTF_8)),
            (Err(_), Some(charset)) => charset.exact(bytes).map(|text| (text, charset)),
            (Err(_), None) => Err(ParseError::UndeclaredCharset),
        }
    }

    /// The set that is named; none if it is ASCII or nothing.
    fn declared(names: &[&str]) -> Result<Option<Self>, ParseError> {
        let says = |name: &&str| !name.is_empty() && !name.eq_ignore_ascii_case("ASCII");
        let names = names.iter().map(|name| name.trim()).filter(says);
        let named = |name: &str| Self::named(name).ok_or(ParseError::UnknownCharset);
        let all = names.map(named).collect::<Result<Vec<Self>, _>>()?;
        let switched = all.iter().find(|charset| charset.0 == ISO_2022_JP);
        Ok(switched.or(all.first()).copied())
    }

    /// The text of bytes, as far as they are of this character set.
    pub(super) fn lenient(self, bytes: &[u8]) -> Cow<'_, str> {
        self.0.decode_without_bom_handling(bytes).0
    }

    /// The bytes of a text; letters that the character set does not have become `?`.
    pub(super) fn encode(self, text: &str) -> Vec<u8> {
        if self.0 == UTF_8 {
            return text.as_bytes().to_vec();
        }
        let mut bytes = Vec::with_capacity(text.len());
        for letter in text.chars() {
            let mut buffer = [0; 4];
            let (encoded, _, has_failed) = self.0.encode(letter.encode_utf8(&mut buffer));
            bytes.extend_from_slice(if has_failed { b"?" } else { &encoded });
        }
        bytes
    }

    fn exact(self, bytes: &[u8]) -> Result<Cow<'_, str>, ParseError> {
        // An escape says that what follows is of another set: its bytes would be taken for others.
        if self.0 != ISO_2022_JP && bytes.contains(&ESCAPE) {
            return Err(ParseError::WrongCharset);
        }
        let text = self.0.decode_without_bom_handling_and_without_replacement(bytes);
        text.ok_or(ParseError::WrongCharset)
    }
}

/// What switches between the sets of ISO 2022.
const ESCAPE: u8 = 0x1b;

/// Names of table 0211 that are no labels of the web. 8859/1 is read as Windows does: its senders
/// mean the quotation marks and dashes that ISO leaves out.
static TABLE_0211: [(&str, &Encoding); 10] = [
    ("UNICODE UTF-8", UTF_8),
    ("UNICODE", UTF_8),
    ("8859/1", WINDOWS_1252),
    ("ISO IR87", ISO_2022_JP),
    ("ISO IR14", ISO_2022_JP),
    ("ISO IR6", UTF_8),
    ("GB 18030-2000", GB18030),
    ("KS X 1001", EUC_KR),
    ("BIG-5", BIG5),
    ("UTF8", UTF_8),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        bytes: &[u8],
        declared: &str,
        fallback: Option<&str>,
        expected: Result<&str, ParseError>,
    ) {
        let fallback = fallback.and_then(Charset::named);
        let names: Vec<&str> = declared.split('~').collect();
        let text = Charset::decode(bytes, &names, fallback).map(|(text, _)| text.into_owned());
        assert_eq!(text, expected.map(str::to_owned), "{declared}");
    }

    #[test]
    fn bytes_are_read_as_declared() {
        check(b"M\xfcller", "8859/1", None, Ok("M\u{fc}ller"));
        check(b"M\xc3\xbcller", "UNICODE UTF-8", None, Ok("M\u{fc}ller"));
        check(b"\xa4", "8859/15", None, Ok("\u{20ac}"));
        check(b"\xbd\xc5", "KS X 1001", None, Ok("\u{c2e0}"));
        check(b"M\xc3\xbcller", "", None, Ok("M\u{fc}ller"));
        check(b"M\xfcller", "ASCII", Some("8859/1"), Ok("M\u{fc}ller"));
    }

    #[test]
    fn japanese_letters_come_by_escapes_however_they_are_announced() {
        let name = b"YAMADA=\x1b$B;3ED\x1b(B";
        for declared in ["ASCII~ISO IR87", "~ISO IR87", "ISO IR87", "ISO IR14~ISO IR87"] {
            check(name, declared, None, Ok("YAMADA=\u{5c71}\u{7530}"));
        }
        check(name, "", Some("ISO IR87"), Ok("YAMADA=\u{5c71}\u{7530}"));
        check(name, "", None, Err(ParseError::UndeclaredCharset));
        check(name, "UNICODE UTF-8", None, Err(ParseError::WrongCharset));
        check(name, "~ISO IR87~ISO IR159", None, Err(ParseError::UnknownCharset));
    }

    #[test]
    fn letters_are_never_guessed() {
        check(b"M\xfcller", "", None, Err(ParseError::UndeclaredCharset));
        check(b"M\xfcller", "UNICODE UTF-8", Some("8859/1"), Err(ParseError::WrongCharset));
        check(b"Mueller", "EBCDIC", None, Err(ParseError::UnknownCharset));
        check(b"M\0", "UNICODE UTF-16", None, Err(ParseError::UnknownCharset));
    }

    #[test]
    fn what_was_read_can_be_written() {
        let latin = Charset::named("8859/1").unwrap();
        assert_eq!(latin.encode("M\u{fc}ller \u{4e2d}"), b"M\xfcller ?");
    }
}
