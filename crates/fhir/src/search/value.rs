//! One value of a search parameter, and whether a node of a resource has it.

use serde_json::Value;

use super::decimal::Decimal;
use super::near::Near;
use super::parameters::Kind;
use super::program::scalar_text;
use super::terms::Members;
use super::text::{fold, words_start_with};
use crate::date::Moments;
use crate::reference::{Reference, Target};

/// A value that is searched for, read once.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    Token {
        system: Option<String>,
        code: Option<String>,
    },
    /// Folded text at the beginning of a word of the node.
    Start(String),
    /// Folded text anywhere in the node.
    Contains(String),
    /// The text as it is.
    Exact(String),
    /// Folded text compared with the whole of the node's.
    Text(TextTest, String),
    /// A place on the globe.
    Near(Near),
    Date {
        prefix: Prefix,
        moments: Moments,
    },
    Number {
        prefix: Prefix,
        number: Decimal,
    },
    Quantity {
        prefix: Prefix,
        number: Decimal,
        system: Option<String>,
        code: Option<String>,
    },
    Reference(WantedReference),
    /// An identifier by its type.
    OfType {
        system: String,
        code: String,
        value: String,
    },
    /// A code of a set.
    In(Members),
    Uri(String),
    UriBelow(String),
    UriAbove(String),
}

/// How a text is compared with another, both folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextTest {
    Same,
    Begins,
    Ends,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

/// How a number or date is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
    About,
    /// What the resource says includes the wanted one: only in `_filter`.
    Includes,
}

/// What a reference is searched by.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum WantedReference {
    /// An id of whatever type.
    Id(String),
    /// A type and an id.
    Local(Target),
    /// A URL, or a canonical with or without version.
    Url(String),
}

impl Wanted {
    /// Reads a value of this kind, escapes still in it. `Err`: what to write instead.
    pub(super) fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        sought(text)?;
        match kind {
            Kind::Token => Ok(Self::token(text)),
            Kind::String => Ok(Self::Start(fold(&unescape(text)))),
            Kind::Uri => Ok(Self::Uri(unescape(text))),
            Kind::Date => {
                let (prefix, date) = Prefix::split(text);
                let moments = Moments::parse(date).map_err(|error| format!("`{text}`: {error}"))?;
                Ok(Self::Date { prefix, moments })
            }
            Kind::Number => {
                let (prefix, number) = Prefix::split(text);
                Ok(Self::Number { prefix, number: decimal(number)? })
            }
            Kind::Quantity => Self::quantity(text),
            Kind::Reference => Self::reference(text),
            // The one special parameter that has values.
            Kind::Special => Near::parse(text).map(Self::Near),
            Kind::Composite => Err("a composite has several values".to_owned()),
        }
    }

    /// The same number or time, looked for in what the resource's own one includes.
    pub(super) fn around(self) -> Self {
        let prefix = Prefix::Includes;
        match self {
            Self::Date { moments, .. } => Self::Date { prefix, moments },
            Self::Number { number, .. } => Self::Number { prefix, number },
            other => other,
        }
    }

    fn token(text: &str) -> Self {
        let parts = split(text, '|');
        let part = |text: &String| Some(unescape(text)).filter(|text| !text.is_empty());
        match parts.as_slice() {
            [code] => Self::Token { system: None, code: part(code) },
            [system, rest @ ..] => {
                // `|code`: a code without any system, which is not the same as any system.
                let code = rest.join("|");
                Self::Token { system: Some(unescape(system)), code: part(&code) }
            }
            [] => Self::Token { system: None, code: None },
        }
    }

    /// Reads `type-system|type-code|value` of `identifier:of-type`.
    pub(super) fn of_type(text: &str) -> Result<Self, String> {
        let parts: Vec<String> = split(text, '|').iter().map(|part| unescape(part)).collect();
        match &parts[..] {
            [system, code, value] if parts.iter().all(|part| !part.is_empty()) => {
                Ok(Self::OfType {
                    system: system.clone(),
                    code: code.clone(),
                    value: value.clone(),
                })
            }
            _ => {
                Err(format!("`{text}`: write the type's system, its code and the value, with `|`"))
            }
        }
    }

    fn quantity(text: &str) -> Result<Self, String> {
        let (prefix, rest) = Prefix::split(text);
        let mut parts = split(rest, '|').into_iter();
        let number = decimal(&parts.next().unwrap_or_default())?;
        let mut part = || parts.next().map(|text| unescape(&text)).filter(|text| !text.is_empty());
        Ok(Self::Quantity { prefix, number, system: part(), code: part() })
    }

    fn reference(text: &str) -> Result<Self, String> {
        let text = unescape(text);
        if crate::resource::is_id(&text) {
            return Ok(Self::Reference(WantedReference::Id(text)));
        }
        match Reference::parse(&text) {
            Some(Reference::Local(target)) => Ok(Self::Reference(WantedReference::Local(target))),
            Some(Reference::Remote { .. } | Reference::Urn(_) | Reference::Other(_)) => {
                Ok(Self::Reference(WantedReference::Url(text)))
            }
            _ => Err(format!("`{text}` is no reference: write `123`, `Patient/123` or a URL")),
        }
    }

    /// Whether the node has this value, in a resource of the server at this base.
    pub(super) fn matches(&self, node: &Value, base: &str) -> bool {
        match self {
            Self::Token { system, code } => token_matches(node, system.as_deref(), code.as_deref()),
            Self::OfType { system, code, value } => {
                let is_type = token_matches(&node["type"], Some(system), Some(code));
                is_type && node["value"].as_str() == Some(value)
            }
            Self::In(members) => codes(node).any(|(system, code)| members.contains(system, code)),
            Self::Start(text) => texts(node).any(|one| words_start_with(&fold(one), text)),
            Self::Contains(text) => texts(node).any(|one| fold(one).contains(text)),
            Self::Exact(text) => texts(node).any(|one| one == text),
            Self::Text(test, text) => texts(node).any(|one| test.holds(&fold(one), text)),
            Self::Near(near) => near.has(node),
            Self::Date { prefix, moments } => {
                dates(node).iter().any(|date| prefix.date_matches(*moments, *date))
            }
            Self::Number { prefix, number } => {
                let own = scalar_text(node).and_then(|text| Decimal::parse(&text));
                own.is_some_and(|own| prefix.number_matches(*number, own))
            }
            Self::Quantity { prefix, number, system, code } => {
                quantity_matches(node, *prefix, *number, system.as_deref(), code.as_deref())
            }
            Self::Reference(wanted) => wanted.matches(node, base),
            Self::Uri(uri) => node == uri.as_str(),
            Self::UriBelow(uri) => node.as_str().is_some_and(|one| is_below(one, uri)),
            Self::UriAbove(uri) => node.as_str().is_some_and(|one| is_below(uri, one)),
        }
    }
}

impl TextTest {
    fn holds(self, own: &str, wanted: &str) -> bool {
        match self {
            Self::Same => own == wanted,
            Self::Begins => own.starts_with(wanted),
            Self::Ends => own.ends_with(wanted),
            Self::Greater => own > wanted,
            Self::Less => own < wanted,
            Self::GreaterOrEqual => own >= wanted,
            Self::LessOrEqual => own <= wanted,
        }
    }
}

impl Prefix {
    fn split(text: &str) -> (Self, &str) {
        let prefix = text.get(..2).and_then(|code| PREFIXES.iter().find(|row| row.0 == code));
        prefix.map_or((Self::Equal, text), |row| (row.1, &text[2..]))
    }

    /// R4, 3.1.1.4.6: ranges are compared, the wanted one (`searched`) and the resource's.
    fn date_matches(self, searched: Moments, own: Moments) -> bool {
        match self {
            Self::Equal => searched.contain(own),
            Self::NotEqual => !searched.contain(own),
            Self::Greater => own.end_us > searched.end_us,
            Self::Less => own.start_us < searched.start_us,
            Self::GreaterOrEqual => own.end_us > searched.end_us || searched.contain(own),
            Self::LessOrEqual => own.start_us < searched.start_us || searched.contain(own),
            Self::StartsAfter => own.start_us >= searched.end_us,
            Self::EndsBefore => own.end_us <= searched.start_us,
            Self::About => searched.overlap(own),
            Self::Includes => own.contain(searched),
        }
    }

    fn number_matches(self, searched: Decimal, own: Decimal) -> bool {
        let within = |(low, high): (Decimal, Decimal)| low <= own && own < high;
        match self {
            Self::Equal => within(searched.precision()),
            Self::NotEqual => !within(searched.precision()),
            Self::Greater | Self::StartsAfter => own > searched,
            Self::Less | Self::EndsBefore => own < searched,
            Self::GreaterOrEqual => own >= searched,
            Self::LessOrEqual => own <= searched,
            Self::About => {
                let (low, high) = searched.tenth_around();
                low <= own && own <= high
            }
            Self::Includes => {
                let (low, high) = own.precision();
                low <= searched && searched < high
            }
        }
    }
}

impl WantedReference {
    fn matches(&self, node: &Value, base: &str) -> bool {
        // A canonical or a resource may stand where a reference is meant.
        let Some(text) = node["reference"].as_str().or(node.as_str()) else { return false };
        let own = match Reference::parse(text).map(|own| own.at(base)) {
            Some(Reference::Local(own)) => Some(own),
            _ => None,
        };
        match self {
            Self::Id(id) => own.is_some_and(|own| own.id == *id),
            Self::Local(target) => own.is_some_and(|own| own == *target),
            Self::Url(url) => {
                let is_same =
                    text == url || text.split_once('|').is_some_and(|(own, _)| own == url);
                is_same || own.is_some_and(|own| is_at(url, base, &own))
            }
        }
    }
}

/// Whether an absolute reference names this resource of the server at this base.
fn is_at(url: &str, base: &str, own: &Target) -> bool {
    // Nothing else is read: this is asked of every reference.
    !base.is_empty()
        && url.starts_with(base)
        && Reference::parse(url).map(|named| named.at(base)) == Some(Reference::Local(own.clone()))
}

fn token_matches(node: &Value, system: Option<&str>, code: Option<&str>) -> bool {
    if let Some(codings) = node["coding"].as_array() {
        return codings.iter().any(|coding| token_matches(coding, system, code));
    }
    if !node.is_object() {
        // A code has its system in the definition, not in the data: `system|code` cannot be told
        // from `code`.
        let own = scalar_text(node);
        return code.is_some_and(|code| own.is_some_and(|own| own.eq_ignore_ascii_case(code)));
    }
    let own_system = node["system"].as_str();
    let is_system = match system {
        None => true,
        Some("") => own_system.is_none(),
        Some(system) => own_system == Some(system),
    };
    let own_code = node["code"].as_str().or(node["value"].as_str());
    let is_code =
        code.is_none_or(|code| own_code.is_some_and(|own| own.eq_ignore_ascii_case(code)));
    is_system && is_code
}

/// The codes of a concept, a Coding, an Identifier or a code.
fn codes(node: &Value) -> impl Iterator<Item = (Option<&str>, &str)> {
    let codings = match node["coding"].as_array() {
        Some(codings) => codings.as_slice(),
        None => std::slice::from_ref(node),
    };
    codings.iter().filter_map(|coding| match coding.as_str() {
        Some(code) => Some((None, code)),
        // A coding that names no system belongs to none.
        None => Some((coding["system"].as_str().or(Some("")), coding["code"].as_str()?)),
    })
}

fn quantity_matches(
    node: &Value,
    prefix: Prefix,
    number: Decimal,
    system: Option<&str>,
    code: Option<&str>,
) -> bool {
    let own = |name: &str| node[name].as_str();
    let is_unit = match (system, code) {
        (Some(system), code) => {
            own("system") == Some(system) && (code.is_none() || own("code") == code)
        }
        (None, Some(code)) => own("code") == Some(code) || own("unit") == Some(code),
        (None, None) => true,
    };
    let value = |node: &Value| scalar_text(node).and_then(|text| Decimal::parse(&text));
    let is_value = match value(&node["value"]) {
        Some(own) => prefix.number_matches(number, own),
        // A Range matches if one of its ends does.
        None => ["low", "high"].iter().any(|end| {
            value(&node[*end]["value"]).is_some_and(|own| prefix.number_matches(number, own))
        }),
    };
    is_unit && is_value
}

/// The texts of a string, a HumanName, an Address or a concept.
fn texts(node: &Value) -> impl Iterator<Item = &str> {
    let members = node.as_object().into_iter().flatten();
    let named = members.filter(|(name, _)| TEXT_MEMBERS.contains(&name.as_str()));
    let texts = named.flat_map(|(_, member)| match member {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    });
    texts.chain(std::iter::once(node)).filter_map(Value::as_str)
}

/// The times of a date, a Period or a Timing.
pub(super) fn dates(node: &Value) -> Vec<Moments> {
    let moments = |node: &Value| node.as_str().and_then(|text| Moments::parse(text).ok());
    if node.is_string() {
        return moments(node).into_iter().collect();
    }
    let (start, end) = (moments(&node["start"]), moments(&node["end"]));
    if start.is_some() || end.is_some() {
        return vec![Moments::between(start, end)];
    }
    let events = node["event"].as_array().into_iter().flatten().filter_map(moments);
    let bounds = &node["repeat"]["boundsPeriod"];
    events.chain(if bounds.is_object() { dates(bounds) } else { Vec::new() }).collect()
}

/// Whether a URI is another or lies below it, at a boundary of its path.
fn is_below(uri: &str, above: &str) -> bool {
    let rest = uri.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || above.ends_with('/') || rest.starts_with('/'))
}

fn decimal(text: &str) -> Result<Decimal, String> {
    Decimal::parse(text).ok_or_else(|| format!("`{text}` is no number: write it as in `5.4`"))
}

/// The text to look for, folded and without escapes. Nothing, or nothing but space, would be found
/// in every text.
pub(super) fn sought(text: &str) -> Result<String, String> {
    match fold(&unescape(text)) {
        folded if folded.is_empty() => {
            Err("the value is empty: leave the parameter out or give one".to_owned())
        }
        folded => Ok(folded),
    }
}

/// Splits at a separator that no backslash stands before.
pub(super) fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_escaped = false;
    for letter in text.chars() {
        if letter == separator && !is_escaped {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    parts
}

/// Takes the backslashes out that stand before `\`, `,`, `|` and `$`.
pub(super) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letters.peek() {
            Some('\\' | ',' | '|' | '$') if letter == '\\' => plain.extend(letters.next()),
            _ => plain.push(letter),
        }
    }
    plain
}

const PREFIXES: [(&str, Prefix); 9] = [
    ("eq", Prefix::Equal),
    ("ne", Prefix::NotEqual),
    ("gt", Prefix::Greater),
    ("lt", Prefix::Less),
    ("ge", Prefix::GreaterOrEqual),
    ("le", Prefix::LessOrEqual),
    ("sa", Prefix::StartsAfter),
    ("eb", Prefix::EndsBefore),
    ("ap", Prefix::About),
];

/// Members that hold the searchable texts of HumanName, Address, CodeableConcept and Annotation.
const TEXT_MEMBERS: [&str; 11] = [
    "family",
    "given",
    "prefix",
    "suffix",
    "text",
    "line",
    "city",
    "district",
    "state",
    "country",
    "postalCode",
];
