//! People, organisations and places that take part.
//!
//! A document says of each what it knows, and says it again in every entry. A reference carries
//! identifier and name; where more is told (an address, a telephone), the party is contained in
//! the resource that refers to it, as this document describes it.

use serde_json::{Map, Value as Json, json};

use super::walk::Walk;
use super::xml::Element;
use crate::import::draft::{Draft, digest, pruned};

impl<'d> Walk<'d> {
    /// `assignedEntity`, `assignedAuthor`, `relatedEntity` and their like as a reference.
    pub(super) fn who(&self, role: Element<'d>) -> Json {
        let device = role.at("assignedAuthoringDevice");
        if device.is_there() {
            return self.authoring_device(role, device);
        }
        let people = ["assignedPerson", "informationRecipient", "relatedPerson"];
        let people = people.iter().map(|name| role.at(name));
        let person = people.into_iter().find(|person| person.is_there());
        let organization = role.at("representedOrganization");
        let place_of_work = if organization.is_there() {
            self.organization(organization)
        } else {
            self.organization(role.at("receivedOrganization"))
        };
        let Some(person) = person else {
            return self.unnamed(role, place_of_work);
        };
        let is_relative = person.name() == "relatedPerson";
        let kind = if is_relative { "RelatedPerson" } else { "Practitioner" };
        let identifiers = self.identifiers(role);
        let names = person.each("name");
        let display = names.first().and_then(|name| self.display(*name));
        let names: Vec<Json> = names.into_iter().map(|name| self.human_name(name)).collect();
        let (telecoms, addresses) = self.contacts(role);
        let code = self.concept(role.at("code"));
        let birth = self.date(person.at("birthTime"));
        let mut told = json!({
            "resourceType": kind, "identifier": identifiers, "name": names,
            "telecom": telecoms, "address": addresses, "birthDate": birth,
        });
        if is_relative {
            told["patient"] = self.subject();
            told["relationship"] = json!([code]);
        } else if place_of_work.is_null() && !code.is_null() {
            told["qualification"] = json!([{ "code": code }]);
        }
        let first = identifiers.into_iter().next();
        if first.is_none() && display.is_none() {
            return place_of_work;
        }
        let person = party(kind, first, display, told);
        if is_relative || place_of_work.is_null() {
            return person;
        }
        let role = json!({
            "resourceType": "PractitionerRole", "practitioner": person,
            "organization": place_of_work, "code": [code],
        });
        let (first, display) = (person["identifier"].clone(), person["display"].clone());
        party("PractitionerRole", first, display, role)
    }

    /// Nobody by name: the organisation for which somebody acts, else the number alone.
    fn unnamed(&self, role: Element<'d>, organization: Json) -> Json {
        if !organization.is_null() {
            return organization;
        }
        let identifiers = self.identifiers(role);
        let Some(first) = identifiers.first().cloned() else { return Json::Null };
        let (telecoms, addresses) = self.contacts(role);
        let code = self.concept(role.at("code"));
        let mut told = json!({
            "resourceType": "PractitionerRole", "identifier": identifiers, "telecom": telecoms,
            "code": [code],
        });
        let mut places = addresses.into_iter().filter_map(pruned);
        if let Some(place) = places.next() {
            // An address alone says where, not who.
            let place = json!({ "resourceType": "Location", "address": place });
            told["location"] = json!([party("Location", Json::Null, Json::Null, place)]);
        }
        party("PractitionerRole", first, Json::Null, told)
    }

    fn authoring_device(&self, role: Element<'d>, device: Element<'d>) -> Json {
        let identifiers = self.identifiers(role);
        let parts = [("manufacturerModelName", "model-name"), ("softwareName", "other")];
        let names = parts.map(|(name, kind)| (self.words(device.at(name)), kind));
        let display: Vec<&str> = names.iter().filter_map(|(name, _)| name.as_deref()).collect();
        let display = display.join(", ");
        let named: Vec<Json> = names
            .iter()
            .map(|(name, kind)| json!({ "name": name, "type": name.as_ref().map(|_| kind) }))
            .collect();
        let told = json!({
            "resourceType": "Device", "identifier": identifiers, "deviceName": named,
            "type": self.concept(device.at("code")),
            "owner": self.organization(role.at("representedOrganization")),
            "contact": self.contacts(role).0,
        });
        party("Device", identifiers.into_iter().next(), display, told)
    }

    /// An organisation as a reference.
    pub(super) fn organization(&self, organization: Element<'d>) -> Json {
        let name = self.display(organization.at("name"));
        let identifiers = self.identifiers(organization);
        if name.is_none() && identifiers.is_empty() {
            return Json::Null;
        }
        let (telecoms, addresses) = self.contacts(organization);
        let told = json!({
            "resourceType": "Organization", "identifier": identifiers, "name": name,
            "telecom": telecoms, "address": addresses,
        });
        party("Organization", identifiers.into_iter().next(), name, told)
    }

    /// A place as a reference: a role, and the element in it that bears the name.
    pub(super) fn place(&self, role: Element<'d>, entity: &str) -> Json {
        let identifiers = self.identifiers(role);
        let kind = self.concept(role.at("code"));
        let entity = role.at(entity);
        let name = self.display(entity.at("name"));
        let display = name.clone().or_else(|| kind["text"].as_str().map(str::to_owned));
        let (telecoms, mut addresses) = self.contacts(role);
        addresses.extend(entity.each("addr").into_iter().map(|one| self.address(one)));
        if display.is_none() && identifiers.is_empty() && addresses.is_empty() {
            return Json::Null;
        }
        let told = json!({
            "resourceType": "Location", "identifier": identifiers, "name": name,
            "type": [kind], "telecom": telecoms, "address": addresses.into_iter().next(),
        });
        party("Location", identifiers.into_iter().next(), display, told)
    }
}

/// A reference to a party. What is told of it goes along as [`TOLD`] until the resource that refers
/// to it is finished, if it is more than identifier and name.
fn party(
    kind: &str,
    identifier: impl Into<Option<Json>>,
    display: impl Into<Json>,
    told: Json,
) -> Json {
    let (identifier, display) = (identifier.into(), display.into());
    let told = pruned(told).unwrap_or_default();
    let says = |name: &str| told.get(name).is_some();
    let is_more = ["telecom", "address", "qualification", "practitioner", "location", "owner"];
    let is_more = is_more.iter().any(|name| says(name))
        || told["identifier"].as_array().is_some_and(|all| all.len() > 1);
    let mut reference = json!({ "type": kind, "identifier": identifier, "display": display });
    if is_more {
        reference[TOLD] = told;
    }
    reference
}

/// Puts what is told of parties into `contained`, under ids made of what it says: the same party
/// is contained once.
pub(super) fn contain_parties(draft: &mut Draft) {
    let mut contained = Vec::new();
    for value in draft.values_mut() {
        take_told(value, &mut contained);
    }
    for party in contained {
        draft.push("contained", party);
    }
}

fn take_told(value: &mut Json, contained: &mut Vec<Json>) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(|item| take_told(item, contained)),
        Json::Object(members) => {
            if let Some(mut told) = members.shift_remove(TOLD) {
                // A role tells of a person and an organisation: contained too, beside it.
                take_told(&mut told, contained);
                let id = format!("party-{}", &digest(told.to_string().as_bytes())[..ID_DIGITS]);
                let mut party = Map::new();
                party.insert("resourceType".to_owned(), told["resourceType"].take());
                party.insert("id".to_owned(), json!(id));
                if let Json::Object(rest) = told {
                    party.extend(rest.into_iter().filter(|(name, _)| name != "resourceType"));
                }
                contained.push(Json::Object(party));
                members.insert("reference".to_owned(), json!(format!("#{id}")));
            }
            members.values_mut().for_each(|member| take_told(member, contained));
        }
        _ => {}
    }
}

/// Where a reference carries what is told of its party; no element of FHIR is called so.
const TOLD: &str = "-told";

/// 64 bits: enough to tell the parties of one resource apart.
const ID_DIGITS: usize = 16;
