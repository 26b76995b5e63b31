//! What is said of the calls is true of them.

use serde_json::Value;

use super::*;

/// Method, path, and what is said of each call.
fn described() -> Vec<(String, String, Value)> {
    let said: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut all = Vec::new();
    for (path, methods) in said["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), call.clone()));
        }
    }
    all
}

#[test]
fn the_description_has_the_calls_of_the_table() {
    let mut said: Vec<_> =
        described().into_iter().map(|(method, path, _)| (method, path)).collect();
    let mut table: Vec<_> =
        TABLE.iter().map(|row| (row.method.to_string(), row.path.to_owned())).collect();
    said.sort();
    table.sort();
    assert_eq!(said, table);
}

#[test]
fn the_description_says_who_may_call() {
    let token = serde_json::json!([{ "token": [] }]);
    let by_default = serde_json::from_str::<Value>(OPENAPI).unwrap()["security"].clone();
    for (method, path, call) in described() {
        let row = TABLE.iter().find(|row| row.path == path && row.method == method.as_str());
        let expected = match row.unwrap().asks {
            Asks::Nothing => serde_json::json!([]),
            Asks::TokenIfSet => serde_json::json!([{}, { "token": [] }]),
            Asks::Token | Asks::TokenToChange => token.clone(),
        };
        let said = call.get("security").unwrap_or(&by_default);
        assert_eq!(*said, expected, "{method} {path}");
    }
}

#[test]
fn the_description_says_the_bound_of_a_body() {
    assert!(OPENAPI.contains(&format!("at most {} bytes", body::BODY_BYTES_MAX)));
}
