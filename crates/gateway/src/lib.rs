//! The data plane: one corridor of eight doors, and the S3 operations.
