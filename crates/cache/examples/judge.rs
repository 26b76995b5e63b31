//! Nanoseconds a judgement costs with no rule and with 100 000:
//! `cargo run --release -p forebay-cache --example judge`.

use std::hint::black_box;

use bytes::Bytes;
use forebay_cache::mechanism::{
    Belongs, Body, Clock, Entry, Group, Head, Key, Kind, LogEntry, Options, Position, Prefix,
    Purges, Rule, Rules, Scope, Tiers, Timestamp,
};
use forebay_cache::purge::Bounds;

/// A head that belongs to a URL, a host and three tags, and lies on a path.
struct Tagged {
    groups: [Group; 5],
    path: String,
}

impl Head for Tagged {
    fn weight_bytes(&self) -> usize {
        self.path.capacity()
    }

    fn belongs<'a>(&'a self, _: &'a [u8], to: &mut Belongs<'a>) {
        self.groups.iter().for_each(|group| to.to(*group));
        to.lies_on(self.groups[1], self.path.as_bytes());
    }
}

const CALLS: u64 = 2_000_000;

fn group(label: &str, number: u64) -> Group {
    Group::of(label, &number.to_le_bytes())
}

/// Time on a processor, so that a busy machine does not count; 0 where there is no such file.
fn processor_nanos() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    status.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

fn nanos_a_call(mut call: impl FnMut(u64)) -> f64 {
    let began = processor_nanos();
    (0..CALLS).for_each(&mut call);
    (processor_nanos() - began) as f64 / CALLS as f64
}

/// Nine of ten about tags, the others about prefixes of sixteen lengths in the entry's own host.
/// None of them covers it.
fn rules(count: u64) -> Rules {
    let mut rules = Rules::new(Bounds::default());
    rules.begin(Position::start_of(1));
    for number in 1..=count {
        let scope = if number % 10 == 0 {
            let path = format!("/{:0width$}", number, width = 8 + (number / 10 % 16) as usize);
            let prefix = Prefix::new(group("host", 1), path.as_bytes());
            Scope::Prefix(prefix.expect("it is short"))
        } else {
            Scope::Group(group("tag", 1_000_000 + number))
        };
        let (previous, rule) = (number - 1, Rule { scope, kind: Kind::Hard });
        let at = Timestamp::default();
        rules.apply(&LogEntry { number, token: number, previous, at, rule });
    }
    rules
}

fn measure(count: u64) {
    let known = rules(count);
    let old = Position::start_of(1).epoch();
    let head = Tagged {
        groups: [
            group("url", 1),
            group("host", 1),
            group("tag", 1),
            group("tag", 2),
            group("tag", 3),
        ],
        path: "/articles/2026/11/24/what-a-judgement-costs.html".to_owned(),
    };
    let options = Options::default();
    let judge = nanos_a_call(|_| {
        let mut belongs = Belongs::new();
        head.belongs(b"", &mut belongs);
        black_box(known.judge(black_box(old), &belongs));
    });
    let purges = Purges::own(known);
    let clock = Clock::system();
    let cache: Tiers<Tagged, ()> =
        Tiers::with_tiers(&options, clock, &options.budget(), Vec::new(), None, purges);
    let body = Body::whole(&Bytes::from_static(b"body"), None, cache.budget());
    let entry = Entry::new(head, body, Timestamp::FAR).since(old).into();
    cache.insert(&Key::from(&b"a"[..]), &entry);
    let again = nanos_a_call(|_| {
        black_box(cache.judge(black_box(&entry), b"a"));
    });
    let hit = nanos_a_call(|_| {
        black_box(cache.look_up_memory(black_box(b"a")));
    });
    println!(
        "{count} rules: {judge:.0} ns to judge an entry, {again:.1} ns while nothing changes, \
         {hit:.0} ns a hit in memory"
    );
}

fn main() {
    [0, 100_000].into_iter().for_each(measure);
}
