//! Where the inputs of imports come from: addresses of the origins that the operator has listed,
//! and nowhere else.
//!
//! Whoever may import could otherwise send the node to places that only the node can reach. So
//! every address is checked, that of a redirect too, against the list; a listed name that leads
//! into a private network is refused when it is resolved, unless the operator allows that; an
//! address written in figures is what it says. No proxy is asked, no credentials are sent.

use std::{
    io::Read,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use flows::import::Why;
use serde::Deserialize;
use ureq::{
    Agent,
    config::Config,
    http::{Uri, header},
    tls::TlsConfig,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};
use url::{Host, Origin, Url};

use crate::{limits, smart::roots};

/// From where inputs may be fetched.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSettings {
    /// Origins, as in `https://files.example.org`.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Whether their names may lead to private addresses.
    #[serde(default)]
    pub private_addresses: bool,
    /// Certificates of an in-house authority, as PEM, in the node's folder.
    pub ca_file: Option<PathBuf>,
}

/// Fetches inputs.
pub struct Inputs {
    origins: Vec<Origin>,
    agent: Agent,
}

impl Inputs {
    /// Reads the settings; the file is of this folder.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(settings: &InputSettings, folder: &Path) -> Result<Self, String> {
        let origins = settings.origins.iter().map(|origin| listed(origin));
        let origins = origins.collect::<Result<_, _>>()?;
        let mut tls = TlsConfig::builder();
        if let Some(file) = &settings.ca_file {
            tls = tls.root_certs(roots(&folder.join(file))?);
        }
        let ms = Duration::from_millis;
        let config = Agent::config_builder()
            .timeout_global(Some(ms(limits::INPUT_MS_MAX)))
            .timeout_connect(Some(ms(limits::FETCH_MS_MAX)))
            .timeout_recv_response(Some(ms(limits::INPUT_STALL_MS)))
            .timeout_per_read(Some(ms(limits::INPUT_STALL_MS)))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .tls_config(tls.build())
            .user_agent(concat!("carestone/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = Guarded { allows_private: settings.private_addresses };
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        Ok(Self { origins, agent })
    }

    fn checked(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| format!("`{url}` is no address: {error}"))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(format!("inputs are fetched by https or http, not by `{}`", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address with a name or a password is not fetched".to_owned());
        }
        let origin = url.origin();
        if self.origins.contains(&origin) {
            return Ok(url);
        }
        Err(format!(
            "this node fetches nothing from {}: its operator lists origins under `[import]` in \
             carestone.toml; or send the lines themselves",
            origin.ascii_serialization()
        ))
    }

    /// The same of an address that an import has, or to which it leads.
    fn leading(&self, url: &str) -> Result<Url, Why> {
        let for_log = || "its address is not one from which this node fetches".to_owned();
        self.checked(url).map_err(|for_sender| Why { for_sender, for_log: for_log() })
    }
}

impl flows::import::Fetch for Inputs {
    fn check(&self, url: &str) -> Result<(), String> {
        self.checked(url).map(drop)
    }

    fn open(&self, url: &str) -> Result<Box<dyn Read + Send>, Why> {
        let mut place = self.leading(url)?;
        for _ in 0..=limits::INPUT_REDIRECTS_MAX {
            let request = self.agent.get(place.as_str()).header(header::ACCEPT, ACCEPTED);
            let response = request.call().map_err(unreached)?;
            let status = response.status();
            if status.is_success() {
                return Ok(Box::new(response.into_body().into_reader()));
            }
            let location = response.headers().get(header::LOCATION);
            let location = location.filter(|_| status.is_redirection());
            let Some(location) = location.and_then(|location| location.to_str().ok()) else {
                return Err(format!("it answers {status}").into());
            };
            let next = place.join(location).map_err(|error| Why {
                for_sender: format!("{location}: {error}"),
                for_log: format!("it leads to no address: {error}"),
            })?;
            place = self.leading(next.as_str())?;
        }
        Err(format!("it leads on more than {} times", limits::INPUT_REDIRECTS_MAX).into())
    }
}

/// Why an input was not reached. The log gets the words of those errors that never quote the
/// address.
fn unreached(error: ureq::Error) -> Why {
    let for_log = match &error {
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)
        | ureq::Error::Protocol(_)
        | ureq::Error::LargeResponseHeader(..) => error.to_string(),
        _ => "it cannot be reached".to_owned(),
    };
    Why { for_sender: error.to_string(), for_log }
}

fn listed(origin: &str) -> Result<Origin, String> {
    let fault = |why: &str| {
        format!("`{origin}` is no origin: {why}; write it like `https://files.example.org`")
    };
    let url = Url::parse(origin).map_err(|error| fault(&error.to_string()))?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    match url.scheme() {
        "https" | "http" if is_bare && url.username().is_empty() => Ok(url.origin()),
        "https" | "http" => Err(fault("it has more than a name and a port")),
        _ => Err(fault("it is neither https nor http")),
    }
}

/// Refuses private addresses when a name is resolved, so that a name that leads elsewhere a moment
/// later helps nobody.
#[derive(Debug)]
struct Guarded {
    allows_private: bool,
}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let is_literal =
            matches!(uri.host().map(Host::parse), Some(Ok(Host::Ipv4(_) | Host::Ipv6(_))));
        if self.allows_private || is_literal || !found.iter().any(|found| is_private(found.ip())) {
            return Ok(found);
        }
        Err(ureq::Error::Io(std::io::Error::other(
            "its name leads to a private address: the operator allows that with \
             `private_addresses = true` under `[import]`",
        )))
    }
}

/// Whether an address is of this machine or of a network that the public does not reach
/// ([RFC 6890](https://www.rfc-editor.org/rfc/rfc6890)).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Addresses that stand for one of IPv4: mapped, translated (NAT64), 6to4.
    let [.., high, low] = segments;
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0, _, _] => true,
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => embedded(high, low),
        [0x64, 0xff9b, 1, ..] => true,
        [0x2002, high, low, ..] => embedded(high, low),
        [first, ..] => {
            address.is_unique_local() || address.is_unicast_link_local() || first & 0xff00 == 0xff00
        }
    }
}

const ACCEPTED: &str = "application/fhir+ndjson, application/ndjson, */*;q=0.5";

#[cfg(test)]
mod tests {
    use flows::import::Fetch;

    use super::*;

    fn inputs(origins: &[&str], private_addresses: bool) -> Result<Inputs, String> {
        let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let settings = InputSettings { origins, private_addresses, ca_file: None };
        Inputs::new(&settings, Path::new("/nowhere"))
    }

    #[test]
    fn only_listed_origins_are_fetched_from() {
        let inputs =
            inputs(&["https://files.example.org", "http://10.0.0.5:8000", "http://[::1]:9"], false)
                .unwrap();
        let good = [
            "https://files.example.org/a/b.ndjson?sig=1",
            "https://files.example.org:443/x",
            "https://FILES.example.org/x",
            "http://10.0.0.5:8000/x",
            "http://[::1]:9/x",
        ];
        for url in good {
            assert_eq!(inputs.check(url), Ok(()), "{url}");
        }
        let bad = [
            "http://files.example.org/x",
            "https://files.example.org:8443/x",
            "https://files.example.org.evil.example/x",
            "https://evil.example/https://files.example.org",
            "https://user@files.example.org/x",
            "https://files.example.org@evil.example/x",
            "http://10.0.0.5/x",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "ftp://files.example.org/x",
            "/x",
            "",
        ];
        for url in bad {
            assert!(inputs.check(url).is_err(), "{url}");
        }
    }

    #[test]
    fn what_is_no_origin_is_not_listed() {
        let bad = [
            "files.example.org",
            "https://files.example.org/folder",
            "https://user@files.example.org",
            "file:///",
            "https://files.example.org?x",
        ];
        for origin in bad {
            assert!(inputs(&[origin], false).is_err(), "{origin}");
        }
    }

    #[test]
    fn a_name_that_leads_to_a_private_address_is_refused() {
        let why = |private_addresses: bool| {
            let inputs = inputs(&["http://localhost:9"], private_addresses).unwrap();
            inputs.open("http://localhost:9/x").err().unwrap().for_sender
        };
        assert!(why(false).contains("private address"));
        assert!(!why(true).contains("private address"), "nobody listens there");
    }

    #[test]
    fn what_is_said_to_the_log_names_no_address() {
        let inputs = inputs(&["http://127.0.0.1:9"], false).unwrap();
        let secret = "sig=secret";
        for place in ["http://127.0.0.1:9", "http://example.org", "ftp://example.org", "secret:"] {
            let why = inputs.open(&format!("{place}/x?{secret}")).err().unwrap();
            assert!(!why.for_log.contains("secret"), "{place}: {}", why.for_log);
        }
        let quoted = unreached(ureq::Error::BadUri(secret.to_owned()));
        assert!(quoted.for_sender.contains(secret) && !quoted.for_log.contains(secret));
    }

    #[test]
    fn private_addresses_are_known() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::10.0.0.1",
        ];
        for address in private {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        let public = ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8"];
        for address in public {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }
}
