//! Files of many messages: `FHS BHS MSH ... MSH ... BTS FTS` (HL7 v2, chapter 2, "Batch protocol").

use std::ops::Range;

/// The messages of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchFile {
    /// The bytes of each message.
    pub messages: Vec<Range<usize>>,
    /// Bytes that belong to no message, besides the segments of the batch itself.
    pub stray: Vec<Range<usize>>,
    /// How many messages each trailer (BTS-1) announces, if it does.
    pub announced: Vec<u32>,
}

impl BatchFile {
    /// Cuts a file at each line that begins with `MSH`. A file of one message is one as well.
    ///
    /// ```
    /// use fhir::import::v2::batch::BatchFile;
    /// let file = b"BHS|^~\\&|LAB\rMSH|^~\\&|1\rPID|1\rMSH|^~\\&|2\rBTS|2\r";
    /// let batch = BatchFile::cut(file);
    /// assert_eq!(&file[batch.messages[0].clone()], b"MSH|^~\\&|1\rPID|1\r");
    /// assert_eq!((batch.messages.len(), batch.is_complete()), (2, true));
    /// ```
    pub fn cut(bytes: &[u8]) -> Self {
        let mut batch = Self { messages: Vec::new(), stray: Vec::new(), announced: Vec::new() };
        let mut is_inside = false;
        for range in lines(bytes) {
            let line =
                bytes[range.clone()].strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes[range.clone()]);
            match line.get(..3) {
                Some(b"MSH") => {
                    batch.messages.push(range);
                    is_inside = true;
                }
                Some(b"FHS" | b"BHS" | b"FTS") => is_inside = false,
                Some(b"BTS") => {
                    batch.announced.extend(count(line));
                    is_inside = false;
                }
                _ if is_inside => {
                    if let Some(message) = batch.messages.last_mut() {
                        message.end = range.end;
                    }
                }
                _ if line.trim_ascii().is_empty() => {}
                _ => batch.stray.push(range),
            }
        }
        batch
    }

    /// Whether nothing is missing: no stray lines, and as many messages as announced.
    pub fn is_complete(&self) -> bool {
        let announced: u64 = self.announced.iter().copied().map(u64::from).sum();
        self.stray.is_empty()
            && (self.announced.is_empty() || announced == self.messages.len() as u64)
    }
}

/// The lines with their ends.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let line = start..start + end.map_or(rest.len(), |end| end + 1);
        start = line.end;
        Some(line)
    })
}

fn count(trailer: &[u8]) -> Option<u32> {
    let separator = *trailer.get(3)?;
    let field = trailer[4..].split(|byte| *byte == separator).next()?;
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_cut_into_messages() {
        let file = b"FHS|^~\\&\nBHS|^~\\&\nMSH|1\r\nPID|\r\n\r\nMSH|2\nBTS|3\nFTS|1\nlost\n";
        let batch = BatchFile::cut(file);
        let messages: Vec<_> = batch.messages.iter().map(|range| &file[range.clone()]).collect();
        assert_eq!(messages, [&b"MSH|1\r\nPID|\r\n\r\n"[..], b"MSH|2\n"]);
        assert_eq!((batch.announced.as_slice(), batch.is_complete()), (&[3][..], false));
        assert_eq!(&file[batch.stray[0].clone()], b"lost\n");
        assert!(BatchFile::cut(b"").messages.is_empty() && BatchFile::cut(b"BTS").is_complete());
    }
}
