//! The tables of a status: titles, and rows of cells that say how they are sorted. Pure.

use std::cmp::Ordering;

use super::words::{UNKNOWN, bytes, count, known, micros, percent, span, tame};
use crate::status::{NodeTold, PurgeTold, Status, TierTold};

/// One table.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) columns: &'static [Column],
    pub(super) rows: Vec<Vec<Cell>>,
    /// What is said where there are no rows.
    pub(super) empty: &'static str,
}

/// A column, and on which side its cells stand.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Text.
    Left,
    /// Text that takes what room is left.
    Wide,
    /// A number.
    Right,
}

/// What stands in a row and a column.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) mood: Mood,
    order: Order,
}

/// Whether it is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Even,
    Good,
    Warn,
    Bad,
}

#[derive(Clone, Debug)]
enum Order {
    ByText,
    By(f64),
}

const fn left(title: &'static str) -> Column {
    Column { title, side: Side::Left }
}

const fn wide(title: &'static str) -> Column {
    Column { title, side: Side::Wide }
}

const fn right(title: &'static str) -> Column {
    Column { title, side: Side::Right }
}

impl Cell {
    fn text(text: &str) -> Self {
        Cell { text: tame(text), mood: Mood::Even, order: Order::ByText }
    }

    fn number(text: String, by: f64) -> Self {
        Cell { text, mood: Mood::Even, order: Order::By(by) }
    }

    fn count(number: u64) -> Self {
        Cell::number(count(number), number as f64)
    }

    /// What is not known is less than anything.
    fn maybe(number: Option<u64>, shown: impl Fn(u64) -> String) -> Self {
        Cell::number(known(number, shown), number.map_or(-1.0, |it| it as f64))
    }

    fn in_mood(self, mood: Mood) -> Self {
        Cell { mood, ..self }
    }

    fn state(word: &str, more: &str) -> Self {
        let mood = match word {
            "up" | "applied" => Mood::Good,
            "behind" | "paused" | "draining" => Mood::Warn,
            "down" | "out" | "unheard" | "doubt" => Mood::Bad,
            _ => Mood::Even,
        };
        Cell::text(&format!("{word}{more}")).in_mood(mood)
    }

    /// A count that is best nothing.
    fn trouble(number: u64, mood: Mood) -> Self {
        Cell::count(number).in_mood(if number > 0 { mood } else { Mood::Even })
    }

    fn compare(&self, other: &Cell) -> Ordering {
        match (&self.order, &other.order) {
            (Order::By(one), Order::By(other)) => one.total_cmp(other),
            (Order::ByText | Order::By(_), Order::ByText | Order::By(_)) => {
                self.text.cmp(&other.text)
            }
        }
    }
}

impl Table {
    /// Sorts by a column, numbers from the greatest on, unless it is turned round.
    pub(super) fn sort(&mut self, by: usize, turn: Turn) {
        let Some(column) = self.columns.get(by) else { return };
        let is_down = (column.side == Side::Right) == (turn == Turn::AsEver);
        self.rows.sort_by(|one, other| {
            let order = one[by].compare(&other[by]);
            if is_down { order.reverse() } else { order }
        });
    }
}

/// Which way a table is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    #[default]
    AsEver,
    Round,
}

pub(super) fn tiers(status: &Status) -> Table {
    const COLUMNS: &[Column] = &[
        left("tier"),
        left("state"),
        right("held"),
        right("of"),
        right("entries"),
        right("hits"),
        right("misses"),
        right("found"),
        right("evicted"),
        right("failures"),
    ];
    let row = |tier: &TierTold| {
        let looks = tier.misses.map(|misses| tier.hits + misses).filter(|looks| *looks > 0);
        let found = looks.map(|looks| tier.hits as f64 / looks as f64);
        vec![
            Cell::text(&tier.name),
            Cell::state(&tier.state, ""),
            Cell::maybe(tier.bytes, |it| bytes(it as f64)),
            Cell::maybe(tier.bytes_max, |it| bytes(it as f64)),
            Cell::maybe(tier.entries, count),
            Cell::count(tier.hits),
            Cell::maybe(tier.misses, count),
            Cell::number(known(found, percent), found.unwrap_or(-1.0)),
            Cell::maybe(tier.evicted, count),
            Cell::trouble(tier.failures, Mood::Bad),
        ]
    };
    let rows = status.tiers.iter().map(row).collect();
    Table { title: "Tiers", columns: COLUMNS, rows, empty: "nothing is known of tiers" }
}

pub(super) fn hottest(status: &Status) -> Table {
    const COLUMNS: &[Column] = &[right("hits"), right("body"), wide("URL")];
    let rows = status.hottest.iter().map(|hot| {
        let body = Cell::number(bytes(hot.body_bytes as f64), hot.body_bytes as f64);
        vec![Cell::count(hot.hits), body, Cell::text(&hot.url)]
    });
    let (rows, empty) = (rows.collect(), "memory has answered nothing yet");
    Table { title: "Hottest", columns: COLUMNS, rows, empty }
}

pub(super) fn reasons(status: &Status) -> Table {
    const COLUMNS: &[Column] = &[right("exchanges"), left("result"), wide("detail")];
    let rows = status.reasons.iter().map(|reason| {
        vec![Cell::count(reason.count), Cell::text(&reason.result), Cell::text(&reason.detail)]
    });
    let (rows, empty) = (rows.collect(), "all exchanges were plain hits");
    Table { title: "Why no plain hit", columns: COLUMNS, rows, empty }
}

pub(super) fn members(status: &Status) -> Table {
    const COLUMNS: &[Column] = &[
        left("route"),
        wide("member"),
        left("state"),
        right("now"),
        right("waiting"),
        right("latency"),
        right("ejected"),
        right("unwell"),
    ];
    let used = status.routes_in_redis.iter().flat_map(|in_redis| &in_redis.used);
    let rows = status.routes.iter().chain(used).flat_map(|route| {
        let shared = match route.sharing {
            0 => String::new(),
            more => format!(" and {} more", count(more)),
        };
        let name = format!("{}{shared}", route.name);
        route.members.iter().map(move |member| {
            let left = member.out_millis.map(|left| format!(", {}", span(left)));
            let why = member.why.as_ref();
            let why = why.map(|why| format!(" ({why}{})", left.unwrap_or_default()));
            vec![
                Cell::text(&name),
                Cell::text(&member.name),
                Cell::state(&member.state, &why.unwrap_or_default()),
                Cell::count(member.requests),
                Cell::trouble(member.waiting, Mood::Warn),
                Cell::maybe(member.latency_micros, micros),
                Cell::trouble(member.ejections, Mood::Warn),
                Cell::trouble(member.checks_failed, Mood::Warn),
            ]
        })
    });
    let (rows, empty) = (rows.collect(), "the file names no routes, and none in Redis was used");
    Table { title: "Routes and members", columns: COLUMNS, rows, empty }
}

pub(super) fn nodes(status: &Status) -> Table {
    const COLUMNS: &[Column] = &[wide("node"), left("purges"), right("at")];
    let row = |node: &NodeTold| {
        let this = if node.is_this { " (this)" } else { "" };
        let unheard = node.unheard_millis.map(|it| format!(" {}", span(it)));
        vec![
            Cell::text(&format!("{}{this}", node.node)),
            Cell::state(&node.state, &unheard.unwrap_or_default()),
            Cell::maybe(node.at, count),
        ]
    };
    let rows = status.nodes.iter().map(row).collect();
    Table { title: "Nodes", columns: COLUMNS, rows, empty: "no node is known" }
}

pub(super) fn purges(status: &Status) -> Table {
    const COLUMNS: &[Column] =
        &[right("epoch"), left("how"), wide("what"), right("ago"), left("nodes")];
    let row = |purge: &PurgeTold| {
        let ago = status.at_millis.saturating_sub(purge.at_millis);
        let behind = purge.nodes.iter().filter(|node| node.state != "applied").count();
        let nodes = match (purge.is_own, behind) {
            (false, _) => Cell::text("another's"),
            (true, 0) => Cell::state("applied", &format!(" {}", purge.nodes.len())),
            (true, _) => Cell::state("behind", &format!(" {behind} of {}", purge.nodes.len())),
        };
        vec![
            Cell::count(purge.epoch),
            Cell::text(&purge.kind),
            Cell::text(&purge.what.join(", ")),
            Cell::number(span(ago), ago as f64),
            nodes,
        ]
    };
    let (rows, empty) = (status.purges.iter().map(row).collect(), "nothing was purged yet");
    Table { title: "Purges", columns: COLUMNS, rows, empty }
}

pub(super) fn problems(status: &Status) -> Table {
    const COLUMNS: &[Column] = &[left("kind"), right("times"), right("ago"), wide("what")];
    let rows = status.problems.iter().map(|problem| {
        let ago = problem.last_millis.map(|at| status.at_millis.saturating_sub(at));
        vec![
            Cell::text(&problem.word).in_mood(Mood::Bad),
            Cell::count(problem.count),
            ago.map_or_else(
                || Cell::number(UNKNOWN.to_owned(), f64::MAX),
                |ago| Cell::number(span(ago), ago as f64),
            ),
            Cell::text(&problem.text),
        ]
    });
    Table { title: "Problems", columns: COLUMNS, rows: rows.collect(), empty: "none was seen" }
}
