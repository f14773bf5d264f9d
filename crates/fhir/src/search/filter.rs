//! One condition of a search: a parameter, how it is to be read, and the values it may have.

use serde_json::Value;

use super::parameters::{Kind, Parameter};
use super::query::Candidate;
use super::terms::{Members, Terms};
use super::text::{all_text, fold, narrative, words_start_with};
use super::value::{Wanted, WantedReference, split, unescape};
use crate::links::Links;
use crate::reference::Target;
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
                Test::Text(values.iter().map(|value| fold(&unescape(value))).collect())
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
                Test::Any(values.iter().map(|value| Wanted::Exact(unescape(value))).collect())
            }
            (Kind::String, Some("contains")) => {
                let contains = |value: &String| Wanted::Contains(fold(&unescape(value)));
                Test::Any(values.iter().map(contains).collect())
            }
            (Kind::Uri, Some("below")) => {
                Test::Any(values.iter().map(|value| Wanted::UriBelow(unescape(value))).collect())
            }
            (Kind::Uri, Some("above")) => {
                Test::Any(values.iter().map(|value| Wanted::UriAbove(unescape(value))).collect())
            }
            (Kind::Reference, Some("identifier")) => Test::Identifier(wanted(Kind::Token)?),
            (Kind::Reference, Some(name)) => Test::Any(typed_references(name, &values)?),
            (kind, Some(modifier)) => return Err(unknown_modifier(kind, modifier)),
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
        let any =
            |wanted: &[Wanted]| nodes.iter().any(|node| wanted.iter().any(|one| one.matches(node)));
        match &self.test {
            Test::Missing(is_missing) => nodes.is_empty() == *is_missing,
            Test::Any(wanted) => any(wanted),
            Test::Not(wanted) => !any(wanted),
            Test::Text(words) => {
                nodes.iter().any(|node| words.iter().any(|words| code_text_contains(node, words)))
            }
            // Texts are no nodes: see `speaks`.
            Test::Words(_) => false,
            Test::Identifier(wanted) => {
                let identifiers = nodes.iter().map(|node| &node["identifier"]);
                identifiers
                    .filter(|one| one.is_object())
                    .any(|one| wanted.iter().any(|wanted| wanted.matches(one)))
            }
            Test::Composite(alternatives) => nodes.iter().any(|node| {
                alternatives.iter().any(|wanted| self.parts_match(candidate, node, wanted))
            }),
        }
    }

    fn parts_match(&self, candidate: &Candidate<'_>, node: &Value, wanted: &[Wanted]) -> bool {
        let resource = candidate.resource.value();
        self.parameter.parts.iter().zip(wanted).all(|(part, wanted)| {
            let found = part.program.select_from(resource, node, &Links::none());
            found.iter().any(|node| wanted.matches(node))
        })
    }
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

/// The parameters that look at the words of the whole resource, and of nothing else.
const READ_WHOLE: [&str; 2] = ["_text", "_content"];

/// Whether the text of a concept, or the display of one of its codings, contains these words.
fn code_text_contains(node: &Value, words: &str) -> bool {
    let codings = node["coding"].as_array().into_iter().flatten();
    let displays = codings.map(|coding| &coding["display"]);
    let texts = displays.chain([&node["text"], &node["display"], node]).filter_map(Value::as_str);
    texts.into_iter().any(|text| fold(text).contains(words))
}
