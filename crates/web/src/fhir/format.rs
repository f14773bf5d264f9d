//! JSON, and nothing else but clinical documents: who sends or asks for XML or Turtle is told so,
//! and not answered in what it cannot read
//! ([FHIR R4, content types](http://hl7.org/fhir/R4/http.html#mime-type)).

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
};

use super::{Answered, text};
use crate::error::Problem;

/// Refuses requests in other formats, and for them.
pub async fn refuse_others(request: Request, next: Next) -> Answered {
    check(request.headers(), request.uri())?;
    Ok(next.run(request).await)
}

fn check(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let refuse = |status, detail| Err(Problem::new(status, "not-supported", detail));
    let may_be_document = uri.path().trim_end_matches('/') == "/fhir";
    if !may_be_document && text(headers, header::CONTENT_TYPE.as_str()).is_some_and(is_other) {
        let detail = "send JSON: `Content-Type: application/fhir+json`";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    }
    let query = flows::words::query_pairs(uri.query().unwrap_or_default());
    let asked = query.iter().find(|(name, _)| name == "_format").map(|(_, format)| &**format);
    if asked.or(text(headers, header::ACCEPT.as_str())).is_some_and(wants_other) {
        return refuse(StatusCode::NOT_ACCEPTABLE, "ask for JSON: `Accept: application/fhir+json`");
    }
    Ok(())
}

/// Whether a list of formats names others, and none that JSON is one of.
fn wants_other(list: &str) -> bool {
    let takes_json = |format: &str| format.contains("json") || format.contains('*');
    list.split(',').any(is_other) && !list.split(',').any(takes_json)
}

/// What the body is sent as: the media type without its parameters, in small letters.
pub fn content_type(headers: &HeaderMap) -> String {
    essence(text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default())
}

fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether this is one of the standard's other formats. A plus in a query may have become a space.
fn is_other(format: &str) -> bool {
    let name = essence(format);
    let format = name.split('/').next_back().unwrap_or_default();
    matches!(
        format.replace(' ', "+").as_str(),
        "xml" | "fhir+xml" | "turtle" | "fhir+turtle" | "ttl"
    )
}

#[cfg(test)]
mod tests {
    use super::wants_other;

    #[test]
    fn only_who_cannot_read_json_is_refused() {
        let cases = [
            ("application/fhir+xml", true),
            ("application/fhir xml", true),
            ("xml", true),
            ("text/turtle, application/xml;q=0.5", true),
            ("application/fhir+xml, */*;q=0.1", false),
            ("application/fhir+xml, application/fhir+json", false),
            ("json", false),
            ("text/html", false),
            ("", false),
        ];
        for (list, expected) in cases {
            assert_eq!(wants_other(list), expected, "{list}");
        }
    }
}
