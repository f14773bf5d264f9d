//! Odd requests to every route, many thousands: each is answered, none with a 5xx, and the node
//! lives on. What is odd is drawn from lists, with a seed that repeats a run.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

use crate::{
    coverage::{Row, rows},
    smart::node_with,
};

/// How long each caller goes on.
const RUN: Duration = Duration::from_secs(10);
/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const METHODS: [&str; 12] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW", "get", "M-SEARCH",
    "QUERY",
];

/// Parts of paths, and values of parameters, as they stand in an address.
const WORDS: [&str; 34] = [
    "p1",
    "lab1",
    "new",
    "Patient",
    "Observation",
    "Nonsense",
    "_history",
    "$everything",
    "$x",
    "..",
    ".",
    "%00",
    "%2e%2e%2f",
    "a%2Fb",
    "%ff%fe",
    "%F0%9F%92%89",
    "-1",
    "0",
    "1",
    "4294967296",
    "18446744073709551615",
    "99999999999999999999999",
    "1e309",
    "NaN",
    "%7B%7D",
    "a|b",
    "|",
    "%zz",
    "%",
    "''--",
    "Patient/p1",
    "urn:uuid:1",
    "2026-02-30",
    "9999-12-31T23:59:59.999999999%2B14:00",
];

const PARAMETERS: [&str; 32] = [
    "patient",
    "subject",
    "_id",
    "identifier",
    "code",
    "date",
    "value-quantity",
    "_count",
    "_sort",
    "_include",
    "_revinclude",
    "_summary",
    "_since",
    "_at",
    "_carestone-skip",
    "_format",
    "_has",
    "_has:Observation:patient:code",
    "subject:Patient.name",
    "code:in",
    "code:missing",
    "from",
    "first",
    "second",
    "size",
    "_lastUpdated",
    "_type",
    "_elements",
    "_total",
    "",
    "%",
    "_text",
];

const HEADERS: [&str; 24] = [
    "if-match: W/\"99999999999\"",
    "if-match: *",
    "if-match: \"",
    "if-none-match: W/\"1\", *",
    "if-none-exist: identifier=a|b",
    "if-none-exist: ?code=",
    "if-none-exist: identifier=%",
    "if-modified-since: yesterday",
    "if-modified-since: Thu, 01 Jan 9999 00:00:00 GMT",
    "prefer: return=representation",
    "prefer: return=OperationOutcome, handling=strict",
    "accept: application/fhir+xml",
    "accept: ;;;,,,",
    "x-purpose-of-use: TREAT",
    "x-purpose-of-use: FUN",
    "x-carestone-access: 00",
    "x-carestone-access: \u{e9}",
    "x-carestone-bytes: as-received",
    "origin: null",
    "range: bytes=-5",
    "accept-encoding: gzip, br",
    "content-encoding: gzip",
    "x-forwarded-for: ::::",
    "cookie: a=b; ;; =",
];

const CONTENT_TYPES: [&str; 9] = [
    "application/fhir+json",
    "application/json",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/x-www-form-urlencoded",
    "application/fhir+xml",
    "text/plain; charset=utf-16",
    "multipart/form-data; boundary=",
    "\u{1f489}/\"",
];

/// The ends of all numbers, asked for by everybody.
const EDGES: [&str; 7] = [
    "/fhir/Observation?patient=p1&_count=1&_carestone-skip=18446744073709551615",
    "/fhir/_history?patient=p1&_carestone-skip=18446744073709551615",
    "/fhir/AuditEvent?patient=p1&_carestone-skip=18446744073709551615",
    "/carestone/v1/audit?from=18446744073709551615",
    "/carestone/v1/entries/18446744073709551615/proof",
    "/carestone/v1/feeds/waiting?from=18446744073709551615",
    "/carestone/v1/feeds/waiting/18446744073709551615",
];

const BODIES: [&str; 18] = [
    "",
    "null",
    "[]",
    "{}",
    "\"",
    "{\"resourceType\":",
    r#"{"resourceType":"Patient","id":"p1"}"#,
    r#"{"resourceType":"Patient","id":"../..","birthDate":"0000-00-00"}"#,
    concat!(
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"#,
        r#""subject":{"reference":"Patient/p1"}}"#,
    ),
    concat!(
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"#,
        r#""valueQuantity":{"value":1e999999}}"#,
    ),
    concat!(
        r#"{"resourceType":"Bundle","type":"transaction","#,
        r#""entry":[{"request":{"method":"GET","url":"%"}}]}"#,
    ),
    concat!(
        r#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","#,
        r#""url":"Observation?patient=p1&_carestone-skip=18446744073709551615"}},null,{}]}"#,
    ),
    r#"{"resourceType":"Bundle","type":"transaction","entry":{"a":1}}"#,
    r#"[{"op":"move","from":"/a","path":"/a/b"}]"#,
    r#"[{"op":"add","path":"/code/coding/18446744073709551615","value":1}]"#,
    r#"{"status":null,"id":"other","resourceType":"Patient"}"#,
    r#"{"local":"p1","patient":"00","purpose":"TREAT","authenticators":["p256:00"]}"#,
    "grant_type=client_credentials&client_assertion=a.b.c&token=%00&code=&scope=system/*.*",
];

#[test]
fn odd_requests_are_answered_and_the_node_lives_on() {
    let node = node_with("");
    let callers =
        [Vec::new(), vec!["--operator"], vec!["--staff", "dr.odd"], vec!["--system", "odd"]];
    let tokens = callers.map(|bearer| (!bearer.is_empty()).then(|| node.token(&bearer)));
    let address = node.url.strip_prefix("http://").unwrap();
    let sent: usize = thread::scope(|scope| {
        let caller = |(seed, token)| scope.spawn(move || ask(address, seed, token));
        let callers: Vec<_> = (0..).zip(&tokens).map(caller).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    println!("{sent} odd requests in {RUN:?}");
    for path in ["/livez", "/readyz", "/fhir/metadata"] {
        assert_eq!(node.send("GET", path, None, &[], b"").status, 200, "{path}");
    }
}

/// Asks for as long as it may; gives how many requests that were.
fn ask(address: &str, seed: u64, token: &Option<String>) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let (rows, start) = (rows(), Instant::now());
    let mut sent = 0;
    // Even on a slow machine every route at least once.
    while start.elapsed() < RUN || sent < EDGES.len() + rows.len() {
        let (request, is_whole) = match EDGES.get(sent) {
            Some(edge) => (plain(edge, token.as_deref()), true),
            None => request(&mut random, &rows[sent % rows.len()], token.as_deref()),
        };
        let told = || format!("seed {seed}, {sent}: {}", String::from_utf8_lossy(&request));
        match status(address, &request, is_whole) {
            Ok(Some(status)) => assert!(status < 500, "{status}: {}", told()),
            Ok(None) => assert!(!is_whole, "no answer: {}", told()),
            Err(error) => panic!("{error}: {}", told()),
        }
        sent += 1;
    }
    sent
}

/// Nothing is odd but the address.
fn plain(address: &str, token: Option<&str>) -> Vec<u8> {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let head = format!("GET {address} HTTP/1.1\r\nhost: odd\r\nconnection: close\r\n");
    [head, token.unwrap_or_default(), "x-purpose-of-use: TREAT\r\n\r\n".to_owned()].concat().into()
}

/// A request to a route, with something odd about it; and whether it is sent to its end.
fn request(random: &mut impl Rng, row: &Row, token: Option<&str>) -> (Vec<u8>, bool) {
    let method = match random.random_ratio(3, 4) {
        true => row.method.as_str(),
        false => pick(random, &METHODS),
    };
    let body = body(random);
    let is_whole = body.is_empty() || random.random_ratio(9, 10);
    let length = body.len() + if is_whole { 0 } else { 1_000 };
    let mut head = format!("{method} {} HTTP/1.1\r\nhost: odd\r\n", address(random, row));
    head.push_str(&format!("connection: close\r\ncontent-length: {length}\r\n"));
    head.push_str(&format!("content-type: {}\r\n", pick(random, &CONTENT_TYPES)));
    if let Some(token) = token {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    if random.random_ratio(2, 3) {
        head.push_str("x-purpose-of-use: TREAT\r\n");
    }
    for _ in 0..random.random_range(0..3) {
        head.push_str(pick(random, &HEADERS));
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    ([head.into_bytes(), body].concat(), is_whole)
}

/// The route with odd words in its places, or the table's path; and odd parameters.
fn address(random: &mut impl Rng, row: &Row) -> String {
    let known = row.path.split('?').next().unwrap();
    let mut path = match random.random_ratio(1, 3) {
        true => known.to_owned(),
        false => {
            let parts = row.route.split('/').zip(known.split('/').chain([""; 9]));
            let part = |(part, known): (&str, &str)| match part.starts_with('{') {
                true if random.random_ratio(1, 2) => pick(random, &WORDS).to_owned(),
                true => known.to_owned(),
                false => part.to_owned(),
            };
            parts.map(part).collect::<Vec<_>>().join("/")
        }
    };
    let mut mark = '?';
    for _ in 0..random.random_range(0..4) {
        let (name, value) = (pick(random, &PARAMETERS), pick(random, &WORDS));
        path.push_str(&format!("{mark}{name}={value}"));
        mark = '&';
    }
    if random.random_ratio(1, 100) {
        path.push_str(&"x".repeat(random.random_range(1..20_000)));
    }
    path
}

/// A body: from the list, cut, changed in a byte, or nested deeply.
fn body(random: &mut impl Rng) -> Vec<u8> {
    let mut body = pick(random, &BODIES).as_bytes().to_vec();
    match random.random_range(0..8) {
        0 => body.truncate(random.random_range(0..=body.len())),
        1 if !body.is_empty() => {
            let place = random.random_range(0..body.len());
            body[place] = random.random();
        }
        2 if random.random_ratio(1, 10) => body = "[".repeat(100_000).into_bytes(),
        3 => body = [b"{\"resourceType\":\"Patient\",\"id\":", &body[..], b"}"].concat(),
        _ => {}
    }
    body
}

fn pick<'a>(random: &mut impl Rng, list: &[&'a str]) -> &'a str {
    list[random.random_range(0..list.len())]
}

/// Sends bytes as they are, and reads the answer to its end; none if the connection was closed
/// without one.
fn status(address: &str, request: &[u8], is_whole: bool) -> std::io::Result<Option<u16>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // Who refuses need not have read everything: that the rest cannot be sent is no error.
    let _ = stream.write_all(request);
    if !is_whole {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => return Err(error),
        _ => {}
    }
    let line = String::from_utf8_lossy(&answer);
    Ok(line.strip_prefix("HTTP/1.1 ").and_then(|line| line.get(..3)?.parse().ok()))
}
