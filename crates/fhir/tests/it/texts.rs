//! The JSON reader agrees with an independent one, and never goes further than its limits.

use fhir::Limits;
use fhir::json::{Token, Tokens, tree};
use proptest::prelude::*;
use serde_json::Value;

const LIMITS: Limits = Limits::STANDARD;

/// Accepted by ours if and only if by serde_json, except for duplicate keys; and the same value.
fn check_agreement(text: &str) {
    let theirs: Result<Value, _> = serde_json::from_str(text);
    match (tree(text, &LIMITS), theirs) {
        (Ok(ours), Ok(theirs)) => {
            // Theirs writes exponents in one way; ours keeps them as they were.
            let ours: Value = serde_json::from_str(&ours.to_string()).unwrap();
            assert_eq!(ours, theirs, "{text:?}");
        }
        (Err(_), Err(_)) => {}
        (Err(issues), Ok(_)) => {
            let is_ours_alone = issues.iter().any(|issue| {
                issue.code == fhir::IssueCode::Duplicate || issue.code == fhir::IssueCode::TooLong
            });
            assert!(is_ours_alone, "{text:?}: {issues:?}");
        }
        (Ok(_), Err(error)) => panic!("only we accept {text:?}: {error}"),
    }
}

#[test]
fn the_corners_of_the_grammar() {
    for text in [
        "",
        " ",
        "null",
        "nul",
        "nullx",
        "true false",
        "[]",
        "[ ]",
        "[,]",
        "[1,]",
        "[1 2]",
        "{}",
        "{,}",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "[1",
        "{\"a\":1",
        "]",
        "}",
        "[}",
        "{]",
        "-",
        "-0",
        "-01",
        "01",
        "1.",
        ".1",
        "1e",
        "1e+",
        "1E-7",
        "1.50",
        "+1",
        "1e400",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\ude00\"",
        "\"\\ud83d\\u0041\"",
        "\"\\/\\b\\f\\n\\r\\t\"",
        "\"\u{7f}\"",
        "\"\u{1}\"",
        "\"a\tb\"",
        "\u{feff}1",
        "/* */ 1",
        "'a'",
        "NaN",
        "\"\u{e9}\"",
        "\"\\u+123\"",
        "{\"\":0}",
        "{\"\\u0061\":1}",
    ] {
        check_agreement(text);
    }
}

#[test]
fn a_name_that_is_escaped_is_still_the_same_name() {
    let issues = tree(r#"{"status": 1, "st\u0061tus": 2}"#, &LIMITS).unwrap_err();
    assert_eq!((issues[0].code, &*issues[0].expression), (fhir::IssueCode::Duplicate, "status"));
}

#[test]
fn nesting_ends_at_the_limit_and_not_before() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(tree(&nested(LIMITS.depth_max), &LIMITS).is_ok());
    assert!(tree(&nested(LIMITS.depth_max + 1), &LIMITS).is_err());
    assert!(tree(&"[".repeat(1 << 20), &LIMITS).is_err());
}

#[test]
fn values_members_and_digits_have_limits() {
    let limits = Limits { values_max: 4, members_max: 2, number_chars_max: 3, ..LIMITS };
    let check = |text: &str, is_taken: bool| {
        assert_eq!(tree(text, &limits).is_ok(), is_taken, "{text}");
    };
    check("[1,2,3]", true);
    check("[1,2,3,4]", false);
    check("{\"a\":1,\"b\":2}", true);
    check("{\"a\":1,\"b\":2,\"c\":3}", false);
    check("123", true);
    check("1234", false);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_reads_back(value in any_json(), is_pretty in any::<bool>()) {
        let text = match is_pretty {
            true => serde_json::to_string_pretty(&value).unwrap(),
            false => value.to_string(),
        };
        prop_assert_eq!(tree(&text, &LIMITS).unwrap(), value);
    }

    #[test]
    fn any_text_is_judged_alike(text in "[\\[\\]{}:,\"\\\\ntfu0-9.eE+ a-f-]{0,24}") {
        check_agreement(&text);
    }

    #[test]
    fn tokens_cover_the_text_in_order(value in any_json()) {
        let text = value.to_string();
        let mut tokens = Tokens::new(&text, 100);
        let mut end = 0;
        while let Some((token, range)) = tokens.next_token().unwrap() {
            // Between two tokens there is only what separates them.
            prop_assert!(text[end..range.start].chars().all(|letter| ",: \n".contains(letter)));
            if let Token::String(string) | Token::Key(string) = token {
                let written: String = serde_json::from_str(&text[range.clone()]).unwrap();
                prop_assert_eq!(string.decode(), written);
            }
            end = range.end;
        }
        prop_assert_eq!(end, text.len());
    }
}
