#![no_main]
//! A Bundle as it is delivered.

use fhir::Bundle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = Bundle::parse(bytes.to_vec()) {
        let _errors = bundle.errors();
    }
});
