//! What HTTP/2 and HTTP/3 have in common: a request is fields on a stream of its own, an answer is
//! fields and pieces, and a client may give a stream up at any time (9113, 9114).

pub(super) mod answer;
pub(super) mod request;
pub(super) mod resets;
