//! Files that lie sealed beside the vault: those of exports, and the inputs of imports.
//!
//! Chunk `i` of a file lies at `i` times its sealed length, so nothing else has to be stored. The
//! nonce is the file's number and the chunk's: a key is drawn for each export and for each input
//! of an import, and each chunk is written once, so no nonce comes twice. How long a file is must
//! be known to whoever opens it, so a file that was cut does not open.
//!
//! *Trust:* none. Whoever edits, swaps or cuts files makes them unreadable. The key of an export
//! is nowhere but in memory; that of an import's input is in the vault, sealed, once the input is
//! there as a whole.
//!
//! They share the disk with the vault, and end before it is full: a vault that cannot write ends
//! the node.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit},
};
use zeroize::Zeroizing;

use crate::limits::{DISK_FREE_BYTES_MIN, SEALED_CHUNK_BYTES};

/// The key of one export, or of one input of an import.
pub type Key = Zeroizing<[u8; 32]>;

/// Writes one file.
pub struct Writer {
    file: File,
    chunks: Chunks,
    waiting: Zeroizing<Vec<u8>>,
    bytes: u64,
    free_min: u64,
}

impl Writer {
    /// Makes the file, which must not be there.
    pub fn create(path: &Path, key: &Key, number: u32) -> io::Result<Self> {
        let file = File::create_new(path)?;
        let waiting = Zeroizing::new(Vec::with_capacity(SEALED_CHUNK_BYTES));
        let (chunks, free_min) = (Chunks::new(key, number), DISK_FREE_BYTES_MIN);
        Ok(Self { file, chunks, waiting, bytes: 0, free_min })
    }

    /// Adds bytes; whole chunks go to the disk.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        while self.waiting.len() + bytes.len() >= SEALED_CHUNK_BYTES {
            let (fits, rest) = bytes.split_at(SEALED_CHUNK_BYTES - self.waiting.len());
            self.waiting.extend_from_slice(fits);
            self.put_chunk()?;
            bytes = rest;
        }
        self.waiting.extend_from_slice(bytes);
        Ok(())
    }

    /// How many bytes were added.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes what is left.
    pub fn finish(mut self) -> io::Result<u64> {
        self.put_rest()?;
        Ok(self.bytes)
    }

    /// Writes what is left; it is durable on return, but for the name of the file.
    pub fn finish_durably(mut self) -> io::Result<u64> {
        self.put_rest()?;
        self.file.sync_all()?;
        Ok(self.bytes)
    }

    fn put_rest(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() { Ok(()) } else { self.put_chunk() }
    }

    fn put_chunk(&mut self) -> io::Result<()> {
        // A question of a microsecond, beside sealing that takes fifty.
        let disk = rustix::fs::fstatvfs(&self.file)?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < self.free_min {
            let text = format!("its disk has less than {} bytes left", self.free_min);
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        let nonce = self.chunks.next_nonce();
        let sealed = self.chunks.cipher.encrypt(&nonce, self.waiting.as_slice());
        self.file.write_all(&sealed.map_err(|_| io::Error::other("a chunk cannot be sealed"))?)?;
        self.waiting.clear();
        Ok(())
    }
}

/// Reads one file, chunk by chunk.
pub struct Reader {
    file: File,
    chunks: Chunks,
    left: u64,
}

impl Reader {
    /// Opens a file that has so many bytes.
    pub fn open(path: &Path, key: &Key, number: u32, bytes: u64) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, chunks: Chunks::new(key, number), left: bytes })
    }

    /// Opens a file that has so many bytes at one of them.
    ///
    /// # Errors
    /// If there is no such byte, or what lies there is not what was written.
    pub fn open_at(path: &Path, key: &Key, bytes: u64, at: u64) -> io::Result<(Self, Vec<u8>)> {
        let whole = SEALED_CHUNK_BYTES as u64;
        let (chunk, inside) = (at / whole, (at % whole) as usize);
        let mut reader = Self::open(path, key, 0, bytes)?;
        reader.file.seek(SeekFrom::Start(chunk * (whole + TAG_BYTES as u64)))?;
        reader.chunks.next = chunk;
        reader.left = bytes.saturating_sub(chunk * whole);
        let mut begun = reader.next_chunk()?.unwrap_or_default();
        if inside > begun.len() {
            return Err(damaged("the file is shorter"));
        }
        begun.drain(..inside);
        Ok((reader, begun))
    }

    /// The next chunk; none at the end.
    ///
    /// # Errors
    /// If the file is not the one that was written.
    pub fn next_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.left == 0 {
            return Ok(None);
        }
        let length = self.left.min(SEALED_CHUNK_BYTES as u64);
        let mut sealed = vec![0; length as usize + TAG_BYTES];
        self.file.read_exact(&mut sealed)?;
        let nonce = self.chunks.next_nonce();
        let opened = self.chunks.cipher.decrypt(&nonce, sealed.as_slice());
        self.left -= length;
        opened.map(Some).map_err(|_| damaged("a chunk is not the one that was written"))
    }
}

/// What no other try can mend.
fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The chunks of one file, in order.
struct Chunks {
    cipher: XChaCha20Poly1305,
    file: u32,
    next: u64,
}

impl Chunks {
    fn new(key: &Key, file: u32) -> Self {
        Self { cipher: XChaCha20Poly1305::new((&**key).into()), file, next: 0 }
    }

    fn next_nonce(&mut self) -> XNonce {
        let mut nonce = [0; 24];
        nonce[..4].copy_from_slice(&self.file.to_le_bytes());
        nonce[4..12].copy_from_slice(&self.next.to_le_bytes());
        self.next += 1;
        nonce.into()
    }
}

const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(path: &Path, key: &Key, parts: &[Vec<u8>]) -> u64 {
        let mut writer = Writer::create(path, key, 7).unwrap();
        parts.iter().for_each(|part| writer.write(part).unwrap());
        writer.finish().unwrap()
    }

    fn read(path: &Path, key: &Key, number: u32, bytes: u64) -> io::Result<Vec<u8>> {
        let mut reader = Reader::open(path, key, number, bytes)?;
        let mut all = Vec::new();
        while let Some(chunk) = reader.next_chunk()? {
            all.extend(chunk);
        }
        Ok(all)
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let key = Zeroizing::new([3; 32]);
        let sizes = [
            vec![],
            vec![1],
            vec![SEALED_CHUNK_BYTES],
            vec![SEALED_CHUNK_BYTES - 1, 2, 3 * SEALED_CHUNK_BYTES + 5],
        ];
        for (number, sizes) in sizes.into_iter().enumerate() {
            let path = folder.path().join(number.to_string());
            let parts: Vec<Vec<u8>> = sizes.iter().map(|size| vec![b'q'; *size]).collect();
            let bytes = written(&path, &key, &parts);
            assert_eq!(bytes as usize, sizes.iter().sum::<usize>());
            assert_eq!(read(&path, &key, 7, bytes).unwrap(), parts.concat());
        }
    }

    #[test]
    fn a_file_is_read_from_any_byte_on() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("file"), Zeroizing::new([3; 32]));
        let whole: Vec<u8> = (0..2 * SEALED_CHUNK_BYTES + 9).map(|at| (at % 251) as u8).collect();
        let mut writer = Writer::create(&path, &key, 0).unwrap();
        writer.write(&whole).unwrap();
        let bytes = writer.finish_durably().unwrap();
        let chunk = SEALED_CHUNK_BYTES;
        for at in [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, whole.len() - 1, whole.len()] {
            let (mut reader, mut found) = Reader::open_at(&path, &key, bytes, at as u64).unwrap();
            while let Some(chunk) = reader.next_chunk().unwrap() {
                found.extend(chunk);
            }
            assert!(found == whole[at..], "{at}");
        }
        assert!(Reader::open_at(&path, &key, bytes, bytes + 1).is_err());
    }

    #[test]
    fn a_file_leaves_room_for_the_vault() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("file"), Zeroizing::new([3; 32]));
        let mut writer = Writer::create(&path, &key, 0).unwrap();
        writer.write(&vec![b'q'; 3 * SEALED_CHUNK_BYTES]).unwrap();
        writer.free_min = u64::MAX;
        let full = writer.write(&vec![b'q'; SEALED_CHUNK_BYTES]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert_eq!(path.metadata().unwrap().len() as usize, 3 * (SEALED_CHUNK_BYTES + TAG_BYTES));
    }

    #[test]
    fn a_file_that_was_touched_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let key = Zeroizing::new([3; 32]);
        let parts: Vec<Vec<u8>> = vec![vec![b'q'; 2 * SEALED_CHUNK_BYTES], vec![b'r'; 9]];
        let bytes = written(&path, &key, &parts);
        let sealed = std::fs::read(&path).unwrap();
        assert!(!sealed.windows(8).any(|window| window == b"qqqqqqqq"), "it is readable");
        assert!(read(&path, &Zeroizing::new([4; 32]), 7, bytes).is_err(), "another key");
        assert!(read(&path, &key, 8, bytes).is_err(), "another file");
        let chunk = SEALED_CHUNK_BYTES + TAG_BYTES;
        let swapped = [&sealed[chunk..2 * chunk], &sealed[..chunk], &sealed[2 * chunk..]].concat();
        let mut changed = sealed.clone();
        changed[5] ^= 1;
        for (what, touched) in
            [("cut", &sealed[..chunk]), ("swapped", &swapped), ("changed", &changed)]
        {
            std::fs::write(&path, touched).unwrap();
            assert!(read(&path, &key, 7, bytes).is_err(), "{what}");
        }
        assert!(Writer::create(&path, &key, 7).is_err(), "a file is written once");
    }
}
