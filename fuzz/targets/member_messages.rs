#![no_main]
//! What members send each other, and envelopes.

use flows::message::{Answer, Ask, Copies};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(ask) = borsh::from_slice::<Ask>(bytes) {
        assert_eq!(ask.encode(), bytes);
    }
    if let Ok(answer) = borsh::from_slice::<Answer>(bytes) {
        assert_eq!(answer.encode(), bytes);
    }
    let _copies = borsh::from_slice::<Copies>(bytes);
    if let Ok(envelope) = vault::Envelope::from_bytes(bytes.to_vec()) {
        assert_eq!(envelope.as_bytes(), bytes);
    }
});
