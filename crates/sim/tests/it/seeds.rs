//! Whole histories from seeds.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use sim::{Conduct, Options, Report, run};

/// Seeds that failed once, or that show something: one in each line, with a word about why.
const REGRESSIONS: &str = include_str!("../../seeds.txt");

#[test]
fn regression_seeds_stay_sound() {
    let seeds = REGRESSIONS.lines().filter_map(|line| line.split_whitespace().next());
    for seed in seeds.filter(|seed| !seed.starts_with('#')) {
        run(seed.parse().unwrap(), Options::default()).expect_sound();
    }
}

/// Plays 200 seeds that nobody has seen, on all cores; some twice, which must be the same history.
#[test]
fn fresh_seeds_are_sound() {
    let base = number("CARESTONE_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let hash = proof::sha256(&[&since.as_nanos().to_le_bytes()]);
        u64::from(u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]))
    });
    let count = number("CARESTONE_SEEDS").unwrap_or(SEEDS);
    println!("base seed: CARESTONE_SEED={base}");
    let (start, next) = (Instant::now(), AtomicU64::new(0));
    let work = || {
        let draw = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < count);
        while let Some(number) = draw() {
            let report = play(base + number);
            if (number + 1).is_multiple_of(REPEATED_EVERY) {
                let again = play(base + number);
                assert_eq!((report.hash, report.story), (again.hash, again.story));
            }
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().expect("every seed is sound; those that are not are printed above");
        }
    });
    println!("{count} seeds in {:?}", start.elapsed());
}

/// Plays a fresh seed in its own world.
fn play(seed: u64) -> Report {
    let named = Named(seed);
    let report = run(seed, Options::of(seed));
    drop(named);
    report.expect_sound();
    let Report { height, handed, byzantine, .. } = &report;
    println!("{seed}: {height} blocks, {handed} handed, {byzantine:?}");
    report
}

/// Says which seed it was if a test ends in the middle of it, for whatever reason.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            let Named(seed) = self;
            eprintln!("repeat it: CARESTONE_SEED={seed} CARESTONE_SEEDS=1 cargo test -p sim fresh");
        }
    }
}

#[test]
fn a_seed_repeats_and_another_one_differs() {
    let options = Options { steps: 4, ..Options::default() };
    let first = run(11, options);
    let again = run(11, options);
    assert_eq!((&first.hash, &first.story), (&again.hash, &again.story));
    assert_ne!(first.hash, run(12, options).hash);
}

#[test]
fn every_way_to_cheat_is_survived() {
    for (seed, conduct) in (40..).zip(Conduct::BYZANTINE) {
        let options = Options {
            byzantine: Some(conduct),
            chaos: false,
            power_cuts: 0,
            steps: 8,
            ..Options::default()
        };
        run(seed, options).expect_sound();
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Fresh seeds of one run; CARESTONE_SEEDS asks for another number.
const SEEDS: u64 = 200;

/// One in so many is played twice.
const REPEATED_EVERY: u64 = 50;
