//! Purges: what this node knows of them, who else follows them, and what was purged and went wrong of
//! late.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forebay_cache::log::PurgesSnapshot;
use forebay_cache::mechanism::{Kind, LogEntry, NodeStanding, Scope, Standing, Trust};
use tokio::time::Instant;

use super::{LogTold, NodeTold, ProblemTold, PurgeTold};
use crate::gateway::Gateway;
use crate::telemetry::{OrderTold, Problem};

/// Purges that are told.
const PURGES_MAX: usize = 50;

/// How long it is waited for the roll of the nodes.
const ROLL_WAIT: Duration = Duration::from_millis(500);

pub(super) fn log(gateway: &Gateway) -> LogTold {
    let log = &gateway.storage().log;
    let now = log.purges().snapshot(Instant::now());
    LogTold {
        kind: log.snapshot().kind.to_owned(),
        lineage: format!("{:016x}", now.position.lineage),
        epoch: now.position.number,
        floor: now.floor,
        rules: now.rules,
        in_doubt: now.trust == Trust::Doubt,
        heard_millis: now.heard_ago.map(millis),
    }
}

/// The nodes that share purges; this one alone while nobody can be asked who they are.
pub(super) async fn nodes(gateway: &Gateway) -> Vec<NodeTold> {
    let (log, this) = (&gateway.storage().log, gateway.storage().node_name());
    let now = log.purges().snapshot(Instant::now());
    if now.trust == Trust::Doubt {
        return vec![in_doubt(this, &now)];
    }
    let standings = log.applied(now.position, ROLL_WAIT).await;
    let mut nodes = told(&standings, now.position.number, this);
    // Shortly after its start a node does not know yet who the others are, and says so by standing
    // behind itself.
    for node in nodes.iter_mut().filter(|node| node.is_this && node.state == "behind") {
        node.state = "applied".to_owned();
        node.at = Some(now.position.number);
    }
    nodes.sort_by(|one, other| one.node.cmp(&other.node));
    nodes
}

fn in_doubt(this: &str, now: &PurgesSnapshot) -> NodeTold {
    NodeTold {
        node: this.to_owned(),
        is_this: true,
        state: "doubt".to_owned(),
        at: Some(now.position.number),
        unheard_millis: now.heard_ago.map(millis),
    }
}

fn told(standings: &[NodeStanding], asked: u64, this: &str) -> Vec<NodeTold> {
    let told = |it: &NodeStanding| {
        let (state, at, unheard) = match it.standing {
            Standing::Applied => ("applied", Some(asked), None),
            Standing::Behind { at } => ("behind", Some(at), None),
            Standing::Unheard { since } => ("unheard", None, Some(millis(since))),
        };
        let (node, is_this) = (it.node.clone(), it.node == this);
        NodeTold { node, is_this, state: state.to_owned(), at, unheard_millis: unheard }
    };
    standings.iter().map(told).collect()
}

/// The purges of late: in words those that this node was ordered, by their sort the others.
pub(super) fn purges(gateway: &Gateway) -> Vec<PurgeTold> {
    let orders = gateway.telemetry().metrics.lately().orders();
    let recent = gateway.storage().log.purges().recent();
    merged(&orders, &recent, gateway.storage().node_name())
}

fn merged(orders: &[OrderTold], recent: &[LogEntry], this: &str) -> Vec<PurgeTold> {
    let is_ordered = |number: u64| orders.iter().any(|it| (it.first..=it.last).contains(&number));
    let others = recent.iter().filter(|entry| !is_ordered(entry.number)).map(of_others);
    let own = orders.iter().map(|order| ordered(order, this));
    let mut purges: Vec<PurgeTold> = own.chain(others).collect();
    purges.sort_by_key(|purge| std::cmp::Reverse((purge.at_millis, purge.epoch)));
    purges.truncate(PURGES_MAX);
    purges
}

fn ordered(order: &OrderTold, this: &str) -> PurgeTold {
    PurgeTold {
        epoch: order.last,
        purges: (order.last + 1).saturating_sub(order.first),
        at_millis: since_epoch(order.at),
        kind: order.kind.to_owned(),
        what: order.what.clone(),
        is_own: true,
        nodes: told(&order.nodes, order.last, this),
    }
}

fn of_others(entry: &LogEntry) -> PurgeTold {
    let what = match &entry.rule.scope {
        Scope::Everything => "everything",
        Scope::Group(_) => "a URL, a host or a tag",
        Scope::Prefix(_) => "a prefix",
    };
    let kind = match entry.rule.kind {
        Kind::Hard => "hard",
        Kind::Soft => "soft",
    };
    PurgeTold {
        epoch: entry.number,
        purges: 1,
        at_millis: entry.at.as_millis(),
        kind: kind.to_owned(),
        what: vec![what.to_owned()],
        is_own: false,
        nodes: Vec::new(),
    }
}

/// What went wrong of late, and what the ways to Redis and the log say of their last failure.
pub(super) fn problems(gateway: &Gateway) -> Vec<ProblemTold> {
    let storage = gateway.storage();
    let mut problems: Vec<ProblemTold> =
        gateway.telemetry().metrics.lately().problems().iter().map(problem).collect();
    let unnoted = |word: &str, text: String, count: u64| ProblemTold {
        word: word.to_owned(),
        text,
        count,
        first_millis: None,
        last_millis: None,
    };
    if let Some(shared) = &storage.shared {
        let link = shared.link.snapshot();
        let count = link.failed + link.late + link.unsent + link.connects_failed;
        problems.extend(link.last_failure.map(|text| unnoted("redis", text, count)));
    }
    if let Some(disk) = storage.disk.as_ref().and_then(|disk| disk.snapshot()) {
        let count = disk.write_errors + disk.read_errors;
        let text = || "reads or writes of the disk tier were refused".to_owned();
        problems.extend((count > 0).then(|| unnoted("disk", text(), count)));
    }
    problems
}

fn problem(problem: &Problem) -> ProblemTold {
    ProblemTold {
        word: problem.word.to_owned(),
        text: problem.text.clone(),
        count: problem.count,
        first_millis: Some(since_epoch(problem.first)),
        last_millis: Some(since_epoch(problem.last)),
    }
}

pub(super) fn since_epoch(at: SystemTime) -> u64 {
    millis(at.duration_since(UNIX_EPOCH).unwrap_or_default())
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use forebay_cache::mechanism::{Rule, Timestamp};

    use super::*;

    fn entry(number: u64) -> LogEntry {
        let rule = Rule { scope: Scope::Everything, kind: Kind::Soft };
        let at = Timestamp::from_millis(number * 1000);
        LogEntry { number, token: number, previous: number - 1, at, rule }
    }

    fn order(first: u64, last: u64) -> OrderTold {
        OrderTold {
            first,
            last,
            at: UNIX_EPOCH + Duration::from_secs(last),
            what: vec!["tag sale".to_owned()],
            kind: "refresh",
            nodes: Vec::new(),
        }
    }

    #[test]
    fn an_order_is_told_once_in_its_own_words() {
        let recent: Vec<_> = (1..=5).rev().map(entry).collect();
        let told = merged(&[order(2, 4)], &recent, "a");
        let told: Vec<_> =
            told.iter().map(|it| (it.epoch, it.purges, it.is_own, it.what[0].as_str())).collect();
        let all = "everything";
        assert_eq!(told, [(5, 1, false, all), (4, 3, true, "tag sale"), (1, 1, false, all)]);
    }

    #[test]
    fn the_purges_that_are_told_are_bounded() {
        let orders: Vec<_> = (0..80).map(|number| order(number * 2 + 1, number * 2 + 1)).collect();
        let recent: Vec<_> = (1..=64).map(|number| entry(number * 2)).collect();
        assert_eq!(merged(&orders, &recent, "a").len(), PURGES_MAX);
    }
}
