//! Requests on a connection that was secured for somebody else (9110 7.4, 15.5.20).

use forebay_semantics::key::host_and_port;
use http::{HeaderMap, header};

use super::refusal::{Refusal, RefusalReason};
use crate::tls::Party;

/// Refuses a request for a host that another certificate is for than this connection's. A `Host`
/// that cannot be read is judged where targets are.
pub(super) fn check(party: Option<&Party>, fields: &HeaderMap) -> Result<(), Refusal> {
    let Some(party) = party else { return Ok(()) };
    let Some(host) = fields.get(header::HOST) else { return Ok(()) };
    let Ok(at) = host_and_port(host.as_bytes()) else { return Ok(()) };
    if party.may_ask(&at.host) {
        return Ok(());
    }
    let text = "this connection was secured for another host";
    Err(Refusal::new(RefusalReason::Misdirected, text))
}
