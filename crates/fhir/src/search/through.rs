//! Conditions on other resources: chains (`subject:Patient.name=x`), reverse chains
//! (`_has:Observation:patient:code=x`), and what a search brings along (`_include`, `_revinclude`).
//! See [FHIR R4, chaining](http://hl7.org/fhir/R4/search.html#chaining).
//!
//! Only what the caller hands in is looked at: a [`Pool`] of resources that this reader may see.
//! What is not in it is neither followed nor found, so no answer can tell of it.

use std::collections::{HashMap, HashSet};

use super::parameters::{Kind, Parameter, parameter, parameters};
use super::query::{Candidate, Condition, Home, Place};
use crate::issue::Issue;
use crate::reference::{Reference, Target};
use crate::types::ResourceType;

/// All that is looked at, by name.
pub(super) struct Pool<'a> {
    all: Vec<Candidate<'a>>,
    /// How many of them may be matches; the others are only led to.
    searched: usize,
    by_name: HashMap<([u8; 32], ResourceType, &'a str), usize>,
}

/// A resource by name, and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    of: [u8; 32],
    target: Target,
}

impl<'a> Pool<'a> {
    /// What is searched, and what lies beside it: what chains and includes may lead to.
    pub fn new(
        candidates: impl IntoIterator<Item = Candidate<'a>>,
        beside: &[Candidate<'a>],
    ) -> Self {
        let mut all: Vec<Candidate<'a>> = candidates.into_iter().collect();
        let searched = all.len();
        all.extend(beside);
        let names = all.iter().enumerate();
        let by_name =
            names.map(|(place, one)| ((one.home.of, one.resource.resource_type(), one.id), place));
        Self { by_name: by_name.collect(), all, searched }
    }

    /// What may be a match.
    pub fn searched(&self) -> &[Candidate<'a>] {
        &self.all[..self.searched]
    }

    fn place(&self, spot: &Spot) -> Option<usize> {
        let Spot { of, target } = spot;
        self.by_name.get(&(*of, target.resource_type, target.id.as_str())).copied()
    }
}

/// The resources that a chain or a reverse chain leads to.
#[derive(Clone, Debug)]
pub(super) enum Through {
    /// A reference leads to a resource for which the condition holds.
    Chain {
        /// The reference, for each type that is searched.
        by_type: Vec<(ResourceType, &'static Parameter)>,
        /// The condition, for each type that the reference may lead to.
        inner: Vec<(ResourceType, Box<Condition>)>,
    },
    /// A resource of this type refers here, and the condition holds for it.
    Has { of: ResourceType, by: &'static Parameter, inner: Box<Condition> },
    /// One of these Lists names the resource.
    List(Vec<String>),
}

impl Through {
    /// The names of the resources that meet the condition (chain), or that are referred to by one
    /// that does (reverse chain).
    pub fn targets(&self, pool: &Pool<'_>) -> HashSet<Spot> {
        match self {
            Self::Chain { inner, .. } => {
                let mut targets = HashSet::new();
                for (kind, condition) in inner {
                    let ready = condition.ready(pool);
                    let of_kind = |one: &&Candidate<'_>| one.resource.resource_type() == *kind;
                    let fitting = pool.all.iter().filter(of_kind).filter(|one| ready.matches(one));
                    targets.extend(fitting.map(spot));
                }
                targets
            }
            Self::Has { of, by, inner } => {
                let ready = inner.ready(pool);
                let of_kind = |one: &&Candidate<'_>| one.resource.resource_type() == *of;
                let fitting = pool.all.iter().filter(of_kind).filter(|one| ready.matches(one));
                fitting.flat_map(|one| referred(one, by)).collect()
            }
            Self::List(ids) => {
                let is_list = |one: &&Candidate<'_>| {
                    one.resource.type_name() == "List" && ids.iter().any(|id| id == one.id)
                };
                pool.all.iter().filter(is_list).flat_map(listed).collect()
            }
        }
    }

    /// Whether a resource is, or refers to, one of the targets.
    pub fn matches(&self, candidate: &Candidate<'_>, targets: &HashSet<Spot>) -> bool {
        match self {
            Self::Chain { by_type, .. } => {
                let kind = candidate.resource.resource_type();
                let own = by_type.iter().find(|(of, _)| *of == kind);
                own.is_some_and(|(_, by)| {
                    referred(candidate, by).iter().any(|one| targets.contains(one))
                })
            }
            Self::Has { .. } | Self::List(_) => targets.contains(&spot(candidate)),
        }
    }

    /// Reads `subject:Patient.name`, for the types that are searched.
    pub fn named(
        types: &[ResourceType],
        name: &str,
        value: &str,
        at: Place<'_>,
    ) -> Result<Self, String> {
        let (first, rest) = name.split_once('.').ok_or("write it as in `subject.name`")?;
        let inner = |kind| {
            Condition::parse(&[kind], rest, value, at.beyond()).map_err(|issue| advice(&issue))
        };
        Self::chain(types, first, at, inner, |advice| advice)
    }

    /// A chain by a reference such as `subject` or `subject:Patient`, and a condition for each type
    /// that it leads to. Without a type these are those of its definition for which there is such a
    /// condition.
    pub fn chain<E>(
        types: &[ResourceType],
        by: &str,
        at: Place<'_>,
        condition: impl Fn(ResourceType) -> Result<Condition, E>,
        wrong: impl Fn(String) -> E,
    ) -> Result<Self, E> {
        let (by, to) = match by.split_once(':') {
            Some((by, kind)) => (by, Some(named_type(kind).map_err(&wrong)?)),
            None => (by, None),
        };
        let by_type: Vec<(ResourceType, &'static Parameter)> =
            types.iter().filter_map(|kind| Some((*kind, reference(*kind, by)?))).collect();
        if by_type.is_empty() {
            return Err(wrong(format!("`{by}` is no reference that can be searched through")));
        }
        let kinds: Vec<ResourceType> = match to {
            Some(kind) => vec![kind],
            None => led_to(&by_type),
        };
        let (mut inner, mut refused) = (Vec::new(), None);
        for kind in kinds {
            match condition(kind) {
                Ok(condition) => inner.push((kind, Box::new(condition))),
                Err(error) if at.is_full() => return Err(error),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) if inner.is_empty() => Err(error),
            _ => Ok(Self::Chain { by_type, inner }),
        }
    }

    /// Reads `_has:Observation:patient:code`, without the first word.
    pub fn has(name: &str, value: &str, at: Place<'_>) -> Result<Self, String> {
        let mut parts = name.splitn(3, ':');
        let (Some(kind), Some(by), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("write it as in `_has:Observation:patient:code`".to_owned());
        };
        let of = named_type(kind)?;
        let by = reference(of, by).ok_or(format!("`{by}` is no reference of {kind}"))?;
        let inner = Condition::parse(&[of], rest, value, at.beyond());
        let inner = Box::new(inner.map_err(|issue| advice(&issue))?);
        Ok(Self::Has { of, by, inner })
    }

    /// Reads the Lists of `_list`, by id. A List that is not there names nothing.
    pub fn list(value: &str) -> Result<Self, String> {
        let named = value.split(',').map(|one| {
            let id = one.strip_prefix("List/").unwrap_or(one);
            match crate::resource::is_id(id) {
                true => Ok(id.to_owned()),
                // `$current-problems` and the like: lists that somebody would have to keep.
                false => Err(format!("`{one}` is no List here: name one by its id")),
            }
        });
        named.collect::<Result<_, _>>().map(Self::List)
    }
}

/// What a search brings along.
#[derive(Clone, Debug)]
pub(super) struct Include {
    /// Of which type the resources are that refer; none is every type.
    from: Option<ResourceType>,
    /// By which parameter; none is every reference.
    by: Option<&'static Parameter>,
    /// Of which type the others are; none is every type.
    to: Option<ResourceType>,
    /// Whether what was brought along brings along, too (`:iterate`).
    iterates: bool,
    /// Whether those that refer are brought (`_revinclude`).
    is_reverse: bool,
}

impl Include {
    /// Reads `Observation:subject:Patient` of `_include` or `_revinclude`.
    pub fn parse(name: &str, value: &str) -> Result<Self, String> {
        let (word, modifier) = match name.split_once(':') {
            Some((word, modifier)) => (word, Some(modifier)),
            None => (name, None),
        };
        let iterates = match modifier {
            None => false,
            Some("iterate" | "recurse") => true,
            Some(other) => return Err(format!("`:{other}` is not known: there is `:iterate`")),
        };
        let mut include =
            Self { from: None, by: None, to: None, iterates, is_reverse: word == "_revinclude" };
        let parts: Vec<&str> = value.split(':').collect();
        let (kind, by) = match parts[..] {
            ["*"] => return Ok(include),
            [kind, by] => (kind, by),
            [kind, by, to] => {
                include.to = Some(named_type(to)?);
                (kind, by)
            }
            _ => return Err("write it as in `Observation:subject`".to_owned()),
        };
        let from = named_type(kind)?;
        include.from = Some(from);
        if by != "*" {
            let known = reference(from, by);
            include.by = Some(known.ok_or(format!("`{by}` is no reference of {kind}"))?);
        }
        Ok(include)
    }

    fn references(&self, from: &Candidate<'_>) -> Vec<Spot> {
        let kind = from.resource.resource_type();
        if self.from.is_some_and(|of| of != kind) {
            return Vec::new();
        }
        let every =
            || parameters(Some(kind)).filter(|one| one.kind == Kind::Reference).collect::<Vec<_>>();
        let by = self.by.map_or_else(every, |by| vec![by]);
        let mut found: Vec<Spot> = by.iter().flat_map(|by| referred(from, by)).collect();
        found.retain(|spot| self.to.is_none_or(|to| spot.target.resource_type == to));
        found
    }
}

/// An include that has looked at all resources once, however many rounds follow.
struct Asked<'i> {
    include: &'i Include,
    /// Of a reverse one, the places of those that refer.
    referring: HashMap<Spot, Vec<usize>>,
}

impl<'i> Asked<'i> {
    fn of(include: &'i Include, pool: &Pool<'_>) -> Self {
        let mut referring: HashMap<Spot, Vec<usize>> = HashMap::new();
        let all = pool.all.iter().enumerate().filter(|_| include.is_reverse);
        for (place, from) in all {
            for spot in include.references(from) {
                referring.entry(spot).or_default().push(place);
            }
        }
        Self { include, referring }
    }

    /// The places of what these resources bring along.
    fn brought(&self, pool: &Pool<'_>, by_these: &[usize]) -> Vec<usize> {
        let these = by_these.iter().map(|place| &pool.all[*place]);
        if !self.include.is_reverse {
            let refers = these.flat_map(|one| self.include.references(one));
            return refers.filter_map(|spot| pool.place(&spot)).collect();
        }
        let refer = these.filter_map(|one| self.referring.get(&spot(one)));
        let mut places: Vec<usize> = refer.flatten().copied().collect();
        places.sort_unstable();
        places
    }
}

/// What matches bring along: each once, and none that is a match itself.
pub(super) fn included<'a>(
    pool: &Pool<'a>,
    includes: &[Include],
    matches: &[Candidate<'a>],
) -> Vec<Candidate<'a>> {
    let includes: Vec<Asked<'_>> = includes.iter().map(|one| Asked::of(one, pool)).collect();
    let mut fresh: Vec<usize> = matches.iter().filter_map(|one| pool.place(&spot(one))).collect();
    let mut seen: HashSet<usize> = fresh.iter().copied().collect();
    let mut found = Vec::new();
    for round in 0.. {
        let asked = includes.iter().filter(|asked| round == 0 || asked.include.iterates);
        let brought: Vec<usize> = asked.flat_map(|one| one.brought(pool, &fresh)).collect();
        fresh = brought.into_iter().filter(|place| seen.insert(*place)).collect();
        if fresh.is_empty() {
            break;
        }
        found.extend(fresh.iter().map(|place| pool.all[*place]));
    }
    found
}

/// How deep a chain may go.
pub(super) const DEPTH_MAX: usize = 3;

fn spot(candidate: &Candidate<'_>) -> Spot {
    let resource_type = candidate.resource.resource_type();
    let target = Target { resource_type, id: candidate.id.to_owned() };
    Spot { of: candidate.home.of, target }
}

/// What a List names, without what it says was taken off.
fn listed(list: &Candidate<'_>) -> Vec<Spot> {
    let items = list.resource.value()["entry"].as_array().into_iter().flatten();
    let there = items.filter(|entry| entry["deleted"] != true);
    let texts = there.filter_map(|entry| entry["item"]["reference"].as_str());
    texts.filter_map(|text| local(list.home, text)).collect()
}

/// The resources that a reference parameter selects, of the place where this one is kept.
fn referred(from: &Candidate<'_>, by: &Parameter) -> Vec<Spot> {
    let nodes = by.program.select(from.resource.value()).into_iter();
    let texts = nodes.filter_map(|node| node["reference"].as_str().or(node.as_str()));
    texts.filter_map(|text| local(from.home, text)).collect()
}

fn local(home: Home<'_>, reference: &str) -> Option<Spot> {
    match Reference::parse(reference)?.at(home.base) {
        Reference::Local(target) => Some(Spot { of: home.of, target }),
        _ => None,
    }
}

/// The types that references lead to, by their definitions.
fn led_to(by_type: &[(ResourceType, &Parameter)]) -> Vec<ResourceType> {
    if by_type.iter().any(|(_, by)| by.targets.is_empty()) {
        return ResourceType::all().collect();
    }
    let named = |kind: &ResourceType| by_type.iter().any(|(_, by)| by.targets.contains(kind));
    ResourceType::all().filter(named).collect()
}

fn reference(kind: ResourceType, name: &str) -> Option<&'static Parameter> {
    parameter(Some(kind), name).filter(|known| known.kind == Kind::Reference)
}

fn named_type(name: &str) -> Result<ResourceType, String> {
    ResourceType::parse(name).ok_or_else(|| {
        format!("`{name}` is no type: did you mean `{}`?", ResourceType::nearest(name))
    })
}

fn advice(issue: &Issue) -> String {
    issue.diagnostics.clone()
}
