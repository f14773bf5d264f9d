//! Published messages of other projects. They are not part of the repository; where they are
//! missing the test says so and checks nothing.

use std::path::{Path, PathBuf};

use fhir::import::v2::batch::BatchFile;
use fhir::import::v2::{Message, translate};

use super::{RECEIVED, settings};

/// The messages of `hl7v2` beside the repository, or in `CARESTONE_DATA`.
pub(super) fn samples() -> Vec<(PathBuf, Vec<u8>)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("CARESTONE_DATA").map_or(beside, PathBuf::from).join("hl7v2");
    let Ok(folders) = std::fs::read_dir(&root) else {
        eprintln!("SKIPPED: no messages in {}: set CARESTONE_DATA", root.display());
        return Vec::new();
    };
    let mut paths = Vec::new();
    for folder in folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        paths.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "hl7"));
    paths.sort();
    let read = |path: PathBuf| (path.clone(), std::fs::read(path).unwrap());
    paths.into_iter().map(read).collect()
}

#[test]
fn published_messages_become_valid_resources() {
    let (mut messages, mut resources, mut refused) = (0, 0, Vec::new());
    for (path, file) in samples() {
        let batch = BatchFile::cut(&file);
        assert!(batch.is_complete(), "{}", path.display());
        for range in batch.messages {
            let bytes = &file[range];
            messages += 1;
            let translated = Message::parse(bytes, None)
                .map_err(|error| error.to_string())
                .and_then(|message| {
                    translate(&message, bytes, RECEIVED, &settings())
                        .map_err(|faults| faults[0].text.clone())
                });
            let translated = match translated {
                Ok(translated) => translated,
                Err(why) => {
                    refused.push(format!("{}: {why}", path.display()));
                    continue;
                }
            };
            for resource in &translated.understood.resources {
                assert_eq!(fhir::validate(resource), [], "{}: {}", path.display(), resource.text());
                let patient = fhir::derive(resource).patient;
                assert!(patient.is_some(), "{}: {}", path.display(), resource.text());
            }
            resources += translated.understood.resources.len();
        }
    }
    println!("{messages} messages, {resources} resources; refused:\n{}", refused.join("\n"));
    assert!(messages == 0 || messages > 90, "{messages}");
}
