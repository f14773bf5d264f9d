//! The International Patient Summary as a document Bundle, made of what one reader may see
//! ([IPS 2.0](https://hl7.org/fhir/uv/ips/STU2/), `Patient/$summary`).
//!
//! What is not among the resources given is not there: a section of which a reader sees nothing
//! reads the same whether there is nothing, or nothing for this reader. Resources go in byte for
//! byte. Nothing here reads a clock or draws a number: the same input gives the same bytes.
//!
//! # Layout
//!
//! - [`mod@section`]: which resources belong into which section, and what a line about one says
//! - [`words`]: codes, quantities, dates as people read them
//! - [`narrative`]: those lines as XHTML
//! - [`document`]: the Bundle: composition, entries, and what they refer to

mod document;
mod narrative;
mod section;
mod words;

use crate::{Resource, search::Home};

/// The canonical URL of the composition's profile, for which `$summary` may be asked.
pub const PROFILE: &str = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips";

/// What a summary is made with, beside the resources.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// The server's base URL, under which resources have their names.
    pub base_url: &'a str,
    /// When it is made, as a FHIR instant.
    pub made: &'a str,
    /// What names this document and no other: 16 bytes, of which the form of UUIDs sets 6 bits.
    pub name: [u8; 16],
    /// Who puts it together.
    pub author: Author<'a>,
    /// The logical id under which the patient was asked for.
    pub patient: &'a str,
    /// How many hospitals that keep records of the patient could not be reached: each section says
    /// so.
    pub missing: usize,
}

/// The organisation whose node puts a summary together.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// What people call it.
    pub name: &'a str,
    /// The system of its identifier.
    pub system: &'a str,
    /// The identifier.
    pub identifier: &'a str,
}

/// A resource that the reader may see.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The resource as it is served.
    pub resource: &'a Resource,
    /// Its logical id.
    pub id: &'a str,
    /// Where it is kept: what it refers to by type and id is kept there, too.
    pub home: Home<'a>,
    /// Whether it only explains what others name, as a medication of the hospital's list does.
    pub is_beside: bool,
}

impl Summary<'_> {
    /// The document, as JSON. Of two resources of one type and id the first has the name on this
    /// server; the other is there under a name of its own.
    pub fn document(&self, parts: &[Part<'_>]) -> Vec<u8> {
        document::Document::new(self, parts).write()
    }
}
