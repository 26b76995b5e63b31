//! What is counted of TLS: plain atomics, read by whoever tells them.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeEnd {
    /// Both sides agreed.
    Done,
    /// An authority has seen that a host leads here.
    Challenge,
    /// The client asked for a host of no certificate.
    UnknownHost,
    /// The client spoke HTTP in the clear.
    PlainHttp,
    /// What the client said is no TLS, or none that we speak.
    Refused,
    /// The client left.
    Gone,
    /// It took too long, the wait for a place included.
    Late,
}

impl HandshakeEnd {
    /// All of them, in the order of their declaration.
    pub const ALL: [HandshakeEnd; 7] = [
        HandshakeEnd::Done,
        HandshakeEnd::Challenge,
        HandshakeEnd::UnknownHost,
        HandshakeEnd::PlainHttp,
        HandshakeEnd::Refused,
        HandshakeEnd::Gone,
        HandshakeEnd::Late,
    ];

    /// The word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            HandshakeEnd::Done => "done",
            HandshakeEnd::Challenge => "challenge",
            HandshakeEnd::UnknownHost => "unknown-host",
            HandshakeEnd::PlainHttp => "plain-http",
            HandshakeEnd::Refused => "refused",
            HandshakeEnd::Gone => "gone",
            HandshakeEnd::Late => "late",
        }
    }
}

/// What TLS toward clients has seen since its start.
#[derive(Debug, Default)]
pub struct TlsStats {
    ends: [AtomicU64; HandshakeEnd::ALL.len()],
    /// Handshakes under way now.
    pub handshakes_open: AtomicU64,
    /// Handshakes that went on with an earlier session.
    pub resumed: AtomicU64,
    /// Certificates that were taken anew while running.
    pub reloaded: AtomicU64,
    /// Certificates that could not be, so that the last good one stays.
    pub reloads_failed: AtomicU64,
    /// Certificates that an authority gave.
    pub acme_issued: AtomicU64,
    /// Tries to be given one that failed.
    pub acme_failed: AtomicU64,
}

impl TlsStats {
    /// How many handshakes ended so.
    pub fn ended(&self, end: HandshakeEnd) -> u64 {
        self.ends[end as usize].load(Ordering::Relaxed)
    }

    pub(super) fn count_end(&self, end: HandshakeEnd) {
        count(&self.ends[end as usize]);
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
