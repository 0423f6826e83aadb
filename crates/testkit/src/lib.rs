//! For tests only: manual clock, seeded randomness, a real weed started and stopped.

pub mod weed;
