//! The dashboard: one page, its style and its script, as they stand in the program.
//!
//! The page knows nothing: it asks `/status` with the token that its reader gives it. Keys, tags and
//! failures in there come from strangers, so the page writes values as text alone, and its policy lets
//! the browser run nothing but the script beside it.

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::dispatch::DashboardFile;
use super::reply::{self, Kind};
use crate::answer::Answer;

const PAGE: &str = include_str!("dashboard/page.html");
const STYLE: &str = include_str!("dashboard/dashboard.css");
const PARTS: &str = include_str!("dashboard/parts.js");
const SCRIPT: &str = include_str!("dashboard/dashboard.js");

/// What the browser is told of the page: nothing from elsewhere, nothing that stands in the page
/// itself, no frame around it, no text taken for markup.
const RULES: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src \
         'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// A file of the dashboard.
pub(super) fn file(file: DashboardFile) -> Answer {
    let (kind, text) = match file {
        DashboardFile::Page => (Kind::Page, PAGE),
        DashboardFile::Style => (Kind::Style, STYLE),
        DashboardFile::Parts => (Kind::Script, PARTS),
        DashboardFile::Script => (Kind::Script, SCRIPT),
    };
    let mut answer = reply::text(StatusCode::OK, kind, text.to_owned());
    for (name, value) in RULES {
        answer.fields.insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_neither_script_nor_style_of_its_own() {
        for part in
            ["<style", " style=", "<script>", "javascript:", " onclick", " onload", " onerror"]
        {
            assert!(!PAGE.contains(part), "{part}");
        }
    }

    #[test]
    fn the_scripts_make_no_markup_of_text() {
        let makers =
            ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "srcdoc"];
        for part in makers.into_iter().chain(["Function(", "DOMParser", "javascript:", "cookie ="])
        {
            assert!(!SCRIPT.contains(part) && !PARTS.contains(part), "{part}");
        }
        assert!(!SCRIPT.contains("localStorage.setItem(TOKEN"), "the token outlives its tab");
    }

    #[test]
    fn nothing_is_asked_of_another_machine() {
        for text in [PAGE, STYLE, SCRIPT, PARTS] {
            let named = text.split("://").skip(1).map(|rest| {
                rest.split(|it: char| !it.is_ascii_alphanumeric() && it != '.').next().unwrap()
            });
            for host in named {
                // Names of namespaces, and examples in fields.
                assert!(["www.w3.org", "shop.example.com"].contains(&host), "{host}");
            }
            assert!(!text.contains("url(") && !text.contains("@import"));
        }
    }
}
