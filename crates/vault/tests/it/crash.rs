//! Killed at any moment, a vault has kept everything that it acknowledged, and no half of anything.
//!
//! The test runs itself again as a writing process, kills it with SIGKILL, and looks at what is
//! left. A kill loses no page that the kernel has; what survives a power cut rests on `fsync`
//! alone.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Write, stdout},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use vault::{
    Batch, NewRecord, OwnScope, Place, RecordId, ScopeTag, SealedRecord, SealedScope, Sqlite,
    Stored, Vault, limits::ROW_BYTES_MAX,
};

use crate::support::{CUSTODIAN, KEY, SALT, open, root};

const FOLDER: &str = "VAULT_CRASH_FOLDER";
const ROUND: &str = "VAULT_CRASH_ROUND";
const KILLS: u64 = 40;
const THREADS: u64 = 4;

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_there() {
    if let Ok(folder) = env::var(FOLDER) {
        return write_until_killed(Path::new(&folder), env::var(ROUND).unwrap().parse().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rng = StdRng::seed_from_u64(6);
    let mut seen = Seen::default();
    for round in 0..KILLS {
        let mut child = spawn(folder.path(), round);
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut acknowledged = Acknowledged::default();
        // Every fourth is killed at any moment of its life, the others when they are at work.
        while round % 4 != 0 && acknowledged.batches.is_empty() && acknowledged.hear(&mut said) {}
        thread::sleep(Duration::from_millis(rng.random_range(0..150)));
        child.kill().unwrap();
        child.wait().unwrap();
        while acknowledged.hear(&mut said) {}
        seen.check(folder.path(), &acknowledged);
    }
    assert!(seen.batches > KILLS, "the kills must hit a vault at work: {} batches", seen.batches);
    assert!(seen.blobs > 0 && seen.anchored > 0);
}

fn spawn(folder: &Path, round: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("crash::nothing_acknowledged_is_lost_and_nothing_is_half_there")
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the child has said: batches by their number, and how far it has anchored.
#[derive(Default)]
struct Acknowledged {
    batches: BTreeMap<u64, Stored>,
    anchored: u64,
}

impl Acknowledged {
    /// Takes one line; says whether there was a whole one.
    fn hear(&mut self, said: &mut impl BufRead) -> bool {
        let mut line = String::new();
        if said.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
            return false;
        }
        let number = |word: &str| word.parse::<u64>().unwrap();
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["stored", batch, first, count] => {
                let stored = Stored { first: number(first), count: number(count) as u32 };
                self.batches.insert(number(batch), stored);
            }
            ["anchored", next] => self.anchored = number(next),
            _ => {}
        }
        true
    }
}

/// What the rounds so far have left.
#[derive(Default)]
struct Seen {
    records: u64,
    batches: u64,
    blobs: usize,
    anchored: u64,
}

impl Seen {
    fn check(&mut self, folder: &Path, acknowledged: &Acknowledged) {
        let vault = Sqlite::open(folder).unwrap();
        let counts = vault.counts().unwrap();
        let new = read_all(&vault, self.records);
        assert_eq!(counts.records, self.records + new.len() as u64, "the order has a gap");
        let mut rest = &new[..];
        let mut found = BTreeMap::new();
        while let Some(first) = rest.first() {
            let (number, size) = numbers(first);
            let (batch, others) = rest.split_at(size);
            batch.iter().enumerate().for_each(|(index, record)| check(record, number, size, index));
            found.insert(number, Stored { first: first.sequence, count: size as u32 });
            self.blobs += batch.iter().filter(|record| is_large(record)).count();
            rest = others;
        }
        for (number, stored) in &acknowledged.batches {
            assert_eq!(found.get(number), Some(stored), "batch {number} was acknowledged");
        }
        assert!(counts.anchored >= self.anchored.max(acknowledged.anchored));
        let files = fs::read_dir(folder.join("blobs")).unwrap().count();
        assert_eq!(files, self.blobs, "every blob is named, and every named blob is there");
        (self.records, self.anchored) = (counts.records, counts.anchored);
        self.batches += found.len() as u64;
    }
}

fn is_large(record: &SealedRecord) -> bool {
    record.envelope.as_bytes().len() > ROW_BYTES_MAX
}

fn read_all(vault: &Sqlite, from: u64) -> Vec<SealedRecord> {
    let mut records: Vec<SealedRecord> = Vec::new();
    loop {
        let next = from + records.len() as u64;
        let page = vault.records_from(next, 500).unwrap();
        if page.is_empty() {
            return records;
        }
        for (sequence, record) in (next..).zip(page) {
            assert_eq!(record.sequence, sequence);
            records.push(record);
        }
    }
}

/// A record says in its patient which batch it is of, and how large that is.
fn numbers(record: &SealedRecord) -> (u64, usize) {
    let patient = &record.place.patient;
    let number = u64::from_le_bytes(*patient.first_chunk().unwrap());
    (number, usize::from(patient[8]))
}

fn check(record: &SealedRecord, number: u64, size: usize, index: usize) {
    assert_eq!(record.place, place(number, size, index), "batch {number} is not whole");
    assert_eq!(open(record).bytes(), content(number, index));
    assert_eq!(open(record).commitment(), record.commitment);
}

fn write_until_killed(folder: &Path, round: u64) {
    let vault = Sqlite::open(folder).unwrap();
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (vault, next) = (&vault, &next);
            scope.spawn(move || {
                let mut rng = StdRng::seed_from_u64(round * THREADS + thread);
                loop {
                    let number = round << 32 | next.fetch_add(1, Ordering::Relaxed);
                    let stored = vault.store(batch(number, rng.random_range(1..20))).unwrap();
                    say(&format!("stored {number} {} {}", stored.first, stored.count));
                }
            });
        }
        loop {
            anchor(&vault);
        }
    });
}

fn anchor(vault: &Sqlite) {
    let waiting = vault.unanchored(64).unwrap();
    let Some((first, _)) = waiting.first() else { return };
    let commitments: Vec<_> = waiting.iter().map(|(_, commitment)| *commitment).collect();
    let count = commitments.len() as u32;
    vault.mark_anchored(*first, count, root(&commitments), 0).unwrap();
    say(&format!("anchored {}", first + u64::from(count)));
}

/// One write of whole lines; the line feed before it ends whatever the test harness has begun.
fn say(line: &str) {
    let mut out = stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn place(number: u64, size: usize, index: usize) -> Place {
    let mut patient = [0; 32];
    patient[..8].copy_from_slice(&number.to_le_bytes());
    patient[8] = size as u8;
    let mut record = [index as u8; 16];
    record[..8].copy_from_slice(&number.to_le_bytes());
    let mut scope = [0; 16];
    scope[..8].copy_from_slice(&number.to_le_bytes());
    Place { record: RecordId(record), version: 1, patient, scope: ScopeTag(scope), epoch: 0 }
}

/// One record in a hundred or so becomes a blob.
fn content(number: u64, index: usize) -> Vec<u8> {
    let large = number.is_multiple_of(10) && index == 3;
    vec![(number ^ index as u64) as u8; if large { ROW_BYTES_MAX } else { 700 }]
}

fn batch(number: u64, size: usize) -> Batch {
    let mut rng = StdRng::seed_from_u64(number);
    let records = (0..size).map(|index| {
        let (place, bytes) = (place(number, size, index), content(number, index));
        let content = vault::Content { salt: &SALT, metadata: b"", bytes: &bytes };
        let envelope = vault::seal(&KEY, &CUSTODIAN, &place, content, &mut rng).unwrap();
        NewRecord {
            place,
            commitment: content.commitment(),
            envelope,
            tokens: vec![],
            name: vec![],
        }
    });
    let Place { scope, patient, .. } = place(number, size, 0);
    let sealed = SealedScope { scope, epoch: 0, patient, seal: vec![1; 160], back: None };
    Batch {
        scopes: vec![OwnScope { sealed, wrapped: vec![2; 72] }],
        links: vec![],
        records: records.collect(),
        ..Batch::default()
    }
}
