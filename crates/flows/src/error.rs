//! What can go wrong in a story, in terms that the web and the command line can answer with.

use fhir::{Issue, IssueCode};
use ledger::{Receipt, Reject};

/// Why a story did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The content is not acceptable; each issue names its place and what to do.
    #[error("the content is not acceptable: {}", summary(.0))]
    Content(Vec<Issue>),
    /// It is kept, sealed, and waits for somebody to look at it; nothing of it is filed yet.
    #[error("it waits in the work list until somebody has looked at it: {}", summary(.0))]
    Waits(Vec<Issue>),
    /// There is nothing by that name, or the caller may not know that there is.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It was deleted; its earlier versions are still there.
    #[error("the resource was deleted; its earlier versions are in its history")]
    Gone,
    /// A search names several records where one is needed.
    #[error("the search names {0} records: name one")]
    Ambiguous(usize),
    /// The ledger denied the access; the receipt is in the log.
    #[error("the ledger denied the access; receipt {} of the patient's list", .0.number)]
    Denied(Box<Receipt>),
    /// The ledger's rules refused the command.
    #[error("the ledger refused the command: {0}")]
    Rejected(Reject),
    /// It cannot be done as things stand.
    #[error("{0}")]
    Refused(String),
    /// Not by this one.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Somebody else changed it first.
    #[error("somebody else changed it first; read it again and repeat the change")]
    Conflict,
    /// The version that the caller expected is not the latest.
    #[error("the latest version is {latest}, not the one that was expected; read it again")]
    Stale {
        /// The latest version.
        latest: u32,
        /// Where it is in what was received.
        place: String,
    },
    /// The network did not agree in time. What was asked may still happen.
    #[error("the network did not agree in time; it may still happen: look again in a moment")]
    NotFinal,
    /// A part of the network that is needed does not answer now.
    #[error("{0}")]
    Unavailable(&'static str),
    /// What a member sent does not fit the ledger.
    #[error("what a member sent does not fit the ledger: {0}")]
    Evidence(String),
    /// This node's store failed: the process must end.
    #[error("this node must stop: {0}")]
    Fatal(String),
}

/// Too much of a kind is under way, or kept, for more to begin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// When to ask again, in milliseconds.
    pub retry_ms: u64,
}

impl FlowError {
    /// What is wrong with a search, told as content of the Bundle that it is part of.
    pub(crate) fn into_content(self) -> Self {
        match self {
            FlowError::Ambiguous(_) => {
                let text = self.to_string();
                FlowError::Content(vec![Issue::error(IssueCode::MultipleMatches, "", text)])
            }
            other => other,
        }
    }

    /// What is wrong with entries of a Bundle, each with its place.
    pub(crate) fn issues(self) -> Vec<Issue> {
        let text = self.to_string();
        match self {
            FlowError::Content(issues) => issues,
            FlowError::Stale { place, .. } => vec![Issue::error(IssueCode::Conflict, place, text)],
            _ => Vec::new(),
        }
    }

    /// Whether the process must end.
    pub fn is_fatal(&self) -> bool {
        matches!(self, FlowError::Fatal(_))
    }
}

impl From<chain::Error> for FlowError {
    fn from(error: chain::Error) -> Self {
        match error {
            error if error.is_fatal() => FlowError::Fatal(error.to_string()),
            chain::Error::Unknown(what) => FlowError::NotFound(what),
            chain::Error::OutOfRange => FlowError::NotFound("entry of the log"),
            chain::Error::NotCosigned { .. } => {
                FlowError::Unavailable("it is not cosigned yet; try again in a moment")
            }
            chain::Error::TooManyWaiters => {
                FlowError::Unavailable("too many commands are under way; try again in a moment")
            }
            error => FlowError::Evidence(error.to_string()),
        }
    }
}

impl From<vault::VaultError> for FlowError {
    fn from(error: vault::VaultError) -> Self {
        match error {
            vault::VaultError::Conflict(_) => FlowError::Conflict,
            vault::VaultError::Damaged(_) => FlowError::Evidence(error.to_string()),
            // Nothing was stored, and the store is well: what was asked for is too much at once.
            vault::VaultError::Invalid(why) => {
                FlowError::Content(vec![Issue::error(IssueCode::TooCostly, "", why)])
            }
            error => FlowError::Fatal(error.to_string()),
        }
    }
}

fn summary(issues: &[Issue]) -> String {
    match issues {
        [] => "no reason given".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first}, and {} more", rest.len()),
    }
}
