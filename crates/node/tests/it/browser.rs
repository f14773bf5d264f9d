//! A browser with a person in front of it: follows redirects, keeps cookies, fills in forms.

use std::collections::BTreeMap;

use crate::{
    keys::challenge,
    node::{Node, Reply},
};

/// A browser.
#[derive(Default)]
pub struct Browser {
    cookies: BTreeMap<String, String>,
}

/// What a person sees, or where the browser is sent on to an app.
#[derive(Debug)]
pub enum Seen {
    Page { status: u16, body: String },
    App(String),
}

/// An app's request for authorization.
#[derive(Clone)]
pub struct Request {
    pub fields: BTreeMap<&'static str, String>,
}

/// The app's side of PKCE.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Where apps of tests live.
pub const APP: &str = "http://127.0.0.1:9/app";

impl Request {
    /// A good one.
    pub fn new(node: &Node, client: &str, scope: &str) -> Request {
        let fields = [
            ("response_type", "code".to_owned()),
            ("client_id", client.to_owned()),
            ("redirect_uri", APP.to_owned()),
            ("scope", scope.to_owned()),
            ("state", "the-state".to_owned()),
            ("aud", format!("{}/fhir", node.url)),
            ("code_challenge", challenge(VERIFIER)),
            ("code_challenge_method", "S256".to_owned()),
        ];
        Request { fields: fields.into() }
    }

    /// The same with another value; an empty one is left out.
    pub fn with(mut self, name: &'static str, value: &str) -> Request {
        self.fields.insert(name, value.to_owned());
        self
    }

    fn query(&self) -> String {
        let fields = self.fields.iter().filter(|(_, value)| !value.is_empty());
        form(&fields.map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
    }
}

impl Browser {
    /// Opens an app's request and follows it to a page, or back to the app.
    pub fn open(&mut self, node: &Node, request: &Request) -> Seen {
        self.follow("GET", &format!("{}/smart/authorize?{}", node.url, request.query()), "")
    }

    /// Sends the form of a page, with the fields that a person filled in.
    pub fn submit(&mut self, node: &Node, page: &str, fields: &[(&str, &str)]) -> Seen {
        let action = between(page, "action=\"", "\"").expect("the page has a form");
        let mut all = vec![
            ("request", between(page, "name=\"request\" value=\"", "\"").unwrap()),
            ("csrf", between(page, "name=\"csrf\" value=\"", "\"").unwrap()),
        ];
        all.extend(fields.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let fields: Vec<(&str, &str)> =
            all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.follow("POST", &format!("{}{action}", node.url), &form(&fields))
    }

    /// Sends one request and follows where it leads.
    pub fn follow(&mut self, method: &str, url: &str, body: &str) -> Seen {
        let (mut method, mut url, mut body) = (method.to_owned(), url.to_owned(), body.to_owned());
        for _ in 0..8 {
            let (status, location, text) = self.send(&method, &url, &body);
            let Some(location) = location else { return Seen::Page { status, body: text } };
            if !location.starts_with('/') && location.starts_with(APP) {
                return Seen::App(location);
            }
            let origin: String = url.split('/').take(3).collect::<Vec<_>>().join("/");
            url = if location.starts_with('/') { origin + &location } else { location };
            (method, body) = ("GET".to_owned(), String::new());
        }
        panic!("too many redirects, the last to {url}");
    }

    fn send(&mut self, method: &str, url: &str, body: &str) -> (u16, Option<String>, String) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let agent: ureq::Agent = config.build().into();
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", cookies.join("; "));
        let response = agent.run(request.body(body.as_bytes()).unwrap()).unwrap();
        let header = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        if let Some(cookie) = header("set-cookie") {
            let pair = cookie.split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let (status, location) = (response.status().as_u16(), header("location"));
        (status, location, response.into_body().read_to_string().unwrap())
    }
}

impl Seen {
    /// The page that a person sees.
    pub fn page(self) -> String {
        match self {
            Seen::Page { status: 200, body } => body,
            other => panic!("no page: {other:?}"),
        }
    }

    /// A field of the address at which the app gets the browser back.
    pub fn field(&self, name: &str) -> Option<String> {
        let Seen::App(url) = self else { panic!("not back at the app: {self:?}") };
        let query = url.split_once('?')?.1;
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(decoded(value))
    }
}

/// Redeems a code as a public app, or with what else proves the app.
pub fn redeem(node: &Node, client: &str, code: &str, more: &[(&str, &str)]) -> Reply {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", APP),
        ("code_verifier", VERIFIER),
        ("client_id", client),
    ];
    fields.extend(more);
    post_form(node, "/smart/token", &fields)
}

/// Sends a form.
pub fn post_form(node: &Node, path: &str, fields: &[(&str, &str)]) -> Reply {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    node.send("POST", path, None, &headers, form(fields).as_bytes())
}

fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        text.bytes()
            .map(|byte| match plain(byte) {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            })
            .collect()
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let from = text.find(start)? + start.len();
    let length = text[from..].find(end)?;
    Some(text[from..from + length].to_owned())
}
