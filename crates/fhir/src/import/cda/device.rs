//! Devices: supplies, and what procedures leave in the body.

use serde_json::{Value as Json, json};

use super::tables;
use super::walk::Walk;
use super::xml::Element;
use crate::import::draft::{absent, reference};

impl<'d> Walk<'d> {
    /// A supply: the device that the patient has and its use, or the request for one.
    pub(super) fn supply(&mut self, supply: Element<'d>) -> Vec<String> {
        let mood = supply.attribute("moodCode").unwrap_or("EVN");
        let devices = self.devices(supply);
        let status = self.status(supply);
        let (name, when) = self
            .when(if mood == "EVN" { "timing" } else { "occurrence" }, supply.at("effectiveTime"));
        if mood != "EVN" {
            let mut draft = self.begin("DeviceRequest", supply);
            draft.set("status", tables::request_status(&status));
            draft.set("intent", tables::intent(mood));
            let product = supply.at("product/manufacturedProduct/manufacturedMaterial/code");
            match devices.first() {
                Some(device) => drop(draft.set("codeReference", reference(device))),
                None => drop(draft.set("codeCodeableConcept", self.told(product))),
            }
            draft.set("subject", self.subject()).set(&name, when);
            draft.set("reasonCode", self.reasons(supply)).set("note", self.comments(supply));
            return vec![self.keep(draft)];
        }
        let mut references = Vec::new();
        for device in devices {
            let mut draft = self.begin("DeviceUseStatement", supply);
            draft.set("status", use_status(&status)).set("subject", self.subject());
            draft.set(&name, when.clone());
            draft.set("device", reference(&device));
            draft.set("reasonCode", self.reasons(supply)).set("note", self.comments(supply));
            references.push(self.keep(draft));
        }
        references
    }

    /// The devices that take part in a statement (participants DEV and PRD).
    pub(super) fn devices(&mut self, statement: Element<'d>) -> Vec<String> {
        let mut devices = Vec::new();
        for participant in statement.each("participant") {
            let kind = participant.attribute("typeCode").unwrap_or_default();
            let role = participant.at("participantRole");
            if matches!(kind, "DEV" | "PRD") && role.at("playingDevice").is_there() {
                devices.push(self.device(role));
            }
        }
        devices
    }

    /// A product instance.
    fn device(&mut self, role: Element<'d>) -> String {
        let mut draft = self.begin("Device", role);
        let device = role.at("playingDevice");
        let number = role.each("id").into_iter().find(|id| id.attribute("root") == Some(UDI));
        let carrier = number.and_then(|id| id.attribute("extension"));
        draft.push("udiCarrier", json!({ "carrierHRF": carrier }));
        draft.set("type", self.concept(device.at("code"))).set("patient", self.subject());
        let maker = self.display(role.at("scopingEntity/desc"));
        draft.set("manufacturer", maker.or_else(|| self.display(role.at("scopingEntity/name"))));
        let model = self.words(device.at("manufacturerModelName"));
        draft.push(
            "deviceName",
            json!({ "name": model, "type": model.as_ref().map(|_| "model-name") }),
        );
        let scope = self.identifiers(role.at("scopingEntity")).into_iter().next();
        draft.push("identifier", scope.unwrap_or(Json::Null));
        if draft.element("type").is_null() {
            draft.set("type", absent("unknown"));
        }
        self.keep(draft)
    }
}

fn use_status(status: &str) -> &'static str {
    match status {
        "completed" => "completed",
        "aborted" | "cancelled" => "stopped",
        "held" | "suspended" => "on-hold",
        "nullified" => "entered-in-error",
        _ => "active",
    }
}

/// The system of unique device identifiers of the FDA.
const UDI: &str = "2.16.840.1.113883.3.3719";
