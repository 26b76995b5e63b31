//! The screen, drawn into memory from snapshots.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::status::*;

fn status() -> Status {
    let counted = |word: &str, count| Counted { word: word.to_owned(), count };
    let hot = |url: &str, hits| HotKey { url: url.to_owned(), hits, body_bytes: 2048 };
    let member = |name: &str, state: &str, why: Option<&str>| MemberTold {
        name: name.to_owned(),
        state: state.to_owned(),
        why: why.map(str::to_owned),
        out_millis: why.map(|_| 3_000),
        latency_micros: Some(17_000),
        ..MemberTold::default()
    };
    let tier = |name: &str, bytes| TierTold {
        name: name.to_owned(),
        state: "up".to_owned(),
        bytes: Some(bytes),
        bytes_max: Some(32 << 20),
        entries: Some(163),
        hits: 6_445,
        misses: Some(288),
        ..TierTold::default()
    };
    let node = |name: &str, state: &str| NodeTold {
        node: name.to_owned(),
        state: state.to_owned(),
        at: Some(7),
        ..NodeTold::default()
    };
    let members =
        vec![member("10.0.0.1:80", "up", None), member("10.0.0.2:80", "out", Some("breaker"))];
    let problem = ProblemTold {
        word: "connect-failed".to_owned(),
        text: "cannot connect to `10.0.0.2:80`: connection refused".to_owned(),
        count: 3,
        ..ProblemTold::default()
    };
    Status {
        version: "0.1.0".to_owned(),
        node: "edge@web1:8080".to_owned(),
        phase: "serving".to_owned(),
        at_millis: 100_000,
        uptime_millis: 95_000,
        traffic: Traffic {
            requests: 6_733,
            hits: 6_445,
            results: vec![counted("hit", 6_445), counted("miss", 288)],
            origin_requests: 382,
            origin_saved: 6_449,
            ..Traffic::default()
        },
        answers: Latency { counts: vec![0; 17], ..Latency::default() },
        tiers: vec![tier("memory", 5 << 20), tier("disk", 12 << 20)],
        hottest: vec![hot("http://a.example/few", 3), hot("http://a.example/\u{1b}[2Jmany", 1_155)],
        reasons: vec![Reason { result: "miss".to_owned(), detail: "private".to_owned(), count: 9 }],
        routes: vec![RouteTold { name: "shop".to_owned(), members, ..RouteTold::default() }],
        nodes: vec![node("edge@web1:8080", "applied"), node("edge@web2:8080", "behind")],
        purges: vec![PurgeTold {
            epoch: 7,
            kind: "soft".to_owned(),
            what: vec!["tag sale".to_owned()],
            is_own: true,
            at_millis: 97_000,
            ..PurgeTold::default()
        }],
        problems: vec![problem],
        ..Status::default()
    }
}

/// A screen that has heard two answers, a second apart.
fn shown(palette: Palette) -> Shown {
    let mut shown = Shown::new(Figures::of(status()), palette);
    let mut later = status();
    later.at_millis += 1_000;
    later.uptime_millis += 1_000;
    later.traffic.requests += 200;
    later.traffic.hits += 150;
    later.answers.counts[1] += 200;
    shown.hear(Ok(later));
    shown
}

fn drawn(shown: &mut Shown, width: u16, height: u16) -> (String, ratatui::buffer::Buffer) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| shown.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let lines = buffer.content().chunks(usize::from(width));
    let text = lines.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>() + "\n");
    (text.collect(), buffer)
}

fn press(shown: &mut Shown, code: KeyCode) -> After {
    shown.press(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn eighty_columns_and_twenty_four_lines_show_what_matters() {
    let (text, _) = drawn(&mut shown(Palette::Coloured), 80, 24);
    for words in [
        "Forebay edge@web1:8080  live",
        "0.1.0  up 1m36s",
        "hits 75.0%  req/s 200  origin/s 0",
        " 1 Overview ",
        "Hit ratio",
        "Requests a second",
        "6933 exchanges, 382 origin requests, 6449 saved",
        "memory",
        "5.0 MiB",
        "? help  q quit",
    ] {
        assert!(text.contains(words), "`{words}` is missing:\n{text}");
    }
}

#[test]
fn each_view_has_its_key_and_shows_its_table() {
    let mut shown = shown(Palette::Plain);
    for (key, words) in [
        ('2', &["http://a.example/few", "2.0 KiB"][..]),
        ('3', &["miss", "private"]),
        ('4', &["shop", "10.0.0.2:80", "out (breaker, 3s)", "17ms"]),
        ('5', &["edge@web2:8080", "behind", "tag sale", "4s"]),
        ('6', &["connect-failed", "connection refused"]),
        ('1', &["Hit ratio"]),
    ] {
        assert_eq!(press(&mut shown, KeyCode::Char(key)), After::GoOn);
        let (text, _) = drawn(&mut shown, 80, 24);
        for words in words {
            assert!(text.contains(words), "`{words}` is missing from {key}:\n{text}");
        }
    }
    (0..View::ALL.len()).for_each(|_| assert_eq!(press(&mut shown, KeyCode::Tab), After::GoOn));
    assert_eq!(shown.view, View::Overview);
    press(&mut shown, KeyCode::BackTab);
    assert_eq!(shown.view, View::Problems);
}

#[test]
fn a_table_is_sorted_by_each_column_and_both_ways() {
    let mut shown = shown(Palette::Plain);
    press(&mut shown, KeyCode::Char('2'));
    let many_first = |shown: &mut Shown| {
        let (text, _) = drawn(shown, 80, 24);
        text.find("many").unwrap() < text.find("few").unwrap()
    };
    assert!(!many_first(&mut shown), "as it came");
    press(&mut shown, KeyCode::Char('s'));
    assert!(many_first(&mut shown));
    press(&mut shown, KeyCode::Char('r'));
    assert!(!many_first(&mut shown));
    press(&mut shown, KeyCode::Char('s'));
    press(&mut shown, KeyCode::Char('s'));
    assert!(!many_first(&mut shown), "by URL");
    press(&mut shown, KeyCode::Char('r'));
    assert!(many_first(&mut shown), "by URL, the other way round");
}

#[test]
fn without_colours_there_are_none() {
    let mut plain = shown(Palette::Plain);
    for key in ['1', '2', '3', '4', '5', '6', '?'] {
        press(&mut plain, KeyCode::Char(key));
        let (_, buffer) = drawn(&mut plain, 100, 30);
        let colours =
            buffer.content().iter().filter(|it| (it.fg, it.bg) != (Color::Reset, Color::Reset));
        assert_eq!(colours.count(), 0, "{key}");
    }
    let mut coloured = shown(Palette::Coloured);
    press(&mut coloured, KeyCode::Char('4'));
    let (_, buffer) = drawn(&mut coloured, 100, 30);
    assert!(buffer.content().iter().any(|cell| cell.fg == Color::Red));
}

#[test]
fn any_size_can_be_drawn() {
    let mut shown = shown(Palette::Coloured);
    for key in ['1', '2', '3', '4', '5', '6', '?'] {
        press(&mut shown, KeyCode::Char(key));
        for (width, height) in [(1, 1), (5, 3), (20, 8), (40, 12), (300, 100)] {
            drawn(&mut shown, width, height);
        }
    }
}

#[test]
fn what_strangers_wrote_does_not_speak_to_the_terminal() {
    let mut shown = shown(Palette::Plain);
    press(&mut shown, KeyCode::Char('2'));
    let (text, _) = drawn(&mut shown, 80, 24);
    assert!(text.contains("/\u{fffd}[2Jmany"), "{text}");
}

#[test]
fn a_node_that_does_not_answer_is_said_to_be_lost_until_it_does() {
    let mut shown = shown(Palette::Plain);
    shown.hear(Err("cannot reach the admin listener".to_owned()));
    let (text, _) = drawn(&mut shown, 80, 24);
    assert!(text.contains("lost") && text.contains("cannot reach the admin listener"), "{text}");
    shown.hear(Ok(status()));
    let (text, _) = drawn(&mut shown, 80, 24);
    assert!(text.contains("live") && !text.contains("cannot reach"), "{text}");
}

#[test]
fn a_pause_holds_the_numbers_and_keys_end_it() {
    let mut shown = shown(Palette::Plain);
    press(&mut shown, KeyCode::Char('p'));
    let mut later = status();
    later.uptime_millis += 9_000;
    later.traffic.requests = 9_999;
    shown.hear(Ok(later.clone()));
    let (text, _) = drawn(&mut shown, 80, 24);
    assert!(text.contains("paused") && text.contains("6933 exchanges"), "{text}");
    press(&mut shown, KeyCode::Char('p'));
    shown.hear(Ok(later));
    assert!(drawn(&mut shown, 80, 24).0.contains("9999 exchanges"));
    press(&mut shown, KeyCode::Char('?'));
    assert!(drawn(&mut shown, 80, 24).0.contains("sort by the next column"));
    assert_eq!(press(&mut shown, KeyCode::Esc), After::GoOn);
    assert_eq!(press(&mut shown, KeyCode::Char('q')), After::End);
    assert_eq!(shown.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), After::End);
}

#[test]
fn one_cannot_scroll_beyond_the_end() {
    let mut shown = shown(Palette::Plain);
    press(&mut shown, KeyCode::Char('2'));
    (0..50).for_each(|_| {
        press(&mut shown, KeyCode::Down);
    });
    let (text, _) = drawn(&mut shown, 80, 24);
    assert!(text.contains("many"), "{text}");
    press(&mut shown, KeyCode::Home);
    assert!(drawn(&mut shown, 80, 24).0.contains("few"));
}
