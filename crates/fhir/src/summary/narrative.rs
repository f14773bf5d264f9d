//! Lines about resources as XHTML ([Narrative](http://hl7.org/fhir/R4/narrative.html)). Whatever
//! comes from a record is text: no mark-up of it is kept.

/// A table with a heading for each column.
pub fn table(columns: &[&str], rows: &[Vec<String>], left_out: usize) -> String {
    let head: String = columns.iter().map(|name| format!("<th>{}</th>", escaped(name))).collect();
    let cells = |row: &Vec<String>| -> String {
        row.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect()
    };
    let body: String = rows.iter().map(|row| format!("<tr>{}</tr>", cells(row))).collect();
    let note = match left_out {
        0 => String::new(),
        count => format!("<p>{count} older ones are left out.</p>"),
    };
    let table = format!("<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>");
    format!("{DIV}{table}{note}</div>")
}

/// A sentence.
pub fn sentence(text: &str) -> String {
    format!("{DIV}<p>{}</p></div>", escaped(text))
}

/// A narrative with a sentence before it.
pub fn noted(div: String, text: &str) -> String {
    let inside = div.strip_prefix(DIV).unwrap_or_default();
    format!("{DIV}<p>{}</p>{inside}", escaped(text))
}

/// Text as it stands in XHTML. What XML has no place for becomes the replacement character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    out
}

const DIV: &str = "<div xmlns=\"http://www.w3.org/1999/xhtml\">";

#[cfg(test)]
mod tests {
    use super::{sentence, table};

    #[test]
    fn what_comes_from_a_record_is_text() {
        let hostile = "<script>alert(1)</script>&\"\u{0}";
        let row = vec![hostile.to_owned()];
        for xhtml in [sentence(hostile), table(&["<b>"], &[row], 2)] {
            let tree = roxmltree::Document::parse(&xhtml).expect("it is XML");
            let named = |name: &str| tree.descendants().any(|node| node.has_tag_name(name));
            assert!(!named("script") && !named("b"), "{xhtml}");
            let texts: String = tree.descendants().filter_map(|node| node.text()).collect();
            assert!(texts.contains("alert(1)</script>&\"\u{fffd}"), "{xhtml}");
        }
    }
}
