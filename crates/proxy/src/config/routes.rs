//! The routes: each begins with the defaults and says what is different.

use std::collections::{HashMap, HashSet};
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use forebay_semantics::key::Part;
use forebay_semantics::policy::{ClientDirectives, Heuristic, SetCookie, ShownTags};
use http::Method;

use super::defaults::StoredBody;
use super::flags::RunArgs;
use super::problem::Problem;
use super::raw::{Section, Value, count, length, number, said, size, span, word};
use super::text::{self, Refusal, meant, refuse};
use super::words::{ANY_SPAN, SWITCH};
use super::{
    HostField, MemberScheme, MemberSettings, Route, UpstreamSettings, balancing, compress, fields,
    health, lifetimes, template,
};

/// Routes of one file.
const ROUTES_MAX: usize = 10_000;

/// A time span that something waits.
const WAIT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(24 * 3600);

/// A time span of at most a day.
const PAUSE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);

const HOST_FIELD: &[(&str, HostField)] =
    &[("client", HostField::Client), ("member", HostField::Member)];
const CLIENT_DIRECTIVES: &[(&str, ClientDirectives)] =
    &[("protect", ClientDirectives::Protect), ("obey", ClientDirectives::Obey)];
const SHOW_TAGS: &[(&str, ShownTags)] =
    &[("on", ShownTags::PassedOn), ("off", ShownTags::Stripped)];
const SET_COOKIE: &[(&str, SetCookie)] =
    &[("keep-out", SetCookie::KeepOut), ("allow", SetCookie::Allow)];

/// Methods beside GET and HEAD whose responses can be kept. RFC 9110 sections 9.3.6 to 9.3.8 rule
/// out CONNECT, OPTIONS and TRACE; a DELETE that is answered from memory deletes nothing.
const METHODS: &[&str] = &["POST", "PUT", "PATCH", "QUERY"];

/// All routes: those of the file in their order, then the one of `--to`.
pub(super) fn read(
    root: &mut Section<'_>,
    args: &RunArgs,
    defaults: &Route,
    stored: StoredBody,
) -> Vec<Route> {
    let mut seen = Seen::default();
    let mut routes = tables(root, defaults, stored, &mut seen);
    if !args.to.is_empty() {
        let mut route = defaults.clone();
        route.upstream.members = args.to.clone();
        seen.refuse_same(&route, None, root);
        refuse_nameless(&route, None, root);
        routes.push(route);
    }
    routes
}

/// The routes that stand under `route`.
pub(super) fn tables(
    root: &mut Section<'_>,
    defaults: &Route,
    stored: StoredBody,
    seen: &mut Seen,
) -> Vec<Route> {
    let mut routes = Vec::new();
    let tables = root.value("route").map(Value::list).unwrap_or_default();
    if let Some(first) = tables.get(ROUTES_MAX) {
        let message = format!("the file has more than {ROUTES_MAX} routes");
        root.findings().add(Problem::at(first.place(), message));
    }
    for value in tables.iter().take(ROUTES_MAX) {
        let table = |value: Value<'_>| match value.table() {
            Some(_) => Ok(()),
            None => Err(value.is_not("a table")),
        };
        root.accept("route", *value, table);
        let Some(table) = value.table() else { continue };
        let section = Section::new("route", table, value.place(), root.findings());
        routes.push(route(section, defaults, stored, seen));
    }
    routes
}

/// Nothing leads anywhere; what is written and wrong has its own problem.
pub(super) fn refuse_none(root: &mut Section<'_>) {
    if root.value("route").is_some_and(|value| !value.list().is_empty()) {
        return;
    }
    let problem = match root.value("routes") {
        Some(value) => Problem::at(value.place(), "`routes` has no `redis` to read routes in")
            .with_help(
                "write `redis = \"redis://localhost:6379\"`, there or as `url` in `[redis]`",
            ),
        None => Problem::nowhere("no route: nothing says where requests go").with_help(
            "type `forebay run --to http://localhost:3000`, or write `[[route]]` and \
             `to = \"http://localhost:3000\"` into the file",
        ),
    };
    root.findings().add(problem);
}

/// What every route begins with.
pub(super) fn defaults(root: &mut Section<'_>, args: &RunArgs, stored: StoredBody) -> Route {
    let mut route = Route::everything_to(Vec::new(), stored.longest);
    route.stored_body_bytes_max = stored.usual;
    if let Some(mut table) = root.section("defaults") {
        wishes(&mut table, &mut route, stored);
        table.finish();
    }
    if let Some(stale) = args.stale {
        route.policy.stale_while_revalidate = stale;
        route.policy.stale_if_error = stale;
    }
    route
}

fn route(mut table: Section<'_>, defaults: &Route, stored: StoredBody, seen: &mut Seen) -> Route {
    let mut route = defaults.clone();
    table.set("host", said(text::host), &mut route.host);
    table.set("path", said(text::path_prefix), &mut route.path_prefix);
    route.name = match table.read("name", said(route_name)) {
        Some(name) => name.value,
        None => written(&route),
    };
    route.upstream.members = balancing::members(&mut table);
    wishes(&mut table, &mut route, stored);
    refuse_unkeyed(&route, &table);
    refuse_nameless(&route, Some(table.place()), &table);
    seen.refuse_same(&route, Some(table.place()), &table);
    table.finish();
    route
}

/// What a route and the defaults can both say. A body that no tier has
/// room for is never kept.
fn wishes(table: &mut Section<'_>, route: &mut Route, stored: StoredBody) {
    template::read(table, &mut route.key);
    policy(table, route);
    table.set("stored_body_bytes_max", size(1..=stored.longest), &mut route.stored_body_bytes_max);
    table.set("keyed_body_bytes_max", size(0..=64 << 20), &mut route.keyed_body_bytes_max);
    table.set("collapse", word(SWITCH), &mut route.collapse);
    table.set("collapse_wait", span(WAIT), &mut route.collapse_wait);
    table.set("hit_for_miss", span(PAUSE), &mut route.hit_for_miss);
    table.set("retry_pause", span(PAUSE), &mut route.retry_pause);
    table.set("early_refresh", number(0.0..=100.0), &mut route.early_refresh);
    table.set("variants_max", count(1..=10_000), &mut route.variants_max);
    table.set("ranges_max", count(1..=1000), &mut route.ranges_max);
    compress::read(table, &mut route.compress);
    fields::changes(table, "request_fields", fields::REQUEST, &mut route.request_fields);
    fields::changes(table, "response_fields", fields::RESPONSE, &mut route.response_fields);
    fields::skip(table, &mut route.skip);
    table.set("x_cache", word(SWITCH), &mut route.x_cache);
    table.set("host_field", word(HOST_FIELD), &mut route.host_field);
    if let Some(mut table) = table.section("upstream") {
        upstream(&mut table, &mut route.upstream);
        table.finish();
    }
}

fn policy(table: &mut Section<'_>, route: &mut Route) {
    let policy = &mut route.policy;
    if let Some(stale) = table.read("stale", span(ANY_SPAN)) {
        policy.stale_while_revalidate = stale.value;
        policy.stale_if_error = stale.value;
    }
    table.set("stale_while_revalidate", span(ANY_SPAN), &mut policy.stale_while_revalidate);
    table.set("stale_if_error", span(ANY_SPAN), &mut policy.stale_if_error);
    table.set("stale_when_unreachable", span(ANY_SPAN), &mut policy.stale_when_unreachable);
    table.set("keep", span(ANY_SPAN), &mut policy.keep);
    table.set("heuristic", heuristic, &mut policy.heuristic);
    table.set("client_directives", word(CLIENT_DIRECTIVES), &mut policy.client_directives);
    table.set("set_cookie", word(SET_COOKIE), &mut policy.set_cookie);
    if let Some(names) = table.list("targeted_fields", said(fields::targeted)) {
        policy.targeted_fields = names.into_iter().map(|name| name.value).collect();
    }
    if let Some(fields) = table.list("tags", said(fields::tag_field)) {
        policy.tag_fields = fields.into_iter().map(|field| field.value).collect();
    }
    table.set("show_tags", word(SHOW_TAGS), &mut policy.shown_tags);
    if let Some(methods) = table.list("methods", said(method)) {
        policy.listed_methods = methods.into_iter().map(|method| method.value).collect();
    }
    if let Some(said) = lifetimes::read(table) {
        policy.lifetimes = said;
    }
}

fn upstream(table: &mut Section<'_>, upstream: &mut UpstreamSettings) {
    table.set("connect_timeout", span(WAIT), &mut upstream.connect_timeout);
    table.set("send_timeout", span(WAIT), &mut upstream.send_timeout);
    table.set("read_timeout", span(WAIT), &mut upstream.read_timeout);
    table.set("idle_connections_max", count(0..=65_535), &mut upstream.idle_connections_max);
    table.set("idle_timeout", span(WAIT), &mut upstream.idle_timeout);
    table.set("connections_max", count(1..=1_000_000), &mut upstream.connections_max);
    table.set("head_bytes_max", length(1 << 10..=16 << 20), &mut upstream.head_bytes_max);
    table.set("resolve_interval", span(WAIT), &mut upstream.resolve_interval);
    if let Some(file) = table.read("ca_file", said(|text| Ok(PathBuf::from(text)))) {
        upstream.ca_file = Some(file.value);
    }
    health::read(table, upstream);
    balancing::read(table, upstream);
}

fn heuristic(value: Value<'_>) -> Result<Heuristic, Refusal> {
    if value.as_text() == Some("off") {
        return Ok(Heuristic::Off);
    }
    let lifetime_max = span(ANY_SPAN)(value).map_err(|refusal| Refusal {
        allowed: Some("`off`, or the longest lifetime, such as \"1d\"".to_owned()),
        ..refusal
    })?;
    Ok(Heuristic::TenthOfAge { lifetime_max })
}

fn method(text: &str) -> Result<Method, Refusal> {
    if matches!(text, "GET" | "HEAD") {
        return refuse(
            "its responses are kept without being listed",
            meant("", METHODS, "allowed"),
        );
    }
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) if METHODS.contains(&text) => Ok(method),
        Ok(_) | Err(_) => {
            let why = "responses to it cannot be kept";
            refuse(why, meant(text, METHODS, "allowed"))
        }
    }
}

/// A name for logs and metrics.
fn route_name(text: &str) -> Result<String, Refusal> {
    if text.is_empty() || text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse("no log can show it", "1 to 64 visible characters of ASCII without spaces");
    }
    Ok(text.to_owned())
}

/// A route's host and path, as its name.
fn written(route: &Route) -> String {
    format!("{}{}", route.host, route.path_prefix)
}

/// A method with a body is told apart by method and body, or one user's answer is another's.
fn refuse_unkeyed(route: &Route, table: &Section<'_>) {
    if route.policy.listed_methods.is_empty() {
        return;
    }
    if route.keyed_body_bytes_max == 0 {
        let message =
            "`methods` needs the request body in the key, and `keyed_body_bytes_max` is 0";
        table.findings().add(Problem::at(table.place(), message));
    }
    if !route.key.parts.contains(&Part::Method) {
        let message = "`methods` lists methods, and `key` does not tell them apart";
        let problem = Problem::at(table.place(), message);
        table.findings().add(problem.with_help("add \"method\" to `key`"));
    }
}

fn refuse_nameless(route: &Route, place: Option<Range<usize>>, table: &Section<'_>) {
    let is_unix = |member: &MemberSettings| member.scheme == MemberScheme::Unix;
    if route.host_field == HostField::Member && route.upstream.members.iter().any(is_unix) {
        let message = "`host_field` cannot be `member`: a Unix socket has no name to send";
        table.findings().add(Problem { message: message.to_owned(), help: None, place });
    }
}

/// Routes that were read already, so that no two are the same.
#[derive(Default)]
pub(super) struct Seen {
    by_pattern: HashMap<String, String>,
    by_name: HashSet<String>,
}

impl Seen {
    fn refuse_same(&mut self, route: &Route, place: Option<Range<usize>>, table: &Section<'_>) {
        let pattern = written(route);
        let name = route.name.clone();
        if let Some(first) = self.by_pattern.insert(pattern.clone(), name.clone()) {
            let message = format!(
                "route `{name}` is never chosen: route `{first}` has the same host and path, \
                 `{pattern}`"
            );
            table.findings().add(Problem { message, help: None, place });
        } else if !self.by_name.insert(name.clone()) {
            let message = format!("two routes are named `{name}`");
            table.findings().add(Problem { message, help: None, place });
        }
    }
}
