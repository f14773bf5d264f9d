//! A search as a whole: conditions, order, and how many.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::HashSet;

use super::filter::Filter;
use super::logic::Asked;
use super::parameters::{Parameter, parameter, parameters};
use super::sort::{SortKey, SortRule};
use super::terms::Terms;
use super::through::{DEPTH_MAX, Include, Pool, Spot, Through, included};
use crate::cursor::Wrong;
use crate::issue::{Issue, IssueCode};
use crate::limits::{
    SEARCH_COUNT_MAX, SEARCH_FILTER_TESTS_MAX, SEARCH_PARAMETERS_MAX, SEARCH_TESTS_MAX,
    SEARCH_VALUE_BYTES_MAX,
};
use crate::resource::Resource;
use crate::subset::Subset;
use crate::types::{ResourceType, distance};

/// A search, read and checked.
#[derive(Clone, Debug, Default)]
pub struct Query {
    types: Vec<ResourceType>,
    conditions: Vec<Condition>,
    sort: Vec<SortRule>,
    includes: Vec<Include>,
    count: Option<usize>,
    only_total: bool,
    no_total: bool,
    subset: Option<Subset>,
    /// Comparisons of all `_filter`s.
    tests: u8,
}

/// Where a condition stands: how many resources a chain has led through, what codes mean there, and
/// how many values the search may still look for.
#[derive(Clone, Copy)]
pub(super) struct Place<'t> {
    pub depth: usize,
    pub terms: &'t Terms<'t>,
    room: &'t Cell<usize>,
}

impl Place<'_> {
    /// One resource further on.
    pub(super) fn beyond(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// Takes room for so many values. Whoever uses the last of it has looked for too many.
    pub(super) fn takes(self, values: usize) -> Result<(), String> {
        self.room.set(self.room.get().saturating_sub(values));
        match self.is_full() {
            true => Err(format!("it looks for more than {SEARCH_TESTS_MAX} values: {NARROWER}")),
            false => Ok(()),
        }
    }

    pub(super) fn is_full(self) -> bool {
        self.room.get() == 0
    }
}

/// Where resources are kept. The same id elsewhere names another resource; and what refers to one
/// by type and id means one of its own place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Home<'a> {
    /// What tells it from others.
    pub of: [u8; 32],
    /// The address that absolute references to its resources begin with, without a slash at its
    /// end; empty if it is not known.
    pub base: &'a str,
}

/// What is searched: an opened resource, and what the server knows about it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The resource, with its references resolved.
    pub resource: &'a Resource,
    /// The id under which the server keeps it, whatever its bytes say.
    pub id: &'a str,
    /// When the server took it in, as a FHIR instant.
    pub last_updated: Option<&'a str>,
    /// Where it is kept.
    pub home: Home<'a>,
}

/// A condition: on the resource itself, for each type that is searched, or on others.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Own(Vec<(Option<ResourceType>, Filter)>),
    Through(Through),
    /// All of these.
    All(Vec<Condition>),
    /// One of these at least.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
}

/// A condition that has looked at the other resources.
pub(super) enum Ready<'c> {
    Own(&'c [(Option<ResourceType>, Filter)]),
    Through(&'c Through, HashSet<Spot>),
    All(Vec<Ready<'c>>),
    Any(Vec<Ready<'c>>),
    Not(Box<Ready<'c>>),
}

impl Query {
    /// Reads the parameters of a search, names and values already decoded from the URL. Without a
    /// type (a search over the whole server) `_type` may name some.
    ///
    /// ```
    /// use fhir::{search::Query, types::ResourceType};
    /// let observation = ResourceType::parse("Observation");
    /// let issues = Query::parse(observation, [("cod", "718-7")]).unwrap_err();
    /// assert!(issues[0].diagnostics.contains("did you mean `code`?"));
    /// ```
    ///
    /// # Errors
    /// A parameter, modifier or value that is not known: a filter that is ignored would return
    /// what nobody asked for.
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(
        resource_type: Option<ResourceType>,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Vec<Issue>> {
        Self::parse_with(resource_type, pairs, &Terms::none())
    }

    /// As [`Query::parse`], where it is known what codes mean together: `:in`, `:not-in`, `:above`
    /// and `:below` are read by these terms.
    ///
    /// # Errors
    /// As there, and a value set or hierarchy that the terms do not tell.
    pub fn parse_with<N: AsRef<str>, V: AsRef<str>>(
        resource_type: Option<ResourceType>,
        pairs: impl IntoIterator<Item = (N, V)>,
        terms: &Terms<'_>,
    ) -> Result<Self, Vec<Issue>> {
        let pairs: Vec<(N, V)> = pairs.into_iter().collect();
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        check_size(&pairs)?;
        let mut query = Self { types: resource_type.into_iter().collect(), ..Self::default() };
        let place = Place { depth: 0, terms, room: &Cell::new(SEARCH_TESTS_MAX + 1) };
        let mut issues = Vec::new();
        // The types come first, since the other parameters are theirs.
        let (of_types, others): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(name, _)| *name == "_type" && resource_type.is_none());
        for (name, value) in of_types.into_iter().chain(others) {
            let taken = match resource_type.filter(|_| name == "_type") {
                Some(searched) => check_same_type(searched, value),
                None => query.take(name, value, place),
            };
            issues.extend(taken.err());
        }
        if issues.is_empty() { Ok(query) } else { Err(issues) }
    }

    /// Whether a parameter looks beyond the resources that are searched: at what codes mean
    /// together, or at others that they refer to.
    pub fn looks_beyond(name: &str, value: &str) -> bool {
        if name == FILTER {
            return Asked::parse(value).is_ok_and(|asked| asked.looks_beyond());
        }
        let modifier = name.rsplit_once(':').map(|(_, modifier)| modifier);
        let of_terms = ["in", "not-in", "above", "below"];
        modifier.is_some_and(|modifier| of_terms.contains(&modifier))
            || name.contains('.')
            || ["_has:", "_include", "_revinclude"].iter().any(|word| name.starts_with(word))
    }

    /// Whether a parameter asks about other resources, so that nothing can be said of one alone.
    pub fn leads_beyond(name: &str, value: &str) -> bool {
        let by_words = ["_has:", "_list", "_include", "_revinclude"];
        match name {
            FILTER => Self::looks_beyond(name, value),
            _ => name.contains('.') || by_words.iter().any(|word| name.starts_with(word)),
        }
    }

    /// The types that are searched; empty: all.
    pub fn types(&self) -> &[ResourceType] {
        &self.types
    }

    /// How many are wanted at once (`_count`).
    pub fn count(&self) -> Option<usize> {
        self.count
    }

    /// Whether only the number of matches is wanted (`_summary=count` or `_count=0`).
    pub fn only_total(&self) -> bool {
        self.only_total || self.count == Some(0)
    }

    /// Whether the number of matches is wanted (all but `_total=none`).
    pub fn wants_total(&self) -> bool {
        !self.no_total || self.only_total()
    }

    /// Which elements of the matches are wanted (`_elements`, `_summary`); none: all.
    pub fn subset(&self) -> Option<&Subset> {
        self.subset.as_ref()
    }

    /// Whether the resource by itself is what is searched for. A condition on other resources does
    /// not hold: there are none to look at.
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        !self.run([*candidate]).is_empty()
    }

    /// All matches in the order that is asked for; otherwise they keep the order they have. Chains
    /// lead to these candidates and to nothing else.
    pub fn run<'a>(
        &self,
        candidates: impl IntoIterator<Item = Candidate<'a>>,
    ) -> Vec<Candidate<'a>> {
        self.run_beside(candidates, &[])
    }

    /// As [`Query::run`], where chains also lead to what lies beside: that is never a match itself.
    pub fn run_beside<'a>(
        &self,
        candidates: impl IntoIterator<Item = Candidate<'a>>,
        beside: &[Candidate<'a>],
    ) -> Vec<Candidate<'a>> {
        let pool = Pool::new(candidates, beside);
        let ready: Vec<Ready<'_>> =
            self.conditions.iter().map(|condition| condition.ready(&pool)).collect();
        let is_searched = |candidate: &&Candidate<'a>| {
            self.types.is_empty() || self.types.contains(&candidate.resource.resource_type())
        };
        let matches = pool.searched().iter().filter(is_searched);
        let matches =
            matches.filter(|candidate| ready.iter().all(|one| one.matches(candidate))).copied();
        if self.sort.is_empty() {
            return matches.collect();
        }
        let keys = |candidate: &Candidate<'a>| -> Vec<Option<SortKey>> {
            self.sort.iter().map(|rule| rule.key(candidate)).collect()
        };
        let mut keyed: Vec<_> = matches.map(|candidate| (keys(&candidate), candidate)).collect();
        keyed.sort_by(|(left, _), (right, _)| self.order(left, right));
        keyed.into_iter().map(|(_, candidate)| candidate).collect()
    }

    /// What these matches bring along from among the candidates and what lies beside them
    /// (`_include`, `_revinclude`): each once, and no match again.
    pub fn included<'a>(
        &self,
        candidates: impl IntoIterator<Item = Candidate<'a>>,
        beside: &[Candidate<'a>],
        matches: &[Candidate<'a>],
    ) -> Vec<Candidate<'a>> {
        if self.includes.is_empty() {
            return Vec::new();
        }
        included(&Pool::new(candidates, beside), &self.includes, matches)
    }

    fn order(&self, left: &[Option<SortKey>], right: &[Option<SortKey>]) -> Ordering {
        let rules = self.sort.iter().zip(left.iter().zip(right));
        let mut orders = rules.map(|(rule, (left, right))| rule.order(left, right));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    fn take(&mut self, name: &str, value: &str, at: Place<'_>) -> Result<(), Issue> {
        match name {
            "_type" => self.take_types(value),
            "_count" => self.take_count(value),
            "_sort" => self.take_sort(value),
            "_summary" => self.take_summary(value),
            "_total" => self.take_total(value),
            "_elements" => self.take_elements(value),
            "_contained" | "_containedType" => take_contained(name, value),
            FILTER => self.take_filter(value, at),
            // How the answer is written is the server's to see to.
            "_format" | "_pretty" => Ok(()),
            _ if name.starts_with("_include") || name.starts_with("_revinclude") => {
                let include = Include::parse(name, value);
                self.includes.push(include.map_err(|advice| wrong(name, advice))?);
                Ok(())
            }
            _ => {
                refuse_undone(name)?;
                let condition = Condition::parse(&self.types, name, value, at);
                self.conditions.push(condition.map_err(|issue| if_full(at, issue))?);
                Ok(())
            }
        }
    }

    fn take_types(&mut self, value: &str) -> Result<(), Issue> {
        for name in value.split(',') {
            let known = ResourceType::parse(name).ok_or_else(|| {
                let nearest = ResourceType::nearest(name);
                wrong("_type", format!("`{name}` is no type: did you mean `{nearest}`?"))
            })?;
            if !self.types.contains(&known) {
                self.types.push(known);
            }
        }
        Ok(())
    }

    fn take_count(&mut self, value: &str) -> Result<(), Issue> {
        let count: usize = value
            .parse()
            .map_err(|_| wrong("_count", format!("`{value}` is no number: write it as in `50`")))?;
        self.count = Some(count.min(SEARCH_COUNT_MAX));
        Ok(())
    }

    fn take_sort(&mut self, value: &str) -> Result<(), Issue> {
        for text in value.split(',') {
            let (name, is_descending) =
                text.strip_prefix('-').map_or((text, false), |name| (name, true));
            let scope = self.types.first().copied();
            let known = parameter(scope, name).ok_or_else(|| unknown("_sort", scope, name))?;
            let rule = SortRule::new(known, is_descending).ok_or_else(|| {
                wrong("_sort", format!("nothing is sorted by `{name}`, a {}", known.kind.code()))
            })?;
            self.sort.push(rule);
        }
        Ok(())
    }

    fn take_total(&mut self, value: &str) -> Result<(), Issue> {
        match value {
            "none" => self.no_total = true,
            // An exact count costs nothing here: everything has been looked at.
            "estimate" | "accurate" => {}
            _ => {
                let text = format!("`{value}`: write `none`, `estimate` or `accurate`");
                return Err(wrong("_total", text));
            }
        }
        Ok(())
    }

    fn take_elements(&mut self, value: &str) -> Result<(), Issue> {
        let elements = Subset::elements(value).map_err(|advice| wrong("_elements", advice))?;
        self.subset = Some(elements);
        Ok(())
    }

    fn take_filter(&mut self, text: &str, at: Place<'_>) -> Result<(), Issue> {
        let refused =
            |wrong: Wrong| Issue::error(IssueCode::Value, place(FILTER), wrong.advice(text));
        let asked = Asked::parse(text).map_err(refused)?;
        let tests = usize::from(self.tests) + asked.tests();
        self.tests = u8::try_from(tests).unwrap_or(u8::MAX);
        if tests > SEARCH_FILTER_TESTS_MAX {
            let advice = format!("more than {SEARCH_FILTER_TESTS_MAX} comparisons: ask in parts");
            return Err(Issue::error(IssueCode::TooCostly, place(FILTER), advice));
        }
        let condition = asked.condition(&self.types, at).map_err(refused);
        self.conditions.push(condition.map_err(|issue| if_full(at, issue))?);
        Ok(())
    }

    fn take_summary(&mut self, value: &str) -> Result<(), Issue> {
        match value {
            "count" => self.only_total = true,
            "text" => self.subset = Some(Subset::Text),
            "data" => self.subset = Some(Subset::Data),
            "true" => self.subset = Some(Subset::Summary),
            "false" => self.subset = None,
            _ => {
                let text = "write `true`, `text`, `data`, `count` or `false`";
                return Err(wrong("_summary", format!("`{value}` is no summary: {text}")));
            }
        }
        Ok(())
    }
}

impl Condition {
    /// Reads a condition on resources of these types; none is every type.
    pub(super) fn parse(
        types: &[ResourceType],
        text: &str,
        value: &str,
        at: Place<'_>,
    ) -> Result<Self, Issue> {
        if at.depth + text.matches('.').count() > DEPTH_MAX {
            let advice = format!("a chain leads through at most {DEPTH_MAX} resources");
            return Err(Issue::error(IssueCode::TooCostly, place(text), advice));
        }
        let through = match text.strip_prefix("_has:") {
            Some(rest) => Some(Through::has(rest, value, at)),
            None if text == "_list" => Some(Through::list(value)),
            None if text.contains('.') => Some(Through::named(types, text, value, at)),
            None => None,
        };
        match through {
            Some(through) => through.map(Self::Through).map_err(|advice| wrong(text, advice)),
            None => Self::own(types, text, value, at),
        }
    }

    fn own(types: &[ResourceType], text: &str, value: &str, at: Place<'_>) -> Result<Self, Issue> {
        let (name, modifier) = match text.split_once(':') {
            Some((name, modifier)) => (name, Some(modifier)),
            None => (text, None),
        };
        let scopes: Vec<Option<ResourceType>> = match types {
            [] => vec![None],
            types => types.iter().copied().map(Some).collect(),
        };
        let mut by_type = Vec::new();
        for scope in scopes {
            let known: &'static Parameter =
                parameter(scope, name).ok_or_else(|| unknown(text, scope, name))?;
            let room = at.takes(value.split(',').count());
            let filter = room.and_then(|()| Filter::parse(known, modifier, value, at.terms));
            let filter = filter.map_err(|advice| wrong(text, advice))?;
            by_type.push((scope, filter));
        }
        Ok(Self::Own(by_type))
    }

    /// Looks at the other resources, once for all that are searched.
    pub(super) fn ready(&self, pool: &Pool<'_>) -> Ready<'_> {
        match self {
            Self::Own(by_type) => Ready::Own(by_type),
            Self::Through(through) => Ready::Through(through, through.targets(pool)),
            Self::All(parts) => Ready::All(parts.iter().map(|one| one.ready(pool)).collect()),
            Self::Any(parts) => Ready::Any(parts.iter().map(|one| one.ready(pool)).collect()),
            Self::Not(part) => Ready::Not(Box::new(part.ready(pool))),
        }
    }
}

impl Ready<'_> {
    pub(super) fn matches(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Self::Own(by_type) => {
                let kind = candidate.resource.resource_type();
                let mut filters = by_type.iter();
                let own = filters.find(|(scope, _)| scope.is_none_or(|scope| scope == kind));
                own.is_some_and(|(_, filter)| filter.matches(candidate))
            }
            Self::Through(through, targets) => through.matches(candidate, targets),
            Self::All(parts) => parts.iter().all(|one| one.matches(candidate)),
            Self::Any(parts) => parts.iter().any(|one| one.matches(candidate)),
            Self::Not(part) => !part.matches(candidate),
        }
    }
}

/// Resources are searched, and not what is contained in them: what the standard does unless asked.
fn take_contained(name: &str, value: &str) -> Result<(), Issue> {
    match (name, value) {
        ("_contained", "false") | ("_containedType", "container") => Ok(()),
        _ => {
            let text = "contained resources are found with their container only: leave it out";
            Err(Issue::error(IssueCode::NotSupported, place(name), text))
        }
    }
}

/// A search of one type says no other.
fn check_same_type(searched: ResourceType, value: &str) -> Result<(), Issue> {
    match value == searched.name() {
        true => Ok(()),
        false => {
            let text = format!("this is a search of {searched}: leave `_type` out");
            Err(wrong("_type", text))
        }
    }
}

/// The same, as too costly if that is why there is no such condition.
fn if_full(at: Place<'_>, issue: Issue) -> Issue {
    if at.is_full() { Issue { code: IssueCode::TooCostly, ..issue } } else { issue }
}

/// Parameters of the standard that are not done, with what to do instead.
fn refuse_undone(name: &str) -> Result<(), Issue> {
    let own_name = name.split(':').next().unwrap_or(name);
    match UNDONE.iter().find(|(names, _)| names.contains(&own_name)) {
        Some((_, advice)) => Err(Issue::error(IssueCode::NotSupported, place(name), *advice)),
        None => Ok(()),
    }
}

fn check_size(pairs: &[(&str, &str)]) -> Result<(), Vec<Issue>> {
    if pairs.len() > SEARCH_PARAMETERS_MAX {
        let text = format!("more than {SEARCH_PARAMETERS_MAX} parameters: search in parts");
        return Err(vec![Issue::error(IssueCode::TooCostly, "", text)]);
    }
    let long = pairs.iter().find(|(name, value)| name.len() + value.len() > SEARCH_VALUE_BYTES_MAX);
    match long {
        Some((name, _)) => {
            let text = format!("longer than {SEARCH_VALUE_BYTES_MAX} bytes: search in parts");
            let name: String = name.chars().take(64).collect();
            Err(vec![Issue::error(IssueCode::TooCostly, place(&name), text)])
        }
        None => Ok(()),
    }
}

/// Where a parameter is, as `OperationOutcome` writes it.
fn place(name: &str) -> String {
    format!("http.{name}")
}

fn wrong(name: &str, text: String) -> Issue {
    Issue::error(IssueCode::Value, place(name), text)
}

pub(super) fn unknown(at: &str, scope: Option<ResourceType>, name: &str) -> Issue {
    let nearest = parameters(scope).map(|known| (distance(known.name, name), known.name)).min();
    let text = match (scope, nearest) {
        (Some(scope), Some((_, nearest))) => {
            format!("`{name}` is no search parameter of {scope}: did you mean `{nearest}`?")
        }
        _ => format!("`{name}` is not a parameter of every type: name the types with `_type`"),
    };
    Issue::error(IssueCode::NotSupported, place(at), text)
}

const FILTER: &str = "_filter";

/// What makes a search cheaper.
const NARROWER: &str = "name fewer, or the type that a chain leads to";

const UNDONE: [(&[&str], &str); 2] = [
    (&["_filter"], "takes no modifier"),
    (&["_query"], "no queries have names here: search by the parameters of the type"),
];
