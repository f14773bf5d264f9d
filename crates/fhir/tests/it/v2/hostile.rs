//! Mutated messages: never a panic, a hang (the runner ends it), or memory that grows.
//! `CARESTONE_MUTATIONS` says how many (10,000 unless it does), `CARESTONE_SEED` which.

use std::time::{Duration, Instant};

use fhir::import::v2::batch::BatchFile;
use fhir::import::v2::mllp::{Frames, Received, framed};
use fhir::import::v2::{Answered, Message, acknowledge, acknowledge_unreadable, translate};
use proptest::prelude::*;

use super::{OWN, RECEIVED, own, settings};

/// SplitMix64 (Steele et al., 2014): a few lines, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides.max(1) as u64) as usize
    }
}

/// Everything that is done with bytes from a socket.
fn exercise(bytes: &[u8]) {
    let message = match Message::parse(bytes, None) {
        Ok(message) => message,
        Err(error) => {
            for answer in acknowledge_unreadable(bytes, error, "1", "2024") {
                assert!(Message::parse(&answer, None).is_ok());
            }
            return;
        }
    };
    let answered = match translate(&message, bytes, RECEIVED, &settings()) {
        Ok(translated) => {
            for resource in &translated.understood.resources {
                assert_eq!(fhir::validate(resource), [], "{}", resource.text());
            }
            Answered::Accepted
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            Answered::by(faults)
        }
    };
    for answer in acknowledge(&message, &answered, "1", "2024") {
        let answer = Message::parse(&answer, Some(message.charset())).unwrap();
        let outcome = answer.segments().nth(1).unwrap();
        assert_eq!(outcome.name(), "MSA");
    }
}

fn mutate(seed: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.roll(6) {
        let at = dice.roll(bytes.len());
        match dice.roll(9) {
            0 if !bytes.is_empty() => bytes[at] = dice.roll(256) as u8,
            1 => bytes.insert(at, INTERESTING[dice.roll(INTERESTING.len())]),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            4 => {
                // A piece of another message.
                let start = dice.roll(other.len());
                let end = (start + dice.roll(200)).min(other.len());
                bytes.splice(at..at, other[start..end].iter().copied());
            }
            5 => {
                // A line twice, or somewhere else.
                let lines: Vec<&[u8]> = seed.split_inclusive(|byte| *byte == b'\r').collect();
                bytes.extend_from_slice(lines[dice.roll(lines.len())]);
            }
            6 => {
                let end = (at + dice.roll(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            7 => {
                let word = WORDS[dice.roll(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            _ => {
                let times = dice.roll(60);
                let byte = INTERESTING[dice.roll(INTERESTING.len())];
                bytes.splice(at..at, std::iter::repeat_n(byte, times));
            }
        }
    }
    bytes
}

#[test]
fn mutated_messages_are_survived() {
    let number = |name: &str, or: u64| {
        std::env::var(name).ok().map_or(or, |text| text.parse().expect("a number"))
    };
    let (count, seed) = (number("CARESTONE_MUTATIONS", 10_000), number("CARESTONE_SEED", 1));
    let mut seeds: Vec<Vec<u8>> = OWN.iter().map(|name| own(name)).collect();
    seeds.extend(super::samples::samples().into_iter().map(|(_, bytes)| bytes));
    let mut dice = Dice(seed);
    let (mut slowest, before) = (Duration::ZERO, resident_kib());
    for _ in 0..count {
        let (one, other) = (&seeds[dice.roll(seeds.len())], &seeds[dice.roll(seeds.len())]);
        let bytes = mutate(one, other, &mut dice);
        let start = Instant::now();
        let outcome = std::panic::catch_unwind(|| exercise(&bytes));
        slowest = slowest.max(start.elapsed());
        if outcome.is_err() {
            panic!("a message panicked: {:?}", String::from_utf8_lossy(&bytes));
        }
    }
    let grown = resident_kib().saturating_sub(before);
    println!("{count} messages from seed {seed}: slowest {slowest:?}, memory grew {grown} KiB");
    assert!(grown < 128 * 1024, "{grown} KiB");
}

/// Deep, wide and long on purpose: what costs more than in proportion to its size takes minutes,
/// and the runner ends it.
#[test]
fn shapes_that_hurt_other_readers_are_survived() {
    let head = "MSH|^~\\&|LAB|W|||2024||ORU^R01|1|P|2.5\rPID|1||4711^^^W^MR\r";
    for piece in [
        "OBX|1|NM|1^x||5\r",
        "OBX|1|NM|1^x||5||||||F|||20240230\r",
        "PID|1||4711^^^W^MR\r",
        "\\.sp9\\",
        "\\X41\\",
        "^",
        "~A",
        "&",
        "|",
        "NTE|1||x\r",
        "\r\n",
    ] {
        let text = format!(
            "{head}OBR|1||F1\rOBX|1|TX|1^x||{}",
            piece.repeat((400_000 / piece.len()).min(9_900))
        );
        exercise(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise(&bytes);
        let text = [b"MSH|^~\\&|", &bytes[..]].concat();
        exercise(&text);
        let batch = BatchFile::cut(&bytes);
        prop_assert!(batch.messages.iter().all(|range| bytes[range.clone()].starts_with(b"MSH")
            || bytes[range.clone()].starts_with(b"\xef\xbb\xbf")));
    }

    #[test]
    fn a_value_comes_out_as_it_went_in(value in "[^\\x00-\\x1f\"]{1,60}") {
        prop_assume!(!value.trim().is_empty() && value == value.trim());
        let escaped = value.replace('\\', "\\E\\").replace('|', "\\F\\").replace('^', "\\S\\")
            .replace('~', "\\R\\").replace('&', "\\T\\");
        let text = format!("MSH|^~\\&|LAB\rZZZ|{escaped}|");
        let mut frames = Frames::default();
        let received = frames.push(&framed(text.as_bytes()));
        let Some(Received::Message(bytes)) = received.first() else { panic!("one message") };
        let message = Message::parse(bytes, None).unwrap();
        prop_assert_eq!(&*message.segments().nth(1).unwrap().field(1).text(), value.as_str());
    }
}

/// Memory of this process, on Linux; elsewhere it is not watched.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

const INTERESTING: &[u8] = b"|^~&\\\r\n\"-+.:/<>= \x0b\x1c\0\xff\xc3\xe90A";

const WORDS: [&[u8]; 14] = [
    b"\r\rMSH|^~\\&|",
    b"\rPID|1||",
    b"\rOBR|1||",
    b"\rOBX|1|ED|",
    b"\rOBX|1|SN|1^x||>^1^-^2",
    b"99999999999999999999999999",
    b"\"\"",
    b"20240230",
    b"20241027023000",
    b"\\X00\\",
    b"\\.sp4294967296\\",
    b"^^^&1.2.3&ISO",
    b"2.16.840.1.113883.6.1",
    b"\rSCH|1|2||||||||||^^^20240101^20230101",
];
