//! The known word that a mistyped one was probably meant to be.

/// Bytes of a word for which a nearest one is looked for; a longer one is no slip of the finger,
/// and would make the table below large.
const WORD_BYTES_MAX: usize = 64;

/// The valid word that another resembles most, if it resembles any: at most a third of its letters
/// (and at least one) added, dropped, changed or swapped, whatever their case.
pub fn nearest<'a>(word: &str, valid: &[&'a str]) -> Option<&'a str> {
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let word = word.to_lowercase();
    let distances = valid.iter().map(|&other| (distance(&word, &other.to_lowercase()), other));
    let (distance, other) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (word.chars().count() / 3).max(1)).then_some(other)
}

/// How many letters must be added, removed, changed or swapped with their neighbour (optimal
/// string alignment).
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let change = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_finds_the_word_that_was_meant() {
        let known = ["listen", "limits", "memory", "route", "off"];
        let check = |word: &str, meant: Option<&str>| {
            assert_eq!(nearest(word, &known), meant, "{word}");
        };
        check("lisen", Some("listen"));
        check("limist", Some("limits"));
        check("Memory", Some("memory"));
        check("routes", Some("route"));
        check("of", Some("off"));
        check("backend", None);
        check("", None);
        check(&"a".repeat(100_000), None);
    }
}
