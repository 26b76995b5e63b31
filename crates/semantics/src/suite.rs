//! The public suite `http-cache-tests`, as far as it is about rules: a response, a pause, and what
//! the next request finds. Ids are the suite's.
//!
//! Rows marked `choice` are where the suite only asks what a cache does.

use http::{Method, StatusCode};

use crate::case::{NOW, after, fields};
use crate::policy::Policy;
use crate::request::Asked;
use crate::reuse::{Reuse, reuse};
use crate::standing::Standing;
use crate::stored::Stored;
use crate::storing::{Storing, storing};
use crate::variants::{Variants, Vary};
use Next::{Cached, Origin};

mod freshness;
mod storing;

/// What the second request finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The stored response.
    Cached,
    /// The origin, with or without a condition.
    Origin,
}

/// A response to a first request, and a second request.
struct Exchange<'a> {
    policy: &'a Policy,
    first: &'a str,
    status: u16,
    response: &'a str,
    pause_millis: u64,
    second: &'a str,
}

impl Exchange<'_> {
    fn next(&self) -> Next {
        let policy = self.policy;
        let (first, second) = (fields(self.first), fields(self.second));
        let response = fields(self.response);
        let status = StatusCode::from_u16(self.status).unwrap();
        let asked = Asked::of(&Method::GET, &first, policy);
        if storing(&asked, status, &response, policy) != Storing::Keep {
            return Origin;
        }
        let stored = Stored::new(policy, &asked, status, &response, NOW, NOW);
        let mut variants = Variants::new(1);
        variants.take_in(&Vary::of(&response), &first, None, NOW, 8);
        if variants.choose(&second).is_none() {
            return Origin;
        }
        let asked = Asked::of(&Method::GET, &second, policy);
        match reuse(&asked, &stored, policy, &Standing::SOUND, after(self.pause_millis)) {
            Reuse::Serve | Reuse::ServeAndRefresh(_) => Cached,
            Reuse::Revalidate(_) | Reuse::Refuse => Origin,
        }
    }
}

fn check_all(cases: &[(&str, &str, Next)], exchange: impl Fn(&str) -> Next) {
    let wrong: Vec<_> = cases
        .iter()
        .filter(|(_, response, expected)| exchange(response) != *expected)
        .map(|(id, response, expected)| format!("{id}: `{response}` should be {expected:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check_after(pause_millis: u64, cases: &[(&str, &str, Next)]) {
    let policy = &Policy::default();
    check_all(cases, |response| {
        Exchange { policy, first: "", status: 200, response, pause_millis, second: "" }.next()
    });
}

/// The suite pauses three seconds.
const PAUSE: u64 = 3000;
const AT_ONCE: u64 = 20;
