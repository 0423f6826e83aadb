//! Decides which process may use the chunks of an upload whose gateway may be dead: that gateway, which may still write an entry that
//! names them, or another one, which frees them.
//!
//! Three files of an upload decide it. The gateway writes the *intent* once, while its first chunk is being stored; no entry can
//! name the chunks before it is there. It writes the *commit mark* before the entry, and then looks for a *claim* and, after that,
//! for its intent. A process that wants to free the chunks writes the claim, then looks for the commit mark, and then for the
//! intent. Each writes before it reads, so at least one of the two sees the other and gives way. No clock, lease or lock counts: a
//! gateway may stop between any two steps, for any time. The intent is always removed first and the claim last, so a process that
//! finds no claim finds no intent either.

use std::future::Future;

use crate::FilerError;

/// Ends of the names of the files.
pub(super) const INTENT: &str = "intent";
pub(super) const COMMIT: &str = "commit";
pub(super) const CLAIM: &str = "claim";

/// The files of uploads, on the one store of all filers.
pub(super) trait Board {
    /// Writes an empty file.
    fn put(&self, name: String) -> impl Future<Output = Result<(), FilerError>> + Send;
    /// Whether there is such a file.
    fn has(&self, name: String) -> impl Future<Output = Result<bool, FilerError>> + Send;
    /// Removes files, one after the other.
    fn remove(&self, names: Vec<String>) -> impl Future<Output = Result<(), FilerError>> + Send;
}

/// What may become of the chunks of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its gateway writes no entry any more.
    Free,
    /// Its gateway may have written an entry, or may do so at any time.
    Committed,
    /// Its files are removed, by another process.
    Settled,
}

/// How often a gateway that asks whether it may commit looks for a file.
const LOOKS: u32 = 3;

/// Whether the gateway may write the entry. It must not if the answer is not known, and never ask again then.
pub(super) async fn may_commit(board: &impl Board, id: &str) -> Result<bool, FilerError> {
    board.put(name(id, COMMIT)).await?;
    Ok(!has(board, name(id, CLAIM)).await? && has(board, name(id, INTENT)).await?)
}

/// Looks again if that fails: the mark is known to be there, so a later look is as good.
async fn has(board: &impl Board, name: String) -> Result<bool, FilerError> {
    for _ in 1..LOOKS {
        if let Ok(found) = board.has(name.clone()).await {
            return Ok(found);
        }
    }
    board.has(name).await
}

/// Claims the chunks. From now on the gateway does not begin to commit.
pub(super) async fn claim(board: &impl Board, id: &str) -> Result<(), FilerError> {
    board.put(name(id, CLAIM)).await
}

/// What may become of chunks that were claimed.
pub(super) async fn judge(board: &impl Board, id: &str) -> Result<Verdict, FilerError> {
    if board.has(name(id, COMMIT)).await? {
        return Ok(Verdict::Committed);
    }
    Ok(if board.has(name(id, INTENT)).await? { Verdict::Free } else { Verdict::Settled })
}

/// Removes the files of an upload whose chunks are named or freed.
pub(super) async fn settle(
    board: &impl Board,
    id: &str,
    lists: impl IntoIterator<Item = String>,
) -> Result<(), FilerError> {
    let first = std::iter::once(name(id, INTENT)).chain(lists);
    board.remove(first.chain([name(id, COMMIT), name(id, CLAIM)]).collect()).await
}

pub(super) fn name(id: &str, end: &str) -> String {
    format!("{id}.{end}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const ID: &str = "1";

    #[derive(Default)]
    struct Things {
        files: BTreeSet<String>,
        /// Whether an entry names the chunks.
        is_named: bool,
        is_freed: bool,
    }

    /// Files in memory. Every step waits for its turn.
    #[derive(Default)]
    struct World(Mutex<Things>);

    impl World {
        async fn step<T>(&self, step: impl FnOnce(&mut Things) -> T) -> T {
            let mut waited = false;
            std::future::poll_fn(
                |_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending },
            )
            .await;
            step(&mut self.0.lock().unwrap())
        }
    }

    impl Board for World {
        async fn put(&self, name: String) -> Result<(), FilerError> {
            self.step(|things| things.files.insert(name)).await;
            Ok(())
        }

        async fn has(&self, name: String) -> Result<bool, FilerError> {
            Ok(self.step(|things| things.files.contains(&name)).await)
        }

        async fn remove(&self, names: Vec<String>) -> Result<(), FilerError> {
            for name in names {
                self.step(|things| things.files.remove(&name)).await;
            }
            Ok(())
        }
    }

    /// What differs from the rules, to see that each is needed.
    #[derive(Clone, Copy, PartialEq)]
    enum Rules {
        AsTheyAre,
        IntentBeforeClaim,
        NoCommitMark,
        NoLookAtTheClaim,
        NoLookAtTheIntent,
        ClaimIsRemovedFirst,
        SweeperReadsBeforeItClaims,
        SweeperIgnoresTheMark,
        SweeperIgnoresTheIntent,
    }

    async fn asks(world: &World, rules: Rules) -> bool {
        use Rules::{IntentBeforeClaim, NoCommitMark, NoLookAtTheClaim, NoLookAtTheIntent};
        if !matches!(rules, IntentBeforeClaim | NoCommitMark | NoLookAtTheClaim | NoLookAtTheIntent) {
            return may_commit(world, ID).await.unwrap();
        }
        if rules != Rules::NoCommitMark {
            world.put(name(ID, COMMIT)).await.unwrap();
        }
        let early = rules != Rules::IntentBeforeClaim || world.has(name(ID, INTENT)).await.unwrap();
        let unclaimed = rules == Rules::NoLookAtTheClaim || !world.has(name(ID, CLAIM)).await.unwrap();
        let late = matches!(rules, Rules::IntentBeforeClaim | Rules::NoLookAtTheIntent)
            || world.has(name(ID, INTENT)).await.unwrap();
        early && unclaimed && late
    }

    async fn settles(world: &World, rules: Rules) {
        if rules == Rules::ClaimIsRemovedFirst {
            world.remove([CLAIM, INTENT, COMMIT].map(|end| name(ID, end)).to_vec()).await.unwrap();
        } else {
            settle(world, ID, []).await.unwrap();
        }
    }

    async fn gateway(world: &World, rules: Rules) {
        if asks(world, rules).await {
            world.step(|things| things.is_named = true).await;
        } else {
            world.step(|things| things.is_freed = true).await;
        }
        settles(world, rules).await;
    }

    async fn judges(world: &World, rules: Rules) -> Verdict {
        if rules == Rules::SweeperReadsBeforeItClaims {
            let verdict = judge(world, ID).await.unwrap();
            claim(world, ID).await.unwrap();
            return verdict;
        }
        claim(world, ID).await.unwrap();
        match rules {
            Rules::SweeperIgnoresTheMark if world.has(name(ID, INTENT)).await.unwrap() => Verdict::Free,
            Rules::SweeperIgnoresTheMark => Verdict::Settled,
            Rules::SweeperIgnoresTheIntent if world.has(name(ID, COMMIT)).await.unwrap() => Verdict::Committed,
            Rules::SweeperIgnoresTheIntent => Verdict::Free,
            _ => judge(world, ID).await.unwrap(),
        }
    }

    async fn sweeper(world: &World, rules: Rules) {
        let free = match judges(world, rules).await {
            Verdict::Free => {
                world.step(|things| things.is_freed = true).await;
                true
            }
            // An entry that is found settles it, too.
            Verdict::Committed => world.step(|things| things.is_named).await,
            Verdict::Settled => true,
        };
        if free {
            settles(world, rules).await;
        }
    }

    /// Runs one order of the steps, by the choices given and then by `choose`. Returns each choice with the number of alternatives,
    /// and whether a chunk was freed that an entry names. A process is killed if its steps do not come.
    fn run(
        sweepers: usize,
        rules: Rules,
        choose: &mut dyn FnMut(usize, usize) -> usize,
    ) -> (Vec<(usize, usize)>, bool) {
        let world = World::default();
        world.0.lock().unwrap().files.insert(name(ID, INTENT));
        let mut tasks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = vec![Box::pin(gateway(&world, rules))];
        (0..sweepers).for_each(|_| tasks.push(Box::pin(sweeper(&world, rules))));
        let mut context = Context::from_waker(Waker::noop());
        let mut path = Vec::new();
        while !tasks.is_empty() {
            let task = choose(path.len(), tasks.len());
            path.push((task, tasks.len()));
            if tasks[task].as_mut().poll(&mut context).is_ready() {
                drop(tasks.remove(task));
            }
            let things = world.0.lock().unwrap();
            if things.is_named && things.is_freed {
                return (path, true);
            }
        }
        (path, false)
    }

    /// Whether any order of the steps of a gateway and a sweeper loses data, and how many orders were tried.
    fn some_order_loses(rules: Rules) -> (bool, usize) {
        let mut prefix: Vec<usize> = Vec::new();
        for orders in 1.. {
            let (mut path, lost) = run(1, rules, &mut |step, _| prefix.get(step).copied().unwrap_or(0));
            if lost {
                return (true, orders);
            }
            while path.last().is_some_and(|(choice, of)| choice + 1 == *of) {
                path.pop();
            }
            let Some((last, before)) = path.split_last() else { return (false, orders) };
            prefix = before.iter().map(|(choice, _)| *choice).chain([last.0 + 1]).collect();
        }
        unreachable!("the orders are finite")
    }

    /// Some of the next looks fail.
    struct Flaky(World, Mutex<u32>);

    impl Board for Flaky {
        async fn put(&self, name: String) -> Result<(), FilerError> {
            self.0.put(name).await
        }

        async fn has(&self, name: String) -> Result<bool, FilerError> {
            let failures = *self.1.lock().unwrap();
            *self.1.lock().unwrap() = failures.saturating_sub(1);
            if failures > 0 { Err(FilerError::Unavailable("flaky".to_owned())) } else { self.0.has(name).await }
        }

        async fn remove(&self, names: Vec<String>) -> Result<(), FilerError> {
            self.0.remove(names).await
        }
    }

    #[test]
    fn a_look_that_fails_is_repeated() {
        for (failures, want) in [(0, Some(true)), (LOOKS - 1, Some(true)), (LOOKS, None)] {
            let board = Flaky(World::default(), Mutex::new(failures));
            board.0.0.lock().unwrap().files.insert(name(ID, INTENT));
            let answer = std::pin::pin!(may_commit(&board, ID));
            assert_eq!(finished(answer).ok(), want, "{failures}");
        }
    }

    /// What a future gives that waits for nothing but its turn.
    fn finished<T>(mut future: Pin<&mut impl Future<Output = T>>) -> T {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
                return done;
            }
        }
    }

    #[test]
    fn no_order_of_steps_frees_a_chunk_that_is_named() {
        let (lost, orders) = some_order_loses(Rules::AsTheyAre);
        assert!(!lost && orders > 1000, "{orders}");
    }

    #[test]
    fn nor_with_three_sweepers() {
        for seed in 0..20_000u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut choose = |_, of: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 33) as usize % of
            };
            assert!(!run(3, Rules::AsTheyAre, &mut choose).1, "seed {seed}");
        }
    }

    #[test]
    fn without_a_rule_some_order_loses_data() {
        for (what, rules) in [
            ("the intent is looked at before the claim", Rules::IntentBeforeClaim),
            ("no commit mark", Rules::NoCommitMark),
            ("no look at the claim", Rules::NoLookAtTheClaim),
            ("no look at the intent", Rules::NoLookAtTheIntent),
            ("the claim is removed before the intent", Rules::ClaimIsRemovedFirst),
            ("the sweeper reads before it claims", Rules::SweeperReadsBeforeItClaims),
            ("the sweeper ignores the commit mark", Rules::SweeperIgnoresTheMark),
            ("the sweeper ignores the intent", Rules::SweeperIgnoresTheIntent),
        ] {
            assert!(some_order_loses(rules).0, "{what}");
        }
    }
}
