//! Batch forms: one JSON line in, one out.

/// Decides one row of `decisions-*.jsonl`.
pub fn simulate_line(_line: &str) -> String {
    String::new()
}

/// Validates one row of `validation.jsonl`.
pub fn validate_line(_line: &str) -> String {
    String::new()
}
