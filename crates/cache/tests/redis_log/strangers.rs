//! What else is done to the log: by an operator, by Redis when it is full, by a stranger.

use forebay_cache::mechanism::{Clock, Epoch, Log, LogEntry, Position, Standing, Verdict};
use forebay_cache::redis::RedisLogOptions;
use tokio::time::Instant;

use crate::servers::RedisServer;
use crate::stage::{
    Node, add_user, as_user, hard, key, let_in, link_options, lock_out, log_options, nodes, single,
};

/// All know one log, wholly, and a purge reaches all.
async fn all_agree(nodes: &[Node], what: &str) -> Position {
    let appended = nodes[0].log.append(vec![hard("next")]).await;
    let appended = appended.unwrap_or_else(|why| panic!("{what}: {why}"));
    let standings = nodes[0].applied(appended.last).await;
    assert_eq!(standings.len(), nodes.len(), "{what}: {standings:?}");
    for (name, standing) in standings {
        assert_eq!(standing, Standing::Applied, "{what}: {name}");
    }
    for node in nodes {
        node.sure().await;
        assert_eq!(node.position().lineage, appended.last.lineage, "{what}");
    }
    appended.last
}

/// No node holds what was fetched then for proven.
fn all_doubt_what_was(nodes: &[Node], before: Epoch, what: &str) {
    for node in nodes {
        assert_eq!(node.judge(before, "x"), Verdict::Unproven, "{what}: {:?}", node.log);
    }
}

#[tokio::test]
async fn whatever_is_lost_or_written_by_a_stranger_is_noticed_by_all() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 2).await;
    let (log, summary) = (key("log"), key("summary"));
    let (log, summary) = (&log[..], &summary[..]);
    let harm: &[(&str, &[&[&[u8]]])] = &[
        ("flushed", &[&[b"FLUSHALL"]]),
        ("stream evicted", &[&[b"DEL", log]]),
        ("summary evicted", &[&[b"DEL", summary]]),
        ("trimmed to nothing", &[&[b"XTRIM", log, b"MAXLEN", b"0"]]),
        ("foreign entry", &[&[b"XADD", log, b"*", b"some", b"thing"]]),
        ("foreign token", &[&[b"HSET", summary, b"token", b"0123456789abcdef"]]),
        ("no token", &[&[b"HSET", summary, b"token", b"\xff\x00"]]),
        ("foreign number", &[&[b"HSET", summary, b"number", b"999999999999"]]),
        ("no number", &[&[b"HSET", summary, b"number", b"-1e99"]]),
        ("no lineage", &[&[b"HSET", summary, b"lineage", b"x"]]),
        ("no such lineage", &[&[b"HSET", summary, b"lineage", b"0000000000000000"]]),
        ("other lineage", &[&[b"HSET", summary, b"lineage", b"0000000000000001"]]),
        ("last lineage", &[&[b"HSET", summary, b"lineage", b"ffffffffffffffff"]]),
        ("lineage in capitals", &[&[b"HSET", summary, b"lineage", b"00001ABCDEF01234"]]),
        ("log of another kind", &[&[b"SET", log, b"1"]]),
        ("summary of another kind", &[&[b"SET", summary, b"1"]]),
        ("field removed", &[&[b"HDEL", summary, b"number"]]),
    ];
    for (what, commands) in harm {
        let before = all_agree(&nodes, what).await.epoch();
        commands.iter().for_each(|command| drop(redis.ask(command)));
        for node in &nodes {
            let lineage = before.lineage();
            node.until(what, |node| node.position().lineage != lineage).await;
        }
        all_agree(&nodes, what).await;
        all_doubt_what_was(&nodes, before, what);
    }
}

#[tokio::test]
async fn an_id_that_is_left_behind_does_not_end_all_purges() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 2).await;
    redis.ask(&[b"XADD", &key("log"), b"900000000000-0", b"t", b"x"]);
    redis.ask(&[b"XDEL", &key("log"), b"900000000000-0"]);
    all_agree(&nodes, "id left behind").await;
}

#[tokio::test]
async fn the_roll_mends_itself() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 2).await;
    let (roll, waiting) = (key("nodes"), key("waiting"));
    let (roll, waiting) = (&roll[..], &waiting[..]);
    let harm: &[&[&[u8]]] = &[
        &[b"DEL", roll],
        &[b"SET", roll, b"1"],
        &[b"HSET", roll, b"born", b"x"],
        &[b"HSET", roll, b"no id", b"no line"],
        &[b"HSET", roll, b"0000000000000001", b"\xff\xfe"],
        &[b"SET", waiting, b"1"],
        &[b"ZADD", waiting, b"99999999999999", b""],
    ];
    for command in harm {
        let what = command.iter().map(|part| part.escape_ascii().to_string()).collect::<String>();
        redis.ask(command);
        if command[2..] == [&b"born"[..], b"x"] {
            // Nobody knows how old it is, until it is made anew.
            redis.ask(&[b"DEL", roll]);
        }
        all_agree(&nodes, &what).await;
    }
}

#[tokio::test]
async fn a_log_trimmed_beyond_a_node_raises_its_floor() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let nodes = nodes(&server, 1).await;
    add_user(&redis, "cut");
    let cut = Node::with(as_user(&server, "cut"), log_options("cut"));
    cut.sure().await;
    let before = cut.log.purges().epoch();
    lock_out(&redis, "cut");
    cut.in_doubt().await;
    let mut last = Position::default();
    for tag in ["a", "b", "c"] {
        last = nodes[0].purge(tag).await.last;
    }
    redis.ask(&[b"XTRIM", &key("log"), b"MAXLEN", b"1"]);
    let_in(&redis, "cut");
    cut.sure().await;
    assert_eq!(cut.position(), last);
    assert_eq!(cut.judge(before, "x"), Verdict::Unproven);
    // The log is the same: the others go on.
    assert_eq!(nodes[0].position(), last);
    assert_eq!(nodes[0].judge(before, "x"), Verdict::Alive);
    assert_eq!(cut.judge(last.epoch(), "x"), Verdict::Alive);
}

#[tokio::test]
async fn the_log_keeps_no_more_than_it_was_told_about() {
    let redis = RedisServer::on_socket(&[]);
    let options = RedisLogOptions { entries_max: 100, ..log_options("n") };
    let node = Node::with(link_options(&single(&redis)), options);
    node.sure().await;
    for round in 0..30 {
        let rules = (0..20).map(|number| hard(&format!("{round}/{number}"))).collect();
        node.log.append(rules).await.unwrap();
    }
    let len = String::from_utf8(redis.ask(&[b"XLEN", &key("log")])).unwrap();
    let len: u64 = len.trim_start_matches(':').trim().parse().unwrap();
    assert!((100..=200).contains(&len), "{len}");
    // One that starts now has to raise its floor, and goes on.
    let late = Node::start(&single(&redis), "late").await;
    assert_eq!(late.position(), node.position());
    assert_eq!(late.log.purges().snapshot(Instant::now()).rules, len);
}

// An entry that follows on the newest, as far as its place goes.
fn forge(redis: &RedisServer, last: Position, form: &[u8]) -> Position {
    let next = Position { number: last.number + 1, token: 0xabc, ..last };
    let (number, token) = (next.number.to_string(), format!("{:016x}", next.token));
    // In one step, so that nobody sees half of it.
    let text = "redis.call('XADD', KEYS[1], ARGV[1] .. '-0', 't', ARGV[2], 'e', ARGV[3])
redis.call('HSET', KEYS[2], 'number', ARGV[1], 'token', ARGV[2])";
    let (log, summary) = (key("log"), key("summary"));
    let arguments = [number.as_bytes(), token.as_bytes(), form];
    let front = [b"EVAL", text.as_bytes(), b"2", &log, &summary];
    assert_eq!(redis.ask(&[&front[..], &arguments].concat()), b"$-1\r\n");
    next
}

fn entry(last: Position) -> LogEntry {
    let at = Clock::system().now();
    LogEntry { number: last.number + 1, token: 0xabc, previous: last.token, at, rule: hard("x") }
}

#[tokio::test]
async fn an_entry_that_does_not_read_is_counted_and_raises_the_floor() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 2).await;
    let mut forms = vec![Vec::new(), b"anything".to_vec(), vec![0xff; 100_000]];
    let last = nodes[0].position();
    forms.push(LogEntry { number: 1, ..entry(last) }.to_bytes());
    for (count, form) in (1..).zip(forms) {
        let last = all_agree(&nodes, "before").await;
        let forged = forge(&redis, last, &form);
        for node in &nodes {
            node.reaches(forged).await;
            assert_eq!(node.log.numbers().damaged, count);
            assert_eq!(node.judge(last.epoch(), "x"), Verdict::Unproven);
            assert_eq!(node.log.numbers().renewed, 0);
        }
        all_agree(&nodes, "after").await;
    }
}

#[tokio::test]
async fn with_a_secret_nobody_else_can_purge_or_take_a_purge_to_another_place() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let secret = |name: &str| RedisLogOptions {
        secret: Some(b"of all nodes".to_vec()),
        ..log_options(name)
    };
    let nodes = ["a", "b"].map(|name| Node::with(link_options(&server), secret(name)));
    for node in &nodes {
        node.sure().await;
    }
    let first = all_agree(&nodes, "sealed").await;
    let id = format!("{}-0", first.number);
    let answer = redis.ask(&[b"XRANGE", &key("log"), id.as_bytes(), id.as_bytes()]);
    // What lies behind the name of the field `e`.
    let behind = answer.windows(7).position(|part| part == b"$1\r\ne\r\n").unwrap() + 7;
    let line = answer[behind..].iter().position(|byte| *byte == b'\n').unwrap() + behind + 1;
    let sealed = &answer[line..answer.len() - 2];
    let mut moved = sealed.to_vec();
    let read = LogEntry::read(&moved[..moved.len() - 32]).unwrap();
    assert_eq!(read.number, first.number);
    moved[8] ^= 1;
    let unsealed = |last: Position| entry(last).to_bytes();
    let sealed_by_nobody = |last: Position| [entry(last).to_bytes(), vec![0; 32]].concat();
    let forms: [&dyn Fn(Position) -> Vec<u8>; 4] =
        [&unsealed, &sealed_by_nobody, &|_| sealed.to_vec(), &|_| moved.clone()];
    for (count, form) in (1..).zip(forms) {
        let last = all_agree(&nodes, "before").await;
        let forged = forge(&redis, last, &form(last));
        for node in &nodes {
            node.reaches(forged).await;
            assert_eq!(node.log.numbers().damaged, count);
            assert_eq!(node.judge(last.epoch(), "y"), Verdict::Unproven);
        }
    }
    all_agree(&nodes, "after").await;
    // A node without the secret reads nothing, and believes nothing.
    let other = Node::start(&server, "without").await;
    assert!(other.log.numbers().damaged > 0);
    assert_eq!(other.judge(first.epoch(), "x"), Verdict::Unproven);
}
