//! A process that dies at any moment loses nothing that it acknowledged, and forks nothing.
//!
//! The test runs itself again as a child, which applies a story and says each height once it is durable.
//! The parent kills it with SIGKILL at a random moment, looks at what is there, and starts the next.

use std::env;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use chain::{Block, Chain, Tip};

use crate::world::{Dice, World, on_disk};

#[test]
fn kills_at_random_moments_lose_nothing() {
    let (world, blocks) = story();
    let straight = Chain::open(None, &world.genesis).unwrap();
    let mut tips = vec![straight.tip()];
    tips.extend(straight.apply_all(&blocks).unwrap().iter().map(|applied| applied.tip));

    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(u64::from(std::process::id()));
    let mut height = 0;
    let (mut kills, mut in_full_flight) = (0, 0);
    while height < BLOCKS as u64 || kills < KILLS {
        let from = if height < BLOCKS as u64 { height } else { restart(folder.path()) };
        let pause = Duration::from_micros(dice.below(PAUSE_MICROS_MAX));
        let acknowledged = kill_after(start(folder.path()), pause).max(from);
        let chain = Chain::open(Some(folder.path()), &world.genesis).unwrap();
        height = chain.height();
        assert!(height >= acknowledged, "{acknowledged} was acknowledged, {height} is there");
        check(&chain, &tips[height as usize], &world);
        kills += 1;
        in_full_flight += usize::from(height > from && height < BLOCKS as u64);
    }
    assert!(in_full_flight >= KILLS / 4, "{in_full_flight} of {kills} hit a working process");

    let chain = Chain::open(Some(folder.path()), &world.genesis).unwrap();
    chain.apply_all(&blocks).unwrap();
    let size = straight.tip().size;
    assert_eq!(chain.tip(), straight.tip());
    assert_eq!(chain.entries(0..size).unwrap(), straight.entries(0..size).unwrap());
}

/// The child's side; does nothing when the tests are run as usual.
#[test]
fn child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let (world, blocks) = story();
    let chain = on_disk(Path::new(&folder), &world.genesis, 150);
    let mut dice = Dice(u64::from(std::process::id()));
    let mut rest = &blocks[chain.height() as usize..];
    say(chain.height());
    while !rest.is_empty() {
        let (group, later) = rest.split_at((1 + dice.below(4) as usize).min(rest.len()));
        chain.apply_all(group).unwrap();
        say(chain.height());
        world.cosign(&chain, 0..3);
        rest = later;
    }
    // Wait for the end, so that the parent's kill always meets a live process.
    sleep(Duration::from_secs(60));
}

/// Whatever block the process died in, what is there is one block of the straight history, whole.
fn check(chain: &Chain, expected: &Tip, world: &World) {
    assert_eq!(chain.tip(), *expected);
    let size = expected.size;
    assert_eq!(chain.entries(0..size).unwrap().len() as u64, size);
    assert!(chain.cosigned_size() <= size);
    if chain.cosigned_size() == 0 {
        return;
    }
    let policy = chain.policy().unwrap();
    for person in world.people.iter().take(3) {
        let file = chain.prove_receipts(person.id).unwrap().to_text();
        proof::verify(&file, &policy).unwrap();
    }
}

fn story() -> (World, Vec<Block>) {
    let mut world = World::new(60, 4);
    let blocks = (0..BLOCKS).map(|_| world.story_block(6)).collect();
    (world, blocks)
}

fn start(folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["killing::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test runs itself")
}

/// Kills the child some time after its first word; tells the last height it acknowledged.
fn kill_after(mut child: Child, pause: Duration) -> u64 {
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let first = lines.by_ref().map(|line| line.expect("text")).find_map(|line| heard(&line));
    let first = first.expect("the child says where it begins");
    sleep(pause);
    // On Unix this is SIGKILL.
    child.kill().expect("it is there to be killed");
    child.wait().expect("it ends");
    lines.map_while(Result::ok).filter_map(|line| heard(&line)).last().unwrap_or(first)
}

/// The height in a line of the child's, unless the line was cut off by its death.
fn heard(line: &str) -> Option<u64> {
    let (_, said) = line.split_once(WORD)?;
    said.strip_suffix(END)?.parse().ok()
}

fn say(height: u64) {
    let mut out = stdout().lock();
    writeln!(out, "{WORD}{height}{END}").and_then(|()| out.flush()).expect("the parent listens");
}

/// Starts from nothing again, because the story was over before there were enough kills.
fn restart(folder: &Path) -> u64 {
    for file in std::fs::read_dir(folder).expect("the folder") {
        std::fs::remove_file(file.expect("a file").path()).expect("removed");
    }
    0
}

const FOLDER: &str = "CARESTONE_CHAIN_KILL_FOLDER";
const WORD: &str = "durable ";
const END: &str = ";";
const BLOCKS: usize = 300;
const KILLS: usize = 24;
const PAUSE_MICROS_MAX: u64 = 120_000;
