//! How much of anything is read. Every limit of this crate is in this file.

/// The limits of one `parse`. Hostile input costs at most what these allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one resource, attachments included.
    pub resource_bytes_max: usize,
    /// Bytes of one Bundle as sent.
    pub bundle_bytes_max: usize,
    /// Entries of one Bundle.
    pub entries_max: usize,
    /// How deeply objects and arrays nest. FHIR's own examples stay under 40.
    pub depth_max: usize,
    /// How deeply resources lie within resources: a contained resource of an entry of a Bundle that
    /// is itself an entry makes four. Each level costs the structure's reader 80 KiB of stack.
    pub resources_depth_max: usize,
    /// Members of one object. No FHIR type has more than 120, counting the `_` twins.
    pub members_max: usize,
    /// Values (objects, arrays, strings, numbers ...) of one resource.
    pub values_max: usize,
    /// Characters of one number: FHIR asks for 18 digits.
    pub number_chars_max: usize,
    /// Issues reported for one resource; what is beyond is counted in the last one.
    pub issues_max: usize,
}

impl Limits {
    /// The limits of a node.
    pub const STANDARD: Limits = Limits {
        resource_bytes_max: 64 << 20,
        bundle_bytes_max: 256 << 20,
        entries_max: 20_000,
        depth_max: 100,
        resources_depth_max: 4,
        members_max: 256,
        values_max: 500_000,
        number_chars_max: 128,
        issues_max: 100,
    };
}

/// Parameters of one search.
pub const SEARCH_PARAMETERS_MAX: usize = 64;

/// Bytes of one parameter of a search, name and value.
pub const SEARCH_VALUE_BYTES_MAX: usize = 16 << 10;

/// Elements of one `_elements`.
pub const SEARCH_ELEMENTS_MAX: usize = 64;

/// Values that all conditions of a search look for, those at the ends of chains once for each type
/// that they lead to. Each is a hundred bytes or so while the search runs.
pub const SEARCH_TESTS_MAX: usize = 100_000;

/// Comparisons of the `_filter`s of one search.
pub const SEARCH_FILTER_TESTS_MAX: usize = 32;

/// How deep the brackets of a `_filter` may nest.
pub const SEARCH_FILTER_DEPTH_MAX: usize = 16;

/// How far `near` looks if no distance is said, in kilometres.
pub const SEARCH_NEAR_KM: f64 = 10.0;

/// Operations of one FHIRPath Patch.
pub const PATCH_OPERATIONS_MAX: usize = 64;

/// Bytes of one path of a FHIRPath Patch.
pub const PATCH_PATH_BYTES_MAX: usize = 4 << 10;

/// How deep the conditions of a path of a FHIRPath Patch may nest.
pub const PATCH_PATH_DEPTH_MAX: usize = 16;

/// How deep value sets may lie within value sets.
pub const TERMS_DEPTH_MAX: usize = 8;

/// Parts of one value set, those of the sets within it included.
pub const TERMS_PARTS_MAX: usize = 10_000;

/// Matches of one page: a larger `_count` is taken as this.
pub const SEARCH_COUNT_MAX: usize = 1_000;

/// The limits of patient matching, and the scores from which a grade on is given.
pub mod matching {
    /// Names, addresses and telephone numbers of one person that are looked at.
    pub const VALUES_MAX: usize = 4;

    /// Letters of a name that are looked at.
    pub const WORD_CHARS_MAX: usize = 64;

    /// Words under which one person is looked up.
    pub const BLOCKS_MAX: usize = 24;

    /// How likely two people are the same before anything is compared, as natural logarithm of the
    /// odds: one in 100,000.
    pub const PRIOR_LOG_ODDS: f64 = -11.5;

    /// Score from which on a match is certain.
    pub const CERTAIN_MIN: f64 = 0.99;

    /// Score from which on a match is probable.
    pub const PROBABLE_MIN: f64 = 0.8;

    /// Highest score of two people whose given names or dates of birth differ, whatever else they
    /// share: twins, parents and children share the rest.
    pub const RELATIVE_MAX: f64 = 0.2;

    /// Score from which on a match is possible.
    pub const POSSIBLE_MIN: f64 = 0.05;
}
/// Entries of one section of a patient summary, the newest first; how many older ones there are is
/// said in the section.
pub const SUMMARY_SECTION_ENTRIES_MAX: usize = 500;

/// The limits of one HL7 v2 message. Hostile input costs at most what these allow.
pub mod v2 {
    /// Bytes of one message, documents inside it included.
    pub const MESSAGE_BYTES_MAX: usize = 16 << 20;

    /// Bytes of a message that is too long, of which its header is read.
    pub const HEAD_BYTES_MAX: usize = 64 << 10;

    /// Characters of MSH-10, by which a message is answered: those of version 2.7.
    pub const CONTROL_ID_CHARS_MAX: usize = 199;

    /// Characters of any other field of MSH that is kept or echoed; the standard has 227.
    pub const HEADER_CHARS_MAX: usize = 1_000;

    /// Patients of one message.
    pub const PATIENTS_MAX: usize = 100;

    /// Faults of one message that its sender hears of.
    pub const FAULTS_MAX: usize = 100;

    /// Segments of one message.
    pub const SEGMENTS_MAX: usize = 10_000;

    /// Resources derived from one message; what follows is listed as not understood.
    pub const RESOURCES_MAX: usize = 5_000;

    /// Parts listed as not understood; what is beyond is counted in the last one.
    pub const NOT_UNDERSTOOD_MAX: usize = 1_000;

    /// Characters quoted of one part that was not understood.
    pub const QUOTED_CHARS_MAX: usize = 200;

    /// Empty lines that one escape (`\.sp9999\`) may ask for.
    pub const BLANK_LINES_MAX: usize = 20;
}

/// The limits of one C-CDA document. Hostile input costs at most what these allow.
pub mod cda {
    /// Bytes of one document, files inside it included.
    pub const DOCUMENT_BYTES_MAX: usize = 32 << 20;

    /// Nodes of the XML tree: elements, texts, comments. The largest published sample has 20,000.
    pub const NODES_MAX: u32 = 500_000;

    /// How deeply elements nest. The published samples stay under 30.
    pub const DEPTH_MAX: usize = 64;

    /// Attributes of one element. No type of the CDA has more than 20.
    pub const ATTRIBUTES_MAX: usize = 64;

    /// Declarations of namespaces in the whole document: each is carried to the elements below.
    pub const NAMESPACES_MAX: usize = 4_000;

    /// Bytes of narrative that the entries of one document may point to, each time counted: a long
    /// text that many entries point to would otherwise become many long texts.
    pub const REFERRED_BYTES_MAX: usize = 16 << 20;

    /// Translations read of one code; what follows is listed as not understood.
    pub const TRANSLATIONS_MAX: usize = 64;

    /// Resources derived from one document; what follows is listed as not understood.
    pub const RESOURCES_MAX: usize = 5_000;

    /// Parts listed as not understood; what is beyond is counted in the last one.
    pub const NOT_UNDERSTOOD_MAX: usize = 1_000;

    /// Characters quoted of one part that was not understood.
    pub const QUOTED_CHARS_MAX: usize = 200;
}
