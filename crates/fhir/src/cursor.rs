//! How far a small language has been read: search parameters, filters, paths of a patch.

/// A text, and a place in it.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

/// What is wrong in a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Where, in bytes.
    pub at: usize,
    /// What, and what to write instead.
    pub what: String,
}

impl Wrong {
    /// The words for the caller: the place is counted in characters, from 1.
    pub(crate) fn advice(&self, text: &str) -> String {
        let before = text.get(..self.at).unwrap_or(text);
        format!("at character {}: {}", before.chars().count() + 1, self.what)
    }
}

impl<'t> Cursor<'t> {
    /// At the beginning of a text.
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The place, in bytes.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// All that follows, spaces included.
    pub(crate) fn ahead(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Skips spaces; what follows them.
    pub(crate) fn rest(&mut self) -> &'t str {
        let rest = self.ahead().trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    /// Takes so many of the bytes ahead.
    pub(crate) fn take(&mut self, length: usize) -> &'t str {
        let taken = &self.ahead()[..length];
        self.at += length;
        taken
    }

    /// Takes a symbol, if it follows at once.
    pub(crate) fn follows(&mut self, symbol: &str) -> bool {
        let is_there = self.ahead().starts_with(symbol);
        self.at += if is_there { symbol.len() } else { 0 };
        is_there
    }

    /// Takes a symbol, if it follows, with or without spaces before it.
    pub(crate) fn eat(&mut self, symbol: &str) -> bool {
        self.rest();
        self.follows(symbol)
    }

    /// Takes a symbol that must follow.
    pub(crate) fn expect(&mut self, symbol: &str) -> Result<(), Wrong> {
        if self.eat(symbol) { Ok(()) } else { Err(self.wrong(format!("expected `{symbol}`"))) }
    }

    /// Takes a word that stands alone: `as` in ` as Quantity` but not in `asserter`.
    pub(crate) fn word(&mut self, word: &str) -> bool {
        let after = self.rest().strip_prefix(word);
        let stands = |rest: &str| rest.starts_with(|one: char| one.is_whitespace() || one == '(');
        after.is_some_and(stands) && self.follows(word)
    }

    /// Takes a name: letters, digits, and what else `also` allows.
    pub(crate) fn name(&mut self, also: &[u8]) -> Result<&'t str, Wrong> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || also.contains(byte);
        let length = self.rest().bytes().take_while(|byte| is_part(byte)).count();
        match length {
            0 => Err(self.wrong("expected a name")),
            _ => Ok(self.take(length)),
        }
    }

    /// Nothing may follow any more.
    pub(crate) fn end(&mut self) -> Result<(), Wrong> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.wrong("unexpected text")) }
    }

    /// Something is wrong here.
    pub(crate) fn wrong(&self, what: impl Into<String>) -> Wrong {
        Wrong { at: self.at, what: what.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_alone_and_symbols_may_follow_spaces() {
        let mut cursor = Cursor::new("  name as Text asserter(x)");
        assert_eq!(cursor.name(b""), Ok("name"));
        assert!(!cursor.word("a") && !cursor.follows("text") && cursor.word("as"));
        assert_eq!(cursor.name(b""), Ok("Text"));
        assert!(!cursor.word("as") && cursor.word("asserter") && !cursor.word("("));
        assert!(cursor.eat("(") && cursor.eat("x") && cursor.end().is_err());
        assert!(cursor.expect(")").is_ok() && cursor.end().is_ok());
    }

    #[test]
    fn places_are_counted_in_characters() {
        let mut cursor = Cursor::new("\u{e4}\u{f6} [");
        assert_eq!(cursor.take(4), "\u{e4}\u{f6}");
        let wrong = cursor.expect("]").unwrap_err();
        assert_eq!(wrong.advice("\u{e4}\u{f6} ["), "at character 4: expected `]`");
    }
}
