//! Users, keys, groups, roles and policies as data; commands; the immutable Snapshot.
