//! Codes, quantities and dates as people read them.

use serde_json::Value;

/// A CodeableConcept: its text, else a display, else a code.
pub fn concept(concept: &Value) -> String {
    let codings = || concept["coding"].as_array().into_iter().flatten();
    let shown = concept["text"].as_str();
    let shown = shown.or_else(|| codings().find_map(|coding| coding["display"].as_str()));
    shown.or_else(|| codings().find_map(|coding| coding["code"].as_str())).unwrap_or("").to_owned()
}

/// Several CodeableConcepts.
pub fn concepts(list: &Value) -> String {
    joined(list.as_array().into_iter().flatten().map(concept), ", ")
}

/// The first code of a CodeableConcept, as in `active`.
pub fn code(concept: &Value) -> &str {
    concept["coding"][0]["code"].as_str().unwrap_or_default()
}

/// Whether a CodeableConcept has a code, of any system.
pub fn has_code(concept: &Value, codes: &[&str]) -> bool {
    let mut codings = concept["coding"].as_array().into_iter().flatten();
    codings.any(|coding| coding["code"].as_str().is_some_and(|code| codes.contains(&code)))
}

/// Whether one of a list of CodeableConcepts has a code.
pub fn any_code(list: &Value, codes: &[&str]) -> bool {
    list.as_array().into_iter().flatten().any(|concept| has_code(concept, codes))
}

/// The text of a simple value; numbers as they were written.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        _ => String::new(),
    }
}

/// The first of the named elements that is there, in words: of a choice such as `value[x]`.
pub fn first(resource: &Value, names: &[&str]) -> String {
    let found = names.iter().map(|name| any(&resource[*name]));
    found.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// The value of an observation: its own, those of its components, or why there is none.
pub fn measured(observation: &Value) -> String {
    let own = first(observation, &VALUES);
    let components = observation["component"].as_array().into_iter().flatten();
    let parts = components.map(|part| {
        let (name, value) = (concept(&part["code"]), measured_alone(part));
        if value.is_empty() { value } else { format!("{name}: {value}") }
    });
    let all = joined(std::iter::once(own).chain(parts), "; ");
    if all.is_empty() { concept(&observation["dataAbsentReason"]) } else { all }
}

fn measured_alone(part: &Value) -> String {
    let own = first(part, &VALUES);
    if own.is_empty() { concept(&part["dataAbsentReason"]) } else { own }
}

/// Texts that are not empty, with something between them.
pub fn joined(texts: impl Iterator<Item = String>, between: &str) -> String {
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(between)
}

/// A value of any of the types that stand in a choice.
fn any(value: &Value) -> String {
    let Some(object) = value.as_object() else { return plain(value) };
    let has = |name: &str| object.contains_key(name);
    if has("coding") || has("text") {
        concept(value)
    } else if has("numerator") {
        joined([any(&value["numerator"]), any(&value["denominator"])].into_iter(), " / ")
    } else if has("start") || has("end") || has("low") || has("high") {
        let side =
            |one: &str, other: &str| joined([any(&value[one]), any(&value[other])].into_iter(), "");
        format!("{} \u{2013} {}", side("start", "low"), side("end", "high")).trim().to_owned()
    } else {
        let unit = [&value["unit"], &value["code"]].into_iter().find_map(Value::as_str);
        let number = format!("{}{}", plain(&value["comparator"]), plain(&value["value"]));
        joined([number, unit.unwrap_or_default().to_owned()].into_iter(), " ")
    }
}

/// The choices of `Observation.value[x]`.
const VALUES: [&str; 10] = [
    "valueQuantity",
    "valueCodeableConcept",
    "valueString",
    "valueBoolean",
    "valueInteger",
    "valueRange",
    "valueRatio",
    "valueTime",
    "valueDateTime",
    "valuePeriod",
];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::measured;

    #[test]
    fn values_read_as_they_were_written() {
        let number: Value = serde_json::from_str(r#"{ "value": 1.50, "unit": "mmol/L" }"#).unwrap();
        let half = json!({ "code": { "text": "Diastolic" }, "valueQuantity": { "value": 80 } });
        let absent = json!({ "text": "Not performed" });
        let one = json!({ "value": 1 });
        let cases = [
            (json!({ "valueQuantity": number }), "1.50 mmol/L"),
            (json!({ "valueQuantity": { "comparator": "<", "value": 5, "code": "mg" } }), "<5 mg"),
            (json!({ "valueCodeableConcept": { "coding": [{ "code": "a" }] } }), "a"),
            (
                json!({ "valueRange": { "low": { "value": 1 }, "high": { "value": 2 } } }),
                "1 \u{2013} 2",
            ),
            (json!({ "valueRatio": { "numerator": one, "denominator": { "value": 8 } } }), "1 / 8"),
            (json!({ "valueBoolean": false }), "no"),
            (json!({ "component": [half] }), "Diastolic: 80"),
            (json!({ "dataAbsentReason": absent }), "Not performed"),
            (json!({}), ""),
        ];
        for (observation, expected) in cases {
            assert_eq!(measured(&observation), expected, "{observation}");
        }
    }
}
