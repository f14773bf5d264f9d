//! One condition of a search: a parameter, how it is to be read, and the values it may have.

use serde_json::Value;

use super::parameters::{Kind, Parameter};
use super::query::Candidate;
use super::terms::{Members, Terms};
use super::text::{all_text, fold, narrative, words_start_with};
use super::value::{TextTest, Wanted, WantedReference, sought, split, unescape};
use crate::links::Links;
use crate::reference::Target;
use crate::systems;
use crate::types::ResourceType;

/// A condition on the resources of one type.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    parameter: &'static Parameter,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// Whether there is no value at all.
    Missing(bool),
    /// One of the values.
    Any(Vec<Wanted>),
    /// None of the values.
    Not(Vec<Wanted>),
    /// A value that is another one.
    Other(Wanted),
    /// Folded words in the text or display of a code.
    Text(Vec<String>),
    /// All the words of an alternative, each at the beginning of a word.
    Words(Vec<Vec<String>>),
    /// A reference by the identifier it carries.
    Identifier(Vec<Wanted>),
    /// For each alternative, one value a part.
    Composite(Vec<Vec<Wanted>>),
}

impl Filter {
    /// Reads the values of a parameter, as in `code:not=a,b`; `terms` say what codes mean together.
    /// `Err`: what to write instead.
    pub(super) fn parse(
        parameter: &'static Parameter,
        modifier: Option<&str>,
        text: &str,
        terms: &Terms<'_>,
    ) -> Result<Self, String> {
        let values = split(text, ',');
        let wanted = |kind: Kind| {
            values.iter().map(|value| Wanted::parse(kind, value)).collect::<Result<Vec<_>, _>>()
        };
        let test = match (parameter.kind, modifier) {
            (_, None) if READ_WHOLE.contains(&parameter.name) => Test::Words(words(&values)?),
            (_, Some(_)) if READ_WHOLE.contains(&parameter.name) => {
                return Err(format!("`{}` takes no modifier: write the words", parameter.name));
            }
            (_, Some("missing")) => Test::Missing(boolean(text)?),
            (Kind::Composite, None) => Test::Composite(composites(parameter, &values)?),
            (kind, None) => Test::Any(wanted(kind)?),
            (Kind::Token, Some("not")) => Test::Not(wanted(Kind::Token)?),
            (Kind::Token, Some("text")) => {
                Test::Text(values.iter().map(|value| sought(value)).collect::<Result<_, _>>()?)
            }
            (Kind::Token, Some("in")) => Test::Any(sets(&values, terms)?),
            (Kind::Token, Some("not-in")) => Test::Not(sets(&values, terms)?),
            (Kind::Token, Some("below")) => {
                let below = |system: &str, code: &str| terms.below(system, code);
                Test::Any(values.iter().map(|one| related(one, below)).collect::<Result<_, _>>()?)
            }
            (Kind::Token, Some("above")) => {
                let above = |system: &str, code: &str| terms.above(system, code);
                Test::Any(values.iter().map(|one| related(one, above)).collect::<Result<_, _>>()?)
            }
            (Kind::Token, Some("of-type")) => {
                Test::Any(values.iter().map(|one| Wanted::of_type(one)).collect::<Result<_, _>>()?)
            }
            (Kind::String, Some("exact")) => {
                let exact = |value: &String| sought(value).map(|_| Wanted::Exact(unescape(value)));
                Test::Any(values.iter().map(exact).collect::<Result<_, _>>()?)
            }
            (Kind::String, Some("contains")) => {
                let contains = |value: &String| sought(value).map(Wanted::Contains);
                Test::Any(values.iter().map(contains).collect::<Result<_, _>>()?)
            }
            (Kind::Uri, Some("below")) => {
                let below =
                    |value: &String| sought(value).map(|_| Wanted::UriBelow(unescape(value)));
                Test::Any(values.iter().map(below).collect::<Result<_, _>>()?)
            }
            (Kind::Uri, Some("above")) => {
                let above =
                    |value: &String| sought(value).map(|_| Wanted::UriAbove(unescape(value)));
                Test::Any(values.iter().map(above).collect::<Result<_, _>>()?)
            }
            (Kind::Reference, Some("identifier")) => Test::Identifier(wanted(Kind::Token)?),
            (Kind::Reference, Some(name)) => Test::Any(typed_references(name, &values)?),
            (kind, Some(modifier)) => return Err(unknown_modifier(kind, modifier)),
        };
        Ok(Self { parameter, test })
    }

    /// A comparison of `_filter`, by whose words values have no escapes. `Err`: what to write
    /// instead.
    pub(super) fn compared(
        parameter: &'static Parameter,
        operator: Operator,
        value: &str,
        terms: &Terms<'_>,
    ) -> Result<Self, String> {
        sought(value)?;
        let text = escaped(parameter.kind, value);
        let read_as = |modifier| Self::parse(parameter, modifier, &text, terms);
        let test = match (operator, parameter.kind) {
            (Operator::Present, _) => Test::Missing(!boolean(value)?),
            (Operator::Contains, _) if READ_WHOLE.contains(&parameter.name) => {
                return read_as(None);
            }
            (_, _) if READ_WHOLE.contains(&parameter.name) => {
                return Err(format!("`{}` is only asked with `co`", parameter.name));
            }
            (Operator::In, Kind::Token) => return read_as(Some("in")),
            (Operator::NotIn, Kind::Token) => return read_as(Some("not-in")),
            (Operator::Subsumes, Kind::Token) => return read_as(Some("below")),
            (Operator::SubsumedBy, Kind::Token) => return read_as(Some("above")),
            (Operator::Refers, Kind::Reference) => return read_as(None),
            (Operator::Equal, Kind::Composite) => return read_as(None),
            (Operator::NotEqual, Kind::Composite) => {
                return Err(not_for(operator, Kind::Composite));
            }
            (Operator::NotEqual, kind) => Test::Other(wanted(Operator::Equal, kind, &text, value)?),
            (operator, kind) => Test::Any(vec![wanted(operator, kind, &text, value)?]),
        };
        Ok(Self { parameter, test })
    }

    /// Whether the resource meets the condition.
    pub(super) fn matches(&self, candidate: &Candidate<'_>) -> bool {
        match self.parameter.name {
            // What the server knows goes before what the sender wrote into the resource.
            "_id" => self.holds(candidate, &[&Value::from(candidate.id)]),
            "_lastUpdated" => {
                let updated = candidate.last_updated.map(Value::from);
                self.holds(candidate, &updated.iter().collect::<Vec<_>>())
            }
            "_text" => self.speaks(&narrative(candidate.resource.value())),
            "_content" => self.speaks(&all_text(candidate.resource.value())),
            _ => {
                let nodes = self.parameter.program.select(candidate.resource.value());
                self.holds(candidate, &nodes)
            }
        }
    }

    /// Whether a text has all the words of one of the alternatives.
    fn speaks(&self, text: &str) -> bool {
        let Test::Words(alternatives) = &self.test else { return false };
        let all = |words: &Vec<String>| words.iter().all(|word| words_start_with(text, word));
        alternatives.iter().any(all)
    }

    fn holds(&self, candidate: &Candidate<'_>, nodes: &[&Value]) -> bool {
        let base = candidate.home.base;
        let any = |wanted: &[Wanted]| {
            nodes.iter().any(|node| wanted.iter().any(|one| one.matches(node, base)))
        };
        match &self.test {
            Test::Missing(is_missing) => nodes.is_empty() == *is_missing,
            Test::Any(wanted) => any(wanted),
            Test::Not(wanted) => !any(wanted),
            Test::Other(wanted) => nodes.iter().any(|node| !wanted.matches(node, base)),
            Test::Text(words) => {
                nodes.iter().any(|node| words.iter().any(|words| code_text_contains(node, words)))
            }
            // Texts are no nodes: see `speaks`.
            Test::Words(_) => false,
            Test::Identifier(wanted) => {
                let identifiers = nodes.iter().map(|node| &node["identifier"]);
                identifiers
                    .filter(|one| one.is_object())
                    .any(|one| wanted.iter().any(|wanted| wanted.matches(one, base)))
            }
            Test::Composite(alternatives) => nodes.iter().any(|node| {
                alternatives.iter().any(|wanted| self.parts_match(candidate, node, wanted))
            }),
        }
    }

    fn parts_match(&self, candidate: &Candidate<'_>, node: &Value, wanted: &[Wanted]) -> bool {
        let (resource, base) = (candidate.resource.value(), candidate.home.base);
        self.parameter.parts.iter().zip(wanted).all(|(part, wanted)| {
            let found = part.program.select_from(resource, node, &Links::none());
            found.iter().any(|node| wanted.matches(node, base))
        })
    }
}

/// How `_filter` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    About,
    StartsAfter,
    EndsBefore,
    Present,
    Overlaps,
    /// The value stands above a code, or is it.
    Subsumes,
    /// The value stands below a code, or is it.
    SubsumedBy,
    In,
    NotIn,
    Refers,
}

impl Operator {
    pub(super) fn parse(code: &str) -> Option<Self> {
        OPERATORS.iter().find(|row| row.0 == code).map(|row| row.1)
    }

    fn code(self) -> &'static str {
        OPERATORS.iter().find(|row| row.1 == self).map_or("", |row| row.0)
    }

    /// All of them, for messages.
    pub(super) fn codes() -> String {
        OPERATORS.map(|(code, _)| format!("`{code}`")).join(" ")
    }

    /// Whether it is one of the prefixes of numbers and dates, too.
    fn is_prefix(self) -> bool {
        ["eq", "gt", "lt", "ge", "le", "sa", "eb", "ap"].contains(&self.code())
    }

    /// Whether it asks what codes mean together.
    pub(super) fn is_of_terms(self) -> bool {
        matches!(self, Self::Subsumes | Self::SubsumedBy | Self::In | Self::NotIn)
    }
}

/// What a comparison looks for, by the standard's table of operators and types.
fn wanted(operator: Operator, kind: Kind, text: &str, value: &str) -> Result<Wanted, String> {
    let folded = |test: TextTest| Ok(Wanted::Text(test, fold(value)));
    match (kind, operator) {
        (Kind::String, Operator::Equal) => folded(TextTest::Same),
        (Kind::String, Operator::Greater) => folded(TextTest::Greater),
        (Kind::String, Operator::Less) => folded(TextTest::Less),
        (Kind::String, Operator::GreaterOrEqual) => folded(TextTest::GreaterOrEqual),
        (Kind::String, Operator::LessOrEqual) => folded(TextTest::LessOrEqual),
        (Kind::String | Kind::Uri, Operator::Contains) => Ok(Wanted::Contains(fold(value))),
        (Kind::String | Kind::Uri, Operator::StartsWith) => folded(TextTest::Begins),
        (Kind::String | Kind::Uri, Operator::EndsWith) => folded(TextTest::Ends),
        (Kind::Date | Kind::Number, Operator::Contains) => {
            Ok(Wanted::parse(kind, &format!("eq{text}"))?.around())
        }
        // A date is about another one if they overlap.
        (Kind::Date, Operator::Overlaps) => Wanted::parse(kind, &format!("ap{text}")),
        (Kind::Date | Kind::Number | Kind::Quantity, operator) if operator.is_prefix() => {
            Wanted::parse(kind, &format!("{}{text}", operator.code()))
        }
        (Kind::Token | Kind::Reference | Kind::Uri | Kind::Special, Operator::Equal) => {
            Wanted::parse(kind, text)
        }
        _ => Err(not_for(operator, kind)),
    }
}

fn not_for(operator: Operator, kind: Kind) -> String {
    format!("`{}` compares no {}", operator.code(), kind.code())
}

/// The value as it stands in a parameter of its own. Some code systems have short names.
fn escaped(kind: Kind, value: &str) -> String {
    let named = value.split_once('|').filter(|_| kind == Kind::Token).and_then(|(name, code)| {
        let known = SYSTEMS.iter().find(|(short, _)| name.eq_ignore_ascii_case(short))?;
        Some(format!("{}|{code}", known.1))
    });
    let mut text = String::with_capacity(value.len());
    for letter in named.as_deref().unwrap_or(value).chars() {
        if matches!(letter, '\\' | ',') || (letter == '$' && kind != Kind::Composite) {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}`: write `true` or `false`"))
}

/// The words of each alternative of a full-text search.
fn words(values: &[String]) -> Result<Vec<Vec<String>>, String> {
    let words = |value: &String| -> Vec<String> {
        fold(&unescape(value)).split_whitespace().map(str::to_owned).collect()
    };
    let alternatives: Vec<Vec<String>> = values.iter().map(words).collect();
    if alternatives.iter().any(Vec::is_empty) {
        return Err("write the words to look for".to_owned());
    }
    Ok(alternatives)
}

/// Reads the value sets of `code:in`.
fn sets(values: &[String], terms: &Terms<'_>) -> Result<Vec<Wanted>, String> {
    values.iter().map(|value| terms.set(&unescape(value)).map(Wanted::In)).collect()
}

/// Reads `system|code` of `code:below` and `code:above`.
fn related(
    value: &str,
    members: impl Fn(&str, &str) -> Result<Members, String>,
) -> Result<Wanted, String> {
    match Wanted::parse(Kind::Token, value)? {
        Wanted::Token { system: Some(system), code: Some(code) } if !system.is_empty() => {
            members(&system, &code).map(Wanted::In)
        }
        _ => Err(format!("`{value}`: write the code with its system, as in `system|code`")),
    }
}

/// Reads `part$part` for each alternative.
fn composites(parameter: &Parameter, values: &[String]) -> Result<Vec<Vec<Wanted>>, String> {
    let alternative = |value: &String| {
        let texts = split(value, '$');
        if texts.len() != parameter.parts.len() {
            let count = parameter.parts.len();
            return Err(format!("`{value}`: write {count} values with `$` between them"));
        }
        let parts = parameter.parts.iter().zip(&texts);
        parts.map(|(part, text)| Wanted::parse(part.kind, text)).collect()
    };
    values.iter().map(alternative).collect()
}

/// Reads `subject:Patient=123`.
fn typed_references(name: &str, values: &[String]) -> Result<Vec<Wanted>, String> {
    let Some(resource_type) = ResourceType::parse(name) else {
        return Err(unknown_modifier(Kind::Reference, name));
    };
    let wanted = |value: &String| match Wanted::parse(Kind::Reference, value)? {
        Wanted::Reference(WantedReference::Id(id)) => {
            Ok(Wanted::Reference(WantedReference::Local(Target { resource_type, id })))
        }
        other => Ok(other),
    };
    values.iter().map(wanted).collect()
}

fn unknown_modifier(kind: Kind, modifier: &str) -> String {
    let known = match kind {
        Kind::Token => {
            "`:not`, `:text`, `:in`, `:not-in`, `:above`, `:below`, `:of-type` and `:missing`"
        }
        Kind::String => "`:exact`, `:contains` and `:missing`",
        Kind::Uri => "`:below`, `:above` and `:missing`",
        Kind::Reference => "a type such as `:Patient`, `:identifier` and `:missing`",
        _ => "only `:missing`",
    };
    format!("`:{modifier}` is not done here; there is {known}")
}

const OPERATORS: [(&str, Operator); 19] = [
    ("eq", Operator::Equal),
    ("ne", Operator::NotEqual),
    ("co", Operator::Contains),
    ("sw", Operator::StartsWith),
    ("ew", Operator::EndsWith),
    ("gt", Operator::Greater),
    ("lt", Operator::Less),
    ("ge", Operator::GreaterOrEqual),
    ("le", Operator::LessOrEqual),
    ("ap", Operator::About),
    ("sa", Operator::StartsAfter),
    ("eb", Operator::EndsBefore),
    ("pr", Operator::Present),
    ("po", Operator::Overlaps),
    ("ss", Operator::Subsumes),
    ("sb", Operator::SubsumedBy),
    ("in", Operator::In),
    ("ni", Operator::NotIn),
    ("re", Operator::Refers),
];

/// The code systems that `_filter` may name in short.
const SYSTEMS: [(&str, &str); 4] = [
    ("loinc", systems::LOINC),
    ("snomed", systems::SNOMED),
    ("rxnorm", systems::RXNORM),
    ("ucum", systems::UCUM),
];

/// The parameters that look at the words of the whole resource, and of nothing else.
const READ_WHOLE: [&str; 2] = ["_text", "_content"];

/// Whether the text of a concept, or the display of one of its codings, contains these words.
fn code_text_contains(node: &Value, words: &str) -> bool {
    let codings = node["coding"].as_array().into_iter().flatten();
    let displays = codings.map(|coding| &coding["display"]);
    let texts = displays.chain([&node["text"], &node["display"], node]).filter_map(Value::as_str);
    texts.into_iter().any(|text| fold(text).contains(words))
}
