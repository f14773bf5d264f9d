//! Feeds of one member whose ledger stands still: what is filed, under whom, and in which order.

use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, pending, ready};
use ledger::{Genesis, MemberId, Origin, PatientId};
use rand::{SeedableRng, rngs::StdRng};
use vault::Version;

use super::*;
use crate::{AskError, Clock, Custody, Network, NodeSecret, Replayed, World};

/// A member with a feed.
struct Desk {
    member: Arc<Member>,
    feed: Arc<Feed>,
    /// Where its vault lies.
    _folder: tempfile::TempDir,
}

impl Desk {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let member = member(Arc::new(vault::Sqlite::open(folder.path()).unwrap()));
        let options = FeedOptions { name: "west".to_owned(), ..FeedOptions::default() };
        let feed = member.open_feed(options).unwrap();
        Desk { member, feed, _folder: folder }
    }

    /// What is answered to a message, and how many wait then.
    #[track_caller]
    fn send(&self, message: &[u8]) -> (String, usize) {
        let answers = self.member.receive(&self.feed, message).unwrap();
        let text = String::from_utf8_lossy(&answers.concat()).into_owned();
        let line = text.split('\r').find(|line| line.starts_with("MSA")).unwrap_or_default();
        let code = line.split('|').nth(1).unwrap_or_default().to_owned();
        (code, self.member.waiting(0, 100).unwrap().len())
    }

    #[track_caller]
    fn taken(&self, message: &str) {
        assert_eq!(self.send(message.as_bytes()), ("AA".to_owned(), 0), "{message}");
    }

    /// The settings of the feed, as an operator changes them.
    fn set(&mut self, change: impl FnOnce(&mut FeedOptions)) {
        let mut options = FeedOptions { name: "west".to_owned(), ..FeedOptions::default() };
        change(&mut options);
        self.feed = self.member.open_feed(options).unwrap();
    }

    /// The account and version of the one resource of a type that a message becomes.
    fn filed(&self, message: &str, kind: &str) -> Option<(PatientId, u32)> {
        let target = self.target(message, kind);
        let record = self.member.keys.record_id(kind, &target);
        let latest = self.member.vault.record(record, Version::Latest).unwrap()?;
        Some((PatientId(latest.place.patient), latest.place.version))
    }

    fn target(&self, message: &str, kind: &str) -> String {
        let parsed = fhir::import::v2::Message::parse(message.as_bytes(), None).unwrap();
        let settings = &self.feed.settings;
        let received = "2024-01-01T00:00:00Z";
        let became =
            fhir::import::v2::translate(&parsed, message.as_bytes(), received, settings).unwrap();
        let mut all = became.understood.resources.into_iter();
        all.find(|one| one.type_name() == kind).unwrap().id().unwrap().to_owned()
    }
}

fn member(vault: Arc<dyn vault::Vault>) -> Arc<Member> {
    let secret = NodeSecret::new([7; 32]);
    let founder = secret.member("Hospital", [1; 32], "127.0.0.1:1");
    let origin =
        Origin { origin: "http://localhost".to_owned(), relying_party: "localhost".to_owned() };
    let genesis = Genesis {
        name: "Alone".to_owned(),
        origin: "ledger.example.org/alone".to_owned(),
        members: vec![founder.clone()],
        origins: vec![origin],
        created_ms: NOW_MS,
        epoch_blocks: 1_000,
    };
    let chain = Arc::new(chain::Chain::open(None, &genesis).unwrap());
    let world = World {
        network: Arc::new(Alone),
        clock: Arc::new(Alone),
        chance: Arc::new(Mutex::new(Box::new(StdRng::seed_from_u64(1)))),
    };
    let mut rng = StdRng::seed_from_u64(2);
    let (public, _) = custody::danger_deal(&mut rng, &[founder.id]).unwrap();
    let member = Member::new(founder.id, secret, vec![founder], chain, vault, world);
    member.put_custody(Custody { public, steward: None });
    member
}

/// No network, and no time that passes.
struct Alone;

impl Network for Alone {
    fn submit(&self, _command: Vec<u8>) {}

    fn ask(
        &self,
        _member: MemberId,
        _request: Vec<u8>,
    ) -> BoxFuture<'static, Result<Vec<u8>, AskError>> {
        Box::pin(ready(Err(AskError::Unreachable)))
    }
}

impl Clock for Alone {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }

    fn sleep(&self, _ms: u64) -> BoxFuture<'static, ()> {
        Box::pin(pending())
    }
}

fn message(id: &str, kind: &str, segments: &[&str]) -> String {
    format!("MSH|^~\\&|LAB|W|||2024||{kind}|{id}|P|2.5\r{}", segments.join("\r"))
}

const A: &str = "PID|||MRN-A^^^H^MR~NAT-A^^^N^NI||Doe^Ann||19500505|F";
const MISTAKEN: &str = "PID|||MRN-B^^^H^MR~NAT-A^^^N^NI||Roe^Max||19900101|M";
const CORRECTED: &str = "PID|||MRN-B^^^H^MR~NAT-B^^^N^NI||Roe^Max||19900101|M";
const ALONE: &str = "PID|||MRN-B^^^H^MR||Roe^Max";

/// Another person's number typed by mistake must not bind the patient to that person, neither while
/// the message waits nor when it is dismissed.
#[test]
fn what_is_not_filed_says_nobody_who_anybody_is() {
    let result = |pid| message("3", "ORU^R01", &[pid, "OBR|1||F1|A^x^L", "OBX|1|NM|K^x^L||5"]);
    for dismissed in [true, false] {
        for next in [message("3", "ADT^A04", &[CORRECTED]), result(ALONE), result(CORRECTED)] {
            let desk = Desk::open();
            let first = message("1", "ADT^A04", &[A]);
            desk.taken(&first);
            let mistaken = message("2", "ADT^A04", &[MISTAKEN]);
            assert_eq!(desk.send(mistaken.as_bytes()), ("AA".to_owned(), 1));
            if dismissed {
                let number = desk.member.waiting(0, 1).unwrap()[0].number;
                desk.member.dismiss(number).unwrap();
            }
            assert_eq!(desk.send(next.as_bytes()).0, "AA");
            let (first, _) = desk.filed(&first, "Patient").unwrap();
            let (second, _) = desk.filed(&next, "Patient").unwrap();
            assert_ne!(first, second, "{next}");
        }
    }
}

/// What is filed does bind them, in the same step.
#[test]
fn patients_known_by_another_number_are_the_same() {
    let desk = Desk::open();
    let first = message("1", "ADT^A04", &[A]);
    desk.taken(&first);
    let other = message("2", "ADT^A04", &["PID|||X^^^OTHER^MR~NAT-A^^^N^NI||Doe^Ann"]);
    desk.taken(&other);
    let account = |message: &str| desk.filed(message, "Patient").unwrap().0;
    assert_eq!(account(&first), account(&other));
}

/// Somebody takes two results that waited, in either order: the later one must be what is true.
#[test]
fn messages_that_waited_are_true_in_the_order_in_which_they_came() {
    let latin = |id: &str, status: &str| {
        let result = format!("OBX|1|NM|K^x^L||5|||||||{status}");
        message(id, "ORU^R01", &[A, "OBR|1||F1|A^x^L", &result])
    };
    // (which is taken first, how many versions there must be then)
    for (order, versions) in [([0, 1], 2), ([1, 0], 1)] {
        let mut desk = Desk::open();
        let results = [latin("1", "P"), latin("2", "F")];
        for result in &results {
            let training = result.replacen("|P|2.5", "|T|2.5", 1);
            assert_eq!(desk.send(training.as_bytes()).0, "AR");
        }
        desk.set(|options| options.processing = vec!["T".to_owned()]);
        let numbers: Vec<u64> =
            desk.member.waiting(0, 9).unwrap().iter().map(|one| one.number).collect();
        for at in order {
            assert_eq!(desk.member.replay(numbers[at], false).unwrap(), Replayed::Taken);
        }
        desk.set(|_| {});
        let (_, version) = desk.filed(&results[0], "Observation").unwrap();
        assert_eq!(version, versions, "{order:?}");
        assert!(desk.member.made_before(9).unwrap().is_empty(), "forgotten when nothing waits");
    }
}

#[test]
fn training_and_debugging_become_no_records() {
    let mut desk = Desk::open();
    let text = message("1", "ADT^A04", &[A]).replacen("|P|2.5", "|T|2.5", 1);
    assert_eq!(desk.send(text.as_bytes()), ("AR".to_owned(), 1));
    assert_eq!(desk.member.counts().unwrap().records, 0);
    desk.set(|options| options.processing = vec!["P".to_owned(), "T".to_owned()]);
    let number = desk.member.waiting(0, 1).unwrap()[0].number;
    assert_eq!(desk.member.replay(number, false).unwrap(), Replayed::Taken);
    let odd = FeedOptions { processing: vec!["X".to_owned()], ..FeedOptions::default() };
    assert!(desk.member.open_feed(odd).is_err());
}

/// A small message must neither end the node nor hold it up, whatever is in it.
#[test]
fn messages_that_are_too_much_wait_and_the_next_is_taken() {
    let desk = Desk::open();
    let people: Vec<String> = (0..5_000).map(|n| format!("PID|1||{n}^^^H^MR||Doe")).collect();
    let numbers =
        |count: usize| (0..count).map(|n| format!("{n}^^^H^MR")).collect::<Vec<_>>().join("~");
    let long = "1".repeat(9 << 20);
    for (at, text) in [
        message("1", "ADT^A04", &[&people.join("\r")]),
        message(&long, "ADT^A04", &[]),
        message(&long, "ADT^A04", &[A]),
        message("3", "ADT^A04", &[&format!("PID|1||{}||Doe", numbers(120_000))]),
        message("3", "ADT^A04", &[&format!("PID|1||{}||Doe", numbers(30_000))]),
        message("4", "ADT^A04", &[A]).replacen("|LAB|", &format!("|{long}|"), 1),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(desk.send(text.as_bytes()), ("AE".to_owned(), at + 1));
    }
    assert_eq!(desk.member.counts().unwrap().records, 0);
    assert_eq!(desk.send(message("5", "ADT^A04", &[A]).as_bytes()).0, "AA");
}

/// A change of whose number is whose is durable, answered, and for people.
#[test]
fn a_change_of_identity_waits_for_people() {
    let desk = Desk::open();
    desk.taken(&message("1", "ADT^A04", &[A]));
    for (at, event) in ["A44", "A24", "A29"].iter().enumerate() {
        let segments = [A, "MRG|MRN-C^^^H^MR", "PID|||MRN-D^^^H^MR"];
        let text = message("2", &format!("ADT^{event}"), &segments);
        assert_eq!(desk.send(text.as_bytes()), ("AA".to_owned(), at + 1));
    }
    let waiting = desk.member.waiting(0, 9).unwrap();
    assert!(waiting.iter().all(|one| !one.is_filed && !one.reasons.is_empty()));
    assert_eq!(desk.member.replay(waiting[0].number, true).unwrap(), Replayed::Taken);
}

/// A merge that waited for another reason is filed, and still for people to decide.
#[test]
fn a_merge_that_is_taken_later_is_decided_later_still() {
    let mut desk = Desk::open();
    let text = message("1", "ADT^A40", &[A, "MRG|MRN-C^^^H^MR"]).replacen("|P|2.5", "|T|2.5", 1);
    assert_eq!(desk.send(text.as_bytes()), ("AR".to_owned(), 1));
    desk.set(|options| options.processing = vec!["T".to_owned()]);
    let number = desk.member.waiting(0, 1).unwrap()[0].number;
    assert_eq!(desk.member.replay(number, false).unwrap(), Replayed::Taken);
    let waiting = desk.member.waiting(0, 9).unwrap();
    assert!(waiting.len() == 1 && waiting[0].is_filed);
    let number = waiting[0].number;
    assert_eq!(desk.member.merges_waiting(number).unwrap().len(), 1);
    assert!(matches!(desk.member.replay(number, false).unwrap(), Replayed::StillWaits(_)));
}

/// An update that leaves out who somebody is never takes it away.
#[test]
fn a_sparse_update_keeps_who_somebody_is() {
    let desk = Desk::open();
    let first = message("1", "ADT^A01", &[A]);
    desk.taken(&first);
    for (event, pid, version) in [
        ("A03", "PID|||MRN-A^^^H^MR||Doe", 1),
        ("A08", "PID|||MRN-A^^^H^MR||Doe^Ann||19500505|F|||New street", 2),
        ("A31", "PID|||MRN-A^^^H^MR||Doe^Ann||19500505|", 2),
    ] {
        desk.taken(&message(event, &format!("ADT^{event}"), &[pid]));
        assert_eq!(desk.filed(&first, "Patient").unwrap().1, version, "{event}");
    }
    // It is still known who it is: somebody else under the number is seen.
    let other = message("9", "ADT^A08", &["PID|||MRN-A^^^H^MR||Roe^Max||19900101|M"]);
    assert_eq!(desk.send(other.as_bytes()), ("AA".to_owned(), 1));
}

/// An update that does not say whether a stay goes on never opens one that is over.
#[test]
fn an_update_opens_no_stay_that_is_over() {
    let desk = Desk::open();
    let pv1 = "PV1|1|I|W3||||||||||||||||V1^^^H^VN";
    let of = |event: &str| message(event, &format!("ADT^{event}"), &[A, pv1]);
    let events = [("A01", 1), ("A08", 2), ("A03", 3), ("A08", 3), ("A13", 4), ("A08", 5)];
    for (at, (event, version)) in events.into_iter().enumerate() {
        let text = of(event).replacen("||2024||", &format!("||2024010{}||", at + 1), 1);
        desk.taken(&text);
        assert_eq!(desk.filed(&text, "Encounter").unwrap().1, version, "{at} {event}");
    }
}

/// A version of a document that comes after a later one changes nothing, and is kept.
#[test]
fn an_older_version_of_a_document_renews_nothing() {
    let desk = Desk::open();
    let text = include_str!("../../../fhir/testdata/cda/ccd.xml");
    let version = |id: &str, number: u32| {
        let at = text.find("<versionNumber value=\"").expect("a version") + 22;
        let end = at + text[at..].find('"').unwrap();
        let text = format!("{}{number}{}", &text[..at], &text[end..]);
        text.replace("extension=\"CCD-1\"", &format!("extension=\"CCD-{id}\""))
    };
    // How many records it becomes, and whether it is said to be out of date.
    let filed = |text: String| {
        let before = desk.member.counts().unwrap().records;
        let filed = desk.member.ingest_document("system:ehr", text.as_bytes()).unwrap();
        let is_old = filed.findings.iter().any(|one| one.diagnostics.contains("later version"));
        (desk.member.counts().unwrap().records - before, is_old)
    };
    let (all, is_old) = filed(version("2", 2));
    assert!(all > 5 && !is_old, "{all}");
    assert_eq!(filed(version("1", 1)), (2, true), "the original and where it comes from");
    // The patient is told in passing; all else is renewed.
    assert_eq!(filed(version("3", 3)), (all - 1, false));
    assert_eq!(filed(version("2b", 2)), (2, true));
}

/// A message that cannot be read is answered by its number, and found by it in the list.
#[test]
fn what_cannot_be_read_is_known_by_its_header() {
    let desk = Desk::open();
    let text = [message("L-7", "ORU^R01", &[A]).as_bytes(), b"\rNTE|1||\xfc"].concat();
    let answer = desk.member.receive(&desk.feed, &text).unwrap().concat();
    assert!(String::from_utf8_lossy(&answer).contains("\rMSA|AR|L-7|"));
    let waiting = desk.member.waiting(0, 1).unwrap();
    assert_eq!((waiting[0].control_id.as_str(), waiting[0].kind.as_str()), ("L-7", "ORU^R01"));
    let head =
        [b"MSH|^~\\&|LAB|W|||2024||ORU^R01|L-8|P|2.5\rOBX|".to_vec(), vec![b'x'; 99]].concat();
    let answers = desk.member.refuse_too_long(&head);
    assert!(String::from_utf8_lossy(&answers[0]).contains("\rMSA|AR|L-8|"));
}

const NOW_MS: u64 = 1_800_000_000_000;
