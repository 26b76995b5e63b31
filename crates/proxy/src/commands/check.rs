//! `forebay check`: says all that is wrong with a configuration file, or what it means.

use std::fmt::Write;
use std::io::{IsTerminal, stderr, stdout};
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::{CheckArgs, CheckFormat, RunArgs};
use crate::commands::doctor::{self, Weight};
use crate::config::text::{in_bytes, in_time};
use crate::config::{self, Colours, Config, Listen, MemberSettings, Problems, Route};
use crate::tls::Tls;

/// How long Redis may take to say how it is.
const REDIS_PATIENCE: Duration = Duration::from_secs(2);

/// Routes that the summary shows.
const ROUTES_SHOWN: usize = 50;

/// Checks the file; 0 when it is fine, 1 when it has problems, 2 when it cannot be read.
pub fn run(args: &CheckArgs) -> ExitCode {
    if let Err(message) = config::read(&args.config) {
        say(&mut stderr(), &format!("{message}\n"));
        return ExitCode::from(2);
    }
    let tiers = args.tiers.clone();
    let run_args = RunArgs { config: Some(args.config.clone()), tiers, ..RunArgs::default() };
    match config::from_run(&run_args) {
        Ok(config) => match unreadable(&config) {
            Some(message) => {
                say(&mut stdout(), &message);
                ExitCode::from(1)
            }
            None => {
                say(&mut stdout(), &fine(&config, format(args)));
                say(&mut stderr(), &warnings(&config, args));
                ExitCode::SUCCESS
            }
        },
        Err(problems) => {
            say(&mut stdout(), &wrong(&problems, format(args)));
            ExitCode::from(1)
        }
    }
}

/// What is wrong and does not keep it from starting, a line each: what cannot be stapled, and the Redis
/// that the configuration names.
fn warnings(config: &Config, args: &CheckArgs) -> String {
    let unstapled = Tls::open(&config.tls).map_or(Vec::new(), |tls| tls.unstapled());
    let unstapled = unstapled.into_iter().map(|why| format!("warning: tls: {why}\n"));
    if args.offline {
        return unstapled.collect();
    }
    let of_routes = config.dynamic.as_ref().and_then(|dynamic| dynamic.redis.as_ref());
    let servers = config.redis.iter().chain(of_routes);
    let examined: Vec<_> =
        servers.flat_map(|redis| doctor::redis_within(redis, REDIS_PATIENCE)).collect();
    let problems = examined.iter().flat_map(|examined| {
        let heavy = examined.findings.iter().filter(|one| one.weight == Weight::Problem);
        heavy.map(|finding| format!("warning: {}: {finding}\n", examined.what))
    });
    unstapled.chain(problems).collect()
}

/// The files that the configuration names and that cannot be read, a line each.
fn unreadable(config: &Config) -> Option<String> {
    let of_routes = config.routes.iter().filter_map(|route| {
        Some((format!("route `{}`", route.name), route.upstream.ca_file.as_ref()?))
    });
    let redis_of_routes = config.dynamic.iter().filter_map(|dynamic| dynamic.redis.as_ref());
    let of_redis = config.redis.iter().filter_map(|redis| redis.ca_file.as_ref());
    let of_redis = of_redis.map(|file| ("redis".to_owned(), file));
    let of_its_routes = redis_of_routes.filter_map(|redis| redis.ca_file.as_ref());
    let of_its_routes = of_its_routes.map(|file| ("routes".to_owned(), file));
    let files = of_routes.chain(of_redis).chain(of_its_routes);
    let lines = files.filter_map(|(whose, file)| {
        let cause = std::fs::read(file).err()?;
        Some(format!("{whose}: cannot read `{}`: {cause}\n", file.display()))
    });
    let of_tls = Tls::open(&config.tls).err().map(|error| format!("tls: {error}\n"));
    Some(lines.chain(of_tls).collect::<String>()).filter(|lines| !lines.is_empty())
}

/// Writes; who has closed the other end does not want to read it.
fn say(to: &mut impl std::io::Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

fn format(args: &CheckArgs) -> CheckFormat {
    let usual = if stdout().is_terminal() { CheckFormat::Human } else { CheckFormat::Plain };
    args.format.unwrap_or(usual)
}

fn wrong(problems: &Problems, format: CheckFormat) -> String {
    match format {
        CheckFormat::Human => {
            let is_plain = !stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some();
            let shown = problems.human(if is_plain { Colours::Off } else { Colours::On });
            let count = problems.list().len();
            format!("{shown}{count} {}\n", if count == 1 { "problem" } else { "problems" })
        }
        CheckFormat::Plain => problems.plain(),
        CheckFormat::Json => problems.json() + "\n",
    }
}

fn fine(config: &Config, format: CheckFormat) -> String {
    match format {
        CheckFormat::Human | CheckFormat::Plain => summary(config),
        CheckFormat::Json => "[]\n".to_owned(),
    }
}

/// What a configuration means, in short.
pub fn summary(config: &Config) -> String {
    let mut text = String::new();
    let tls = if config.listen.is_empty() { "by TLS on" } else { "and by TLS" };
    for (word, places) in [("listens on", &config.listen), (tls, &config.tls.listen)] {
        let places: Vec<String> = places.iter().map(Listen::to_string).collect();
        if !places.is_empty() {
            line(&mut text, word, &places.join(", "));
        }
    }
    let admin = config.admin.map_or("off".to_owned(), |admin| admin.to_string());
    line(&mut text, "admin", &admin);
    line(&mut text, "keeps", &format!("{} in memory", in_bytes(config.memory_bytes)));
    if let Some(disk) = &config.disk {
        let room = format!("{} on disk in {}", in_bytes(disk.size_bytes), disk.path.display());
        line(&mut text, "", &room);
    }
    if let Some(redis) = &config.redis {
        let bodies = in_bytes(redis.value_bytes_max);
        line(&mut text, "", &format!("bodies up to {bodies} in {}", redis.url()));
    }
    if let Some(redis) = config.routes_redis() {
        line(&mut text, "routes", &format!("of each host in {}", redis.url()));
    }
    for route in config.routes.iter().take(ROUTES_SHOWN) {
        line(&mut text, "route", &in_short(route));
    }
    if let Some(left_out) = config.routes.len().checked_sub(ROUTES_SHOWN + 1) {
        line(&mut text, "", &format!("and {} more", left_out + 1));
    }
    text
}

fn line(text: &mut String, word: &str, rest: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{word:<11} {rest}");
}

fn in_short(route: &Route) -> String {
    let members: Vec<String> = route.upstream.members.iter().map(weighed).collect();
    let stale = route.policy.stale_while_revalidate.max(route.policy.stale_if_error);
    format!(
        "{}{} to {}, stale {}",
        route.host,
        route.path_prefix,
        members.join(", "),
        in_time(stale)
    )
}

/// A member, with its weight where that says something.
fn weighed(member: &MemberSettings) -> String {
    match member.weight {
        1 => member.to_string(),
        weight => format!("{member} (weight {weight})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::TierArgs;

    #[test]
    fn the_summary_says_what_was_understood() {
        let config = config::parse(
            "a.toml",
            "listen = [\"127.0.0.1:80\", \"unix:/a.sock\"]\nadmin = \"off\"\nmemory = \"64MiB\"\n\
             [[route]]\nhost = \"*.a.com\"\npath = \"/x\"\nto = [{ url = \"[::1]:3000\", weight = 3 }, \"unix:/b\"]\n\
             stale = \"90s\"\n[disk]\npath = \"/c\"\nsize = \"20GiB\"\n[redis]\n\
             url = \"rediss+sentinel://me:hunter@b,[::1]:7/main/2\"\n",
        )
        .unwrap();
        assert_eq!(
            summary(&config),
            "listens on  127.0.0.1:80, unix:/a.sock\n\
             admin       off\n\
             keeps       64MiB in memory\n            20GiB on disk in /c\n            \
             bodies up to 8MiB in rediss+sentinel://b:26379,[::1]:7/main/2\n\
             route       *.a.com/x to http://[::1]:3000 (weight 3), unix:/b, stale 1m30s\n"
        );
    }

    #[test]
    fn a_file_is_fine_wrong_or_not_to_be_read_and_the_exit_status_says_which() {
        let folder = std::env::temp_dir().join(format!("forebay-check-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let check = |name: &str, text: Option<&[u8]>, status: u8| {
            let path = folder.join(name);
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let format = Some(CheckFormat::Plain);
            let tiers = TierArgs::default();
            let args = CheckArgs { config: path, format, tiers, offline: true };
            assert_eq!(run(&args), ExitCode::from(status), "{name}");
        };
        check("fine.toml", Some(b"route = [{ to = \"a:1\" }]"), 0);
        check("wrong.toml", Some(b"rout = 1"), 1);
        check("missing.toml", None, 2);
        check("bytes.toml", Some(b"\xff"), 2);
        check("ca.toml", Some(b"route = [{ to = \"https://a\", ca_file = \"/no/such.pem\" }]"), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
