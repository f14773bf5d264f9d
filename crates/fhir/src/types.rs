//! The 146 resource types of R4, and for each what kind of record it is and where its patient is.

use std::fmt;

/// A resource type of R4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(u8);

impl ResourceType {
    /// The type with this name, as in `Observation`.
    pub fn parse(name: &str) -> Option<Self> {
        let found = TYPES.binary_search_by(|row| row.name.cmp(name)).ok()?;
        u8::try_from(found).ok().map(Self)
    }

    /// Every type, in the order of the names.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u8..).take(TYPES.len()).map(Self)
    }

    /// The name, as in `Observation`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The category of its records, before their codes are looked at. `None`: about no patient.
    pub fn category(self) -> Option<&'static str> {
        self.row().category
    }

    /// Where the patient is: search parameters of the type, or expressions where there is no
    /// parameter; the first that names a patient names the one the record belongs to.
    pub fn patient_paths(self) -> &'static [&'static str] {
        self.row().patient
    }

    /// The type whose name is most like this one, for messages.
    pub fn nearest(name: &str) -> &'static str {
        let distances = TYPES.iter().map(|row| (distance(row.name, name), row.name));
        distances.min().map_or("Patient", |(_, name)| name)
    }

    /// The row of the type, from 0: an index for tables by type.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    fn row(self) -> &'static Row {
        &TYPES[self.index()]
    }
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

struct Row {
    name: &'static str,
    category: Option<&'static str>,
    patient: &'static [&'static str],
}

const fn row(
    name: &'static str,
    category: Option<&'static str>,
    patient: &'static [&'static str],
) -> Row {
    Row { name, category, patient }
}

/// Levenshtein distance without regard to case; long inputs are cut, as no type is that long.
pub(crate) fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(64).flat_map(char::to_lowercase).collect();
    let mut line: Vec<usize> = (0..=right.len()).collect();
    for (row, left) in left.chars().take(64).flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = line[0];
        line[0] = row + 1;
        for (column, right) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = line[column + 1];
            line[column + 1] = replaced.min(diagonal + 1).min(line[column] + 1);
        }
    }
    line[right.len()]
}

/// Facts of the standard: the names, and which elements hold the patient (CompartmentDefinition
/// `patient`, R4). The category is ours. Beyond the compartment, because a patient's record must
/// not pass as an administrative one: Binary, BiologicallyDerivedProduct, Bundle (a document's
/// subject), Contract, Device, GuidanceResponse and Task. A Group belongs to nobody and is refused
/// by whoever needs an owner.
static TYPES: [Row; 146] = [
    row("Account", Some("coverage"), &["subject"]),
    row("ActivityDefinition", None, &[]),
    row("AdverseEvent", Some("problems"), &["subject"]),
    row("AllergyIntolerance", Some("allergies"), &["patient", "recorder", "asserter"]),
    row("Appointment", Some("encounters"), &["patient", "actor"]),
    row("AppointmentResponse", Some("encounters"), &["patient", "actor"]),
    row("AuditEvent", Some("audit"), &["patient"]),
    row("Basic", Some("documents"), &["patient", "author"]),
    row("Binary", Some("documents"), &["Binary.securityContext"]),
    row(
        "BiologicallyDerivedProduct",
        Some("procedures"),
        &["BiologicallyDerivedProduct.collection.source"],
    ),
    row("BodyStructure", Some("problems"), &["patient"]),
    row("Bundle", Some("documents"), &["Bundle.entry[0].resource.subject"]),
    row("CapabilityStatement", None, &[]),
    row("CarePlan", Some("careplans"), &["patient", "performer"]),
    row("CareTeam", Some("careplans"), &["patient", "participant"]),
    row("CatalogEntry", None, &[]),
    row("ChargeItem", Some("coverage"), &["subject"]),
    row("ChargeItemDefinition", None, &[]),
    row("Claim", Some("coverage"), &["patient", "payee"]),
    row("ClaimResponse", Some("coverage"), &["patient"]),
    row("ClinicalImpression", Some("problems"), &["subject"]),
    row("CodeSystem", None, &[]),
    row("Communication", Some("documents"), &["subject", "sender", "recipient"]),
    row(
        "CommunicationRequest",
        Some("documents"),
        &["subject", "sender", "recipient", "requester"],
    ),
    row("CompartmentDefinition", None, &[]),
    row("Composition", Some("documents"), &["subject", "author", "attester"]),
    row("ConceptMap", None, &[]),
    row("Condition", Some("problems"), &["patient", "asserter"]),
    row("Consent", Some("careplans"), &["patient"]),
    row("Contract", Some("documents"), &["subject"]),
    row("Coverage", Some("coverage"), &["beneficiary", "subscriber", "policy-holder", "payor"]),
    row("CoverageEligibilityRequest", Some("coverage"), &["patient"]),
    row("CoverageEligibilityResponse", Some("coverage"), &["patient"]),
    row("DetectedIssue", Some("problems"), &["patient"]),
    row("Device", Some("devices"), &["patient"]),
    row("DeviceDefinition", None, &[]),
    row("DeviceMetric", None, &[]),
    row("DeviceRequest", Some("devices"), &["subject", "performer"]),
    row("DeviceUseStatement", Some("devices"), &["subject"]),
    row("DiagnosticReport", Some("results"), &["subject"]),
    row("DocumentManifest", Some("documents"), &["subject", "author", "recipient"]),
    row("DocumentReference", Some("documents"), &["subject", "author"]),
    row("EffectEvidenceSynthesis", None, &[]),
    row("Encounter", Some("encounters"), &["patient"]),
    row("Endpoint", None, &[]),
    row("EnrollmentRequest", Some("coverage"), &["subject"]),
    row("EnrollmentResponse", Some("coverage"), &[]),
    row("EpisodeOfCare", Some("encounters"), &["patient"]),
    row("EventDefinition", None, &[]),
    row("Evidence", None, &[]),
    row("EvidenceVariable", None, &[]),
    row("ExampleScenario", None, &[]),
    row("ExplanationOfBenefit", Some("coverage"), &["patient", "payee"]),
    row("FamilyMemberHistory", Some("problems"), &["patient"]),
    row("Flag", Some("problems"), &["patient"]),
    row("Goal", Some("careplans"), &["patient"]),
    row("GraphDefinition", None, &[]),
    row("Group", Some("demographics"), &[]),
    row("GuidanceResponse", Some("careplans"), &["patient"]),
    row("HealthcareService", None, &[]),
    row("ImagingStudy", Some("imaging"), &["patient"]),
    row("Immunization", Some("immunizations"), &["patient"]),
    row("ImmunizationEvaluation", Some("immunizations"), &["patient"]),
    row("ImmunizationRecommendation", Some("immunizations"), &["patient"]),
    row("ImplementationGuide", None, &[]),
    row("InsurancePlan", None, &[]),
    row("Invoice", Some("coverage"), &["patient", "subject", "recipient"]),
    row("Library", None, &[]),
    row("Linkage", None, &[]),
    row("List", Some("documents"), &["subject", "source"]),
    row("Location", None, &[]),
    row("Measure", None, &[]),
    row("MeasureReport", Some("results"), &["patient"]),
    row("Media", Some("imaging"), &["subject"]),
    row("Medication", None, &[]),
    row("MedicationAdministration", Some("medications"), &["patient", "subject", "performer"]),
    row("MedicationDispense", Some("medications"), &["patient", "subject", "receiver"]),
    row("MedicationKnowledge", None, &[]),
    row("MedicationRequest", Some("medications"), &["subject"]),
    row("MedicationStatement", Some("medications"), &["subject"]),
    row("MedicinalProduct", None, &[]),
    row("MedicinalProductAuthorization", None, &[]),
    row("MedicinalProductContraindication", None, &[]),
    row("MedicinalProductIndication", None, &[]),
    row("MedicinalProductIngredient", None, &[]),
    row("MedicinalProductInteraction", None, &[]),
    row("MedicinalProductManufactured", None, &[]),
    row("MedicinalProductPackaged", None, &[]),
    row("MedicinalProductPharmaceutical", None, &[]),
    row("MedicinalProductUndesirableEffect", None, &[]),
    row("MessageDefinition", None, &[]),
    row("MessageHeader", None, &[]),
    row("MolecularSequence", Some("genetics"), &["patient"]),
    row("NamingSystem", None, &[]),
    row("NutritionOrder", Some("careplans"), &["patient"]),
    row("Observation", Some("results"), &["subject", "performer"]),
    row("ObservationDefinition", None, &[]),
    row("OperationDefinition", None, &[]),
    row("OperationOutcome", None, &[]),
    row("Organization", None, &[]),
    row("OrganizationAffiliation", None, &[]),
    row("Parameters", None, &[]),
    row("Patient", Some("demographics"), &[]),
    row("PaymentNotice", Some("coverage"), &[]),
    row("PaymentReconciliation", Some("coverage"), &[]),
    row("Person", Some("demographics"), &["patient"]),
    row("PlanDefinition", None, &[]),
    row("Practitioner", None, &[]),
    row("PractitionerRole", None, &[]),
    row("Procedure", Some("procedures"), &["patient", "performer"]),
    row("Provenance", Some("audit"), &["patient"]),
    row("Questionnaire", None, &[]),
    row("QuestionnaireResponse", Some("documents"), &["subject", "author"]),
    row("RelatedPerson", Some("demographics"), &["patient"]),
    row("RequestGroup", Some("careplans"), &["subject", "participant"]),
    row("ResearchDefinition", None, &[]),
    row("ResearchElementDefinition", None, &[]),
    row("ResearchStudy", None, &[]),
    row("ResearchSubject", Some("documents"), &["individual"]),
    row("RiskAssessment", Some("problems"), &["subject"]),
    row("RiskEvidenceSynthesis", None, &[]),
    row("Schedule", Some("encounters"), &["actor"]),
    row("SearchParameter", None, &[]),
    row("ServiceRequest", Some("procedures"), &["subject", "performer"]),
    row("Slot", None, &[]),
    row("Specimen", Some("results"), &["subject"]),
    row("SpecimenDefinition", None, &[]),
    row("StructureDefinition", None, &[]),
    row("StructureMap", None, &[]),
    row("Subscription", None, &[]),
    row("Substance", None, &[]),
    row("SubstanceNucleicAcid", None, &[]),
    row("SubstancePolymer", None, &[]),
    row("SubstanceProtein", None, &[]),
    row("SubstanceReferenceInformation", None, &[]),
    row("SubstanceSourceMaterial", None, &[]),
    row("SubstanceSpecification", None, &[]),
    row("SupplyDelivery", Some("devices"), &["patient"]),
    row("SupplyRequest", Some("devices"), &["subject"]),
    row("Task", Some("careplans"), &["patient"]),
    row("TerminologyCapabilities", None, &[]),
    row("TestReport", None, &[]),
    row("TestScript", None, &[]),
    row("ValueSet", None, &[]),
    row("VerificationResult", None, &[]),
    row("VisionPrescription", Some("devices"), &["patient"]),
];
