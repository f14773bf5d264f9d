#![no_main]
//! A resource as it is delivered: its bytes stay as they are.

use fhir::Resource;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(resource) = Resource::parse(bytes.to_vec()) else { return };
    assert_eq!(resource.text().as_bytes(), bytes);
    let _issues = fhir::validate(&resource);
    let _derived = fhir::derive(&resource);
});
