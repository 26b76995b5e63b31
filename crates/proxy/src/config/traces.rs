//! The table `traces`: where spans are sent, and of how many exchanges.

use http::Uri;

use super::MemberSettings;
use super::problem::Problem;
use super::raw::{Section, number, said};
use super::text::{self, Refusal, refuse};

/// What a collector listens to for spans (OTLP over HTTP).
const PATH: &str = "/v1/traces";

const FORM: &str = "the URL of a collector, such as \"http://127.0.0.1:4318/v1/traces\"";

/// Where spans go.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// The collector.
    pub member: MemberSettings,
    /// The path there.
    pub path: Uri,
    /// The share of the exchanges of which spans are sent.
    pub sample: f64,
}

/// Reads the table; without an `endpoint`, there are no spans.
pub(super) fn read(root: &mut Section<'_>) -> Option<TraceSettings> {
    let mut table = root.section("traces")?;
    let endpoint = table.read("endpoint", said(endpoint));
    let mut sample = 0.01;
    table.set("sample", number(0.0..=1.0), &mut sample);
    if let Some(value) = table.value("sample").filter(|_| table.value("endpoint").is_none()) {
        let message = "`sample` does nothing: no `endpoint` says where spans go";
        let problem = Problem::at(value.place(), message);
        table.findings().add(problem.with_help("write `endpoint = \"http://127.0.0.1:4318\"`"));
    }
    table.finish();
    let (member, path) = endpoint?.value;
    Some(TraceSettings { member, path, sample })
}

fn endpoint(text: &str) -> Result<(MemberSettings, Uri), Refusal> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return refuse("it is no URL", FORM);
    };
    let (authority, path) = match rest.find('/') {
        Some(at) if &rest[at..] != "/" => rest.split_at(at),
        Some(at) => (&rest[..at], PATH),
        None => (rest, PATH),
    };
    let member = text::member(&format!("{scheme}://{authority}"))?;
    match path.parse::<Uri>() {
        Ok(path) if path.host().is_none() => Ok((member, path)),
        Ok(_) | Err(_) => refuse("its path is not well formed", FORM),
    }
}
