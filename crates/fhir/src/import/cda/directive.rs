//! Advance directives as Consents.

use serde_json::{Value as Json, json};

use super::walk::Walk;
use super::xml::Element;
use crate::import::draft::{absent, code};
use crate::systems::LOINC;

impl<'d> Walk<'d> {
    /// An advance directive observation: what it is about, and what it says.
    pub(super) fn directive(&mut self, directive: Element<'d>) -> String {
        let mut draft = self.begin("Consent", directive);
        let status = match self.status(directive).as_str() {
            "nullified" => "entered-in-error",
            "aborted" | "cancelled" | "obsolete" => "inactive",
            _ => "active",
        };
        draft.set("status", status);
        draft.set("scope", code("http://terminology.hl7.org/CodeSystem/consentscope", "adr"));
        draft.push("category", code(LOINC, "42348-3"));
        draft.set("patient", self.subject());
        let (time, author) = self.authored(directive);
        draft.set("dateTime", time).push("performer", author);
        // FHIR asks for a policy; the directive is kept where its custodian keeps it.
        draft.set("policyRule", absent("unknown"));
        for participant in directive.each("participant") {
            let role = participant.at("participantRole");
            if participant.attribute("typeCode") == Some("VRF") {
                let name = self.display(role.at("playingEntity/name"));
                let time = self.date_time(participant.at("time"));
                draft.push(
                    "verification",
                    json!({
                        "verified": true,
                        "verifiedWith": { "display": name },
                        "verificationDate": time,
                    }),
                );
            }
        }
        let kind = self.concept(directive.at("code"));
        let value = self.concept(directive.at("value"));
        draft.set(
            "provision",
            json!({
                "period": self.period(directive.at("effectiveTime")),
                "code": [kind, value],
            }),
        );
        if let Some(source) = self.directive_source(directive) {
            draft.set("sourceAttachment", source);
        }
        self.keep(draft)
    }

    /// The paper itself, where the document points to it.
    fn directive_source(&self, directive: Element<'d>) -> Option<Json> {
        let text = directive.at("reference/externalDocument/text");
        let link = text.at("reference").attribute("value")?;
        let media = text.attribute("mediaType");
        crate::systems::is_uri(link).then(|| json!({ "contentType": media, "url": link }))
    }
}
