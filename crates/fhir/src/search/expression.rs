//! Compiles the expressions of search parameters: a small, closed part of FHIRPath.
//!
//! What R4 uses: dotted paths, unions, `as` in its two forms, `ofType`, an index, `where` with one
//! equality, `where(resolve() is T)`, `where(hasExtension(url))`, `extension(url)`, `%resource`,
//! and one boolean (`A.exists() and B != literal`). Anything else is an error, never a guess.

use super::program::{Path, Program, Step};
use crate::cursor::{Cursor, Wrong};

/// Compiles an expression, as in `Observation.subject.where(resolve() is Patient)`.
///
/// # Errors
/// The expression is outside the part of FHIRPath that search parameters use.
pub(crate) fn compile(expression: &str) -> Result<Program, Wrong> {
    let mut parser = Parser { cursor: Cursor::new(expression) };
    let program = parser.program()?;
    parser.cursor.end()?;
    Ok(program)
}

struct Parser<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Parser<'a> {
    fn program(&mut self) -> Result<Program, Wrong> {
        let paths = self.union()?;
        if !self.cursor.word("and") {
            return Ok(Program::Select(paths));
        }
        let compared = self.union()?;
        if !self.cursor.eat("!=") {
            return Err(self.cursor.wrong("expected `!=`"));
        }
        let literal = self.name()?.to_owned();
        Ok(Program::ExistsAndDiffers { exists: paths, compared, literal })
    }

    fn union(&mut self) -> Result<Vec<Path>, Wrong> {
        let mut paths = self.branch()?;
        while self.cursor.eat("|") {
            paths.extend(self.branch()?);
        }
        Ok(paths)
    }

    /// One branch; a bracket makes several paths, each continued by what follows the bracket.
    fn branch(&mut self) -> Result<Vec<Path>, Wrong> {
        let mut paths = if self.cursor.eat("(") {
            let inner = self.union()?;
            self.cursor.expect(")")?;
            inner
        } else {
            vec![self.head()?]
        };
        while let Some(step) = self.suffix()? {
            for path in &mut paths {
                push(path, &step);
            }
        }
        Ok(paths)
    }

    fn head(&mut self) -> Result<Path, Wrong> {
        if self.cursor.eat("%resource") {
            return Ok(vec![Step::Resource]);
        }
        let name = self.name()?;
        let is_type = name.starts_with(|first: char| first.is_ascii_uppercase());
        Ok(vec![if is_type { Step::Root(name.into()) } else { Step::member(name) }])
    }

    /// What continues a path: `.name`, `.function(...)`, `[0]` or ` as Type`.
    fn suffix(&mut self) -> Result<Option<Suffix>, Wrong> {
        if self.cursor.eat("[") {
            let digits = self.name()?;
            let index = digits.parse().map_err(|_| self.cursor.wrong("expected an index"))?;
            self.cursor.expect("]")?;
            return Ok(Some(Suffix::Step(Step::Index(index))));
        }
        if self.cursor.word("as") {
            return Ok(Some(Suffix::Typed(self.name()?.to_owned())));
        }
        if !self.cursor.eat(".") {
            return Ok(None);
        }
        let name = self.name()?.to_owned();
        if !self.cursor.eat("(") {
            return Ok(Some(Suffix::Step(Step::member(&name))));
        }
        let suffix = self.function(&name)?;
        self.cursor.expect(")")?;
        Ok(Some(suffix))
    }

    fn function(&mut self, name: &str) -> Result<Suffix, Wrong> {
        match name {
            "as" | "ofType" => Ok(Suffix::Typed(self.name()?.to_owned())),
            "exists" => Ok(Suffix::Nothing),
            "extension" => Ok(Suffix::Step(Step::Extension(self.quoted()?))),
            "where" => Ok(Suffix::Step(self.condition()?)),
            _ => Err(self.cursor.wrong("unknown function")),
        }
    }

    fn condition(&mut self) -> Result<Step, Wrong> {
        let name = self.name()?.to_owned();
        if self.cursor.eat("=") {
            return Ok(Step::WhereEquals { member: name, value: self.quoted()? });
        }
        self.cursor.expect("(")?;
        match name.as_str() {
            "resolve" => {
                self.cursor.expect(")")?;
                if !self.cursor.word("is") {
                    return Err(self.cursor.wrong("expected `is`"));
                }
                Ok(Step::WhereType(self.name()?.into()))
            }
            "hasExtension" => {
                let url = self.quoted()?;
                self.cursor.expect(")")?;
                Ok(Step::WhereExtension(url))
            }
            _ => Err(self.cursor.wrong("unknown condition")),
        }
    }

    fn quoted(&mut self) -> Result<String, Wrong> {
        self.cursor.expect("'")?;
        let length = self.cursor.ahead().find('\'');
        let text = self.cursor.take(length.ok_or_else(|| self.cursor.wrong("expected `'`"))?);
        self.cursor.expect("'")?;
        Ok(text.to_owned())
    }

    fn name(&mut self) -> Result<&'a str, Wrong> {
        self.cursor.name(b"_-")
    }
}

enum Suffix {
    Step(Step),
    Typed(String),
    Nothing,
}

fn push(path: &mut Path, suffix: &Suffix) {
    match suffix {
        Suffix::Step(step) => path.push(step.clone()),
        Suffix::Typed(name) => {
            if let Some(Step::Choice(member)) = path.last() {
                let typed = typed_member(member, name);
                path.pop();
                path.push(Step::Member(typed));
            }
        }
        Suffix::Nothing => {}
    }
}

/// The JSON name of a choice of one type: `value` as `Quantity` is `valueQuantity`.
pub(crate) fn typed_member(member: &str, type_name: &str) -> String {
    let mut name = member.to_owned();
    let mut letters = type_name.chars();
    name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    name.push_str(letters.as_str());
    name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_outside_the_part_of_fhirpath_are_errors() {
        for text in [
            "",
            "Patient.",
            "Patient.name.first()",
            "Patient.name and",
            "(Patient.name",
            "Patient.name)",
            "Patient.where(a > 1)",
            "Patient.where(name = 'x)",
            "Patient.name[x]",
            "Patient..name",
            "|",
            "Patient.name.where(resolve() = Patient)",
            "A.exists() and B = 1",
        ] {
            assert!(compile(text).is_err(), "{text}");
        }
    }

    #[test]
    fn choices_are_found_with_and_without_their_type() {
        let select = |expression: &str| {
            let observation = json!({
                "resourceType": "Observation", "valueQuantity": { "value": 1 }, "valueSet": 2,
                "extension": [{ "url": "a", "valueCode": "b" }, { "url": "c" }],
            });
            let program = compile(expression).unwrap();
            program.select(&observation).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(select("Observation.value"), [r#"{"value":1}"#]);
        assert_eq!(select("(Observation.value as Quantity).value"), ["1"]);
        assert_eq!(select("Observation.value.as(Quantity).value"), ["1"]);
        assert_eq!(select("Observation.value.ofType(string)"), [""; 0]);
        assert_eq!(select("Observation.extension('a')"), [r#""b""#]);
        assert_eq!(select("Observation.where(hasExtension('a')).value.value | Patient.x"), ["1"]);
        assert_eq!(select("Patient.value"), [""; 0]);
        assert_eq!(select("Observation.extension[1].url"), [r#""c""#]);
    }
}
