//! Bytes in, fewer bytes out. Takes as long as it takes: for threads that nobody waits for.

use std::io::{self, Write};

use forebay_semantics::coding::Coding;

use crate::config::Effort;

/// The bits of brotli's window: 4 MiB, which every decoder has.
const BROTLI_WINDOW_BITS: i32 = 22;

/// The bytes in this coding.
pub(super) fn encode(coding: Coding, effort: Effort, bytes: &[u8]) -> io::Result<Vec<u8>> {
    match coding {
        Coding::Gzip => {
            let level = flate2::Compression::new(match effort {
                Effort::Fast => 1,
                Effort::Balanced => 6,
                Effort::Best => 9,
            });
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Coding::Brotli => {
            let quality = match effort {
                Effort::Fast => 2,
                Effort::Balanced => 5,
                Effort::Best => 11,
            };
            let params = brotli::enc::BrotliEncoderParams {
                quality,
                lgwin: BROTLI_WINDOW_BITS,
                size_hint: bytes.len(),
                ..Default::default()
            };
            let mut out = Vec::new();
            brotli::BrotliCompress(&mut &bytes[..], &mut out, &params)?;
            Ok(out)
        }
        // The length is written into the frame, so that its window is no larger than that: within the
        // 8 MiB that a client need have (RFC 9659), since no longer body is compressed.
        Coding::Zstd => {
            let level = match effort {
                Effort::Fast => 1,
                Effort::Balanced => 6,
                Effort::Best => 19,
            };
            zstd::bulk::compress(bytes, level)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const BYTES_MAX: usize = 1 << 20;

    fn decoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
            Coding::Brotli => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out),
            Coding::Zstd => {
                out = zstd::bulk::decompress(bytes, BYTES_MAX).unwrap();
                Ok(out.len())
            }
        }
        .unwrap();
        out
    }

    #[test]
    fn what_was_encoded_decodes_to_the_same() {
        let text = "a forebay is the pool in front of a dam. ".repeat(1000).into_bytes();
        for coding in Coding::ALL {
            for effort in [Effort::Fast, Effort::Balanced, Effort::Best] {
                for bytes in [&text[..], &text[..1], &[]] {
                    let coded = encode(coding, effort, bytes).unwrap();
                    assert_eq!(decoded(coding, &coded), bytes, "{coding:?} {effort:?}");
                }
                assert!(encode(coding, effort, &text).unwrap().len() < text.len() / 10);
            }
        }
    }
}
