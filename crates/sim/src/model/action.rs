//! What can happen next.

/// One step; gateways and filers by their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the places are named alike everywhere")]
pub enum Action {
    /// A gateway opens a stream to every filer that runs.
    Subscribe { gateway: usize },
    /// It reads the documents of all gateways.
    ListGateways { gateway: usize },
    /// It lists everything else, and follows.
    ListStore { gateway: usize },
    /// It applies the next that a filer tells it.
    Deliver { gateway: usize, filer: usize },
    /// It takes an own beat from behind others in the queue: never, under the rules.
    DeliverEarly { gateway: usize, filer: usize, place: usize },
    /// It begins to write a beat through every filer.
    Beat { gateway: usize },
    /// What a gateway writes arrives at a filer.
    Land { gateway: usize, filer: usize },
    /// What it wrote after that arrives first.
    LandLater { gateway: usize, filer: usize },
    /// It does not arrive.
    Drop { gateway: usize, filer: usize },
    /// A gateway reads a document to change it.
    Read { gateway: usize, document: usize },
    /// It begins to write the document through a filer.
    Commit { gateway: usize, filer: usize },
    /// A filer is killed: what it has not delivered is lost.
    Kill { filer: usize },
    /// A filer runs, again or for the first time.
    Run { filer: usize },
    /// One stream ends.
    Break { gateway: usize, filer: usize },
    /// A gateway is killed.
    Crash { gateway: usize },
    /// A gateway runs, again or for the first time, under a new id.
    Start { gateway: usize },
    /// A gateway is told to end.
    Close { gateway: usize },
    /// A gateway takes no step for a while.
    Pause { gateway: usize },
    /// And goes on.
    Resume { gateway: usize },
    /// A gateway cannot reach a filer for a while; its stream is silent.
    Cut { gateway: usize, filer: usize },
    /// And can again.
    Heal { gateway: usize, filer: usize },
    /// Time passes.
    Tick { units: u64 },
}
