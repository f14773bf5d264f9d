//! The frozen examples in `spec/vectors`: other implementations, and our own later versions, must
//! read them. `UPDATE_VECTORS=1 cargo test -p proof` writes them anew.

use std::{fmt::Write, fs, path::PathBuf};

use proof::{
    Proven, Verified,
    checkpoint::Note,
    cosignature::{self, CosignerKey, public_key},
    policy::Policy,
    proof_file::ProofFile,
    verify,
};

use crate::{
    fixture::{Log, MEMBERS, ORIGIN, RECORD, TIME_S, policy, seed},
    proof_file::files,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors")
}

/// Compares with the frozen file, or writes it when asked to.
fn frozen(name: &str, content: &[u8]) {
    let path = folder().join(name);
    if std::env::var_os("UPDATE_VECTORS").is_some_and(|value| value == "1") {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, content).unwrap();
    }
    let stored = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(stored == content, "{name} is not what this version writes");
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Keys, signed messages and lines of each member, for one checkpoint.
fn cosignatures() -> String {
    let note = Log::of_size(3).note(&[0, 1, 3]);
    let mut text = String::new();
    for (member, name) in MEMBERS.iter().enumerate() {
        let key = CosignerKey::new(ORIGIN, &public_key(&seed(member))).unwrap();
        let time_s = TIME_S + member as u64;
        let line = cosignature::sign(&seed(member), &note.checkpoint, time_s);
        let message = cosignature::message(&note.checkpoint, time_s);
        writeln!(text, "member {name}").unwrap();
        writeln!(text, "seed {}", hex(&seed(member))).unwrap();
        writeln!(text, "vkey {}", key.to_vkey()).unwrap();
        writeln!(text, "message {}", hex(&message)).unwrap();
        writeln!(text, "line {}\n", line.to_line()).unwrap();
    }
    text
}

/// What a verifier should find in a file, one fact a line.
fn summary(verified: &Verified) -> String {
    let mut text = format!("origin {}\n", verified.origin);
    writeln!(text, "index {}\nsize {}", verified.index, verified.size).unwrap();
    for cosigner in &verified.cosigners {
        writeln!(text, "cosigner {} {}", cosigner.name, cosigner.time_s).unwrap();
    }
    let mut entries = &vec![];
    match &verified.proven {
        Proven::Record { custodian, sequence, height, commitment, digest } => {
            writeln!(text, "custodian {}\nsequence {sequence}", hex(custodian)).unwrap();
            writeln!(text, "height {height}\ncommitment {}", hex(commitment)).unwrap();
            writeln!(text, "digest {}", hex(digest)).unwrap();
        }
        Proven::Entry(entry) => writeln!(text, "entry {}", hex(entry)).unwrap(),
        Proven::Receipts { patient, height, time_ms, entries: all } => {
            writeln!(text, "patient {}\nheight {height}\ntime {time_ms}", hex(patient)).unwrap();
            entries = all;
        }
    }
    entries.iter().for_each(|entry| writeln!(text, "entry {}", hex(entry)).unwrap());
    text
}

#[test]
fn the_frozen_examples_are_what_we_write_and_verify() {
    frozen("policy.txt", policy().to_string().as_bytes());
    frozen("checkpoint.txt", Log::of_size(3).note(&[0, 1, 3]).to_text().as_bytes());
    frozen("cosignatures.txt", cosignatures().as_bytes());
    frozen("record.json", RECORD);
    for (name, file) in files() {
        frozen(&format!("{name}.tlog-proof"), file.to_text().as_bytes());
        // From here on only with what is stored.
        let text = read(&format!("{name}.tlog-proof"));
        assert_eq!(ProofFile::parse(&text).unwrap().to_text(), text);
        let verified = verify(&text, &read("policy.txt")).unwrap();
        frozen(&format!("{name}.verified.txt"), summary(&verified).as_bytes());
        assert_eq!(verified.matches_bytes(read("record.json").as_bytes()), *name == "record");
    }
    let note = Note::parse(&read("checkpoint.txt")).unwrap();
    assert_eq!(Policy::parse(&read("policy.txt")).unwrap().check(&note).unwrap().len(), 3);
}
