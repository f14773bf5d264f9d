//! The tree of a JSON text, with duplicate keys and excess found on the way.

use std::ops::Range;

use serde_json::{Map, Number, Value};

use super::token::{SyntaxError, Text, Token, Tokens};
use crate::issue::{Issue, IssueCode, Severity};
use crate::limits::Limits;

/// Reads a whole text. Places in the issues are relative to the root: `name[0].given`, not
/// `Patient.name[0].given`, since the root's type is not known yet.
///
/// # Errors
/// Everything that makes the text unusable: not JSON, a duplicate key, more than `limits` allow.
pub fn tree(text: &str, limits: &Limits) -> Result<Value, Vec<Issue>> {
    Builder::new(text, limits, None).finish().map(|(value, _)| value)
}

/// Reads a Bundle's text without its resources: in their place stands `null`, and beside the tree
/// comes for each the index of its entry and its bytes.
///
/// # Errors
/// As [`tree`], except for what is wrong inside a resource: that has its own limits and reading.
pub fn bundle_tree(text: &str, limits: &Limits) -> Result<(Value, Vec<Slice>), Vec<Issue>> {
    Builder::new(text, limits, Some(is_entry_resource)).finish()
}

/// The bytes of the resource of one entry: its index, and the range in the Bundle's text.
pub type Slice = (usize, Range<usize>);

struct Builder<'a> {
    tokens: Tokens<'a>,
    limits: &'a Limits,
    /// Whether the value at a path is only to be cut out.
    cut: Option<CutOut>,
    path: Vec<Step<'a>>,
    values: usize,
    /// How many resources lie within each other in what was read last.
    resources: usize,
    slices: Vec<Slice>,
    issues: Vec<Issue>,
}

/// Says whether the value at a path is to be cut out, and for which entry.
type CutOut = fn(&[Step<'_>]) -> Option<usize>;

#[derive(Clone, Copy)]
enum Step<'a> {
    Member(Text<'a>),
    Index(usize),
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, limits: &'a Limits, cut: Option<CutOut>) -> Self {
        let tokens = Tokens::new(text, limits.depth_max);
        let (path, slices, issues) = (Vec::new(), Vec::new(), Vec::new());
        Self { tokens, limits, cut, path, values: 0, resources: 0, slices, issues }
    }

    fn finish(mut self) -> Result<(Value, Vec<Slice>), Vec<Issue>> {
        match self.document() {
            Ok(value) if self.issues.is_empty() => Ok((value, self.slices)),
            Ok(_) => Err(self.issues),
            Err(stop) => {
                self.issues.push(stop);
                Err(self.issues)
            }
        }
    }

    fn document(&mut self) -> Result<Value, Issue> {
        let value = self.next_value()?;
        match self.tokens.next_token() {
            Ok(_) => Ok(value),
            Err(error) => Err(self.syntax(error)),
        }
    }

    fn next_value(&mut self) -> Result<Value, Issue> {
        if let Some(index) = self.cut.and_then(|cut| cut(&self.path)) {
            return self.cut_out(index);
        }
        let (token, _) = self.token()?;
        self.value(token)
    }

    /// Steps over one value and notes its bytes.
    fn cut_out(&mut self, index: usize) -> Result<Value, Issue> {
        let outside = self.tokens.depth();
        let (_, first) = self.token()?;
        let mut end = first.end;
        while self.tokens.depth() > outside {
            end = self.token()?.1.end;
        }
        self.slices.push((index, first.start..end));
        Ok(Value::Null)
    }

    fn token(&mut self) -> Result<(Token<'a>, Range<usize>), Issue> {
        match self.tokens.next_token() {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(self.syntax(self.tokens.wrong("the text ends too early"))),
            Err(error) => Err(self.syntax(error)),
        }
    }

    fn value(&mut self, token: Token<'a>) -> Result<Value, Issue> {
        self.values += 1;
        if self.values > self.limits.values_max {
            let text = format!("more than {} values: split the resource", self.limits.values_max);
            return Err(self.issue(IssueCode::TooLong, text));
        }
        match token {
            Token::ObjectStart => self.object(),
            Token::ArrayStart => self.array(),
            Token::String(text) => Ok(Value::String(text.decode().into_owned())),
            Token::Number(digits) => self.number(digits),
            Token::Bool(value) => Ok(Value::Bool(value)),
            Token::Null => Ok(Value::Null),
            Token::Key(_) | Token::ObjectEnd | Token::ArrayEnd => {
                Err(self.syntax(self.tokens.wrong("expected a value")))
            }
        }
    }

    fn object(&mut self) -> Result<Value, Issue> {
        let beside = std::mem::take(&mut self.resources);
        let mut members = Map::new();
        while let Token::Key(name) = self.token()?.0 {
            self.path.push(Step::Member(name));
            let value = self.next_value()?;
            if members.insert(name.decode().into_owned(), value).is_some() {
                let text = "the name appears twice in this object: keep one of them";
                self.report(IssueCode::Duplicate, text)?;
            }
            if members.len() > self.limits.members_max {
                let text = format!("more than {} members", self.limits.members_max);
                return Err(self.issue(IssueCode::TooLong, text));
            }
            self.path.pop();
        }
        self.resources += usize::from(members.contains_key("resourceType"));
        if self.resources > self.limits.resources_depth_max {
            let text = "too many resources within each other: send them side by side";
            return Err(self.issue(IssueCode::TooLong, text.to_owned()));
        }
        self.resources = self.resources.max(beside);
        Ok(Value::Object(members))
    }

    fn array(&mut self) -> Result<Value, Issue> {
        let mut items = Vec::new();
        loop {
            match self.token()?.0 {
                Token::ArrayEnd => return Ok(Value::Array(items)),
                token => {
                    self.path.push(Step::Index(items.len()));
                    items.push(self.value(token)?);
                    self.path.pop();
                }
            }
        }
    }

    fn number(&self, digits: &str) -> Result<Value, Issue> {
        if digits.len() > self.limits.number_chars_max {
            let text = format!("a number of more than {} characters", self.limits.number_chars_max);
            return Err(self.issue(IssueCode::TooLong, text));
        }
        // The token is a JSON number by construction, so its text can be taken as it is.
        Ok(Value::Number(Number::from_string_unchecked(digits.to_owned())))
    }

    /// Notes an issue and goes on, until there are enough of them.
    fn report(&mut self, code: IssueCode, text: &str) -> Result<(), Issue> {
        let issue = self.issue(code, text.to_owned());
        if self.issues.len() + 1 >= self.limits.issues_max {
            return Err(issue);
        }
        self.issues.push(issue);
        Ok(())
    }

    fn syntax(&self, error: SyntaxError) -> Issue {
        let text = format!("{error}: send well-formed JSON");
        Issue { severity: Severity::Fatal, ..self.issue(IssueCode::Structure, text) }
    }

    fn issue(&self, code: IssueCode, text: String) -> Issue {
        Issue::error(code, place(&self.path), text)
    }
}

/// Cuts `entry[index].resource`.
fn is_entry_resource(path: &[Step<'_>]) -> Option<usize> {
    match path {
        [Step::Member(entry), Step::Index(index), Step::Member(resource)]
            if entry.is("entry") && resource.is("resource") =>
        {
            Some(*index)
        }
        _ => None,
    }
}

fn place(path: &[Step<'_>]) -> String {
    let mut place = String::new();
    for step in path {
        match step {
            Step::Member(name) if place.is_empty() => place.push_str(&name.decode()),
            Step::Member(name) => {
                place.push('.');
                place.push_str(&name.decode());
            }
            Step::Index(index) => place.push_str(&format!("[{index}]")),
        }
    }
    place
}
