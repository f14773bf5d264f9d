//! Whole histories from seeds.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sim::{Conduct, Options, run};

/// Seeds that failed once, or that show something: one in each line, with a word about why.
const REGRESSIONS: &str = include_str!("../../seeds.txt");

#[test]
fn regression_seeds_stay_sound() {
    let seeds = REGRESSIONS.lines().filter_map(|line| line.split_whitespace().next());
    for seed in seeds.filter(|seed| !seed.starts_with('#')) {
        run(seed.parse().unwrap(), Options::default()).expect_sound();
    }
}

#[test]
fn fresh_seeds_are_sound() {
    let base = number("CARESTONE_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let hash = proof::sha256(&[&since.as_nanos().to_le_bytes()]);
        u64::from(u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]))
    });
    let most = number("CARESTONE_SEEDS").unwrap_or(u64::MAX);
    println!("base seed: CARESTONE_SEED={base}");
    let start = Instant::now();
    let mut played = 0;
    while played < most && (most < u64::MAX || start.elapsed() < BUDGET) {
        let report = run(base + played, Options::default());
        let (seed, bad) = (report.seed, report.byzantine);
        println!("{seed}: {} blocks, {} handed, {bad:?}", report.height, report.handed);
        report.expect_sound();
        played += 1;
    }
    println!("{played} seeds in {:?}", start.elapsed());
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

/// Seeds are begun for so long.
const BUDGET: Duration = Duration::from_secs(60);
