//! Heads of entries as bytes: what tiers store that outlive the process or that other nodes read.

use std::time::Duration;

use bytes::{Buf, Bytes};
use forebay_cache::mechanism::HeadCodec;
use forebay_semantics::variants::Variants;
use forebay_semantics::{FieldBlock, Stored};

use crate::kept::{Kept, KeptResponse};

// 1 and 2 were responses without tags.
const INDEX: u8 = 3;
const RESPONSE: u8 = 4;
const VARIANT: u8 = 5;

/// Writes and reads the heads that this program keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeptCodec;

impl HeadCodec<Kept> for KeptCodec {
    fn encode(&self, head: &Kept, out: &mut Vec<u8>) {
        let response = match head {
            Kept::Variants(variants) => {
                out.push(INDEX);
                return variants.encode(out);
            }
            Kept::Response(response) => response,
        };
        out.push(if response.fits.is_some() { VARIANT } else { RESPONSE });
        let fetch_millis = u32::try_from(response.fetch_duration.as_millis()).unwrap_or(u32::MAX);
        out.extend_from_slice(&fetch_millis.to_le_bytes());
        if let Some(fits) = &response.fits {
            let begin = out.len();
            out.extend_from_slice(&[0; 4]);
            fits.encode(out);
            // Bounded by what a request may say in the nominated fields.
            let len = (out.len() - begin - 4) as u32;
            out[begin..begin + 4].copy_from_slice(&len.to_le_bytes());
        }
        response.stored.encode(out);
    }

    fn decode(&self, bytes: &Bytes) -> Option<Kept> {
        let mut rest = bytes.clone();
        let kind = rest.try_get_u8().ok()?;
        match kind {
            INDEX => Variants::decode(&rest).map(Kept::Variants),
            RESPONSE | VARIANT => {
                let fetch_duration = Duration::from_millis(rest.try_get_u32_le().ok()?.into());
                let fits = match kind {
                    VARIANT => {
                        let len = usize::try_from(rest.try_get_u32_le().ok()?).ok()?;
                        let fits = (len <= rest.len()).then(|| rest.split_to(len))?;
                        Some(Box::new(Variants::decode(&fits)?))
                    }
                    _ => None,
                };
                let stored = Stored::decode(&rest)?;
                Some(Kept::Response(KeptResponse { stored, fits, fetch_duration }))
            }
            _ => None,
        }
    }

    fn is_compressible(&self, head: &Kept) -> bool {
        head.response().is_some_and(|response| is_compressible(response.stored.fields()))
    }
}

/// Whether a response's content gets smaller: text of any kind that is not compressed already.
fn is_compressible(fields: &FieldBlock) -> bool {
    if fields.first("content-encoding").is_some_and(|coding| coding != b"identity") {
        return false;
    }
    let Some(kind) = fields.first("content-type").and_then(|kind| str::from_utf8(kind).ok()) else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some((group, name)) = kind.split_once('/') else { return false };
    match group {
        "text" => true,
        "application" | "image" | "font" | "model" => {
            const NAMES: [&str; 9] = [
                "json",
                "javascript",
                "xml",
                "wasm",
                "x-javascript",
                "x-ndjson",
                "graphql",
                "ttf",
                "vnd.ms-fontobject",
            ];
            NAMES.contains(&name) || name.ends_with("+json") || name.ends_with("+xml")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use forebay_semantics::variants::Vary;
    use forebay_semantics::{Asked, Policy, Timestamp};
    use http::{HeaderMap, HeaderValue, Method, StatusCode};

    use super::*;

    fn response(fields: &[(&'static str, &'static str)]) -> Kept {
        let fields: HeaderMap = fields
            .iter()
            .map(|&(name, value)| {
                (http::HeaderName::from_static(name), HeaderValue::from_static(value))
            })
            .collect();
        let asked = Asked::of(&Method::GET, &HeaderMap::new(), &Policy::default());
        let at = Timestamp::from_unix_millis(1_795_000_000_000);
        let policy = Policy::default();
        let stored = Stored::new(&policy, &asked, StatusCode::OK, &fields, at, at);
        Kept::Response(KeptResponse { stored, fits: None, fetch_duration: Duration::from_secs(1) })
    }

    fn written(head: &Kept) -> Bytes {
        let mut out = Vec::new();
        KeptCodec.encode(head, &mut out);
        out.into()
    }

    fn index() -> Variants {
        let mut variants = Variants::new(3);
        let fields = HeaderMap::from_iter([(http::header::VARY, HeaderValue::from_static("a"))]);
        let at = Timestamp::from_unix_millis(5);
        variants.take_in(&Vary::of(&fields), &HeaderMap::new(), Some(b"\"e\""), at, 4);
        variants
    }

    #[test]
    fn each_kind_of_head_reads_as_it_was_written() {
        let plain = response(&[("cache-control", "max-age=60"), ("a", "b")]);
        let read = KeptCodec.decode(&written(&plain)).unwrap();
        let (read, plain) = (read.response().unwrap(), plain.response().unwrap());
        assert_eq!((&read.stored, read.fits.is_none()), (&plain.stored, true));
        assert_eq!(read.fetch_duration, Duration::from_secs(1));

        let Kept::Response(mut variant) = response(&[("vary", "a")]) else { panic!("a response") };
        variant.fits = Some(Box::new(index()));
        let variant = Kept::Response(variant);
        let read = KeptCodec.decode(&written(&variant)).unwrap();
        assert_eq!(read.response().unwrap().fits.as_deref(), Some(&index()));

        let read = KeptCodec.decode(&written(&Kept::Variants(index()))).unwrap();
        assert_eq!(read.variants(), Some(&index()));
    }

    #[test]
    fn what_is_cut_off_or_of_another_kind_is_nothing() {
        let bytes = written(&response(&[("a", "b")]));
        for end in 0..bytes.len() {
            assert!(KeptCodec.decode(&bytes.slice(..end)).is_none(), "{end}");
        }
        let other = [&[9][..], &bytes[1..]].concat();
        assert!(KeptCodec.decode(&other.into()).is_none());
    }

    #[test]
    fn text_that_is_not_compressed_yet_is_worth_compressing() {
        let check = |fields: &[(&'static str, &'static str)], expected: bool| {
            assert_eq!(KeptCodec.is_compressible(&response(fields)), expected, "{fields:?}");
        };
        check(&[("content-type", "text/html; charset=utf-8")], true);
        check(&[("content-type", "Application/LD+JSON")], true);
        check(&[("content-type", "image/svg+xml")], true);
        check(&[("content-type", "image/png")], false);
        check(&[("content-type", "text/html"), ("content-encoding", "br")], false);
        check(&[], false);
    }
}
