//! How many resources a second are read, validated and derived, on one core.
//!
//! ```text
//! cargo run --release -p fhir --example fhir_speed -- BUNDLE.json ...
//! ```
//! Without files it uses invented people made on the spot. Every step is timed alone over
//! all resources, best of five rounds. On Linux the time is this thread's own time on a processor, so
//! that a busy machine disturbs the figures little; elsewhere it is the time that passed.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fhir::search::parameters;
use fhir::synthetic::{Population, sample_hospitals};
use fhir::{Bundle, Resource, derive_linked, validate};

const ROUNDS: usize = 5;
const SEED: u64 = 1;
const PATIENTS: usize = 40;
const HOSPITALS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let mut texts: Vec<Bytes> = Vec::new();
    for path in &paths {
        texts.push(std::fs::read(path)?.into());
    }
    if texts.is_empty() {
        let hospitals = sample_hospitals(HOSPITALS);
        let population = Population::new(SEED, PATIENTS, &hospitals);
        let bundles = population.people().flat_map(|person| person.bundles);
        texts.extend(bundles.map(|bundle| Bytes::from(bundle.bytes)));
    }
    let bundles = texts.iter().map(|text| Bundle::parse(text.clone()));
    let bundles: Vec<Bundle> =
        bundles.collect::<Result<_, _>>().map_err(|issues| issues[0].to_string())?;
    report(&texts, &bundles);
    Ok(())
}

fn report(texts: &[Bytes], bundles: &[Bundle]) {
    let entries = || bundles.iter().flat_map(|bundle| &bundle.entries);
    let resources = || entries().filter_map(|entry| entry.exact());
    let (count, bytes) = (resources().count(), resources().map(|one| one.bytes().len()).sum());
    println!("{count} resources, {bytes} bytes, {} Bundles", texts.len());
    let step = |name: &str, work: &dyn Fn() -> usize| print(name, count, bytes, best(work));
    let cut = step("cut into entries, read and linked", &|| {
        let parse = |text: &Bytes| Bundle::parse(text.clone());
        texts.iter().map(|text| parse(text).map_or(0, |bundle| bundle.entries.len())).sum()
    });
    step("read alone", &|| {
        let read = |one: &Resource| Resource::parse(one.bytes().clone()).is_ok();
        resources().filter(|one| read(one)).count()
    });
    let validated = step("validated", &|| resources().map(|one| validate(one).len()).sum());
    let derived = step("derived", &|| {
        let entries = entries().filter_map(|entry| Some((entry.exact()?, &entry.links)));
        entries.filter(|(one, links)| derive_linked(one, links).patient.is_some()).count()
    });
    step("references resolved", &|| entries().filter_map(|entry| entry.resolved()).count());
    step("all search parameters selected", &|| {
        let select = |one: &Resource| -> usize {
            let known = parameters(Some(one.resource_type()));
            known.map(|parameter| parameter.program.select(one.value()).len()).sum()
        };
        resources().map(select).sum()
    });
    print("cut, validated and derived", count, bytes, cut + validated + derived);
}

fn best(work: &dyn Fn() -> usize) -> Duration {
    let round = |_| {
        let (wall, processor) = (Instant::now(), processor_time());
        std::hint::black_box(work());
        match (processor, processor_time()) {
            (Some(start), Some(end)) => end - start,
            _ => wall.elapsed(),
        }
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

/// How long this thread has run so far.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn print(name: &str, count: usize, bytes: usize, time: Duration) -> Duration {
    let seconds = time.as_secs_f64();
    let (per_second, megabytes) = (count as f64 / seconds, bytes as f64 / seconds / 1e6);
    println!("{name:36} {per_second:>10.0} resources/s {megabytes:>8.1} MB/s");
    time
}
