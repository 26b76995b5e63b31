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
    check("/dashboard", Some("/dashboard.js"));
    check("*", None);
    check("/nothing/like/it", None);
}

#[test]
fn a_path_that_is_written_out_goes_before_a_host() {
    let call = |path: &str| find(&Method::GET, path).unwrap().row.call;
    assert_eq!(call("/routes/watch"), Call::Routes(RoutesCall::Watch));
    assert_eq!(call("/routes/watcher"), Call::Routes(RoutesCall::Read));
    let lost = find(&Method::PUT, "/routes/watch").unwrap_err();
    assert_eq!(lost, Lost::Method { taken: vec!["GET", "HEAD"] });
    let lost = find(&Method::POST, "/routes/a").unwrap_err();
    assert_eq!(lost, Lost::Method { taken: vec!["GET", "HEAD", "PUT", "DELETE"] });
}

#[test]
fn a_host_is_decoded_once_and_has_no_slash() {
    let part = |path: &str| find(&Method::GET, path).map(|found| found.part);
    assert_eq!(part("/routes/%2A.a.com"), Ok(Some("*.a.com".to_owned())));
    assert_eq!(part("/routes/%5B%3a%3A1%5d"), Ok(Some("[::1]".to_owned())));
    assert_eq!(part("/routes/%2541"), Ok(Some("%41".to_owned())));
    for path in ["/routes/%", "/routes/%4", "/routes/%zz", "/routes/%ff", "/routes/%+1"] {
        assert_eq!(part(path), Err(Lost::Encoding), "{path}");
    }
    for path in ["/routes/", "/routes/a/b"] {
        assert!(matches!(part(path), Err(Lost::Path { .. })), "{path}");
    }
}
