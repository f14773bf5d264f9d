//! The text of a section as XHTML that FHIR allows, and parts of it that entries point to.
//!
//! Only elements and attributes of a short list get through, whatever stands in the document: no
//! script, no style, no address but of the web.

use super::xml::{Content, Element};

/// The narrative block (`StrucDoc.Text`) as a `div`; `None` if it is empty.
pub(super) fn xhtml(text: Element<'_>) -> Option<String> {
    let mut out = format!("<div xmlns=\"{XHTML}\">");
    let empty = out.len();
    contents(text, &mut out);
    text.skip();
    if out[empty..].trim().is_empty() {
        return None;
    }
    out.push_str("</div>");
    Some(out)
}

fn contents(element: Element<'_>, out: &mut String) {
    for content in element.nodes() {
        match content {
            Content::Text(text) => escape(text, out),
            Content::Element(child) => rendered(child, out),
        }
    }
}

fn rendered(element: Element<'_>, out: &mut String) {
    let tag = match element.name() {
        "br" => return out.push_str("<br/>"),
        "list" if element.attribute("listType") == Some("ordered") => "ol",
        "list" => "ul",
        "item" => "li",
        "paragraph" => "p",
        "caption" if is_of_table(element) => "caption",
        "caption" => "b",
        "linkHtml" => "a",
        "sub" => "sub",
        "sup" => "sup",
        "table" => "table",
        "thead" => "thead",
        "tbody" => "tbody",
        "tfoot" => "tfoot",
        "tr" => "tr",
        "th" => "th",
        "td" => "td",
        // Columns carry only looks, and media stands in an entry of its own.
        "col" | "colgroup" | "renderMultiMedia" => return,
        _ => "span",
    };
    out.push('<');
    out.push_str(tag);
    for (name, kept) in [("ID", "id"), ("colspan", "colspan"), ("rowspan", "rowspan")] {
        if let Some(value) = element.attribute(name) {
            written(kept, value, out);
        }
    }
    let link = element.attribute("href").filter(|link| {
        tag == "a" && ["http://", "https://", "#"].iter().any(|start| link.starts_with(start))
    });
    if let Some(link) = link {
        written("href", link, out);
    }
    out.push('>');
    contents(element, out);
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}

fn is_of_table(caption: Element<'_>) -> bool {
    caption.parent_name() == "table"
}

fn written(name: &str, value: &str, out: &mut String) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escape(value, out);
    out.push('"');
}

pub(super) fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
}

const XHTML: &str = "http://www.w3.org/1999/xhtml";
