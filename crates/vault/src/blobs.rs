//! Large envelopes as files, one each, durable before a row names them.
//!
//! # System calls
//! Writing: `open(name.part, O_CREAT | O_EXCL)`, `write`, `fsync`, `rename(name.part, name)`,
//! `open(folder)`, `fsync`. Only then may a row with the name be committed. A crash in between
//! leaves a file that no row names; [`Blobs::sweep`] removes those before anything else is written.
//! Removing is `unlink` alone: if a crash undoes it, the next sweep repeats it. What is erased is
//! unlinked after its row is gone, and then the folder synced.
//!
//! *Trust:* none. Whoever edits a file is found out by the digest in its row, and before that the
//! envelope would not open; whoever removes one makes that record damaged, to be restored from a
//! copy.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use proof::Hash;

use crate::limits::ENVELOPE_BYTES_MAX;

/// A folder of blobs.
pub(crate) struct Blobs {
    folder: PathBuf,
    /// Differs at every opening of the vault, so that names are never used twice.
    generation: u64,
    next: AtomicU64,
}

/// Where a blob is, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub name: String,
    pub digest: Hash,
}

impl Blobs {
    /// Opens the folder, making it if need be.
    pub fn open(folder: PathBuf, generation: u64) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        if let Some(parent) = folder.parent() {
            sync_folder(parent)?;
        }
        Ok(Self { folder, generation, next: AtomicU64::new(0) })
    }

    /// Writes a blob under a fresh name; it is durable on return.
    pub fn write(&self, bytes: &[u8]) -> io::Result<Blob> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:016x}-{number:016x}", self.generation);
        let part = self.folder.join(format!("{name}.part"));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, self.folder.join(&name))?;
        sync_folder(&self.folder)?;
        Ok(Blob { name, digest: proof::sha256(&[bytes]) })
    }

    /// Reads a blob; `None` if it is missing or not what it was.
    pub fn read(&self, blob: &Blob) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.folder.join(&blob.name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::with_capacity(file.metadata()?.len().min(LEN_MAX) as usize);
        file.take(LEN_MAX + 1).read_to_end(&mut bytes)?;
        Ok((proof::sha256(&[&bytes]) == blob.digest).then_some(bytes))
    }

    /// Removes a blob that no row names.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    /// Removes blobs that no row names any more; durable on return.
    pub fn erase(&self, names: &[String]) -> io::Result<()> {
        for name in names {
            match self.remove(name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if names.is_empty() { Ok(()) } else { sync_folder(&self.folder) }
    }

    /// Removes every file that is not `named`; to be called before the first write. Returns how
    /// many.
    pub fn sweep<E: From<io::Error>>(
        &self,
        mut named: impl FnMut(&str) -> Result<bool, E>,
    ) -> Result<u64, E> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let keep = match name.to_str() {
                Some(name) => named(name)?,
                None => false,
            };
            if !keep {
                fs::remove_file(self.folder.join(&name))?;
                removed += 1;
            }
        }
        if removed > 0 {
            sync_folder(&self.folder)?;
        }
        Ok(removed)
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

const LEN_MAX: u64 = ENVELOPE_BYTES_MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_read_as_written_and_a_change_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path().join("blobs"), 1).unwrap();
        let blob = blobs.write(b"sealed").unwrap();
        assert_eq!(blobs.read(&blob).unwrap().unwrap(), b"sealed");
        fs::write(folder.path().join("blobs").join(&blob.name), b"sealeD").unwrap();
        assert_eq!(blobs.read(&blob).unwrap(), None);
        blobs.remove(&blob.name).unwrap();
        assert_eq!(blobs.read(&blob).unwrap(), None);
    }

    #[test]
    fn a_sweep_removes_exactly_what_is_not_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blobs");
        let blobs = Blobs::open(path.clone(), 1).unwrap();
        let kept = blobs.write(b"kept").unwrap();
        let orphan = blobs.write(b"orphan").unwrap();
        fs::write(path.join("0-0.part"), b"half").unwrap();
        let removed = blobs.sweep(|name| Ok::<_, io::Error>(name == kept.name)).unwrap();
        assert_eq!(removed, 2);
        assert!(blobs.read(&kept).unwrap().is_some());
        assert!(blobs.read(&orphan).unwrap().is_none());
    }

    #[test]
    fn names_differ_between_openings() {
        let folder = tempfile::tempdir().unwrap();
        let first = Blobs::open(folder.path().to_owned(), 1).unwrap().write(b"1").unwrap();
        let second = Blobs::open(folder.path().to_owned(), 2).unwrap().write(b"2").unwrap();
        assert_ne!(first.name, second.name);
    }
}
