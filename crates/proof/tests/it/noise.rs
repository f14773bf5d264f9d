//! Noise: nothing panics, and what is accepted is written back unchanged.

use std::sync::LazyLock;

use proof::{
    checkpoint::{Checkpoint, Note, NoteSignature},
    cosignature::CosignerKey,
    opening::Opening,
    policy::Policy,
    proof_file::ProofFile,
    state::StateProof,
    tree,
    verify::verify_with,
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{
    fixture::{policy, random},
    proof_file::files,
};

static POLICY: LazyLock<Policy> = LazyLock::new(policy);

/// Every parser of text, on anything.
fn read_text(text: &str) {
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_text(), text);
    }
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_text(), text);
    }
    if let Ok(line) = NoteSignature::parse(text) {
        assert_eq!(line.to_line(), text);
    }
    if let Ok(key) = CosignerKey::parse(text) {
        assert_eq!(key.to_vkey(), text);
    }
    if let Ok(file) = ProofFile::parse(text) {
        assert_eq!(file.to_text(), text);
    }
    if let Ok(policy) = Policy::parse(text) {
        let text = policy.to_string();
        assert_eq!(Policy::parse(&text).unwrap().to_string(), text);
    }
}

/// Every decoder, on anything.
fn read_bytes(bytes: &[u8]) {
    if let Ok(opening) = Opening::decode(bytes) {
        assert_eq!(opening.encode(), bytes);
        let _ = opening.leaf();
    }
    if let Ok(proof) = StateProof::decode(bytes) {
        assert_eq!(proof.encode(), bytes);
    }
    if let Ok(proof) = StateProof::from_jmt(&random("key", 0), bytes) {
        assert_eq!(StateProof::decode(&proof.encode()), Ok(proof));
    }
}

#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index, Index),
    Copy(Index, Index, Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let index = any::<Index>;
    let change = prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (index(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        (index(), index()).prop_map(|(from, to)| Change::Remove(from, to)),
        (index(), index(), index()).prop_map(|(from, to, at)| Change::Copy(from, to, at)),
    ];
    vec(change, 1..4)
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let size = bytes.len();
    let range = |from: &Index, to: &Index| {
        let (from, to) = (from.index(size + 1), to.index(size + 1));
        from.min(to)..from.max(to)
    };
    match change {
        Change::Set(at, byte) if size > 0 => bytes[at.index(size)] = *byte,
        Change::Set(_, byte) => bytes.push(*byte),
        Change::Insert(at, byte) => bytes.insert(at.index(size + 1), *byte),
        Change::Remove(from, to) => drop(bytes.drain(range(from, to))),
        Change::Copy(from, to, at) => {
            let copy = bytes[range(from, to)].to_vec();
            let at = at.index(size + 1);
            bytes.splice(at..at, copy);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_text(text in "\\PC*") {
        read_text(&text);
    }

    #[test]
    fn random_bytes(mut bytes in vec(any::<u8>(), 0..600), kind in 0u8..5) {
        read_bytes(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        read_bytes(&bytes);
    }

    #[test]
    fn changed_files(which in 0usize..4, changes in changes()) {
        let (_, file) = &files()[which];
        let mut text = file.to_text().into_bytes();
        let mut opening = file.opening.encode();
        for change in &changes {
            apply(&mut text, change);
            apply(&mut opening, change);
        }
        read_bytes(&opening);
        if let Ok(text) = String::from_utf8(text) {
            read_text(&text);
            let accepted = verify_with(&text, &POLICY).is_ok();
            // The changes may cancel out, or move a whole signature line, and nothing else.
            prop_assert!(!accepted || same_lines(&text, &file.to_text()));
        }
    }

    #[test]
    fn changed_policies(changes in changes()) {
        let mut text = policy().to_string().into_bytes();
        changes.iter().for_each(|change| apply(&mut text, change));
        if let Ok(text) = String::from_utf8(text) {
            read_text(&text);
        }
    }

    #[test]
    fn random_paths(
        index in any::<u64>(), size in any::<u64>(), path in vec(any::<[u8; 32]>(), 0..70),
    ) {
        let (hash, other) = (random("hash", 0), random("other", 0));
        prop_assert!(tree::verify_inclusion(&hash, index, size, &path, &other).is_err());
        prop_assert!(tree::verify_consistency(index, size, &path, &hash, &other).is_err());
    }
}

fn same_lines(left: &str, right: &str) -> bool {
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(String::from).collect();
        lines.sort();
        lines
    };
    sorted(left) == sorted(right)
}
