//! The few words under which alike people are found.
//!
//! Each needs a name and something else, so that hardly anybody shares one who is not alike: what
//! is found is opened, and every opening leaves a receipt. Names count as they sound (American
//! Soundex, as the US National Archives describe it), and whichever is the family's, so that a
//! typing error, a married name or a name in the wrong field finds its person by another word.

use std::collections::BTreeSet;

use super::{Person, person::Birth};
use crate::limits::matching::BLOCKS_MAX;

/// A word under which a person is looked up: what kind of word, and its parts. Whoever keeps it
/// keeps it keyed: in clear it tells who somebody is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// As in `birth-name`.
    pub kind: &'static str,
    /// As in `1980-03-04`, `M460`.
    pub parts: Vec<String>,
}

impl Person {
    /// The words of a person: date of birth and one name; both names and the year; telephone and
    /// one name; postal code and both names. At most
    /// [`BLOCKS_MAX`].
    pub fn blocks(&self) -> BTreeSet<Block> {
        let mut blocks = BTreeSet::new();
        for name in &self.names {
            let mut sounds = [sound(&name.family), sound(&name.given)];
            sounds.sort();
            let both = sounds.iter().all(Option::is_some).then(|| sounds.iter().flatten());
            let both: Option<Vec<String>> = both.map(|both| both.cloned().collect());
            let one = || sounds.iter().flatten();
            if let Some(Birth { year, month: Some(month), day: Some(day) }) = self.birth {
                let date = format!("{year:04}-{month:02}-{day:02}");
                blocks.extend(one().map(|name| block("birth-name", [&date, name])));
            }
            blocks.extend(both.iter().filter_map(|both| {
                let year = self.birth?.year.to_string();
                Some(block("year-names", [&year, &both[0], &both[1]]))
            }));
            for phone in &self.phones {
                blocks.extend(one().map(|name| block("phone-name", [phone, name])));
            }
            for code in &self.postal_codes {
                let names = both.iter();
                blocks.extend(names.map(|both| block("postal-names", [code, &both[0], &both[1]])));
            }
        }
        blocks.into_iter().take(BLOCKS_MAX).collect()
    }
}

fn block<const N: usize>(kind: &'static str, parts: [&String; N]) -> Block {
    Block { kind, parts: parts.map(String::clone).into() }
}

/// The Soundex code of a folded name, as in `M460` of `muller`: its first letter and three digits.
/// None if it begins with no letter.
fn sound(name: &str) -> Option<String> {
    let first = name.chars().next().filter(char::is_ascii_lowercase)?;
    let mut code = String::from(first.to_ascii_uppercase());
    let mut last = digit(first);
    for letter in name.chars().skip(1) {
        let digit = digit(letter);
        if let Some(digit) = digit.filter(|_| digit != last) {
            code.push(digit);
        }
        // A vowel parts two letters of one sound; h and w do not.
        if !matches!(letter, 'h' | 'w') {
            last = digit;
        }
    }
    Some(format!("{code:0<4}")[..4].to_owned())
}

/// The sound of a consonant; none of a vowel, of h, w and y, and of a digit.
fn digit(letter: char) -> Option<char> {
    match letter {
        'b' | 'f' | 'p' | 'v' => Some('1'),
        'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => Some('2'),
        'd' | 't' => Some('3'),
        'l' => Some('4'),
        'm' | 'n' => Some('5'),
        'r' => Some('6'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::sound;

    #[test]
    fn codes_are_those_of_the_national_archives() {
        let cases = [
            ("washington", "W252"),
            ("lee", "L000"),
            ("gutierrez", "G362"),
            ("pfister", "P236"),
            ("jackson", "J250"),
            ("tymczak", "T522"),
            ("ashcraft", "A261"),
            ("vandeusen", "V532"),
        ];
        for (name, code) in cases {
            assert_eq!(sound(name).as_deref(), Some(code), "{name}");
        }
        assert_eq!((sound(""), sound("42")), (None, None));
    }
}
