//! Bundles: what is in them, what its entries are to become, and what is answered.
//!
//! [`Bundle::parse`] cuts a Bundle into entries whose resources are slices of the received bytes.
//! [`Entry::exact`] is such a slice, [`Entry::resolved`] the same text with the references to other
//! entries replaced; see [`Links`].

mod assign;

pub mod answer;

mod split;

use std::fmt;

use bytes::Bytes;

use crate::issue::{Issue, capped};
use crate::limits::Limits;
use crate::links::Links;
use crate::reference::Target;
use crate::resource::Resource;

/// A Bundle, cut into entries.
#[derive(Clone)]
pub struct Bundle {
    /// What the Bundle is for.
    pub kind: BundleKind,
    /// The entries, in their order.
    pub entries: Vec<Entry>,
}

/// One entry of a Bundle.
#[derive(Clone)]
pub struct Entry {
    /// Its place in the Bundle, from 0.
    pub index: usize,
    /// How other entries name it.
    pub full_url: Option<String>,
    /// What is to be done, in a transaction or batch.
    pub request: Option<Request>,
    /// What it will be known as: the id that is asked for, its own, or the one of its `urn:uuid:`.
    /// `None` if the server is to choose one, or if the entry holds no resource.
    pub target: Option<Target>,
    /// What the references of this resource to other entries stand for; only those it uses.
    pub links: Links,
    /// References that a search must answer (`Practitioner?identifier=...`); left as they are.
    pub conditional: Vec<String>,
    /// What is wrong with this entry, placed in the Bundle: `Bundle.entry[3].resource.status`.
    pub issues: Vec<Issue>,
    pub(crate) resource: Option<Resource>,
}

impl Bundle {
    /// Cuts a Bundle into entries, gives each the id it will have, and follows the references
    /// between them. What is wrong with one entry is in that entry: a batch goes on without it, a
    /// transaction is refused as a whole (see [`Bundle::errors`]).
    ///
    /// # Errors
    /// The text is no Bundle, or larger than the limits.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Vec<Issue>> {
        Self::parse_within(bytes, &Limits::STANDARD)
    }

    /// As [`Bundle::parse`], within other limits than those of a node.
    pub fn parse_within(bytes: impl Into<Bytes>, limits: &Limits) -> Result<Self, Vec<Issue>> {
        let mut bundle = split::split(&bytes.into(), limits)?;
        assign::targets(&mut bundle);
        assign::links(&mut bundle);
        for entry in &mut bundle.entries {
            entry.issues = capped(std::mem::take(&mut entry.issues), limits.issues_max);
        }
        Ok(bundle)
    }

    /// A batch of resources, each to be put under its own id, or filed under a new one if it has
    /// none. What is wrong with one is in its entry, as for [`Bundle::parse`].
    pub fn of_resources(resources: impl IntoIterator<Item = Bytes>) -> Self {
        let entries = resources.into_iter().enumerate();
        let entries = entries.map(|(index, bytes)| split::put(index, bytes)).collect();
        let mut bundle = Bundle { kind: BundleKind::Batch, entries };
        assign::targets(&mut bundle);
        assign::links(&mut bundle);
        bundle
    }

    /// Notes what two entries do to one record, by what their searches have named: in a transaction
    /// nothing happens to one twice. And two entries that create the same, unless it is there: the
    /// second would double it.
    pub fn refuse_twins(&mut self) {
        assign::refuse_twins(self);
        assign::refuse_same_conditions(self);
    }

    /// Every error of the entries, in order. A transaction with any is refused as a whole.
    pub fn errors(&self) -> Vec<Issue> {
        let issues = self.entries.iter().flat_map(|entry| &entry.issues);
        issues.filter(|issue| issue.is_error()).cloned().collect()
    }
}

/// Prints counts and no content.
impl fmt::Debug for Bundle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Bundle({}, {} entries)", self.kind.code(), self.entries.len())
    }
}

impl Entry {
    /// The resource exactly as received. `None` if there is none, or none that can be read.
    pub fn exact(&self) -> Option<&Resource> {
        self.resource.as_ref()
    }

    /// The resource with its references to other entries replaced by `Type/id`; every other byte
    /// is as received. The same as [`Entry::exact`] if it has no such references.
    pub fn resolved(&self) -> Option<Resource> {
        self.resource.as_ref().map(|resource| resource.resolved(&self.links))
    }

    /// The id that its resource has of itself.
    pub fn own_id(&self) -> Option<&str> {
        self.resource.as_ref()?.id()
    }

    /// Where the entry is: `Bundle.entry[3]`.
    pub fn place(&self) -> String {
        format!("Bundle.entry[{}]", self.index)
    }

    /// Whether nothing about this entry is an error.
    pub fn is_sound(&self) -> bool {
        !self.issues.iter().any(Issue::is_error)
    }
}

/// Prints a tag and no content.
impl fmt::Debug for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Entry({}, {:?}, {} issues)", self.index, self.resource, self.issues.len())
    }
}

/// What is to be done with an entry (`Bundle.entry.request`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The URL, relative to the server's base: `Patient`, `Patient/p1`, `Patient?name=x`.
    pub url: String,
    /// Create only if this search finds nothing.
    pub if_none_exist: Option<String>,
    /// Update only this version.
    pub if_match: Option<String>,
    /// Read only if the version is another.
    pub if_none_match: Option<String>,
    /// Read only if changed since.
    pub if_modified_since: Option<String>,
}

impl Request {
    /// The type that the URL names: `Patient` of `Patient`, `Patient/p1` and `Patient?name=x`.
    pub fn kind(&self) -> &str {
        self.url.split(['/', '?']).next().unwrap_or_default()
    }

    /// The search part of the URL: `identifier=x` of `Patient?identifier=x`.
    pub fn query(&self) -> Option<&str> {
        self.url.split_once('?').map(|(_, query)| query)
    }
}

macro_rules! codes {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// The code of the standard.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The one with this code.
            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// Every code, for messages.
            pub const CODES: &[&str] = &[$($code,)*];
        }
    };
}

codes! {
    /// What a Bundle is for (value set `bundle-type`).
    BundleKind {
        /// A document: a Composition and what it refers to.
        Document = "document",
        /// A message.
        Message = "message",
        /// Requests done together or not at all.
        Transaction = "transaction",
        /// The answer to a transaction.
        TransactionResponse = "transaction-response",
        /// Requests done one by one.
        Batch = "batch",
        /// The answer to a batch.
        BatchResponse = "batch-response",
        /// Versions of resources.
        History = "history",
        /// What a search found.
        Searchset = "searchset",
        /// Resources that somebody put together.
        Collection = "collection",
    }
}

codes! {
    /// An HTTP method of an entry (value set `http-verb`).
    Method {
        /// Read or search.
        Get = "GET",
        /// Read the headers.
        Head = "HEAD",
        /// Create.
        Post = "POST",
        /// Create or update under a known id.
        Put = "PUT",
        /// Delete.
        Delete = "DELETE",
        /// Change in part.
        Patch = "PATCH",
    }
}
