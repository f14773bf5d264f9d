//! The parameter `_filter`: conditions joined by `and`, `or` and `not`
//! ([FHIR R4, filter](http://hl7.org/fhir/R4/search_filter.html)).
//!
//! What it names are the parameters of any other search, and what it becomes are their conditions.
//! As the standard says there is no precedence: `a and b or c` is `(a and b) or c`. A filter in
//! brackets and what follows it hold for one and the same resource: `subject[name eq x].active eq
//! true`.

use super::filter::{Filter, Operator};
use super::parameters::parameter;
use super::query::{Condition, Place, unknown};
use super::through::{DEPTH_MAX, Through};
use crate::cursor::{Cursor, Wrong};
use crate::limits::{SEARCH_FILTER_DEPTH_MAX, SEARCH_FILTER_TESTS_MAX};
use crate::types::ResourceType;

/// What a filter asks, as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked<'t> {
    All(Vec<Asked<'t>>),
    Any(Vec<Asked<'t>>),
    Not(Box<Asked<'t>>),
    Test(Test<'t>),
}

/// One comparison: a path, an operator, a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Test<'t> {
    /// Where it stands, in bytes.
    at: usize,
    /// The references that lead to what is compared, each with a filter of its own or none.
    links: Vec<(&'t str, Option<Asked<'t>>)>,
    name: &'t str,
    operator: Operator,
    value: String,
}

impl<'t> Asked<'t> {
    /// Reads a filter.
    pub(super) fn parse(text: &'t str) -> Result<Self, Wrong> {
        let mut reader = Reader { cursor: Cursor::new(text), depth: 0, tests: 0 };
        let asked = reader.filter()?;
        match reader.cursor.rest().is_empty() {
            true => Ok(asked),
            false => Err(reader.cursor.wrong("expected `and`, `or` or the end")),
        }
    }

    /// How many comparisons it has.
    pub(super) fn tests(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::tests).sum(),
            Self::Not(part) => part.tests(),
            Self::Test(test) => {
                1 + test.links.iter().flat_map(|(_, within)| within).map(Self::tests).sum::<usize>()
            }
        }
    }

    /// Whether it asks about other resources, or what codes mean together.
    pub(super) fn looks_beyond(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::looks_beyond),
            Self::Not(part) => part.looks_beyond(),
            Self::Test(test) => !test.links.is_empty() || test.operator.is_of_terms(),
        }
    }

    /// The conditions on resources of these types; none is every type.
    pub(super) fn condition(
        &self,
        types: &[ResourceType],
        place: Place<'_>,
    ) -> Result<Condition, Wrong> {
        let conditions = |parts: &[Asked<'_>]| {
            parts.iter().map(|part| part.condition(types, place)).collect::<Result<_, _>>()
        };
        match self {
            Self::All(parts) => conditions(parts).map(Condition::All),
            Self::Any(parts) => conditions(parts).map(Condition::Any),
            Self::Not(part) => Ok(Condition::Not(Box::new(part.condition(types, place)?))),
            Self::Test(test) => test.condition(&test.links, types, place),
        }
    }
}

impl Test<'_> {
    fn condition(
        &self,
        links: &[(&str, Option<Asked<'_>>)],
        types: &[ResourceType],
        place: Place<'_>,
    ) -> Result<Condition, Wrong> {
        let Some(((by, within), links)) = links.split_first() else {
            return self.own(types, place);
        };
        if place.depth >= DEPTH_MAX {
            return Err(self.wrong(format!("a chain leads through at most {DEPTH_MAX} resources")));
        }
        let beyond = place.beyond();
        let inner = |kind: ResourceType| {
            let rest = self.condition(links, &[kind], beyond)?;
            match within {
                Some(within) => Ok(Condition::All(vec![within.condition(&[kind], beyond)?, rest])),
                None => Ok(rest),
            }
        };
        Through::chain(types, by, place, inner, |what| self.wrong(what)).map(Condition::Through)
    }

    fn own(&self, types: &[ResourceType], place: Place<'_>) -> Result<Condition, Wrong> {
        let filter = |scope: Option<ResourceType>| {
            place.takes(1).map_err(|what| self.wrong(what))?;
            let known = parameter(scope, self.name);
            let known =
                known.ok_or_else(|| self.wrong(unknown("", scope, self.name).diagnostics))?;
            let filter = Filter::compared(known, self.operator, &self.value, place.terms);
            Ok((scope, filter.map_err(|what| self.wrong(what))?))
        };
        let own = match types {
            [] => filter(None).map(|one| vec![one]),
            types => types.iter().copied().map(Some).map(filter).collect(),
        };
        own.map(Condition::Own)
    }

    fn wrong(&self, what: String) -> Wrong {
        Wrong { at: self.at, what }
    }
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    depth: usize,
    tests: usize,
}

impl<'t> Reader<'t> {
    /// Parts with `and` and `or` between them, from left to right.
    fn filter(&mut self) -> Result<Asked<'t>, Wrong> {
        self.depth += 1;
        if self.depth > SEARCH_FILTER_DEPTH_MAX {
            let most = SEARCH_FILTER_DEPTH_MAX;
            return Err(self.cursor.wrong(format!("nested more than {most} times: ask in parts")));
        }
        let mut asked = self.part()?;
        loop {
            asked = if self.cursor.word("and") {
                both(asked, self.part()?)
            } else if self.cursor.word("or") {
                either(asked, self.part()?)
            } else {
                break;
            };
        }
        self.depth -= 1;
        Ok(asked)
    }

    fn part(&mut self) -> Result<Asked<'t>, Wrong> {
        let start = self.cursor.clone();
        let negates = self.cursor.word("not") && self.cursor.rest().starts_with('(');
        if !negates {
            // `not` may also be the name of a parameter.
            self.cursor = start;
        }
        if !self.cursor.eat("(") {
            return self.test();
        }
        let inner = self.filter()?;
        self.cursor.expect(")")?;
        Ok(if negates { Asked::Not(Box::new(inner)) } else { inner })
    }

    fn test(&mut self) -> Result<Asked<'t>, Wrong> {
        let mut links = Vec::new();
        self.cursor.rest();
        let at = self.cursor.at();
        let mut name = self.name()?;
        loop {
            let within = match self.cursor.follows("[") {
                true => Some(self.filter()?),
                false => None,
            };
            if within.is_some() {
                self.cursor.expect("]")?;
            }
            if !self.cursor.follows(".") {
                if within.is_some() {
                    return Err(self.cursor.wrong("after `]` comes `.` and a name"));
                }
                break;
            }
            links.push((name, within));
            name = self.name()?;
        }
        let word_at = self.cursor.at();
        let word = self.name()?;
        let operator = Operator::parse(word).ok_or_else(|| Wrong {
            at: word_at + 1,
            what: format!("`{word}` is no operator: there are {}", Operator::codes()),
        })?;
        let value = self.value()?;
        self.tests += 1;
        if self.tests > SEARCH_FILTER_TESTS_MAX {
            let most = SEARCH_FILTER_TESTS_MAX;
            return Err(self.cursor.wrong(format!("more than {most} comparisons: ask in parts")));
        }
        Ok(Asked::Test(Test { at, links, name, operator, value }))
    }

    /// A JSON string, or what stands before the next space or closing bracket.
    fn value(&mut self) -> Result<String, Wrong> {
        let rest = self.cursor.rest();
        if rest.starts_with('"') {
            let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let Some(Ok(value)) = strings.next() else {
                return Err(self.cursor.wrong("expected the end of the text, `\"`"));
            };
            self.cursor.take(strings.byte_offset());
            return Ok(value);
        }
        let ends = |letter: char| letter.is_whitespace() || matches!(letter, ')' | ']');
        let length = rest.find(ends).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.cursor.wrong("expected a value"));
        }
        Ok(self.cursor.take(length).to_owned())
    }

    /// A name; a reference may say to which type it leads: `subject:Patient`.
    fn name(&mut self) -> Result<&'t str, Wrong> {
        self.cursor.name(b"_-:")
    }
}

fn both<'t>(left: Asked<'t>, right: Asked<'t>) -> Asked<'t> {
    match left {
        Asked::All(mut parts) => {
            parts.push(right);
            Asked::All(parts)
        }
        left => Asked::All(vec![left, right]),
    }
}

fn either<'t>(left: Asked<'t>, right: Asked<'t>) -> Asked<'t> {
    match left {
        Asked::Any(mut parts) => {
            parts.push(right);
            Asked::Any(parts)
        }
        left => Asked::Any(vec![left, right]),
    }
}
