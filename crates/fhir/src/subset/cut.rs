//! Cuts a JSON text: parts of objects and arrays, where they lie. The text was read before, so it
//! is JSON, of no more than the standard depth.

use std::ops::Range;

use crate::json::{Token, Tokens};
use crate::limits::Limits;

/// A member of an object, or an item of an array.
pub(super) struct Part {
    /// Of an item: nothing.
    pub name: String,
    /// The whole, with its name in front.
    pub text: Range<usize>,
    /// The value alone.
    pub value: Range<usize>,
}

/// The parts of an object or an array; a text that is neither has none.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut tokens = Tokens::new(text, Limits::STANDARD.depth_max);
    let mut parts: Vec<Part> = Vec::new();
    let is_array = match tokens.next_token() {
        Ok(Some((Token::ArrayStart, _))) => true,
        Ok(Some((Token::ObjectStart, _))) => false,
        _ => return parts,
    };
    while let Ok(Some((token, range))) = tokens.next_token() {
        let begins = match &token {
            Token::Key(_) => tokens.depth() == 1,
            Token::ObjectStart | Token::ArrayStart => is_array && tokens.depth() == 2,
            Token::ObjectEnd | Token::ArrayEnd => false,
            _ => is_array && tokens.depth() == 1,
        };
        if begins {
            let name = match &token {
                Token::Key(name) => name.decode().into_owned(),
                _ => String::new(),
            };
            let value = if is_array { range.clone() } else { range.end..range.end };
            parts.push(Part { name, text: range, value });
        } else if let Some(part) = parts.last_mut().filter(|_| tokens.depth() > 0) {
            if part.value.is_empty() {
                part.value.start = range.start;
            }
            part.value.end = range.end;
            part.text.end = range.end;
        }
    }
    parts
}

/// A value without what lies at these paths, such as `content.attachment.data`, in each item of
/// every array on the way. `None`: nothing is left.
pub(super) fn without(text: &str, paths: &[&str]) -> Option<String> {
    let is_array = text.starts_with('[');
    if paths.is_empty() || !(is_array || text.starts_with('{')) {
        return Some(text.to_owned());
    }
    let all = parts(text);
    let kept: Vec<String> = all
        .iter()
        .filter_map(|part| {
            let paths = match is_array {
                true => paths.to_vec(),
                false => beyond(paths, &part.name)?,
            };
            let value = without(&text[part.value.clone()], &paths)?;
            Some(format!("{}{value}", &text[part.text.start..part.value.start]))
        })
        .collect();
    let whole: usize = all.iter().map(|part| part.text.len()).sum();
    match kept.iter().map(String::len).sum::<usize>() {
        0 => None,
        // Nothing fell away: not even the white space between is touched.
        length if length == whole => Some(text.to_owned()),
        _ if is_array => Some(format!("[{}]", kept.join(","))),
        _ => Some(format!("{{{}}}", kept.join(","))),
    }
}

/// The paths that go on within this member. `None`: one of them ends here. `_name` goes with
/// `name`.
pub(super) fn beyond<'p>(paths: &[&'p str], member: &str) -> Option<Vec<&'p str>> {
    let element = member.strip_prefix('_').unwrap_or(member);
    let inside = paths.iter().filter_map(|path| {
        let rest = path.strip_prefix(element)?;
        rest.strip_prefix('.').or_else(|| rest.is_empty().then_some(""))
    });
    let inside: Vec<&str> = inside.collect();
    (!inside.contains(&"")).then_some(inside)
}
