//! The tokens of a JSON text (RFC 8259), each with its place.

use std::borrow::Cow;
use std::ops::Range;

/// A part of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// `{`
    ObjectStart,
    /// `}`
    ObjectEnd,
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// The name of a member; its value follows.
    Key(Text<'a>),
    /// A string.
    String(Text<'a>),
    /// A number, as written.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`
    Null,
}

/// A string as written between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

/// Where a text stops being JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line}, column {column}")]
pub struct SyntaxError {
    /// Byte offset in the text.
    pub at: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Walks the tokens of exactly one JSON value. Nesting beyond `depth_max` is an error, so neither
/// this walk nor anything recursive behind it can exhaust the stack.
#[derive(Debug)]
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    depth_max: usize,
    open: Vec<Container>,
    expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    CommaOrEnd,
    Nothing,
}

impl<'a> Text<'a> {
    /// The characters the string stands for.
    pub fn decode(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        Cow::Owned(unescape(self.raw))
    }

    /// Whether the string stands for exactly these characters.
    pub fn is(self, other: &str) -> bool {
        if self.escaped { self.decode() == other } else { self.raw == other }
    }
}

impl<'a> Tokens<'a> {
    /// The tokens of `text`.
    pub fn new(text: &'a str, depth_max: usize) -> Self {
        Self { text, at: 0, depth_max, open: Vec::new(), expect: Expect::Value }
    }

    /// The next token and its bytes (strings with their quotes), or `None` after the value.
    ///
    /// # Errors
    /// The text is not JSON, nests too deeply, or continues after the value.
    pub fn next_token(&mut self) -> Result<Option<(Token<'a>, Range<usize>)>, SyntaxError> {
        self.skip_space();
        let byte = self.text.as_bytes().get(self.at).copied();
        match self.expect {
            Expect::Nothing if byte.is_none() => Ok(None),
            Expect::Nothing => Err(self.wrong("unexpected content after the end of the value")),
            Expect::CommaOrEnd => self.comma_or_end(byte),
            Expect::KeyOrEnd if byte == Some(b'}') => Ok(Some(self.close(Container::Object))),
            Expect::Key | Expect::KeyOrEnd => self.key(byte).map(Some),
            Expect::ValueOrEnd if byte == Some(b']') => Ok(Some(self.close(Container::Array))),
            Expect::Value | Expect::ValueOrEnd => self.value(byte).map(Some),
        }
    }

    /// How many objects and arrays are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// An error at the place reached.
    pub fn wrong(&self, what: &'static str) -> SyntaxError {
        let before = &self.text.as_bytes()[..self.at.min(self.text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let is_first_byte_of_character = |byte: &&u8| **byte & 0xc0 != 0x80;
        SyntaxError {
            at: self.at,
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: before[line_start..].iter().filter(is_first_byte_of_character).count() + 1,
            what,
        }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.as_bytes().get(self.at) {
            self.at += 1;
        }
    }

    fn comma_or_end(
        &mut self,
        byte: Option<u8>,
    ) -> Result<Option<(Token<'a>, Range<usize>)>, SyntaxError> {
        match (byte, self.open.last()) {
            (Some(b','), Some(container)) => {
                self.expect = match container {
                    Container::Object => Expect::Key,
                    Container::Array => Expect::Value,
                };
                self.at += 1;
                self.next_token()
            }
            (Some(b'}'), Some(Container::Object)) => Ok(Some(self.close(Container::Object))),
            (Some(b']'), Some(Container::Array)) => Ok(Some(self.close(Container::Array))),
            (None, _) => Err(self.wrong("the text ends too early")),
            (_, Some(Container::Object)) => Err(self.wrong("expected `,` or `}`")),
            _ => Err(self.wrong("expected `,` or `]`")),
        }
    }

    fn close(&mut self, container: Container) -> (Token<'a>, Range<usize>) {
        let closed = self.open.pop();
        debug_assert_eq!(closed, Some(container));
        self.at += 1;
        self.expect = self.after_value();
        let token = match container {
            Container::Object => Token::ObjectEnd,
            Container::Array => Token::ArrayEnd,
        };
        (token, self.at - 1..self.at)
    }

    fn after_value(&self) -> Expect {
        if self.open.is_empty() { Expect::Nothing } else { Expect::CommaOrEnd }
    }

    fn key(&mut self, byte: Option<u8>) -> Result<(Token<'a>, Range<usize>), SyntaxError> {
        match byte {
            Some(b'"') => {}
            None => return Err(self.wrong("the text ends too early")),
            Some(_) => return Err(self.wrong("expected a name in double quotes")),
        }
        let start = self.at;
        let text = self.string()?;
        let end = self.at;
        self.skip_space();
        if self.text.as_bytes().get(self.at) != Some(&b':') {
            return Err(self.wrong("expected `:` after the name"));
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok((Token::Key(text), start..end))
    }

    fn value(&mut self, byte: Option<u8>) -> Result<(Token<'a>, Range<usize>), SyntaxError> {
        let start = self.at;
        let token = match byte {
            Some(b'{') => return self.enter(Container::Object),
            Some(b'[') => return self.enter(Container::Array),
            Some(b'"') => Token::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Token::Number(self.number()?),
            Some(b't') => self.word("true", Token::Bool(true))?,
            Some(b'f') => self.word("false", Token::Bool(false))?,
            Some(b'n') => self.word("null", Token::Null)?,
            None => return Err(self.wrong("the text ends too early")),
            Some(_) => return Err(self.wrong("expected a value")),
        };
        self.expect = self.after_value();
        Ok((token, start..self.at))
    }

    fn enter(&mut self, container: Container) -> Result<(Token<'a>, Range<usize>), SyntaxError> {
        if self.open.len() >= self.depth_max {
            return Err(self.wrong("nested too deeply"));
        }
        self.open.push(container);
        self.at += 1;
        let token;
        (token, self.expect) = match container {
            Container::Object => (Token::ObjectStart, Expect::KeyOrEnd),
            Container::Array => (Token::ArrayStart, Expect::ValueOrEnd),
        };
        Ok((token, self.at - 1..self.at))
    }

    fn word(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, SyntaxError> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.wrong("expected a value"));
        }
        self.at += word.len();
        Ok(token)
    }

    fn number(&mut self) -> Result<&'a str, SyntaxError> {
        let start = self.at;
        self.skip_if(|byte| byte == b'-');
        if !self.skip_if(|byte| byte == b'0') {
            self.digits()?;
        }
        if self.skip_if(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.skip_if(|byte| matches!(byte, b'e' | b'E')) {
            self.skip_if(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while self.skip_if(|byte| byte.is_ascii_digit()) {}
        if self.at == start {
            return Err(self.wrong("expected a digit"));
        }
        Ok(())
    }

    fn skip_if(&mut self, accept: impl Fn(u8) -> bool) -> bool {
        let found = self.text.as_bytes().get(self.at).is_some_and(|byte| accept(*byte));
        self.at += usize::from(found);
        found
    }

    /// Reads a string from its opening quote to behind its closing quote.
    fn string(&mut self) -> Result<Text<'a>, SyntaxError> {
        let bytes = self.text.as_bytes();
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..0x20) => {
                    return Err(self.wrong("a control character in a string must be escaped"));
                }
                Some(_) => self.at += 1,
                None => return Err(self.wrong("the text ends inside a string")),
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    /// Checks one escape, from its backslash to behind it; surrogates must come in pairs.
    fn escape(&mut self) -> Result<(), SyntaxError> {
        match self.text.as_bytes().get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => match self.unit(self.at)? {
                0xd800..=0xdbff => {
                    let low = self.unit(self.at + 6)?;
                    if !(0xdc00..=0xdfff).contains(&low) {
                        return Err(self.wrong("half of a surrogate pair"));
                    }
                    self.at += 12;
                    Ok(())
                }
                0xdc00..=0xdfff => Err(self.wrong("half of a surrogate pair")),
                _ => {
                    self.at += 6;
                    Ok(())
                }
            },
            _ => Err(self.wrong("unknown escape in a string")),
        }
    }

    /// The UTF-16 unit written as `\uXXXX` at this place.
    fn unit(&self, at: usize) -> Result<u16, SyntaxError> {
        let digits = self.text.as_bytes().get(at..at + 6);
        let digits = digits.and_then(|escape| escape.strip_prefix(b"\\u"));
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        unit.ok_or_else(|| self.wrong("expected `\\u` and four hexadecimal digits"))
    }
}

/// Decodes a string whose escapes [`Tokens`] has checked.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (character, length) = escaped_character(&rest[at..]);
        text.push(character);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    text
}

fn escaped_character(escape: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = escape.get(at + 2..at + 6).unwrap_or("fffd");
        u32::from_str_radix(digits, 16).unwrap_or(0xfffd)
    };
    match escape.as_bytes()[1] {
        b'b' => ('\u{8}', 2),
        b'f' => ('\u{c}', 2),
        b'n' => ('\n', 2),
        b'r' => ('\r', 2),
        b't' => ('\t', 2),
        b'u' => match unit(0) {
            high @ 0xd800..=0xdbff => {
                let code =
                    0x10000 + ((high - 0xd800) << 10) + (unit(6).wrapping_sub(0xdc00) & 0x3ff);
                (char::from_u32(code).unwrap_or('\u{fffd}'), 12)
            }
            code => (char::from_u32(code).unwrap_or('\u{fffd}'), 6),
        },
        other => (char::from(other), 2),
    }
}
