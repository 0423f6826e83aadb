//! For tests only: a real SeaweedFS that is started and stopped, a client that signs, a request of each operation, and what
//! judged requests say of themselves.

pub mod judged;
pub mod operations;
pub mod signing;
pub mod weed;
