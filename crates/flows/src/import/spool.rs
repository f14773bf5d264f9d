//! The inputs of an import, on disk until all of it is filed: sealed as they come in, read line by
//! line.
//!
//! The key of a file is drawn when it is begun and kept, sealed, with the import once the file is
//! durable as a whole. What a crash leaves half done nobody can read, and the next start removes.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use zeroize::Zeroizing;

use super::state::Place;
use crate::{
    Member,
    limits::{IMPORT_LINE_BYTES_MAX, SEALED_CHUNK_BYTES},
    sealed::{Key, Reader, Writer},
    words::hex,
};

/// An input that is here. If no import takes it, it goes.
pub struct Spooled {
    file: Option<SpoolFile>,
    path: PathBuf,
}

impl Spooled {
    /// Where it is: from now on it stays.
    pub(super) fn take(&mut self) -> Option<SpoolFile> {
        self.file.take()
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        if self.file.is_some() {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where an input lies, and what opens it.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub(super) struct SpoolFile {
    name: [u8; 16],
    key: [u8; 32],
    bytes: u64,
}

/// Why an input is not here.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It broke off, or it is packed and cannot be unpacked.
    #[error("the input broke off: {0}")]
    Broken(io::Error),
    /// There is more than one import may have.
    #[error("an import has at most {0} bytes, unpacked: send it in parts")]
    TooLong(u64),
    /// The disk does not take it, or would leave the vault too little.
    #[error("the input cannot be kept: {0}")]
    Disk(io::Error),
    /// Nobody wants it any more.
    #[error("the import was given up")]
    GivenUp,
}

impl SpoolError {
    /// For a log. What an input that is fetched broke off with may name its address.
    pub(super) fn for_log(&self) -> String {
        match self {
            SpoolError::Broken(error) => format!("the input broke off: {}", error.kind()),
            error => error.to_string(),
        }
    }

    /// Whether another try may come to another end.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            SpoolError::Broken(_) => true,
            SpoolError::Disk(error) => error.kind() != io::ErrorKind::StorageFull,
            SpoolError::TooLong(_) | SpoolError::GivenUp => false,
        }
    }
}

impl SpoolFile {
    pub fn name(&self) -> String {
        hex(&self.name)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn key(&self) -> Key {
        Zeroizing::new(self.key)
    }
}

/// Keeps an input: it is durable on return, and nothing of it is left after an error.
pub(super) fn keep(
    member: &Member,
    folder: &Path,
    input: impl Read,
    bytes_max: u64,
    is_given_up: &dyn Fn() -> bool,
) -> Result<Spooled, SpoolError> {
    let mut file = SpoolFile { name: member.world.draw(), key: member.world.draw(), bytes: 0 };
    let path = folder.join(file.name());
    match write(&path, &file.key(), input, bytes_max, is_given_up) {
        Ok(bytes) => {
            file.bytes = bytes;
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(SpoolError::Disk)?;
            Ok(Spooled { file: Some(file), path })
        }
        Err(error) => {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

fn write(
    path: &Path,
    key: &Key,
    input: impl Read,
    bytes_max: u64,
    is_given_up: &dyn Fn() -> bool,
) -> Result<u64, SpoolError> {
    let mut writer = Writer::create(path, key, 0).map_err(SpoolError::Disk)?;
    let mut input = unpacked(input).map_err(SpoolError::Broken)?;
    let mut chunk = Zeroizing::new(vec![0; SEALED_CHUNK_BYTES]);
    loop {
        if is_given_up() {
            return Err(SpoolError::GivenUp);
        }
        let read = match input.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(SpoolError::Broken)?,
        };
        if read == 0 {
            return writer.finish_durably().map_err(SpoolError::Disk);
        }
        if writer.bytes() + read as u64 > bytes_max {
            return Err(SpoolError::TooLong(bytes_max));
        }
        writer.write(&chunk[..read]).map_err(SpoolError::Disk)?;
    }
}

/// The input itself, or what is packed in it: NDJSON never begins like gzip (RFC 1952).
fn unpacked<'i>(mut input: impl Read + 'i) -> io::Result<Box<dyn Read + 'i>> {
    let mut start = Vec::new();
    input.by_ref().take(GZIP.len() as u64).read_to_end(&mut start)?;
    let is_packed = start == GZIP;
    let whole = io::Cursor::new(start).chain(input);
    Ok(if is_packed {
        Box::new(MultiGzDecoder::new(BufReader::new(whole)))
    } else {
        Box::new(whole)
    })
}

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A line of an input.
pub(super) struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// Where the next line begins.
    pub end: u64,
    /// Its text without the white space around it; none if it is too long.
    pub text: Option<Bytes>,
}

/// The lines of an input from one of them on; empty ones are passed over.
pub(super) struct LineReader {
    reader: Reader,
    chunk: Vec<u8>,
    /// How much of the chunk was read.
    read: usize,
    offset: u64,
    line: u64,
}

impl LineReader {
    pub fn open(folder: &Path, file: &SpoolFile, place: Place) -> io::Result<Self> {
        let path = folder.join(file.name());
        let (offset, line) = (place.offset, place.line);
        let (reader, chunk) = Reader::open_at(&path, &file.key(), file.bytes, offset)?;
        Ok(Self { reader, chunk, read: 0, offset, line })
    }

    /// The next line that is not empty; none at the end.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        while let Some(text) = self.any_line()? {
            let text = text.map(|text| trimmed(text, self.line == 1));
            if text.as_ref().is_none_or(|text| !text.is_empty()) {
                return Ok(Some(Line { number: self.line, end: self.offset, text }));
            }
        }
        Ok(None)
    }

    /// The next line; of one that is too long nothing is kept.
    fn any_line(&mut self) -> io::Result<Option<Option<Vec<u8>>>> {
        let mut text = Vec::new();
        let begun = self.offset;
        loop {
            if self.read == self.chunk.len() {
                (self.chunk, self.read) = (self.reader.next_chunk()?.unwrap_or_default(), 0);
                match self.chunk.is_empty() {
                    true if self.offset == begun => return Ok(None),
                    true => break,
                    false => {}
                }
            }
            let rest = &self.chunk[self.read..];
            let end = rest.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(rest.len(), |end| end + 1);
            let room = (IMPORT_LINE_BYTES_MAX + 1).saturating_sub(text.len());
            text.extend_from_slice(&rest[..taken.min(room)]);
            self.read += taken;
            self.offset += taken as u64;
            if end.is_some() {
                break;
            }
        }
        self.line += 1;
        Ok(Some((text.len() <= IMPORT_LINE_BYTES_MAX).then_some(text)))
    }
}

fn trimmed(text: Vec<u8>, is_first: bool) -> Bytes {
    let text = Bytes::from(text);
    let start =
        if is_first && text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    text.slice_ref(text[start..].trim_ascii())
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    /// Keeps an input as an import does.
    fn kept(folder: &Path, input: &[u8]) -> Result<SpoolFile, SpoolError> {
        let mut file = SpoolFile { name: [7; 16], key: [3; 32], bytes: 0 };
        let path = folder.join(file.name());
        let _ = fs::remove_file(&path);
        file.bytes = write(&path, &file.key(), input, 1 << 20, &|| false)?;
        Ok(file)
    }

    fn lines_from(folder: &Path, file: &SpoolFile, place: Place) -> Vec<(u64, u64, String)> {
        let mut reader = LineReader::open(folder, file, place).unwrap();
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            let text = String::from_utf8(line.text.unwrap().to_vec()).unwrap();
            lines.push((line.number, line.end, text));
        }
        lines
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn lines_are_read_from_any_of_them_on() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(2 * SEALED_CHUNK_BYTES);
        let text = format!("\u{feff}one\r\n\n \t\n{long}\nlast");
        for input in [text.as_bytes().to_vec(), packed(text.as_bytes())] {
            let file = kept(folder.path(), &input).unwrap();
            let lines = lines_from(folder.path(), &file, Place::default());
            let said: Vec<(u64, &str)> =
                lines.iter().map(|(number, _, text)| (*number, text.as_str())).collect();
            assert_eq!(said, [(1, "one"), (4, long.as_str()), (5, "last")]);
            for (at, (number, end, _)) in lines.iter().enumerate() {
                let place = Place { offset: *end, line: *number, ..Place::default() };
                assert_eq!(lines_from(folder.path(), &file, place), lines[at + 1..]);
            }
        }
        let nothing = kept(folder.path(), b"").unwrap();
        assert_eq!(lines_from(folder.path(), &nothing, Place::default()), []);
    }

    #[test]
    fn what_breaks_off_or_is_too_long_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let whole = packed(&b"some line\n".repeat(999));
        let broken = kept(folder.path(), &whole[..whole.len() - 9]);
        assert!(matches!(broken, Err(SpoolError::Broken(_))));
        // A small input that unpacks to a large one.
        let bomb = packed(&vec![b' '; 2 << 20]);
        assert!(matches!(kept(folder.path(), &bomb), Err(SpoolError::TooLong(_))));
        let two = [packed(b"one\n"), packed(b"two\n")].concat();
        let file = kept(folder.path(), &two).unwrap();
        assert_eq!(lines_from(folder.path(), &file, Place::default()).len(), 2, "members of gzip");
    }
}
