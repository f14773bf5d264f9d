//! What US Core asks of a server, and what a node does of it: every requirement is tried with
//! resources that have what the profiles ask for. The values searched for are taken out of the
//! resources by the paths of the requirements, and not by the search that is tried.
//!
//! The page `docs/conformance.md` is written by these tests (`UPDATE_DOCS=1`), a part each, and
//! compared with it otherwise.

use std::{fs, path::PathBuf, thread, time::Duration};

use serde_json::Value;

use crate::node::Node;

/// The requirements; the head of the file says whence.
const REQUIREMENTS: &str = include_str!("conformance/us_core.tsv");

/// Invented resources, a line each: the profile it is for, and its JSON. `-`: what they refer to.
const RESOURCES: &str = include_str!("conformance/us_core.ndjson");

/// A profile, what it asks for, and our resources of it.
struct Profile {
    name: &'static str,
    kind: &'static str,
    rows: Vec<Vec<&'static str>>,
    resources: Vec<Value>,
}

/// How many requirements were met of how many, and those that were not.
#[derive(Default)]
pub struct Tally {
    shall: (usize, usize),
    should: (usize, usize),
    unmet: Vec<String>,
}

struct World {
    node: Node,
    system: String,
    staff: String,
}

#[test]
fn us_core() {
    let world = World::open();
    let mut table = String::new();
    let mut unmet = String::new();
    let mut all = Tally::default();
    for profile in profiles() {
        let tally = world.judge(&profile);
        table.push_str(&tally.row(&format!("{} ({})", profile.name, profile.kind)));
        for line in &tally.unmet {
            unmet.push_str(&format!("| {} | {line} |\n", profile.name));
        }
        all.add(tally);
    }
    table.push_str(&all.row("all"));
    println!("{table}\n{unmet}");
    check_page(
        "us-core",
        &format!(
            "| profile | SHALL | SHOULD | met |\n|---|---|---|---|\n{table}\n\
             Not met:\n\n| profile | asked for | what happens |\n|---|---|---|\n{unmet}"
        ),
    );
}

/// Compares a part of the page, between its marks, with what is true; or writes it.
pub fn check_page(part: &str, expected: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- end of {part} -->"));
    let (before, rest) = page.split_once(&begin).expect("the page has the marks of the part");
    let (written, after) = rest.split_once(&end).expect("the part has an end");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
    }
    assert_eq!(written, expected, "renew it with UPDATE_DOCS=1");
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        for (own, other) in [(&mut self.shall, other.shall), (&mut self.should, other.should)] {
            own.0 += other.0;
            own.1 += other.1;
        }
    }

    pub fn count(&mut self, expectation: &str, what: &str, result: Result<(), String>) {
        let place = if expectation == "SHALL" { &mut self.shall } else { &mut self.should };
        place.1 += 1;
        match result {
            Ok(()) => place.0 += 1,
            Err(why) => self.unmet.push(format!("{expectation} {what} | {why}")),
        }
    }

    pub fn row(&self, name: &str) -> String {
        let of = |(met, asked): (usize, usize)| format!("{met} of {asked}");
        let (met, asked) = (self.shall.0 + self.should.0, self.shall.1 + self.should.1);
        let percent = (met * 1_000 / asked.max(1)) as f64 / 10.0;
        format!("| {name} | {} | {} | {percent} % |\n", of(self.shall), of(self.should))
    }
}

impl World {
    /// A node that holds our resources, and who may do what at it.
    fn open() -> Self {
        let node = Node::start();
        let (system, staff) =
            (node.token(&["--system", "ehr"]), node.token(&["--staff", "dr.test"]));
        let world = Self { node, system, staff };
        for line in RESOURCES.lines() {
            let (_, text) = line.split_once('\t').unwrap();
            let resource: Value = serde_json::from_str(text).unwrap();
            let path = format!("/fhir/{}", name_of(&resource));
            let reply = world.node.send("PUT", &path, Some(&world.system), &[], text.as_bytes());
            assert_eq!(reply.status, 201, "{path}: {}", reply.body);
        }
        while world.get("Patient/us-patient").is_err() {
            thread::sleep(Duration::from_millis(50));
        }
        world
    }

    fn judge(&self, profile: &Profile) -> Tally {
        let mut tally = Tally::default();
        let returned = self.returned(profile);
        for row in &profile.rows {
            let (expectation, what, rest) = (row[0], row[1], &row[2..]);
            let result = match what {
                "interaction" => self.interaction(profile, rest[0]),
                "search" => self.search(profile, rest[0]),
                "comparator" => self.comparator(profile, rest[0], rest[1]),
                "multiple-or" => self.multiple_or(profile, rest[0]),
                "chain" => self.chain(profile, rest[0]),
                "include" => self.include(profile, rest[0]),
                "revinclude" => self.reverse_include(profile, rest[0]),
                "element" => profile.has_element(&returned, rest),
                "extension" => profile.has_extension(&returned, rest[0], rest[1]),
                "slice" => profile.has_slice(&returned, rest),
                _ => continue,
            };
            let shown = match what {
                "slice" => &rest[..2],
                _ => rest,
            };
            tally.count(expectation, &format!("{what} `{}`", shown.join(" ")), result);
        }
        tally
    }

    /// The resources of the profile as searches give them.
    fn returned(&self, profile: &Profile) -> Vec<Value> {
        let ids: Vec<&str> = profile.resources.iter().map(id_of).collect();
        let url = format!("{}?{}&_count=200", profile.kind, profile.base());
        let bundle = self.get(&url).unwrap_or_default();
        let resources = resources(&bundle, "match").into_iter();
        resources.filter(|one| ids.contains(&id_of(one))).cloned().collect()
    }

    fn interaction(&self, profile: &Profile, code: &str) -> Result<(), String> {
        let resource = &profile.resources[0];
        let name = name_of(resource);
        match code {
            "read" => self.get(&name).and_then(|found| same(&found["id"], &resource["id"])),
            "vread" => self
                .get(&format!("{name}/_history/1"))
                .and_then(|found| same(&found["id"], &resource["id"])),
            "history-instance" => self
                .get(&format!("{name}/_history"))
                .and_then(|found| same(&found["total"], &Value::from(1))),
            "search-type" => {
                let url = format!("{}?{}&_count=200", profile.kind, profile.base());
                finds(&self.get(&url)?, resource)
            }
            "create" => {
                let mut fresh = resource.clone();
                fresh.as_object_mut().unwrap().remove("id");
                let (path, body) = (format!("/fhir/{}", profile.kind), fresh.to_string());
                let reply = self.node.send("POST", &path, Some(&self.system), &[], body.as_bytes());
                match reply.status {
                    201 => Ok(()),
                    status => Err(format!("{status}: {}", words(&reply.body))),
                }
            }
            other => Err(format!("nobody here knows what `{other}` is")),
        }
    }

    /// The combination finds a resource that has all of it, by every way of writing the values, by
    /// GET and by POST; with a value that nobody has it finds nothing.
    fn search(&self, profile: &Profile, names: &str) -> Result<(), String> {
        let names: Vec<&str> = names.split('+').collect();
        let (resource, values) = profile.with_all(&names)?;
        let ways = values.iter().map(Vec::len).max().unwrap_or(0);
        for way in 0..ways {
            let pairs = names.iter().zip(&values);
            let pairs = pairs.map(|(name, ways)| (*name, ways[way.min(ways.len() - 1)].as_str()));
            let query = query(&pairs.collect::<Vec<_>>());
            finds(&self.get(&format!("{}?{query}", profile.kind))?, resource)?;
            finds(&self.post(profile.kind, &query)?, resource)?;
        }
        let last = names[names.len() - 1];
        let Some(nobody) = profile.nobodys(last) else { return Ok(()) };
        let pairs = names.iter().zip(&values).map(|(name, ways)| match *name == last {
            true => (*name, nobody),
            false => (*name, ways[0].as_str()),
        });
        let query = query(&pairs.collect::<Vec<_>>());
        same(&self.get(&format!("{}?{query}", profile.kind))?["total"], &Value::from(0))
    }

    /// Finds by a time before or after, and not by one on the other side.
    fn comparator(&self, profile: &Profile, name: &str, prefix: &str) -> Result<(), String> {
        let (resource, values) = profile.with_all(&[name])?;
        let own = values[0][0].trim_start_matches(|letter: char| letter.is_ascii_lowercase());
        let day = &own[..10];
        let (within, outside) = match prefix {
            "gt" => (vec!["1900-01-01"], "2100-01-01"),
            "lt" => (vec!["2100-01-01"], "1900-01-01"),
            "ge" => (vec!["1900-01-01", day], "2100-01-01"),
            "le" => (vec!["2100-01-01", "2024-12-31"], "1900-01-01"),
            _ => return Err(format!("nobody here knows what `{prefix}` is")),
        };
        let url = |day: &str| format!("{}?{}&{name}={prefix}{day}", profile.kind, profile.base());
        for day in within {
            finds(&self.get(&url(day))?, resource)?;
        }
        match finds(&self.get(&url(outside))?, resource) {
            Ok(()) => Err("found by a time on the other side".to_owned()),
            Err(_) => Ok(()),
        }
    }

    fn multiple_or(&self, profile: &Profile, name: &str) -> Result<(), String> {
        let (resource, values) = profile.with_all(&[name])?;
        let nobody = profile.nobodys(name).unwrap_or("nobody");
        let both = query(&[(name, &format!("{nobody},{}", values[0][0]))]).replace("%2C", ",");
        finds(&self.get(&format!("{}?{}&{both}", profile.kind, profile.base()))?, resource)
    }

    fn chain(&self, profile: &Profile, name: &str) -> Result<(), String> {
        let value = if name.ends_with("identifier") { "1122334459" } else { "Haddad" };
        finds(&self.get(&format!("{}?{name}={value}", profile.kind))?, &profile.resources[0])?;
        let none = self.get(&format!("{}?{name}=nobody", profile.kind))?;
        same(&none["total"], &Value::from(0))
    }

    fn include(&self, profile: &Profile, include: &str) -> Result<(), String> {
        let (path, to) = include.split_once(':').unwrap();
        let to = to.split(':').next_back().unwrap();
        let to = format!("{}{}", to[..1].to_uppercase(), &to[1..]);
        let url = format!("{path}?{}&_count=200&_include={include}", profile.base());
        brings(&self.get(&url)?, &to)
    }

    fn reverse_include(&self, profile: &Profile, include: &str) -> Result<(), String> {
        let by = match profile.base() {
            base if base.is_empty() => format!("_id={}", id_of(&profile.resources[0])),
            base => base,
        };
        let url = format!("{}?{by}&_count=200&_revinclude={include}", profile.kind);
        brings(&self.get(&url)?, include.split(':').next().unwrap())
    }

    fn get(&self, url: &str) -> Result<Value, String> {
        self.send("GET", url, b"")
    }

    fn post(&self, kind: &str, query: &str) -> Result<Value, String> {
        self.send("POST", &format!("{kind}/_search"), query.as_bytes())
    }

    fn send(&self, method: &str, url: &str, body: &[u8]) -> Result<Value, String> {
        let headers =
            [("x-purpose-of-use", "TREAT"), ("content-type", "application/x-www-form-urlencoded")];
        let path = format!("/fhir/{url}");
        let reply = self.node.send(method, &path, Some(&self.staff), &headers, body);
        match reply.status {
            200 => Ok(serde_json::from_str(&reply.body).unwrap()),
            status => Err(format!("{status}: {}", words(&reply.body))),
        }
    }
}

impl Profile {
    /// What a search for its resources begins with: their patient, if they have one.
    fn base(&self) -> String {
        match self.kind {
            "Patient" => "_id=us-patient".to_owned(),
            "Location" | "Organization" | "Practitioner" | "PractitionerRole" => String::new(),
            _ => "patient=us-patient".to_owned(),
        }
    }

    /// A resource that has values for all the parameters, and for each the ways to write one.
    fn with_all(&self, names: &[&str]) -> Result<(&Value, Vec<Vec<String>>), String> {
        let with = self.resources.iter().find_map(|resource| {
            let values: Vec<Vec<String>> =
                names.iter().map(|name| self.values(resource, name)).collect();
            values.iter().all(|ways| !ways.is_empty()).then_some((resource, values))
        });
        with.ok_or_else(|| "no resource here has all of it".to_owned())
    }

    /// The ways to write the first value that a resource has for a parameter.
    fn values(&self, resource: &Value, name: &str) -> Vec<String> {
        if name == "_lastUpdated" {
            return vec!["gt2020-01-01".to_owned()];
        }
        let Some((kind, paths)) = self.parameter(name) else { return Vec::new() };
        let found = paths.split(" | ").flat_map(|path| nodes(resource, path)).next();
        found.map(|node| written(node, kind)).unwrap_or_default()
    }

    fn parameter(&self, name: &str) -> Option<(&'static str, &'static str)> {
        let mut rows = self.rows.iter().filter(|row| row[1] == "parameter");
        rows.find(|row| row[2] == name).map(|row| (row[3], row[4]))
    }

    /// A value that no resource has.
    fn nobodys(&self, name: &str) -> Option<&'static str> {
        match (name, self.parameter(name)?.0) {
            ("patient", _) => None,
            ("_id", _) if self.kind == "Patient" => None,
            (_, "date" | "dateTime" | "instant" | "Period") => Some("lt1850-01-01"),
            (_, "Reference") => Some("Location/nobody"),
            _ => Some("nobody"),
        }
    }

    fn has_element(&self, returned: &[Value], row: &[&str]) -> Result<(), String> {
        let found = returned.iter().flat_map(|resource| self.elements(resource, row[0]));
        let fits = |node: &Value| row.get(1).is_none_or(|fixed| text_of(node) == *fixed);
        match found.into_iter().any(fits) {
            true => Ok(()),
            false => Err("no resource comes back with it".to_owned()),
        }
    }

    fn has_extension(&self, returned: &[Value], path: &str, url: &str) -> Result<(), String> {
        let extensions = returned.iter().flat_map(|resource| nodes(resource, path));
        match extensions.into_iter().any(|one| one["url"] == url) {
            true => Ok(()),
            false => Err("no resource comes back with it".to_owned()),
        }
    }

    fn has_slice(&self, returned: &[Value], row: &[&str]) -> Result<(), String> {
        let found = returned.iter().any(|resource| match row[2] {
            "type" => !nodes(resource, &row[0].replace("[x]", row[4])).is_empty(),
            _ => nodes(resource, row[0]).into_iter().any(|node| in_slice(node, &row[2..])),
        });
        if found { Ok(()) } else { Err("no resource comes back with it".to_owned()) }
    }

    /// The nodes of a path that may name slices, as in `component:systolic.code`.
    fn elements<'v>(&self, resource: &'v Value, path: &str) -> Vec<&'v Value> {
        let mut found = vec![resource];
        let mut place = String::new();
        for step in path.split('.') {
            let (name, slice) = step.split_once(':').unwrap_or((step, ""));
            place = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
            found = found.into_iter().flat_map(|node| nodes(node, name)).collect();
            let mut slices = self.rows.iter().filter(|row| row[1] == "slice");
            let known = slices.find(|row| row[2] == place && row[3] == slice);
            if let Some(row) = known.filter(|row| row[4] != "type") {
                found.retain(|node| in_slice(node, &row[4..]));
            }
        }
        found
    }
}

/// The requirements by profile, each with its resources.
fn profiles() -> Vec<Profile> {
    let mut profiles: Vec<Profile> = Vec::new();
    for line in REQUIREMENTS.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&'static str> = line.split('\t').collect();
        match (columns[0], profiles.last_mut()) {
            ("=", _) => profiles.push(Profile {
                name: columns[1],
                kind: columns[2],
                rows: Vec::new(),
                resources: resources_of(columns[1]),
            }),
            (_, Some(profile)) => profile.rows.push(columns),
            _ => panic!("a row without a profile: {line}"),
        }
    }
    assert_eq!(profiles.len(), 50);
    profiles
}

fn resources_of(profile: &str) -> Vec<Value> {
    let lines = RESOURCES.lines().filter_map(|line| line.split_once('\t'));
    let own = lines.filter(|(name, _)| *name == profile);
    let own: Vec<Value> = own.map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
    assert!(!own.is_empty(), "{profile} has no resource");
    own
}

/// The nodes at a path: members and items of lists, choices of a type, one kind of extension.
fn nodes<'v>(from: &'v Value, path: &str) -> Vec<&'v Value> {
    if let Some(rest) = path.strip_prefix("extension.where(url='") {
        let (url, _) = rest.split_once('\'').unwrap();
        let of_url = items(&from["extension"]).iter().filter(|one| one["url"] == url);
        let members = of_url.flat_map(|one| one.as_object().unwrap());
        return members.filter(|(name, _)| name.starts_with("value")).map(|(_, one)| one).collect();
    }
    let mut found = vec![from];
    for name in path.split('.') {
        found = found.into_iter().flat_map(|node| members(node, name)).collect();
    }
    found
}

fn members<'v>(node: &'v Value, name: &str) -> Vec<&'v Value> {
    let name = name.trim_end_matches("[x]");
    let is_it = |key: &str| {
        let rest = key.trim_start_matches('_').strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.as_bytes()[0].is_ascii_uppercase())
    };
    let members = node.as_object().into_iter().flatten().filter(|(key, _)| is_it(key));
    members.flat_map(|(_, member)| items(member)).collect()
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// Whether a node is of a slice: by a code, or by the system of an identifier.
fn in_slice(node: &Value, row: &[&str]) -> bool {
    let (how, inner, values) = (row[0], row[1], row[2]);
    let inside = if inner.is_empty() { vec![node] } else { nodes(node, inner) };
    let names = |node: &&Value| match how {
        "identifier" => values.trim_end_matches('|') == text_of(&node["system"]),
        _ => {
            let codings = if node["coding"].is_array() { &node["coding"] } else { *node };
            let mut codes = items(codings).iter().map(token);
            codes.any(|code| values.split(' ').any(|value| value == code))
        }
    };
    inside.iter().any(names)
}

/// The ways in which a search may write a value: a code with and without its system.
fn written(node: &Value, kind: &str) -> Vec<String> {
    let coded = |node: &Value| {
        let code = token(node);
        let bare = code.split_once('|').map(|(_, code)| code.to_owned());
        [Some(code), bare].into_iter().flatten().collect()
    };
    match kind {
        "CodeableConcept" => coded(&node["coding"][0]),
        "Coding" | "Identifier" => coded(node),
        "Reference" => {
            let reference = text_of(&node["reference"]);
            let id = reference.split('/').next_back().unwrap().to_owned();
            vec![reference, id]
        }
        "HumanName" => vec![text_of(&node["family"]), text_of(&node["given"][0])],
        "Address" => vec![text_of(&node["city"]), text_of(&node["postalCode"])],
        _ if node.is_object() => vec![format!("ge{}", text_of(&node["start"]))],
        _ => vec![text_of(node)],
    }
}

fn token(coding: &Value) -> String {
    let code = coding["code"].as_str().or(coding["value"].as_str()).unwrap_or_default();
    format!("{}|{code}", text_of(&coding["system"]))
}

fn text_of(value: &Value) -> String {
    value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string())
}

fn name_of(resource: &Value) -> String {
    format!("{}/{}", text_of(&resource["resourceType"]), id_of(resource))
}

fn id_of(resource: &Value) -> &str {
    resource["id"].as_str().unwrap()
}

fn query(pairs: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| {
        let letter = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                (byte as char).to_string()
            }
            _ => format!("%{byte:02X}"),
        };
        format!("{name}={}", value.bytes().map(letter).collect::<String>())
    };
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn resources<'v>(bundle: &'v Value, mode: &str) -> Vec<&'v Value> {
    let entries = items(&bundle["entry"]).iter();
    let of_mode = entries.filter(|entry| entry["search"]["mode"] == mode);
    of_mode.map(|entry| &entry["resource"]).collect()
}

fn finds(bundle: &Value, resource: &Value) -> Result<(), String> {
    match resources(bundle, "match").into_iter().any(|one| one["id"] == resource["id"]) {
        true => Ok(()),
        false => Err(format!("{} is not found", name_of(resource))),
    }
}

fn brings(bundle: &Value, kind: &str) -> Result<(), String> {
    match resources(bundle, "include").into_iter().any(|one| one["resourceType"] == kind) {
        true => Ok(()),
        false => Err(format!("no {kind} comes along")),
    }
}

fn same(found: &Value, expected: &Value) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found} instead of {expected}")) }
}

/// What an OperationOutcome says.
fn words(body: &str) -> String {
    let outcome: Value = serde_json::from_str(body).unwrap_or_default();
    text_of(&outcome["issue"][0]["diagnostics"])
}
