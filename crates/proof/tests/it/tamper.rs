//! No byte of a good file can be changed, added or removed.

use proof::{policy::Policy, verify::verify_with};

use crate::{fixture::policy, proof_file::files};

fn accepts(file: &[u8], policy: &Policy) -> bool {
    std::str::from_utf8(file).is_ok_and(|file| verify_with(file, policy).is_ok())
}

/// All 255 other values of every byte. Of the notes of all files but the first, whose bytes are of
/// the same kinds, only the eight values that differ in one bit: each costs up to three signature
/// checks.
#[test]
fn every_other_value_of_every_byte_is_refused() {
    let policy = policy();
    for (place, (name, file)) in files().iter().enumerate() {
        let good = file.to_text().into_bytes();
        assert!(accepts(&good, &policy), "{name}");
        let exhaustive =
            if place == 0 { good.len() } else { good.len() - file.note.to_text().len() };
        for at in 0..good.len() {
            let mut changed = good.clone();
            let one_bit = |byte: &u8| (byte ^ good[at]).is_power_of_two();
            for byte in
                (0..=255).filter(|byte| *byte != good[at] && (at < exhaustive || one_bit(byte)))
            {
                changed[at] = byte;
                assert!(!accepts(&changed, &policy), "{name}: byte {at} as {byte:#04x}");
            }
        }
    }
}

#[test]
fn no_byte_can_be_added_or_removed() {
    let policy = policy();
    for (name, file) in files() {
        let good = file.to_text().into_bytes();
        for at in 0..=good.len() {
            for byte in [b'\n', b' ', b'0', b'A', b'=', b'\r', b'\t'] {
                let changed = [&good[..at], &[byte], &good[at..]].concat();
                assert!(!accepts(&changed, &policy), "{name}: {byte:#04x} added at {at}");
            }
            assert!(at == good.len() || !accepts(&good[..at], &policy), "{name}: cut at {at}");
        }
        for at in 0..good.len() {
            let changed = [&good[..at], &good[at + 1..]].concat();
            assert!(!accepts(&changed, &policy), "{name}: byte {at} removed");
        }
    }
}

#[test]
fn no_line_can_be_left_out_or_doubled() {
    let policy = policy();
    for (name, file) in files() {
        let good = file.to_text();
        let lines: Vec<&str> = good.split_inclusive('\n').collect();
        for at in 0..lines.len() {
            let without = [&lines[..at], &lines[at + 1..]].concat().concat();
            let doubled = [&lines[..=at], &lines[at..]].concat().concat();
            assert!(!accepts(without.as_bytes(), &policy), "{name}: line {at} left out");
            assert!(!accepts(doubled.as_bytes(), &policy), "{name}: line {at} doubled");
        }
    }
}

/// The opening's own bytes, below base64.
#[test]
fn every_bit_of_an_opening_matters() {
    for (name, file) in files() {
        let good = file.opening.encode();
        let leaf = file.opening.leaf().unwrap();
        for bit in 0..good.len() * 8 {
            let mut changed = good.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = proof::opening::Opening::decode(&changed);
            assert_ne!(changed.and_then(|opening| opening.leaf()), Ok(leaf), "{name}: bit {bit}");
        }
    }
}
