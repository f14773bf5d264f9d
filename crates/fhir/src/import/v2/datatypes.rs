//! Data types of HL7 v2 as those of FHIR, after the pages "Datatype Maps" of the implementation
//! guide "HL7 Version 2 to FHIR" (`datatype-cx-to-identifier` and so on).

use serde_json::{Value as Json, json};

use super::context::{Context, text};
use super::message::{Segment, Value};
use super::tables;
use crate::import::draft::decimal;
pub(super) use crate::import::draft::{code, told, unknown};
use crate::import::time::ends_before_it_begins;
use crate::systems::{UCUM, local, of_name, of_table};

impl Context<'_> {
    /// CX to Identifier.
    pub(super) fn cx(&self, segment: Segment<'_>, field: usize, value: Value<'_>) -> Json {
        let Some(id) = text(value.component(1)) else { return Json::Null };
        let authority = value.component(4);
        let kind = text(value.component(5));
        let kind =
            kind.map(|code| json!({ "coding": [{ "system": of_table(203), "code": code }] }));
        let assigner = text(value.component(6)).or_else(|| text(authority.subcomponent(1)));
        json!({
            "type": kind,
            "system": self.hd(authority).unwrap_or_else(|| self.sender_authority()),
            "value": id,
            "period": self.period(segment, field, value.component(7), value.component(8)),
            "assigner": { "display": assigner },
        })
    }

    /// EI, whose authority is spread over components 2 to 4, to Identifier.
    pub(super) fn ei(&self, value: Value<'_>, kind: Option<&str>) -> Json {
        let Some(id) = text(value.component(1)) else { return Json::Null };
        let part = |number| value.component(number).text();
        let system = self.authority(&part(2), &part(3), &part(4));
        let kind =
            kind.map(|code| json!({ "coding": [{ "system": of_table(203), "code": code }] }));
        json!({
            "type": kind,
            "system": system.unwrap_or_else(|| self.sender_authority()),
            "value": id,
        })
    }

    /// HD inside a component to a URI.
    pub(super) fn hd(&self, value: Value<'_>) -> Option<String> {
        let part = |number| value.subcomponent(number).text();
        self.authority(&part(1), &part(2), &part(3))
    }

    /// CWE, CE, CNE and coded ID or IS (with the table they are of) to CodeableConcept.
    pub(super) fn concept(&self, value: Value<'_>, table: Option<u16>) -> Json {
        let codings: Vec<Json> = [(1, 2, 3, 7), (4, 5, 6, 8)]
            .iter()
            .filter_map(|at| self.coding(value, *at, table))
            .collect();
        let original = text(value.component(9));
        let plain = text(value.component(2)).or_else(|| text(value.component(5)));
        json!({ "coding": codings, "text": original.or(plain) })
    }

    /// All repetitions as concepts.
    pub(super) fn concepts(&self, field: Value<'_>, table: Option<u16>) -> Vec<Json> {
        field.repetitions().map(|value| self.concept(value, table)).collect()
    }

    fn coding(
        &self,
        value: Value<'_>,
        (code, display, system, version): (usize, usize, usize, usize),
        table: Option<u16>,
    ) -> Option<Json> {
        let code = text(value.component(code))?;
        let named = text(value.component(system));
        let system = match &named {
            Some(name) => Some(of_name(name).map_or_else(|| local(name), Into::into)),
            None => table.map(of_table),
        };
        // The version of a table of HL7 is that of the standard, and says nothing.
        let version = text(value.component(version))
            .filter(|_| !named.as_deref().is_some_and(|name| name.starts_with("HL7")));
        let display = text(value.component(display));
        Some(json!({ "system": system, "version": version, "code": code, "display": display }))
    }

    /// XPN to HumanName.
    pub(super) fn xpn(&self, segment: Segment<'_>, field: usize, value: Value<'_>) -> Json {
        let family = value.component(1);
        let part = |number| text(value.component(number));
        let usage = part(7);
        let start = value.component(12);
        json!({
            "use": usage.as_deref().and_then(tables::name_use),
            "family": text(family.subcomponent(1)).map(|own| {
                let prefix = text(family.subcomponent(2)).filter(|prefix| !own.starts_with(prefix));
                prefix.map_or(own.clone(), |prefix| format!("{prefix} {own}"))
            }),
            "given": [part(2), part(3)],
            "prefix": [part(5)],
            "suffix": [part(4), part(6)],
            "period": self.period(segment, field, start, value.component(13)),
        })
    }

    /// XAD to Address.
    pub(super) fn xad(&self, segment: Segment<'_>, field: usize, value: Value<'_>) -> Json {
        let part = |number| text(value.component(number));
        let street = value.component(1);
        let own = text(street.subcomponent(1));
        let parts = [text(street.subcomponent(3)), text(street.subcomponent(2))];
        // SAD: the whole line, or else house number and street.
        let street =
            own.unwrap_or_else(|| parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
        let kind = part(7);
        json!({
            "use": kind.as_deref().and_then(tables::address_use),
            "type": kind.as_deref().and_then(tables::address_type),
            "line": [Some(street), part(2), part(8)],
            "city": part(3),
            "district": part(9),
            "state": part(4),
            "postalCode": part(5),
            "country": part(6),
            "period": self.period(segment, field, value.component(13), value.component(14)),
        })
    }

    /// XTN to ContactPoint; `usage` where the field itself says it.
    pub(super) fn xtn(&self, value: Value<'_>, usage: Option<&str>) -> Json {
        let part = |number| text(value.component(number));
        let (code, equipment) = (part(2), part(3));
        let email = part(4);
        let number = part(1).or_else(|| part(12)).or_else(|| {
            let parts = [part(5).map(|code| format!("+{code}")), part(6), part(7)];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        });
        let is_net = matches!(code.as_deref(), Some("NET"))
            || matches!(equipment.as_deref(), Some("Internet" | "INTERNET" | "X.400"));
        let (kind, contact) = match (email, number) {
            (Some(email), None) => ("email", Some(email)),
            (Some(email), Some(_)) if is_net => ("email", Some(email)),
            (None, Some(number)) if is_net && number.contains('@') => ("email", Some(number)),
            (_, number) => (tables::telecom_system(equipment.as_deref()), number),
        };
        if contact.is_none() {
            return Json::Null;
        }
        let extension = part(8).map(|extension| format!(" ext. {extension}")).unwrap_or_default();
        let is_mobile = equipment.as_deref() == Some("CP");
        let usage = code.as_deref().and_then(tables::telecom_use).or(usage);
        json!({
            "system": kind,
            "value": contact.map(|contact| contact + &extension),
            "use": if is_mobile { Some("mobile") } else { usage },
        })
    }

    /// XCN (or CNN in an older NDL) to a reference to a practitioner, by identifier and name: who
    /// they are at the sender is all that a message says.
    pub(super) fn xcn(&self, value: Value<'_>) -> Json {
        if value.is_empty() {
            return Json::Null;
        }
        let part = |number| text(value.component(number));
        let family = text(value.component(2).subcomponent(1));
        let names = [part(6), part(3), part(4), family, part(5), part(7)];
        let names: Vec<String> = names.into_iter().flatten().collect();
        let identifier = part(1).map(|id| {
            let system = self.hd(value.component(9)).unwrap_or_else(|| self.sender_authority());
            let kind = part(13);
            let kind =
                kind.map(|code| json!({ "coding": [{ "system": of_table(203), "code": code }] }));
            json!({ "type": kind, "system": system, "value": id })
        });
        json!({ "type": "Practitioner", "identifier": identifier, "display": names.join(" ") })
    }

    /// XON to a reference to an organisation.
    pub(super) fn xon(&self, value: Value<'_>) -> Json {
        let id = text(value.component(10)).or_else(|| text(value.component(3)));
        let identifier = id.map(|id| {
            let system = self.hd(value.component(6)).unwrap_or_else(|| self.sender_authority());
            json!({ "system": system, "value": id })
        });
        let name = text(value.component(1));
        if identifier.is_none() && name.is_none() {
            return Json::Null;
        }
        json!({ "type": "Organization", "identifier": identifier, "display": name })
    }

    /// PL to a reference to a location: building, floor, ward, room and bed as people say them.
    pub(super) fn pl(&self, value: Value<'_>) -> Json {
        let order = [4, 7, 8, 1, 2, 3, 9];
        let parts: Vec<String> =
            order.iter().filter_map(|number| text(value.component(*number))).collect();
        let identifier = text(value.component(10)).map(|id| {
            let part = |number| value.component(11).subcomponent(number).text();
            json!({ "system": self.authority(&part(1), &part(2), &part(3)), "value": id })
        });
        if parts.is_empty() && identifier.is_none() {
            return Json::Null;
        }
        json!({ "type": "Location", "identifier": identifier, "display": parts.join(", ") })
    }

    /// A number and its unit to Quantity; `None` if it is no number.
    pub(super) fn quantity(&self, number: &str, unit: Value<'_>) -> Option<Json> {
        let (comparator, number) = tables::comparator(number.trim());
        let value = decimal(number)?;
        let mut quantity = self.unit(unit);
        quantity["value"] = value;
        quantity["comparator"] = json!(comparator);
        Some(quantity)
    }

    /// A unit, coded if its system is known.
    pub(super) fn unit(&self, unit: Value<'_>) -> Json {
        let (code, name) = (text(unit.component(1)), text(unit.component(2)));
        let system = text(unit.component(3)).and_then(|system| of_name(&system));
        let system = system.filter(|_| code.is_some());
        let is_ucum = system.as_deref() == Some(UCUM);
        json!({
            "unit": if is_ucum { name.or_else(|| code.clone()) } else { code.clone().or(name) },
            "system": system,
            "code": code.filter(|_| system.is_some()),
        })
    }

    /// Two times to Period. A period that would end before it begins is noted, not derived.
    pub(super) fn period(
        &self,
        segment: Segment<'_>,
        field: usize,
        start: Value<'_>,
        end: Value<'_>,
    ) -> Json {
        let start_text = self.date_time_of(segment, field, start);
        let end_text = self.date_time_of(segment, field, end);
        self.period_of(segment, field, start_text, (end_text, end))
    }

    /// As [`Context::period`], from texts that FHIR knows already.
    pub(super) fn period_of(
        &self,
        segment: Segment<'_>,
        field: usize,
        start: Option<String>,
        (end, sent): (Option<String>, Value<'_>),
    ) -> Json {
        let is_reversed = ends_before_it_begins(start.as_deref(), end.as_deref());
        if is_reversed {
            self.note(segment.place(field), "it ends before it begins: correct one of them", sent);
        }
        json!({ "start": start, "end": end.filter(|_| !is_reversed) })
    }
}
