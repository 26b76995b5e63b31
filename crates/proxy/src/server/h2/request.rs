//! Requests off HTTP/2 streams, in the form that every service sees.

use std::sync::Arc;

use hyper::body::Incoming;

use super::super::refusal::Refusal;
use super::super::request::{Peer, Request, RequestBody};
use super::super::streams::request::{self, check_length};
use super::super::terms::Terms;
use super::received::ReceivedBody;
use crate::config::Limits;

/// Checks a request and puts it in the form that every service sees.
pub(super) fn checked(
    request: http::Request<Incoming>,
    peer: Peer,
    terms: &Arc<Terms>,
) -> Result<Request, Refusal> {
    let limits = &terms.limits;
    let (mut parts, body) = request.into_parts();
    let target = request::checked(&parts.method, parts.uri, &mut parts.headers, limits)?;
    Ok(Request {
        method: parts.method,
        target,
        version: parts.version,
        fields: parts.headers,
        body: checked_body(body, limits)?,
        peer,
        informational: None,
    })
}

fn checked_body(body: Incoming, limits: &Limits) -> Result<RequestBody, Refusal> {
    let body = ReceivedBody::new(body, limits);
    let length = body.length();
    check_length(length, limits)?;
    match length {
        Some(0) => Ok(RequestBody::empty()),
        Some(_) | None => Ok(RequestBody::from_stream(length, body)),
    }
}
