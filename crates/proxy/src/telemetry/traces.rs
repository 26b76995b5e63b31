//! What became of spans, as `/metrics` tells it.

use std::sync::atomic::Ordering::Relaxed;

use super::readings::write_labelled;
use crate::traces::Tracer;

/// Spans by what became of them; all are 0 where there is no collector.
pub fn write_traces(text: &mut String, tracer: &Tracer) {
    let counts = tracer.counts().unwrap_or_default();
    let rows = [
        ("sent", counts.sent.load(Relaxed)),
        ("dropped", counts.dropped.load(Relaxed)),
        ("failed", counts.failed.load(Relaxed)),
    ];
    let help = "Spans of traces, by what became of them.";
    write_labelled(text, "forebay_trace_spans_total", help, "result", &rows);
}
