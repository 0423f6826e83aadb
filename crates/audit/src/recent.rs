//! The refusals of the last time, in memory, so that a `DecisionId` can be explained where no file keeps it.
//!
//! They are kept as lines, one behind the other in one piece of memory. Records have many parts, whose memory would be cold whenever it
//! is used again, which costs a refusal more than writing the line does.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// How many bytes their lines may take.
const BYTES_MAX: usize = 8 << 20;

/// The last refusals, as many as have room.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The id of each request, from the oldest to the newest, and how many bytes its lines have.
    requests: VecDeque<(String, usize)>,
    lines: VecDeque<u8>,
}

impl Recent {
    /// Keeps the lines about a request. More than has room at all is not kept.
    pub(crate) fn keep(&self, request_id: &str, lines: &[u8]) {
        if lines.len() > BYTES_MAX {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.lines.len() + lines.len() > BYTES_MAX
            && let Some((_, bytes)) = kept.requests.pop_front()
        {
            kept.lines.drain(..bytes);
        }
        if kept.lines.capacity() == 0 {
            // The system gives the memory once it is written.
            kept.lines.reserve_exact(BYTES_MAX);
        }
        kept.requests.push_back((request_id.to_owned(), lines.len()));
        kept.lines.extend(lines);
    }

    /// The lines about a request.
    pub(crate) fn find(&self, request_id: &str) -> Option<Vec<u8>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut end = kept.lines.len();
        for (id, bytes) in kept.requests.iter().rev() {
            let begin = end - bytes;
            if id == request_id {
                return Some(kept.lines.range(begin..end).copied().collect());
            }
            end = begin;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_that_have_room_are_kept() {
        let recent = Recent::default();
        let lines =
            |number: usize| format!("{{\"number\":{number}}}\n{}\n", "x".repeat(1_000 + number % 500)).into_bytes();
        (0..9_000).for_each(|number| recent.keep(&number.to_string(), &lines(number)));
        let found: Vec<usize> = (0..9_000).filter(|number| recent.find(&number.to_string()).is_some()).collect();
        let bytes: usize = found.iter().map(|number| lines(*number).len()).sum();
        assert!(bytes <= BYTES_MAX && bytes > BYTES_MAX - 3_000, "{bytes}");
        assert_eq!(found, (9_000 - found.len()..9_000).collect::<Vec<_>>());
        assert!(found.iter().all(|number| recent.find(&number.to_string()) == Some(lines(*number))));
        assert_eq!(recent.0.lock().unwrap().lines.capacity(), BYTES_MAX);
    }

    #[test]
    fn what_has_no_room_is_not_kept_and_takes_none() {
        let recent = Recent::default();
        recent.keep("small", b"a line\n");
        recent.keep("large", &vec![b'x'; BYTES_MAX + 1]);
        assert_eq!((recent.find("small"), recent.find("large")), (Some(b"a line\n".to_vec()), None));
        recent.keep("whole", &vec![b'x'; BYTES_MAX]);
        assert_eq!((recent.find("small"), recent.find("whole").map(|lines| lines.len())), (None, Some(BYTES_MAX)));
    }
}
