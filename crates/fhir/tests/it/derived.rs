//! Whose a record is, of what kind, how sensitive.

use std::fmt::Write;

use expect_test::{Expect, expect};
use fhir::types::ResourceType;
use fhir::{Derived, derive};

use crate::resource;

const CATEGORIES: [&str; 20] = [
    "allergies",
    "medications",
    "problems",
    "immunizations",
    "results",
    "vitals",
    "procedures",
    "encounters",
    "documents",
    "imaging",
    "demographics",
    "devices",
    "careplans",
    "coverage",
    "audit",
    "mental-health",
    "sexual-health",
    "substance-use",
    "genetics",
    "violence",
];

#[test]
fn the_table_of_all_types() {
    let mut table = String::new();
    for resource_type in ResourceType::all() {
        let category = resource_type.category();
        assert!(category.is_none_or(|name| CATEGORIES.contains(&name)), "{resource_type}");
        let patient = resource_type.patient_paths().join(" ");
        let line = format!("{resource_type} {} {patient}", category.unwrap_or("-"));
        writeln!(table, "{}", line.trim_end()).unwrap();
    }
    assert_eq!(ResourceType::all().count(), 146);
    expect![[r#"
        Account coverage subject
        ActivityDefinition -
        AdverseEvent problems subject
        AllergyIntolerance allergies patient recorder asserter
        Appointment encounters patient actor
        AppointmentResponse encounters patient actor
        AuditEvent audit patient
        Basic documents patient author
        Binary documents Binary.securityContext
        BiologicallyDerivedProduct procedures BiologicallyDerivedProduct.collection.source
        BodyStructure problems patient
        Bundle documents Bundle.entry[0].resource.subject
        CapabilityStatement -
        CarePlan careplans patient performer
        CareTeam careplans patient participant
        CatalogEntry -
        ChargeItem coverage subject
        ChargeItemDefinition -
        Claim coverage patient payee
        ClaimResponse coverage patient
        ClinicalImpression problems subject
        CodeSystem -
        Communication documents subject sender recipient
        CommunicationRequest documents subject sender recipient requester
        CompartmentDefinition -
        Composition documents subject author attester
        ConceptMap -
        Condition problems patient asserter
        Consent careplans patient
        Contract documents subject
        Coverage coverage beneficiary subscriber policy-holder payor
        CoverageEligibilityRequest coverage patient
        CoverageEligibilityResponse coverage patient
        DetectedIssue problems patient
        Device devices patient
        DeviceDefinition -
        DeviceMetric -
        DeviceRequest devices subject performer
        DeviceUseStatement devices subject
        DiagnosticReport results subject
        DocumentManifest documents subject author recipient
        DocumentReference documents subject author
        EffectEvidenceSynthesis -
        Encounter encounters patient
        Endpoint -
        EnrollmentRequest coverage subject
        EnrollmentResponse coverage
        EpisodeOfCare encounters patient
        EventDefinition -
        Evidence -
        EvidenceVariable -
        ExampleScenario -
        ExplanationOfBenefit coverage patient payee
        FamilyMemberHistory problems patient
        Flag problems patient
        Goal careplans patient
        GraphDefinition -
        Group demographics
        GuidanceResponse careplans patient
        HealthcareService -
        ImagingStudy imaging patient
        Immunization immunizations patient
        ImmunizationEvaluation immunizations patient
        ImmunizationRecommendation immunizations patient
        ImplementationGuide -
        InsurancePlan -
        Invoice coverage patient subject recipient
        Library -
        Linkage -
        List documents subject source
        Location -
        Measure -
        MeasureReport results patient
        Media imaging subject
        Medication -
        MedicationAdministration medications patient subject performer
        MedicationDispense medications patient subject receiver
        MedicationKnowledge -
        MedicationRequest medications subject
        MedicationStatement medications subject
        MedicinalProduct -
        MedicinalProductAuthorization -
        MedicinalProductContraindication -
        MedicinalProductIndication -
        MedicinalProductIngredient -
        MedicinalProductInteraction -
        MedicinalProductManufactured -
        MedicinalProductPackaged -
        MedicinalProductPharmaceutical -
        MedicinalProductUndesirableEffect -
        MessageDefinition -
        MessageHeader -
        MolecularSequence genetics patient
        NamingSystem -
        NutritionOrder careplans patient
        Observation results subject performer
        ObservationDefinition -
        OperationDefinition -
        OperationOutcome -
        Organization -
        OrganizationAffiliation -
        Parameters -
        Patient demographics
        PaymentNotice coverage
        PaymentReconciliation coverage
        Person demographics patient
        PlanDefinition -
        Practitioner -
        PractitionerRole -
        Procedure procedures patient performer
        Provenance audit patient
        Questionnaire -
        QuestionnaireResponse documents subject author
        RelatedPerson demographics patient
        RequestGroup careplans subject participant
        ResearchDefinition -
        ResearchElementDefinition -
        ResearchStudy -
        ResearchSubject documents individual
        RiskAssessment problems subject
        RiskEvidenceSynthesis -
        Schedule encounters actor
        SearchParameter -
        ServiceRequest procedures subject performer
        Slot -
        Specimen results subject
        SpecimenDefinition -
        StructureDefinition -
        StructureMap -
        Subscription -
        Substance -
        SubstanceNucleicAcid -
        SubstancePolymer -
        SubstanceProtein -
        SubstanceReferenceInformation -
        SubstanceSourceMaterial -
        SubstanceSpecification -
        SupplyDelivery devices patient
        SupplyRequest devices subject
        Task careplans patient
        TerminologyCapabilities -
        TestReport -
        TestScript -
        ValueSet -
        VerificationResult -
        VisionPrescription devices patient
    "#]]
    .assert_eq(&table);
}

#[test]
fn names_are_sorted_so_that_they_can_be_found() {
    for resource_type in ResourceType::all() {
        assert_eq!(ResourceType::parse(resource_type.name()), Some(resource_type));
    }
    assert_eq!(ResourceType::parse("Resource"), None);
}

fn summary(derived: &Derived) -> String {
    let patient = derived.patient.as_ref().map_or("-".to_owned(), |patient| format!("{patient:?}"));
    let mut text = format!("{patient}; {}", derived.category.unwrap_or("-"));
    if !derived.overlays.is_empty() {
        write!(text, "; overlays {:?}, filed under {:?}", derived.overlays, derived.filed_under())
            .unwrap();
    }
    text
}

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&summary(&derive(&resource(text))));
}

#[test]
fn patients_are_found_where_the_type_says() {
    check(
        r#"{"resourceType": "Patient", "id": "p1", "link": [{"other": {"reference": "Patient/p0"}}]}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p1" }); demographics"#]],
    );
    check(r#"{"resourceType": "Patient"}"#, expect!["-; demographics"]);
    check(
        r#"{"resourceType": "Observation", "subject": {"reference": "Patient/p1"},
        "performer": [{"reference": "Patient/p2"}, {"reference": "Practitioner/d1"}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p1" }); results"#]],
    );
    check(
        r#"{"resourceType": "Observation", "subject": {"reference": "Device/d1"},
        "performer": [{"reference": "Patient/p2"}]}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p2" }); results"#]],
    );
    check(
        r#"{"resourceType": "Observation", "subject": {"reference": "Group/g1"}}"#,
        expect!["-; results"],
    );
    check(
        r#"{"resourceType": "Condition", "subject": {"reference": "https://a.example/fhir/Patient/p1/_history/2"}}"#,
        expect![[
            r#"Remote { base: "https://a.example/fhir", target: Target { resource_type: Patient, id: "p1" } }; problems"#
        ]],
    );
    check(
        r#"{"resourceType": "Condition", "subject": {"identifier": {"system": "urn:mrn", "value": "7"}}}"#,
        expect![[r#"Logical { system: Some("urn:mrn"), value: "7" }; problems"#]],
    );
    check(
        r#"{"resourceType": "Condition", "subject": {"type": "Group", "identifier": {"value": "7"}}}"#,
        expect!["-; problems"],
    );
    check(
        r#"{"resourceType": "Condition", "subject": {"reference": "urn:uuid:0b6c5fd1-9e1c-4f04-b4c0-2f1a4e6f2f11"},
        "asserter": {"reference": "urn:uuid:1b6c5fd1-9e1c-4f04-b4c0-2f1a4e6f2f11"}}"#,
        expect![[r#"Urn("urn:uuid:0b6c5fd1-9e1c-4f04-b4c0-2f1a4e6f2f11"); problems"#]],
    );
    check(
        r##"{"resourceType": "Condition", "contained": [{"resourceType": "Patient", "id": "c"}],
        "subject": {"reference": "#c"}, "asserter": {"reference": "#d"}}"##,
        expect![[r#"Contained("c"); problems"#]],
    );
    check(
        r#"{"resourceType": "Condition", "subject": {"reference": "Patient?identifier=urn:mrn|7"}}"#,
        expect![[
            r#"Conditional { resource_type: Patient, query: "identifier=urn:mrn|7" }; problems"#
        ]],
    );
    check(
        r#"{"resourceType": "Appointment", "participant": [{"actor": {"reference": "Location/l1"}},
        {"actor": {"reference": "Patient/p1"}}]}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p1" }); encounters"#]],
    );
    check(
        r#"{"resourceType": "Provenance", "target": [{"reference": "Observation/o1"}, {"reference": "Patient/p1"}]}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p1" }); audit"#]],
    );
    check(
        r#"{"resourceType": "AuditEvent", "entity": [{"what": {"reference": "Patient/p1"}}]}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p1" }); audit"#]],
    );
    check(
        r#"{"resourceType": "Device", "patient": {"reference": "Patient/p1"}}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p1" }); devices"#]],
    );
    check(
        r#"{"resourceType": "Task", "for": {"reference": "Patient/p1"}}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p1" }); careplans"#]],
    );
    check(
        r#"{"resourceType": "Binary", "securityContext": {"reference": "Patient/p1"}}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p1" }); documents"#]],
    );
    check(
        r#"{"resourceType": "Coverage", "beneficiary": {"reference": "Patient/p1"},
        "policyHolder": {"reference": "Patient/p9"}}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p1" }); coverage"#]],
    );
    check(
        r#"{"resourceType": "Bundle", "type": "document", "entry": [
            {"resource": {"resourceType": "Composition", "subject": {"reference": "urn:uuid:p"}}},
            {"fullUrl": "urn:uuid:p", "resource": {"resourceType": "Patient", "id": "p1"}}]}"#,
        expect![[r#"Local(Target { resource_type: Patient, id: "p1" }); documents"#]],
    );
    check(r#"{"resourceType": "Practitioner", "id": "d1"}"#, expect!["-; -"]);
    check(
        r#"{"resourceType": "Group", "member": [{"entity": {"reference": "Patient/p1"}}]}"#,
        expect!["-; demographics"],
    );
}

#[test]
fn codes_refine_the_category() {
    let category = |text: &str| derive(&resource(text)).category;
    let observation = |code: &str| {
        category(&format!(
            r#"{{"resourceType": "Observation", "category": [{{"coding": [{{"code": "{code}"}}]}}]}}"#
        ))
    };
    assert_eq!(observation("vital-signs"), Some("vitals"));
    assert_eq!(observation("laboratory"), Some("results"));
    assert_eq!(observation("imaging"), Some("imaging"));
    assert_eq!(observation("social-history"), Some("results"));
    for (text, expected) in [
        (
            r#"{"resourceType": "DiagnosticReport", "category": [{"coding": [{"code": "LAB"}]}]}"#,
            "results",
        ),
        (
            r#"{"resourceType": "DiagnosticReport", "category": [{"coding": [{"code": "RAD"}]}]}"#,
            "imaging",
        ),
        (
            r#"{"resourceType": "DocumentReference", "type": {"coding": [{"code": "18748-4"}]}}"#,
            "imaging",
        ),
        (
            r#"{"resourceType": "DocumentReference", "type": {"coding": [{"code": "34133-9"}]}}"#,
            "documents",
        ),
        (r#"{"resourceType": "List", "code": {"coding": [{"code": "48765-2"}]}}"#, "allergies"),
        (r#"{"resourceType": "Consent", "scope": {"coding": [{"code": "adr"}]}}"#, "careplans"),
        (
            r#"{"resourceType": "Consent", "scope": {"coding": [{"code": "patient-privacy"}]}}"#,
            "audit",
        ),
    ] {
        assert_eq!(category(text), Some(expected), "{text}");
    }
}

#[test]
fn labels_make_overlays() {
    let labelled = |codes: &[&str]| {
        let labels: Vec<String> = codes
            .iter()
            .map(|code| format!(r#"{{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "{code}"}}"#))
            .collect();
        derive(&resource(&format!(
            r#"{{"resourceType": "Condition", "meta": {{"security": [{}]}}}}"#,
            labels.join(",")
        )))
    };
    let overlays = |codes: &[&str]| labelled(codes).overlays;
    assert_eq!(overlays(&["PSY"]), ["mental-health"]);
    assert_eq!(overlays(&["HIV", "STD", "SEX"]), ["sexual-health"]);
    assert_eq!(overlays(&["SDV", "ETH", "GDIS"]), ["substance-use", "genetics", "violence"]);
    assert_eq!(overlays(&["N", "TREAT"]), [""; 0]);
    assert_eq!(labelled(&["ETH"]).filed_under(), Some("substance-use"));
    assert_eq!(labelled(&["N"]).filed_under(), Some("problems"));
    assert_eq!(overlays(&["R", "eth"]), ["substance-use"]);
}

#[test]
fn nothing_personal_is_printed_by_accident() {
    let patient = resource(
        r#"{"resourceType": "Patient", "id": "p1", "name": [{"family": "Lovelace"}],
            "identifier": [{"system": "urn:mrn", "value": "4711"}]}"#,
    );
    let printed = format!("{patient:?} {:?}", derive(&patient));
    assert!(!printed.contains("Lovelace") && !printed.contains("4711"), "{printed}");
    assert_eq!(derive(&patient).identifiers[0].to_string(), "urn:mrn|4711");
}
