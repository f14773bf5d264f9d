//! What an export writes: NDJSON by type, in files that are not too long.

use std::{collections::BTreeMap, io, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    OpenedRecord, limits,
    sealed::{Key, Writer},
};

/// Under which heading of the manifest a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heading {
    /// Resources.
    Output,
    /// What was deleted since.
    Deleted,
    /// What is not there, and why.
    Error,
}

/// A file of an export.
#[derive(Clone, Debug)]
pub struct ExportFile {
    /// Its heading in the manifest.
    pub heading: Heading,
    /// Of which type its resources are.
    pub kind: String,
    /// Its number within the export.
    pub number: u32,
    /// How many resources it has.
    pub count: u64,
    /// How long it is, in bytes.
    pub bytes: u64,
}

/// The files in the making.
pub struct Output {
    folder: PathBuf,
    key: Key,
    open: BTreeMap<(Heading, String), Open>,
    files: Vec<ExportFile>,
    bytes: u64,
    next: u32,
}

struct Open {
    writer: Writer,
    number: u32,
    count: u64,
}

impl Output {
    /// Nothing yet, in a folder that is there.
    pub fn new(folder: PathBuf, key: Key) -> Self {
        Self { folder, key, open: BTreeMap::new(), files: Vec::new(), bytes: 0, next: 0 }
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A resource, as it is served.
    pub fn push(&mut self, record: &OpenedRecord) -> io::Result<()> {
        self.line(Heading::Output, &record.metadata.kind, &one_line(record.resolved.bytes()))
    }

    /// Resources of one patient that are not there any more, by type and id.
    pub fn push_deleted(&mut self, names: &[String]) -> io::Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let entries = names.iter().map(|name| json!({ "request": request(name) }));
        let bundle = json!({
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": entries.collect::<Vec<_>>(),
        });
        self.line(Heading::Deleted, "Bundle", bundle.to_string().as_bytes())
    }

    /// What is not there, and why.
    pub fn push_outcome(&mut self, outcome: &Value) -> io::Result<()> {
        self.line(Heading::Error, "OperationOutcome", outcome.to_string().as_bytes())
    }

    /// Ends all files; gives them by heading and type.
    pub fn finish(mut self) -> io::Result<Vec<ExportFile>> {
        for (place, open) in std::mem::take(&mut self.open) {
            self.end(place, open)?;
        }
        self.files.sort_by(|left, right| {
            let order = |file: &ExportFile| (file.heading, file.kind.clone(), file.number);
            order(left).cmp(&order(right))
        });
        Ok(self.files)
    }

    fn line(&mut self, heading: Heading, kind: &str, text: &[u8]) -> io::Result<()> {
        let place = (heading, kind.to_owned());
        let mut open = match self.open.remove(&place) {
            Some(open) => open,
            None => self.begin()?,
        };
        open.writer.write(text)?;
        open.writer.write(b"\n")?;
        open.count += 1;
        self.bytes += text.len() as u64 + 1;
        if open.writer.bytes() >= limits::EXPORT_FILE_BYTES {
            return self.end(place, open);
        }
        self.open.insert(place, open);
        Ok(())
    }

    fn begin(&mut self) -> io::Result<Open> {
        let number = self.next;
        self.next += 1;
        let writer = Writer::create(&self.folder.join(number.to_string()), &self.key, number)?;
        Ok(Open { writer, number, count: 0 })
    }

    fn end(&mut self, (heading, kind): (Heading, String), open: Open) -> io::Result<()> {
        let Open { writer, number, count } = open;
        let bytes = writer.finish()?;
        self.files.push(ExportFile { heading, kind, number, count, bytes });
        Ok(())
    }
}

fn request(name: &str) -> Value {
    json!({ "method": "DELETE", "url": name })
}

/// A resource on one line. JSON has line breaks only between its tokens, where they mean nothing,
/// so leaving them out changes no value, no number's digits and no order.
fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect()
}
