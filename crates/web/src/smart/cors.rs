//! Pages of other origins: a SMART app in a browser reads from its own origin, which its redirect
//! addresses name. Nothing else is allowed, and no cookies: a token in a header says who asks.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Smart;
use crate::App;

/// Answers preflights, and lets the pages of registered apps read answers.
pub async fn allow(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = origin.filter(|origin| {
        let is_public = request.uri().path().contains("/.well-known/");
        let origin = origin.to_str().unwrap_or_default();
        is_public || app.smart.is_app_origin(origin)
    });
    let asks_first = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match asks_first {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        put(headers, origin);
    }
    response
}

fn put(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let fixed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, accept, prefer, if-match, if-none-match, if-none-exist, \
             if-modified-since, x-purpose-of-use, x-carestone-access, x-carestone-bytes",
        ),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "etag, location, content-location, expires, retry-after, www-authenticate, \
             x-carestone-access, x-progress",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

impl Smart {
    /// Whether a page of this origin belongs to an app.
    fn is_app_origin(&self, origin: &str) -> bool {
        let mut uris = self.settings.clients.iter().flat_map(|client| &client.redirect_uris);
        uris.any(|uri| origin_of(uri) == Some(origin))
    }
}

/// Scheme, host and port of an address; none for a scheme of an app's own.
pub fn origin_of(uri: &str) -> Option<&str> {
    let start = uri.find("://")? + 3;
    let is_web = uri.starts_with("https://") || uri.starts_with("http://");
    let end = uri[start..].find(['/', '?']).map_or(uri.len(), |end| start + end);
    is_web.then(|| &uri[..end])
}

#[cfg(test)]
mod tests {
    use super::origin_of;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let cases = [
            ("https://app.example/cb?x=1", Some("https://app.example")),
            ("https://app.example?x=1", Some("https://app.example")),
            ("http://localhost:3000/cb", Some("http://localhost:3000")),
            ("https://app.example", Some("https://app.example")),
            ("org.example.app:/cb", None),
            ("org.example.app://cb", None),
        ];
        for (uri, origin) in cases {
            assert_eq!(origin_of(uri), origin, "{uri}");
        }
    }
}
