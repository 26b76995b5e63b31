//! HTTP/1.
pub(super) fn append_interim_head(_: &mut Vec<u8>, _: http::StatusCode, _: &http::HeaderMap) {}
