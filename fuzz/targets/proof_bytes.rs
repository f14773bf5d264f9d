#![no_main]
//! Openings and state proofs: what decodes is what encodes, byte for byte.

use libfuzzer_sys::fuzz_target;
use proof::{opening::Opening, state::StateProof};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(opening) = Opening::decode(bytes) {
        assert_eq!(opening.encode(), bytes);
        let _leaf = opening.leaf();
    }
    if let Ok(state) = StateProof::decode(bytes) {
        assert_eq!(state.encode(), bytes);
        let _root = state.root(&[7; 32], Some(b"value"));
    }
});
