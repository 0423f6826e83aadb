//! Determines the bytes of the chunks that make up a range of an object's content.

use std::collections::BTreeMap;

use crate::entry::FileChunk;

/// A run of bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// The offset of its beginning in the object, in bytes.
    pub(crate) from: u64,
    /// The offset of its end.
    pub(crate) to: u64,
    /// The index of the chunk that holds it; `None` for a hole, which reads as zeros.
    pub(crate) chunk: Option<usize>,
}

/// The bytes `from..to` of an object as runs without gaps, in order. Where chunks overlap, the one modified last
/// counts; if they were modified at the same time, the one listed last.
pub(crate) fn runs(chunks: &[FileChunk], from: u64, to: u64) -> Vec<Run> {
    let span = |chunk: &FileChunk| {
        let begin = chunk.offset.max(0) as u64;
        (begin.max(from), begin.saturating_add(chunk.size).min(to))
    };
    let mut order: Vec<(usize, &FileChunk)> = chunks.iter().enumerate().collect();
    order.retain(|(_, chunk)| {
        let (begin, end) = span(chunk);
        begin < end
    });
    order.sort_by_key(|(index, chunk)| (chunk.modified_ts_ns, *index));
    let mut painted = BTreeMap::new();
    for (index, chunk) in order {
        let (begin, end) = span(chunk);
        paint(&mut painted, begin, end, index);
    }
    let mut runs = Vec::with_capacity(painted.len());
    let mut at = from;
    for (begin, (end, index)) in painted {
        if at < begin {
            runs.push(Run { from: at, to: begin, chunk: None });
        }
        runs.push(Run { from: begin, to: end, chunk: Some(index) });
        at = end;
    }
    if at < to {
        runs.push(Run { from: at, to, chunk: None });
    }
    runs
}

/// Begin of a run -> its end and chunk.
type Painted = BTreeMap<u64, (u64, usize)>;

fn paint(painted: &mut Painted, begin: u64, end: u64, index: usize) {
    // Cut the runs that cross the borders, then remove everything inside.
    cut(painted, begin);
    cut(painted, end);
    let inside: Vec<u64> = painted.range(begin..end).map(|(at, _)| *at).collect();
    for at in inside {
        painted.remove(&at);
    }
    painted.insert(begin, (end, index));
}

fn cut(painted: &mut Painted, at: u64) {
    let Some((&begin, &(end, index))) = painted.range(..at).next_back() else { return };
    if end > at {
        painted.insert(begin, (at, index));
        painted.insert(at, (end, index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_chunks_cover_earlier_ones() {
        // (offset, size, modified); wanted range; (from, to, chunk)
        type Row = (&'static [(i64, u64, i64)], (u64, u64), &'static [(u64, u64, Option<usize>)]);
        let rows: &[Row] = &[
            (&[], (0, 0), &[]),
            (&[], (3, 5), &[(3, 5, None)]),
            (&[(0, 10, 0)], (2, 5), &[(2, 5, Some(0))]),
            (&[(10, 5, 0), (0, 10, 0)], (0, 15), &[(0, 10, Some(1)), (10, 15, Some(0))]),
            (&[(5, 5, 0)], (0, 20), &[(0, 5, None), (5, 10, Some(0)), (10, 20, None)]),
            (&[(0, 10, 2), (0, 10, 1)], (0, 10), &[(0, 10, Some(0))]),
            (&[(0, 10, 1), (0, 10, 1)], (0, 10), &[(0, 10, Some(1))]),
            (&[(0, 10, 1), (3, 2, 2)], (0, 10), &[(0, 3, Some(0)), (3, 5, Some(1)), (5, 10, Some(0))]),
            (&[(3, 2, 2), (0, 10, 1)], (4, 6), &[(4, 5, Some(0)), (5, 6, Some(1))]),
            (&[(0, 4, 1), (4, 4, 1), (2, 4, 2)], (0, 8), &[(0, 2, Some(0)), (2, 6, Some(2)), (6, 8, Some(1))]),
            (&[(-5, 3, 1), (0, u64::MAX, 1)], (0, 2), &[(0, 2, Some(1))]),
        ];
        for (chunks, (from, to), want) in rows {
            let chunk = |&(offset, size, modified_ts_ns): &(i64, u64, i64)| FileChunk {
                offset,
                size,
                modified_ts_ns,
                ..FileChunk::default()
            };
            let chunks: Vec<FileChunk> = chunks.iter().map(chunk).collect();
            let seen: Vec<_> = runs(&chunks, *from, *to).iter().map(|run| (run.from, run.to, run.chunk)).collect();
            assert_eq!(&seen, want, "{from}..{to} of {chunks:?}");
        }
    }
}
