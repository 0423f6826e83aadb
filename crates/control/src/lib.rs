//! The control plane: IAM and STS query APIs, the change feed, status.
