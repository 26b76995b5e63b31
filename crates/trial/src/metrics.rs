//! What a node counts: the text of `/metrics`, read.

use std::collections::BTreeMap;

use crate::Failure;

/// All samples of one reading.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Reads the text.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(|line| {
            sample(line).ok_or_else(|| Failure::new(format!("`{line}` is no line of metrics")))
        });
        Ok(Metrics { samples: samples.collect::<Result<_, _>>()? })
    }

    /// The sum of all samples of this name that have these labels, and maybe others; `None` if
    /// there is none.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let fits = |sample: &&Sample| {
            let has = |(label, value): &(&str, &str)| {
                sample.labels.get(*label).is_some_and(|found| found == value)
            };
            sample.name == name && labels.iter().all(has)
        };
        let found: Vec<f64> = self.samples.iter().filter(fits).map(|sample| sample.value).collect();
        if found.is_empty() { None } else { Some(found.iter().sum()) }
    }

    /// The sample that is written so: `name`, or `name{label="value"}` with all of its labels.
    pub fn written(&self, written: &str) -> Option<f64> {
        let wanted = sample(&format!("{written} 0"))?;
        let is_it = |it: &&Sample| it.name == wanted.name && it.labels == wanted.labels;
        self.samples.iter().find(is_it).map(|sample| sample.value)
    }

    /// [`Metrics::value`] as a count; what is not there has not been counted yet.
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.value(name, labels).unwrap_or(0.0) as u64
    }

    /// The names that there are, each once, for a failure to show.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.samples.iter().map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(label.trim_start_matches(',').to_owned(), value);
            rest = after;
        }
        rest = rest.strip_prefix('}')?;
    }
    // A moment may follow the value.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// A label's value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP hits What was answered.\n# TYPE hits counter\n\
        hits_total{tier=\"memory\",route=\"a\"} 3\n\
        hits_total{tier=\"disk\",route=\"a,\\\"b\\\\\"} 4 1700000000\n\
        up 1\nratio 0.25\n# EOF\n";

    #[test]
    fn samples_are_summed_over_the_labels_that_are_not_named() {
        let metrics = Metrics::parse(TEXT).unwrap();
        let check = |name: &str, labels: &[(&str, &str)], value: Option<f64>| {
            assert_eq!(metrics.value(name, labels), value, "{name} {labels:?}");
        };
        check("hits_total", &[], Some(7.0));
        check("hits_total", &[("tier", "disk")], Some(4.0));
        check("hits_total", &[("route", "a"), ("tier", "memory")], Some(3.0));
        check("hits_total", &[("route", "a,\"b\\")], Some(4.0));
        check("hits_total", &[("tier", "redis")], None);
        check("ratio", &[], Some(0.25));
        assert_eq!(metrics.count("hits_total", &[("tier", "redis")]), 0);
        assert_eq!(metrics.names(), ["hits_total", "ratio", "up"]);
        let first = "hits_total{tier=\"memory\",route=\"a\"}";
        assert_eq!(metrics.written(first), Some(3.0));
        assert_eq!(metrics.written("up"), Some(1.0));
        assert_eq!(metrics.written("hits_total"), None, "without its labels it is another");
        assert_eq!(metrics.written("{"), None);
    }

    #[test]
    fn what_is_no_sample_is_a_failure() {
        for text in ["a", "a b", "a{b} 1", "a{b=\"c} 1", "a{b=\"c\" 1", "{", "a{b=\"\\"] {
            assert!(Metrics::parse(text).is_err(), "{text}");
        }
    }
}
