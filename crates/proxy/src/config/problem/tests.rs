//! How problems are shown.

use super::*;

fn problems(text: &str) -> Problems {
    crate::config::parse("a.toml", text).unwrap_err()
}

#[test]
fn problems_stand_in_the_order_of_the_file_and_columns_count_characters() {
    let problems = problems("route = [{ name = \"é\", to = \"a:1\" }]\n\"ü\" = { b = 1 }\na = 1\n");
    let places: Vec<_> = problems.list().iter().map(|one| problems.position(one)).collect();
    let at = |line, column| Some(Position { line, column });
    assert_eq!(places, [at(1, 19), at(2, 1), at(3, 1)], "{problems}");
}

#[test]
fn people_see_the_line_and_the_place_in_it() {
    let shown = problems("route = [{ to = \"a:1\" }]\nadmin = \"of\"\n").human(Colours::Off);
    for part in ["`admin` cannot be `\"of\"`", "a.toml:2:9", "admin = \"of\"", "help: write an"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'));
    let coloured = problems("admin = 1").human(Colours::On);
    assert!(coloured.contains('\u{1b}'));
}

#[test]
fn programs_get_json() {
    let shown = problems("route = [{ to = \"a:1\" }]\nworkers = 0\n").json();
    assert_eq!(
        shown,
        "[{\"column\":11,\"file\":\"a.toml\",\"help\":\"allowed: 1 to 1024\",\"line\":2,\
         \"message\":\"`workers` cannot be `0`: it is too small\"}]"
    );
}

#[test]
fn more_problems_than_the_bound_are_left_out() {
    let text: String = (0..1000).map(|number| format!("key{number} = 1\n")).collect();
    assert_eq!(problems(&text).list().len(), PROBLEMS_MAX);
}
