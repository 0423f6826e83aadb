//! For tests: the protocol of the fence as a model, which is explored completely within bounds and walked at random
//! beyond them. `tests/gateways.rs` runs real gateways on filers in memory.

#![expect(clippy::indexing_slicing, reason = "for tests: the indices of gateways and filers come from the bounds")]

pub mod buckets;
pub mod model;
pub mod walk;
