//! The binary `kelpgate`.
fn main() {}
