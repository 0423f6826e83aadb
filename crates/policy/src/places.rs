//! Where a run with `?` and long values begins in a text. The time depends on the length of both, not on their product.

/// Comparing this many characters at each place costs less than a search.
const FEW: usize = 16;

/// The first place of the text where the run fits. `None` in the run fits any character.
pub(crate) fn leftmost(run: &[Option<char>], text: &[char]) -> Option<usize> {
    let mut fits = vec![true; (text.len() + 1).checked_sub(run.len())?];
    let mut place = 0;
    for part in run.chunk_by(|one, next| one.is_some() == next.is_some()) {
        let literal: Vec<char> = part.iter().copied().flatten().collect();
        let text = text.get(place..)?;
        if literal.len() <= FEW {
            keep_equal(&mut fits, &literal, text);
        } else {
            keep_found(&mut fits, &literal, text);
        }
        place += part.len();
    }
    fits.iter().position(|fits| *fits)
}

/// Keeps the places where the literal is, comparing it at each of them.
fn keep_equal(fits: &mut [bool], literal: &[char], text: &[char]) {
    for (at, wanted) in literal.iter().enumerate() {
        let text = text.get(at..).unwrap_or_default();
        fits.iter_mut().zip(text).for_each(|(fits, character)| *fits &= character == wanted);
    }
}

/// Keeps the places where the literal is, by the search of Knuth, Morris and Pratt: where the text goes on otherwise than the
/// literal, the search goes on with the longest beginning of the literal that the text still ends with.
fn keep_found(fits: &mut [bool], literal: &[char], text: &[char]) {
    let borders = borders(literal);
    let mut matched = 0;
    for (end, character) in text.iter().take(fits.len() + literal.len() - 1).enumerate() {
        matched = extended(matched, *character, literal, &borders);
        if let Some(fits) = (end + 1).checked_sub(literal.len()).and_then(|start| fits.get_mut(start)) {
            *fits &= matched == literal.len();
        }
    }
}

/// For each beginning of the literal: the length of the longest shorter one with which it ends.
fn borders(literal: &[char]) -> Vec<usize> {
    let mut borders = vec![0];
    let mut matched = 0;
    for character in literal.iter().skip(1) {
        matched = extended(matched, *character, literal, &borders);
        borders.push(matched);
    }
    borders
}

/// How much of the literal the text ends with after one more character.
fn extended(mut matched: usize, character: char, literal: &[char], borders: &[usize]) -> usize {
    while literal.get(matched) != Some(&character) {
        let Some(border) = matched.checked_sub(1).and_then(|last| borders.get(last)) else { return 0 };
        matched = *border;
    }
    matched + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few letters, so that most places look like a match for long.
        #[test]
        fn the_same_as_comparing_at_each_place(run in "[ab?]{1,60}", repeated in "[ab]{1,4}", text in "[ab]{0,20}") {
            let run = run.replace("bb", &repeated.repeat(9));
            let text = format!("{}{}{text}", repeated.repeat(30), run.replace('?', "b"));
            let run: Vec<Option<char>> = run.chars().map(|c| Some(c).filter(|c| *c != '?')).collect();
            let text: Vec<char> = text.chars().collect();
            let fits = |window: &[char]| window.iter().zip(&run).all(|(c, wanted)| wanted.is_none_or(|wanted| wanted == *c));
            prop_assert_eq!(leftmost(&run, &text), text.windows(run.len()).position(fits));
        }
    }

    #[test]
    fn runs_without_a_place() {
        let of = |text: &str| text.chars().collect::<Vec<char>>();
        assert_eq!(leftmost(&[Some('a'), None], &of("a")), None);
        assert_eq!(leftmost(&[Some('a'); 20], &of(&"a".repeat(19))), None);
        assert_eq!(leftmost(&[Some('a'); 20], &of(&"a".repeat(20))), Some(0));
        assert_eq!(leftmost(&[], &of("a")), Some(0));
    }
}
