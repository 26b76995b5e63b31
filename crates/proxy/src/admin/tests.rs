//! What is said of the calls is true of them.

use serde_json::Value;

use super::*;
use crate::guard::Asks;

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

/// Every `$ref` within a value.
fn references(value: &Value, to: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            to.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, to));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_schema_that_is_named_is_there() {
    let said: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut all = Vec::new();
    references(&said, &mut all);
    assert!(all.len() > 20, "{all:?}");
    for reference in all {
        let found = reference.strip_prefix('#').and_then(|path| said.pointer(path));
        assert!(found.is_some(), "nothing is at {reference}");
    }
}

/// Holds a value against a schema: each key of an object is described.
fn described_by(value: &Value, schema: &Value, said: &Value, at: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => said.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    if let Some(object) = value.as_object() {
        let known = schema["properties"].as_object().unwrap_or_else(|| panic!("{at}: no object"));
        let (mut keys, mut expected): (Vec<_>, Vec<_>) =
            (object.keys().collect(), known.keys().collect());
        keys.sort();
        expected.sort();
        assert_eq!(keys, expected, "{at}");
        for (key, value) in object {
            described_by(value, &known[key], said, &format!("{at}.{key}"));
        }
    }
    for value in value.as_array().into_iter().flatten() {
        described_by(value, &schema["items"], said, &format!("{at}[]"));
    }
}

#[test]
fn the_description_of_the_status_names_all_that_is_in_it() {
    use crate::status::*;
    let said: Value = serde_json::from_str(OPENAPI).unwrap();
    let counted = || vec![Counted::default()];
    let traffic = Traffic {
        results: counted(),
        statuses: counted(),
        origin_failures: counted(),
        ..Traffic::default()
    };
    let nodes = || vec![NodeTold::default()];
    let status = Status {
        traffic,
        clients: Clients { refused: counted(), ..Clients::default() },
        tiers: vec![TierTold::default()],
        hottest: vec![HotKey::default()],
        reasons: vec![Reason::default()],
        routes: vec![RouteTold { members: vec![MemberTold::default()], ..RouteTold::default() }],
        nodes: nodes(),
        purges: vec![PurgeTold { nodes: nodes(), ..PurgeTold::default() }],
        problems: vec![ProblemTold::default()],
        ..Status::default()
    };
    let schemas = &said["components"]["schemas"];
    described_by(&serde_json::to_value(status).unwrap(), &schemas["Status"], &said, "status");
    let in_redis = serde_json::to_value(RoutesInRedis {
        used: vec![RouteTold::default()],
        ..RoutesInRedis::default()
    })
    .unwrap();
    described_by(&in_redis, &schemas["StatusRoutesInRedis"], &said, "routes_in_redis");
}
