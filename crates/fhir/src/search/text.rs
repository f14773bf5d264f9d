//! Text as people search for it: without case and accents.

use serde_json::Value;

/// The text in lower case, without accents and without space at its ends.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.trim().chars().flat_map(char::to_lowercase) {
        match letter {
            '\u{300}'..='\u{36f}' => {} // A combining accent.
            '\u{df}' => folded.push_str("ss"),
            '\u{e6}' => folded.push_str("ae"),
            '\u{153}' => folded.push_str("oe"),
            _ => folded.push(plain(letter)),
        }
    }
    folded
}

/// What a reader of the narrative sees, folded.
pub(super) fn narrative(resource: &Value) -> String {
    let mut text = String::new();
    without_tags(resource["text"]["div"].as_str().unwrap_or_default(), &mut text);
    fold(&text)
}

/// All texts of a resource, folded: the narrative, and every string.
pub(super) fn all_text(resource: &Value) -> String {
    let mut text = String::new();
    let mut waiting = vec![("", resource)];
    while let Some((name, value)) = waiting.pop() {
        match value {
            Value::String(markup) if name == "div" => without_tags(markup, &mut text),
            // What is not for people: files in base64.
            Value::String(_) if name == "data" => {}
            Value::String(plain) => text.push_str(plain),
            Value::Array(items) => waiting.extend(items.iter().rev().map(|item| (name, item))),
            Value::Object(members) => {
                waiting.extend(members.iter().rev().map(|(name, one)| (name.as_str(), one)));
            }
            _ => {}
        }
        text.push(' ');
    }
    fold(&text)
}

/// Leaves the tags of XHTML out, and reads the characters that it must write in another way.
fn without_tags(markup: &str, text: &mut String) {
    for part in markup.split('<') {
        let shown = part.split_once('>').map_or(part, |(_, shown)| shown);
        let shown =
            ENTITIES.iter().fold(shown.to_owned(), |text, (name, plain)| text.replace(name, plain));
        text.push_str(&shown);
        text.push(' ');
    }
}

/// Whether the text, or what follows one of its spaces, hyphens or the like, begins with the wanted
/// one.
pub(super) fn words_start_with(text: &str, wanted: &str) -> bool {
    let starts = |text: &str| text.starts_with(wanted);
    starts(text)
        || text
            .match_indices([' ', '-', '(', '/', '"'])
            .any(|(at, space)| starts(&text[at + space.len()..]))
}

/// The letter without its accent (Latin-1 Supplement and Latin Extended-A).
fn plain(letter: char) -> char {
    let row = ACCENTED.iter().find(|(letters, _)| letters.contains(letter));
    row.map_or(letter, |(_, plain)| *plain)
}

/// The ampersand comes last: what it brings forth is not read again.
const ENTITIES: [(&str, &str); 6] = [
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&apos;", "'"),
    ("&#160;", " "),
    ("&amp;", "&"),
];

const ACCENTED: [(&str, char); 21] = [
    ("\u{e0}\u{e1}\u{e2}\u{e3}\u{e4}\u{e5}\u{101}\u{103}\u{105}", 'a'),
    ("\u{e7}\u{107}\u{109}\u{10b}\u{10d}", 'c'),
    ("\u{f0}\u{10f}\u{111}", 'd'),
    ("\u{e8}\u{e9}\u{ea}\u{eb}\u{113}\u{115}\u{117}\u{119}\u{11b}", 'e'),
    ("\u{11d}\u{11f}\u{121}\u{123}", 'g'),
    ("\u{125}\u{127}", 'h'),
    ("\u{ec}\u{ed}\u{ee}\u{ef}\u{129}\u{12b}\u{12d}\u{12f}\u{131}", 'i'),
    ("\u{135}", 'j'),
    ("\u{137}", 'k'),
    ("\u{13a}\u{13c}\u{13e}\u{140}\u{142}", 'l'),
    ("\u{f1}\u{144}\u{146}\u{148}", 'n'),
    ("\u{f2}\u{f3}\u{f4}\u{f5}\u{f6}\u{f8}\u{14d}\u{14f}\u{151}", 'o'),
    ("\u{155}\u{157}\u{159}", 'r'),
    ("\u{15b}\u{15d}\u{15f}\u{161}\u{219}", 's'),
    ("\u{163}\u{165}\u{167}\u{21b}", 't'),
    ("\u{f9}\u{fa}\u{fb}\u{fc}\u{169}\u{16b}\u{16d}\u{16f}\u{171}\u{173}", 'u'),
    ("\u{175}", 'w'),
    ("\u{fd}\u{ff}\u{177}", 'y'),
    ("\u{17a}\u{17c}\u{17e}", 'z'),
    ("\u{2019}\u{2bc}", '\''),
    ("\u{2010}\u{2011}", '-'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_case_do_not_matter() {
        assert_eq!(fold("  \u{c5}str\u{f6}m-O\u{2019}Keefe "), "astrom-o'keefe");
        assert_eq!(fold("Mu\u{308}ller STRA\u{df}E"), "muller strasse");
    }

    #[test]
    fn words_are_found_at_their_beginning() {
        assert!(words_start_with("garcia lopez", "lop"));
        assert!(words_start_with("anne-marie", "mar"));
        assert!(!words_start_with("garcia", "arc"));
    }
}
