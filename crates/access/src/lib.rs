//! The front door: authenticate, gather, authorize.
