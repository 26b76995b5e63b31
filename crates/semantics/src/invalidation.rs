//! Question 5: what does a request spoil? (RFC 9111 section 4.4.)

use http::header::HeaderMap;
use http::{StatusCode, Uri};

use crate::request::Asked;

/// The URIs whose stored responses a response to an unsafe request spoils: its target, and what
/// `Location` and `Content-Location` say, on the same origin only. At most three.
pub fn spoiled(asked: &Asked, target: &Uri, status: StatusCode, fields: &HeaderMap) -> Vec<Uri> {
    unimplemented!()
}
