//! One sentence of a script: words in, an [`Act`] out.

use super::detail::{self, Expected, Sent};
use super::nearest::nearest;
use super::{Act, After, Framing, RequestLine, Status, Who, template};

/// Every sentence there is, as shown in errors.
const SENTENCES: &[&str] = &[
    "client NAME asks METHOD TARGET",
    "client NAME asks METHOD TARGET VERSION",
    "client NAME sends",
    "client NAME gets STATUS",
    "client NAME gets STATUS or STATUS",
    "client NAME gets STATUS and close",
    "client NAME gets STATUS cut short",
    "client NAME begins to get STATUS",
    "client NAME gets the rest",
    "client NAME gets the rest cut short",
    "client NAME gets close",
    "client NAME gets nothing yet",
    "client NAME leaves",
    "N clients ask METHOD TARGET",
    "all clients get STATUS",
    "origin hears METHOD TARGET",
    "origin hears METHOD TARGET cut short",
    "origin answers STATUS",
    "origin answers STATUS in chunks",
    "origin answers STATUS until close",
    "origin answers TARGET with STATUS",
    "origin always answers STATUS",
    "origin begins STATUS",
    "origin begins STATUS until close",
    "origin begins TARGET with STATUS",
    "origin goes on",
    "origin ends",
    "origin closes",
    "origin sends",
    "origin is silent",
    "origin is down",
    "origin is up",
    "origin has heard N requests",
    "N s pass",
    "config",
    "config TABLE",
    "only simulated: WHY",
    "only real: WHY",
];

/// Lines below a sentence, with their numbers.
pub(crate) type Below<'a> = &'a [(usize, &'a str)];

/// Reads one sentence; the error has the line that it is about.
pub(crate) fn read(number: usize, text: &str, below: Below<'_>) -> Result<Act, (usize, String)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let act = match words[..] {
        ["client", ref rest @ ..] => client(rest, below)?,
        ["all", "clients", "get", ref rest @ ..] => gets(Who::All, rest, below)?,
        ["all", "clients", "leave"] => Some(Act::Leaves(Who::All)),
        [count, "clients", "ask", ref rest @ ..] => crowd(count, rest, below)?,
        ["origin", ref rest @ ..] => origin(rest, below)?,
        [count, unit, "pass"] => template::span(count, unit).map(Act::Pass),
        _ => None,
    };
    let act = act.ok_or_else(|| (number, unknown(text)))?;
    match below.first() {
        Some((line, found)) if stands_alone(&act) => {
            Err((*line, format!("found `{found}` below `{text}`; allowed: nothing")))
        }
        _ => Ok(act),
    }
}

/// What to say of a sentence that is none.
pub(crate) fn unknown(text: &str) -> String {
    let meant = nearest(text, SENTENCES);
    let all = SENTENCES.join("`, `");
    match meant {
        Some(meant) => format!("found `{text}`; nearest: `{meant}`; allowed: `{all}`"),
        None => format!("found `{text}`; allowed: `{all}`"),
    }
}

fn stands_alone(act: &Act) -> bool {
    match act {
        Act::GetsClose(_) | Act::GetsNothing(_) | Act::Leaves(_) | Act::Closes => true,
        Act::IsSilent | Act::IsDown | Act::IsUp | Act::HasHeard(_) | Act::Pass(_) => true,
        Act::Asks(..) | Act::ClientSends(..) | Act::Gets(..) | Act::BeginsToGet(..) => false,
        Act::GetsRest(..) | Act::Hears(..) | Act::Answers(..) | Act::AlwaysAnswers(..) => false,
        Act::Begins(..) | Act::GoesOn(_) | Act::Ends(_) | Act::OriginSends(_) => false,
    }
}

type Found = Result<Option<Act>, (usize, String)>;

fn client(words: &[&str], below: Below<'_>) -> Found {
    let verbs = ["asks", "sends", "gets", "begins", "leaves"];
    let (who, words) = match words {
        [verb, ..] if verbs.contains(verb) => (Who::One(String::new()), words),
        [name, rest @ ..] => (Who::One((*name).to_owned()), rest),
        [] => return Ok(None),
    };
    Ok(match words {
        ["asks", line @ ..] => match request_line(line) {
            Some(line) => Some(Act::Asks(who, line, Sent::read(below)?)),
            None => None,
        },
        ["sends"] => Some(Act::ClientSends(who, detail::raw(below)?)),
        ["gets", rest @ ..] => return gets(who, rest, below),
        ["begins", "to", "get", rest @ ..] => match statuses(rest) {
            Some((statuses, [])) => Some(Act::BeginsToGet(who, statuses, Expected::read(below)?)),
            _ => None,
        },
        ["leaves"] => Some(Act::Leaves(who)),
        _ => None,
    })
}

fn gets(who: Who, words: &[&str], below: Below<'_>) -> Found {
    match words {
        ["close"] => return Ok(Some(Act::GetsClose(who))),
        ["nothing", "yet"] => return Ok(Some(Act::GetsNothing(who))),
        ["the", "rest", after @ ..] => {
            let expected = Expected::read(below)?;
            return Ok(after_words(after).map(|after| Act::GetsRest(who, expected, after)));
        }
        _ => {}
    }
    let Some((statuses, after)) = statuses(words) else { return Ok(None) };
    let expected = Expected::read(below)?;
    Ok(after_words(after).map(|after| Act::Gets(who, statuses, expected, after)))
}

fn crowd(count: &str, words: &[&str], below: Below<'_>) -> Found {
    let Some(count) = count.parse().ok().filter(|count| (1..=1000).contains(count)) else {
        return Ok(None);
    };
    let Some(line) = request_line(words) else { return Ok(None) };
    Ok(Some(Act::Asks(Who::Crowd(count), line, Sent::read(below)?)))
}

fn origin(words: &[&str], below: Below<'_>) -> Found {
    Ok(match words {
        ["hears", method, target, after @ ..] => {
            let expected = Expected::read(below)?;
            let line = request_line(&[method, target]);
            line.zip(after_words(after)).map(|(line, after)| Act::Hears(line, expected, after))
        }
        ["answers", rest @ ..] => answer(rest).map_or(Ok(None), |(target, status, framing)| {
            Sent::read(below).map(|sent| Some(Act::Answers(target, status, sent, framing)))
        })?,
        ["begins", rest @ ..] => answer(rest).map_or(Ok(None), |(target, status, framing)| {
            Sent::read(below).map(|sent| Some(Act::Begins(target, status, sent, framing)))
        })?,
        ["always", "answers", rest @ ..] => match answer(rest) {
            Some((None, status, framing)) => {
                Some(Act::AlwaysAnswers(status, Sent::read(below)?, framing))
            }
            _ => None,
        },
        ["goes", "on"] => Some(Act::GoesOn(Sent::read(below)?)),
        ["ends"] => Some(Act::Ends(Sent::read(below)?)),
        ["closes"] => Some(Act::Closes),
        ["sends"] => Some(Act::OriginSends(detail::raw(below)?)),
        ["is", "silent"] => Some(Act::IsSilent),
        ["is", "down"] => Some(Act::IsDown),
        ["is", "up"] => Some(Act::IsUp),
        ["has", "heard", count, "request" | "requests"] => count.parse().ok().map(Act::HasHeard),
        _ => None,
    })
}

fn request_line(words: &[&str]) -> Option<RequestLine> {
    let (method, target, version) = match words {
        [method, target] => (method, target, "HTTP/1.1"),
        [method, target, version] if version.starts_with("HTTP/") => (method, target, *version),
        _ => return None,
    };
    let (method, target) = ((*method).to_owned(), (*target).to_owned());
    Some(RequestLine { method, target, version: version.to_owned() })
}

fn answer(words: &[&str]) -> Option<(Option<String>, u16, Framing)> {
    let (target, words) = match words {
        [target, "with", rest @ ..] => (Some((*target).to_owned()), rest),
        _ => (None, words),
    };
    let [status, framing @ ..] = words else { return None };
    let framing = match framing {
        [] => Framing::Length,
        ["in", "chunks"] => Framing::Chunks,
        ["until", "close"] => Framing::UntilClose,
        _ => return None,
    };
    let status = status.parse().ok().filter(|status| (100..=999).contains(status))?;
    Some((target, status, framing))
}

fn statuses<'a, 'b>(words: &'a [&'b str]) -> Option<(Vec<Status>, &'a [&'b str])> {
    let [first, rest @ ..] = words else { return None };
    let first = status(first)?;
    match rest {
        ["or", more @ ..] => {
            let (mut statuses, rest) = statuses(more)?;
            statuses.insert(0, first);
            Some((statuses, rest))
        }
        _ => Some((vec![first], rest)),
    }
}

fn status(word: &str) -> Option<Status> {
    if let Some(hundred) = word.strip_suffix("xx") {
        return hundred.parse().ok().filter(|h| (1..=9).contains(h)).map(Status::Class);
    }
    word.parse().ok().filter(|status| (100..=999).contains(status)).map(Status::Exact)
}

fn after_words(words: &[&str]) -> Option<After> {
    match words {
        [] => Some(After::Anything),
        ["and", "close"] => Some(After::Close),
        ["cut", "short"] => Some(After::CutShort),
        _ => None,
    }
}
