use proptest::prelude::*;

use super::*;
use crate::case::{NOW, after, fields};

/// Whether a response with this `Vary` to the first request fits the second.
fn fits(vary: &str, first: &str, second: &str) -> bool {
    let mut variants = Variants::new(7);
    let vary = Vary::of(&fields(&format!("vary: {vary}")));
    variants.take_in(&vary, &fields(first), None, NOW, 4);
    variants.choose(&fields(second)).is_some()
}

#[test]
fn vary_is_read_over_all_lines() {
    let names = |names: &[&'static str]| {
        Vary::Fields(names.iter().map(|name| HeaderName::from_static(name)).collect())
    };
    for (text, expected) in [
        ("", Vary::Nothing),
        ("vary:", Vary::Nothing),
        ("vary: ,", Vary::Nothing),
        ("vary: B, a", names(&["a", "b"])),
        ("vary: a, A,a | vary: b", names(&["a", "b"])),
        ("vary: *", Vary::Any),
        ("vary: a | vary: b, *", Vary::Any),
        ("vary: a b", Vary::Any),
        ("vary: \"a\"", Vary::Any),
    ] {
        assert_eq!(Vary::of(&fields(text)), expected, "{text}");
    }
}

#[test]
fn absent_fits_only_absent_and_nothing_nominated_fits_all() {
    for (vary, first, second, expected) in [
        ("", "a: 1", "b: 2", true),
        ("a", "", "", true),
        ("a", "a:", "a:", true),
        ("a", "a:", "", false),
        ("a", "", "a:", false),
        ("a", "a: x", "A: x", true),
        ("a", "a: x", "a: X", false),
        ("a, b", "a: 1 | b: 2", "b: 2 | a: 1", true),
        ("a, b", "a: 1 | b: 2", "a: 2 | b: 1", false),
    ] {
        assert_eq!(fits(vary, first, second), expected, "{vary}: {first} / {second}");
    }
}

#[test]
fn white_space_beside_commas_and_the_parting_into_lines_do_not_count() {
    for (first, second, expected) in [
        ("a: 1, 2", "a: 1,2", true),
        ("a: 1 ,\t2", "a: 1 | a: 2", true),
        ("a: 1, 2", "a: 2, 1", false),
        ("a: 1 2", "a: 1  2", false),
        ("a: 1,,2", "a: 1,2", false),
        ("a: \"x, y\"", "a: \"x,y\"", false),
        ("cookie: a=1; b=2", "cookie: a=1 | cookie: b=2", true),
        ("cookie: a=1; b=2", "cookie: b=2; a=1", false),
    ] {
        assert_eq!(fits("a, cookie", first, second), expected, "{first} / {second}");
    }
}

#[test]
fn accept_encoding_is_a_set_whose_weights_count() {
    for (first, second, expected) in [
        ("gzip, br", "br,gzip", true),
        ("gzip, br", "GZIP, BR", true),
        ("gzip", "x-gzip", true),
        ("gzip", "gzip;q=1.0", true),
        ("gzip;q=0.5", "gzip; Q=0.50", true),
        ("gzip, gzip", "gzip", true),
        ("gzip, br | accept-encoding: zstd", "zstd, br, gzip", true),
        ("gzip", "gzip;q=0", false),
        ("gzip", "gzip, identity;q=0", false),
        ("gzip", "gzip, *;q=0", false),
        ("gzip, br", "gzip, br;q=0.001", false),
        ("gzip", "gzip, br", false),
        ("gzip, br;q=0", "gzip;q=0, br", false),
        ("gzip", "", false),
        ("gzip;;q=0", "gzip;q=0", false),
        ("gzip;q=0;x", "gzip;q=0;x", true),
        ("gzip;q=2", "gzip", false),
        ("gzip;q=0.0001", "gzip;q=0", false),
    ] {
        let (one, other) =
            (format!("accept-encoding: {first}"), format!("accept-encoding: {second}"));
        assert_eq!(fits("accept-encoding", &one, &other), expected, "{first} / {second}");
        assert_eq!(fits("accept-encoding", &other, &one), expected, "{second} / {first}");
    }
}

#[test]
fn a_list_too_long_to_sort_is_compared_as_it_is_written() {
    let long = |range: std::ops::Range<u32>| {
        let members: Vec<_> = range.map(|number| format!("c{number}")).collect();
        format!("accept-encoding: {}", members.join(", "))
    };
    assert!(fits("accept-encoding", &long(0..60), &long(0..60)));
    assert!(!fits("accept-encoding", &long(0..60), &long(0..61)));
}

fn take(variants: &mut Variants, vary: &str, request: &str, etag: &str, millis: u64) -> Taken {
    let vary = Vary::of(&fields(vary));
    let etag = Some(etag.as_bytes()).filter(|etag| !etag.is_empty());
    variants.take_in(&vary, &fields(request), etag, after(millis), 3).unwrap()
}

#[test]
fn the_newest_that_fits_is_chosen_by_its_own_nominations() {
    let mut variants = Variants::new(7);
    let plain = take(&mut variants, "", "", "", 0).id;
    let french = take(&mut variants, "vary: accept-language", "accept-language: fr", "", 1).id;
    let chosen = |request: &str| variants.choose(&fields(request)).unwrap().id();
    assert_eq!(chosen("accept-language: fr"), french);
    assert_eq!(chosen("accept-language: de"), plain);
    let newest = take(&mut variants, "", "", "", 2).id;
    assert_eq!(newest, plain);
    assert_eq!(variants.choose(&fields("accept-language: fr")).unwrap().id(), plain);
}

#[test]
fn the_same_values_replace_under_the_same_id() {
    let mut variants = Variants::new(7);
    let first = take(&mut variants, "vary: a", "a: 1", "\"x\"", 0);
    let other = take(&mut variants, "vary: a", "a: 2", "\"y\"", 1);
    let again = take(&mut variants, "vary: A", "a: 1", "\"z\"", 2);
    assert_ne!(first.id, other.id);
    assert_eq!((again.id, again.dropped.len()), (first.id, 0));
    let newest = variants.iter().next().unwrap();
    assert_eq!((newest.received_at(), newest.etag().unwrap().as_ref()), (after(2), &b"\"z\""[..]));
}

#[test]
fn the_oldest_falls_out_and_its_id_never_comes_back() {
    let mut variants = Variants::new(7);
    let mut seen = Vec::new();
    for number in 0..6 {
        let taken = take(&mut variants, "vary: a", &format!("a: {number}"), "", number);
        assert!(!seen.contains(&taken.id));
        seen.push(taken.id);
        let expected = if number >= 3 { vec![seen[number as usize - 3]] } else { vec![] };
        assert_eq!(taken.dropped, expected);
        assert!(variants.iter().count() <= 3);
    }
    assert!(variants.choose(&fields("a: 0")).is_none());
    assert_eq!(Variants::new(8).next_id().generation, 8);
}

#[test]
fn what_could_never_be_chosen_is_not_taken() {
    let mut variants = Variants::new(7);
    assert_eq!(variants.take_in(&Vary::Any, &fields("a: 1"), None, NOW, 3), None);
    let long = fields(&format!("a: {}", "x".repeat(SELECTING_BYTES_MAX + 1)));
    assert_eq!(variants.take_in(&Vary::of(&fields("vary: a")), &long, None, NOW, 3), None);
    let names: Vec<_> = (0..=NOMINATED_MAX).map(|number| format!("n{number}")).collect();
    assert_eq!(Vary::of(&fields(&format!("vary: {}", names.join(",")))), Vary::Any);
}

#[test]
fn etags_are_listed_once_newest_first() {
    let mut variants = Variants::new(7);
    take(&mut variants, "vary: a", "a: 1", "\"x\"", 0);
    take(&mut variants, "vary: a", "a: 2", "\"y\"", 1);
    let last = take(&mut variants, "vary: a", "a: 3", "\"x\"", 2);
    assert_eq!(variants.etags(), ["\"x\"", "\"y\""]);
    assert_eq!(variants.with_etag(b"\"x\"").unwrap().id(), last.id);
    assert!(variants.with_etag(b"\"z\"").is_none());
    assert!(variants.weight_bytes() > 3 * size_of::<Variant>());
}

proptest! {
    #[test]
    fn a_request_fits_what_it_was_answered_with(head in crate::fields::tests::any_head()) {
        let names: NameSet = head.keys().cloned().collect();
        let vary = if names.is_empty() { Vary::Nothing } else { Vary::Fields(names) };
        let mut variants = Variants::new(1);
        if let Some(taken) = variants.take_in(&vary, &head, None, NOW, 1) {
            prop_assert_eq!(variants.choose(&head).map(Variant::id), Some(taken.id));
        }
    }

    #[test]
    fn a_refusal_is_never_lost(one in "([a-z*]{1,3}(;q=(0|1|0\\.[0-9]{1,2}))?,? ?){0,4}", other in "([a-z*]{1,3}(;q=(0|1|0\\.[0-9]{1,2}))?,? ?){0,4}") {
        let refused = |text: &str| {
            let mut refused: Vec<_> = text
                .split(',')
                .map(str::trim)
                .filter_map(|member| member.split_once(";q="))
                .filter(|(_, weight)| weight.trim_end_matches(['0', '.']).is_empty())
                .map(|(word, _)| word.to_owned())
                .collect();
            refused.sort();
            refused.dedup();
            refused
        };
        let written = [&one, &other].map(|text| format!("accept-encoding: {text}"));
        if fits("accept-encoding", &written[0], &written[1]) {
            prop_assert_eq!(refused(&one), refused(&other));
        }
    }
}
