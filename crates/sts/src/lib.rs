//! Sessions without a clock: mint and verify tokens, AssumeRole.
