//! What codes mean together: value sets, and codes above and below others.
//!
//! No terminology comes with the server: what counts are the ValueSet and CodeSystem resources that
//! a caller hands in. A set that cannot be told from them is an error, never a guess: a search by
//! half a value set would find half of what was asked for. See [FHIR R4, value set
//! composition](http://hl7.org/fhir/R4/valueset.html#compositions).

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::json::items;
use crate::limits::{TERMS_DEPTH_MAX, TERMS_PARTS_MAX};
use crate::resource::Resource;

/// The value sets and code systems that are known, by URL.
#[derive(Clone, Debug, Default)]
pub struct Terms<'a> {
    sets: HashMap<String, &'a Value>,
    systems: HashMap<String, &'a Value>,
}

/// Codes that belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Members {
    included: Vec<Part>,
    excluded: Vec<Part>,
}

/// Codes of one system that also belong to all of some other sets.
#[derive(Clone, Debug, Default, PartialEq)]
struct Part {
    /// None: of any system.
    system: Option<String>,
    /// None: all of the system.
    codes: Option<BTreeSet<String>>,
    sets: Vec<Members>,
}

impl<'a> Terms<'a> {
    /// None at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Those among these resources. Of several with one URL the last counts; a version can be asked
    /// for as in `url|version`, a set also as `ValueSet/id`.
    pub fn of(resources: impl IntoIterator<Item = &'a Resource>) -> Self {
        let mut terms = Self::default();
        for resource in resources {
            let value = resource.value();
            let table = match resource.type_name() {
                "ValueSet" => &mut terms.sets,
                "CodeSystem" => &mut terms.systems,
                _ => continue,
            };
            if let Some(url) = value["url"].as_str() {
                table.insert(url.to_owned(), value);
                if let Some(version) = value["version"].as_str() {
                    table.insert(format!("{url}|{version}"), value);
                }
            }
            if let Some(id) = resource.id() {
                table.insert(format!("{}/{id}", resource.type_name()), value);
            }
        }
        terms
    }

    /// The codes of a value set. `Err`: why they cannot be told.
    pub(super) fn set(&self, url: &str) -> Result<Members, String> {
        Reading { terms: self, parts: 0 }.set(url, 0)
    }

    /// A code and all below it.
    pub(super) fn below(&self, system: &str, code: &str) -> Result<Members, String> {
        Ok(Members::of(system, self.hierarchy(system)?.reach(code, |edge| (edge.0, edge.1))))
    }

    /// A code and all above it.
    pub(super) fn above(&self, system: &str, code: &str) -> Result<Members, String> {
        Ok(Members::of(system, self.hierarchy(system)?.reach(code, |edge| (edge.1, edge.0))))
    }

    fn hierarchy(&self, system: &str) -> Result<Hierarchy<'a>, String> {
        let held = self.systems.get(system).ok_or_else(|| {
            format!("the code system `{system}` is not held here: deliver it as a CodeSystem")
        })?;
        if held["content"] != "complete" {
            return Err(format!("the code system `{system}` is held here in part only"));
        }
        let mut edges = Vec::new();
        collect(&held["concept"], None, &mut edges);
        Ok(Hierarchy { edges })
    }
}

/// Which code stands directly above which.
struct Hierarchy<'a> {
    edges: Vec<(&'a str, &'a str)>,
}

impl<'a> Hierarchy<'a> {
    /// The code and whatever can be reached from it; `way` says from where an edge leads to where.
    fn reach(
        &self,
        code: &str,
        way: impl Fn(&(&'a str, &'a str)) -> (&'a str, &'a str),
    ) -> BTreeSet<String> {
        let mut next: HashMap<&str, Vec<&str>> = HashMap::new();
        for (from, to) in self.edges.iter().map(way) {
            next.entry(from).or_default().push(to);
        }
        let mut found = BTreeSet::from([code.to_owned()]);
        let mut waiting = vec![code];
        while let Some(code) = waiting.pop() {
            for to in next.get(code).into_iter().flatten() {
                if found.insert((*to).to_owned()) {
                    waiting.push(to);
                }
            }
        }
        found
    }
}

/// Concepts lie within each other, or name each other by the properties `parent` and `child`.
fn collect<'a>(concepts: &'a Value, above: Option<&'a str>, edges: &mut Vec<(&'a str, &'a str)>) {
    for concept in items(concepts) {
        let Some(code) = concept["code"].as_str() else { continue };
        edges.extend(above.map(|above| (above, code)));
        for property in items(&concept["property"]) {
            let Some(other) = property["valueCode"].as_str() else { continue };
            match property["code"].as_str() {
                Some("parent") => edges.push((other, code)),
                Some("child") => edges.push((code, other)),
                _ => {}
            }
        }
        collect(&concept["concept"], Some(code), edges);
    }
}

/// One look at a value set, with what it may cost.
struct Reading<'t, 'a> {
    terms: &'t Terms<'a>,
    parts: usize,
}

impl Reading<'_, '_> {
    fn set(&mut self, url: &str, depth: usize) -> Result<Members, String> {
        let set = self.terms.sets.get(url).ok_or_else(|| {
            format!("the value set `{url}` is not held here: deliver it as a ValueSet")
        })?;
        if depth > TERMS_DEPTH_MAX {
            return Err(format!("the value set `{url}` is made of sets within sets without end"));
        }
        if set["expansion"]["contains"].is_array() {
            return expansion(&set["expansion"]).ok_or_else(|| {
                format!("the value set `{url}` is held with a part of its expansion only")
            });
        }
        let compose = &set["compose"];
        let included = self.parts_of(url, &compose["include"], depth)?;
        let excluded = self.parts_of(url, &compose["exclude"], depth)?;
        if included.is_empty() {
            return Err(format!("the value set `{url}` is held without its content"));
        }
        Ok(Members { included, excluded })
    }

    fn parts_of(&mut self, url: &str, parts: &Value, depth: usize) -> Result<Vec<Part>, String> {
        items(parts).iter().map(|part| self.part(url, part, depth)).collect()
    }

    fn part(&mut self, url: &str, part: &Value, depth: usize) -> Result<Part, String> {
        self.parts += 1;
        if self.parts > TERMS_PARTS_MAX {
            return Err(format!("the value set `{url}` has more than {TERMS_PARTS_MAX} parts"));
        }
        let system = part["system"].as_str().map(str::to_owned);
        let mut codes: Option<BTreeSet<String>> = part["concept"].as_array().map(|listed| {
            listed.iter().filter_map(|one| one["code"].as_str()).map(str::to_owned).collect()
        });
        for filter in items(&part["filter"]) {
            let chosen = self.chosen(url, system.as_deref().unwrap_or_default(), filter)?;
            codes = Some(match codes {
                Some(codes) => codes.intersection(&chosen).cloned().collect(),
                None => chosen,
            });
        }
        let sets = items(&part["valueSet"]).iter().filter_map(Value::as_str);
        let sets = sets.map(|url| self.set(url, depth + 1)).collect::<Result<_, _>>()?;
        Ok(Part { system, codes, sets })
    }

    /// The codes that a filter chooses: by what stands above them, and by nothing else.
    fn chosen(&self, url: &str, system: &str, filter: &Value) -> Result<BTreeSet<String>, String> {
        let text = |name: &str| filter[name].as_str().unwrap_or_default();
        let (property, op, value) = (text("property"), text("op"), text("value"));
        let with_itself = match (property, op) {
            ("concept", "is-a") => true,
            ("concept", "descendent-of") => false,
            _ => {
                return Err(format!(
                    "the value set `{url}` chooses by `{property} {op}`, which is not done here: \
                     deliver it with its expansion"
                ));
            }
        };
        let mut codes = self.terms.hierarchy(system)?.reach(value, |edge| (edge.0, edge.1));
        if !with_itself {
            codes.remove(value);
        }
        Ok(codes)
    }
}

impl Members {
    fn of(system: &str, codes: BTreeSet<String>) -> Self {
        let part = Part { system: Some(system.to_owned()), codes: Some(codes), ..Part::default() };
        Self { included: vec![part], excluded: Vec::new() }
    }

    /// Whether a code is one of them. A `code` element says no system: its definition does.
    pub(super) fn contains(&self, system: Option<&str>, code: &str) -> bool {
        let any = |parts: &[Part]| parts.iter().any(|part| part.contains(system, code));
        any(&self.included) && !any(&self.excluded)
    }
}

impl Part {
    fn contains(&self, system: Option<&str>, code: &str) -> bool {
        let is_system = match (&self.system, system) {
            (Some(own), Some(system)) => own == system,
            // Without a list any code of whatever system would do.
            (Some(_), None) => self.codes.is_some(),
            (None, _) => true,
        };
        is_system
            && self.codes.as_ref().is_none_or(|codes| codes.contains(code))
            && self.sets.iter().all(|set| set.contains(system, code))
    }
}

/// The codes of an expansion; none if it is a page of a longer one.
fn expansion(expansion: &Value) -> Option<Members> {
    let mut included = Vec::new();
    let mut waiting: Vec<&Value> = items(&expansion["contains"]).iter().collect();
    let mut count = 0;
    while let Some(entry) = waiting.pop() {
        count += 1;
        waiting.extend(items(&entry["contains"]));
        if let (Some(code), true) = (entry["code"].as_str(), entry["abstract"] != true) {
            add(&mut included, entry["system"].as_str(), code);
        }
    }
    let is_whole = expansion["total"].as_u64().is_none_or(|total| total <= count);
    is_whole.then_some(Members { included, excluded: Vec::new() })
}

fn add(parts: &mut Vec<Part>, system: Option<&str>, code: &str) {
    let place = parts.iter().position(|part| part.system.as_deref() == system);
    let place = place.unwrap_or_else(|| {
        parts.push(Part { system: system.map(str::to_owned), ..Part::default() });
        parts.len() - 1
    });
    parts[place].codes.get_or_insert_default().insert(code.to_owned());
}
