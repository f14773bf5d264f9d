//! Published documents of other projects. They are not part of the repository; where they are
//! missing the test says so and checks nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fhir::import::cda::{ReadError, translate};

use super::{RECEIVED, settings};

/// The documents of `ccda` beside the repository, or in `CARESTONE_DATA`.
pub(super) fn samples() -> Vec<(PathBuf, Vec<u8>)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("CARESTONE_DATA").map_or(beside, PathBuf::from).join("ccda");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    if paths.is_empty() {
        eprintln!("SKIPPED: no documents in {}: set CARESTONE_DATA", root.display());
    }
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn files(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension {
            _ if path.is_dir() => files(&path, paths),
            Some(extension) if extension == "xml" || extension == "ccda" => paths.push(path),
            _ => {}
        }
    }
}

/// Half of the published samples are one section each: those are put into a document.
fn whole(file: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(file);
    let text = text.trim_start_matches('\u{feff}');
    if text.contains("<ClinicalDocument") {
        return file.to_vec();
    }
    // A declaration may stand in front of the section.
    let start = text.find("?>").map_or(0, |at| at + 2);
    let section = &text[start..];
    let section = match section
        .find("<component")
        .filter(|at| section.find("<section").is_none_or(|inside| *at < inside))
    {
        Some(_) => section.to_owned(),
        None => format!("<component>{section}</component>"),
    };
    format!(
        "<ClinicalDocument xmlns=\"urn:hl7-org:v3\" xmlns:sdtc=\"urn:hl7-org:sdtc\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><id root=\"2.999.1\"/>\
         <effectiveTime value=\"20240101120000+0000\"/><recordTarget><patientRole>\
         <id root=\"2.999.2\" extension=\"1\"/></patientRole></recordTarget>\
         <component><structuredBody>{section}</structuredBody></component></ClinicalDocument>"
    )
    .into_bytes()
}

#[test]
fn published_documents_become_valid_resources() {
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    let (mut documents, mut notes, mut refused) = (0, 0, Vec::new());
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for (path, file) in samples() {
        documents += 1;
        let translated = match translate(&whole(&file), RECEIVED, &settings()) {
            Ok(translated) => translated,
            Err(error) => {
                refused.push((path, error));
                continue;
            }
        };
        let understood = translated.understood;
        for resource in &understood.resources {
            assert_eq!(fhir::validate(resource), [], "{}: {}", path.display(), resource.text());
            let patient = fhir::derive(resource).patient;
            assert!(patient.is_some(), "{}: {}", path.display(), resource.text());
            *totals.entry(resource.type_name().to_owned()).or_default() += 1;
        }
        notes += understood.not_understood.len();
        for note in &understood.not_understood {
            *reasons.entry(note.why.clone()).or_default() += 1;
            if std::env::var_os("CARESTONE_NOTES").is_some() {
                println!("{}: {note:?}: {}", path.display(), note.text);
            }
        }
    }
    println!("{documents} documents, {notes} parts not understood: {reasons:#?}\n{totals:#?}");
    println!("refused: {refused:#?}");
    assert!(documents == 0 || documents - refused.len() > 80, "{refused:#?}");
    assert!(refused.iter().all(|(_, error)| matches!(error, ReadError::Form { .. })));
}
