//! For tests: the protocol of the fence as a model whose every state is visited, and walked at random. `tests/gateways.rs`
//! runs gateways as they are on filers in memory.

#![expect(clippy::indexing_slicing, reason = "for tests: places of gateways and filers come from the bounds")]

pub mod buckets;
pub mod model;
pub mod walk;
