//! Escapes inside a value (HL7 v2, chapter 2, "Use of escape sequences in text fields").

use std::borrow::Cow;

use super::charset::Charset;
use super::message::Separators;
use crate::limits::v2::BLANK_LINES_MAX;

/// The text that a value stands for. What is no escape stays as it is, so that nothing is lost.
pub(super) fn unescape<'t>(
    text: &'t str,
    separators: &Separators,
    charset: Charset,
) -> Cow<'t, str> {
    let Some(escape) = separators.escape.filter(|escape| text.contains(*escape)) else {
        return Cow::Borrowed(text);
    };
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(escape) {
        plain.push_str(&rest[..start]);
        let inside = &rest[start + escape.len_utf8()..];
        let Some(end) = inside.find(escape) else {
            rest = &rest[start..];
            break;
        };
        let word = &inside[..end];
        if write(word, separators, charset, &mut plain) {
            rest = &inside[end + escape.len_utf8()..];
        } else {
            // Its end may be the beginning of a real one.
            plain.push(escape);
            plain.push_str(word);
            rest = &inside[end..];
            if word.is_empty() {
                plain.push(escape);
                rest = &inside[escape.len_utf8()..];
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// Writes what an escape stands for; `false` if it is none.
fn write(word: &str, separators: &Separators, charset: Charset, plain: &mut String) -> bool {
    let separator = match word {
        "F" => Some(separators.field),
        "S" => Some(separators.component),
        "T" => separators.subcomponent,
        "R" => separators.repetition,
        "E" => separators.escape,
        "P" => Some('#'),
        _ => None,
    };
    if let Some(separator) = separator {
        plain.push(separator);
        return true;
    }
    match word {
        // Highlighting on and off: only a screen can show it.
        "H" | "N" => true,
        _ if word.starts_with('.') => format(&word[1..], plain),
        _ => match word.strip_prefix('X').and_then(bytes) {
            Some(bytes) => {
                plain.push_str(&charset.lenient(&bytes).replace("\r\n", "\n").replace('\r', "\n"));
                true
            }
            None => false,
        },
    }
}

/// Formatting commands of the type FT.
fn format(command: &str, plain: &mut String) -> bool {
    let name = command.get(..2).unwrap_or_default();
    let count = command.get(2..).unwrap_or_default().trim().trim_start_matches('+');
    match name {
        "br" | "ce" => plain.push('\n'),
        "sp" => {
            let lines = count.parse().unwrap_or(1_usize).clamp(1, BLANK_LINES_MAX);
            plain.extend(std::iter::repeat_n('\n', lines));
        }
        // Indents and filling: layout alone.
        "in" | "ti" | "fi" | "nf" | "sk" => plain.push(' '),
        _ => return false,
    }
    true
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let pairs = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    pairs.collect::<Result<_, _>>().ok().filter(|_| !digits.contains('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let plain = unescape(text, &Separators::STANDARD, Charset::UTF_8);
        assert_eq!(plain, expected, "{text}");
    }

    #[test]
    fn escapes_are_what_they_stand_for() {
        check(r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f");
        check(r"one\.br\two\X0D0A\three", "one\ntwo\nthree");
        check(r"\XC3BC\ \H\bold\N\", "\u{fc} bold");
        check(r"a\.sp3\b", "a\n\n\nb");
        check(r"a\.sp999999999999\b", &format!("a{}b", "\n".repeat(BLANK_LINES_MAX)));
        check(r"E\T\E", "E&E");
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in
            [r"C:\new", r"a\", r"\", r"\\", r"\\\", r"a\Zlocal\b", r"\X0\", r"\X+1\", r"\.\"]
        {
            check(text, text);
        }
        check(r"C:\new\F\", r"C:\new|");
    }
}
