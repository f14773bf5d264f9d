//! Notes in plain English, built from what the records say.

use super::medications::dose_text;
use super::results::in_words;
use super::{Writer, clinician_name};
use crate::synthetic::Sex;
use crate::synthetic::facts::conditions::{Course, Illness};
use crate::synthetic::facts::measures::Measure;
use crate::synthetic::life::{Directive, Visit, VisitKind};

/// The note of a visit: 8 to 15 lines.
pub(super) fn text(writer: &Writer<'_>, place: usize) -> String {
    let visit = writer.visit(place);
    let lines = [
        Some(format!("{}, {}", title(visit.kind), writer.hospital.name)),
        Some(format!("Date: {}. Clinician: {}.", visit.at.day, clinician_name(visit.staff))),
        Some(format!("Patient: {}.", patient(writer, visit))),
        Some(format!("Reason: {}.", reason(visit))),
        Some(history(writer, visit)),
        Some(allergies(writer)),
        Some(medicines(writer, visit)),
        examination(writer, place),
        results(writer, place),
        done(writer, place),
        Some(assessment(visit)),
        Some(plan(visit)),
    ];
    let mut text = String::new();
    for line in lines.into_iter().flatten() {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The text of an advance directive.
pub(super) fn directive(writer: &Writer<'_>, directive: &Directive) -> String {
    let who = &writer.life.who;
    let wish = if directive.no_resuscitation {
        "If my heart stops I do not want to be resuscitated."
    } else {
        "If my heart stops I want to be resuscitated."
    };
    format!(
        "Advance directive\n\
         {} {}, born {}\n\
         Signed on {} at {}.\n\
         {wish}\n\
         I do not want to be kept alive by machines without hope of waking.\n\
         I always want treatment of pain and breathlessness.\n\
         {} decides for me when I cannot.\n",
        who.given.join(" "),
        who.family,
        who.birth,
        directive.day,
        writer.hospital.name,
        who.relative,
    )
}

fn title(kind: VisitKind) -> &'static str {
    match kind {
        VisitKind::CheckUp => "Check-up",
        VisitKind::FollowUp => "Follow-up visit",
        VisitKind::Acute => "Visit",
        VisitKind::Emergency => "Emergency department note",
        VisitKind::Ward => "Discharge letter",
        VisitKind::Prenatal => "Prenatal visit",
        VisitKind::Operation => "Procedure note",
        VisitKind::Laboratory => "Laboratory visit",
        VisitKind::Intake => "First visit",
    }
}

fn patient(writer: &Writer<'_>, visit: &Visit) -> String {
    let who = &writer.life.who;
    let age = who.age(visit.at.day);
    let word = match (who.sex, age < 18.0) {
        (Sex::Female, true) => "girl",
        (Sex::Male, true) => "boy",
        (Sex::Female, false) => "woman",
        (Sex::Male, false) => "man",
    };
    match age {
        ..2.0 => format!("{}-month-old {word}", (age * 12.0) as i32),
        _ => format!("{}-year-old {word}", age as i32),
    }
}

fn reason(visit: &Visit) -> String {
    let name = visit.reason.map(|illness| illness.facts().name);
    match (visit.kind, name) {
        (VisitKind::FollowUp, Some(name)) => format!("follow-up of {name}"),
        (VisitKind::Prenatal, _) => "routine visit in pregnancy".to_string(),
        (VisitKind::Ward, Some("pregnancy")) => "birth".to_string(),
        (VisitKind::Operation, Some(name)) => format!("planned procedure because of {name}"),
        (VisitKind::Intake, _) => "new patient, records of other hospitals not seen".to_string(),
        (_, Some(name)) => name.to_string(),
        (_, None) => "routine check-up, no complaints".to_string(),
    }
}

/// Lasting conditions known here by then. A sensitive one is named only in a note about itself.
fn history(writer: &Writer<'_>, visit: &Visit) -> String {
    let may_say =
        |illness: Illness| illness.facts().sensitivity.is_none() || visit.reason == Some(illness);
    let known = writer.life.problems.iter().filter(|problem| {
        let here = problem.site == writer.site && problem.recorded <= visit.at.day;
        here && problem.ailment.is_lasting() && may_say(problem.ailment.illness)
    });
    let names: Vec<&str> = known.map(|problem| problem.ailment.illness.facts().name).collect();
    if names.is_empty() {
        "History: no lasting illness known here.".to_string()
    } else {
        format!("History: {}.", names.join(", "))
    }
}

fn allergies(writer: &Writer<'_>) -> String {
    let here = writer.life.allergies.iter().filter(|entry| entry.site == writer.site);
    let words: Vec<String> = here
        .filter_map(|entry| {
            let facts = entry.allergen?.facts();
            let reaction = if entry.severe { facts.severe } else { facts.mild };
            Some(format!("{} ({})", facts.name, reaction.display.to_lowercase()))
        })
        .collect();
    if words.is_empty() {
        "Allergies: none known.".to_string()
    } else {
        format!("Allergies: {}.", words.join(", "))
    }
}

fn medicines(writer: &Writer<'_>, visit: &Visit) -> String {
    let taken = writer.life.prescriptions.iter().filter(|entry| {
        let sensitivity = entry.therapy.reason.facts().sensitivity;
        let may_say = sensitivity.is_none() || visit.reason == Some(entry.therapy.reason);
        entry.site == writer.site
            && entry.recorded <= visit.at.day
            && entry.therapy.is_active(visit.at.day)
            && may_say
    });
    let words: Vec<String> = taken
        .map(|entry| format!("{} {}", entry.therapy.drug.facts().name, dose_text(&entry.therapy)))
        .collect();
    if words.is_empty() {
        "Medicines: none.".to_string()
    } else {
        format!("Medicines: {}.", words.join("; "))
    }
}

fn examination(writer: &Writer<'_>, place: usize) -> Option<String> {
    let mut groups = writer.life.groups.iter();
    let group = groups.find(|group| group.visit == place && group.panel.is_none())?;
    let words = group.readings.iter().filter_map(|(name, _)| in_words(writer, group, *name));
    Some(format!("Examination: {}.", words.collect::<Vec<_>>().join(", ")))
}

/// The measure of each panel that says most, and whatever lies outside its range.
fn results(writer: &Writer<'_>, place: usize) -> Option<String> {
    let groups = writer.life.groups.iter();
    let panels = groups.filter(|group| group.visit == place && group.panel.is_some());
    let mut words = Vec::new();
    for group in panels {
        for (measure, _) in &group.readings {
            let Some(text) = in_words(writer, group, *measure) else { continue };
            let telling = group.readings.len() == 1 || is_telling(*measure);
            if telling || text.ends_with(')') {
                words.push(text);
            }
        }
    }
    (!words.is_empty()).then(|| format!("Results: {}.", words.join(", ")))
}

fn is_telling(measure: Measure) -> bool {
    matches!(measure, Measure::Creatinine | Measure::Potassium | Measure::Hemoglobin | Measure::Ldl)
}

fn done(writer: &Writer<'_>, place: usize) -> Option<String> {
    let entries = writer.life.interventions.iter().filter(|entry| entry.visit == Some(place));
    let mut words: Vec<String> = entries.map(|entry| entry.snomed.display.to_lowercase()).collect();
    let pictures = writer.life.pictures.iter().filter(|picture| picture.visit == place);
    words.extend(pictures.map(|picture| {
        format!("{}: {}", picture.facts.modality.display.to_lowercase(), picture.facts.finding)
    }));
    let text = words.join("; ");
    (!words.is_empty()).then(|| format!("Done: {}.", text.trim_end_matches('.')))
}

fn assessment(visit: &Visit) -> String {
    let Some(illness) = visit.reason else {
        return "Assessment: in good general health for the age.".to_string();
    };
    let name = illness.facts().name;
    match (visit.kind, illness.facts().course) {
        (VisitKind::FollowUp | VisitKind::Laboratory, _) => {
            format!("Assessment: {name}, course as expected.")
        }
        (VisitKind::Prenatal, _) => "Assessment: pregnancy without complaints.".to_string(),
        (VisitKind::Ward, _) => format!("Assessment: {name}, recovered well enough to go home."),
        (VisitKind::Operation, _) => "Assessment: procedure without complications.".to_string(),
        (_, Course::Lasting) => format!("Assessment: newly found {name}."),
        (_, Course::Passing { .. }) => format!("Assessment: {name}."),
    }
}

fn plan(visit: &Visit) -> String {
    match visit.kind {
        VisitKind::CheckUp => "Plan: next check-up as usual.".to_string(),
        VisitKind::Prenatal => "Plan: next visit in four to six weeks.".to_string(),
        VisitKind::Emergency => {
            "Plan: rest, see the family doctor within a week, return at once if worse.".to_string()
        }
        VisitKind::Ward => "Plan: visit at the outpatient clinic in two weeks.".to_string(),
        VisitKind::Operation => "Plan: control of the wound in ten days.".to_string(),
        VisitKind::Intake => "Plan: ask the other hospitals for their records.".to_string(),
        VisitKind::Laboratory => "Plan: adjust the dose by the result.".to_string(),
        VisitKind::FollowUp | VisitKind::Acute => {
            let days = visit.reason.map_or(0, |illness| illness.facts().follow_up_days);
            match days / 30 {
                0 => "Plan: return if it does not get better.".to_string(),
                months => format!("Plan: continue treatment, next visit in {months} months."),
            }
        }
    }
}
