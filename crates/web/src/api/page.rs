//! The endpoints for people: one page, made here, without a script and without anything from
//! elsewhere. Nothing is folded away, so that the browser's own search finds all of it.

use std::sync::OnceLock;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    GROUPS,
    openapi::INTRODUCTION,
    operation::{Answer, Content, Form, Group, Operation, Parameter, Place, Refusal, Shown},
    parameters::place,
};
use crate::App;

/// `GET /carestone/v1/reference`
pub async fn serve(State(app): State<App>) -> Response {
    static PAGE: OnceLock<String> = OnceLock::new();
    let page = PAGE.get_or_init(|| page(&app.base_url).into_string());
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    (headers, page.clone()).into_response()
}

/// `GET /carestone/v1/reference/style.css`
pub async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, concat!(include_str!("../palette.css"), include_str!("style.css"))).into_response()
}

fn page(base_url: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "API reference - Carestone" }
                link rel="stylesheet" href="/carestone/v1/reference/style.css";
            }
            body {
                a.skip href="#main" { "Skip to the endpoints" }
                (contents())
                main id="main" {
                    (opening(base_url))
                    @for group in &GROUPS { (section(group)) }
                    footer {
                        p {
                            "Carestone " (env!("CARGO_PKG_VERSION")) ". The node makes this page "
                            "from the data that its tests hold against the router and against real "
                            "answers."
                        }
                    }
                }
            }
        }
    }
}

fn contents() -> Markup {
    html! {
        nav aria-label="Endpoints" {
            p.brand { a href="#main" { "Carestone" } span { "API reference" } }
            @for group in &GROUPS {
                p.group { a href={ "#" (group.id) } { (group.title) } }
                ul {
                    @for operation in group.operations {
                        li {
                            a href={ "#" (operation.id()) } title=(operation.path) {
                                (method(operation)) span { (operation.title) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn opening(base_url: &str) -> Markup {
    html! {
        header.opening {
            h1 { "API reference" }
            p.lead { (inline(INTRODUCTION)) }
            p {
                "For programs: " a href="/carestone/v1/openapi.json" { "openapi.json" }
                " (OpenAPI 3.1). Search this page with your browser: nothing is folded away."
            }
            pre { code {
                "export NODE=" (base_url) "\n"
                "export TOKEN=$(carestone token --data st-marys --staff dr.okafor)"
            } }
            h2.small { "Refusals" }
            p {
                "Without a token, or with one that has ended: 401. With one that may not: 403. A "
                "request that cannot be understood: 400. Each says what to do, in one of three "
                "forms:"
            }
            pre { code { (REFUSALS) } }
        }
    }
}

fn section(group: &Group) -> Markup {
    html! {
        section id=(group.id) {
            header {
                h2 { (group.title) }
                p.lead { (inline(group.text)) }
            }
            @for operation in group.operations { (article(group.refusal, operation)) }
        }
    }
}

fn article(refusal: Refusal, operation: &Operation) -> Markup {
    let id = operation.id();
    html! {
        article id=(id) {
            div.words {
                h3 { a href={ "#" (id) } { (operation.title) } }
                p.request { (method(operation)) code { (broken(operation.path)) } }
                p.who { span { "Who" } (inline(operation.who.words)) }
                @if !operation.text.is_empty() { p { (inline(operation.text)) } }
                (parameters(operation))
                (bodies(operation.sends))
                (answers(refusal, operation))
            }
            div.example { pre { code { (example(operation)) } } }
        }
    }
}

fn parameters(operation: &Operation) -> Markup {
    let places: Vec<(&str, &str)> = operation.places().map(|name| (name, place(name).0)).collect();
    html! {
        @if !places.is_empty() || !operation.takes.is_empty() {
            h4 { "Takes" }
            dl {
                @for (name, words) in places {
                    dt { code { (name) } small { "path" } }
                    dd { (inline(words)) }
                }
                @for parameter in operation.takes {
                    dt { code { (parameter.name) } small { (kind(parameter)) } }
                    dd { (inline(parameter.words)) (choices(parameter)) }
                }
            }
        }
    }
}

fn kind(parameter: &Parameter) -> String {
    let place = match parameter.place {
        Place::Header => "header",
        Place::Query => "query",
    };
    let required = if parameter.is_required { ", required" } else { "" };
    format!("{place}{required}")
}

fn choices(parameter: &Parameter) -> Markup {
    html! {
        @if let Form::OneOf(words @ [_, _, ..]) = parameter.form {
            " One of "
            @for (place, word) in words.iter().enumerate() {
                @if place > 0 { ", " }
                code { (word) }
            }
            "."
        }
    }
}

fn bodies(sends: &[Content]) -> Markup {
    html! {
        @if !sends.is_empty() {
            h4 { "Sends" }
            ul.bodies {
                @for content in sends {
                    li {
                        code { (content.kind) }
                        @if !content.schema.is_empty() { span { (content.schema) } }
                    }
                }
            }
        }
    }
}

fn answers(refusal: Refusal, operation: &Operation) -> Markup {
    html! {
        h4 { "Answers" }
        dl.answers {
            @for answer in operation.answers {
                dt { b.good { (answer.status) } }
                dd { (inline(answer.words)) (content(answer)) (headers(answer)) }
            }
            @for (status, words) in operation.refusals {
                dt { b.bad { (status) } }
                dd { (inline(words)) }
            }
            @if operation.who.shown != Shown::Nothing {
                dt { b.bad { "4xx" } }
                dd { "other refusals: " span.schema { (refusal.content().1) } }
            }
        }
    }
}

fn content(answer: &Answer) -> Markup {
    html! {
        @for content in answer.content {
            span.schema {
                @if content.schema.is_empty() { (content.kind) } @else { (content.schema) }
            }
        }
    }
}

fn headers(answer: &Answer) -> Markup {
    html! {
        @for (name, words) in answer.headers {
            span.header { code { (name) } " " (inline(words)) }
        }
    }
}

fn method(operation: &Operation) -> Markup {
    let class = operation.method.to_ascii_lowercase();
    html! { b class={ "method " (class) } { (operation.method) } }
}

/// The request as curl sends it.
fn example(operation: &Operation) -> String {
    // Within double quotes a shell would take `$export` for its own.
    let mut path = operation.path.replace('$', "\\$");
    for name in operation.places() {
        let example = place(name).1;
        path =
            path.replace(&format!("{{{name}}}"), example).replace(&format!("{{*{name}}}"), example);
    }
    let query =
        if operation.query.is_empty() { String::new() } else { format!("?{}", operation.query) };
    let url = format!("{path}{query}");
    let mut lines = vec![match operation.method {
        "GET" => format!("curl \"$NODE{url}\""),
        method => format!("curl -X {method} \"$NODE{url}\""),
    }];
    if matches!(operation.who.shown, Shown::Bearer) {
        lines.push("-H \"Authorization: Bearer $TOKEN\"".to_owned());
    }
    let headers = operation.takes.iter().filter(|one| matches!(one.place, Place::Header));
    let shown = headers.filter(|one| !one.example.is_empty());
    lines.extend(shown.map(|one| format!("-H \"{}: {}\"", one.name, one.example)));
    if let Some(content) = operation.sends.first() {
        lines.push(format!("-H \"Content-Type: {}\"", content.kind));
        match content.example {
            "" => lines.push("--data-binary @command.bin".to_owned()),
            body => lines.push(format!("-d '{body}'")),
        }
    }
    lines.join(" \\\n  ")
}

/// Text with `code` and *words* that stand out.
fn inline(text: &str) -> Markup {
    let mut out = html! {};
    for (place, part) in text.split('`').enumerate() {
        let part = match place % 2 {
            1 => html! { code { (part) } },
            _ => stressed(part),
        };
        out = html! { (out) (part) };
    }
    out
}

fn stressed(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('*').enumerate() {
            @if place % 2 == 1 { em { (part) } } @else { (part) }
        }
    }
}

/// A path that may break after its slashes on a narrow screen.
fn broken(path: &str) -> Markup {
    html! {
        @for (place, part) in path.split('/').enumerate() {
            @if place > 0 { "/" (PreEscaped("<wbr>")) }
            @if part.starts_with('{') { i { (part) } } @else { (part) }
        }
    }
}

const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'none'; \
                      frame-ancestors 'none'; base-uri 'none'";

const REFUSALS: &str = r##"# under /fhir
{"resourceType": "OperationOutcome", "issue": [{
  "severity": "error", "code": "not-found", "diagnostics": "..."}]}

# elsewhere
{"error": "not-found", "detail": "..."}

# for OAuth
{"error": "invalid_grant", "error_description": "..."}"##;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{
        operation::get,
        parameters::{ANYBODY, COUNT},
    };

    #[test]
    fn everything_is_on_the_page_and_nothing_from_elsewhere() {
        let page = page("https://a.example").into_string();
        for group in &GROUPS {
            for operation in group.operations {
                assert!(page.contains(&format!("<article id=\"{}\">", operation.id())));
            }
        }
        for foreign in ["<script", "http://", "src=", "style=", "onclick"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn examples_are_what_a_shell_can_run() {
        let operations = || GROUPS.iter().flat_map(|group| group.operations);
        let of = |id: &str| example(operations().find(|one| one.id() == id).unwrap());
        let expected = "curl \"$NODE/fhir/Patient/17/\\$everything\" \\\n  \
                        -H \"Authorization: Bearer $TOKEN\" \\\n  -H \"X-Purpose-Of-Use: TREAT\"";
        assert_eq!(of("get-fhir-Patient-id-everything"), expected);
        assert!(of("get-fhir-export-export").contains("/fhir/\\$export/$EXPORT\""));
        for operation in operations() {
            let example = example(operation);
            assert!(!example.contains('{') || !operation.sends.is_empty(), "{example}");
        }
    }

    #[test]
    fn only_headers_are_shown_as_such() {
        const TAKEN: [Parameter; 1] = [Parameter { example: "5", ..COUNT }];
        let shown = example(&get("/fhir/$export", "Count", ANYBODY).takes(&TAKEN));
        assert_eq!(shown, "curl \"$NODE/fhir/\\$export\"");
    }
}
