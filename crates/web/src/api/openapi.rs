//! The endpoints for programs: [OpenAPI 3.1](https://spec.openapis.org/oas/v3.1.0).

use std::sync::OnceLock;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use flows::words::ResourceType;
use serde_json::{Map, Value, json};

use super::{
    GROUPS,
    operation::{Answer, Content, Form, Group, JSON, Operation, Parameter, Place, Refusal, Shown},
    parameters::place,
};
use crate::App;

/// `GET /carestone/v1/openapi.json`
pub async fn serve(State(app): State<App>) -> Response {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| document(&app.base_url).to_string());
    ([(header::CONTENT_TYPE, JSON)], document.clone()).into_response()
}

/// The description of a node at this address, without a slash at its end.
pub fn document(base_url: &str) -> Value {
    let mut paths = Map::new();
    for group in &GROUPS {
        for operation in group.operations {
            let path = operation.path.replace("{*", "{");
            let item = paths.entry(path).or_insert_with(|| json!({}));
            item[operation.method.to_ascii_lowercase()] = described(group, operation);
        }
    }
    let tags = GROUPS.iter().map(|group| {
        json!({ "name": group.id, "x-displayName": group.title, "description": group.text })
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Carestone",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A node of a health-record network.",
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": base_url }],
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": security_schemes(base_url),
        },
    })
}

/// What a reader should know first.
pub const INTRODUCTION: &str = "Requests carry `Authorization: Bearer <token>`, but those for \
     health, the public log and signing in. Tokens are issued with `carestone token` for a \
     *system* that delivers, a member of *staff* that reads, a *patient*, or the *operator*; \
     apps and services have access tokens instead, under SMART App Launch 2.2. A token never \
     decides alone: what its bearer may read is decided on the ledger, and every read leaves a \
     receipt before any key is handed out.";

fn described(group: &Group, operation: &Operation) -> Value {
    let in_path = operation.places().map(path_parameter);
    let taken = operation.takes.iter().map(parameter);
    let description = format!("{}\n\nWho may ask: {}.", operation.text, operation.who.words);
    let mut json = json!({
        "operationId": operation.id(),
        "tags": [group.id],
        "summary": operation.title,
        "description": description.trim(),
        "parameters": in_path.chain(taken).collect::<Vec<_>>(),
        "responses": responses(group.refusal, operation),
        "security": security(operation.who.shown),
    });
    if !operation.sends.is_empty() {
        let content =
            operation.sends.iter().map(|content| (content.kind.to_owned(), sent(content)));
        json["requestBody"] =
            json!({ "required": true, "content": content.collect::<Map<_, _>>() });
    }
    json
}

fn path_parameter(name: &str) -> Value {
    let (words, example) = place(name);
    let schema = match name {
        "kind" | "of" => {
            let names: Vec<&str> = ResourceType::all().map(ResourceType::name).collect();
            json!({ "type": "string", "enum": names })
        }
        "index" | "number" => json!({ "type": "integer", "minimum": 0 }),
        "version" => json!({ "type": "integer", "minimum": 1 }),
        _ => json!({ "type": "string", "minLength": 1 }),
    };
    let example = match &schema["type"] {
        kind if kind == "integer" => {
            example.parse().map_or(Value::Null, |number: u64| json!(number))
        }
        _ => json!(example),
    };
    json!({
        "name": name, "in": "path", "required": true, "description": words, "schema": schema,
        "example": example,
    })
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.form {
        Form::Text => json!({ "type": "string" }),
        Form::Number => json!({ "type": "integer", "minimum": 0 }),
        Form::Instant => json!({ "type": "string", "format": "date-time" }),
        Form::OneOf(words) => json!({ "type": "string", "enum": words }),
        Form::Search => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
    };
    let mut json = json!({
        "name": parameter.name,
        "in": match parameter.place { Place::Header => "header", Place::Query => "query" },
        "required": parameter.is_required,
        "description": parameter.words,
        "schema": schema,
    });
    if !parameter.example.is_empty() {
        json["example"] = json!(parameter.example);
    }
    json
}

fn sent(content: &Content) -> Value {
    let mut json = body(content.schema);
    // An example with dots is for reading.
    let is_complete = !content.example.is_empty() && !content.example.contains("...");
    if let (true, Ok(example)) = (is_complete, serde_json::from_str::<Value>(content.example)) {
        json["example"] = example;
    }
    json
}

fn body(schema: &str) -> Value {
    match schema {
        "" => json!({}),
        name => json!({ "schema": { "$ref": format!("#/components/schemas/{name}") } }),
    }
}

fn responses(refusal: Refusal, operation: &Operation) -> Value {
    let (kind, schema) = refusal.content();
    let refused = |words: &str| json!({ "description": words, "content": { kind: body(schema) } });
    let mut responses = Map::new();
    for answer in operation.answers {
        responses.insert(answer.status.to_string(), response(answer));
    }
    for (status, words) in operation.refusals {
        responses.insert(status.to_string(), refused(words));
    }
    responses.insert("default".to_owned(), refused("a refusal, in words that say what to do"));
    Value::Object(responses)
}

fn response(answer: &Answer) -> Value {
    let mut json = json!({ "description": answer.words });
    if !answer.content.is_empty() {
        let bodies = answer.content.iter();
        let bodies = bodies.map(|content| (content.kind.to_owned(), body(content.schema)));
        json["content"] = Value::Object(bodies.collect());
    }
    if !answer.headers.is_empty() {
        let header = |words: &str| json!({ "description": words, "schema": { "type": "string" } });
        let headers = answer.headers.iter();
        json["headers"] =
            headers.map(|(name, words)| ((*name).to_owned(), header(words))).collect();
    }
    json
}

fn security(shown: Shown) -> Value {
    let client = || [json!({ "client": [] }), json!({})];
    match shown {
        Shown::Nothing => json!([]),
        Shown::Bearer => json!([{ "bearer": [] }, { "smart": [] }]),
        Shown::Either => json!([{}, { "bearer": [] }]),
        Shown::Client => json!(client()),
        Shown::ClientOrBearer => json!([client().as_slice(), &[json!({ "bearer": [] })]].concat()),
    }
}

fn security_schemes(base_url: &str) -> Value {
    let at = |path: &str| format!("{base_url}{path}");
    let scopes = json!({
        "patient/*.rs": "read the records of the patient in context",
        "user/*.cruds": "what the role of the user may",
        "system/*.cruds": "what the role of the service may",
    });
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of the node's own issue: `carestone token`.",
        },
        "smart": {
            "type": "oauth2",
            "description": "An access token under SMART App Launch 2.2.",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": at("/smart/authorize"),
                    "tokenUrl": at("/smart/token"),
                    "refreshUrl": at("/smart/token"),
                    "scopes": scopes,
                },
                "clientCredentials": { "tokenUrl": at("/smart/token"), "scopes": scopes },
            },
        },
        "client": {
            "type": "http",
            "scheme": "basic",
            "description": "A client's id and secret; or an assertion, or an id, in the form.",
        },
    })
}

fn schemas() -> Value {
    serde_json::from_str(include_str!("schemas.json")).expect("a test reads it")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::operations;

    #[test]
    fn what_is_described_is_whole() {
        let document = document("https://a.example");
        let (mut ids, mut used) = (BTreeSet::new(), BTreeSet::new());
        collect(&document, &mut used);
        let schemas: BTreeSet<String> =
            document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(used, schemas, "left: the schemas that are named; right: those that are there");
        for operation in operations() {
            assert!(ids.insert(operation.id()), "{} is there twice", operation.id());
            assert!(!operation.answers.is_empty(), "{} has no answer", operation.id());
            for name in operation.places() {
                assert!(!place(name).0.is_empty(), "`{name}` is not explained");
            }
            for content in operation.sends.iter().filter(|content| content.kind.ends_with("json")) {
                // Of several lines, each is JSON.
                let is_lines = content.kind.ends_with("ndjson");
                let values: Vec<&str> = match is_lines {
                    true => content.example.lines().collect(),
                    false => vec![content.example],
                };
                for value in values {
                    let example: Value = serde_json::from_str(value).unwrap();
                    assert!(!example.is_null(), "{}", operation.id());
                }
            }
        }
    }

    fn collect(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(name) = members.get("$ref").and_then(Value::as_str) {
                    found.insert(name.replace("#/components/schemas/", ""));
                }
                members.values().for_each(|member| collect(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
}
