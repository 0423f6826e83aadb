//! The S3 protocol without a socket: route, operations, actions, condition keys, errors.
