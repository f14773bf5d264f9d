//! Medications and vaccinations.
//!
//! What was or is taken (mood EVN) is a MedicationStatement, what is asked for a
//! MedicationRequest. A sender that lists its active prescriptions uses EVN: a list is what it is.

use serde_json::{Value as Json, json};

use super::tables;
use super::timing::Times;
use super::walk::{Walk, is_negated, related};
use super::xml::Element;
use crate::import::draft::{absent, decimal, reference};

impl<'d> Walk<'d> {
    pub(super) fn medication(&mut self, medication: Element<'d>) -> String {
        let mood = medication.attribute("moodCode").unwrap_or("EVN");
        medication.skip_each(&["code"]);
        let is_taken = mood == "EVN";
        let kind = if is_taken { "MedicationStatement" } else { "MedicationRequest" };
        let mut draft = self.begin(kind, medication);
        let status = self.status(medication);
        let is_denied = is_negated(medication);
        let product = medication.at("consumable/manufacturedProduct");
        let times = self.times(medication);
        let (recorded, author) = self.authored(medication);
        let period = times.period.clone();
        let dosages = self.dosages(medication, times);
        if is_taken {
            let status = if is_denied { "not-taken" } else { tables::medication_status(&status) };
            draft.set("status", status);
            draft.set("medicationCodeableConcept", self.product(product));
            draft.set("subject", self.subject()).set("context", self.encounter_reference());
            draft.set("effectivePeriod", period).set("dateAsserted", recorded);
            let informant = self.informant(medication);
            let source = if informant.is_null() { author } else { informant };
            draft.set("informationSource", source);
            draft.set("reasonCode", self.reasons(medication));
            draft.set("note", self.comments(medication)).set("dosage", dosages);
        } else {
            draft.set("status", tables::medication_request_status(&status));
            // Of medications, what is intended is ordered (`CF-MedActivityMood`).
            draft.set("intent", if mood == "INT" { "order" } else { tables::intent(mood) });
            draft.set("doNotPerform", is_denied.then_some(true));
            draft.set("medicationCodeableConcept", self.product(product));
            draft.set("subject", self.subject()).set("encounter", self.encounter_reference());
            draft.set("authoredOn", recorded).set("requester", author);
            draft.set("reasonCode", self.reasons(medication));
            draft.set("note", self.comments(medication)).set("dosageInstruction", dosages);
            draft.set("dispenseRequest", json!({ "validityPeriod": period }));
        }
        let statement = self.keep(draft);
        for (_, part) in related(medication) {
            self.supply_of(part, product, &statement);
        }
        statement
    }

    /// What is taken: its code, else its name.
    fn product(&self, product: Element<'d>) -> Json {
        let material = product.at("manufacturedMaterial");
        let mut concept = self.told(material.at("code"));
        let name = material.at("name").text();
        if let Some(name) =
            name.filter(|_| concept["coding"].is_null() && concept["text"].is_null())
        {
            concept = json!({ "text": name });
        }
        concept
    }

    /// How it is taken. Steps that follow each other are statements inside, in their order.
    fn dosages(&self, medication: Element<'d>, times: Times) -> Vec<Json> {
        let mut dosages = vec![self.dosage(medication, times)];
        for (_, part) in related(medication) {
            if part.name() == "substanceAdministration" && !part.follows("4.16") {
                let mut times = self.times(part);
                if !times.period.is_null() {
                    if times.repeat.is_null() {
                        times.repeat = json!({});
                    }
                    times.repeat["boundsPeriod"] = times.period.take();
                }
                part.at("consumable").skip();
                part.skip_each(&["statusCode"]);
                dosages.push(self.dosage(part, times));
            }
        }
        if dosages.len() > 1 {
            for (index, dosage) in dosages.iter_mut().enumerate() {
                dosage["sequence"] = json!(index + 1);
            }
        }
        dosages
    }

    fn dosage(&self, medication: Element<'d>, times: Times) -> Json {
        let dose = medication.at("doseQuantity");
        let rate = medication.at("rateQuantity");
        let dose_range = if dose.attribute("value").is_some() { None } else { self.range(dose) };
        let rate_range = if rate.attribute("value").is_some() { None } else { self.range(rate) };
        let precondition = medication.at("precondition/criterion");
        precondition.skip_each(&["code"]);
        let needed = self.concept(precondition.at("value"));
        let needed = match self.words(precondition.at("text")).filter(|_| needed.is_null()) {
            Some(text) => json!({ "text": text }),
            None => needed,
        };
        let as_needed = medication.at("precondition").is_there() && needed.is_null();
        let timing =
            if times.repeat.is_null() { Json::Null } else { json!({ "repeat": times.repeat }) };
        json!({
            "text": self.instruction_text(medication),
            "patientInstruction": self.patient_instruction(medication),
            "timing": timing,
            "asNeededBoolean": as_needed.then_some(true),
            "asNeededCodeableConcept": needed,
            "site": self.sites(medication, "approachSiteCode").into_iter().next(),
            "route": self.concept(medication.at("routeCode")),
            "doseAndRate": [{
                "doseQuantity": self.quantity(dose),
                "doseRange": dose_range,
                "rateQuantity": self.quantity(rate),
                "rateRange": rate_range,
            }],
            "maxDosePerPeriod": self.ratio(medication.at("maxDoseQuantity")),
        })
    }

    /// How to take it in words: the template "Medication Free Text Sig", else the text.
    fn instruction_text(&self, medication: Element<'d>) -> Option<String> {
        let sig = related(medication).into_iter().find(|(_, part)| part.follows("4.147"));
        match sig {
            Some((_, sig)) => {
                sig.skip_each(&["code", "statusCode", "consumable"]);
                self.words(sig.at("text"))
            }
            None => self.words(medication.at("text")),
        }
    }

    fn patient_instruction(&self, medication: Element<'d>) -> Option<String> {
        let (_, part) = related(medication).into_iter().find(|(_, part)| part.follows("4.20"))?;
        part.skip_each(&["code", "statusCode"]);
        self.words(part.at("text"))
    }

    /// Orders to supply it and hand-overs of it, which stand inside the statement.
    fn supply_of(&mut self, supply: Element<'d>, product: Element<'d>, statement: &str) {
        let is_order = supply.follows("4.17");
        if !is_order && !supply.follows("4.18") {
            return;
        }
        supply.at("product").skip();
        let status = self.status(supply);
        let quantity = self.quantity(supply.at("quantity"));
        let repeats = supply.at("repeatNumber").attribute("value").and_then(decimal);
        let time = supply.at("effectiveTime");
        if is_order {
            let mut draft = self.begin("MedicationRequest", supply);
            let (authored, author) = self.authored(supply);
            draft.set("status", tables::medication_request_status(&status)).set("intent", "order");
            draft.set("medicationCodeableConcept", self.product(product));
            draft.set("subject", self.subject()).set("authoredOn", authored);
            draft.set("requester", author);
            draft.set("note", self.comments(supply));
            let instruction = self.patient_instruction(supply);
            draft.push("dosageInstruction", json!({ "patientInstruction": instruction }));
            let repeats = repeats.filter(|repeats| repeats.is_u64());
            let validity = self.period(time);
            draft.set(
                "dispenseRequest",
                json!({
                    "validityPeriod": validity,
                    "numberOfRepeatsAllowed": repeats,
                    "quantity": quantity,
                }),
            );
            self.keep(draft);
            return;
        }
        let mut draft = self.begin("MedicationDispense", supply);
        draft.set("status", tables::dispense_status(&status));
        draft.set("medicationCodeableConcept", self.product(product));
        draft.set("subject", self.subject());
        draft.push("supportingInformation", reference(statement));
        for performer in self.performers(supply) {
            draft.push("performer", json!({ "actor": performer }));
        }
        draft.set("quantity", quantity).set("whenHandedOver", self.moment(time));
        self.keep(draft);
    }

    /// A vaccination, given or refused.
    pub(super) fn immunization(&mut self, shot: Element<'d>) -> String {
        let mut draft = self.begin("Immunization", shot);
        shot.skip_each(&["code"]);
        let status = self.status(shot);
        let told = match tables::immunization_status(&status) {
            "completed" if is_negated(shot) => "not-done",
            told => told,
        };
        draft.set("status", told);
        let refused = related(shot).into_iter().find(|(_, part)| part.follows("4.53"));
        if let Some((_, refusal)) = refused {
            refusal.skip_each(&["statusCode"]);
            draft.set("statusReason", self.concept(refusal.at("code")));
        }
        let product = shot.at("consumable/manufacturedProduct");
        let material = product.at("manufacturedMaterial");
        draft.set("vaccineCode", self.product(product));
        draft.set("patient", self.subject()).set("encounter", self.encounter_reference());
        match self.moment(shot.at("effectiveTime")) {
            Some(time) => drop(draft.set("occurrenceDateTime", time)),
            None => drop(draft.set("_occurrenceDateTime", absent("unknown"))),
        }
        let (recorded, _) = self.authored(shot);
        draft.set("recorded", recorded);
        let maker = self.organization(product.at("manufacturerOrganization"));
        draft.set("manufacturer", maker);
        draft.set("lotNumber", material.at("lotNumberText").text());
        draft.set("expirationDate", self.date(material.at("expirationTime")));
        draft.set("site", self.sites(shot, "approachSiteCode").into_iter().next());
        draft.set("route", self.concept(shot.at("routeCode")));
        draft.set("doseQuantity", self.quantity(shot.at("doseQuantity")));
        for performer in self.performers(shot) {
            draft.push("performer", json!({ "actor": performer }));
        }
        draft.set("note", self.comments(shot)).set("reasonCode", self.reasons(shot));
        let dose = self.inner_value(shot, "4.46");
        let dose = dose.attribute("value").and_then(|value| value.parse::<u32>().ok());
        let dose = dose.or_else(|| {
            let number = shot.at("repeatNumber").attribute("value");
            number.and_then(|value| value.parse().ok())
        });
        if let Some(dose) = dose.filter(|dose| *dose > 0) {
            draft.push("protocolApplied", json!({ "doseNumberPositiveInt": dose }));
        }
        self.keep(draft)
    }
}
