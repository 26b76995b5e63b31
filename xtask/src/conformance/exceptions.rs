//! `xtask/conformance/exceptions.toml`: the failures that are accepted, each with its reason.

use serde::Deserialize;

use crate::outcome::{Outcome, Trying, fail};
use crate::workspace;

use super::gateway::Policies;

/// The whole list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exceptions {
    #[serde(default)]
    cache_tests: Vec<CacheTest>,
    /// Of httpwg.
    #[serde(default)]
    pub(crate) http2: Vec<Case>,
    /// Of kosoku, beside those that differ in no way from the direct run.
    #[serde(default)]
    pub(crate) websocket: Vec<Case>,
}

/// An accepted failure of http-cache-tests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheTest {
    id: String,
    policies: Applies,
    why: String,
}

/// With which policies it is accepted.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Applies {
    Safe,
    Obeying,
    Both,
}

/// An accepted failure of another suite.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// As the suite prints it.
    pub(crate) name: String,
    why: String,
}

impl Exceptions {
    /// Reads the list.
    pub(crate) fn read() -> Outcome<Exceptions> {
        let file = workspace::root().join("xtask/conformance/exceptions.toml");
        Exceptions::parse(&workspace::read(&file)?)
    }

    fn parse(text: &str) -> Outcome<Exceptions> {
        let exceptions: Exceptions = toml::from_str(text).trying("read exceptions.toml")?;
        let tests = exceptions.cache_tests.iter().map(|test| (&test.id, &test.why));
        let others = exceptions.http2.iter().chain(&exceptions.websocket);
        for (case, why) in tests.chain(others.map(|case| (&case.name, &case.why))) {
            if why.split_whitespace().count() < 4 {
                return fail(format!("exceptions.toml gives no real reason for `{case}`: `{why}`"));
            }
        }
        Ok(exceptions)
    }

    /// The ids accepted with these policies.
    pub(crate) fn cache_tests(&self, policies: Policies) -> Vec<String> {
        (self.cache_tests.iter())
            .filter(|test| match test.policies {
                Applies::Both => true,
                Applies::Safe => policies == Policies::Safe,
                Applies::Obeying => policies == Policies::Obeying,
            })
            .map(|test| test.id.clone())
            .collect()
    }
}

/// The names alone.
pub(crate) fn names(cases: &[Case]) -> Vec<String> {
    cases.iter().map(|case| case.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_holds_for_the_policies_it_names() {
        let text = "[[cache_tests]]\nid = 'a'\npolicies = 'safe'\nwhy = 'keeps cookies out by default'\n\
                    [[cache_tests]]\nid = 'b'\npolicies = 'both'\nwhy = 'contradicts RFC 9111 section 4'\n";
        let list = Exceptions::parse(text).unwrap();
        assert_eq!(list.cache_tests(Policies::Safe), ["a", "b"]);
        assert_eq!(list.cache_tests(Policies::Obeying), ["b"]);
    }

    #[test]
    fn an_exception_without_a_reason_is_refused() {
        let text = "[[http2]]\nname = 'x'\nwhy = 'fails'\n";
        assert!(Exceptions::parse(text).is_err());
    }

    #[test]
    fn the_list_in_the_repository_can_be_read() {
        Exceptions::read().unwrap();
    }
}
