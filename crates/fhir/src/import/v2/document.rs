//! TXA (page `segment-txa-to-documentreference`), and content of the types ED and RP.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

use super::context::text;
use super::message::{Segment, Value};
use super::tables;
use super::walk::Walk;
use crate::import::draft::Draft;

impl Walk<'_> {
    pub(super) fn txa(&mut self, txa: Segment<'_>) {
        let number = self.context.ei(txa.field(12).first(), None);
        let words = match number["value"].as_str() {
            Some(value) => {
                let system = number["system"].as_str().unwrap_or_default().to_owned();
                vec![self.patient_word(), system, value.to_owned()]
            }
            None => self.words_here(txa),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        txa.field(1).text();
        let at = self.add("DocumentReference", &words, |walk, draft| {
            draft.set("masterIdentifier", number);
            walk.document(txa, draft);
        });
        self.order.document = Some(at);
        self.order.report = None;
    }

    fn document(&mut self, txa: Segment<'_>, draft: &mut Draft) {
        let context = &self.context;
        let availability = txa.field(19).text();
        let status = match (&*context.header.event, &*availability) {
            ("T11", _) | (_, "CA") => "entered-in-error",
            (_, "OB") => "superseded",
            _ => "current",
        };
        draft.set("status", status);
        draft.set("docStatus", context.known(txa, 17, tables::document_status));
        draft.set("type", context.concept(txa.field(2).first(), Some(270)));
        draft.set("subject", self.subject());
        let date = txa.field(6);
        if date.raw().contains(['+', '-']) {
            draft.set("date", context.instant_of(txa, 6, date));
        }
        for field in [9, 5] {
            for who in txa.field(field).repetitions() {
                draft.push("author", context.xcn(who));
            }
        }
        draft.set("authenticator", context.xcn(txa.field(22).first()));
        draft.push("relatesTo", self.parent(txa));
        if let Some(title) = text(txa.field(16)).or_else(|| text(txa.field(25))) {
            draft.set("description", title);
        }
        draft.set(
            "context",
            json!({
                "encounter": [self.encounter_reference()],
                "period": { "start": context.date_time_of(txa, 4, txa.field(4).first()) },
            }),
        );
    }
}

impl Walk<'_> {
    /// The document that this one replaces or adds to (TXA-13), by what the event says. Other
    /// events name a parent without saying what of: that is left to the original.
    fn parent(&self, txa: Segment<'_>) -> Json {
        let kind = match &*self.context.header.event {
            "T09" | "T10" => "replaces",
            "T05" | "T06" => "appends",
            _ => return Json::Null,
        };
        let number = self.context.ei(txa.field(13).first(), None);
        let (Some(system), Some(value)) = (number["system"].as_str(), number["value"].as_str())
        else {
            return Json::Null;
        };
        let id = self.context.id("DocumentReference", &[&self.patient_word(), system, value]);
        let target =
            json!({ "reference": format!("DocumentReference/{id}"), "identifier": number });
        json!({ "code": kind, "target": target })
    }
}

/// ED: source, type, subtype, encoding, data. `Null` if it says nothing or cannot be decoded.
pub(super) fn encapsulated(value: Value<'_>) -> Json {
    let part = |number| value.component(number).text();
    let raw = value.component(5).raw();
    let data = match &*part(4).to_ascii_uppercase() {
        "BASE64" => {
            let compact: String = raw.split_ascii_whitespace().collect();
            STANDARD.decode(compact).ok()
        }
        "HEX" => hex_bytes(raw),
        _ => Some(part(5).into_owned().into_bytes()),
    };
    let Some(data) = data.filter(|data| !data.is_empty()) else { return Json::Null };
    part(5);
    let content_type = media_type(&part(2), &part(3));
    json!({ "contentType": content_type, "data": STANDARD.encode(&data), "size": data.len() })
}

/// RP: a pointer to where the document is, application, type, subtype.
pub(super) fn pointer(value: Value<'_>) -> Json {
    let place = value.component(1).text().into_owned();
    if place.is_empty() {
        return Json::Null;
    }
    let part = |number| value.component(number).text();
    let content_type = media_type(&part(3), &part(4));
    part(2);
    if crate::systems::is_uri(&place) {
        return json!({ "contentType": content_type, "url": place });
    }
    json!({ "contentType": content_type, "title": place })
}

/// Tables 0191 and 0291 as media types.
fn media_type(kind: &str, subtype: &str) -> String {
    let subtype = subtype.to_ascii_lowercase();
    match subtype.as_str() {
        "pdf" | "rtf" | "msword" | "json" | "zip" | "dicom" => {
            return format!("application/{subtype}");
        }
        "jpeg" | "jpg" | "png" | "gif" | "tiff" | "pict" | "bmp" => {
            return format!("image/{subtype}");
        }
        "html" | "plain" | "xml" | "sgml" => return format!("text/{subtype}"),
        _ => {}
    }
    match kind.to_ascii_lowercase().as_str() {
        "text" | "tx" | "ft" => "text/plain".to_owned(),
        "pdf" => "application/pdf".to_owned(),
        kind @ ("image" | "audio" | "video" | "application") if is_token(&subtype) => {
            format!("{kind}/{subtype}")
        }
        _ => "application/octet-stream".to_owned(),
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.+".contains(&byte))
}

fn hex_bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.trim();
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    pairs.collect::<Result<_, _>>().ok()
}
