//! Whose cosignatures are enough (`c2sp.org/tlog-policy`).
//!
//! A Carestone network has no single log key. Each member stands in its policy twice, with the same
//! key: as a log, which binds the origin, and as a witness, which counts for the quorum. See
//! `spec/formats.md`, section 6.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt;

use crate::{
    ProofError,
    checkpoint::{Note, NoteSignature},
    cosignature::CosignerKey,
};

/// A trust policy: accepted logs, known witnesses, and which sets of witnesses suffice.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Every key once; logs and witnesses name them by their places.
    keys: Vec<CosignerKey>,
    logs: Vec<Signer>,
    /// Witnesses and groups; a group names only what stands before it.
    rules: Vec<Rule>,
    quorum: Quorum,
}

/// A witness that cosigned a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigner {
    /// Its name in the policy.
    pub name: String,
    /// When it says it signed, in seconds since the Unix epoch.
    pub time_s: u64,
}

#[derive(Clone, Debug)]
struct Signer {
    key: usize,
    url: Option<String>,
}

#[derive(Clone, Debug)]
struct Rule {
    name: String,
    kind: RuleKind,
}

#[derive(Clone, Debug)]
enum RuleKind {
    Witness(Signer),
    /// So many of these rules, named by their places, are needed.
    Group {
        threshold: usize,
        members: Vec<usize>,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Quorum {
    #[default]
    Missing,
    None,
    Rule(usize),
}

impl Policy {
    /// The policy of a network: its members' names and cosigning keys, and how many of them must
    /// have cosigned. Fails with [`ProofError::Format`] or [`ProofError::PublicKey`], for instance
    /// if two members share a name or a key.
    pub fn of_members(
        origin: &str,
        members: &[(&str, [u8; 32])],
        threshold: usize,
    ) -> Result<Policy, ProofError> {
        let mut policy = Policy::default();
        let mut names = Vec::new();
        for (name, key) in members {
            let key = CosignerKey::new(origin, key)?;
            policy.add_log(key.clone(), None)?;
            policy.add_witness(name, key, None)?;
            names.push(*name);
        }
        policy.add_group("members", &threshold.to_string(), &names)?;
        policy.set_quorum("members")?;
        Ok(policy)
    }

    /// Reads a policy file; fails with [`ProofError::Format`] or [`ProofError::PublicKey`].
    pub fn parse(text: &str) -> Result<Policy, ProofError> {
        let allowed = |byte: u8| matches!(byte, b'\t' | b'\n' | 0x20..=0x7e | 0x80..);
        if !text.bytes().all(allowed) || !text.ends_with('\n') {
            return Err(ProofError::Format("lines that end with a newline, without controls"));
        }
        let mut policy = Policy::default();
        for line in text.lines() {
            let words: Vec<&str> =
                line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            policy.add_line(&words)?;
        }
        match policy.quorum {
            Quorum::Missing => Err(ProofError::Format("a quorum line")),
            _ => Ok(policy),
        }
    }

    /// Checks a note against the policy and returns the witnesses that cosigned it, in the policy's
    /// order. Lines of unknown keys are ignored. Fails with [`ProofError::Signature`] if a known
    /// key's line does not verify, [`ProofError::Log`] if no listed log of this origin signed, and
    /// [`ProofError::Quorum`].
    pub fn check(&self, note: &Note) -> Result<Vec<Cosigner>, ProofError> {
        let mut times: Vec<Option<u64>> = vec![None; self.keys.len()];
        for line in &note.signatures {
            if let Some(place) = self.keys.iter().position(|key| key.claims(line)) {
                times[place] = Some(self.keys[place].verify(&note.checkpoint, line)?);
            }
        }
        let signed = |log: &Signer| {
            self.keys[log.key].name() == note.checkpoint.origin && times[log.key].is_some()
        };
        if !self.logs.iter().any(signed) {
            return Err(ProofError::Log);
        }
        self.check_quorum(&times)
    }

    /// Whether the line claims to be of a key that the policy names.
    pub fn knows(&self, line: &NoteSignature) -> bool {
        self.keys.iter().any(|key| key.claims(line))
    }

    /// Checks the quorum, given when each key signed.
    fn check_quorum(&self, times: &[Option<u64>]) -> Result<Vec<Cosigner>, ProofError> {
        let mut cosigners = Vec::new();
        let mut met: Vec<bool> = Vec::new();
        for rule in &self.rules {
            met.push(match &rule.kind {
                RuleKind::Witness(signer) => {
                    let cosigner = |time_s| Cosigner { name: rule.name.clone(), time_s };
                    cosigners.extend(times[signer.key].map(cosigner));
                    times[signer.key].is_some()
                }
                RuleKind::Group { threshold, members } => {
                    members.iter().filter(|member| met[**member]).count() >= *threshold
                }
            });
        }
        match self.quorum {
            Quorum::None => Ok(cosigners),
            Quorum::Rule(place) if met[place] => Ok(cosigners),
            _ => Err(ProofError::Quorum),
        }
    }

    fn add_line(&mut self, words: &[&str]) -> Result<(), ProofError> {
        match words {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", vkey, url @ ..] => self.add_log(CosignerKey::parse(vkey)?, parse_url(url)?),
            ["witness", name, vkey, url @ ..] => {
                self.add_witness(name, CosignerKey::parse(vkey)?, parse_url(url)?)
            }
            ["group", name, threshold, members @ ..] => self.add_group(name, threshold, members),
            ["quorum", name] => self.set_quorum(name),
            _ => Err(ProofError::Format("a log, witness, group or quorum line")),
        }
    }

    fn add_log(&mut self, key: CosignerKey, url: Option<String>) -> Result<(), ProofError> {
        if self.logs.len() == ITEMS_MAX {
            return Err(ProofError::Format("at most 128 logs"));
        }
        if self.logs.iter().any(|log| self.keys[log.key].bytes() == key.bytes()) {
            return Err(ProofError::Format("each log's key once"));
        }
        let key = self.add_key(key)?;
        self.logs.push(Signer { key, url });
        Ok(())
    }

    fn add_witness(
        &mut self,
        name: &str,
        key: CosignerKey,
        url: Option<String>,
    ) -> Result<(), ProofError> {
        let is_same = |rule: &Rule| match &rule.kind {
            RuleKind::Witness(witness) => self.keys[witness.key].bytes() == key.bytes(),
            RuleKind::Group { .. } => false,
        };
        if self.rules.iter().any(is_same) {
            return Err(ProofError::Format("each witness's key once"));
        }
        let key = self.add_key(key)?;
        self.define(name, RuleKind::Witness(Signer { key, url }))
    }

    /// Place of the key. A signature line names its key by name and id only, so these may not stand
    /// for two keys.
    fn add_key(&mut self, key: CosignerKey) -> Result<usize, ProofError> {
        let is_same = |other: &CosignerKey| other.name() == key.name() && other.id() == key.id();
        match self.keys.iter().position(is_same) {
            Some(place) if self.keys[place] == key => Ok(place),
            Some(_) => Err(ProofError::Format("one key for a name and id")),
            None => {
                self.keys.push(key);
                Ok(self.keys.len() - 1)
            }
        }
    }

    fn add_group(&mut self, name: &str, threshold: &str, names: &[&str]) -> Result<(), ProofError> {
        let mut members = vec![];
        for member in names {
            let place = self.place(member)?;
            if members.contains(&place) || self.is_in_a_group(place) {
                return Err(ProofError::Format("each name in one group, once"));
            }
            members.push(place);
        }
        let threshold = match threshold {
            "any" => 1,
            "all" => members.len() as u64,
            number => crate::text::parse_decimal(number)?,
        };
        if threshold == 0 || threshold > members.len() as u64 {
            return Err(ProofError::Format("a threshold from 1 to the number of members"));
        }
        self.define(name, RuleKind::Group { threshold: threshold as usize, members })
    }

    fn set_quorum(&mut self, name: &str) -> Result<(), ProofError> {
        if self.quorum != Quorum::Missing {
            return Err(ProofError::Format("one quorum line"));
        }
        self.quorum = if name == "none" { Quorum::None } else { Quorum::Rule(self.place(name)?) };
        Ok(())
    }

    fn define(&mut self, name: &str, kind: RuleKind) -> Result<(), ProofError> {
        let usable = !name.is_empty() && name.chars().all(|char| char > ' ' && char != '\x7f');
        if name == "none" || !usable || self.place(name).is_ok() {
            return Err(ProofError::Format("a new name, not none, without spaces"));
        }
        if self.rules.len() == 2 * ITEMS_MAX {
            return Err(ProofError::Format("at most 256 witnesses and groups"));
        }
        self.rules.push(Rule { name: name.to_string(), kind });
        Ok(())
    }

    fn place(&self, name: &str) -> Result<usize, ProofError> {
        let place = self.rules.iter().position(|rule| rule.name == name);
        place.ok_or(ProofError::Format("a name that was defined before"))
    }

    fn is_in_a_group(&self, place: usize) -> bool {
        self.rules.iter().any(|rule| match &rule.kind {
            RuleKind::Group { members, .. } => members.contains(&place),
            RuleKind::Witness(_) => false,
        })
    }
}

/// The policy file, in one form: logs, then witnesses and groups, then the quorum.
impl fmt::Display for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for log in &self.logs {
            write!(out, "log ")?;
            self.write_signer(log, out)?;
        }
        for rule in &self.rules {
            match &rule.kind {
                RuleKind::Witness(signer) => {
                    write!(out, "witness {} ", rule.name)?;
                    self.write_signer(signer, out)?;
                }
                RuleKind::Group { threshold, members } => {
                    write!(out, "group {} {threshold}", rule.name)?;
                    for member in members {
                        write!(out, " {}", self.rules[*member].name)?;
                    }
                    writeln!(out)?;
                }
            }
        }
        match self.quorum {
            Quorum::Rule(place) => writeln!(out, "quorum {}", self.rules[place].name),
            Quorum::None | Quorum::Missing => writeln!(out, "quorum none"),
        }
    }
}

impl Policy {
    fn write_signer(&self, signer: &Signer, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.keys[signer.key].to_vkey())?;
        signer.url.iter().try_for_each(|url| write!(out, " {url}"))?;
        writeln!(out)
    }
}

fn parse_url(words: &[&str]) -> Result<Option<String>, ProofError> {
    match words {
        [] => Ok(None),
        [url] => Ok(Some(url.to_string())),
        _ => Err(ProofError::Format("at most one url")),
    }
}

/// Most logs; and half of the most witnesses and groups together.
const ITEMS_MAX: usize = 128;
