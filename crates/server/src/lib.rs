//! Composition: puts the parts of a gateway together and runs it until a signal arrives.

pub mod embedded;
pub mod seaweedfs;
mod seeding;

pub mod configuration;
pub mod private_file;
pub mod quotas;
pub mod root_key;
pub mod settings;
pub mod workers;

mod audit_log;
mod background;
mod certificates;
mod control_parts;
mod control_plane;
mod filer_metrics;
mod fingerprint;
mod key_metrics;
mod limits;
mod listen;
mod listening;
mod plan;
mod process_metrics;
mod reloading;
mod serving;
mod status;
mod tracer;
