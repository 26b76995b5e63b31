//! The table `tls.acme`: certificates that an authority gives by itself (RFC 8555).

use std::path::PathBuf;

use http::Uri;

use super::HostPattern;
use super::problem::Problem;
use super::raw::{Section, said, values, word};
use super::text::{self, Refusal, refuse};
use super::words::{file, refuse_none};

/// Certificates that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeSettings {
    /// The hosts, each with a certificate of its own; at least one.
    pub hosts: Vec<String>,
    /// Where the authority says what it offers.
    pub directory: String,
    /// Whom it writes to.
    pub contact: Option<String>,
    /// Where account and certificates are kept.
    pub store: PathBuf,
    /// Authorities beside the system's by which the authority's own server is known, as PEM.
    pub ca_file: Option<PathBuf>,
    /// How it is shown that the hosts lead here.
    pub challenge: AcmeChallenge,
}

/// How it is shown that a host leads here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcmeChallenge {
    /// By a certificate on port 443 (RFC 8737).
    TlsAlpn,
    /// By a text on port 80 (RFC 8555 section 8.3).
    Http,
}

const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";
const STORE: &str = "/var/lib/forebay/acme";

const CHALLENGES: &[(&str, AcmeChallenge)] =
    &[("tls-alpn-01", AcmeChallenge::TlsAlpn), ("http-01", AcmeChallenge::Http)];

/// Reads the table; without hosts nothing is asked for.
pub(super) fn read(tls: &mut Section<'_>) -> Option<AcmeSettings> {
    let mut table = tls.section("acme")?;
    let hosts = values(table.list("hosts", said(host)).unwrap_or_default());
    refuse_none(&mut table, "hosts");
    let mut settings = AcmeSettings {
        hosts,
        directory: DIRECTORY.to_owned(),
        contact: None,
        store: PathBuf::from(STORE),
        ca_file: None,
        challenge: AcmeChallenge::TlsAlpn,
    };
    table.set("directory", said(directory), &mut settings.directory);
    settings.contact = table.read("contact", said(contact)).map(|contact| contact.value);
    table.set("store", said(text::directory_path), &mut settings.store);
    settings.ca_file = table.read("ca_file", said(file)).map(|file| file.value);
    table.set("challenge", word(CHALLENGES), &mut settings.challenge);
    if settings.contact.is_some() && table.value("hosts").is_none() {
        let problem = Problem::at(table.place(), "`acme` has no `hosts`: nothing is asked for");
        table.findings().add(problem.with_help("write `hosts = [\"www.example.com\"]`"));
    }
    table.finish();
    Some(settings).filter(|settings| !settings.hosts.is_empty())
}

/// A host that can be shown to lead here: neither of the two ways shows it of a wildcard.
fn host(text: &str) -> Result<String, Refusal> {
    match text::host(text)? {
        HostPattern::Exact(host) => Ok(host),
        HostPattern::Any | HostPattern::Below(_) => refuse(
            "it cannot be shown that all names below lead here",
            "write each name; a wildcard needs DNS, and a certificate in files",
        ),
    }
}

fn directory(text: &str) -> Result<String, Refusal> {
    let uri = text.parse::<Uri>().ok();
    match uri.filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some()) {
        Some(_) => Ok(text.to_owned()),
        None => refuse("it is no https URL", format!("write a URL such as {DIRECTORY}")),
    }
}

fn contact(text: &str) -> Result<String, Refusal> {
    let is_fine = text.strip_prefix("mailto:").is_some_and(|rest| rest.contains('@'))
        && text.len() <= 320
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    match is_fine {
        true => Ok(text.to_owned()),
        false => refuse("nobody can be written to there", "write mailto:somebody@example.com"),
    }
}
