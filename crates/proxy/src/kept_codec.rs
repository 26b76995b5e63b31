//! Heads of entries as bytes: what tiers store that outlive the process or that other nodes read.

use std::time::Duration;

use bytes::{Buf, Bytes};
use forebay_cache::mechanism::{HeadCodec, Stamp};
use forebay_semantics::coding::Coding;
use forebay_semantics::variants::Variants;
use forebay_semantics::{FieldBlock, Stored, Tags, Timestamp};

use crate::kept::{Coded, Kept, KeptResponse};

// 1 and 2 were responses without tags, 4 and 5 such whose content had no name.
const INDEX: u8 = 3;
const RESPONSE: u8 = 6;
const VARIANT: u8 = 7;
const CODED: u8 = 8;

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
            Kept::Coded(coded) => return encode_coded(coded, out),
            Kept::Response(response) => response,
        };
        out.push(if response.fits.is_some() { VARIANT } else { RESPONSE });
        let fetch_millis = u32::try_from(response.fetch_duration.as_millis()).unwrap_or(u32::MAX);
        out.extend_from_slice(&fetch_millis.to_le_bytes());
        out.extend_from_slice(&response.content.number().to_le_bytes());
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
                let content = Stamp::from_number(rest.try_get_u64_le().ok()?);
                let fits = match kind {
                    VARIANT => {
                        let len = usize::try_from(rest.try_get_u32_le().ok()?).ok()?;
                        let fits = (len <= rest.len()).then(|| rest.split_to(len))?;
                        Some(Box::new(Variants::decode(&fits)?))
                    }
                    _ => None,
                };
                let stored = Stored::decode(&rest)?;
                Some(Kept::Response(KeptResponse { stored, fits, fetch_duration, content }))
            }
            CODED => decode_coded(rest).map(Kept::Coded),
            _ => None,
        }
    }

    fn is_compressible(&self, head: &Kept) -> bool {
        head.response().is_some_and(|response| is_compressible(response.stored.fields()))
    }
}

fn encode_coded(coded: &Coded, out: &mut Vec<u8>) {
    // There are three codings.
    out.extend_from_slice(&[CODED, coded.coding.place() as u8]);
    out.extend_from_slice(&coded.content.number().to_le_bytes());
    out.extend_from_slice(&coded.received_at.unix_millis().to_le_bytes());
    out.extend_from_slice(coded.tags.as_str().as_bytes());
}

fn decode_coded(mut rest: Bytes) -> Option<Coded> {
    let coding = *Coding::ALL.get(usize::from(rest.try_get_u8().ok()?))?;
    let content = Stamp::from_number(rest.try_get_u64_le().ok()?);
    let received_at = Timestamp::from_unix_millis(rest.try_get_u64_le().ok()?);
    let tags = Tags::from_stored(&rest)?;
    Some(Coded { coding, content, received_at, tags })
}

/// Whether a response's content is in a coding already.
pub(crate) fn is_coded(fields: &FieldBlock) -> bool {
    fields.first("content-encoding").is_some_and(|coding| coding != b"identity")
}

/// A response's media type in lower case, without parameters.
pub(crate) fn media_type(fields: &FieldBlock) -> Option<String> {
    let kind = str::from_utf8(fields.first("content-type")?).ok()?;
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Whether a response's content gets smaller: text of any kind that is not compressed already.
pub(crate) fn is_compressible(fields: &FieldBlock) -> bool {
    if is_coded(fields) {
        return false;
    }
    let Some(kind) = media_type(fields) else { return false };
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
        let content = Stamp::from_number(0x1234_5678_9abc_def0);
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
        let fetch_duration = Duration::from_secs(1);
        Kept::Response(KeptResponse { stored, fits: None, fetch_duration, content })
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
        assert_eq!(read.content, plain.content);

        let Kept::Response(mut variant) = response(&[("vary", "a")]) else { panic!("a response") };
        variant.fits = Some(Box::new(index()));
        let variant = Kept::Response(variant);
        let read = KeptCodec.decode(&written(&variant)).unwrap();
        assert_eq!(read.response().unwrap().fits.as_deref(), Some(&index()));

        let read = KeptCodec.decode(&written(&Kept::Variants(index()))).unwrap();
        assert_eq!(read.variants(), Some(&index()));
    }

    #[test]
    fn a_coded_form_reads_as_it_was_written() {
        let content = Stamp::from_number(7);
        let received_at = Timestamp::from_unix_millis(1_795_000_000_000);
        let tags = Tags::from_stored(b"ta\ngb\n").unwrap_or_default();
        let coded = Coded { coding: Coding::Brotli, content, received_at, tags };
        let written = written(&Kept::Coded(coded));
        let read = KeptCodec.decode(&written).unwrap();
        let read = read.coded().unwrap();
        assert_eq!((read.coding, read.content), (Coding::Brotli, content));
        assert_eq!(read.received_at, received_at);
        for end in 0..18 {
            assert!(KeptCodec.decode(&written.slice(..end)).is_none(), "{end}");
        }
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
