//! The nearest of several sentences: what somebody who mistyped may have meant.

/// The nearest sentence, if any is near. Words in capitals stand for any word.
pub(crate) fn nearest<'a>(found: &str, sentences: &[&'a str]) -> Option<&'a str> {
    let words: Vec<&str> = found.split_whitespace().collect();
    let scored = sentences.iter().map(|sentence| {
        let meant: Vec<&str> = sentence.split_whitespace().collect();
        (distance(&words, &meant, |word| word.len(), changed), *sentence)
    });
    let (distance, sentence) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance * 2 <= found.len()).then_some(sentence)
}

/// What it costs to turn one word into another.
fn changed(found: &&str, meant: &&str) -> usize {
    if meant.chars().all(|char| char.is_ascii_uppercase()) {
        return 2;
    }
    let (found, meant): (Vec<char>, Vec<char>) = (found.chars().collect(), meant.chars().collect());
    distance(&found, &meant, |_| 1, |one, other| usize::from(one != other))
}

/// The least cost of putting in, taking out and changing parts (Levenshtein).
fn distance<T>(
    one: &[T],
    other: &[T],
    cost: impl Fn(&T) -> usize,
    changed: impl Fn(&T, &T) -> usize,
) -> usize {
    let mut row = vec![0];
    for part in other {
        row.push(row[row.len() - 1] + cost(part));
    }
    for from in one {
        let mut diagonal = row[0];
        row[0] += cost(from);
        for (at, to) in other.iter().enumerate() {
            let replaced = diagonal + changed(from, to);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + cost(from)).min(row[at] + cost(to));
        }
    }
    row[other.len()]
}
