#![no_main]
//! Commands and log entries: what decodes is what encodes, byte for byte.

use ledger::{Entry, SignedCommand, codec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(command) = codec::decode::<SignedCommand>(bytes) {
        assert_eq!(codec::encode(&command), bytes);
    }
    if let Ok(entry) = codec::decode::<Entry>(bytes) {
        assert_eq!(codec::encode(&entry), bytes);
    }
    let _key = ledger::Key::decode(bytes);
});
