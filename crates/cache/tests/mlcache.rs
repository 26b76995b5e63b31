//! The tests that `docs/mlcache.md` names are there.

use std::path::Path;

#[test]
fn each_test_that_the_page_about_mlcache_names_exists() {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(crate_root.join("../../docs/mlcache.md")).unwrap();
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let Some((file, test)) = row.rsplit("| ").next().and_then(in_code) else { continue };
        let path = crate_root.join(format!("tests/face/{file}.rs"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text.contains(&format!("fn {test}(")), "no `{test}` in {}: {row}", path.display());
        named += 1;
    }
    assert!(named > 50, "{named} tests are named");
}

/// A cell that is only the name of a test.
fn in_code(cell: &str) -> Option<(&str, &str)> {
    cell.strip_suffix(" |")?.strip_prefix('`')?.strip_suffix('`')?.split_once("::")
}
