//! What can happen next.

/// One step. Gateways and filers are given by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the indices have the same names everywhere")]
pub enum Action {
    /// A gateway opens a stream to every filer that it can reach.
    Subscribe { gateway: usize },
    /// It begins to list everything again, and keeps its streams.
    Relist { gateway: usize },
    /// It reads the documents of all gateways.
    ListGateways { gateway: usize },
    /// It lists everything else.
    ListStore { gateway: usize },
    /// It takes in what it has listed, and follows.
    Follow { gateway: usize },
    /// It applies the next item of a filer's stream.
    Deliver { gateway: usize, filer: usize },
    /// It takes one of its own beats out of order from the queue. Under the rules this never happens.
    DeliverEarly { gateway: usize, filer: usize, place: usize },
    /// It reads the beats of all gateways from the store.
    ReadStore { gateway: usize },
    /// It takes in what it has read.
    TakeRead { gateway: usize },
    /// It begins to write a beat through every filer.
    Beat { gateway: usize },
    /// What a gateway writes arrives at a filer.
    Land { gateway: usize, filer: usize },
    /// A later write of it arrives first.
    LandLater { gateway: usize, filer: usize },
    /// A write of it does not arrive.
    Drop { gateway: usize, filer: usize },
    /// A gateway reads a document to change it.
    Read { gateway: usize, document: usize },
    /// It begins to write the document through a filer.
    Commit { gateway: usize, filer: usize },
    /// A filer is killed. What it has not delivered is lost.
    Kill { filer: usize },
    /// A filer starts, again or for the first time.
    Run { filer: usize },
    /// One stream ends.
    Break { gateway: usize, filer: usize },
    /// A gateway is killed.
    Crash { gateway: usize },
    /// A gateway starts, again or for the first time, with a new id.
    Start { gateway: usize },
    /// A gateway is told to shut down.
    Close { gateway: usize },
    /// A gateway forgets those whose leases are long over, and begins to remove their documents.
    Tidy { gateway: usize },
    /// A gateway takes no step for a while.
    Pause { gateway: usize },
    /// It resumes.
    Resume { gateway: usize },
    /// A gateway cannot reach a filer for a while; its stream is silent.
    Cut { gateway: usize, filer: usize },
    /// No gateway can reach a filer for a while, and its streams are silent.
    Freeze { filer: usize },
    /// It can reach the filer again.
    Heal { gateway: usize, filer: usize },
    /// Time passes.
    Tick { units: u64 },
}
