//! AWS signatures V4 (header, presigned, POST policy, aws-chunked) and V2.
