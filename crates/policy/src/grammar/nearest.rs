//! "Did you mean": the nearest valid word.

/// The candidate nearest to `word`, if it is near enough to be what was meant. Case is ignored.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const WORD_CHARACTERS_MAX: usize = 64;
    if word.len() > WORD_CHARACTERS_MAX {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let limit = 1 + word.chars().count() / 4;
    let with_distance =
        candidates.into_iter().map(|candidate| (distance(&word, &candidate.to_ascii_lowercase()), candidate));
    with_distance
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters must be inserted, removed or replaced to turn one word into the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (r, cell) in right.iter().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(l != *r)).min(before + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            before = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, want) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
            ("same", "same", 0),
        ] {
            assert_eq!(distance(left, right), want, "{left} {right}");
        }
    }

    #[test]
    fn the_nearest_word_is_found_if_it_is_near_enough() {
        let words = ["Condition", "Effect", "Action", "NotAction"];
        for (word, want) in [
            ("Conditions", Some("Condition")),
            ("condition", Some("Condition")),
            ("Actoin", Some("Action")),
            ("Bananas", None),
            (&"x".repeat(1000), None),
        ] {
            assert_eq!(nearest(word, words), want, "{word}");
        }
    }
}
