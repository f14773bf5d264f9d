//! C-CDA R2.1 documents: the XML by which hospitals hand over summaries.
//!
//! What becomes of each section is told in `docs/ccda.md`; the guide followed is HL7's "C-CDA on
//! FHIR". The document as a whole becomes a `Composition` with the narrative of every section;
//! entries become resources that it refers to.
//!
//! # Layout
//!
//! - `xml`: bytes as a tree, and what of it has been read
//! - `narrative`: the text of sections as XHTML
//! - `datatypes` and `tables`: words of the CDA as those of FHIR
//! - `walk`: what is known throughout, and how a statement becomes a draft
//! - `party`: people, organisations and places that take part
//! - `header`: the patient, authors, the encounter
//! - `section`: sections, and which statement is whose
//! - `problem`, `allergy`, `medication`, `timing`, `observation`, `procedure`, `encounter`,
//!   `family`, `plan`, `device`, `coverage`, `directive`, `note`: statements
//! - [`translate()`]: a document as resources

mod xml;

mod narrative;

mod datatypes;

mod tables;

mod walk;

mod party;

mod header;

mod section;

mod problem;

mod allergy;

mod medication;

mod timing;

mod observation;

mod procedure;

mod encounter;

mod family;

mod plan;

mod device;

mod coverage;

mod directive;

mod note;

mod translate;

pub use translate::{MEDIA_TYPE, Settings, Translated, translate};

/// Why a document cannot be taken. Nothing of it is quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// More bytes than allowed.
    #[error("the document has {bytes} bytes, and {bytes_max} are allowed: send its parts apart")]
    TooLarge {
        /// Bytes sent.
        bytes: usize,
        /// Bytes allowed.
        bytes_max: usize,
    },
    /// Not in the encoding it says, or in one that is not known.
    #[error("the document is not written in the encoding `{name}`: send it in UTF-8")]
    Encoding {
        /// The encoding.
        name: String,
    },
    /// No XML.
    #[error("line {row}, column {column}: this is not well-formed XML: correct it")]
    Form {
        /// The line, from 1.
        row: u32,
        /// The character in the line, from 1.
        column: u32,
    },
    /// A DTD or entities.
    #[error("the document declares a DTD or entities: send it without `<!DOCTYPE`")]
    Declarations,
    /// Elements within elements within elements.
    #[error("the document nests deeper than {depth_max} elements: flatten it")]
    TooDeep {
        /// Levels allowed.
        depth_max: usize,
    },
    /// Too many attributes of one element, or namespaces of all.
    #[error("an element has too many attributes, or the document too many namespaces")]
    TooManyAttributes,
    /// Too large a tree.
    #[error("the document has more than {nodes_max} elements and texts: send its parts apart")]
    TooManyNodes {
        /// Nodes allowed.
        nodes_max: u32,
    },
    /// XML, but no clinical document.
    #[error("this is not a clinical document: its first element must be `ClinicalDocument`")]
    NotADocument,
    /// A document about nobody.
    #[error("the document names no patient: send `recordTarget/patientRole/id`")]
    NoPatient,
    /// It fell apart.
    #[error("what the document says cannot be told in FHIR: look at it by hand")]
    Untold,
}
