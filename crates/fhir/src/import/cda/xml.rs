//! XML as a tree, and what of it has been read.
//!
//! The parser is `roxmltree`; it reads no file, no address and no DTD. Before it a single pass over
//! the text counts what makes trees expensive: depth, attributes and namespaces.

use std::cell::RefCell;

use encoding_rs::{Encoding, UTF_8};
use roxmltree::{Document, Node, ParsingOptions};

use super::ReadError;
use crate::import::NotUnderstood;
use crate::limits::cda::{
    ATTRIBUTES_MAX, DEPTH_MAX, DOCUMENT_BYTES_MAX, NAMESPACES_MAX, NODES_MAX, NOT_UNDERSTOOD_MAX,
    QUOTED_CHARS_MAX,
};

/// The bytes as text: by their byte order mark, else by the encoding that the declaration names.
pub(super) fn decoded(bytes: &[u8]) -> Result<String, ReadError> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(ReadError::TooLarge { bytes: bytes.len(), bytes_max: DOCUMENT_BYTES_MAX });
    }
    let (encoding, mark) = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => (encoding, mark),
        None => (declared(bytes)?, 0),
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]);
    let text = text.ok_or_else(|| ReadError::Encoding { name: encoding.name().to_owned() })?;
    Ok(text.into_owned())
}

/// The encoding of `<?xml version="1.0" encoding="..."?>`; UTF-8 if none is named.
fn declared(bytes: &[u8]) -> Result<&'static Encoding, ReadError> {
    let head = &bytes[..bytes.len().min(DECLARATION_BYTES_MAX)];
    let head = String::from_utf8_lossy(head);
    let Some(declaration) = head.strip_prefix("<?xml").and_then(|rest| rest.split("?>").next())
    else {
        return Ok(UTF_8);
    };
    let Some((_, rest)) = declaration.split_once("encoding") else { return Ok(UTF_8) };
    let name = rest.split(['"', '\'']).nth(1).unwrap_or_default();
    let encoding = Encoding::for_label(name.as_bytes());
    // Two bytes a letter, and yet the declaration could be read: it is not what it says.
    let encoding = encoding.filter(|encoding| encoding.is_ascii_compatible());
    encoding.ok_or_else(|| ReadError::Encoding { name: name.chars().take(40).collect() })
}

/// Refuses what would cost much to parse. Text that is no XML is left to the parser, which stops at
/// the first place that is wrong; up to there both see the same.
fn bounded(text: &str) -> Result<(), ReadError> {
    let (mut depth, mut namespaces) = (0_usize, 0_usize);
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let end = if rest.starts_with("<!--") {
            rest.find("-->")
        } else if rest.starts_with("<![CDATA[") {
            rest.find("]]>")
        } else if rest.starts_with("<?") {
            rest.find("?>")
        } else if rest.starts_with("<!") {
            return Err(ReadError::Declarations);
        } else {
            let tag = Tag::read(rest);
            namespaces += tag.namespaces;
            if tag.attributes > ATTRIBUTES_MAX || namespaces > NAMESPACES_MAX {
                return Err(ReadError::TooManyAttributes);
            }
            depth = if tag.is_end { depth.saturating_sub(1) } else { depth + 1 };
            if depth > DEPTH_MAX {
                return Err(ReadError::TooDeep { depth_max: DEPTH_MAX });
            }
            depth -= usize::from(tag.is_empty && !tag.is_end);
            Some(tag.length)
        };
        let Some(end) = end else { return Ok(()) };
        rest = &rest[end.max(1)..];
    }
    Ok(())
}

/// What counts of one `<tag>`.
struct Tag {
    /// Bytes, up to the `>`.
    length: usize,
    attributes: usize,
    namespaces: usize,
    is_end: bool,
    is_empty: bool,
}

impl Tag {
    fn read(text: &str) -> Self {
        let bytes = text.as_bytes();
        let (mut quote, mut attributes, mut length) = (None, 0, bytes.len());
        for (at, byte) in bytes.iter().enumerate() {
            match (quote, byte) {
                (Some(open), byte) if *byte == open => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(*byte),
                (None, b'=') => attributes += 1,
                (None, b'>') => {
                    length = at;
                    break;
                }
                (None, _) => {}
            }
        }
        let namespaces = text[..length].matches("xmlns").count();
        let is_empty = length > 0 && bytes[length - 1] == b'/';
        Self { length, attributes, namespaces, is_end: bytes.get(1) == Some(&b'/'), is_empty }
    }
}

/// A document, and which of its elements have been read.
pub(super) struct Xml<'t> {
    document: Document<'t>,
    read: RefCell<Vec<bool>>,
}

impl<'t> Xml<'t> {
    pub(super) fn parse(text: &'t str) -> Result<Self, ReadError> {
        bounded(text)?;
        let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
        let document =
            Document::parse_with_options(text, options).map_err(|error| match error {
                roxmltree::Error::DtdDetected => ReadError::Declarations,
                roxmltree::Error::NodesLimitReached => {
                    ReadError::TooManyNodes { nodes_max: NODES_MAX }
                }
                other => ReadError::Form { row: other.pos().row, column: other.pos().col },
            })?;
        let nodes = document.root().descendants().count();
        Ok(Self { document, read: RefCell::new(vec![false; nodes]) })
    }

    pub(super) fn root(&self) -> Element<'_> {
        Element { xml: self.some(), node: Some(self.document.root_element()) }
    }

    fn some(&self) -> Marks<'_> {
        Marks { text: self.document.input_text(), read: &self.read }
    }

    /// What says something and nobody read, in the order of the document.
    pub(super) fn unread(&self) -> Vec<NotUnderstood> {
        let mut notes = Vec::new();
        let mut more = 0;
        for node in self.document.root().descendants().filter(Node::is_element) {
            let element = Element { xml: self.some(), node: Some(node) };
            let is_read = self.read.borrow()[node.id().get_usize()];
            let Some(said) = element.said().filter(|_| !is_read) else { continue };
            if notes.len() < NOT_UNDERSTOOD_MAX {
                notes.push(NotUnderstood::new(element.path(), "no resource tells this", said));
            } else {
                more += 1;
            }
        }
        if more > 0 {
            let why = format!("{more} more parts that no resource tells");
            notes.push(NotUnderstood::new("", why, ""));
        }
        notes
    }
}

#[derive(Clone, Copy)]
struct Marks<'d> {
    text: &'d str,
    read: &'d RefCell<Vec<bool>>,
}

/// An element, or the lack of one: what is looked for in nothing is nothing.
#[derive(Clone, Copy)]
pub(super) struct Element<'d> {
    xml: Marks<'d>,
    node: Option<Node<'d, 'd>>,
}

impl<'d> Element<'d> {
    pub(super) fn is_there(self) -> bool {
        self.node.is_some()
    }

    /// The name without a prefix; empty if there is no element.
    pub(super) fn name(self) -> &'d str {
        self.node.map_or("", |node| node.tag_name().name())
    }

    pub(super) fn namespace(self) -> &'d str {
        self.node.and_then(|node| node.tag_name().namespace()).unwrap_or_default()
    }

    /// The name of the element around it.
    pub(super) fn parent_name(self) -> &'d str {
        let parent = self.node.and_then(|node| node.parent_element());
        parent.map_or("", |parent| parent.tag_name().name())
    }

    /// The ID by which a link of the document names it.
    pub(super) fn label(self) -> Option<&'d str> {
        self.node?.attribute("ID")
    }

    /// A number that no other element of the document has.
    pub(super) fn number(self) -> usize {
        self.node.map_or(0, |node| node.id().get_usize())
    }

    /// No element.
    pub(super) fn nothing(self) -> Self {
        Self { xml: self.xml, node: None }
    }

    /// The first element along a path of names, as in `assignedEntity/id`.
    pub(super) fn at(self, path: &str) -> Self {
        path.split('/').fold(self, |element, name| {
            let first = element.elements().find(|child| child.name() == name);
            first.unwrap_or(self.nothing())
        })
    }

    /// All elements at the end of a path; before it the first of each name is taken.
    pub(super) fn each(self, path: &str) -> Vec<Self> {
        let (parent, name) = match path.rsplit_once('/') {
            Some((before, name)) => (self.at(before), name),
            None => (self, path),
        };
        parent.elements().filter(|child| child.name() == name).collect()
    }

    /// The elements inside that belong to the CDA or to HL7's extensions of it.
    pub(super) fn elements(self) -> impl Iterator<Item = Self> + use<'d> {
        let xml = self.xml;
        let children = self.node.into_iter().flat_map(|node| node.children());
        let of_cda = children.filter(|node| {
            let namespace = node.tag_name().namespace().unwrap_or_default();
            node.is_element() && matches!(namespace, HL7_V3 | SDTC)
        });
        of_cda.map(move |node| Self { xml, node: Some(node) })
    }

    /// An attribute, unless it is empty. The element counts as read.
    pub(super) fn attribute(self, name: &str) -> Option<&'d str> {
        self.mark();
        let value = self.node?.attribute(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// The type of a value (`xsi:type`), without its prefix.
    pub(super) fn kind(self) -> &'d str {
        let kind = self.node.and_then(|node| node.attribute((XSI, "type"))).unwrap_or_default();
        kind.rsplit(':').next().unwrap_or_default()
    }

    /// Why there is no value: a code of the system `NullFlavor`.
    pub(super) fn null_flavor(self) -> Option<&'d str> {
        self.node?.attribute("nullFlavor").map(str::trim)
    }

    /// All text inside, with single spaces, also between the cells of a table and the parts of a
    /// name. Everything inside counts as read.
    pub(super) fn text(self) -> Option<String> {
        self.skip();
        let mut joined = String::new();
        for node in self.node?.descendants() {
            if node.is_element() && !INLINE.contains(&node.tag_name().name()) {
                joined.push(' ');
            }
            joined.push_str(node.text().filter(|_| node.is_text()).unwrap_or_default());
        }
        let words: Vec<&str> = joined.split_whitespace().collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// The children with texts between them, for narrative.
    pub(super) fn nodes(self) -> impl Iterator<Item = Content<'d>> {
        let xml = self.xml;
        let children = self.node.into_iter().flat_map(|node| node.children());
        children.filter_map(move |node| match node {
            node if node.is_element() => Some(Content::Element(Self { xml, node: Some(node) })),
            node => node.text().filter(|_| node.is_text()).map(Content::Text),
        })
    }

    /// All elements inside, this one first.
    pub(super) fn descendants(self) -> impl Iterator<Item = Self> {
        let xml = self.xml;
        let all = self.node.into_iter().flat_map(|node| node.descendants());
        all.filter(Node::is_element).map(move |node| Self { xml, node: Some(node) })
    }

    /// Whether it says that it follows this template (the last part of its OID).
    pub(super) fn follows(self, template: &str) -> bool {
        self.templates().any(|known| known == template)
    }

    /// The templates of C-CDA that it follows, without what their OIDs share.
    pub(super) fn templates(self) -> impl Iterator<Item = &'d str> {
        let ids = self.elements().filter(|child| child.name() == "templateId");
        ids.filter_map(|id| id.node?.attribute("root")?.trim().strip_prefix(CCDA))
    }

    /// This and everything inside counts as read.
    pub(super) fn skip(self) {
        self.descendants().for_each(Self::mark);
    }

    /// These children say nothing that the template does not say itself.
    pub(super) fn skip_each(self, names: &[&str]) {
        self.elements().filter(|child| names.contains(&child.name())).for_each(Self::skip);
    }

    fn mark(self) {
        if let Some(node) = self.node {
            self.xml.read.borrow_mut()[node.id().get_usize()] = true;
        }
    }

    /// As it stands in the document.
    pub(super) fn source(self) -> &'d str {
        self.node.map_or("", |node| &self.xml.text[node.range()])
    }

    /// Where it is, as in `component[2]/section/entry[1]/act`.
    pub(super) fn path(self) -> String {
        let Some(node) = self.node else { return String::new() };
        let mut steps: Vec<String> = Vec::new();
        for step in node.ancestors().filter(Node::is_element) {
            let name = step.tag_name().name();
            if matches!(name, "ClinicalDocument" | "structuredBody") {
                continue;
            }
            let is_alike =
                |other: &Node<'_, '_>| other.is_element() && other.tag_name() == step.tag_name();
            let before = step.prev_siblings().skip(1).filter(is_alike).count();
            let is_alone = before == 0 && !step.next_siblings().skip(1).any(|one| is_alike(&one));
            let step = if is_alone { name.to_owned() } else { format!("{name}[{}]", before + 1) };
            steps.push(step);
        }
        steps.reverse();
        steps.join("/")
    }

    /// What it says by itself, unless that is about the form of the document.
    fn said(self) -> Option<String> {
        if FORM.contains(&self.name()) {
            return None;
        }
        let node = self.node?;
        let attributes = ["displayName", "code", "value", "extension", "unit"];
        let mut words: Vec<&str> =
            attributes.iter().filter_map(|name| node.attribute(*name)).collect();
        words.extend(node.children().filter(Node::is_text).filter_map(|node| node.text()));
        let said = words.join(" ");
        let said: Vec<&str> = said.split_whitespace().collect();
        let said: String = said.join(" ").chars().take(QUOTED_CHARS_MAX).collect();
        (!said.is_empty()).then_some(said)
    }
}

/// A part of mixed content.
pub(super) enum Content<'d> {
    Element(Element<'d>),
    Text(&'d str),
}

/// The namespace of the CDA.
pub(super) const HL7_V3: &str = "urn:hl7-org:v3";
/// Extensions by HL7's Structured Documents work group.
const SDTC: &str = "urn:hl7-org:sdtc";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const CCDA: &str = "2.16.840.1.113883.10.20.22.";

/// Elements of the narrative that may stand within a word.
const INLINE: [&str; 5] = ["content", "sub", "sup", "linkHtml", "footnote"];

/// A declaration is at the very beginning and short.
const DECLARATION_BYTES_MAX: usize = 200;

/// Elements about the form (which template, which realm, ids of parts, links into the narrative),
/// and the status of what is not understood itself.
const FORM: [&str; 8] = [
    "templateId",
    "typeId",
    "realmCode",
    "id",
    "reference",
    "sequenceNumber",
    "setId",
    "statusCode",
];
