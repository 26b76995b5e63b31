//! When a certificate begins and ceases to hold (RFC 5280 section 4.1.2.5). Pure.
//!
//! A walk over the few elements of DER that stand before the validity, and nothing more: what checks
//! a certificate is its client.

use std::time::{Duration, SystemTime};

use super::der::{INTEGER, PART_0, SEQUENCE, element, expect, time};

/// From when to when a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From then on.
    pub begins: SystemTime,
    /// Until then.
    pub ends: SystemTime,
}

impl Validity {
    /// Of a certificate as DER; `None` where it is not written as the RFC writes it.
    pub fn of(certificate: &[u8]) -> Option<Validity> {
        // Serial number, signature algorithm, issuer.
        let inside = (0..3).try_fold(signed(certificate)?, |inside, _| Some(element(inside)?.2))?;
        let (validity, _) = expect(SEQUENCE, inside)?;
        let (begin_tag, begins, rest) = element(validity)?;
        let (end_tag, ends, _) = element(rest)?;
        Some(Validity { begins: time(begin_tag, begins)?, ends: time(end_tag, ends)? })
    }

    /// How long it holds in all.
    pub fn lifetime(&self) -> Duration {
        self.ends.duration_since(self.begins).unwrap_or_default()
    }
}

/// The number that its authority gave a certificate, as DER has it.
pub(super) fn serial(certificate: &[u8]) -> Option<&[u8]> {
    let (serial, _) = expect(INTEGER, signed(certificate)?)?;
    Some(serial)
}

/// What is signed of a certificate, from its serial number on.
fn signed(certificate: &[u8]) -> Option<&[u8]> {
    let (outer, _) = expect(SEQUENCE, certificate)?;
    let (inside, _) = expect(SEQUENCE, outer)?;
    let version = expect(PART_0, inside);
    Some(version.map_or(inside, |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_certificates_validity_is_read_from_it() {
        let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 11, 30);
        params.not_after = rcgen::date_time_ymd(2051, 1, 2);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let validity = Validity::of(certificate.der()).unwrap();
        let at = |day: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
        assert_eq!(validity, Validity { begins: at(20_787), ends: at(29_586) });
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Validity::of(&bytes), serial(&bytes));
        }
    }
}
