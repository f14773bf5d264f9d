#![no_main]
//! Keys, seals and complaints of custody.

use custody::{Complaint, PublicKey, SealedScope};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(complaint) = Complaint::from_bytes(bytes) {
        assert_eq!(complaint.to_bytes(), bytes);
    }
    let _key = PublicKey::from_bytes(bytes);
    if let Ok(bytes) = bytes.try_into()
        && let Ok(sealed) = SealedScope::from_bytes(bytes)
    {
        assert_eq!(&sealed.to_bytes(), bytes);
    }
});
