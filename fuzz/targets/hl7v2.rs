#![no_main]
//! HL7 v2 messages: what comes out is valid, and every message gets an answer that can be read.

use fhir::import::{
    Names,
    v2::{Answered, Message, Settings, acknowledge, acknowledge_unreadable, batch, translate},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _file = batch::BatchFile::cut(bytes);
    let message = match Message::parse(bytes, None) {
        Ok(message) => message,
        Err(error) => {
            for answer in acknowledge_unreadable(bytes, error, "1", "2024") {
                assert!(Message::parse(&answer, None).is_ok());
            }
            return;
        }
    };
    let settings = Settings::new(Names::new([7; 32]));
    let answered = match translate(&message, bytes, "2024-03-01T09:00:00Z", &settings) {
        Ok(translated) => {
            for resource in &translated.understood.resources {
                assert_eq!(fhir::validate(resource), []);
            }
            Answered::Accepted
        }
        Err(faults) => Answered::by(faults),
    };
    for answer in acknowledge(&message, &answered, "1", "2024") {
        assert!(Message::parse(&answer, Some(message.charset())).is_ok());
    }
});
