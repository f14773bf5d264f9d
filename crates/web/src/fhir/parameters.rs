//! What operations are asked by: a [`Parameters`](http://hl7.org/fhir/R4/parameters.html) resource.

use serde_json::Value;

use crate::error::Problem;

/// The parameters, in their order.
pub struct Parameters(Vec<Value>);

impl Parameters {
    /// Reads the resource.
    ///
    /// # Errors
    /// It is no JSON, or something else.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        let value = serde_json::from_slice(body)
            .map_err(|error| Problem::bad_request(format!("this is not JSON: {error}")))?;
        Self::of(value)
    }

    /// The parameters of a resource.
    ///
    /// # Errors
    /// It is another resource.
    pub fn of(mut value: Value) -> Result<Self, Problem> {
        if value["resourceType"] != "Parameters" {
            return Err(Problem::bad_request("the body of an operation is a Parameters resource"));
        }
        match value["parameter"].take() {
            Value::Array(parameters) => Ok(Self(parameters)),
            Value::Null => Ok(Self(Vec::new())),
            _ => Err(Problem::bad_request("`parameter` of Parameters is a list")),
        }
    }

    /// What the parameters are called; empty if one has no name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|parameter| parameter["name"].as_str().unwrap_or_default())
    }

    /// The first parameter of this name.
    pub fn named(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|parameter| parameter["name"] == name)
    }

    /// A `valueBoolean`; false if there is no such parameter.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.named(name).map(|given| &given["valueBoolean"]) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Problem::bad_request(format!("`{name}` is a valueBoolean"))),
        }
    }

    /// A `valueInteger` from 1 to a most.
    pub fn count(&self, name: &str, max: usize) -> Result<Option<usize>, Problem> {
        let Some(given) = self.named(name) else { return Ok(None) };
        let count = given["valueInteger"].as_u64().and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| (1..=max).contains(count));
        let fault = || Problem::bad_request(format!("`{name}` is a valueInteger from 1 to {max}"));
        count.map(Some).ok_or_else(fault)
    }

    /// All of them as a query would have them: names, and values that are texts or references.
    pub fn pairs(&self) -> Result<Vec<(String, String)>, Problem> {
        let pair = |parameter: &Value| {
            let name = parameter["name"].as_str()?.to_owned();
            let (_, value) =
                parameter.as_object()?.iter().find(|(key, _)| key.starts_with("value"))?;
            let text = value.as_str().or_else(|| value["reference"].as_str())?;
            Some((name, text.to_owned()))
        };
        let fault =
            || Problem::bad_request("each of the Parameters has a name, and a value as text");
        self.0.iter().map(|parameter| pair(parameter).ok_or_else(fault)).collect()
    }
}
