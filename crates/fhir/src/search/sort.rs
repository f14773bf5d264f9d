//! The order of a search's matches.

use std::cmp::Ordering;

use serde_json::Value;

use super::decimal::Decimal;
use super::parameters::{Kind, Parameter};
use super::program::scalar_text;
use super::query::Candidate;
use super::text::fold;
use super::value::dates;

/// One rule of an order: a parameter, and which way.
#[derive(Clone, Debug)]
pub(super) struct SortRule {
    parameter: &'static Parameter,
    is_descending: bool,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SortKey {
    Time(i64),
    Number(Decimal),
    Text(String),
}

impl SortRule {
    /// `None`: values of this kind have no order.
    pub(super) fn new(parameter: &'static Parameter, is_descending: bool) -> Option<Self> {
        let has_order = !matches!(parameter.kind, Kind::Composite | Kind::Special);
        has_order.then_some(Self { parameter, is_descending })
    }

    /// The resource's key: of several values the one that comes first.
    pub(super) fn key(&self, candidate: &Candidate<'_>) -> Option<SortKey> {
        match self.parameter.name {
            "_id" => Some(SortKey::Text(candidate.id.to_owned())),
            "_lastUpdated" => self.first(&[&Value::from(candidate.last_updated?)]),
            _ => self.first(&self.parameter.program.select(candidate.resource.value())),
        }
    }

    /// What has no value comes last, whichever way.
    pub(super) fn order(&self, left: &Option<SortKey>, right: &Option<SortKey>) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) if self.is_descending => right.cmp(left),
            (Some(left), Some(right)) => left.cmp(right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }

    fn first(&self, nodes: &[&Value]) -> Option<SortKey> {
        let keys = nodes.iter().flat_map(|node| self.keys(node));
        if self.is_descending { keys.max() } else { keys.min() }
    }

    fn keys(&self, node: &Value) -> Vec<SortKey> {
        match self.parameter.kind {
            Kind::Date if self.is_descending => {
                dates(node).into_iter().map(|range| SortKey::Time(range.end_us)).collect()
            }
            Kind::Date => {
                dates(node).into_iter().map(|range| SortKey::Time(range.start_us)).collect()
            }
            Kind::Number => number(node).into_iter().collect(),
            Kind::Quantity => number(&node["value"]).into_iter().collect(),
            _ => text(node).map(|text| SortKey::Text(fold(text))).into_iter().collect(),
        }
    }
}

fn number(node: &Value) -> Option<SortKey> {
    Decimal::parse(&scalar_text(node)?).map(SortKey::Number)
}

/// What a person would sort a name, a concept, an identifier or a reference by.
fn text(node: &Value) -> Option<&str> {
    if let Some(text) = node.as_str() {
        return Some(text);
    }
    let display = node["coding"].as_array().and_then(|codings| codings.first());
    let display = display.map(|coding| coding["display"].as_str().or(coding["code"].as_str()));
    let named = ["family", "text", "display", "value", "reference", "code", "city"];
    let own = named.iter().find_map(|name| node[*name].as_str());
    let given = || node["given"].as_array()?.first()?.as_str();
    own.or(display.flatten()).or_else(given)
}
