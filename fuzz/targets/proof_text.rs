#![no_main]
//! What a verifier reads: proof files, notes with cosignatures, policies, keys.

use libfuzzer_sys::fuzz_target;
use proof::{
    checkpoint::{Checkpoint, Note},
    cosignature::CosignerKey,
    policy::Policy,
    proof_file::ProofFile,
};

fuzz_target!(|text: &str| {
    if let Ok(file) = ProofFile::parse(text) {
        assert_eq!(ProofFile::parse(&file.to_text()).as_ref(), Ok(&file));
    }
    if let Ok(note) = Note::parse(text) {
        assert_eq!(Note::parse(&note.to_text()).as_ref(), Ok(&note));
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(Checkpoint::parse(&checkpoint.to_text()).as_ref(), Ok(&checkpoint));
    }
    if let Ok(key) = CosignerKey::parse(text) {
        assert_eq!(CosignerKey::parse(&key.to_vkey()).map(|key| key.bytes()), Ok(key.bytes()));
    }
    let _policy = Policy::parse(text);
});
