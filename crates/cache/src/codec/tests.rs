use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::entry::Stamp;
use crate::purge::Epoch;

fn record<'a>(key: &'a [u8], head: &'a [u8], body: &'a [u8]) -> Record<'a> {
    Record {
        key,
        head,
        trailer: Some(b"x: y\r\n"),
        body: StoredBody::Plain(body),
        keep_until: Timestamp::from_millis(77),
        stamp: Stamp::from_number(0x0102_0304),
        epoch: Epoch::new(5, 6, 7),
    }
}

fn written(record: &Record<'_>) -> Bytes {
    let mut out = Vec::new();
    record.write(&mut out).unwrap();
    out.into()
}

#[test]
fn what_was_written_reads() {
    let bytes = written(&record(b"key", b"head", b"body"));
    let read = StoredRecord::read(&bytes).unwrap();
    assert_eq!((&read.key[..], &read.head[..]), (&b"key"[..], &b"head"[..]));
    assert_eq!(read.trailer.as_deref(), Some(&b"x: y\r\n"[..]));
    assert_eq!(read.body(4).unwrap(), "body");
    assert_eq!(read.body(3), Err(Damage::TooLong));
    assert_eq!(read.front.stamp, Stamp::from_number(0x0102_0304));
    assert_eq!(read.front.epoch, Epoch::new(5, 6, 7));
    assert_eq!(read.front.keep_until, Timestamp::from_millis(77));
    assert_eq!(bytes[STAMP_OFFSET..STAMP_OFFSET + 8], 0x0102_0304_u64.to_le_bytes());
}

#[test]
fn every_byte_that_is_cut_off_or_changed_is_damage() {
    let bytes = written(&record(b"key", b"head", b"body"));
    for end in 0..bytes.len() {
        assert!(StoredRecord::read(&bytes.slice(..end)).is_err(), "cut at {end}");
    }
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[place] ^= 1 << bit;
            assert!(StoredRecord::read(&changed.into()).is_err(), "byte {place}, bit {bit}");
        }
    }
    let longer = [&bytes[..], b"!"].concat();
    assert_eq!(StoredRecord::read(&longer.into()).map(|_| ()), Err(Damage::Length));
}

#[test]
fn each_kind_of_foreign_bytes_is_told_apart() {
    let bytes = written(&record(b"key", b"head", b"body"));
    let check = |place: usize, value: u8, damage: Damage| {
        let mut changed = bytes.to_vec();
        changed[place] = value;
        assert_eq!(Front::read(&changed), Err(damage));
    };
    check(0, b'X', Damage::Foreign);
    check(4, 9, Damage::OtherVersion);
    check(20, 9, Damage::Checksum);
    assert_eq!(Front::read(b"FBAY"), Err(Damage::Length));
}

#[test]
fn a_front_that_contradicts_itself_does_not_read_though_its_checksum_holds() {
    let record = Record { trailer: None, ..record(b"key", b"head", b"body") };
    let good = record.front().unwrap();
    let check = |at: usize, bytes: &[u8], expected: Result<Front, Damage>| {
        let mut front = good.to_bytes();
        front[at..at + bytes.len()].copy_from_slice(bytes);
        let sum = checksum(&front[..FRONT_BYTES - 8]);
        front[FRONT_BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Front::read(&front), expected, "{bytes:?} at {at}");
    };
    check(0, b"FBAY", Ok(good));
    // Flags that nobody sets, a body both here and elsewhere, one that is longer compressed.
    check(6, &[8, 0], Err(Damage::Foreign));
    check(6, &[6, 0], Err(Damage::Foreign));
    check(6, &[4, 0], Err(Damage::Length));
    check(6, &[2, 0], Err(Damage::Length));
    check(40, &5_u64.to_le_bytes(), Err(Damage::Length));
    check(40, &u64::MAX.to_le_bytes(), Err(Damage::TooLong));
    check(48, &u64::MAX.to_le_bytes(), Err(Damage::TooLong));
    for at in [56, 60] {
        check(at, &u32::MAX.to_le_bytes(), Err(Damage::TooLong));
    }
    // A trailer's length without a trailer, and the word that says nothing.
    check(64, &1_u32.to_le_bytes(), Err(Damage::Foreign));
    check(68, &1_u32.to_le_bytes(), Err(Damage::Foreign));
}

#[test]
fn what_may_not_be_read_is_not_written() {
    let long = vec![0; 2 << 20];
    let mut out = Vec::new();
    assert_eq!(record(b"key", &long, b"").write(&mut out), Err(Damage::TooLong));
    assert_eq!(record(&long, b"head", b"").write(&mut out), Err(Damage::TooLong));
    assert!(out.is_empty());
}

#[test]
fn a_body_may_be_compressed_or_lie_elsewhere() {
    let body = b"again and again and again and again and again and again".repeat(9);
    let small = compressed(&body).unwrap();
    let len = body.len() as u64;
    let packed = Record {
        body: StoredBody::Compressed { bytes: &small, body_len: len },
        ..record(b"key", b"head", b"")
    };
    assert_eq!(StoredRecord::read(&written(&packed)).unwrap().body(len).unwrap(), body);
    let elsewhere =
        Record { body: StoredBody::Elsewhere { body_len: 9 }, ..record(b"key", b"head", b"") };
    let read = StoredRecord::read(&written(&elsewhere)).unwrap();
    assert_eq!((read.front.body_len, read.stored.len()), (9, 0));
}

#[test]
fn a_bomb_allocates_no_more_than_it_announces() {
    let small = compressed(&vec![0; 1 << 20]).unwrap();
    assert_eq!(decompressed(&small, 100), Err(Damage::Compression));
    assert_eq!(decompressed(&small, 1 << 21), Err(Damage::Compression));
    assert_eq!(decompressed(&small, (1 << 20) + 1), Err(Damage::Length));
    assert_eq!(decompressed(&small, u64::MAX), Err(Damage::Compression));
    assert_eq!(decompressed(b"", 1), Err(Damage::Compression));
    assert_eq!(compressed(b"short"), None);
}

#[test]
fn a_seal_holds_for_its_value_its_name_and_its_secret_alone() {
    let (seal, other) = (Seal::new(b"secret"), Seal::new(b"Secret"));
    let mut value = b"value".to_vec();
    seal.close(b"name", &mut value);
    assert_eq!(seal.open(b"name", &value), Ok(5));
    assert_eq!(seal.open(b"nam", &value), Err(Damage::Unauthentic));
    assert_eq!(other.open(b"name", &value), Err(Damage::Unauthentic));
    for place in 0..value.len() {
        let mut changed = value.clone();
        changed[place] ^= 1;
        assert_eq!(seal.open(b"name", &changed), Err(Damage::Unauthentic));
    }
    assert_eq!(seal.open(b"name", b"short"), Err(Damage::Unauthentic));
}

#[test]
fn a_checksum_of_pieces_is_that_of_the_whole() {
    let mut pieces = Checksum::new();
    pieces.add(b"one ");
    pieces.add(b"two");
    assert_eq!(pieces.value(), checksum(b"one two"));
    let long: Vec<u8> = (0..9_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    for length in [1_023, 1_024, 1_025, 9_000] {
        let mut pieces = Checksum::new();
        long[..length].chunks(700).for_each(|piece| pieces.add(piece));
        assert_eq!(pieces.value(), checksum(&long[..length]), "{length}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = StoredRecord::read(&Bytes::from(bytes.clone()));
        let _ = decompressed(&bytes, 1_000);
    }

    #[test]
    fn whatever_goes_in_comes_out(
        key in proptest::collection::vec(any::<u8>(), 0..50),
        head in proptest::collection::vec(any::<u8>(), 0..50),
        body in proptest::collection::vec(any::<u8>(), 0..500),
    ) {
        let read = StoredRecord::read(&written(&record(&key, &head, &body))).unwrap();
        prop_assert_eq!(&read.key[..], &key[..]);
        prop_assert_eq!(&read.head[..], &head[..]);
        prop_assert_eq!(&read.body(u64::MAX).unwrap()[..], &body[..]);
    }
}
