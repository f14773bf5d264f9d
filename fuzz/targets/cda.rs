#![no_main]
//! C-CDA documents: what is taken is valid.

use fhir::import::{
    Names, Zone,
    cda::{Settings, translate},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let settings = Settings { names: Names::new([7; 32]), zone: Zone::unknown() };
    let Ok(translated) = translate(bytes, "2024-03-01T09:00:00Z", &settings) else { return };
    for resource in &translated.understood.resources {
        assert_eq!(fhir::validate(resource), []);
    }
});
