//! What a node said of late, and how fast its numbers grow. Pure.

use std::collections::VecDeque;

use crate::status::Status;
use crate::telemetry::Distribution;

/// What was heard that is kept: two minutes at one a second.
const KEPT_MAX: usize = 120;

/// Answers over which shares and latencies are taken.
const WINDOW: usize = 10;

/// What a node said of late, the newest last. There is always one.
pub(super) struct Figures {
    now: Status,
    before: VecDeque<Sample>,
}

/// What is kept of each answer.
#[derive(Clone)]
struct Sample {
    at_millis: u64,
    uptime_millis: u64,
    requests: u64,
    hits: u64,
    origin_requests: u64,
    body_bytes: u64,
    counts: Vec<u64>,
}

/// How it was between two answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pace {
    /// Of those within the window that asked; `None` where nobody did.
    pub(super) hit_ratio: Option<f64>,
    pub(super) requests: f64,
    pub(super) origin_requests: f64,
    pub(super) bytes: f64,
    pub(super) p50_micros: Option<u64>,
    pub(super) p99_micros: Option<u64>,
}

impl Figures {
    pub(super) fn of(first: Status) -> Self {
        let before = VecDeque::from([Sample::of(&first)]);
        Figures { now: first, before }
    }

    pub(super) fn status(&self) -> &Status {
        &self.now
    }

    /// Takes the next answer. One of another process begins anew.
    pub(super) fn hear(&mut self, status: Status) {
        let sample = Sample::of(&status);
        if self.before.back().is_some_and(|last| sample.is_of_another(last)) {
            self.before.clear();
        }
        if self.before.len() == KEPT_MAX {
            self.before.pop_front();
        }
        self.before.push_back(sample);
        self.now = status;
    }

    /// How it is now: between the last two answers.
    pub(super) fn pace(&self) -> Pace {
        self.paces().last().copied().unwrap_or_default()
    }

    /// How it was between each two answers.
    pub(super) fn paces(&self) -> Vec<Pace> {
        (1..self.before.len()).map(|place| self.pace_at(place)).collect()
    }

    fn pace_at(&self, place: usize) -> Pace {
        let (now, last) = (&self.before[place], &self.before[place - 1]);
        let window = &self.before[place.saturating_sub(WINDOW)];
        let seconds = now.at_millis.saturating_sub(last.at_millis) as f64 / 1000.0;
        let speed = |of: fn(&Sample) -> u64| match seconds > 0.0 {
            true => of(now).saturating_sub(of(last)) as f64 / seconds,
            false => 0.0,
        };
        let asked = now.requests.saturating_sub(window.requests);
        let hits = now.hits.saturating_sub(window.hits);
        let counts =
            now.counts.iter().zip(&window.counts).map(|(now, then)| now.saturating_sub(*then));
        let within = Distribution { counts: counts.collect(), sum_micros: 0 };
        Pace {
            hit_ratio: (asked > 0).then(|| hits as f64 / asked as f64),
            requests: speed(|it| it.requests),
            origin_requests: speed(|it| it.origin_requests),
            bytes: speed(|it| it.body_bytes),
            p50_micros: within.quantile(0.5),
            p99_micros: within.quantile(0.99),
        }
    }
}

impl Sample {
    fn of(status: &Status) -> Self {
        Sample {
            at_millis: status.at_millis,
            uptime_millis: status.uptime_millis,
            requests: status.traffic.requests,
            hits: status.traffic.hits,
            origin_requests: status.traffic.origin_requests,
            body_bytes: status.traffic.body_bytes,
            counts: status.answers.counts.clone(),
        }
    }

    fn is_of_another(&self, last: &Sample) -> bool {
        self.uptime_millis < last.uptime_millis || self.requests < last.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(second: u64, requests: u64, hits: u64) -> Status {
        let mut status = Status { at_millis: second * 1000, ..Status::default() };
        status.uptime_millis = second * 1000;
        status.traffic.requests = requests;
        status.traffic.hits = hits;
        status.answers.counts = vec![requests, 0];
        status
    }

    #[test]
    fn a_pace_is_the_difference_of_two_answers() {
        let mut figures = Figures::of(status(1, 100, 50));
        assert_eq!(figures.pace(), Pace::default());
        figures.hear(status(3, 300, 230));
        let pace = figures.pace();
        assert_eq!((pace.requests, pace.hit_ratio), (100.0, Some(0.9)));
        assert_eq!(pace.p50_micros, Some(25));
        figures.hear(status(4, 300, 230));
        assert_eq!(figures.pace().hit_ratio, Some(0.9), "of the window");
    }

    #[test]
    fn another_process_begins_anew() {
        let mut figures = Figures::of(status(50, 100, 50));
        figures.hear(status(1, 10, 5));
        assert_eq!(figures.paces().len(), 0);
        assert_eq!(figures.status().traffic.requests, 10);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut figures = Figures::of(status(0, 0, 0));
        (1..1000).for_each(|second| figures.hear(status(second, second * 10, second)));
        assert_eq!(figures.paces().len(), KEPT_MAX - 1);
    }
}
