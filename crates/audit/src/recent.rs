//! The latest refusals, in memory, so that a `DecisionId` can be explained without a file.
//!
//! They are kept as lines in one ring buffer. Records consist of many small allocations, which are out of the processor's cache when they
//! are reused: that costs a refusal more than writing its lines.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use ids::AccountId;

/// How many bytes their lines may take.
const BYTES_MAX: usize = 8 << 20;
/// How many bytes of one request are kept, beyond its first line. DeleteObjects has a line for each key, and must not displace the rest.
const REQUEST_BYTES_MAX: usize = 256 << 10;

/// The last refusals, as many as have room.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Records>);

#[derive(Debug, Default)]
struct Records {
    /// From the oldest to the newest.
    requests: VecDeque<Request>,
    lines: VecDeque<u8>,
}

/// A request that is remembered.
#[derive(Debug)]
struct Request {
    id: String,
    /// The account that may read about it.
    reader: Option<AccountId>,
    /// How many bytes its lines have.
    bytes: usize,
    /// How many bytes the lines for the reader have, which follow; 0 if it may read the others.
    told_bytes: usize,
}

impl Recent {
    /// Keeps the lines about a request: the first one, and those after it that have room. `told` are those that the reader gets, if
    /// it may not read all.
    pub(crate) fn keep(&self, request_id: &str, reader: Option<AccountId>, lines: &[u8], told: Option<&[u8]>) {
        let (lines, told) = (beginning(lines), told.map(beginning).unwrap_or_default());
        let needed = lines.len() + told.len();
        if needed > BYTES_MAX {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.lines.len() + needed > BYTES_MAX
            && let Some(oldest) = kept.requests.pop_front()
        {
            kept.lines.drain(..oldest.bytes + oldest.told_bytes);
        }
        if kept.lines.capacity() == 0 {
            // Reserved once, so that it never moves. The system provides the pages only as they are written.
            kept.lines.reserve_exact(BYTES_MAX);
        }
        let (id, bytes, told_bytes) = (request_id.to_owned(), lines.len(), told.len());
        kept.requests.push_back(Request { id, reader, bytes, told_bytes });
        kept.lines.extend(lines);
        kept.lines.extend(told);
    }

    /// The lines about a request that an account may read; all lines without an account.
    pub(crate) fn find(&self, request_id: &str, reader: Option<AccountId>) -> Option<Vec<u8>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut end = kept.lines.len();
        for request in kept.requests.iter().rev() {
            let told = end - request.told_bytes;
            let begin = told - request.bytes;
            if request.id == request_id {
                let lines = match reader {
                    Some(_) if request.reader != reader => return None,
                    Some(_) if request.told_bytes > 0 => told..end,
                    _ => begin..told,
                };
                return Some(kept.lines.range(lines).copied().collect());
            }
            end = begin;
        }
        None
    }
}

/// The first line, and as many of the others as have room.
fn beginning(lines: &[u8]) -> &[u8] {
    let Some(room) = lines.get(..REQUEST_BYTES_MAX) else { return lines };
    let last_end = room.iter().rposition(|byte| *byte == b'\n');
    let end = last_end.or_else(|| lines.iter().position(|byte| *byte == b'\n'));
    end.and_then(|end| lines.get(..=end)).unwrap_or(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_that_have_room_are_kept() {
        let recent = Recent::default();
        let lines =
            |number: usize| format!("{{\"number\":{number}}}\n{}\n", "x".repeat(10_000 + number % 500)).into_bytes();
        (0..1_500).for_each(|number| recent.keep(&number.to_string(), None, &lines(number), None));
        let found: Vec<usize> = (0..1_500).filter(|number| recent.find(&number.to_string(), None).is_some()).collect();
        let bytes: usize = found.iter().map(|number| lines(*number).len()).sum();
        assert!(bytes <= BYTES_MAX && bytes > BYTES_MAX - 11_000, "{bytes}");
        assert_eq!(found, (1_500 - found.len()..1_500).collect::<Vec<_>>());
        assert!(found.iter().all(|number| recent.find(&number.to_string(), None) == Some(lines(*number))));
        assert_eq!(recent.0.lock().unwrap().lines.capacity(), BYTES_MAX);
    }

    #[test]
    fn one_request_does_not_displace_the_others() {
        let recent = Recent::default();
        let line = |bytes: usize| format!("{}\n", "x".repeat(bytes - 1)).into_bytes();
        let lines_of = |bytes: usize, count: usize| line(bytes).repeat(count);
        for (id, lines, want) in [
            ("small", line(10), Some(10)),
            ("all of its lines have room", lines_of(1 << 10, 256), Some(256 << 10)),
            ("a thousand lines", lines_of(10_000, 1_000), Some(260_000)),
            ("a long first line", [line(300 << 10), line(10)].concat(), Some(300 << 10)),
            ("a first line that has no room at all", line(BYTES_MAX + 1), None),
        ] {
            recent.keep(id, None, &lines, None);
            assert_eq!(recent.find(id, None).map(|lines| lines.len()), want, "{id}");
        }
        assert_eq!(recent.find("small", None), Some(line(10)));
    }
}
