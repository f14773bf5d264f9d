//! Data types of the CDA as those of FHIR, after the page "Data types" of "C-CDA on FHIR".

use serde_json::{Value as Json, json};

use super::tables;
use super::walk::Walk;
use super::xml::Element;
use crate::import::draft::{absent, decimal, reference};
use crate::import::time::{DateTime, Stamp, ends_before_it_begins};
use crate::limits::cda::TRANSLATIONS_MAX;
use crate::systems::{UCUM, is_oid, is_uuid, local, of_name, of_oid};

impl Walk<'_> {
    /// TS as a `dateTime`.
    pub(super) fn date_time(&self, time: Element<'_>) -> Option<String> {
        self.stamp(time, |stamp| {
            let DateTime { text, left_out } = stamp.date_time(self.zone());
            if let Some(why) = left_out {
                self.note(time, why.to_string());
            }
            Some(text)
        })
    }

    /// TS as a `date`.
    pub(super) fn date(&self, time: Element<'_>) -> Option<String> {
        self.stamp(time, |stamp| Some(stamp.date()))
    }

    /// TS as an `instant`.
    pub(super) fn instant(&self, time: Element<'_>) -> Option<String> {
        self.stamp(time, |stamp| {
            let instant = stamp.instant("", self.zone());
            instant.map_err(|error| self.note(time, error.to_string())).ok()
        })
    }

    fn stamp(
        &self,
        time: Element<'_>,
        read: impl FnOnce(Stamp<'_>) -> Option<String>,
    ) -> Option<String> {
        let text = time.attribute("value")?;
        match Stamp::parse("effectiveTime", text) {
            Ok(stamp) => read(stamp),
            Err(error) => {
                self.note(time, error.to_string());
                None
            }
        }
    }

    /// IVL_TS as a Period; one moment is its beginning.
    pub(super) fn period(&self, time: Element<'_>) -> Json {
        let center = time.at("center");
        let (low, high) = (time.at("low"), time.at("high"));
        let start = self.date_time(low).or_else(|| self.date_time(time));
        let start = start.or_else(|| self.date_time(center));
        let end = self.date_time(high);
        let is_reversed = ends_before_it_begins(start.as_deref(), end.as_deref());
        if is_reversed && start != end {
            self.note(high, "it ends before it begins: correct one of them");
        }
        json!({ "start": start, "end": end.filter(|_| !is_reversed) })
    }

    /// The one moment, or else the beginning.
    pub(super) fn moment(&self, time: Element<'_>) -> Option<String> {
        let direct = self.date_time(time);
        direct.or_else(|| self.date_time(time.at("low"))).or_else(|| {
            let center = self.date_time(time.at("center"));
            center.or_else(|| self.date_time(time.at("high")))
        })
    }

    /// Says when, as `<name>DateTime` or `<name>Period`.
    pub(super) fn when(&self, name: &str, time: Element<'_>) -> (String, Json) {
        if time.at("high").attribute("value").is_some() || time.at("low").is_there() {
            let period = self.period(time);
            let is_moment = time.at("low").attribute("value") == time.at("high").attribute("value");
            if !is_moment {
                return (format!("{name}Period"), period);
            }
        }
        (format!("{name}DateTime"), json!(self.moment(time)))
    }

    /// CD, CE and CS as a CodeableConcept; `Null` if it says nothing.
    pub(super) fn concept(&self, code: Element<'_>) -> Json {
        let mut codings: Vec<Json> = self.coding(code).into_iter().collect();
        for translation in code.each("translation").into_iter().take(TRANSLATIONS_MAX) {
            codings.extend(self.coding(translation).filter(|coding| !codings.contains(coding)));
        }
        let display = code.attribute("displayName").map(str::to_owned);
        let text = self.words(code.at("originalText")).or(display);
        let text = text.or_else(|| {
            let first = codings.first()?;
            first["display"].as_str().map(str::to_owned)
        });
        if codings.is_empty() && text.is_none() {
            return Json::Null;
        }
        json!({ "coding": codings, "text": text })
    }

    /// As [`Walk::concept`], for an element that FHIR asks for: why it is absent, if it is.
    pub(super) fn told(&self, code: Element<'_>) -> Json {
        let concept = self.concept(code);
        if concept.is_null() { absent(tables::absent_reason(code.null_flavor())) } else { concept }
    }

    pub(super) fn coding(&self, code: Element<'_>) -> Option<Json> {
        let value = code.attribute("code")?;
        let system = self.system(code);
        Some(json!({
            "system": system,
            "version": code.attribute("codeSystemVersion"),
            "code": value.split_whitespace().collect::<Vec<_>>().join(" "),
            "display": code.attribute("displayName"),
        }))
    }

    fn system(&self, code: Element<'_>) -> Option<String> {
        let name = code.attribute("codeSystemName");
        match code.attribute("codeSystem") {
            Some(oid) if is_oid(oid) => Some(of_oid(oid).into_owned()),
            Some(uuid) if is_uuid(uuid) => Some(format!("urn:uuid:{}", uuid.to_lowercase())),
            Some(other) => Some(of_name(other).map_or_else(|| local(other), Into::into)),
            None => name.map(|name| of_name(name).map_or_else(|| local(name), Into::into)),
        }
    }

    /// ED and ST as text: written here, or by reference into the narrative.
    pub(super) fn words(&self, text: Element<'_>) -> Option<String> {
        let target = text.at("reference").attribute("value").or_else(|| text.attribute("value"));
        let referred = target.and_then(|target| self.narrative_text(target));
        referred.or_else(|| text.text())
    }

    /// II as an Identifier; `Null` if it says nothing.
    pub(super) fn identifier(&self, id: Element<'_>) -> Json {
        let Some(root) = id.attribute("root") else {
            let extension = id.attribute("extension");
            return extension.map_or(Json::Null, |value| json!({ "value": value }));
        };
        let system = match root {
            oid if is_oid(oid) => of_oid(oid).into_owned(),
            uuid if is_uuid(uuid) => format!("urn:uuid:{}", uuid.to_lowercase()),
            other => local(other),
        };
        let assigner = id.attribute("assigningAuthorityName");
        let assigner = json!({ "display": assigner });
        match id.attribute("extension") {
            Some(value) => json!({ "system": system, "value": value, "assigner": assigner }),
            None => json!({ "system": "urn:ietf:rfc:3986", "value": as_uri(&system, root) }),
        }
    }

    /// All identifiers of a thing.
    pub(super) fn identifiers(&self, thing: Element<'_>) -> Vec<Json> {
        let all = thing.each("id").into_iter().map(|id| self.identifier(id));
        all.filter(|one| one["value"].is_string()).collect()
    }

    /// PN, ON and TN as a HumanName.
    pub(super) fn human_name(&self, name: Element<'_>) -> Json {
        let parts = |part: &str| -> Vec<String> {
            name.each(part).into_iter().filter_map(Element::text).collect()
        };
        let family = parts("family").join(" ");
        // What somebody is called (qualifier `CL`) is no pseudonym.
        let calls = |part: &Element<'_>| part.attribute("qualifier") == Some("CL");
        let usage = name.attribute("use").and_then(|codes| first_of(codes, tables::name_use));
        let usage = match usage {
            Some("anonymous") if name.each("given").iter().any(calls) => Some("nickname"),
            usage => usage,
        };
        let text = if name.elements().next().is_none() { name.text() } else { None };
        json!({
            "use": usage,
            "text": text,
            "family": family,
            "given": parts("given"),
            "prefix": parts("prefix"),
            "suffix": parts("suffix"),
            "period": self.period(name.at("validTime")),
        })
    }

    /// A name as people write it: prefix, given, family, suffix.
    pub(super) fn display(&self, name: Element<'_>) -> Option<String> {
        name.text()
    }

    /// AD as an Address.
    pub(super) fn address(&self, address: Element<'_>) -> Json {
        let part = |name: &str| address.at(name).text();
        let lines: Vec<String> =
            address.each("streetAddressLine").into_iter().filter_map(Element::text).collect();
        let usage = address.attribute("use");
        let text = if address.elements().next().is_none() { address.text() } else { None };
        let (district, period) = (part("county"), address.at("useablePeriod"));
        json!({
            "use": usage.and_then(|codes| first_of(codes, tables::address_use)),
            "type": usage.filter(|codes| codes.contains("PST")).map(|_| "postal"),
            "text": text,
            "line": lines,
            "city": part("city"),
            "district": district,
            "state": part("state"),
            "postalCode": part("postalCode"),
            "country": part("country"),
            "period": self.period(period),
        })
    }

    /// TEL as a ContactPoint; `Null` if it says nothing.
    pub(super) fn contact(&self, telecom: Element<'_>) -> Json {
        let Some(value) = telecom.attribute("value") else { return Json::Null };
        let (scheme, rest) = value.split_once(':').unwrap_or(("", value));
        let (system, value) = match scheme.to_ascii_lowercase().as_str() {
            "tel" if telecom.attribute("use") == Some("PG") => ("pager", rest),
            "tel" => ("phone", rest),
            "fax" | "x-text-fax" => ("fax", rest),
            "mailto" => ("email", rest),
            "sms" => ("sms", rest),
            "http" | "https" | "ftp" => ("url", value),
            "" if value.contains('@') => ("email", value),
            "" => ("phone", value),
            _ => ("other", value),
        };
        let usage = telecom.attribute("use");
        json!({
            "system": system,
            "value": value.trim(),
            "use": usage.and_then(|codes| first_of(codes, tables::contact_use)),
            "period": self.period(telecom.at("useablePeriod")),
        })
    }

    /// Names, addresses and telecoms as elements of a Patient, Practitioner or RelatedPerson.
    pub(super) fn contacts(&self, role: Element<'_>) -> (Vec<Json>, Vec<Json>) {
        let telecoms = role.each("telecom").into_iter().map(|one| self.contact(one)).collect();
        let addresses = role.each("addr").into_iter().map(|one| self.address(one)).collect();
        (telecoms, addresses)
    }

    /// PQ as a Quantity; `None` if it has no number.
    pub(super) fn quantity(&self, quantity: Element<'_>) -> Option<Json> {
        let value = quantity.attribute("value").and_then(decimal);
        let Some(value) = value else {
            return self.translated_quantity(quantity);
        };
        let mut told = unit(quantity.attribute("unit"));
        told["value"] = value;
        Some(told)
    }

    /// A number in a unit that UCUM does not know: it stands in a translation, with its words.
    fn translated_quantity(&self, quantity: Element<'_>) -> Option<Json> {
        let translation = quantity.at("translation");
        let value = translation.attribute("value").and_then(decimal)?;
        let words = self.words(translation.at("originalText"));
        let words = words.or_else(|| translation.attribute("displayName").map(str::to_owned));
        let code = translation.attribute("code");
        let unit = words.or_else(|| code.map(str::to_owned));
        let system = code.and_then(|_| self.system(translation));
        Some(json!({ "value": value, "unit": unit, "system": system, "code": code }))
    }

    /// IVL_PQ with one end as a Quantity with a comparator.
    pub(super) fn bound(&self, interval: Element<'_>) -> Option<Json> {
        let (low, high) = (interval.at("low"), interval.at("high"));
        let (end, inclusive, exclusive) =
            if low.attribute("value").is_some() { (low, ">=", ">") } else { (high, "<=", "<") };
        let mut quantity = self.quantity(end)?;
        let is_exclusive = end.attribute("inclusive") == Some("false");
        quantity["comparator"] = json!(if is_exclusive { exclusive } else { inclusive });
        Some(quantity)
    }

    /// IVL_PQ as a Range; `None` without any end.
    pub(super) fn range(&self, interval: Element<'_>) -> Option<Json> {
        let (low, high) = (self.quantity(interval.at("low")), self.quantity(interval.at("high")));
        (low.is_some() || high.is_some()).then(|| json!({ "low": low, "high": high }))
    }

    /// RTO as a Ratio.
    pub(super) fn ratio(&self, ratio: Element<'_>) -> Option<Json> {
        let part = |name: &str| self.quantity(ratio.at(name));
        let (numerator, denominator) = (part("numerator")?, part("denominator")?);
        Some(json!({ "numerator": numerator, "denominator": denominator }))
    }

    /// The patient of the document.
    pub(super) fn subject(&self) -> Json {
        reference(self.patient())
    }
}

/// A unit of UCUM, as all units of the CDA are; words that cannot be a code stay words.
pub(super) fn unit(unit: Option<&str>) -> Json {
    let code = unit.filter(|unit| unit.bytes().all(|byte| byte.is_ascii_graphic()));
    json!({ "unit": unit, "system": code.map(|_| UCUM), "code": code })
}

/// Several codes may stand in one attribute: the first that is known.
fn first_of(codes: &str, table: fn(&str) -> Option<&'static str>) -> Option<&'static str> {
    codes.split_whitespace().find_map(table)
}

/// The URI of something that is known by its root alone.
fn as_uri(system: &str, root: &str) -> String {
    if is_oid(root) { format!("urn:oid:{root}") } else { system.to_owned() }
}
