//! The paths of FHIRPath Patch: where in a resource something is to change.
//!
//! Of FHIRPath these are the expressions that lead to places: members, an index, `first()`,
//! `last()`, `where(...)` with comparisons, `extension(url)` and `ofType(T)`. Anything else is an
//! error, never a guess.

use serde_json::Value;

use super::Unfit;
use crate::cursor::{Cursor, Wrong};
use crate::limits::{PATCH_PATH_BYTES_MAX, PATCH_PATH_DEPTH_MAX};
use crate::search::{is_choice_of, typed_member};

/// A step from a value to one of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Member(String),
    Item(usize),
}

/// The way from the resource to a place in it.
pub(super) type Place = Vec<Step>;

/// A path, read.
#[derive(Clone, Debug)]
pub(super) struct Path(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    /// The resource itself, if it is of this type.
    Root(String),
    /// A member, also one that carries its type in its name.
    Member(String),
    Index(usize),
    First,
    Last,
    Where(Condition),
    OfType(String),
}

#[derive(Clone, Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Equals(Path, Value),
    Differs(Path, Value),
    Exists(Path),
}

impl Path {
    /// Reads a path, as in `Patient.name.where(use = 'official').given[0]`.
    pub(super) fn parse(text: &str) -> Result<Self, Unfit> {
        if text.len() > PATCH_PATH_BYTES_MAX {
            return Err(Unfit(format!("a path has at most {PATCH_PATH_BYTES_MAX} bytes")));
        }
        let mut reader = Reader { cursor: Cursor::new(text), depth: 0 };
        let read = reader.path().and_then(|path| reader.cursor.end().map(|()| path));
        read.map_err(|wrong| Unfit(format!("the path `{text}`, {}", wrong.advice(text))))
    }

    /// The name of the element that it leads to; none if it ends with something else.
    pub(super) fn element(&self) -> Option<&str> {
        let is_choice = |part: &&Part| !matches!(part, Part::OfType(_));
        match self.0.iter().rev().find(is_choice)? {
            Part::Member(name) => Some(name),
            _ => None,
        }
    }

    /// The places in a resource to which it leads, items of lists one by one.
    pub(super) fn places(&self, resource: &Value) -> Vec<Place> {
        let mut places = vec![Place::new()];
        for part in &self.0 {
            places = part.beyond(resource, places);
        }
        places.into_iter().filter(|place| at(resource, place).is_some()).collect()
    }

    /// The values to which it leads.
    fn values<'v>(&self, from: &'v Value) -> Vec<&'v Value> {
        self.places(from).iter().filter_map(|place| at(from, place)).collect()
    }
}

impl Part {
    fn beyond(&self, resource: &Value, places: Vec<Place>) -> Vec<Place> {
        let is_kept =
            |place: &Place, part: &dyn Fn(&Value) -> bool| at(resource, place).is_some_and(part);
        match self {
            Self::Root(name) => keep(places, |place| {
                is_kept(place, &|one| one["resourceType"] == name.as_str() || name == "Resource")
            }),
            Self::Member(name) => {
                places.iter().flat_map(|place| members(resource, place, name)).collect()
            }
            Self::Index(index) => places.into_iter().nth(*index).into_iter().collect(),
            Self::First => places.into_iter().take(1).collect(),
            Self::Last => places.into_iter().next_back().into_iter().collect(),
            Self::Where(condition) => {
                keep(places, |place| is_kept(place, &|one| condition.holds(one)))
            }
            Self::OfType(kind) => keep(places, |place| {
                let typed = |name: &String| name.ends_with(&typed_member("", kind));
                matches!(place.last(), Some(Step::Member(name)) if typed(name))
            }),
        }
    }
}

impl Condition {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(value)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(value)),
            Self::Equals(path, wanted) => path.values(value).contains(&wanted),
            Self::Differs(path, wanted) => path.values(value).iter().any(|one| *one != wanted),
            Self::Exists(path) => !path.values(value).is_empty(),
        }
    }
}

fn keep(mut places: Vec<Place>, holds: impl Fn(&Place) -> bool) -> Vec<Place> {
    places.retain(holds);
    places
}

/// The places of a member, in the items of a list if it is one.
fn members(resource: &Value, place: &Place, name: &str) -> Vec<Place> {
    let Some(Value::Object(object)) = at(resource, place) else { return Vec::new() };
    let mut found = Vec::new();
    for (member, value) in object.iter().filter(|(member, _)| is_choice_of(member, name)) {
        let place = [&place[..], &[Step::Member(member.clone())]].concat();
        match value {
            Value::Array(items) => {
                let item = |index| [&place[..], &[Step::Item(index)]].concat();
                found.extend((0..items.len()).map(item));
            }
            _ => found.push(place),
        }
    }
    found
}

/// What is at a place.
pub(super) fn at<'v>(value: &'v Value, place: &[Step]) -> Option<&'v Value> {
    place.iter().try_fold(value, |value, step| match step {
        Step::Member(name) => value.get(name),
        Step::Item(index) => value.get(index),
    })
}

/// The same, to be changed.
pub(super) fn at_mut<'v>(value: &'v mut Value, place: &[Step]) -> Option<&'v mut Value> {
    place.iter().try_fold(value, |value, step| match step {
        Step::Member(name) => value.get_mut(name),
        Step::Item(index) => value.get_mut(index),
    })
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn path(&mut self) -> Result<Path, Wrong> {
        let mut parts = Vec::new();
        let first = self.name()?;
        match first {
            "$this" => {}
            _ if first.starts_with(|one: char| one.is_ascii_uppercase()) => {
                parts.push(Part::Root(first.to_owned()));
            }
            _ => parts.extend(self.part(first)?),
        }
        loop {
            if self.cursor.eat("[") {
                let digits = self.name()?;
                let index = digits.parse().map_err(|_| self.cursor.wrong("expected an index"))?;
                self.cursor.expect("]")?;
                parts.push(Part::Index(index));
            } else if self.cursor.rest().starts_with(".exists()") || !self.cursor.eat(".") {
                break;
            } else {
                let name = self.name()?;
                parts.extend(self.part(name)?);
            }
        }
        Ok(Path(parts))
    }

    /// A member, or a function with what is in its brackets.
    fn part(&mut self, name: &str) -> Result<Vec<Part>, Wrong> {
        if !self.cursor.eat("(") {
            return Ok(vec![Part::Member(name.to_owned())]);
        }
        let parts = match name {
            "first" => vec![Part::First],
            "last" => vec![Part::Last],
            "where" => vec![Part::Where(self.condition()?)],
            "ofType" | "as" => vec![Part::OfType(self.name()?.to_owned())],
            "extension" => {
                let url = Path(vec![Part::Member("url".to_owned())]);
                let is_url = Condition::Equals(url, self.literal()?);
                vec![Part::Member("extension".to_owned()), Part::Where(is_url)]
            }
            _ => return Err(self.cursor.wrong("this function is not done in a patch")),
        };
        self.cursor.expect(")")?;
        Ok(parts)
    }

    /// Comparisons with `or` between them; `and` goes first.
    fn condition(&mut self) -> Result<Condition, Wrong> {
        self.depth += 1;
        if self.depth > PATCH_PATH_DEPTH_MAX {
            return Err(self.cursor.wrong("nested too deeply"));
        }
        let mut any = vec![self.conjunction()?];
        while self.cursor.word("or") {
            any.push(self.conjunction()?);
        }
        self.depth -= 1;
        Ok(Condition::Any(any))
    }

    fn conjunction(&mut self) -> Result<Condition, Wrong> {
        let mut all = vec![self.comparison()?];
        while self.cursor.word("and") {
            all.push(self.comparison()?);
        }
        Ok(Condition::All(all))
    }

    fn comparison(&mut self) -> Result<Condition, Wrong> {
        if self.cursor.eat("(") {
            let inner = self.condition()?;
            self.cursor.expect(")")?;
            return Ok(inner);
        }
        let path = self.path()?;
        if self.cursor.eat(".exists()") {
            Ok(Condition::Exists(path))
        } else if self.cursor.eat("!=") {
            Ok(Condition::Differs(path, self.literal()?))
        } else if self.cursor.eat("=") {
            Ok(Condition::Equals(path, self.literal()?))
        } else {
            Err(self.cursor.wrong("expected `=`, `!=` or `.exists()`"))
        }
    }

    /// A text in single quotes, a number, `true` or `false`.
    fn literal(&mut self) -> Result<Value, Wrong> {
        if !self.cursor.eat("'") {
            let rest = self.cursor.rest();
            let length = rest.find([')', ' ']).unwrap_or(rest.len());
            let value = serde_json::from_str(&rest[..length]);
            let value = value.map_err(|_| self.cursor.wrong("expected a text in single quotes"))?;
            self.cursor.take(length);
            return Ok(value);
        }
        let mut text = String::new();
        let mut letters = self.cursor.ahead().char_indices();
        while let Some((place, letter)) = letters.next() {
            match letter {
                '\'' => {
                    self.cursor.take(place + 1);
                    return Ok(Value::String(text));
                }
                '\\' => text.extend(letters.next().map(|(_, letter)| letter)),
                letter => text.push(letter),
            }
        }
        Err(self.cursor.wrong("expected `'` at the end of a text"))
    }

    fn name(&mut self) -> Result<&'t str, Wrong> {
        self.cursor.name(b"_$")
    }
}
