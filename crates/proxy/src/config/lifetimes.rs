//! Lifetimes by status where the origin says nothing.

use forebay_semantics::policy::StatusLifetime;
use http::StatusCode;

use super::problem::Problem;
use super::raw::{Section, span};
use super::text::{Refusal, refuse};
use super::words::ANY_SPAN;

/// The lifetimes, the narrowest range first, so that `404` goes before `4xx`.
pub(super) fn read(table: &mut Section<'_>) -> Option<Vec<StatusLifetime>> {
    let value = table.value("lifetimes")?;
    let pairs = table.accept("lifetimes", value, |value| {
        value.table().ok_or_else(|| value.is_not("a table such as { 200 = \"60s\", 5xx = \"1s\" }"))
    })?;
    let mut lifetimes = Vec::new();
    for (status, value) in Section::pairs(pairs.value) {
        let lifetime = table.accept("lifetimes", value, span(ANY_SPAN));
        match statuses(status.value) {
            Ok((first, last)) => lifetimes.extend(lifetime.map(|lifetime| StatusLifetime {
                first,
                last,
                lifetime: lifetime.value,
            })),
            Err(refusal) => {
                let shown = status.value.escape_debug();
                let message = format!("`lifetimes` has no status `{shown}`: {}", refusal.why);
                table.findings().add(Problem {
                    message,
                    help: refusal.allowed,
                    place: status.place,
                });
            }
        }
    }
    lifetimes.sort_by_key(|one| one.last.as_u16() - one.first.as_u16());
    Some(lifetimes)
}

/// `404`, `5xx` or `500-504`.
pub(super) fn statuses(text: &str) -> Result<(StatusCode, StatusCode), Refusal> {
    const FORM: &str = "write a status such as 404, a class such as 5xx, or a range such as \
                        500-504, within 200 to 599";
    if let Some(class) = text.strip_suffix("xx") {
        return match (status(&format!("{class}00")), status(&format!("{class}99"))) {
            (Some(first), Some(last)) => Ok((first, last)),
            (None, _) | (_, None) => refuse("no such class", FORM),
        };
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (status(first), status(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        (Some(_), Some(_)) => refuse("the range is empty", FORM),
        (None, _) | (_, None) => refuse("no final status is like this", FORM),
    }
}

fn status(text: &str) -> Option<StatusCode> {
    let number = text.parse::<u16>().ok().filter(|_| text.len() == 3)?;
    (200..=599).contains(&number).then(|| StatusCode::from_u16(number).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_a_class_or_a_range_is_read() {
        let check = |text: &str, range: Option<(u16, u16)>| {
            let found = statuses(text).ok().map(|(first, last)| (first.as_u16(), last.as_u16()));
            assert_eq!(found, range, "{text}");
        };
        check("200", Some((200, 200)));
        check("5xx", Some((500, 599)));
        check("500-504", Some((500, 504)));
        for wrong in ["", "xx", "1xx", "6xx", "99", "0200", "504-500", "+20", "5xx-6xx", "ä00"] {
            check(wrong, None);
        }
    }
}
