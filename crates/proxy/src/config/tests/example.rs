//! The example file names everything, with the defaults that are true.

use super::*;

const EXAMPLE: &str = include_str!("../../../../../docs/examples/forebay.toml");

#[test]
fn the_example_is_understood() {
    fine(EXAMPLE);
}

#[test]
fn the_example_is_understood_with_what_it_only_shows() {
    let shown = EXAMPLE.replace("\n#admin_token = \"change-me\"", "").replace("\n#", "\n# ");
    let mut text = String::new();
    for line in shown.lines() {
        let is_key = line.starts_with("# ") && line.contains(" = ") && !line.starts_with("#  ");
        let key = line.trim_start_matches("# ");
        let is_table = key.starts_with("[[tls.") || key.starts_with("[tls.");
        let is_key = is_key && key.split(" = ").next().is_some_and(|key| !key.contains(' '));
        text.push_str(if is_key || is_table { key } else { line });
        text.push('\n');
    }
    let config = fine(&text);
    assert_eq!(config.workers, Some(4));
    assert!(config.routes[0].upstream.ca_file.is_some());
    assert!(config.disk.is_some());
    assert!(config.tls.is_on() && config.tls.certificates.len() == 1);
    assert!(config.tls.acme.is_some());
    let redis = config.redis.unwrap();
    assert!(redis.ca_file.is_some() && redis.username.is_some());
}

#[test]
fn the_example_says_the_defaults() {
    let (general, _) = EXAMPLE.split_once("\n[[route]]").unwrap();
    let said = fine(&format!("{general}{ROUTE}"));
    let unsaid = fine(ROUTE);
    assert_eq!(format!("{said:#?}"), format!("{unsaid:#?}"));
}

/// A tier that only the example's shown lines switch on has the defaults that it says.
#[test]
fn the_example_says_the_defaults_of_the_tiers() {
    let (general, _) = EXAMPLE.split_once("\n[[route]]").unwrap();
    let on = |text: &str| {
        let path = "#path = \"/var/cache/forebay\"\n#size = \"20GiB\"";
        let text = text.replace(path, &path.replace('#', ""));
        fine(&text.replace("#url = ", "url = "))
    };
    let said = on(&format!("{general}{ROUTE}"));
    let disk = "[disk]\n#path = \"/var/cache/forebay\"\n#size = \"20GiB\"\n";
    let url = EXAMPLE.lines().find(|line| line.starts_with("#url = ")).unwrap();
    let unsaid = on(&format!("{disk}[redis]\n{url}\n{ROUTE}"));
    assert!(said.disk.is_some() && said.redis.is_some());
    assert_eq!(format!("{:#?}", said.disk), format!("{:#?}", unsaid.disk));
    assert_eq!(format!("{:#?}", said.redis), format!("{:#?}", unsaid.redis));
}

#[test]
fn the_defaults_of_code_and_of_an_empty_file_are_the_same() {
    let members = vec![text::member("localhost:3000").unwrap()];
    let mut route = Route::everything_to(members, defaults::MEMORY_BYTES);
    route.name = "*/".to_owned();
    assert_eq!(format!("{:#?}", Config::of(vec![route])), format!("{:#?}", fine(ROUTE)));
}

/// Every key that the reader asks for: it lists them when it meets one that it does not know.
#[test]
fn the_example_names_every_key() {
    let unknown = "zzzzzzzzzzzz = 1\n";
    let sections = [
        "",
        "[memory]",
        "[limits]",
        "[defaults]",
        "[defaults.upstream]",
        "[defaults.upstream.ejection]",
        "[[route]]",
    ];
    let more = ["[route.skip]", "[route.request_fields]", "[route.response_fields]"];
    let tiers = ["[route.upstream.health]", "[disk]", "[redis]", "[routes]", "[destinations]"];
    let tls = ["[traces]", "[tls]", "[[tls.certificate]]", "[tls.acme]", "[proxy_protocol]"];
    let tiers = tiers.into_iter().chain(tls);
    let sections: Vec<&str> = sections.into_iter().chain(more).chain(tiers).collect();
    let text: String = sections.iter().map(|section| format!("{section}\n{unknown}")).collect();
    let problems = parse("f", &text).unwrap_err();
    let lists: Vec<_> = problems.list().iter().filter(|one| one.message.contains("zzz")).collect();
    assert_eq!(lists.len(), sections.len());
    for list in lists {
        let (_, keys) = list.help.as_ref().unwrap().split_once("known here: ").unwrap();
        for key in keys.split(", ").map(|key| key.trim_matches('`')) {
            let line = |line: &str| line.trim_start_matches('#').starts_with(&format!("{key} = "));
            let is_table =
                |line: &str| line.trim_start_matches('#').starts_with('[') && line.contains(key);
            assert!(EXAMPLE.lines().any(|one| line(one) || is_table(one)), "{key}");
        }
    }
}
