use super::*;

fn check(kind: FailureKind, cause: Option<&str>, status: u16, text: &str) {
    let member = Arc::from("127.0.0.1:3000");
    let failure = match cause {
        Some(cause) => FetchFailure::because(kind, &member, cause),
        None => FetchFailure::new(kind, &member),
    };
    assert_eq!(failure.status().as_u16(), status, "{kind:?}");
    assert_eq!(failure.to_string(), text);
    assert!(failure.detail().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
}

#[test]
fn a_failure_says_what_was_tried_on_what_and_why_not() {
    use FailureKind::*;
    check(
        Connect,
        Some("connection refused"),
        502,
        "cannot connect to `127.0.0.1:3000`: connection refused",
    );
    check(ConnectTimeout, None, 504, "cannot connect to `127.0.0.1:3000`: connect_timeout passed");
    check(PoolFull, None, 503, "cannot connect to `127.0.0.1:3000`: all connections are in use");
    check(
        MemberFull,
        Some("it has `requests_max`, and `queue_timeout` passed"),
        503,
        "cannot send a further request to `127.0.0.1:3000`: it has `requests_max`, and \
         `queue_timeout` passed",
    );
    check(
        NoMember,
        None,
        503,
        "cannot choose a member of `127.0.0.1:3000`: all are down or at rest",
    );
    check(
        HeadCut,
        None,
        502,
        "cannot read the response of `127.0.0.1:3000`: the connection ended before the head",
    );
    check(
        BodyTimeout,
        None,
        504,
        "cannot read the response body of `127.0.0.1:3000`: read_timeout passed without a byte",
    );
    check(
        RequestCut,
        None,
        400,
        "cannot send the request to `127.0.0.1:3000`: its body ended early",
    );
}

#[test]
fn a_bound_of_ours_is_not_the_origins_fault() {
    let whose = |kind| FetchFailure::new(kind, &Arc::from("a:1")).whose();
    assert_eq!(whose(FailureKind::PoolFull), Whose::Gateway);
    assert_eq!(whose(FailureKind::RequestCut), Whose::Client);
    assert_eq!(whose(FailureKind::HeadTimeout), Whose::Origin);
}

#[test]
fn a_client_is_told_whole_seconds_and_at_least_one() {
    let check = |millis: Option<u64>, seconds| {
        let mut failure = FetchFailure::new(FailureKind::NoMember, &Arc::from("a:1"));
        failure.retry_after = millis.map(Duration::from_millis);
        assert_eq!(failure.retry_after_seconds(), seconds, "{millis:?}");
    };
    check(None, 1);
    check(Some(0), 1);
    check(Some(999), 1);
    check(Some(1000), 1);
    check(Some(1001), 2);
    check(Some(4200), 5);
}
