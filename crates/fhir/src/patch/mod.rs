//! FHIRPath Patch: a `Parameters` with the operations add, insert, delete, replace and move
//! ([FHIR R4](http://hl7.org/fhir/R4/fhirpatch.html)).
//!
//! # Layout
//!
//! - [`path`]: where something is to change
//!
//! The operations are done one after the other on the parsed view; what they do not touch keeps its
//! digits and its order. Whether an element is a list, and how a choice is called in JSON, is asked
//! of the structure: the standard's patches say neither.

mod path;

use serde_json::{Map, Value};

use crate::issue::IssueCode;
use crate::json::items;
use crate::limits::{Limits, PATCH_OPERATIONS_MAX};
use crate::resource::Resource;
use crate::search::{is_choice, typed_member};
use crate::validate::structure;
use path::{Path, Place, Step, at, at_mut};

/// Why a patch is not done: it is none, or does not fit the resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(String);

/// The resource with the operations of a `Parameters` done, in their order; all or none.
///
/// # Errors
/// [`Unfit`] if it is no such patch, or one of its places is not there, or is not only one.
pub fn patched(resource: &Value, parameters: &Value) -> Result<Value, Unfit> {
    if parameters["resourceType"] != "Parameters" {
        return Err(Unfit("a FHIRPath Patch is a `Parameters`".to_owned()));
    }
    let operations = items(&parameters["parameter"]);
    if operations.len() > PATCH_OPERATIONS_MAX {
        return Err(Unfit(format!("more than {PATCH_OPERATIONS_MAX} operations: send several")));
    }
    let mut patched = resource.clone();
    for (place, operation) in operations.iter().enumerate() {
        let before = issues(&patched);
        let done = Operation::read(operation).and_then(|one| one.apply(&mut patched));
        done.map_err(|Unfit(why)| Unfit(format!("operation {}: {why}", place + 1)))?;
        into_lists(&mut patched, &before);
    }
    Ok(patched)
}

/// One operation, as it is sent.
struct Operation<'p> {
    parts: &'p [Value],
    kind: &'p str,
    path: Path,
}

/// A value, and its type if the parameter says one: `valueCode` says `Code`.
struct Given {
    of_type: Option<String>,
    value: Value,
}

impl<'p> Operation<'p> {
    fn read(parameter: &'p Value) -> Result<Self, Unfit> {
        if parameter["name"] != "operation" {
            return Err(Unfit("a parameter is called `operation`".to_owned()));
        }
        let parts = items(&parameter["part"]);
        let text = |name: &'static str| {
            let part = parts.iter().find(|part| part["name"] == name);
            let text =
                part.and_then(|part| part["valueCode"].as_str().or(part["valueString"].as_str()));
            text.ok_or_else(|| Unfit(format!("it has no `{name}`")))
        };
        Ok(Self { parts, kind: text("type")?, path: Path::parse(text("path")?)? })
    }

    fn apply(&self, resource: &mut Value) -> Result<(), Unfit> {
        match self.kind {
            "add" => self.add(resource),
            "insert" => self.insert(resource),
            "delete" => self.delete(resource),
            "replace" => self.replace(resource),
            "move" => self.shift(resource),
            other => Err(Unfit(format!(
                "`{other}` is none: there are `add`, `insert`, `delete`, `replace` and `move`"
            ))),
        }
    }

    /// A new element, or a new item at the end of a list.
    fn add(&self, resource: &mut Value) -> Result<(), Unfit> {
        let place = self.one_place(resource)?;
        let name = self.part("name").and_then(|part| part["valueString"].as_str());
        let name = name.ok_or_else(|| Unfit("it has no `name`".to_owned()))?;
        let given = self.given()?;
        self.put(resource, &place, name, given)
    }

    /// Puts an element where there is none, or at the end of a list.
    fn put(
        &self,
        resource: &mut Value,
        place: &Place,
        name: &str,
        given: Given,
    ) -> Result<(), Unfit> {
        let typed = given.of_type.filter(|_| is_choice(name)).map(|kind| typed_member(name, &kind));
        for member in [Some(name.to_owned()), typed].into_iter().flatten() {
            let parent = at_mut(resource, place).and_then(Value::as_object_mut);
            let parent = parent.ok_or_else(|| Unfit("its place has no elements".to_owned()))?;
            lone(parent, &member)?;
            match parent.get_mut(&member) {
                Some(Value::Array(items)) => {
                    items.push(given.value);
                    return Ok(());
                }
                Some(_) => return Err(Unfit(format!("`{name}` is there already: replace it"))),
                None => drop(parent.insert(member.clone(), given.value.clone())),
            }
            let put = [&place[..], &[Step::Member(member)]].concat();
            let is_unknown = |(at, words): &Issue| *at == put && words.contains(UNKNOWN);
            if !issues(resource).iter().any(is_unknown) {
                return Ok(());
            }
            take(resource, &put)?;
        }
        Err(Unfit(format!("R4 has no element `{name}` there")))
    }

    /// A new item of a list, at an index.
    fn insert(&self, resource: &mut Value) -> Result<(), Unfit> {
        let index = self.number("index")?;
        let value = self.given()?.value;
        let list = self.list(resource)?;
        if index > list.len() {
            return Err(Unfit(format!("the list has {} items", list.len())));
        }
        list.insert(index, value);
        Ok(())
    }

    /// Takes one element away; that it is not there already is no error.
    fn delete(&self, resource: &mut Value) -> Result<(), Unfit> {
        match &self.path.places(resource)[..] {
            [] => Ok(()),
            [place] => take(resource, place).map(drop),
            places => Err(several(places)),
        }
    }

    /// Another value at the same place; a choice may change its type.
    fn replace(&self, resource: &mut Value) -> Result<(), Unfit> {
        let place = self.one_place(resource)?;
        let given = self.given()?;
        match (place.split_last(), self.path.element()) {
            (None, _) => Err(Unfit("a resource is not replaced by a patch: update it".to_owned())),
            (Some((Step::Member(member), above)), Some(name))
                if given
                    .of_type
                    .as_ref()
                    .is_some_and(|kind| *member != name && *member != typed_member(name, kind)) =>
            {
                take(resource, &place)?;
                self.put(resource, &above.to_vec(), name, given)
            }
            (Some((last, above)), _) => {
                match last {
                    Step::Item(_) => lone_list(resource, above)?,
                    // What extended the plain value goes with it.
                    Step::Member(member) => {
                        let parent = at_mut(resource, above).and_then(Value::as_object_mut);
                        parent.and_then(|parent| parent.shift_remove(&format!("_{member}")));
                    }
                }
                if let Some(value) = at_mut(resource, &place) {
                    *value = given.value;
                }
                Ok(())
            }
        }
    }

    /// One item of a list to another index of it.
    fn shift(&self, resource: &mut Value) -> Result<(), Unfit> {
        let (source, destination) = (self.number("source")?, self.number("destination")?);
        let list = self.list(resource)?;
        if source.max(destination) >= list.len() {
            return Err(Unfit(format!("the list has {} items", list.len())));
        }
        let item = list.remove(source);
        list.insert(destination, item);
        Ok(())
    }

    /// The list to which the path leads.
    fn list<'v>(&self, resource: &'v mut Value) -> Result<&'v mut Vec<Value>, Unfit> {
        let places = self.path.places(resource);
        let Some((Step::Item(_), list)) = places.first().and_then(|place| place.split_last())
        else {
            return Err(Unfit("its path leads to no list that is there".to_owned()));
        };
        if !places.iter().all(|place| place.starts_with(list) && place.len() == list.len() + 1) {
            return Err(Unfit("its path leads to several lists".to_owned()));
        }
        lone_list(resource, list)?;
        let list = at_mut(resource, list).and_then(Value::as_array_mut);
        list.ok_or_else(|| Unfit("its path leads to no list".to_owned()))
    }

    fn one_place(&self, resource: &Value) -> Result<Place, Unfit> {
        match &self.path.places(resource)[..] {
            [] => Err(Unfit("its path leads to nothing".to_owned())),
            [place] => Ok(place.clone()),
            places => Err(several(places)),
        }
    }

    fn part(&self, name: &str) -> Option<&'p Value> {
        self.parts.iter().find(|part| part["name"] == name)
    }

    fn number(&self, name: &str) -> Result<usize, Unfit> {
        let number = self.part(name).and_then(|part| part["valueInteger"].as_u64());
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| Unfit(format!("`{name}` is a number from 0")))
    }

    fn given(&self) -> Result<Given, Unfit> {
        let part = self.part("value").ok_or_else(|| Unfit("it has no `value`".to_owned()))?;
        given(part)
    }
}

/// The value of a part: of a data type, or an element made of further parts.
fn given(part: &Value) -> Result<Given, Unfit> {
    let members = part.as_object().into_iter().flatten();
    let mut typed = members.filter_map(|(name, value)| Some((name.strip_prefix("value")?, value)));
    if let Some((kind, value)) = typed.next() {
        return Ok(Given { of_type: Some(kind.to_owned()), value: value.clone() });
    }
    let parts = items(&part["part"]);
    if parts.is_empty() {
        return Err(Unfit("a `value` is empty".to_owned()));
    }
    let mut element = Map::new();
    for part in parts {
        let name = part["name"].as_str().unwrap_or_default();
        let value = given(part)?.value;
        match element.get_mut(name) {
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => drop(element.insert(name.to_owned(), value)),
        }
    }
    Ok(Given { of_type: None, value: Value::Object(element) })
}

/// What is wrong with the structure of a resource: where, and in words.
type Issue = (Place, String);

/// Puts what stands alone into a list where the structure wants one: what was right before stays.
fn into_lists(resource: &mut Value, before: &[Issue]) {
    // What is within a new list is looked at in the next round.
    for _ in 0..Limits::STANDARD.depth_max {
        let new = issues(resource).into_iter().filter(|issue| !before.contains(issue));
        let alone: Vec<Place> =
            new.filter(|(_, words)| words.contains(NO_LIST)).map(|(place, _)| place).collect();
        if alone.is_empty() {
            break;
        }
        for place in alone {
            if let Some(value) = at_mut(resource, &place) {
                *value = Value::Array(vec![value.take()]);
            }
        }
    }
}

fn issues(resource: &Value) -> Vec<Issue> {
    let parsed = Resource::parse(resource.to_string().into_bytes());
    let Ok(parsed) = parsed else { return Vec::new() };
    let issues = structure(&parsed).into_iter();
    let issues = issues.filter(|issue| issue.code == IssueCode::Structure);
    issues.map(|issue| (place_of(&issue.expression), issue.diagnostics)).collect()
}

/// The place of an issue: `Patient.contact[0].telecom`.
fn place_of(expression: &str) -> Place {
    let mut place = Place::new();
    for part in expression.split('.').skip(1) {
        let mut words = part.split(['[', ']']).filter(|word| !word.is_empty());
        place.extend(words.next().map(|name| Step::Member(name.to_owned())));
        place.extend(words.filter_map(|index| index.parse().ok()).map(Step::Item));
    }
    place
}

/// A list of plain values may have another beside it with what extends them (`_given`): to change
/// one alone would put the extensions to other values.
fn lone(parent: &Map<String, Value>, member: &str) -> Result<(), Unfit> {
    match parent.get(&format!("_{member}")) {
        Some(Value::Array(_)) => Err(Unfit(format!(
            "the values of `{member}` have extensions in `_{member}`: send a JSON Patch for both"
        ))),
        _ => Ok(()),
    }
}

/// Takes what is at a place away, and a list that is left empty.
fn take(resource: &mut Value, place: &[Step]) -> Result<Value, Unfit> {
    let Some((last, above)) = place.split_last() else {
        return Err(Unfit("a resource is not deleted by a patch".to_owned()));
    };
    lone_list(resource, above)?;
    let taken = match (at_mut(resource, above), last) {
        (Some(Value::Object(members)), Step::Member(name)) => {
            // What extends a plain value goes with it.
            members.shift_remove(&format!("_{name}"));
            members.shift_remove(name)
        }
        (Some(Value::Array(items)), Step::Item(index)) => Some(items.remove(*index)),
        _ => None,
    };
    if at(resource, above).is_some_and(|left| left.as_array().is_some_and(Vec::is_empty)) {
        take(resource, above)?;
    }
    taken.ok_or_else(|| Unfit("its path leads to nothing".to_owned()))
}

/// The same for a list that is at a place.
fn lone_list(resource: &Value, list: &[Step]) -> Result<(), Unfit> {
    let Some((Step::Member(name), above)) = list.split_last() else { return Ok(()) };
    let is_list = at(resource, list).is_some_and(Value::is_array);
    let parent = at(resource, above).and_then(Value::as_object).filter(|_| is_list);
    parent.map_or(Ok(()), |parent| lone(parent, name))
}

fn several(places: &[Place]) -> Unfit {
    Unfit(format!("its path leads to {} places: name one", places.len()))
}

const NO_LIST: &str = "expected an array";
const UNKNOWN: &str = "unknown element";
