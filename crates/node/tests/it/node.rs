//! A network of one member, started for a test and killed with it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{described, ports};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A running node.
pub struct Node {
    folder: tempfile::TempDir,
    child: Child,
    roots: RootCerts,
    pub url: String,
}

/// What was answered.
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: String,
}

impl Node {
    /// Makes and starts a network of one.
    pub fn start() -> Node {
        Node::start_with("")
    }

    /// Makes and starts a network of one with more in its configuration.
    pub fn start_with(configuration: &str) -> Node {
        Node::begin(configuration, None)
    }

    /// Founds and starts a network of several, with more in their configurations.
    pub fn network(members: usize, configuration: &str) -> Vec<Node> {
        let mut cards = Vec::new();
        let mut made = Vec::new();
        for number in 0..members {
            let folder = tempfile::tempdir().unwrap();
            let data = folder.path().join("data");
            let (peer, http) = (free_port(), free_port());
            let (name, peer) = (format!("Hospital {number}"), format!("127.0.0.1:{peer}"));
            let (place, at) = (data.to_str().unwrap(), format!("127.0.0.1:{http}"));
            let init = ["init", "--join", "--name", &name, "--data", place, "--peer", &peer];
            let card = stdout(&carestone(&[&init[..], &["--http", &at]].concat()));
            let file = folder.path().join("card.json");
            fs::write(&file, card).unwrap();
            cards.push(file.to_str().unwrap().to_owned());
            let path = data.join("carestone.toml");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{text}\n{configuration}\n")).unwrap();
            made.push((folder, http));
        }
        let cards = cards.iter().map(String::as_str);
        let arguments: Vec<&str> =
            ["genesis", "--name", "Test network"].into_iter().chain(cards).collect();
        let genesis = stdout(&carestone(&arguments));
        let start = |(folder, http): (tempfile::TempDir, u16)| {
            let data = folder.path().join("data");
            fs::write(data.join("genesis.json"), &genesis).unwrap();
            let (child, url) = (run(&data), format!("http://localhost:{http}"));
            Node { folder, child, roots: RootCerts::new_with_certs(&[]), url }
        };
        let mut nodes: Vec<Node> = made.into_iter().map(start).collect();
        nodes.iter_mut().for_each(Node::wait_ready);
        nodes
    }

    /// Kills it.
    pub fn down(&mut self) {
        self.child.kill().expect("the node can be killed");
        self.child.wait().expect("the node ends");
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    pub fn asked_to_end(&mut self) {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert!(self.child.wait().expect("the node ends").success(), "{}", self.log());
    }

    /// What it has said since it was made.
    pub fn log(&self) -> String {
        fs::read_to_string(log(&self.data())).unwrap()
    }

    /// Starts it again, and waits until it takes records.
    pub fn up(&mut self) {
        self.child = run(&self.data());
        self.wait_ready();
    }

    /// The same, over TLS with a certificate of this authority.
    pub fn start_over_tls(configuration: &str, authority: &str) -> Node {
        let authority = Certificate::from_pem(authority.as_bytes()).unwrap();
        Node::begin(configuration, Some(authority))
    }

    fn begin(configuration: &str, authority: Option<Certificate<'static>>) -> Node {
        let folder = tempfile::tempdir().unwrap();
        let (peer, http) = (free_port(), free_port());
        let data = folder.path().join("data");
        let made = carestone(&[
            "init",
            "--name",
            "Test Hospital",
            "--data",
            data.to_str().unwrap(),
            "--peer",
            &format!("127.0.0.1:{peer}"),
            "--http",
            &format!("127.0.0.1:{http}"),
        ]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let path = data.join("carestone.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}\n{configuration}")).unwrap();
        let child = run(&data);
        let scheme = if authority.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{http}");
        let roots = RootCerts::new_with_certs(&authority.into_iter().collect::<Vec<_>>());
        let mut node = Node { folder, child, roots, url };
        node.wait_ready();
        node
    }

    /// Kills it and starts it again.
    pub fn restart(&mut self) {
        self.stopped(|| ());
    }

    /// Kills it, does something to its folder, and starts it again.
    pub fn stopped(&mut self, act: impl FnOnce()) {
        self.down();
        act();
        self.up();
    }

    /// The node's folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its configuration.
    pub fn configuration(&self) -> String {
        fs::read_to_string(self.data().join("carestone.toml")).unwrap()
    }

    /// Another configuration, for when it is started again.
    pub fn configure(&self, text: &str) {
        fs::write(self.data().join("carestone.toml"), text).unwrap();
    }

    /// A token for this kind of bearer.
    pub fn token(&self, bearer: &[&str]) -> String {
        let data = self.data();
        let arguments = [&["token", "--data", data.to_str().unwrap()], bearer].concat();
        stdout(&carestone(&arguments)).trim().to_owned()
    }

    /// Sends a request. The answer is as the node describes it, whatever the test is about.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/fhir+json");
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.len() > 1_000_000 {
            // A refusal before the body is read would meet a sender who cannot listen yet.
            request = request.header("expect", "100-continue");
        }
        let response = self.agent().run(request.body(body).unwrap());
        let response = response.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.into_body().with_config().limit(1 << 30).read_to_string().unwrap();
        let reply = Reply { status, headers, body };
        described::check(method, path, &reply);
        reply
    }

    /// Gets JSON and expects it to be there.
    pub fn get(&self, path: &str, token: &str, headers: &[(&str, &str)]) -> Value {
        let reply = self.send("GET", path, Some(token), headers, b"");
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }

    /// What a node says of itself, as a number; 0 if it does not.
    pub fn metric(&self, name: &str) -> u64 {
        let metrics = self.send("GET", "/metrics", None, &[], b"").body;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |number| number.parse().expect("a number"))
    }

    /// The path of an address that the node has told.
    pub fn path(&self, url: &str) -> String {
        url.strip_prefix(&self.url).unwrap_or_else(|| panic!("{url}")).to_owned()
    }

    /// Where to ask how far is what was begun.
    pub fn begun(&self, reply: &Reply) -> String {
        assert_eq!(reply.status, 202, "{}", reply.body);
        self.path(reply.headers["content-location"].to_str().unwrap())
    }

    /// Waits for the end of what was begun.
    pub fn ended(&self, status: &str, token: &str) -> Reply {
        let begun = Instant::now();
        loop {
            let reply = self.send("GET", status, Some(token), &[], b"");
            if reply.status != 202 {
                return reply;
            }
            assert!(reply.headers.contains_key("retry-after"), "{:?}", reply.headers);
            assert!(reply.headers.contains_key("x-progress"), "{:?}", reply.headers);
            assert!(begun.elapsed() < Duration::from_secs(240), "{:?}", reply.headers);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The outcome of what came to a good end.
    pub fn outcome(&self, status: &str, token: &str) -> Value {
        let reply = self.ended(status, token);
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.headers.contains_key("expires"));
        serde_json::from_str(&reply.body).unwrap()
    }

    /// A client without connections of its own: a node may be killed between two requests.
    fn agent(&self) -> ureq::Agent {
        let tls = TlsConfig::builder().root_certs(self.roots.clone()).build();
        let config = ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls);
        config.build().into()
    }

    /// Waits until the node takes records.
    fn wait_ready(&mut self) {
        let start = Instant::now();
        let ready = |node: &Node| {
            let reply = node.agent().get(format!("{}/readyz", node.url)).call();
            reply.is_ok_and(|reply| reply.status() == 200)
        };
        while !ready(self) {
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || start.elapsed() > Duration::from_secs(90) {
                panic!("the node is not ready (ended: {ended:?}); it said:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().expect("the node can be killed");
        self.child.wait().expect("the node ends");
    }
}

/// Runs the binary to its end.
pub fn carestone(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_carestone")).args(arguments).output().unwrap()
}

/// What a command that succeeded printed.
pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn run(data: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log(data)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_carestone"))
        .args(["run", "--data", data.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Where a node's words go: beside its folder, which holds nothing readable.
fn log(data: &Path) -> PathBuf {
    data.with_extension("log")
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    ports::claim().expect("a free port")
}
