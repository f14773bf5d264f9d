//! Who pays.

use serde_json::{Value as Json, json};

use super::walk::{Walk, related};
use super::xml::Element;
use crate::import::draft::{absent, code};

impl<'d> Walk<'d> {
    /// A Coverage Activity: each policy inside it, in the order of their use.
    pub(super) fn coverage(&mut self, activity: Element<'d>) -> Vec<String> {
        activity.skip_each(&["code", "statusCode", "effectiveTime"]);
        let policies = related(activity).into_iter().filter(|(_, part)| part.name() == "act");
        policies.map(|(_, policy)| self.policy(policy)).collect()
    }

    fn policy(&mut self, policy: Element<'d>) -> String {
        let mut draft = self.begin("Coverage", policy);
        let status = match self.status(policy).as_str() {
            "cancelled" | "aborted" => "cancelled",
            "nullified" => "entered-in-error",
            _ => "active",
        };
        draft.set("status", status).set("type", self.concept(policy.at("code")));
        let part = |kind: &str| {
            let found = policy.each("participant").into_iter();
            let mut found = found.filter(|part| part.attribute("typeCode") == Some(kind));
            found.next().unwrap_or(policy.nothing())
        };
        let (covered, holder) = (part("COV"), part("HLD"));
        let role = covered.at("participantRole");
        let number = self.identifiers(holder.at("participantRole")).into_iter().next();
        let member = self.identifiers(role).into_iter().next();
        let name = self.display(holder.at("participantRole/playingEntity/name"));
        draft.set("policyHolder", name.map(|name| json!({ "display": name })));
        let subscriber = number.or_else(|| member.clone());
        draft.set(
            "subscriberId",
            subscriber.and_then(|number| number["value"].as_str().map(str::to_owned)),
        );
        draft.set("beneficiary", self.subject());
        if let Some(member) = member.filter(|member| member["value"].is_string()) {
            draft.push("identifier", member);
        }
        draft.set("relationship", self.relationship(role.at("code")));
        draft.set("period", self.period(covered.at("time")));
        let mut payors = Vec::new();
        for performer in policy.each("performer") {
            let entity = performer.at("assignedEntity");
            entity.skip_each(&["code"]);
            if performer.follows("4.88") || entity.at("assignedPerson").is_there() {
                // A guarantor pays what the insurer does not.
                continue;
            }
            let organization = self.organization(entity.at("representedOrganization"));
            payors.push(if organization.is_null() { self.who(entity) } else { organization });
        }
        payors.retain(|payor| !payor.is_null());
        if payors.is_empty() {
            payors.push(absent("unknown"));
        }
        draft.set("payor", payors);
        self.keep(draft)
    }

    fn relationship(&self, role: Element<'_>) -> Json {
        let known = match role.attribute("code") {
            Some("SELF") => "self",
            Some("SPS" | "SPOUSE" | "HUSB" | "WIFE") => "spouse",
            Some("CHILD" | "DAU" | "SON" | "DEP") => "child",
            Some("PRN" | "FTH" | "MTH") => "parent",
            _ => return self.concept(role),
        };
        code("http://terminology.hl7.org/CodeSystem/subscriber-relationship", known)
    }
}
