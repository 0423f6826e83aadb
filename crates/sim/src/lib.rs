//! For tests: the protocol of the fence as a model whose every state is visited, and walked at random.

#![expect(clippy::indexing_slicing, reason = "for tests: places of gateways and filers come from the bounds")]

pub mod model;
pub mod walk;
