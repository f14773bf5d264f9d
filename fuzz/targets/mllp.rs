#![no_main]
//! A stream of framed messages, in whatever pieces: the frames do not depend on them.

use fhir::import::v2::mllp::{Frames, Received};
use libfuzzer_sys::fuzz_target;

fn messages(received: Vec<Received>) -> Vec<Vec<u8>> {
    let whole = received.into_iter().filter_map(|one| match one {
        Received::Message(bytes) => Some(bytes),
        _ => None,
    });
    whole.collect()
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, stream) = input;
    let whole = messages(Frames::default().push(stream));
    let mut frames = Frames::default();
    let pieces = stream.chunks(usize::from(size).max(1)).flat_map(|piece| frames.push(piece));
    assert_eq!(messages(pieces.collect()), whole);
});
