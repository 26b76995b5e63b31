use proptest::prelude::*;

use super::*;
use crate::codec::Damage;

const LINEAGE: u64 = 7;

fn token(number: u64) -> u64 {
    if number == 0 { 0 } else { number.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
}

fn entry(number: u64, scope: Scope, kind: Kind) -> LogEntry {
    let (previous, at) = (token(number - 1), Timestamp::from_millis(number * 10));
    LogEntry { number, token: token(number), previous, at, rule: Rule { scope, kind } }
}

fn epoch(number: u64) -> Epoch {
    Epoch::new(LINEAGE, number, token(number))
}

fn tag(name: &str) -> Group {
    Group::of("tag", name.as_bytes())
}

fn host() -> Group {
    Group::of("host", b"h")
}

fn prefix(bytes: &[u8]) -> Scope {
    Scope::Prefix(Prefix::new(host(), bytes).unwrap())
}

fn rules_of(bounds: Bounds, scopes: &[(Scope, Kind)]) -> Rules {
    let mut rules = Rules::new(bounds);
    rules.begin(Position::start_of(LINEAGE));
    for (number, (scope, kind)) in (1..).zip(scopes) {
        rules.apply(&entry(number, scope.clone(), *kind));
    }
    rules
}

fn belongs<'a>(tags: &[&str], path: &'a [u8]) -> Belongs<'a> {
    let mut belongs = Belongs::new();
    tags.iter().for_each(|name| belongs.to(tag(name)));
    belongs.to(host());
    belongs.lies_on(host(), path);
    belongs
}

#[test]
fn a_purge_covers_what_is_older_and_of_its_scope_alone() {
    let hard = |scope: Scope| rules_of(Bounds::default(), &[(scope, Kind::Hard)]);
    for (name, scope, is_covered) in [
        ("all", Scope::Everything, true),
        ("its tag", Scope::Group(tag("a")), true),
        ("another tag", Scope::Group(tag("b")), false),
        ("a tag in place of a host", Scope::Group(Group::of("tag", b"h")), false),
        ("its host", Scope::Group(host()), true),
        ("its path", prefix(b"/shop/1"), true),
        ("a begin of its path", prefix(b"/shop/"), true),
        ("no path at all", prefix(b""), true),
        ("a longer path", prefix(b"/shop/12"), false),
        ("another path", prefix(b"/shoq"), false),
    ] {
        let rules = hard(scope);
        let old = rules.judge(epoch(0), &belongs(&["a", "c"], b"/shop/1"));
        assert_eq!(old == Verdict::Gone { by: 1 }, is_covered, "{name}: {old:?}");
        assert_eq!(rules.judge(epoch(1), &belongs(&["a"], b"/shop/1")), Verdict::Alive, "{name}");
    }
}

#[test]
fn gone_wins_over_unproven_and_unproven_over_stale() {
    let (soft, hard) = ((Scope::Group(tag("a")), Kind::Soft), (Scope::Group(tag("b")), Kind::Hard));
    let mut rules = rules_of(Bounds::default(), &[soft, hard]);
    let judge = |rules: &Rules, tags: &[&str]| rules.judge(epoch(0), &belongs(tags, b"/"));
    let since = Timestamp::from_millis(10);
    assert_eq!(judge(&rules, &["a"]), Verdict::Stale { since, by: 1 });
    assert_eq!(judge(&rules, &["a", "b"]), Verdict::Gone { by: 2 });
    rules.raise_floor(1);
    assert_eq!(judge(&rules, &["a"]), Verdict::Unproven);
    assert_eq!(judge(&rules, &["c"]), Verdict::Unproven);
    assert_eq!(judge(&rules, &["a", "b"]), Verdict::Gone { by: 2 });
    assert_eq!(rules.judge(epoch(1), &belongs(&["a"], b"/")), Verdict::Alive);
}

#[test]
fn an_epoch_of_another_log_history_or_future_is_unproven() {
    let rules = rules_of(Bounds::default(), &[(Scope::Group(tag("a")), Kind::Soft)]);
    let judge = |epoch| rules.judge(epoch, &belongs(&["b"], b"/"));
    assert_eq!(judge(epoch(1)), Verdict::Alive);
    assert_eq!(judge(epoch(0)), Verdict::Alive);
    assert_eq!(judge(Epoch::new(LINEAGE + 1, 1, token(1))), Verdict::Unproven);
    assert_eq!(judge(Epoch::new(LINEAGE, 1, token(1) + 1)), Verdict::Unproven);
    assert_eq!(judge(epoch(2)), Verdict::Unproven);
    assert_eq!(judge(Epoch::default()), Verdict::Unproven);
    assert_eq!(
        Rules::new(Bounds::default()).judge_by_epoch(Epoch::default()),
        Some(Verdict::Alive)
    );
}

#[test]
fn the_oldest_rules_leave_a_full_table_and_the_floor_rises() {
    let scopes: Vec<_> =
        (0..10).map(|number| (Scope::Group(tag(&number.to_string())), Kind::Hard)).collect();
    let rules = rules_of(Bounds { rules_max: 4, ..Bounds::default() }, &scopes);
    assert_eq!((rules.len(), rules.floor()), (4, 6));
    assert_eq!(rules.judge(epoch(5), &belongs(&["0"], b"/")), Verdict::Unproven);
    assert_eq!(rules.judge(epoch(6), &belongs(&["0"], b"/")), Verdict::Alive);
    assert_eq!(rules.judge(epoch(6), &belongs(&["6"], b"/")), Verdict::Gone { by: 7 });
    let few_bytes = rules_of(Bounds { bytes_max: 1_000, ..Bounds::default() }, &scopes);
    assert!(few_bytes.bytes() <= 1_000 && few_bytes.floor() >= 6 && !few_bytes.is_empty());
}

#[test]
fn the_same_purge_again_and_all_at_once_take_no_room() {
    let same = (Scope::Group(tag("a")), Kind::Hard);
    let rules = rules_of(Bounds::default(), &vec![same.clone(); 50]);
    assert_eq!((rules.len(), rules.floor(), rules.version()), (1, 0, 52));
    let rules = rules_of(
        Bounds::default(),
        &[same.clone(), (prefix(b"/a"), Kind::Soft), (Scope::Everything, Kind::Hard)],
    );
    assert_eq!(rules.len(), 1);
    assert_eq!(rules.judge(epoch(2), &Belongs::new()), Verdict::Gone { by: 3 });
}

#[test]
fn more_lengths_than_there_is_room_for_purge_more_and_not_less() {
    let path = [b'x'; 200];
    let lens = (100..200).chain([5, 50]);
    let scopes: Vec<_> = lens.map(|len| (prefix(&path[..len]), Kind::Hard)).collect();
    let rules = rules_of(Bounds::default(), &scopes);
    for (number, len) in (1_u64..).zip((100..200).chain([5, 50])) {
        let verdict = rules.judge(epoch(number - 1), &belongs(&[], &path[..len]));
        assert!(matches!(verdict, Verdict::Gone { by } if by >= number), "{len}: {verdict:?}");
    }
    assert!(rules.lengths.values().all(|lengths| lengths.len() <= 65));
}

#[test]
fn more_groups_than_lie_in_place_are_told_all() {
    let names: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    let mut belongs = Belongs::new();
    names.iter().for_each(|name| belongs.to(tag(name)));
    names.iter().for_each(|name| belongs.lies_on(tag(name), name.as_bytes()));
    assert!(belongs.groups().eq(names.iter().map(|name| tag(name))));
    assert!(belongs.paths().eq(names.iter().map(|name| (tag(name), name.as_bytes()))));
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let bytes = prop::collection::vec(0..3_u8, 0..6);
    prop_oneof![
        1 => Just(Scope::Everything),
        6 => (0..4_u8).prop_map(|name| Scope::Group(tag(&name.to_string()))),
        3 => bytes.prop_map(|bytes| prefix(&bytes)),
    ]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Hard), Just(Kind::Soft)]
}

/// What all purges together say, one after the other.
fn covers(scope: &Scope, tags: &[String], path: &[u8]) -> bool {
    match scope {
        Scope::Everything => true,
        Scope::Group(group) => tags.iter().any(|name| tag(name) == *group),
        Scope::Prefix(prefix) => path.starts_with(prefix.bytes()),
    }
}

proptest! {
    #[test]
    fn what_any_purge_covers_is_never_alive(
        scopes in prop::collection::vec((any_scope(), any_kind()), 0..40),
        entries in prop::collection::vec(
            (0..40_u64, prop::collection::vec(0..5_u8, 0..3), prop::collection::vec(0..3_u8, 0..7)),
            1..20,
        ),
        rules_max in prop_oneof![Just(1_usize), Just(3), Just(100)],
    ) {
        let rules = rules_of(Bounds { rules_max, ..Bounds::default() }, &scopes);
        for (number, tags, path) in entries {
            let number = number.min(scopes.len() as u64);
            let tags: Vec<_> = tags.iter().map(u8::to_string).collect();
            let mut belongs = Belongs::new();
            tags.iter().for_each(|name| belongs.to(tag(name)));
            belongs.lies_on(host(), &path);
            let newer = (1..).zip(&scopes).skip(number as usize);
            let covering = newer.filter(|(_, (scope, _))| covers(scope, &tags, &path));
            let by_kind = |wanted| {
                let of_kind = covering.clone().filter(move |(_, (_, kind))| *kind == wanted);
                of_kind.map(|(number, _)| number).collect::<Vec<u64>>()
            };
            let (hard, soft) = (by_kind(Kind::Hard), by_kind(Kind::Soft));
            let verdict = rules.judge(epoch(number), &belongs);
            prop_assert_eq!(
                rules.judge_by_epoch(epoch(number)).unwrap_or(verdict), verdict
            );
            match verdict {
                Verdict::Alive => prop_assert!(hard.is_empty() && soft.is_empty()),
                Verdict::Gone { by } => prop_assert_eq!(hard.last(), Some(&by)),
                Verdict::Stale { by, .. } => {
                    prop_assert!(hard.is_empty() && soft.contains(&by));
                }
                Verdict::Unproven => prop_assert!(number < rules.floor()),
            }
            if rules_max == 100 {
                prop_assert_eq!(verdict == Verdict::Alive, hard.is_empty() && soft.is_empty());
            }
        }
    }

    #[test]
    fn a_stored_purge_reads_as_it_was_and_nothing_else_reads(
        scope in any_scope(), kind in any_kind(), number in 1..1_000_u64, at in any::<u64>(),
        flip in any::<prop::sample::Index>(), bit in 0..8_u8, cut in any::<prop::sample::Index>(),
    ) {
        let at = Timestamp::from_millis(at);
        let entry = LogEntry { at, ..entry(number, scope, kind) };
        let bytes = entry.to_bytes();
        prop_assert!(bytes.len() <= ENTRY_BYTES_MAX);
        prop_assert_eq!(LogEntry::read(&bytes), Ok(entry.clone()));
        let mut flipped = bytes.clone();
        flipped[flip.index(bytes.len())] ^= 1 << bit;
        prop_assert!(LogEntry::read(&flipped).is_err());
        let cut = &bytes[..cut.index(bytes.len())];
        prop_assert!(LogEntry::read(cut).is_err());
        let mut longer = bytes.clone();
        longer.push(0);
        prop_assert_eq!(LogEntry::read(&longer), Err(Damage::Length));
        prop_assert_eq!(LogEntry::read_first(&longer), Ok((entry.clone(), bytes.len())));
        let rule = entry.rule.to_bytes();
        prop_assert_eq!(Rule::read(&rule), Ok(entry.rule));
    }
}

#[test]
fn the_longest_prefix_is_stored_and_a_longer_one_is_none() {
    let longest = prefix(&vec![b'p'; PREFIX_BYTES_MAX]);
    let entry = entry(1, longest, Kind::Hard);
    let bytes = entry.to_bytes();
    assert_eq!(bytes.len(), ENTRY_BYTES_MAX);
    assert_eq!(entry.rule.to_bytes().len(), RULE_BYTES_MAX);
    assert_eq!(LogEntry::read(&bytes), Ok(entry));
    assert!(Prefix::new(host(), &vec![b'p'; PREFIX_BYTES_MAX + 1]).is_none());
}

#[test]
fn an_epoch_is_stored_in_two_numbers_and_comes_back() {
    let epoch = Epoch::new(u64::MAX, Epoch::NUMBER_MAX, u64::MAX);
    assert_eq!(Epoch::from_longs(epoch.to_longs()), epoch);
    assert_eq!((epoch.lineage(), epoch.number()), (u64::MAX, Epoch::NUMBER_MAX));
    assert_eq!(Epoch::new(1, u64::MAX, 3).number(), Epoch::NUMBER_MAX);
}
