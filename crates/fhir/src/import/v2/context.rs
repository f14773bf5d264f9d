//! What the translation of one message knows throughout: its zone, its authorities, its notes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::charset::Charset;
use super::header::Header;
use super::message::{Segment, Value};
use crate::import::time::{DateTime, Stamp, Zone};
use crate::import::{Names, NotUnderstood};
use crate::systems::{is_oid, is_uri, is_uuid, local, of_oid};

/// What a node knows of a feed beyond its messages.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Gives ids.
    pub names: Names,
    /// The zone of times that name none, if MSH-7 does not name one either.
    pub zone: Zone,
    /// The character set of messages that name none and are not UTF-8.
    pub charset: Option<Charset>,
    /// URIs of assigning authorities by the name (HD.1) that the sender uses.
    pub authorities: BTreeMap<String, String>,
    /// Which messages are taken, by MSH-11: production (`P`) unless the operator says otherwise.
    pub processing: Vec<String>,
}

impl Settings {
    /// Settings of a feed about which nothing is known.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            zone: Zone::unknown(),
            charset: None,
            authorities: BTreeMap::new(),
            processing: vec!["P".to_owned()],
        }
    }
}

pub(super) struct Context<'s> {
    pub(super) settings: &'s Settings,
    pub(super) header: Header,
    pub(super) digest: String,
    zone: Zone,
    notes: RefCell<Vec<NotUnderstood>>,
}

impl<'s> Context<'s> {
    pub(super) fn new(settings: &'s Settings, header: Header, digest: String) -> Self {
        // The zone of MSH-7 holds for the whole message (chapter 2, "MSH-7").
        let own = Stamp::parse("MSH-7", &header.time).map(|stamp| stamp.zone()).unwrap_or_default();
        let zone = own.or(settings.zone.clone());
        Self { settings, header, digest, zone, notes: RefCell::default() }
    }

    /// Notes what could not be derived.
    pub(super) fn note(&self, place: String, why: impl Into<String>, value: Value<'_>) {
        let note = NotUnderstood::new(place, why, value.raw());
        let mut notes = self.notes.borrow_mut();
        if notes.len() < crate::limits::v2::NOT_UNDERSTOOD_MAX && !notes.contains(&note) {
            notes.push(note);
        }
    }

    pub(super) fn into_notes(self) -> Vec<NotUnderstood> {
        self.notes.into_inner()
    }

    /// What a table makes of a coded field. A code that the table does not have is noted.
    pub(super) fn known<T>(
        &self,
        segment: Segment<'_>,
        field: usize,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = segment.field(field);
        let found = read(&text(value)?);
        if found.is_none() {
            self.note(segment.place(field), "its code has no counterpart in FHIR", value);
        }
        found
    }

    /// A field and its unit as a Quantity. What is no number is noted.
    pub(super) fn amount(
        &self,
        segment: Segment<'_>,
        field: usize,
        unit: Value<'_>,
    ) -> Option<serde_json::Value> {
        let value = segment.field(field);
        let found = self.quantity(&text(value)?, unit);
        if found.is_none() {
            self.note(segment.place(field), "it is no number", value);
        }
        found
    }

    /// A FHIR `dateTime` of a field.
    pub(super) fn date_time(&self, segment: Segment<'_>, field: usize) -> Option<String> {
        self.date_time_of(segment, field, segment.field(field))
    }

    /// A FHIR `dateTime` of a part of a field.
    pub(super) fn date_time_of(
        &self,
        segment: Segment<'_>,
        field: usize,
        value: Value<'_>,
    ) -> Option<String> {
        self.stamp(segment, field, value, |stamp| {
            let DateTime { text, left_out } = stamp.date_time(&self.zone);
            if let Some(why) = left_out {
                self.note(segment.place(field), why.to_string(), value);
            }
            Some(text)
        })
    }

    /// A FHIR `date` of a field.
    pub(super) fn date(&self, segment: Segment<'_>, field: usize) -> Option<String> {
        self.stamp(segment, field, segment.field(field), |stamp| Some(stamp.date()))
    }

    /// A FHIR `instant` of a part of a field.
    pub(super) fn instant_of(
        &self,
        segment: Segment<'_>,
        field: usize,
        value: Value<'_>,
    ) -> Option<String> {
        self.stamp(segment, field, value, |stamp| {
            let instant = stamp.instant(&segment.place(field), &self.zone);
            instant.map_err(|error| self.note(segment.place(field), error.to_string(), value)).ok()
        })
    }

    fn stamp(
        &self,
        segment: Segment<'_>,
        field: usize,
        value: Value<'_>,
        read: impl FnOnce(Stamp<'_>) -> Option<String>,
    ) -> Option<String> {
        let text = value.text();
        if text.is_empty() {
            return None;
        }
        match Stamp::parse("", &text) {
            Ok(stamp) => read(stamp),
            Err(_) => {
                let place = segment.place(field);
                let error = Stamp::parse(&place, &text).err();
                let why = error.map(|error| error.to_string()).unwrap_or_default();
                self.note(place, why, value);
                None
            }
        }
    }

    /// The URI of an assigning authority: its universal id, or what the operator says of its name,
    /// or a URI made of its name.
    pub(super) fn authority(&self, name: &str, universal: &str, kind: &str) -> Option<String> {
        if let Some(known) = self.settings.authorities.get(name) {
            return Some(known.clone());
        }
        match kind.to_ascii_uppercase().as_str() {
            _ if is_oid(universal) => return Some(of_oid(universal).into_owned()),
            _ if is_uri(universal) => return Some(universal.to_owned()),
            _ if is_uuid(universal) => return Some(format!("urn:uuid:{universal}")),
            "DNS" if is_host(universal) => return Some(format!("http://{universal}")),
            _ => {}
        }
        let name = if name.is_empty() { universal } else { name };
        if is_oid(name) {
            return Some(of_oid(name).into_owned());
        }
        (!name.is_empty()).then(|| local(name))
    }

    /// The authority of identifiers that name none: the sender itself.
    pub(super) fn sender_authority(&self) -> String {
        let (application, facility) = &self.header.sender;
        let name = |text: &str| text.split('^').next().unwrap_or_default().to_owned();
        local(&format!("{}:{}", name(application), name(facility)))
    }

    /// An id for what is known by these words.
    pub(super) fn id(&self, resource_type: &str, words: &[&str]) -> String {
        self.settings.names.id(resource_type, words)
    }
}

/// Whether a name can stand in a URI as it is.
fn is_host(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// The text of a value, if there is one.
pub(super) fn text(value: Value<'_>) -> Option<String> {
    let text = value.text();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
