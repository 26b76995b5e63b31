//! What compressing answers counts, as `/metrics` tells it.

use super::readings::{Reading, write_labelled, write_rows};
use crate::compressor::Compressor;

/// Coded forms that were made, and the answers that were sent in them.
pub fn write_compression(text: &mut String, compressor: &Compressor) {
    let help = "Answers sent compressed, by coding.";
    write_labelled(text, "forebay_compressed_answers_total", help, "coding", &compressor.sent());
    let help = "Compressed forms that were wanted, by what became of them.";
    write_labelled(text, "forebay_compressions_total", help, "result", &compressor.made());
    let saved = compressor.saved_bytes();
    let help = "Bytes that compressed answers were shorter by.";
    write_rows(text, &[Reading::counter("forebay_compression_saved_bytes_total", help, saved)]);
}
