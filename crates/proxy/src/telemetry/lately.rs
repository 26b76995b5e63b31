//! What happened lately, for people: the purges that this node was ordered, and what went wrong. Both
//! lists are short, and neither is touched by an exchange that goes well.

use std::collections::VecDeque;
use std::time::SystemTime;

use forebay_cache::mechanism::NodeStanding;
use parking_lot::Mutex;

/// Orders that are remembered.
pub const ORDERS_MAX: usize = 64;

/// Problems that are told apart.
pub const PROBLEMS_MAX: usize = 32;

/// Bytes of a problem's text.
const PROBLEM_BYTES_MAX: usize = 400;

/// An order to purge that was carried out.
#[derive(Clone, Debug)]
pub struct OrderTold {
    /// The number of its first purge.
    pub first: u64,
    /// The number of its last.
    pub last: u64,
    /// When it was in force.
    pub at: SystemTime,
    /// What it named.
    pub what: Vec<String>,
    /// How it was to be purged.
    pub kind: &'static str,
    /// How far each node was when the order was answered.
    pub nodes: Vec<NodeStanding>,
}

/// Something that went wrong, perhaps often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind, in one word.
    pub word: &'static str,
    /// What was tried, on what, and why not.
    pub text: String,
    /// How often, since it was first seen.
    pub count: u64,
    /// When it was first seen.
    pub first: SystemTime,
    /// When it was last seen.
    pub last: SystemTime,
}

/// What happened lately.
#[derive(Default)]
pub struct Lately {
    orders: Mutex<VecDeque<OrderTold>>,
    problems: Mutex<VecDeque<Problem>>,
}

impl Lately {
    /// Remembers an order; the oldest leaves.
    pub fn ordered(&self, order: OrderTold) {
        let mut orders = self.orders.lock();
        orders.truncate(ORDERS_MAX - 1);
        orders.push_front(order);
    }

    /// Remembers a problem: once for each text, the newest first. The one that was not seen for the
    /// longest time leaves.
    pub fn went_wrong(&self, word: &'static str, text: &str, now: SystemTime) {
        let text = &text[..text.floor_char_boundary(PROBLEM_BYTES_MAX)];
        let mut problems = self.problems.lock();
        let known = problems.iter().position(|it| it.word == word && it.text == text);
        let mut problem = known.and_then(|place| problems.remove(place)).unwrap_or_else(|| {
            Problem { word, text: text.to_owned(), count: 0, first: now, last: now }
        });
        problem.count += 1;
        problem.last = now;
        problems.truncate(PROBLEMS_MAX - 1);
        problems.push_front(problem);
    }

    /// The orders, the newest first.
    pub fn orders(&self) -> Vec<OrderTold> {
        self.orders.lock().iter().cloned().collect()
    }

    /// The problems, the one that was seen last first.
    pub fn problems(&self) -> Vec<Problem> {
        self.problems.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_problem_that_comes_again_is_counted_and_comes_first() {
        let lately = Lately::default();
        lately.went_wrong("a", "one", at(1));
        lately.went_wrong("b", "two", at(2));
        lately.went_wrong("a", "one", at(3));
        let told = lately.problems();
        let told: Vec<_> = told.iter().map(|it| (it.word, it.count, it.first, it.last)).collect();
        assert_eq!(told, [("a", 2, at(1), at(3)), ("b", 1, at(2), at(2))]);
    }

    #[test]
    fn problems_and_orders_are_bounded() {
        let lately = Lately::default();
        for number in 0..200 {
            lately.went_wrong("a", &format!("{number} {}", "\u{e9}".repeat(500)), at(number));
            let (first, last) = (number, number);
            let (what, nodes) = (Vec::new(), Vec::new());
            lately.ordered(OrderTold { first, last, at: at(1), what, kind: "hard", nodes });
        }
        let (problems, orders) = (lately.problems(), lately.orders());
        assert_eq!((problems.len(), orders.len()), (PROBLEMS_MAX, ORDERS_MAX));
        assert!(problems[0].text.starts_with("199 ") && problems[0].text.len() <= 400);
        assert_eq!(orders[0].first, 199);
    }
}
