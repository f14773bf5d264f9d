//! How long ordering takes and what an idle member costs.
//!
//! `cargo run --release -p consensus --example orderer -- [members] [commands per second]`
//! starts that many members as processes on 127.0.0.1. Each submits its share of 300-byte
//! commands for 15 seconds and measures from `submit` to the end of a durable `apply`; then all
//! are idle for 20 seconds while it measures processor time and memory from `/proc`.

use consensus::{Application, Block, Fatal, Pacing, Peer, Settings, engine_key};
use futures::future::BoxFuture;
use std::{
    collections::HashMap,
    env, fs,
    fs::File,
    io::Write,
    net::TcpListener,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |at: usize, default| {
        arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    match arguments.first().map(String::as_str) {
        Some("member") => member(number(1, 0), number(2, 100), &arguments[3], &arguments[4..]),
        _ => network(number(0, 4), number(1, 100)),
    }
}

/// Starts the members and waits for them.
fn network(members: usize, per_second: usize) {
    let folder = env::temp_dir().join(format!("orderer-{}", std::process::id()));
    let held: Vec<_> = (0..members).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> =
        held.iter().map(|held| held.local_addr().unwrap().to_string()).collect();
    drop(held);
    let children: Vec<_> = (0..members)
        .map(|member| {
            Command::new(env::current_exe().unwrap())
                .args(["member", &member.to_string(), &per_second.to_string()])
                .arg(&folder)
                .args(&addresses)
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        child.wait().unwrap();
    }
    let _ = fs::remove_dir_all(folder);
}

fn member(member: usize, per_second: usize, folder: &str, addresses: &[String]) {
    let seed = |member: usize| [member as u8 + 1; 32];
    let peers = addresses.iter().enumerate();
    let peers =
        peers.map(|(at, address)| Peer { key: engine_key(&seed(at)), address: address.clone() });
    let folder = Path::new(folder).join(member.to_string());
    let listen = addresses[member].parse().unwrap();
    let mut settings =
        Settings::new(folder.clone(), seed(member), [1; 32], listen, peers.collect());
    settings.pacing = Pacing::default();
    let ledger = Arc::new(Ledger::new(&folder));
    let handle = consensus::start(settings, ledger.clone()).unwrap();
    while handle.status().height < 3 {
        thread::sleep(Duration::from_millis(20));
    }

    let (blocks, cpu, begin) = (handle.status().height, cpu_seconds(), Instant::now());
    let period = Duration::from_secs(1) * addresses.len() as u32 / per_second as u32;
    let count = (LOAD.as_secs() as usize * per_second / addresses.len()) as u32;
    for number in 0..count {
        let mut command = format!("member {member} command {number} ").into_bytes();
        command.resize(300, b'.');
        ledger.submitted.lock().unwrap().insert(command.clone(), Instant::now());
        handle.submit(command).unwrap();
        thread::sleep((begin + period * (number + 1)).saturating_duration_since(Instant::now()));
    }
    thread::sleep(Duration::from_secs(1));
    let spent = begin.elapsed().as_secs_f64();
    let blocks = handle.status().height - blocks;
    let mut taken = ledger.taken_ms.lock().unwrap().clone();
    taken.sort_by(f64::total_cmp);
    let at =
        |part: f64| taken.get((taken.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN);
    println!(
        "member {member} busy: {}/{count} ordered, p50 {:.1} ms, p95 {:.1} ms, {:.1} blocks/s, \
         cpu {:.1} %",
        taken.len(),
        at(0.5),
        at(0.95),
        blocks as f64 / spent,
        100.0 * (cpu_seconds() - cpu) / spent,
    );

    let (blocks, cpu) = (handle.status().height, cpu_seconds());
    thread::sleep(IDLE);
    println!(
        "member {member} idle: {:.2} blocks/s, cpu {:.2} %, {} MiB resident",
        (handle.status().height - blocks) as f64 / IDLE.as_secs_f64(),
        100.0 * (cpu_seconds() - cpu) / IDLE.as_secs_f64(),
        resident_mib(),
    );
    // Nobody leaves while others still measure.
    thread::sleep(Duration::from_secs(3));
}

/// Writes blocks to a file and syncs it.
struct Ledger {
    file: Mutex<File>,
    height: Mutex<u64>,
    submitted: Mutex<HashMap<Vec<u8>, Instant>>,
    taken_ms: Mutex<Vec<f64>>,
}

impl Ledger {
    fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        Self {
            file: Mutex::new(File::create(folder.with_extension("ledger")).unwrap()),
            height: Mutex::default(),
            submitted: Mutex::default(),
            taken_ms: Mutex::default(),
        }
    }
}

impl Application for Ledger {
    fn check(&self, commands: &[&[u8]]) -> Vec<bool> {
        commands.iter().map(|command| !command.is_empty()).collect()
    }

    fn apply(&self, blocks: Vec<Block>) -> Result<(), Fatal> {
        let mut file = self.file.lock().unwrap();
        for block in &blocks {
            file.write_all(&block.commands.concat()).unwrap();
        }
        file.sync_data().unwrap();
        let mut submitted = self.submitted.lock().unwrap();
        for command in blocks.iter().flat_map(|block| &block.commands) {
            if let Some(since) = submitted.remove(command) {
                self.taken_ms.lock().unwrap().push(since.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        *self.height.lock().unwrap() = blocks.last().unwrap().height;
        Ok(())
    }

    fn height(&self) -> u64 {
        *self.height.lock().unwrap()
    }

    fn members(&self, _: u64) -> Vec<Peer> {
        Vec::new()
    }

    fn answer(&self, _: [u8; 32], _: Vec<u8>) -> BoxFuture<'static, Vec<u8>> {
        Box::pin(async { Vec::new() })
    }

    fn cosignature(&self) -> Option<Vec<u8>> {
        Some(self.height().to_be_bytes().to_vec())
    }

    fn on_cosignature(&self, _: [u8; 32], _: Vec<u8>) -> Result<(), Fatal> {
        Ok(())
    }
}

/// Processor time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

const LOAD: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(20);
