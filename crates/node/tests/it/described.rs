//! What the node says of its answers, held against every answer that a test gets: statuses, media
//! types, and JSON by its schema. Whatever has no schema of FHIR may have no member that its schema
//! does not name.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::node::Reply;

static DESCRIBED: LazyLock<Value> = LazyLock::new(|| web::api::openapi("http://localhost"));

/// Checks an answer to a request for this path, with its query.
pub fn check(method: &str, path: &str, reply: &Reply) {
    let path = path.split('?').next().unwrap_or_default();
    let Some(route) = route(method, path) else { return };
    let item = &DESCRIBED["paths"][route.replace("{*", "{")];
    let responses = &item[method.to_ascii_lowercase()]["responses"];
    let told = || format!("{method} {path}: {} {}", reply.status, start(&reply.body));
    let described = match &responses[reply.status.to_string()] {
        Value::Null if reply.status >= 400 => &responses["default"],
        Value::Null => panic!("this status is not described: {}", told()),
        described => described,
    };
    let kind = reply.headers.get("content-type").map(|kind| kind.to_str().unwrap());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default();
    if method != "GET" && kind.is_empty() && reply.body.is_empty() {
        return; // `Prefer` may leave out what was written.
    }
    let Some(content) = described["content"].as_object() else {
        assert!(reply.body.is_empty(), "no body is described: {}", told());
        return;
    };
    let content = content.get(kind);
    let content = content.unwrap_or_else(|| panic!("`{kind}` is not described: {}", told()));
    let schema = &content["schema"];
    if schema.is_object() {
        let body: Value =
            serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", told()));
        if let Err(why) = conforms(&body, schema, "") {
            panic!("{why}, by {schema}: {}", told());
        }
    }
}

/// Whether a value has the form of a schema, in the part of JSON Schema that the description uses.
/// Schemathesis reads the same schemas with a validator of its own.
fn conforms(value: &Value, schema: &Value, place: &str) -> Result<(), String> {
    let members = schema.as_object().expect("a schema is an object");
    members.iter().try_for_each(|(keyword, said)| {
        let holds = match keyword.as_str() {
            "$ref" => {
                let name = said.as_str().unwrap().replace("#/components/schemas/", "");
                return conforms(value, &DESCRIBED["components"]["schemas"][name], place);
            }
            "properties" => return properties(value, said.as_object().unwrap(), schema, place),
            "items" => return items(value, said, place),
            "anyOf" => {
                let one = |schema: &Value| conforms(value, schema, place).is_ok();
                said.as_array().unwrap().iter().any(one)
            }
            "type" => match said.as_array() {
                Some(kinds) => kinds.iter().any(|kind| is(value, kind)),
                None => is(value, said),
            },
            "const" => value == said,
            "enum" => said.as_array().unwrap().contains(value),
            "required" => {
                let names = said.as_array().unwrap();
                names.iter().all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "minItems" => {
                value.as_array().is_none_or(|all| all.len() as u64 >= said.as_u64().unwrap())
            }
            "minLength" => {
                value.as_str().is_none_or(|text| text.len() as u64 >= said.as_u64().unwrap())
            }
            "minimum" => value.is_null() || value.as_u64() >= said.as_u64(),
            "pattern" => {
                let said = said.as_str().unwrap();
                let digits =
                    said.strip_prefix("^[0-9a-f]{").and_then(|rest| rest.strip_suffix("}$"));
                let digits = digits.and_then(|digits| digits.parse().ok());
                let digits: usize = digits.expect("no pattern of another kind is used");
                let is_digit = |byte: u8| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase();
                value.as_str().is_none_or(|text| text.len() == digits && text.bytes().all(is_digit))
            }
            "additionalProperties" | "description" | "format" => true,
            keyword => panic!("`{keyword}` is not looked at: teach this function"),
        };
        if holds { Ok(()) } else { Err(format!("`{keyword}` does not hold at `{place}`")) }
    })
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        kind => panic!("the type `{kind}` is not looked at"),
    }
}

/// Each member by its schema. What says nothing about further members gets none.
fn properties(
    value: &Value,
    named: &Map<String, Value>,
    schema: &Value,
    place: &str,
) -> Result<(), String> {
    let is_open = schema["additionalProperties"] == true || schema["type"] != "object";
    value.as_object().into_iter().flatten().try_for_each(|(name, member)| {
        let place = format!("{place}/{name}");
        match named.get(name) {
            Some(schema) => conforms(member, schema, &place),
            None if is_open => Ok(()),
            None => Err(format!("`{place}` is not described")),
        }
    })
}

fn items(value: &Value, schema: &Value, place: &str) -> Result<(), String> {
    let mut items = value.as_array().into_iter().flatten().enumerate();
    items.try_for_each(|(index, item)| conforms(item, schema, &format!("{place}/{index}")))
}

/// The route that takes a request, as the router chooses it: where one says the part itself, it
/// goes before one that takes any.
fn route(method: &str, path: &str) -> Option<&'static str> {
    let fits = web::api::described().filter(|(one, _)| *one == method);
    let fits = fits.filter_map(|(_, route)| Some((likeness(route, path)?, route)));
    fits.max().map(|(_, route)| route)
}

/// Which parts of a path a route says itself; none if it does not fit.
fn likeness(route: &str, path: &str) -> Option<Vec<bool>> {
    let mut parts = path.split('/');
    let mut alike = Vec::new();
    for one in route.split('/') {
        let part = parts.next()?;
        match one.strip_prefix('{') {
            Some(name) if name.starts_with('*') => return Some(alike),
            Some(_) if part.is_empty() => return None,
            Some(_) => alike.push(false),
            None if one == part => alike.push(true),
            None => return None,
        }
    }
    parts.next().is_none().then_some(alike)
}

fn start(text: &str) -> String {
    text.chars().take(600).collect()
}

#[test]
fn a_path_has_the_route_that_the_router_gives_it() {
    let cases = [
        ("GET", "/fhir/Observation/17", Some("/fhir/{kind}/{id}")),
        ("GET", "/fhir/Patient/17/$everything", Some("/fhir/Patient/{id}/$everything")),
        ("GET", "/fhir/Patient/17/Observation", Some("/fhir/{kind}/{id}/{of}")),
        ("GET", "/fhir/Patient/$summary", Some("/fhir/Patient/$summary")),
        ("GET", "/fhir/$export/7", Some("/fhir/$export/{export}")),
        ("GET", "/log/tile/0/x001/067", Some("/log/tile/{*path}")),
        ("GET", "/smart/confirm", None),
        ("PUT", "/livez", None),
    ];
    for (method, path, expected) in cases {
        assert_eq!(route(method, path), expected, "{method} {path}");
    }
}

#[test]
fn what_is_not_as_described_is_found() {
    let schema = json!({
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": { "type": ["integer", "null"], "minimum": 1 },
            "b": { "type": "array", "minItems": 1, "items": { "enum": ["x", "y"] } },
            "c": { "$ref": "#/components/schemas/Hash" },
            "d": { "anyOf": [{ "const": true }, { "type": "string", "minLength": 1 }] },
        },
    });
    let hash = "0f".repeat(32);
    let fit = [json!({ "a": 1 }), json!({ "a": null, "b": ["x"], "c": hash, "d": true })];
    for value in fit {
        assert_eq!(conforms(&value, &schema, ""), Ok(()), "{value}");
    }
    let unfit = [
        json!([]),
        json!({}),
        json!({ "a": "1" }),
        json!({ "a": 0 }),
        json!({ "a": 1, "b": [] }),
        json!({ "a": 1, "b": ["z"] }),
        json!({ "a": 1, "c": hash.to_uppercase() }),
        json!({ "a": 1, "d": "" }),
        json!({ "a": 1, "e": "nobody said so" }),
    ];
    for value in unfit {
        assert!(conforms(&value, &schema, "").is_err(), "{value}");
    }
}
