//! Spans as OTLP has them in JSON (opentelemetry-proto, `trace/v1`), with the names of OpenTelemetry's
//! semantic conventions for HTTP.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode, Version};
use serde_json::{Value, json};

use crate::forward::version_word;
use crate::record::{Outcome, Record};
use crate::traceparent::{Here, Hex};

/// `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT`.
const SERVER: u8 = 2;
const CLIENT: u8 = 3;

/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// The span of an exchange.
pub(super) fn server(here: &Here, record: &Record) -> Value {
    let mut attributes = vec![
        text("http.request.method", record.method.as_str()),
        text("url.full", &record.url),
        text("network.protocol.version", version(record.version)),
        number("http.response.status_code", record.status.as_u16().into()),
        number("http.response.body.size", record.body_bytes),
        text("forebay.cache_status", &record.cache_status()),
        text("forebay.result", Outcome::from(&record.cache).word()),
    ];
    if let Some(client) = record.client {
        attributes.push(text("client.address", &client.ip().to_string()));
    }
    if let Some(route) = &record.route {
        attributes.push(text("forebay.route", route));
    }
    if let Some(failure) = record.cache.detail.filter(|_| record.failure.is_some()) {
        attributes.push(text("error.type", failure));
    }
    let status = if record.status.is_server_error() { failed() } else { unset() };
    let ended = record.began + record.duration;
    span(here, SERVER, record.method.as_str(), (record.began, ended), attributes, status)
}

/// The span of a fetch: from its sending to the origin's head.
pub(super) fn client(
    here: &Here,
    began: SystemTime,
    method: &Method,
    url: &str,
    outcome: Result<StatusCode, &'static str>,
) -> Value {
    let mut attributes = vec![text("http.request.method", method.as_str()), text("url.full", url)];
    let status = match outcome {
        Ok(status) => {
            attributes.push(number("http.response.status_code", status.as_u16().into()));
            let is_error = status.is_client_error() || status.is_server_error();
            if is_error { failed() } else { unset() }
        }
        Err(failure) => {
            attributes.push(text("error.type", failure));
            failed()
        }
    };
    span(here, CLIENT, method.as_str(), (began, SystemTime::now()), attributes, status)
}

/// All of a request to a collector.
pub(super) fn request(service: &[(&str, &str)], spans: Vec<Value>) -> Value {
    let service: Vec<Value> = service.iter().map(|(key, value)| text(key, value)).collect();
    let scope = json!({ "name": "forebay", "version": env!("CARGO_PKG_VERSION") });
    json!({ "resourceSpans": [{
        "resource": { "attributes": service },
        "scopeSpans": [{ "scope": scope, "spans": spans }],
    }] })
}

/// As the conventions write it, without a second digit where there is but one version.
fn version(of: Version) -> &'static str {
    match version_word(of) {
        "2.0" => "2",
        "3.0" => "3",
        word => word,
    }
}

fn failed() -> Value {
    json!({ "code": ERROR })
}

fn unset() -> Value {
    json!({})
}

fn span(
    here: &Here,
    kind: u8,
    name: &str,
    (began, ended): (SystemTime, SystemTime),
    attributes: Vec<Value>,
    status: Value,
) -> Value {
    let parent = here.parent_id.map(|parent| Hex(&parent).to_string());
    json!({
        "traceId": Hex(&here.trace_id).to_string(),
        "spanId": Hex(&here.span_id).to_string(),
        "parentSpanId": parent.unwrap_or_default(),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": nanos(began),
        "endTimeUnixNano": nanos(ended),
        "attributes": attributes,
        "status": status,
    })
}

/// A 64-bit number is text in the JSON of protobuf.
fn nanos(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos().to_string()
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}
