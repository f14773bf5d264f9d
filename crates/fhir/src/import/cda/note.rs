//! Notes, pictures and whole documents that are one file.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

use super::walk::Walk;
use super::xml::Element;
use crate::import::draft::{absent, attachment};
use crate::systems::is_uri;

impl<'d> Walk<'d> {
    /// A Note Activity: text, or a file.
    pub(super) fn note_activity(&mut self, note: Element<'d>) -> Option<String> {
        let text = note.at("text");
        let content = self.content(text).or_else(|| {
            let words = self.words(text)?;
            Some(attachment("text/plain", words.as_bytes(), ""))
        })?;
        let mut draft = self.begin("DocumentReference", note);
        self.status(note);
        let (time, author) = self.authored(note);
        draft.set("status", "current").set("type", self.told(note.at("code")));
        draft.set("subject", self.subject());
        draft.set("date", time.filter(|time| time.contains('T'))).push("author", author);
        draft.push("content", json!({ "attachment": content }));
        let period = self.period(note.at("effectiveTime"));
        let encounter = [self.encounter_reference()];
        draft.set("context", json!({ "encounter": encounter, "period": period }));
        Some(self.keep(draft))
    }

    /// A file (the body of an unstructured document, a picture) as a document.
    pub(super) fn file(&mut self, file: Element<'d>) -> Option<String> {
        let content = self.content(file).or_else(|| {
            let words = file.text()?;
            Some(attachment(
                file.attribute("mediaType").unwrap_or("text/plain"),
                words.as_bytes(),
                "",
            ))
        })?;
        let title = self.root.at("title").text();
        let mut draft = self.begin("DocumentReference", file);
        let kind = self.concept(self.root.at("code"));
        draft.set("status", "current");
        draft.set("type", if kind.is_null() { absent("unknown") } else { kind });
        draft.set("subject", self.subject()).set("description", title);
        draft.push("content", json!({ "attachment": content }));
        draft.set("context", json!({ "encounter": [self.encounter_reference()] }));
        Some(self.keep(draft))
    }

    /// ED with Base64 inside or a link to elsewhere.
    fn content(&self, data: Element<'d>) -> Option<Json> {
        let media = data.attribute("mediaType").unwrap_or("application/octet-stream");
        if data.attribute("representation") == Some("B64") {
            let text = data.text()?;
            let compact: String = text.split_ascii_whitespace().collect();
            let Ok(bytes) = STANDARD.decode(compact) else {
                self.note(data, "this is not Base64: send it again");
                return None;
            };
            return Some(attachment(media, &bytes, ""));
        }
        let link = data.at("reference").attribute("value").filter(|link| !link.starts_with('#'))?;
        if is_uri(link) {
            return Some(json!({ "contentType": media, "url": link }));
        }
        self.note(data, "the file is not inside the document: send it with it");
        Some(json!({ "contentType": media, "title": link }))
    }
}
