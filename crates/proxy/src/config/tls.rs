//! The tables `tls` and `proxy_protocol`: how clients are spoken to before HTTP begins.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::acme::{self, AcmeSettings};
use super::problem::Problem;
use super::raw::{Placed, Section, Value, count, said, span, values, word};
use super::text::{self, Refusal, refuse};
use super::words::{SWITCH, file, networks, refuse_none};
use super::{HostPattern, Listen, Network, RedisSettings, Switch};

/// TLS toward clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Where clients are accepted that speak TLS; empty is nowhere. TCP alone.
    pub listen: Vec<Listen>,
    /// The least version that is spoken.
    pub min_version: TlsVersion,
    /// Whether requests in the clear are sent to `https`.
    pub redirect: Switch,
    /// The port that they are sent to.
    pub redirect_port: u16,
    /// What browsers are told to remember, or nothing.
    pub hsts: Option<Duration>,
    /// Whether they are told so for the names below as well.
    pub hsts_subdomains: Switch,
    /// Whether HTTP/3 is spoken beside it, by UDP.
    pub http3: Switch,
    /// The port at which clients are told that it is; `None` is the one that is listened to.
    pub http3_port: Option<u16>,
    /// How often the files are looked at again.
    pub reload_interval: Duration,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// Handshakes at once; beyond it they wait within that time.
    pub handshakes_max: usize,
    /// Certificates in files, in the order in which they are written.
    pub certificates: Vec<CertificateSettings>,
    /// Whether hosts without a certificate here are looked up in Redis.
    pub redis: Switch,
    /// How often what was found there is read again.
    pub redis_interval: Duration,
    /// Certificates that are asked for, or none.
    pub acme: Option<AcmeSettings>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2 (RFC 5246).
    Tls12,
    /// 1.3 (RFC 8446).
    Tls13,
}

/// A certificate in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSettings {
    /// The certificate and those that lead to its authority, as PEM.
    pub certificate_file: PathBuf,
    /// Its key, as PEM.
    pub key_file: PathBuf,
    /// What its authority says of it now (RFC 6960), as DER.
    pub ocsp_file: Option<PathBuf>,
    /// The hosts that it is shown for; empty means its own names.
    pub hosts: Vec<HostPattern>,
    /// Whether it is shown to clients that ask for a host of no certificate.
    pub default: Switch,
}

/// Peers that say for whom they speak (the PROXY protocol of HAProxy, versions 1 and 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyProtocolSettings {
    /// Those peers. They must say it; others must not.
    pub peers: Vec<Network>,
    /// How long they may take.
    pub timeout: Duration,
}

impl Default for TlsSettings {
    fn default() -> Self {
        TlsSettings {
            listen: Vec::new(),
            min_version: TlsVersion::Tls12,
            redirect: Switch::Off,
            redirect_port: 443,
            hsts: None,
            hsts_subdomains: Switch::Off,
            http3: Switch::Off,
            http3_port: None,
            reload_interval: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            handshakes_max: 1024,
            certificates: Vec::new(),
            redis: Switch::Off,
            redis_interval: Duration::from_secs(60),
            acme: None,
        }
    }
}

impl TlsSettings {
    /// Whether clients are accepted that speak TLS.
    pub fn is_on(&self) -> bool {
        !self.listen.is_empty()
    }
}

impl Default for ProxyProtocolSettings {
    fn default() -> Self {
        ProxyProtocolSettings { peers: Vec::new(), timeout: Duration::from_secs(5) }
    }
}

const VERSIONS: &[(&str, TlsVersion)] = &[("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)];

/// Certificates in files.
const CERTIFICATES_MAX: usize = 1024;

/// Longer, and no certificate's life is left; shorter, and files are read for nothing.
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);

/// A wait for a client's part of a handshake.
const PATIENCE: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(600);

/// Less helps nobody (RFC 6797 section 6.1.1); browsers take no more than a year or two for more.
const HSTS: RangeInclusive<Duration> = Duration::from_secs(1)..=text::SPAN_MAX;

/// What else the file says, as far as it matters here.
pub(super) struct Beside<'a> {
    /// Where clients are accepted in the clear.
    pub(super) taken: &'a [&'a Listen],
    /// Where operators are answered.
    pub(super) admin: Option<SocketAddr>,
    /// The Redis of the table `redis`.
    pub(super) redis: Option<&'a RedisSettings>,
}

/// Reads the table `tls`.
pub(super) fn read(root: &mut Section<'_>, beside: &Beside<'_>) -> TlsSettings {
    let mut settings = TlsSettings::default();
    let Some(mut table) = root.section("tls") else { return settings };
    let listen = table.list("listen", said(listen)).unwrap_or_default();
    refuse_none(&mut table, "listen");
    refuse_taken(&table, &listen, beside);
    settings.listen = values(listen);
    table.set("min_version", word(VERSIONS), &mut settings.min_version);
    table.set("redirect", word(SWITCH), &mut settings.redirect);
    let port = table.read("redirect_port", count(1..=65_535));
    settings.redirect_port = port.map_or(settings.redirect_port, |port| port.value as u16);
    table.set("hsts", hsts, &mut settings.hsts);
    table.set("hsts_subdomains", word(SWITCH), &mut settings.hsts_subdomains);
    table.set("http3", word(SWITCH), &mut settings.http3);
    let port = table.read("http3_port", count(1..=65_535));
    settings.http3_port = port.map(|port| port.value as u16);
    refuse_http3(&table, &settings);
    table.set("reload_interval", span(INTERVAL), &mut settings.reload_interval);
    table.set("handshake_timeout", span(PATIENCE), &mut settings.handshake_timeout);
    table.set("handshakes_max", count(1..=1_000_000), &mut settings.handshakes_max);
    settings.certificates = certificates(&mut table);
    table.set("redis", word(SWITCH), &mut settings.redis);
    table.set("redis_interval", span(INTERVAL), &mut settings.redis_interval);
    settings.acme = acme::read(&mut table);
    check(&mut table, &settings);
    refuse_redis(&table, &settings, beside);
    table.finish();
    settings
}

/// Reads the table `proxy_protocol`.
pub(super) fn read_proxy_protocol(root: &mut Section<'_>) -> ProxyProtocolSettings {
    let mut settings = ProxyProtocolSettings::default();
    let Some(mut table) = root.section("proxy_protocol") else { return settings };
    settings.peers = networks(&mut table, "peers").unwrap_or_default();
    table.set("timeout", span(PATIENCE), &mut settings.timeout);
    table.finish();
    settings
}

/// TLS over a Unix socket has no use that anybody has named: who is there is on this machine.
fn listen(text: &str) -> Result<Listen, Refusal> {
    match text::listen(text)? {
        Listen::Tcp(address) => Ok(Listen::Tcp(address)),
        Listen::Unix(_) => refuse(
            "TLS is spoken over TCP alone",
            "write an address and a port, such as 0.0.0.0:8443 or [::]:8443",
        ),
    }
}

fn hsts(value: Value<'_>) -> Result<Option<Duration>, Refusal> {
    if value.as_text() == Some("off") {
        return Ok(None);
    }
    let form = || Some("`off`, or a time span such as \"365d\"".to_owned());
    span(HSTS)(value).map(Some).map_err(|refusal| Refusal { allowed: form(), ..refusal })
}

fn certificates<'a>(table: &mut Section<'a>) -> Vec<CertificateSettings> {
    let values = table.value("certificate").map(Value::list).unwrap_or_default();
    if let Some(first) = values.get(CERTIFICATES_MAX) {
        let message = format!("there are more than {CERTIFICATES_MAX} certificates");
        table.findings().add(Problem::at(first.place(), message));
    }
    let mut found: Vec<CertificateSettings> = Vec::new();
    for value in values.into_iter().take(CERTIFICATES_MAX) {
        let read = |value: Value<'a>| value.table().ok_or_else(|| value.is_not("a table"));
        let Some(own) = table.accept("certificate", value, read) else { continue };
        let mut own = Section::new("certificate", own.value, value.place(), table.findings());
        let certificate = certificate(&mut own);
        let is_second = |one: &CertificateSettings| one.default == Switch::On;
        if let Some(certificate) = certificate {
            if certificate.default == Switch::On && found.iter().any(is_second) {
                let message = "a second certificate is the default; one can be";
                own.findings().add(Problem::at(value.place(), message));
            }
            found.push(certificate);
        }
        own.finish();
    }
    found
}

fn certificate(table: &mut Section<'_>) -> Option<CertificateSettings> {
    let certificate_file = required(table, "certificate_file");
    let key_file = required(table, "key_file");
    let ocsp_file = table.read("ocsp_file", said(file)).map(|file| file.value);
    let hosts = table.list("hosts", said(host)).unwrap_or_default();
    refuse_none(table, "hosts");
    let mut default = Switch::Off;
    table.set("default", word(SWITCH), &mut default);
    Some(CertificateSettings {
        certificate_file: certificate_file?,
        key_file: key_file?,
        ocsp_file,
        hosts: values(hosts),
        default,
    })
}

fn required<'a>(table: &mut Section<'a>, key: &'a str) -> Option<PathBuf> {
    if table.value(key).is_none() {
        let message = format!("a certificate has no `{key}`");
        let problem = Problem::at(table.place(), message);
        table.findings().add(problem.with_help(format!("write `{key} = \"/path/to/file.pem\"`")));
    }
    table.read(key, said(file)).map(|file| file.value)
}

/// A host that a certificate is shown for.
fn host(text: &str) -> Result<HostPattern, Refusal> {
    match text::host(text)? {
        HostPattern::Any => refuse(
            "no certificate is for every host",
            "write its hosts, or `default = \"on\"` for all that no certificate names",
        ),
        pattern @ (HostPattern::Exact(_) | HostPattern::Below(_)) => Ok(pattern),
    }
}

/// What the settings mean together.
fn check(table: &mut Section<'_>, settings: &TlsSettings) {
    let has_source = !settings.certificates.is_empty()
        || settings.redis == Switch::On
        || settings.acme.is_some()
        || table.value("certificate").is_some();
    let nobody_listens = table.value("listen").is_none();
    if !nobody_listens && !has_source {
        let problem = Problem::at(table.place(), "TLS is spoken and there is no certificate");
        table.findings().add(problem.with_help(
            "write `[[tls.certificate]]` with `certificate_file` and `key_file`, or `[tls.acme]`",
        ));
    }
    if nobody_listens && (has_source || settings.redirect == Switch::On) {
        let message = "`tls` has no `listen`: nobody is answered over TLS";
        let problem = Problem::at(table.place(), message);
        table.findings().add(problem.with_help("write `listen = [\"0.0.0.0:8443\"]`"));
    }
}

fn refuse_taken(table: &Section<'_>, listen: &[Placed<Listen>], beside: &Beside<'_>) {
    let admin = beside.admin.map(Listen::Tcp);
    for (at, one) in listen.iter().enumerate() {
        let others = listen[..at].iter().map(|one| &one.value);
        let mut others = others.chain(beside.taken.iter().copied()).chain(&admin);
        if others.any(|other| one.value.overlaps(other)) {
            let message = format!("`{}` is listened to already", one.value);
            table.findings().add(Problem { message, help: None, place: one.place.clone() });
        }
    }
}

/// Who asks for it is told at the start that it is not there, not by clients that do not come.
fn refuse_http3(table: &Section<'_>, settings: &TlsSettings) {
    if settings.http3 == Switch::On && !cfg!(feature = "http3") {
        let message = "`http3` of `tls` is on, and this program is built without HTTP/3";
        let problem = Problem::at(table.place(), message);
        table.findings().add(problem.with_help(
            "write `http3 = \"off\"`, or build it with `cargo build --release --features http3`",
        ));
    }
}

fn refuse_redis(table: &Section<'_>, settings: &TlsSettings, beside: &Beside<'_>) {
    if settings.redis == Switch::On && beside.redis.is_none() {
        let problem =
            Problem::at(table.place(), "`redis` of `tls` does nothing: there is no Redis");
        table.findings().add(problem.with_help("write `[redis]` with its `url`"));
    }
}
