//! What senders get to read when their content is not valid FHIR.

use expect_test::{Expect, expect};
use fhir::{Limits, Resource, validate};

use crate::lines;

/// Reads and validates; the issues of whichever fails.
fn check(text: &str, expected: Expect) {
    let issues = match Resource::parse(text.as_bytes().to_vec()) {
        Ok(resource) => validate(&resource),
        Err(issues) => issues,
    };
    expected.assert_eq(&lines(&issues));
}

#[test]
fn what_cannot_be_read() {
    check(
        "",
        expect![[r#"
        fatal (structure) at Resource: the text ends too early at line 1, column 1: send well-formed JSON
    "#]],
    );
    check(
        "<Patient xmlns=\"http://hl7.org/fhir\"/>",
        expect![[r#"
        fatal (structure) at Resource: expected a value at line 1, column 1: send well-formed JSON
    "#]],
    );
    check(
        "{\"resourceType\": \"Patient\", \"name\": [{\"given\": [\"Ada\",]}]}",
        expect![[r#"
        fatal (structure) at Patient.name[0].given: expected a value at line 1, column 55: send well-formed JSON
    "#]],
    );
    check(
        "{\"resourceType\": \"Patient\"} {}",
        expect![[r#"
        fatal (structure) at Patient: unexpected content after the end of the value at line 1, column 29: send well-formed JSON
    "#]],
    );
    check(
        "[]",
        expect![[r#"
        error (structure): a resource is a JSON object
    "#]],
    );
    check(
        "{\"id\": \"1\"}",
        expect![[r#"
        error (required) at Resource.resourceType: add "resourceType": without it the content cannot be read
    "#]],
    );
    check(
        "{\"resourceType\": 7}",
        expect![[r#"
        error (value) at Resource.resourceType: the resource type must be a string, as in "Patient"
    "#]],
    );
    check(
        "{\"resourceType\": \"Pacient\"}",
        expect![[r#"
        error (not-supported) at Resource.resourceType: `Pacient` is no resource type of R4: did you mean `Patient`?
    "#]],
    );
    check(
        "\u{feff}{\"resourceType\": \"Patient\"}",
        expect![[r#"
        fatal (structure): begins with a byte order mark: send it without
    "#]],
    );
    check(
        "{\"resourceType\": \"Patient\", \"gender\": \"male\", \"name\": [{\"family\": \"A\", \
         \"family\": \"B\"}], \"gender\": \"female\"}",
        expect![[r#"
            error (duplicate) at Patient.name[0].family: the name appears twice in this object: keep one of them
            error (duplicate) at Patient.gender: the name appears twice in this object: keep one of them
        "#]],
    );
    let not_utf8 = Resource::parse(&b"{\"resourceType\": \"Pat\xffient\"}"[..]);
    expect![[r#"
        fatal (structure): not UTF-8 from byte 21: send UTF-8
    "#]]
    .assert_eq(&lines(&not_utf8.unwrap_err()));
}

#[test]
fn what_has_the_wrong_structure() {
    check(
        r#"{"resourceType": "Observation", "valueString": "x", "valueBoolean": true}"#,
        expect![[r#"
            error (structure) at Observation.value[x]: only one type may be given, found valueString, valueBoolean: keep one of them
            error (required) at Observation.status: required element missing: add it
            error (required) at Observation.code: required element missing: add it
        "#]],
    );
    check(
        r#"{"resourceType": "Patient", "nme": [], "name": {"family": "A"}, "active": "yes",
            "contact": [{"name": [{"family": "B"}]}], "multipleBirthInteger": 1.5}"#,
        expect![[r#"
            error (structure) at Patient.active: expected true or false, found a string: correct its type
            error (structure) at Patient.name: expected an array, found an object: put it in [ ], also if there is only one
            error (value) at Patient.multipleBirthInteger: 1.5 is not a FHIR integer: correct its form
            error (structure) at Patient.contact[0].name: expected a single value, found an array: give one value without [ ]
            error (structure) at Patient.nme: unknown element: R4 has none of this name here; correct or remove it
        "#]],
    );
    check(
        r#"{"resourceType": "Patient", "id": "a_b", "birthDate": "24/12/1974", "photo": [null],
            "text": {"status": "generated", "div": ""}}"#,
        expect![[r#"
            error (value) at Patient.text.div: an empty xhtml is not allowed; leave the element out
            error (value) at Patient.birthDate: "24/12/1974" is not a valid date: correct its form
            error (value) at Patient.photo[0]: null is not allowed in an array of complex values
            error (value) at Patient.id: `a_b` is no id: use 1 to 64 letters, digits, `-` and `.`
        "#]],
    );
}

#[test]
fn what_no_structure_says() {
    check(
        r##"{"resourceType": "Encounter", "status": "done", "class": {"code": "AMB"},
            "period": {"start": "2024-05-02", "end": "2024-05-01T23:59:59Z"},
            "subject": {"reference": "Pat/1"}, "serviceProvider": {"reference": "#org"},
            "statusHistory": [{"status": "planned", "period": {"start": "2024-02-30"}}]}"##,
        expect![[r#"
            error (invariant) at Encounter.period: ends before it begins: correct `start` or `end`
            error (value) at Encounter.subject.reference: `Pat/1` is no reference: write `Patient/123`, a URL, `urn:uuid:...` or `#id`
            error (not-found) at Encounter.serviceProvider.reference: no contained resource has the id `org`: add or correct it
            error (value) at Encounter.statusHistory[0].period.start: `2024-02-30`: there is no such day or time: correct it
            error (value) at Encounter.status: `done` is not allowed here: use one of planned, arrived, triaged, in-progress, onleave, finished, cancelled, entered-in-error, unknown
        "#]],
    );
    check(
        r#"{"resourceType": "Condition", "subject": {"reference": "Patient/1"},
            "clinicalStatus": {"coding": [{"code": "sleeping",
                "system": "http://terminology.hl7.org/CodeSystem/condition-clinical"}]},
            "recordedDate": "2023-02-29", "onsetString": "2023-02-29"}"#,
        expect![[r#"
            error (value) at Condition.recordedDate: `2023-02-29`: there is no such day or time: correct it
            error (value) at Condition.clinicalStatus.coding[0].code: `sleeping` is not allowed here: use one of active, recurrence, relapse, inactive, remission, resolved
        "#]],
    );
}

#[test]
fn of_the_codings_of_a_concept_one_must_be_allowed() {
    let condition = |codings: &str| {
        format!(
            r#"{{"resourceType": "Condition", "subject": {{"reference": "Patient/1"}},
            "clinicalStatus": {{"coding": [{codings}]}}}}"#
        )
    };
    let coding = |system: &str, code: &str| {
        let system = format!("http://terminology.hl7.org/CodeSystem/{system}");
        format!(r#"{{"system": "{system}", "code": "{code}"}}"#)
    };
    let (right, beside) = (coding("condition-clinical", "resolved"), coding("v3-ActStatus", "x"));
    check(&condition(&format!("{right}, {beside}")), expect![[""]]);
    check(&condition(&format!("{beside}, {right}")), expect![[""]]);
    check(
        &condition(&beside),
        expect![[r#"
            error (value) at Condition.clinicalStatus.coding[0].code: `x` is not allowed here: use one of active, recurrence, relapse, inactive, remission, resolved
        "#]],
    );
}

#[test]
fn what_is_valid_has_no_issues() {
    check(
        r##"{"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
            "contained": [{"resourceType": "Organization", "id": "org", "name": "Clinic"}],
            "period": {"start": "2024-05-02", "end": "2024-05"},
            "subject": {"reference": "Patient/1"}, "serviceProvider": {"reference": "#org"}}"##,
        expect![[""]],
    );
}

#[test]
fn many_issues_are_counted_and_not_listed() {
    let unknown: Vec<String> = (0..200).map(|index| format!("\"x{index}\": 1")).collect();
    let text = format!("{{\"resourceType\": \"Patient\", {}}}", unknown.join(", "));
    let resource = crate::resource(&text);
    let issues = validate(&resource);
    assert_eq!(issues.len(), Limits::STANDARD.issues_max + 1);
    assert!(issues.last().unwrap().diagnostics.starts_with("100 more issues"));
}

#[test]
fn an_outcome_is_itself_valid() {
    let broken = crate::resource(r#"{"resourceType": "Observation"}"#);
    let outcome = fhir::outcome(&validate(&broken)).to_string();
    check(&outcome, expect![[""]]);
    check(&fhir::outcome(&[]).to_string(), expect![[""]]);
}
