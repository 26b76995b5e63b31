//! What is known and counted of TLS toward clients, as `/metrics` tells it.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use super::metrics::write_head;
use super::readings::{GAUGE, Reading, write_labelled, write_rows};
use crate::tls::{HandshakeEnd, Tls};

/// How handshakes went, and until when certificates hold.
pub fn write_tls(text: &mut String, tls: &Tls) {
    let now = tls.stats();
    let ends = HandshakeEnd::ALL.map(|end| (end.word(), now.ended(end)));
    write_labelled(text, "forebay_tls_handshakes_total", "Handshakes, by their end.", "end", &ends);
    let rows = [
        Reading::gauge(
            "forebay_tls_handshakes",
            "Handshakes under way, now.",
            now.handshakes_open.load(Relaxed),
        ),
        Reading::counter(
            "forebay_tls_resumed_total",
            "Handshakes that went on with an earlier session.",
            now.resumed.load(Relaxed),
        ),
        Reading::counter(
            "forebay_tls_certificates_reloaded_total",
            "Certificates that were taken anew while running.",
            now.reloaded.load(Relaxed),
        ),
        Reading::counter(
            "forebay_tls_reloads_failed_total",
            "Certificates that could not be taken anew; the last good one stays.",
            now.reloads_failed.load(Relaxed),
        ),
        Reading::counter(
            "forebay_acme_issued_total",
            "Certificates that an authority gave.",
            now.acme_issued.load(Relaxed),
        ),
        Reading::counter(
            "forebay_acme_failed_total",
            "Tries to be given a certificate that failed.",
            now.acme_failed.load(Relaxed),
        ),
    ];
    write_rows(text, &rows);
    let ends = [
        (
            "forebay_tls_certificate_expires_seconds",
            "When a certificate ceases to hold, in seconds since 1970.",
            tls.ends(),
        ),
        (
            "forebay_tls_staple_expires_seconds",
            "When what is stapled to a certificate ceases to hold, in seconds since 1970.",
            tls.staple_ends(),
        ),
    ];
    for (name, help, rows) in ends {
        write_head(text, name, help, GAUGE);
        for (host, seconds) in rows {
            let _ = writeln!(text, "{name}{{host=\"{host}\"}} {seconds}");
        }
    }
}
