//! What an authority says of a certificate now (RFC 6960), as far as who staples it has to know: that it
//! is of this certificate, good, and holds. Pure.
//!
//! Not here: whether the authority has signed it, which clients judge. But what no client would take
//! makes handshakes fail that succeed without it, so that is not stapled.

use std::time::SystemTime;

use super::der::{GENERALIZED_TIME, INTEGER, PART_0, SEQUENCE, element, expect, time};

/// The response that says what was asked for (section 4.2.1), as an enumerated value.
const ENUMERATED: u8 = 0x0a;
const SUCCESSFUL: &[u8] = &[0];

const OBJECT_ID: u8 = 0x06;
const OCTETS: u8 = 0x04;

/// The states of a certificate (section 4.2.1).
pub(super) const GOOD: u8 = 0x80;
const REVOKED: u8 = 0xa1;

/// What is said of one certificate, until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Staple {
    /// When newer words are to be had, at the latest; `None` where they always are.
    pub(super) ends: Option<SystemTime>,
}

impl Staple {
    /// What this response says of the certificate with this serial number, if it may be stapled now; or
    /// why it may not.
    pub(super) fn of(response: &[u8], serial: &[u8], now: SystemTime) -> Result<Staple, String> {
        let outer = expect(SEQUENCE, response).filter(|(_, rest)| rest.is_empty());
        let (status, body) = outer
            .and_then(|(outer, _)| expect(ENUMERATED, outer))
            .ok_or("it is no OCSP response as DER")?;
        if status != SUCCESSFUL {
            return Err("the authority did not say how the certificate is".to_owned());
        }
        let mut singles = singles(body).ok_or("it is no OCSP response as DER")?;
        while !singles.is_empty() {
            let (single, rest) =
                expect(SEQUENCE, singles).ok_or("it is no OCSP response as DER")?;
            singles = rest;
            let said = Said::of(single).ok_or("it is no OCSP response as DER")?;
            if said.serial == serial {
                return said.judged(now);
            }
        }
        Err("it is of another certificate".to_owned())
    }

    /// Whether it holds.
    pub(super) fn holds(&self, now: SystemTime) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }
}

/// What is said of each certificate, one behind the other (section 4.2.1: `responses`).
fn singles(body: &[u8]) -> Option<&[u8]> {
    let (part, _) = expect(PART_0, body)?;
    let (part, _) = expect(SEQUENCE, part)?;
    let (_, part) = expect(OBJECT_ID, part)?;
    let (basic, _) = expect(OCTETS, part)?;
    let (basic, _) = expect(SEQUENCE, basic)?;
    let (mut data, _) = expect(SEQUENCE, basic)?;
    if let Some((_, rest)) = expect(PART_0, data) {
        data = rest;
    }
    // Who says it, by name or by key.
    let (_, _, data) = element(data)?;
    let (_, data) = expect(GENERALIZED_TIME, data)?;
    Some(expect(SEQUENCE, data)?.0)
}

/// What is said of one certificate.
struct Said<'a> {
    serial: &'a [u8],
    state: u8,
    begins: SystemTime,
    ends: Option<SystemTime>,
}

impl<'a> Said<'a> {
    fn of(single: &'a [u8]) -> Option<Self> {
        let (certificate, rest) = expect(SEQUENCE, single)?;
        // The digest, and by it the authority's name and key.
        let number = (0..3).try_fold(certificate, |inside, _| Some(element(inside)?.2))?;
        let (serial, _) = expect(INTEGER, number)?;
        let (state, _, rest) = element(rest)?;
        let (begins, rest) = expect(GENERALIZED_TIME, rest)?;
        let ends = match expect(PART_0, rest) {
            Some((next, _)) => Some(time(GENERALIZED_TIME, expect(GENERALIZED_TIME, next)?.0)?),
            None => None,
        };
        Some(Said { serial, state, begins: time(GENERALIZED_TIME, begins)?, ends })
    }

    fn judged(&self, now: SystemTime) -> Result<Staple, String> {
        let staple = Staple { ends: self.ends };
        match self.state {
            GOOD if self.begins > now => Err("it does not hold yet".to_owned()),
            GOOD if !staple.holds(now) => Err("it has expired".to_owned()),
            GOOD => Ok(staple),
            REVOKED => Err("it says that the certificate is revoked".to_owned()),
            _ => Err("the authority does not know the certificate".to_owned()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// An element of DER of at most 65 535 bytes.
    fn der(tag: u8, inside: &[u8]) -> Vec<u8> {
        let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
        [&[tag, 0x82, length[0], length[1]][..], inside].concat()
    }

    /// A response of one certificate.
    pub(crate) fn response(serial: &[u8], state: u8, begins: &str, ends: Option<&str>) -> Vec<u8> {
        let digest = [der(SEQUENCE, &[]), der(OCTETS, &[1]), der(OCTETS, &[2])].concat();
        let certificate = der(SEQUENCE, &[digest, der(INTEGER, serial)].concat());
        let ends = ends.map(|ends| der(PART_0, &der(GENERALIZED_TIME, ends.as_bytes())));
        let moments = [der(GENERALIZED_TIME, begins.as_bytes()), ends.unwrap_or_default()];
        let single = [certificate, der(state, &[]), moments.concat()].concat();
        let produced = der(GENERALIZED_TIME, b"20261130000000Z");
        let singles = der(SEQUENCE, &der(SEQUENCE, &single));
        let data = der(SEQUENCE, &[der(0xa2, &[]), produced, singles].concat());
        let basic = der(OCTETS, &der(SEQUENCE, &data));
        let body = der(PART_0, &der(SEQUENCE, &[der(OBJECT_ID, &[9]), basic].concat()));
        der(SEQUENCE, &[der(ENUMERATED, SUCCESSFUL), body].concat())
    }

    /// Noon of 2026-11-30.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(20_787 * 86_400 + 43_200)
    }

    const BEGINS: &str = "20261130110000Z";
    const ENDS: &str = "20261130130000Z";

    fn check(response: &[u8], why: &str) {
        assert_eq!(Staple::of(response, &[7], now()).unwrap_err(), why);
    }

    #[test]
    fn what_is_said_of_this_certificate_is_stapled_as_long_as_it_holds() {
        let good = response(&[7], GOOD, BEGINS, Some(ENDS));
        let staple = Staple::of(&good, &[7], now()).unwrap();
        assert!(staple.holds(now()) && !staple.holds(now() + Duration::from_secs(3600)));
        let endless = Staple::of(&response(&[7], GOOD, BEGINS, None), &[7], now()).unwrap();
        assert_eq!(endless.ends, None);
    }

    #[test]
    fn what_no_client_would_take_is_not_stapled() {
        check(&response(&[8], GOOD, BEGINS, Some(ENDS)), "it is of another certificate");
        check(&response(&[7], GOOD, BEGINS, Some("20261130115959Z")), "it has expired");
        check(&response(&[7], GOOD, ENDS, None), "it does not hold yet");
        check(
            &response(&[7], REVOKED, BEGINS, Some(ENDS)),
            "it says that the certificate is revoked",
        );
        check(
            &response(&[7], 0x82, BEGINS, Some(ENDS)),
            "the authority does not know the certificate",
        );
        let later = der(SEQUENCE, &der(ENUMERATED, &[3]));
        check(&later, "the authority did not say how the certificate is");
    }

    #[test]
    fn what_is_no_response_is_not_stapled() {
        let good = response(&[7], GOOD, BEGINS, Some(ENDS));
        check(b"", "it is no OCSP response as DER");
        check(b"-----BEGIN OCSP RESPONSE-----", "it is no OCSP response as DER");
        check(&good[..good.len() - 1], "it is no OCSP response as DER");
        check(&[&good[..], b"x"].concat(), "it is no OCSP response as DER");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Staple::of(&bytes, &[7], now());
        }

        #[test]
        fn no_damage_panics(at in 0usize..150, byte in any::<u8>(), length in 0usize..200) {
            let mut damaged = response(&[7], GOOD, BEGINS, Some(ENDS));
            let at = at % damaged.len();
            damaged[at] = byte;
            damaged.truncate(length);
            let _ = Staple::of(&damaged, &[7], now());
        }
    }
}
