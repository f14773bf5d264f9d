//! What is done about a finding: by check, and for single sources.

use std::collections::BTreeMap;

use fhir::quality::Check;

/// What is done about what a check finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The delivery is refused; nothing of it is stored.
    Refuse,
    /// The delivery waits, sealed, until somebody has looked at it.
    Quarantine,
    /// It is stored; the finding is told, counted and listed.
    Flag,
    /// Nothing.
    Off,
}

impl Action {
    /// Its word in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Action::Refuse => "refuse",
            Action::Quarantine => "quarantine",
            Action::Flag => "flag",
            Action::Off => "off",
        }
    }

    /// The action with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }

    /// All of them.
    pub const ALL: [Action; 4] = [Action::Refuse, Action::Quarantine, Action::Flag, Action::Off];

    /// What a hospital would want: what cannot be is refused, what may be about somebody else
    /// waits, and the rest is flagged.
    pub fn standard(check: Check) -> Self {
        match check {
            Check::BirthInFuture | Check::DeathBeforeBirth => Action::Refuse,
            Check::PatientReplaced | Check::SubjectIdentifierOfAnother => Action::Quarantine,
            _ => Action::Flag,
        }
    }
}

/// What is done about findings. The default is [`Action::standard`] for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What differs from the standard.
    pub rules: BTreeMap<Check, Action>,
    /// What differs for a source such as `feed:west`, `system:ehr` or `app:chart`.
    pub of_sources: BTreeMap<String, BTreeMap<Check, Action>>,
    /// The base of this node's own FHIR address, without a slash at its end: a reference that
    /// begins with it is to a resource of this node.
    pub base: Option<String>,
}

impl Policy {
    /// What is done about what a check finds in what a source delivers.
    pub fn action(&self, source: &str, check: Check) -> Action {
        let of_source = self.of_sources.get(source).and_then(|rules| rules.get(&check));
        let action = of_source.or_else(|| self.rules.get(&check));
        action.copied().unwrap_or_else(|| Action::standard(check))
    }

    /// Whether nothing is looked for in what a source delivers.
    pub(crate) fn is_off(&self, source: &str) -> bool {
        Check::ALL.iter().all(|check| self.action(source, *check) == Action::Off)
    }

    /// A policy under which nothing is looked for.
    pub fn off() -> Self {
        let rules = Check::ALL.iter().map(|check| (*check, Action::Off));
        Self { rules: rules.collect(), ..Self::default() }
    }
}
