//! A search as a whole: conditions, order, and how many.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::filter::Filter;
use super::parameters::{Parameter, parameter, parameters};
use super::sort::{SortKey, SortRule};
use super::through::{DEPTH_MAX, Include, Pool, Through, included};
use crate::issue::{Issue, IssueCode};
use crate::limits::{SEARCH_COUNT_MAX, SEARCH_PARAMETERS_MAX, SEARCH_VALUE_BYTES_MAX};
use crate::reference::Target;
use crate::resource::Resource;
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
}

/// A condition: on the resource itself, for each type that is searched, or on others.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Own(Vec<(Option<ResourceType>, Filter)>),
    Through(Through),
}

/// A condition that has looked at the other resources.
pub(super) enum Ready<'c> {
    Own(&'c [(Option<ResourceType>, Filter)]),
    Through(&'c Through, HashSet<Target>),
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
        let pairs: Vec<(N, V)> = pairs.into_iter().collect();
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        check_size(&pairs)?;
        let mut query = Self { types: resource_type.into_iter().collect(), ..Self::default() };
        let mut issues = Vec::new();
        // The types come first, since the other parameters are theirs.
        let (of_types, others): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(name, _)| *name == "_type" && resource_type.is_none());
        for (name, value) in of_types.into_iter().chain(others) {
            if let Err(issue) = query.take(name, value) {
                issues.push(issue);
            }
        }
        if issues.is_empty() { Ok(query) } else { Err(issues) }
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
        let pool = Pool::new(candidates);
        let ready: Vec<Ready<'_>> =
            self.conditions.iter().map(|condition| condition.ready(&pool)).collect();
        let is_searched = |candidate: &&Candidate<'a>| {
            self.types.is_empty() || self.types.contains(&candidate.resource.resource_type())
        };
        let matches = pool.all.iter().filter(is_searched);
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

    /// What these matches bring along from among the candidates (`_include`, `_revinclude`): each
    /// once, and no match again.
    pub fn included<'a>(
        &self,
        candidates: impl IntoIterator<Item = Candidate<'a>>,
        matches: &[Candidate<'a>],
    ) -> Vec<Candidate<'a>> {
        if self.includes.is_empty() {
            return Vec::new();
        }
        included(&Pool::new(candidates), &self.includes, matches)
    }

    fn order(&self, left: &[Option<SortKey>], right: &[Option<SortKey>]) -> Ordering {
        let rules = self.sort.iter().zip(left.iter().zip(right));
        let mut orders = rules.map(|(rule, (left, right))| rule.order(left, right));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Issue> {
        match name {
            "_type" => self.take_types(value),
            "_count" => self.take_count(value),
            "_sort" => self.take_sort(value),
            "_summary" => self.take_summary(value),
            // How the answer is written, and whether it has a total, is the server's to see to.
            // Which elements are wanted is a hint: a record is whole or it cannot be checked.
            "_format" | "_pretty" | "_total" | "_elements" => Ok(()),
            _ if name.starts_with("_include") || name.starts_with("_revinclude") => {
                let include = Include::parse(name, value);
                self.includes.push(include.map_err(|advice| wrong(name, advice))?);
                Ok(())
            }
            _ => {
                refuse_undone(name)?;
                self.conditions.push(Condition::parse(&self.types, name, value, 0)?);
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

    /// A summary is a hint, too: records are served whole. Only the count is something else.
    fn take_summary(&mut self, value: &str) -> Result<(), Issue> {
        match value {
            "false" | "true" | "text" | "data" => Ok(()),
            "count" => {
                self.only_total = true;
                Ok(())
            }
            _ => {
                let text = format!("`{value}` is no summary: write `true`, `count` or `false`");
                Err(wrong("_summary", text))
            }
        }
    }
}

impl Condition {
    /// Reads a condition on resources of these types; none is every type. `depth` counts the
    /// resources that a chain has led through.
    pub(super) fn parse(
        types: &[ResourceType],
        text: &str,
        value: &str,
        depth: usize,
    ) -> Result<Self, Issue> {
        if depth + text.matches('.').count() > DEPTH_MAX {
            let advice = format!("a chain leads through at most {DEPTH_MAX} resources");
            return Err(Issue::error(IssueCode::TooCostly, place(text), advice));
        }
        let through = match text.strip_prefix("_has:") {
            Some(rest) => Some(Through::has(rest, value, depth)),
            None if text.contains('.') => Some(Through::chain(types, text, value, depth)),
            None => None,
        };
        match through {
            Some(through) => through.map(Self::Through).map_err(|advice| wrong(text, advice)),
            None => Self::own(types, text, value),
        }
    }

    fn own(types: &[ResourceType], text: &str, value: &str) -> Result<Self, Issue> {
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
            let filter = Filter::parse(known, modifier, value)
                .map_err(|advice| Issue::error(IssueCode::Value, place(text), advice))?;
            by_type.push((scope, filter));
        }
        Ok(Self::Own(by_type))
    }

    /// Looks at the other resources, once for all that are searched.
    pub(super) fn ready(&self, pool: &Pool<'_>) -> Ready<'_> {
        match self {
            Self::Own(by_type) => Ready::Own(by_type),
            Self::Through(through) => Ready::Through(through, through.targets(pool)),
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
        }
    }
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

fn unknown(at: &str, scope: Option<ResourceType>, name: &str) -> Issue {
    let nearest = parameters(scope).map(|known| (distance(known.name, name), known.name)).min();
    let text = match (scope, nearest) {
        (Some(scope), Some((_, nearest))) => {
            format!("`{name}` is no search parameter of {scope}: did you mean `{nearest}`?")
        }
        _ => format!("`{name}` is not a parameter of every type: name the types with `_type`"),
    };
    Issue::error(IssueCode::NotSupported, place(at), text)
}

const UNDONE: [(&[&str], &str); 1] = [(
    &["_text", "_content", "_filter", "_query", "_list", "_contained", "_containedType"],
    "not done: search by the parameters of the type",
)];
