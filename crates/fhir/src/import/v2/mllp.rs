//! MLLP, release 1 (HL7 "Transport Specification: MLLP"): `0x0B message 0x1C 0x0D` on a stream of
//! bytes. A pure codec: bytes in, frames out, whatever the pieces in which they arrive.

use crate::limits::v2::{HEAD_BYTES_MAX, MESSAGE_BYTES_MAX};

/// What a stream brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A whole message, without its frame.
    Message(Vec<u8>),
    /// A message that was longer than allowed: how it began, so that it can be answered. The rest
    /// was dropped.
    TooLong(Vec<u8>),
    /// So many bytes outside of any frame, or of a frame that never ended; they were dropped.
    Stray(usize),
}

/// Cuts a stream into messages. Never holds more than one message of the greatest length.
#[derive(Clone, Debug)]
pub struct Frames {
    frame: Vec<u8>,
    state: State,
    stray: usize,
    bytes_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Outside,
    Inside,
    /// In a frame that is too long.
    Dropping,
}

impl Default for Frames {
    fn default() -> Self {
        Self::with_limit(MESSAGE_BYTES_MAX)
    }
}

impl Frames {
    /// Messages of at most so many bytes.
    pub fn with_limit(bytes_max: usize) -> Self {
        Self { frame: Vec::new(), state: State::Outside, stray: 0, bytes_max }
    }

    /// Takes what has arrived and tells what it completed.
    ///
    /// ```
    /// use fhir::import::v2::mllp::{Frames, Received};
    /// let mut frames = Frames::default();
    /// assert!(frames.push(b"\x0bMSH|").is_empty());
    /// assert_eq!(frames.push(b"x\x1c\x0d"), [Received::Message(b"MSH|x".to_vec())]);
    /// ```
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Received> {
        let mut received = Vec::new();
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Outside => self.outside(bytes, &mut received),
                State::Inside | State::Dropping => self.inside(bytes, &mut received),
            };
        }
        received
    }

    /// Whether a message has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.state != State::Outside
    }

    /// Line ends between frames are usual; anything else is counted.
    fn outside<'b>(&mut self, bytes: &'b [u8], received: &mut Vec<Received>) -> &'b [u8] {
        let start = bytes.iter().position(|byte| *byte == START);
        let between = &bytes[..start.unwrap_or(bytes.len())];
        self.stray += between.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
        match start {
            None => &[],
            Some(start) => {
                self.begin(received);
                &bytes[start + 1..]
            }
        }
    }

    fn inside<'b>(&mut self, bytes: &'b [u8], received: &mut Vec<Received>) -> &'b [u8] {
        let end = bytes.iter().position(|byte| matches!(*byte, START | END));
        self.keep(&bytes[..end.unwrap_or(bytes.len())]);
        let Some(end) = end else { return &[] };
        if bytes[end] == START {
            // The one before never ended: its sender has begun anew.
            self.stray += self.frame.len();
            self.begin(received);
        } else {
            let frame = std::mem::take(&mut self.frame);
            received.push(match self.state {
                State::Dropping => Received::TooLong(frame),
                _ => Received::Message(frame),
            });
            self.state = State::Outside;
        }
        &bytes[end + 1..]
    }

    fn begin(&mut self, received: &mut Vec<Received>) {
        if self.stray > 0 {
            received.push(Received::Stray(std::mem::take(&mut self.stray)));
        }
        self.frame.clear();
        self.state = State::Inside;
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.state == State::Inside && self.frame.len() + bytes.len() > self.bytes_max {
            self.frame.truncate(HEAD_BYTES_MAX);
            self.frame.shrink_to_fit();
            self.state = State::Dropping;
        }
        if self.state == State::Inside {
            self.frame.extend_from_slice(bytes);
        }
    }
}

/// A message in its frame.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(message.len() + 3);
    frame.push(START);
    frame.extend_from_slice(message);
    frame.extend_from_slice(&[END, RETURN]);
    frame
}

const START: u8 = 0x0b;
const END: u8 = 0x1c;
const RETURN: u8 = 0x0d;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn messages(received: &[Received]) -> Vec<&[u8]> {
        let whole = |one: &Received| matches!(one, Received::Message(_));
        let texts = received.iter().filter(|one| whole(one)).map(|one| match one {
            Received::Message(bytes) => bytes.as_slice(),
            _ => unreachable!("filtered"),
        });
        texts.collect()
    }

    #[test]
    fn what_lies_between_frames_is_told() {
        let mut frames = Frames::default();
        let received = frames.push(b"GET /\r\n\x0bone\x1c\r\x0btwo\x1c\x0bthr\x0bfour\x1c");
        let expected = [
            Received::Stray(4),
            Received::Message(b"one".to_vec()),
            Received::Message(b"two".to_vec()),
            Received::Stray(3),
            Received::Message(b"four".to_vec()),
        ];
        assert_eq!(received, expected);
        assert!(!frames.is_inside());
    }

    #[test]
    fn a_message_that_is_too_long_is_dropped_and_the_next_is_taken() {
        let mut frames = Frames::with_limit(4);
        for _ in 0..1_000 {
            assert!(frames.push(b"\x0b12345").len() <= 1);
            assert!(frames.push(&[b'x'; 1_000]).is_empty());
            assert!(frames.frame.capacity() <= 8);
            assert_eq!(frames.push(b"\x1c\r"), [Received::TooLong(Vec::new())]);
        }
        assert_eq!(frames.push(b"\x0b1234\x1c\r"), [Received::Message(b"1234".to_vec())]);
    }

    proptest! {
        #[test]
        fn frames_do_not_depend_on_pieces(
            texts in prop::collection::vec("[ -~\r]{0,40}", 0..6),
            cuts in prop::collection::vec(1_usize..9, 0..80),
        ) {
            let stream: Vec<u8> = texts.iter().flat_map(|text| framed(text.as_bytes())).collect();
            let (mut frames, mut received, mut rest) = (Frames::default(), Vec::new(), &stream[..]);
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                received.extend(frames.push(piece));
                rest = after;
            }
            received.extend(frames.push(rest));
            let expected: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
            prop_assert_eq!(messages(&received), expected);
        }

        #[test]
        fn any_stream_is_survived(
            pieces in prop::collection::vec(prop::collection::vec(0_u8..32, 0..50), 0..20),
        ) {
            let mut frames = Frames::with_limit(16);
            for piece in pieces {
                for message in messages(&frames.push(&piece)) {
                    prop_assert!(message.len() <= 16);
                }
                prop_assert!(frames.frame.len() <= 16);
            }
            // Whatever was before, the next whole frame is heard.
            let received = frames.push(b"\x0bMSH\x1c\r");
            prop_assert_eq!(received.last(), Some(&Received::Message(b"MSH".to_vec())));
        }
    }
}
