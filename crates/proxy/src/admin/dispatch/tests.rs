use super::*;

#[test]
fn each_row_is_found_by_its_own_method_and_path() {
    for row in TABLE {
        let path = row.path.replace("{host}", "%2a.shop.example");
        let found = find(&row.method, &path).unwrap();
        assert_eq!((found.row.call, found.row.path), (row.call, row.path));
        let part = row.path.contains('{').then(|| "*.shop.example".to_owned());
        assert_eq!(found.part, part, "{path}");
    }
}

#[test]
fn head_is_found_where_get_is() {
    assert_eq!(find(&Method::HEAD, "/metrics").unwrap().row.call, Call::Metrics);
}

#[test]
fn another_method_is_told_which_are_taken() {
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let lost = find(&method, "/metrics").unwrap_err();
        assert_eq!(lost, Lost::Method { taken: vec!["GET", "HEAD"] }, "{method}");
    }
}

#[test]
fn a_path_that_is_wrong_is_told_the_nearest() {
    let check = |path: &str, nearest: Option<&'static str>| {
        assert_eq!(find(&Method::GET, path).unwrap_err(), Lost::Path { nearest }, "{path}");
    };
    check("/metric", Some("/metrics"));
    check("/metrics/", Some("/metrics"));
    check("/Health", Some("/health"));
    check("/", None);
    check("*", None);
    check("/nothing/like/it", None);
}
