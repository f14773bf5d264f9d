//! Compiles the expressions of search parameters: a small, closed part of FHIRPath.
//!
//! What R4 uses: dotted paths, unions, `as` in its two forms, `ofType`, an index, `where` with one
//! equality, `where(resolve() is T)`, `where(hasExtension(url))`, `extension(url)`, `%resource`,
//! and one boolean (`A.exists() and B != literal`). Anything else is an error, never a guess.

use super::program::{Path, Program, Step};

/// Why an expression does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at character {at} of the expression")]
pub(crate) struct CompileError {
    /// Byte offset in the expression.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Compiles an expression, as in `Observation.subject.where(resolve() is Patient)`.
///
/// # Errors
/// The expression is outside the part of FHIRPath that search parameters use.
pub(crate) fn compile(expression: &str) -> Result<Program, CompileError> {
    let mut parser = Parser { text: expression, at: 0 };
    let program = parser.program()?;
    parser.space();
    if parser.at < expression.len() {
        return Err(parser.wrong("unexpected text"));
    }
    Ok(program)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn program(&mut self) -> Result<Program, CompileError> {
        let paths = self.union()?;
        if !self.word("and") {
            return Ok(Program::Select(paths));
        }
        let compared = self.union()?;
        if !self.eat("!=") {
            return Err(self.wrong("expected `!=`"));
        }
        self.space();
        let literal = self.name()?.to_owned();
        Ok(Program::ExistsAndDiffers { exists: paths, compared, literal })
    }

    fn union(&mut self) -> Result<Vec<Path>, CompileError> {
        let mut paths = self.branch()?;
        while self.eat("|") {
            paths.extend(self.branch()?);
        }
        Ok(paths)
    }

    /// One branch; a bracket makes several paths, each continued by what follows the bracket.
    fn branch(&mut self) -> Result<Vec<Path>, CompileError> {
        let mut paths = if self.eat("(") {
            let inner = self.union()?;
            self.expect(")")?;
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

    fn head(&mut self) -> Result<Path, CompileError> {
        self.space();
        if self.eat("%resource") {
            return Ok(vec![Step::Resource]);
        }
        let name = self.name()?;
        let is_type = name.starts_with(|first: char| first.is_ascii_uppercase());
        Ok(vec![if is_type { Step::Root(name.into()) } else { Step::member(name) }])
    }

    /// What continues a path: `.name`, `.function(...)`, `[0]` or ` as Type`.
    fn suffix(&mut self) -> Result<Option<Suffix>, CompileError> {
        if self.eat("[") {
            let digits = self.name()?;
            let index = digits.parse().map_err(|_| self.wrong("expected an index"))?;
            self.expect("]")?;
            return Ok(Some(Suffix::Step(Step::Index(index))));
        }
        if self.word("as") {
            self.space();
            return Ok(Some(Suffix::Typed(self.name()?.to_owned())));
        }
        if !self.eat(".") {
            return Ok(None);
        }
        let name = self.name()?.to_owned();
        if !self.eat("(") {
            return Ok(Some(Suffix::Step(Step::member(&name))));
        }
        let suffix = self.function(&name)?;
        self.expect(")")?;
        Ok(Some(suffix))
    }

    fn function(&mut self, name: &str) -> Result<Suffix, CompileError> {
        match name {
            "as" | "ofType" => Ok(Suffix::Typed(self.name()?.to_owned())),
            "exists" => Ok(Suffix::Nothing),
            "extension" => Ok(Suffix::Step(Step::Extension(self.quoted()?))),
            "where" => Ok(Suffix::Step(self.condition()?)),
            _ => Err(self.wrong("unknown function")),
        }
    }

    fn condition(&mut self) -> Result<Step, CompileError> {
        let name = self.name()?.to_owned();
        if self.eat("=") {
            self.space();
            return Ok(Step::WhereEquals { member: name, value: self.quoted()? });
        }
        self.expect("(")?;
        match name.as_str() {
            "resolve" => {
                self.expect(")")?;
                if !self.word("is") {
                    return Err(self.wrong("expected `is`"));
                }
                self.space();
                Ok(Step::WhereType(self.name()?.into()))
            }
            "hasExtension" => {
                let url = self.quoted()?;
                self.expect(")")?;
                Ok(Step::WhereExtension(url))
            }
            _ => Err(self.wrong("unknown condition")),
        }
    }

    fn quoted(&mut self) -> Result<String, CompileError> {
        self.expect("'")?;
        let length = self.rest().find('\'').ok_or_else(|| self.wrong("expected `'`"))?;
        let text = self.rest()[..length].to_owned();
        self.at += length + 1;
        Ok(text)
    }

    fn name(&mut self) -> Result<&str, CompileError> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let length = self.rest().bytes().take_while(|byte| is_part(*byte)).count();
        if length == 0 {
            return Err(self.wrong("expected a name"));
        }
        self.at += length;
        Ok(&self.text[self.at - length..self.at])
    }

    /// Eats a word that stands alone, as `as` in ` as Quantity` but not in `asserter`.
    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest().trim_start();
        let Some(after) = rest.strip_prefix(word) else { return false };
        if !after.starts_with(' ') {
            return false;
        }
        self.at = self.text.len() - after.len();
        true
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), CompileError> {
        if self.eat(symbol) { Ok(()) } else { Err(self.wrong("expected other punctuation")) }
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let Some(after) = self.rest().trim_start().strip_prefix(symbol) else { return false };
        self.at = self.text.len() - after.len();
        true
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn wrong(&self, what: &'static str) -> CompileError {
        CompileError { at: self.at, what }
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
