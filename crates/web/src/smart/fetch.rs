//! The few requests that this server makes itself: to the configured identity provider, and to the
//! configured addresses of keys. Bounded in time and size; no redirects are followed, so that
//! nobody can send the node elsewhere.

use std::{fs, path::Path, sync::Arc, time::Duration};

use serde_json::Value;
use ureq::{
    Agent,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::limits;

/// Makes requests.
#[derive(Clone)]
pub struct Fetch(Agent);

/// A form to send, and what proves who sends it.
pub struct Form<'a> {
    /// The fields.
    pub fields: &'a [(&'a str, &'a str)],
    /// The value of the `Authorization` header.
    pub authorization: Option<String>,
}

impl Fetch {
    /// Trusts the public authorities, and those in a file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = ca_file {
            tls = tls.root_certs(roots(path)?);
        }
        let agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_millis(limits::FETCH_MS_MAX)))
            .max_redirects(0)
            .max_redirects_will_error(true)
            .http_status_as_error(true)
            .tls_config(tls.build())
            .user_agent(concat!("carestone/", env!("CARGO_PKG_VERSION")));
        Ok(Self(agent.build().into()))
    }

    /// Gets a JSON document.
    ///
    /// # Errors
    /// What is wrong, without what was answered.
    pub async fn json(&self, url: &str) -> Result<Value, String> {
        check_url(url)?;
        let (agent, place) = (self.0.clone(), url.to_owned());
        blocking(url, move || read(agent.get(place).header("accept", "application/json").call()?))
            .await
    }

    /// Sends a form and reads a JSON document.
    ///
    /// # Errors
    /// What is wrong, without what was sent or answered.
    pub async fn post(&self, url: &str, form: Form<'_>) -> Result<Value, String> {
        check_url(url)?;
        let fields: Vec<(String, String)> = form
            .fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut request = self.0.post(url).header("accept", "application/json");
        if let Some(authorization) = form.authorization {
            request = request.header("authorization", authorization);
        }
        blocking(url, move || read(request.send_form(fields)?)).await
    }
}

async fn blocking(
    url: &str,
    request: impl FnOnce() -> Result<Value, ureq::Error> + Send + 'static,
) -> Result<Value, String> {
    let answered = tokio::task::spawn_blocking(request).await;
    let answered = answered.map_err(|panicked| panicked.to_string())?;
    answered.map_err(|error| format!("{url} does not answer as it should: {error}"))
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Value, ureq::Error> {
    let body = response.body_mut().with_config().limit(limits::FETCH_BYTES_MAX).read_to_vec()?;
    serde_json::from_slice(&body).map_err(|error| ureq::Error::Other(Box::new(error)))
}

/// Whether the node may go there: https, or this machine.
///
/// # Errors
/// What to write instead.
pub fn check_url(url: &str) -> Result<(), String> {
    let host = |rest: &str| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
            _ => authority,
        }
    };
    if let Some(rest) = url.strip_prefix("https://") {
        let host = host(rest);
        return match host.is_empty() || host.contains('@') {
            true => Err(format!("`{url}` is no address")),
            false => Ok(()),
        };
    }
    match url.strip_prefix("http://").map(host).as_deref() {
        Some("localhost" | "127.0.0.1" | "[::1]") => Ok(()),
        _ => Err(format!("`{url}`: use https, or http on this machine")),
    }
}

/// The authorities in a file.
///
/// # Errors
/// If there are none that can be read.
pub fn roots(path: &Path) -> Result<RootCerts, String> {
    let fault = |why: String| format!("{}: {why}", path.display());
    let pem = fs::read(path).map_err(|error| fault(error.to_string()))?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| fault(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(fault("there is no certificate in it".to_owned()));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

#[cfg(test)]
mod tests {
    use super::check_url;

    #[test]
    fn the_node_goes_to_https_or_to_itself() {
        let good = [
            "https://a.example",
            "https://a.example:8443/x",
            "http://127.0.0.1:9/x",
            "http://localhost/",
            "http://[::1]:80/",
        ];
        for url in good {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        let bad = [
            "http://a.example/",
            "ftp://a.example/",
            "https://",
            "https://user@a.example/",
            "http://localhost.evil.example/",
            "http://127.0.0.1@evil.example/",
            "file:///etc/passwd",
            "http://127.0.0.1.evil.example:80/",
        ];
        for url in bad {
            assert!(check_url(url).is_err(), "{url}");
        }
    }
}
