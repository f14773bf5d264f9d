//! The table of search parameters: what the standard defines, compiled.

use std::sync::LazyLock;

use super::expression::compile;
use super::program::Program;
use crate::types::ResourceType;

/// A search parameter of one type.
#[derive(Debug)]
pub struct Parameter {
    /// The name in the URL, as in `clinical-status`.
    pub name: &'static str,
    /// How values are compared.
    pub kind: Kind,
    /// Where its values are, in the standard's words. Empty for those that read the whole text.
    pub expression: &'static str,
    /// Where its values are, compiled.
    pub program: Program,
    /// The parts of a composite, selected from each node of `program`.
    pub parts: Vec<Part>,
    /// The types that a reference leads to; empty: every type.
    pub targets: Vec<ResourceType>,
}

/// One part of a composite parameter.
#[derive(Debug)]
pub struct Part {
    /// How its values are compared.
    pub kind: Kind,
    /// Where they are, from the composite's node.
    pub program: Program,
}

/// How the values of a parameter are compared (value set `search-param-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers with the precision they are written with.
    Number,
    /// Ranges of time.
    Date,
    /// Beginnings of words, without case and accents.
    String,
    /// Codes and identifiers.
    Token,
    /// References to resources.
    Reference,
    /// Several values of one node at once.
    Composite,
    /// Numbers with units.
    Quantity,
    /// URIs.
    Uri,
    /// With rules of its own: there is `near` of a Location.
    Special,
}

impl Kind {
    /// The code of the value set.
    pub fn code(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Date => "date",
            Self::String => "string",
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Composite => "composite",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
            Self::Special => "special",
        }
    }

    fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    const ALL: [Self; 9] = [
        Self::Number,
        Self::Date,
        Self::String,
        Self::Token,
        Self::Reference,
        Self::Composite,
        Self::Quantity,
        Self::Uri,
        Self::Special,
    ];
}

/// The parameters of a type, its own and those of every resource. `None`: of every resource only.
pub fn parameters(resource_type: Option<ResourceType>) -> impl Iterator<Item = &'static Parameter> {
    let own = resource_type.map_or(&[][..], |known| &TABLE.by_type[known.index()]);
    own.iter().chain(&TABLE.of_all)
}

/// The parameter of this name.
pub fn parameter(resource_type: Option<ResourceType>, name: &str) -> Option<&'static Parameter> {
    parameters(resource_type).find(|parameter| parameter.name == name)
}

struct Table {
    by_type: Vec<Vec<Parameter>>,
    of_all: Vec<Parameter>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let by_type = ResourceType::all().map(|_| Vec::new()).collect();
    let mut table = Table { by_type, of_all: Vec::new() };
    // What is of no type is of no use.
    let of_types = lines().filter(|line| !line.starts_with('-'));
    for (base, parameter) in of_types.filter_map(row) {
        let list = match ResourceType::parse(base) {
            Some(resource_type) => &mut table.by_type[resource_type.index()],
            None => &mut table.of_all,
        };
        // Two definitions say the same of `Condition.subject` and of `_id`.
        if list.iter().all(|known| known.name != parameter.name) {
            list.push(parameter);
        }
    }
    table
});

fn lines() -> impl Iterator<Item = &'static str> {
    include_str!("parameters.tsv").lines().filter(|line| !line.starts_with('#'))
}

/// Reads one line. `None`: one of the few that the standard defines without saying where their
/// values are, or for no type; the tests name them.
fn row(line: &'static str) -> Option<(&'static str, Parameter)> {
    let mut columns = line.split('\t');
    let (base, name) = (columns.next()?, columns.next()?);
    let kind = Kind::parse(columns.next()?)?;
    let expression = columns.next().unwrap_or_default();
    let program = match name {
        "_text" | "_content" => Program::Select(Vec::new()),
        _ => compile(expression).ok()?,
    };
    let column = columns.next().unwrap_or_default();
    let targets = match kind {
        Kind::Reference => column.split(';').filter_map(ResourceType::parse).collect(),
        _ => Vec::new(),
    };
    Some((base, Parameter { name, kind, expression, program, parts: parts(column), targets }))
}

fn parts(column: &str) -> Vec<Part> {
    let part = |text: &str| {
        let (kind, expression) = text.split_once(':')?;
        Some(Part { kind: Kind::parse(kind)?, program: compile(expression).ok()? })
    };
    column.split(';').filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_says_where_values_are_compiles() {
        let broken = lines().filter(|line| row(line).is_none());
        let broken: Vec<String> = broken
            .map(|line| line.split('\t').take(2).collect::<Vec<_>>().join("."))
            .filter(|name| !name.starts_with("-."))
            .collect();
        let expected = [
            "Patient.age",
            "Patient.birthOrderBoolean",
            "Patient.part-agree",
            "Resource._filter",
            "Resource._query",
        ];
        assert_eq!(broken, expected);
    }

    #[test]
    fn every_composite_has_its_parts() {
        for line in lines().filter(|line| line.contains("\tcomposite\t")) {
            let (base, parameter) = row(line).unwrap();
            let written = line.split('\t').nth(4).unwrap().split(';').count();
            assert_eq!(parameter.parts.len(), written, "{base} {}", parameter.name);
            assert!(written >= 2, "{base} {}", parameter.name);
        }
    }

    #[test]
    fn the_table_is_whole() {
        assert_eq!(lines().count(), 1_737);
        assert!(ResourceType::all().all(|one| parameter(Some(one), "_id").is_some()));
    }
}
