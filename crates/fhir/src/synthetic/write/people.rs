//! Who the person is, and who pays.

use serde_json::{Value, json};

use super::Writer;
use super::parts::{ACT_CODE, concept, hl7, hospital_reference};
use crate::synthetic::HEALTH_NUMBER_SYSTEM;
use crate::synthetic::facts::code;
use crate::synthetic::facts::places::INSURERS;

/// The person as the hospital knows them, under the hospital's own number.
pub(super) fn patient(writer: &mut Writer<'_>, mrn: &str) {
    let who = &writer.life.who;
    let national = "http://terminology.hl7.org/CodeSystem/v2-0203";
    let adult = who.age(writer.life.today) >= 18.0;
    let marital = if who.married { "M" } else { "S" };
    let fields = json!({
        "identifier": [
            writer.mrn_identifier(mrn),
            {
                "use": "official",
                "type": concept(national, code("NI", "National unique individual identifier")),
                "system": HEALTH_NUMBER_SYSTEM,
                "value": who.health_number,
            },
        ],
        "active": true,
        "name": [{ "use": "official", "family": who.family, "given": who.given }],
        "telecom": [
            { "system": "phone", "value": who.phone, "use": "mobile" },
            { "system": "email", "value": who.email },
        ],
        "gender": who.gender,
        "birthDate": who.birth.to_string(),
        "address": [address(writer)],
        "maritalStatus": if adult { hl7("v3-MaritalStatus", marital) } else { Value::Null },
        "contact": [{
            "relationship": [hl7("v2-0131", "N")],
            "name": { "family": who.family, "given": [who.relative] },
        }],
        "communication": [{
            "language": {
                "coding": [{
                    "system": "urn:ietf:bcp:47",
                    "code": who.culture.language,
                    "display": who.culture.language_name,
                }],
            },
            "preferred": true,
        }],
        "managingOrganization": hospital_reference(writer.hospital),
    });
    writer.add_with_id("Patient", writer.patient.clone(), None, fields);
}

fn address(writer: &Writer<'_>) -> Value {
    let who = &writer.life.who;
    let old = writer.life.old_address_at.contains(&writer.site);
    let address = if old { &who.old_address } else { &who.address };
    json!({
        "use": "home",
        "line": [address.line],
        "city": address.town,
        "postalCode": address.postal_code,
    })
}

/// The person's insurance.
pub(super) fn coverage(writer: &mut Writer<'_>) {
    let who = &writer.life.who;
    let (id, name) = INSURERS[who.insurer];
    let fields = json!({
        "status": "active",
        "type": concept(ACT_CODE, code("EHCPOL", "extended healthcare")),
        "subscriberId": who.health_number,
        "beneficiary": writer.subject(),
        "relationship": hl7("subscriber-relationship", "self"),
        "payor": [{
            "type": "Organization",
            "identifier": { "system": "https://insurers.example.org", "value": id },
            "display": name,
        }],
    });
    writer.add("Coverage", None, fields);
}
