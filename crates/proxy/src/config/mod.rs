//! What the operator said: text in, [`Config`] out, checked once.
//!
//! `raw` reads tables of the file and knows which keys were asked for, `text` reads single words,
//! `check` and `routes` say what they mean together, `problem` shows what is wrong. All problems are
//! found in one pass; there is no second look at a [`Config`].

mod acme;
mod balancing;
mod check;
mod compress;
pub mod defaults;
mod destinations;
mod disk;
mod dynamic;
mod fields;
mod fixed;
pub mod flags;
mod health;
mod lifetimes;
mod masking;
mod problem;
mod purge;
mod raw;
mod redis;
mod routes;
mod settings;
mod template;
pub mod text;
mod tiers;
mod tls;
mod traces;
mod value;
mod words;
mod written;

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

pub use acme::{AcmeChallenge, AcmeSettings};
pub use balancing::{Balance, Ejection};
pub use compress::{CompressSettings, Effort, MediaTypes};
pub use dynamic::DynamicSettings;
pub use health::{HealthMethod, HealthSettings, StatusRange};
pub(crate) use masking::masked;
pub use problem::{Colours, PROBLEMS_MAX, Position, Problem, Problems};
pub use purge::{InDoubt, PublicPurge, PurgeSettings};
pub use settings::*;
pub use tiers::*;
pub use tls::{CertificateSettings, ProxyProtocolSettings, TlsSettings, TlsVersion};
pub use traces::TraceSettings;
pub use value::{MEMBERS_MAX, ROUTES_MAX, UNIX_REFUSED, json_routes};

use self::check::Checked;
use self::flags::{RunArgs, TierArgs};
use self::raw::{Findings, Placed, Section};
use self::text::Refusal;

/// Bytes of a configuration file, and of a token file.
pub const FILE_BYTES_MAX: u64 = 4 << 20;

/// The configuration that a file's text means; `name` is the file's in messages. Pure: files that
/// the text names are not opened, so what stands in an `admin_token_file`, a `password_file` or a
/// `secret_file` is not in the answer.
pub fn parse(name: &str, text: &str) -> Result<Config, Problems> {
    Ok(checked(name, text, &RunArgs::default())?.config)
}

/// The configuration that flags mean, with the files that they name; a flag goes before the file.
pub fn from_run(args: &RunArgs) -> Result<Config, Problems> {
    let (name, text) = match &args.config {
        None => (String::new(), String::new()),
        Some(path) => (path.display().to_string(), read(path).map_err(unreadable)?),
    };
    let Checked { mut config, files } = checked(&name, &text, args)?;
    let mut refused = Vec::new();
    let mut from = |file: Option<Placed<PathBuf>>, kind: &Kept| {
        let file = file?;
        match read_kept(&file.value, kind) {
            Ok(text) => Some(text),
            Err(message) => {
                refused.push(Problem { message, help: None, place: file.place });
                None
            }
        }
    };
    config.admin_token = from(files.token, &TOKEN).or(config.admin_token);
    let (password, secret) = (from(files.password, &PASSWORD), from(files.secret, &SECRET));
    if let Some(redis) = &mut config.redis {
        redis.password = password.map(Secret::new).or(redis.password.take());
        redis.secret = secret.map(Secret::new);
    }
    let password = from(files.routes_password, &PASSWORD);
    if let Some(redis) = config.dynamic.as_mut().and_then(|dynamic| dynamic.redis.as_mut()) {
        redis.password = password.map(Secret::new).or(redis.password.take());
    }
    match refused.is_empty() {
        true => Ok(config),
        false => Err(Problems::new(&name, &text, refused)),
    }
}

/// The tiers below memory.
#[derive(Clone, Debug, Default)]
pub struct Tiers {
    /// The disk tier, or none.
    pub disk: Option<DiskSettings>,
    /// The Redis tier, or none.
    pub redis: Option<RedisSettings>,
}

/// The tiers that flags alone mean, for who examines them without a gateway.
pub fn tiers(args: &TierArgs) -> Result<Tiers, Problems> {
    let (table, _) = DeTable::parse_recoverable("");
    let findings = Findings::default();
    let mut root = Section::new("", table.get_ref(), table.span(), &findings);
    let disk = disk::read(&mut root, args);
    let redis = redis::read(&mut root, args).settings;
    let found = findings.into_list();
    match found.is_empty() {
        true => Ok(Tiers { disk, redis }),
        false => Err(Problems::new("", "", found)),
    }
}

/// The text of a configuration file, or why it cannot be read.
pub fn read(path: &Path) -> Result<String, String> {
    let refused = |why: String| format!("cannot read `{}`: {why}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| refused(error.to_string()))?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| refused(error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(refused(format!("it has more than {}", text::in_bytes(FILE_BYTES_MAX))));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        refused(format!("it is not UTF-8 from byte {at} on"))
    })
}

/// A text that stands in a file of its own, so that others may read the configuration.
struct Kept {
    name: &'static str,
    meaning: fn(&str) -> Result<String, Refusal>,
}

const TOKEN: Kept = Kept { name: "token", meaning: words::secret };
const PASSWORD: Kept =
    Kept { name: "password", meaning: |text| Ok(text::password_of(text)?.expose().to_owned()) };
const SECRET: Kept = Kept { name: "secret", meaning: words::long_secret };

fn read_kept(path: &Path, kind: &Kept) -> Result<String, String> {
    let text = read(path)?;
    (kind.meaning)(text.trim_end_matches(['\r', '\n'])).map_err(|refusal| {
        format!("cannot use the {} in `{}`: {refusal}", kind.name, path.display())
    })
}

fn unreadable(message: String) -> Problems {
    Problems::new("", "", vec![Problem::nowhere(message)])
}

/// What text and flags mean together, or all that is wrong with them.
fn checked(name: &str, text: &str, args: &RunArgs) -> Result<Checked, Problems> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors.iter().map(unparsed).collect();
    let findings = Findings::default();
    let checked = check::check(Section::new("", table.get_ref(), table.span(), &findings), args);
    let found = findings.into_list();
    if problems.is_empty() && found.is_empty() {
        return Ok(checked);
    }
    let is_own = |problem: &Problem| problems.is_empty() || is_apart(text, problem, &problems);
    let found: Vec<Problem> = found.into_iter().filter(is_own).collect();
    problems.extend(found);
    Err(Problems::new(name, text, problems))
}

fn unparsed(error: &toml::de::Error) -> Problem {
    let message = error.message().replace('\n', "; ");
    Problem { message: format!("not TOML: {message}"), help: None, place: error.span() }
}

/// Whether a problem cannot come from a place that is no TOML: it is on other lines.
fn is_apart(text: &str, problem: &Problem, unparsed: &[Problem]) -> bool {
    let Some(place) = &problem.place else { return false };
    let lines = |place: &Range<usize>| {
        let line = |end: usize| {
            text.as_bytes()[..end.min(text.len())].iter().filter(|b| **b == b'\n').count()
        };
        line(place.start)..=line(place.end)
    };
    let own = lines(place);
    let mut others = unparsed.iter().filter_map(|other| other.place.as_ref()).map(lines);
    !others.any(|other| own.start() <= other.end() && other.start() <= own.end())
}

#[cfg(test)]
mod tests;
