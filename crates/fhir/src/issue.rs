//! What is wrong, where, and what to do about it.

use std::fmt;

use serde_json::{Value, json};

/// One problem, as FHIR reports it (`OperationOutcome.issue`).
///
/// The text may quote the content it is about: it is for the sender, never for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of problem it is.
    pub code: IssueCode,
    /// Where, as a FHIRPath-like place: `Bundle.entry[3].resource.subject`. Empty if nowhere.
    pub expression: String,
    /// What is wrong and what to do, in one sentence.
    pub diagnostics: String,
    /// The code of the check that found it, if a check of quality did.
    pub check: Option<&'static str>,
}

impl Issue {
    /// An error: the content is refused.
    pub fn error(code: IssueCode, expression: impl Into<String>, text: impl Into<String>) -> Self {
        let (expression, diagnostics) = (expression.into(), text.into());
        Self { severity: Severity::Error, code, expression, diagnostics, check: None }
    }

    /// A warning: the content is taken, but looks wrong.
    pub fn warning(
        code: IssueCode,
        expression: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, expression, text) }
    }

    /// The same issue with its place seen from an outer element.
    pub fn within(mut self, outer: &str) -> Self {
        self.expression = match self.expression.as_str() {
            "" => outer.to_owned(),
            inner => format!("{outer}.{inner}"),
        };
        self
    }

    /// The same issue of a resource that lies at `place`: `Patient.name` becomes
    /// `Bundle.entry[3].resource.name`.
    ///
    /// ```
    /// use fhir::{Issue, IssueCode};
    /// let issue = Issue::error(IssueCode::Value, "Patient.name", "correct it");
    /// let issue = issue.placed("Bundle.entry[3].resource");
    /// assert_eq!(issue.expression, "Bundle.entry[3].resource.name");
    /// ```
    pub fn placed(mut self, place: &str) -> Self {
        self.expression = match self.expression.split_once('.') {
            Some((_type, inside)) => format!("{place}.{inside}"),
            None => place.to_owned(),
        };
        self
    }

    /// Whether the content must be refused because of it.
    pub fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Fatal | Severity::Error)
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (severity, code) = (self.severity.code(), self.code.code());
        match self.expression.as_str() {
            "" => write!(out, "{severity} ({code}): {}", self.diagnostics),
            place => write!(out, "{severity} ({code}) at {place}: {}", self.diagnostics),
        }
    }
}

/// How bad an issue is (value set `issue-severity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing could be read at all.
    Fatal,
    /// The content is refused.
    Error,
    /// The content is taken, but looks wrong.
    Warning,
    /// Worth knowing.
    Information,
}

impl Severity {
    /// The code of the value set.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

macro_rules! issue_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)*) => {
        /// What kind of problem an issue is (value set `issue-type`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum IssueCode { $($(#[$doc])* $variant,)* }

        impl IssueCode {
            /// The code of the value set.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

issue_codes! {
    /// Not readable as JSON or with the wrong shape.
    Structure = "structure",
    /// A required element is missing.
    Required = "required",
    /// A value is not of its type.
    Value = "value",
    /// A rule between elements is broken.
    Invariant = "invariant",
    /// Content that is not valid FHIR for another reason.
    Invalid = "invalid",
    /// Larger than this server takes.
    TooLong = "too-long",
    /// More than this server does at once.
    TooCostly = "too-costly",
    /// Not done by this server.
    NotSupported = "not-supported",
    /// Named, but not there.
    NotFound = "not-found",
    /// Twice, where once is allowed.
    Duplicate = "duplicate",
    /// A rule of the network or the server refuses it.
    BusinessRule = "business-rule",
    /// In conflict with what is stored.
    Conflict = "conflict",
    /// Several match where one is needed.
    MultipleMatches = "multiple-matches",
    /// Not allowed.
    Forbidden = "forbidden",
    /// A part of the system is not reachable for now.
    Transient = "transient",
    /// An error of the server itself.
    Exception = "exception",
    /// Everything went well.
    Informational = "informational",
}

/// An `OperationOutcome` with these issues; without any it says that all is well.
///
/// ```
/// use fhir::{Issue, IssueCode, outcome};
/// let missing = Issue::error(IssueCode::Required, "Observation.status", "add the status");
/// assert_eq!(outcome(&[missing])["issue"][0]["expression"][0], "Observation.status");
/// ```
pub fn outcome(issues: &[Issue]) -> Value {
    let all_well = [Issue {
        severity: Severity::Information,
        ..Issue::error(IssueCode::Informational, "", "all is well")
    }];
    let issues = if issues.is_empty() { &all_well } else { issues };
    let issues: Vec<Value> = issues.iter().map(issue_json).collect();
    json!({ "resourceType": "OperationOutcome", "issue": issues })
}

fn issue_json(issue: &Issue) -> Value {
    let mut json = json!({
        "severity": issue.severity.code(),
        "code": issue.code.code(),
        "diagnostics": issue.diagnostics,
    });
    if !issue.expression.is_empty() {
        json["expression"] = json!([issue.expression]);
    }
    if let Some(check) = issue.check {
        json["details"] = json!({ "coding": [{ "system": CHECKS, "code": check }] });
    }
    json
}

/// The code system of the checks of quality.
pub const CHECKS: &str = "urn:carestone:quality-check";

/// Keeps the first `max` issues; the rest becomes one line that says how many there were.
pub(crate) fn capped(mut issues: Vec<Issue>, max: usize) -> Vec<Issue> {
    if issues.len() > max {
        let rest = issues.len() - max;
        let worst = issues[max..].iter().map(|issue| issue.severity).min();
        issues.truncate(max);
        issues.push(Issue {
            severity: worst.unwrap_or(Severity::Error),
            ..Issue::error(
                IssueCode::TooCostly,
                "",
                format!("{rest} more issues are not shown: correct these first"),
            )
        });
    }
    issues
}
