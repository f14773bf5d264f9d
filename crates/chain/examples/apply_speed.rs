//! What applying costs: commands a second, CPU time per command, and where it goes.
//!
//! `cargo run --release -p chain --example apply_speed -- [patients] [commands]`
//!
//! A network of four members in a SQLite store in a temporary folder; every patient has an account and a
//! grant. Then one reader opens accesses to random patients' records, in blocks of 200 and of 2,000.
//! Nothing was checked beforehand, so `check` is the whole of decoding and two signatures per command.
//! CPU time is the process's, user and system, from `/proc/self/stat`.

use std::time::{Duration, Instant};

use chain::{Block, Chain, Spent};
use world::World;

#[allow(dead_code)]
#[path = "../tests/it/world.rs"]
mod world;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number =
        |default| arguments.next().map_or(default, |text| text.parse().expect("a number"));
    let (patients, commands): (u64, usize) = (number(20_000), number(20_000) as usize);
    let mut world = World::new(1, 4);
    let folder = tempfile::tempdir().expect("a folder");
    let chain = Chain::open(Some(folder.path()), &world.genesis).expect("opens");
    found(&mut world, &chain, patients);
    println!("{patients} patients with one grant each; {} entries", chain.tip().size);
    for block_commands in [200, 2_000] {
        let blocks: Vec<Block> = (0..commands / block_commands)
            .map(|_| access_block(&mut world, block_commands))
            .collect();
        measure(&world, &chain, &blocks, block_commands);
    }
    println!("\nstore: {} KiB", folder_bytes(folder.path()) / 1024);
}

/// Opens the accounts and gives the grants.
fn found(world: &mut World, chain: &Chain, patients: u64) {
    for from in (0..patients).step_by(1_000) {
        let mut commands = Vec::new();
        for person in from..patients.min(from + 1_000) {
            commands.push(world.enrol(0).1);
            commands.push(world.grant(person as usize, 1));
        }
        chain.apply(&world.block(commands)).expect("applied");
    }
}

fn access_block(world: &mut World, commands: usize) -> Block {
    let people = world.people.len() as u64;
    let commands = (0..commands)
        .map(|_| {
            let person = world.dice.below(people) as usize;
            world.open_access(1, person)
        })
        .collect();
    world.block(commands)
}

fn measure(world: &World, chain: &Chain, blocks: &[Block], block_commands: usize) {
    let (before, cpu, started) = (chain.spent(), cpu_time(), Instant::now());
    for block in blocks {
        chain.apply(block).expect("applied");
        world.cosign(chain, 0..3);
    }
    let (wall, cpu, spent) = (started.elapsed(), cpu_time() - cpu, chain.spent());
    let commands = spent.commands - before.commands;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / commands as f64;
    let part = |of: fn(&Spent) -> Duration| each(of(&spent) - of(&before));
    println!("\nblocks of {block_commands}: {} blocks, {commands} commands", blocks.len());
    println!("  {:8.0} commands/s", commands as f64 / wall.as_secs_f64());
    println!("  {:8.1} us wall per command", each(wall));
    println!("  {:8.1} us CPU per command, all threads", each(cpu));
    println!("  {:8.1} us   check (decode, two signatures)", part(|spent| spent.check));
    println!("  {:8.1} us   rules (read, apply, encode)", part(|spent| spent.rules));
    println!("  {:8.1} us   state tree", part(|spent| spent.tree));
    println!("  {:8.1} us   durable transaction", part(|spent| spent.store));
}

/// User and system time of this process; in steps of 10 ms.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, fields) = stat.rsplit_once(") ").expect("the name in brackets");
    let ticks =
        fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks"));
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

fn folder_bytes(folder: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(folder).expect("the folder");
    files.map(|file| file.and_then(|file| file.metadata()).map_or(0, |data| data.len())).sum()
}
