//! How fast records are sealed and stored durably on this machine, and what CPU time they cost.
//!
//! `cargo run --release -p vault --example store_speed -- [FOLDER] [SECONDS]`
//!
//! Each line: what is written, records per second of wall time, and microseconds of CPU per record
//! (user and system time of the whole process). Records have 1,500 bytes, a record id, three tokens
//! and one of eight scopes per patient. The folder decides much: a real disk waits for `fsync`,
//! memory does not.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use rand::{SeedableRng, rngs::StdRng};
use vault::{Batch, Content, NewRecord, NodeKeys, OwnScope, Place, SealedScope, Sqlite, Vault};

const CUSTODIAN: [u8; 32] = [1; 32];
const CATEGORIES: u8 = 8;
const RECORD_BYTES: usize = 1_500;
/// Linux counts CPU time in hundredths of a second on every platform that matters (`USER_HZ`).
const TICK_MICROS: u64 = 10_000;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10);
    println!("{:<34} {:>12} {:>16}", "workload", "records/s", "CPU us/record");
    seal_only(Duration::from_secs(seconds))?;
    for (bundle, threads) in [(200, 1), (200, 8), (20, 8), (1, 1), (1, 8), (1, 64)] {
        stored(&folder, bundle, threads, Duration::from_secs(seconds))?;
    }
    Ok(())
}

fn seal_only(time: Duration) -> io::Result<()> {
    let mut writer = Writer::new(0);
    let (start, cpu) = (Instant::now(), cpu_micros()?);
    let mut records = 0;
    while start.elapsed() < time {
        records += writer.bundle(200).records.len() as u64;
    }
    report("seal only, 1 thread", records, start.elapsed(), cpu_micros()? - cpu);
    Ok(())
}

fn stored(folder: &Path, bundle: usize, threads: u64, time: Duration) -> io::Result<()> {
    let folder = folder.join("vault-store-speed");
    let vault = Sqlite::open(&folder).map_err(io::Error::other)?;
    let total = AtomicU64::new(0);
    let (start, cpu) = (Instant::now(), cpu_micros()?);
    thread::scope(|scope| {
        for thread in 0..threads {
            let (vault, total) = (&vault, &total);
            scope.spawn(move || {
                let mut writer = Writer::new(thread);
                while start.elapsed() < time {
                    let stored = vault.store(writer.bundle(bundle)).expect("the vault stores");
                    total.fetch_add(u64::from(stored.count), Ordering::Relaxed);
                }
            });
        }
    });
    let (elapsed, cpu) = (start.elapsed(), cpu_micros()? - cpu);
    let workload = format!("bundles of {bundle}, {threads} threads");
    report(&workload, total.into_inner(), elapsed, cpu);
    drop(vault);
    fs::remove_dir_all(folder)
}

fn report(workload: &str, records: u64, elapsed: Duration, cpu: u64) {
    let rate = records as f64 / elapsed.as_secs_f64();
    println!("{workload:<34} {rate:>12.0} {:>16.1}", cpu as f64 / records as f64);
}

/// Makes bundles; each is of a patient of its own, with a new scope per category.
struct Writer {
    keys: NodeKeys,
    rng: StdRng,
    thread: u64,
    patients: u64,
    left: usize,
}

impl Writer {
    fn new(thread: u64) -> Self {
        let rng = StdRng::seed_from_u64(thread);
        Self { keys: NodeKeys::derive(&[7; 32]), rng, thread, patients: 0, left: 0 }
    }

    /// A patient has 200 records, however they are bundled.
    fn bundle(&mut self, size: usize) -> Batch {
        let mut batch = Batch::default();
        if self.left == 0 {
            self.patients += 1;
            self.left = 200;
            batch.scopes = (0..CATEGORIES).map(|category| self.scope(category)).collect();
        }
        batch.records = (0..size.min(self.left)).map(|_| self.record()).collect();
        batch
    }

    fn patient(&self) -> [u8; 32] {
        let mut patient = [0; 32];
        patient[..8]
            .copy_from_slice(&self.patients.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        patient[8..16].copy_from_slice(&self.thread.to_be_bytes());
        patient
    }

    fn scope(&mut self, category: u8) -> OwnScope {
        let patient = self.patient();
        let scope = self.keys.scope_tag(&patient, category);
        let wrapped = self.keys.wrap_scope(scope, 0, &[3; 32], &mut self.rng);
        let sealed = SealedScope { scope, epoch: 0, patient, seal: vec![1; 160], back: None };
        OwnScope { sealed, wrapped }
    }

    fn record(&mut self) -> NewRecord {
        self.left -= 1;
        let patient = self.patient();
        let id = format!("{}-{}-{}", self.thread, self.patients, self.left);
        let place = Place {
            record: self.keys.record_id("Observation", &id),
            version: 1,
            patient,
            scope: self.keys.scope_tag(&patient, self.left as u8 % CATEGORIES),
            epoch: 0,
        };
        let bytes = [b'x'; RECORD_BYTES];
        let content = Content { salt: &[4; 32], metadata: b"Observation final", bytes: &bytes };
        let envelope = vault::seal(&[5; 32], &CUSTODIAN, &place, content, &mut self.rng)
            .expect("the record is small");
        let tokens = (0..3u8)
            .map(|number| self.keys.token("identifier", &[id.as_bytes(), &[number]]))
            .collect();
        NewRecord { place, commitment: content.commitment(), envelope, tokens, name: Vec::new() }
    }
}

/// CPU time of this process so far, from the 14th and 15th field of `/proc/self/stat`.
fn cpu_micros() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    Ok(ticks.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * TICK_MICROS)
}
