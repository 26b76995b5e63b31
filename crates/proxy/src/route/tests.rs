//! The table against a naive model of itself.

use proptest::prelude::*;

use super::*;
use crate::config::text;

fn route(host: &str, path: &str) -> Arc<Route> {
    let mut route = Route::everything_to(Vec::new(), 1 << 20);
    route.host = text::host(host).unwrap();
    route.path_prefix = path.to_owned();
    route.name = format!("{host}{path}");
    Arc::new(route)
}

fn found<'a>(table: &'a Table, host: &str, path: &str) -> Option<&'a str> {
    table.find(host, path).map(|route| route.name.as_str())
}

#[test]
fn an_exact_host_goes_before_the_longest_wildcard_and_that_before_any() {
    let routes = ["a.com", "*.a.com", "*.b.a.com", "*"];
    let table = Table::new(routes.map(|host| route(host, "/")).to_vec());
    let check = |host: &str, name: &str| assert_eq!(found(&table, host, "/"), Some(name), "{host}");
    check("a.com", "a.com/");
    check("x.a.com", "*.a.com/");
    check("b.a.com", "*.a.com/");
    check("x.b.a.com", "*.b.a.com/");
    check("y.x.b.a.com", "*.b.a.com/");
    check("xa.com", "*/");
    check(".a.com", "*/");
    check("", "*/");
    check(&format!("{}.a.com", "x.".repeat(200)), "*/");
}

#[test]
fn a_wildcard_does_not_cover_its_own_name() {
    let table = Table::new(vec![route("*.a.com", "/")]);
    assert_eq!(found(&table, "a.com", "/"), None);
}

#[test]
fn the_longest_prefix_wins_and_where_none_fits_the_next_host_is_asked() {
    let table = Table::new(vec![
        route("a.com", "/api"),
        route("a.com", "/api/v2/"),
        route("*.com", "/img/"),
        route("*", "/"),
    ]);
    let check =
        |path: &str, name: &str| assert_eq!(found(&table, "a.com", path), Some(name), "{path}");
    check("/api", "a.com/api");
    check("/apiary", "a.com/api");
    check("/api/v2/x", "a.com/api/v2/");
    check("/img/x", "*.com/img/");
    check("/API", "*/");
}

#[test]
fn a_path_is_compared_raw() {
    let table = Table::new(vec![route("*", "/a/"), route("*", "/b/")]);
    assert_eq!(found(&table, "h", "/a/../b/"), Some("*/a/"));
    assert_eq!(found(&table, "h", "/a%2fb"), None);
    assert_eq!(found(&table, "h", "//a/"), None);
    assert_eq!(found(&table, "h", "*"), None);
}

/// Tries every route and takes the best.
fn naive<'a>(routes: &'a [Arc<Route>], host: &str, path: &str) -> Option<&'a Arc<Route>> {
    let rank = |route: &Route| match &route.host {
        HostPattern::Any => Some(0),
        HostPattern::Exact(name) => (name == host).then_some(usize::MAX),
        HostPattern::Below(name) => {
            let label = host.strip_suffix(name.as_str())?.strip_suffix('.')?;
            (!label.is_empty()).then_some(name.len())
        }
    };
    let fits = |route: &&Arc<Route>| path.starts_with(&route.path_prefix);
    let ranked = routes.iter().rev().filter(fits).filter_map(|one| Some((rank(one)?, one)));
    let best = ranked.max_by_key(|(rank, route)| (*rank, route.path_prefix.len()))?;
    Some(best.1)
}

proptest! {
    #[test]
    fn the_table_finds_what_trying_every_route_finds(
        routes in prop::collection::vec(("\\*|(\\*\\.)?[ab](\\.[ab]){0,2}", "/[ab/]{0,3}"), 0..12),
        host in "[ab](\\.[ab]){0,4}",
        path in "/[ab/]{0,5}",
    ) {
        let routes: Vec<_> = routes.iter().map(|(host, path)| route(host, path)).collect();
        let table = Table::new(routes.clone());
        let found = table.find(&host, &path);
        let expected = naive(&routes, &host, &path);
        prop_assert_eq!(found.map(Arc::as_ptr), expected.map(Arc::as_ptr));
    }

    #[test]
    fn no_host_and_path_panic(host in "\\PC{0,40}", path in "\\PC{0,40}") {
        let table = Table::new(vec![route("*.a", "/"), route("a", "/x")]);
        let _ = table.find(&host, &path);
    }
}
