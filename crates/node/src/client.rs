//! Speaking to a node over HTTP, as the commands do.

use std::{fs::File, io::Read, time::Duration};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{HeaderMap, Response},
};

/// A node and a token for it.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
}

/// What a node answered.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// A client of the node at this address.
    pub fn new(url: &str, token: Option<String>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_idle_connections_per_host(32)
            .build();
        Self { agent: config.into(), url: url.trim_end_matches('/').to_owned(), token }
    }

    /// The same node with another token.
    pub fn with_token(&self, token: String) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    /// Gets a path.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in self.headers(headers) {
            request = request.header(name, value);
        }
        self.reply(request.call())
    }

    /// Sends a body to a path.
    pub fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Reply> {
        self.send(self.agent.post(format!("{}{path}", self.url)), content_type, body)
    }

    /// Sends a file to a path, however long that takes. The node may answer before it is sent.
    pub fn upload(
        &self,
        path: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        file: File,
    ) -> Result<Reply> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let mut request = request.config().timeout_global(None).build();
        let expected = [("content-type", content_type), ("expect", "100-continue")];
        for (name, value) in self.headers(&[&expected, headers].concat()) {
            request = request.header(name, value);
        }
        self.reply(request.send(file))
    }

    /// Puts a body to a path.
    pub fn put(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Reply> {
        self.send(self.agent.put(format!("{}{path}", self.url)), content_type, body)
    }

    /// Deletes a path.
    pub fn delete(&self, path: &str) -> Result<Reply> {
        let mut request = self.agent.delete(format!("{}{path}", self.url));
        for (name, value) in self.headers(&[]) {
            request = request.header(name, value);
        }
        self.reply(request.call())
    }

    /// Gets a path that answers with JSON; anything but 2xx is an error with the node's words.
    pub fn get_json(&self, path: &str) -> Result<Value> {
        self.get(path, &[])?.json()
    }

    /// Sends JSON to a path that answers with JSON.
    pub fn post_json(&self, path: &str, body: &Value) -> Result<Value> {
        self.post(path, "application/json", body.to_string().as_bytes())?.json()
    }

    /// Sends FHIR JSON to a path that answers with JSON, and says why.
    pub fn post_for(&self, path: &str, purpose: &str, body: &Value) -> Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header("x-purpose-of-use", purpose);
        self.send(request, "application/fhir+json", body.to_string().as_bytes())?.json()
    }

    fn send(
        &self,
        mut request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        content_type: &str,
        body: &[u8],
    ) -> Result<Reply> {
        for (name, value) in self.headers(&[("content-type", content_type)]) {
            request = request.header(name, value);
        }
        self.reply(request.send(body))
    }

    fn headers<'a>(&self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, String)> {
        let token = self.token.iter().map(|token| ("authorization", format!("Bearer {token}")));
        token.chain(more.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
    }

    fn reply(&self, answered: Result<Response<Body>, ureq::Error>) -> Result<Reply> {
        let response = answered.with_context(|| format!("{} cannot be reached", self.url))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        let reader = response.into_body().into_reader();
        reader.take(BODY_BYTES_MAX).read_to_end(&mut body).context("the answer broke off")?;
        Ok(Reply { status, headers, body })
    }
}

impl Reply {
    /// A header, if it is there and a text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body, if the node said yes; else an error with the node's words.
    pub fn accepted(self) -> Result<Reply> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(anyhow!("{}", self.words())) }
    }

    /// The body as JSON, if the node said yes.
    pub fn json(self) -> Result<Value> {
        let reply = self.accepted()?;
        serde_json::from_slice(&reply.body).context("the answer is no JSON")
    }

    /// The body as text, if the node said yes.
    pub fn text(self) -> Result<String> {
        String::from_utf8(self.accepted()?.body).context("the answer is no text")
    }

    /// What went wrong, in the node's words.
    pub fn words(&self) -> String {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let issues = json["issue"].as_array().or_else(|| json["issues"].as_array());
        let issues: Vec<String> = issues.into_iter().flatten().take(5).map(issue_words).collect();
        let words = match (issues.is_empty(), json["detail"].as_str()) {
            (false, _) => issues.join("; "),
            (true, Some(detail)) => detail.to_owned(),
            (true, None) => String::from_utf8_lossy(&self.body).trim().to_owned(),
        };
        let hint = if self.status == 401 {
            "; `carestone token` issues one: pass it by --token or CARESTONE_TOKEN"
        } else {
            ""
        };
        format!("{words}{hint} (HTTP {})", self.status)
    }
}

fn issue_words(issue: &Value) -> String {
    let diagnostics = issue["diagnostics"].as_str().unwrap_or("no reason given");
    match issue["expression"][0].as_str() {
        Some(place) => format!("{place}: {diagnostics}"),
        None => diagnostics.to_owned(),
    }
}

const TIMEOUT: Duration = Duration::from_secs(60);
const BODY_BYTES_MAX: u64 = 512 * 1024 * 1024;
