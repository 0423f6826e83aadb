//! The IAM policy language and its one evaluator: parse, validate, compile, decide, explain.
