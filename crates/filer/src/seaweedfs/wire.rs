//! The messages of `filer_pb.SeaweedFiler` that the gateway uses. Field names and numbers are those of SeaweedFS 4.48;
//! a test compares them with the reflection service of a live server. Answers declare only the fields that are read.
//! Requests that carry an [`Entry`] carry all of it.

use std::collections::{BTreeMap, HashMap};

use super::picked::Pair;
use crate::entry::Entry;

/// Asks for one entry.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LookupDirectoryEntryRequest {
    #[prost(string, tag = "1")]
    pub directory: String,
    #[prost(string, tag = "2")]
    pub name: String,
}

/// The entry, and the position of the filer's log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LookupDirectoryEntryResponse {
    #[prost(message, optional, boxed, tag = "1")]
    pub entry: Option<Box<Entry>>,
    #[prost(int64, tag = "2")]
    pub log_ts_ns: i64,
    #[prost(int32, tag = "3")]
    pub log_signature: i32,
}

/// Asks for a part of a directory.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListEntriesRequest {
    #[prost(string, tag = "1")]
    pub directory: String,
    #[prost(string, tag = "2")]
    pub prefix: String,
    #[prost(string, tag = "3")]
    pub start_from_file_name: String,
    #[prost(bool, tag = "4")]
    pub inclusive_start_from: bool,
    #[prost(uint32, tag = "5")]
    pub limit: u32,
    #[prost(int64, tag = "6")]
    pub snapshot_ts_ns: i64,
    #[prost(bool, tag = "7")]
    pub omit_chunks: bool,
}

/// One entry of a directory.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListEntriesResponse {
    #[prost(message, optional, boxed, tag = "1")]
    pub entry: Option<Box<Entry>>,
    #[prost(int64, tag = "2")]
    pub snapshot_ts_ns: i64,
}

/// Conditions that must all hold.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WriteCondition {
    #[prost(message, repeated, tag = "1")]
    pub clauses: Vec<Clause>,
}

/// One condition (`WriteCondition.Clause`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct Clause {
    #[prost(enumeration = "ClauseKind", tag = "1")]
    pub kind: i32,
    #[prost(string, repeated, tag = "2")]
    pub etags: Vec<String>,
    #[prost(int64, tag = "3")]
    pub unix_time: i64,
    #[prost(bool, tag = "4")]
    pub allow_weak: bool,
    #[prost(string, tag = "5")]
    pub ext_key: String,
    #[prost(string, tag = "6")]
    pub ext_value: String,
    #[prost(string, tag = "7")]
    pub gate_key: String,
    #[prost(string, tag = "8")]
    pub gate_value: String,
}

/// What a clause tests (`WriteCondition.Kind`). The server refuses kinds that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum ClauseKind {
    None = 0,
    IfNotExists = 1,
    IfExists = 2,
    IfEtagMatch = 3,
    IfEtagNotMatch = 4,
    IfUnmodifiedSince = 5,
    IfModifiedSince = 6,
    IfExtendedNotEqual = 7,
    IfExtendedTimeElapsed = 8,
}

/// One step of a transaction.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ObjectMutation {
    #[prost(enumeration = "MutationType", tag = "1")]
    pub r#type: i32,
    #[prost(string, tag = "2")]
    pub directory: String,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(message, optional, boxed, tag = "4")]
    pub entry: Option<Box<Entry>>,
    #[prost(btree_map = "string, bytes", tag = "5")]
    pub set_extended: BTreeMap<String, Vec<u8>>,
    #[prost(string, repeated, tag = "6")]
    pub delete_extended: Vec<String>,
    #[prost(bool, tag = "7")]
    pub is_delete_data: bool,
    #[prost(bool, tag = "8")]
    pub is_recursive: bool,
    #[prost(message, optional, boxed, tag = "9")]
    pub recompute: Option<Box<Recompute>>,
    #[prost(bool, tag = "10")]
    pub set_content: bool,
    #[prost(bytes = "vec", tag = "11")]
    pub content: Vec<u8>,
    #[prost(bool, tag = "12")]
    pub touch_mtime: bool,
}

/// What a step does (`ObjectMutation.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum MutationType {
    Put = 0,
    Delete = 1,
    PatchExtended = 2,
    RecomputeLatest = 3,
}

/// What `RECOMPUTE_LATEST` notes on an entry about a child of a directory.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Recompute {
    #[prost(string, tag = "1")]
    pub scan_dir: String,
    #[prost(bool, tag = "2")]
    pub descending: bool,
    #[prost(message, repeated, tag = "3")]
    pub copy_extended: Vec<Pair>,
    #[prost(string, tag = "4")]
    pub name_to_key: String,
    #[prost(string, tag = "5")]
    pub size_to_key: String,
    #[prost(string, tag = "6")]
    pub mtime_to_key: String,
    #[prost(string, tag = "7")]
    pub demote_key: String,
    #[prost(bytes = "vec", tag = "8")]
    pub demote_value: Vec<u8>,
    #[prost(string, tag = "9")]
    pub exclude_name: String,
}

/// Steps under the lock of one path.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ObjectTransactionRequest {
    #[prost(string, tag = "1")]
    pub lock_key: String,
    #[prost(message, optional, tag = "2")]
    pub condition: Option<WriteCondition>,
    #[prost(message, repeated, tag = "3")]
    pub mutations: Vec<ObjectMutation>,
    #[prost(string, tag = "6")]
    pub condition_key: String,
    #[prost(string, tag = "7")]
    pub route_key: String,
    #[prost(bool, tag = "8")]
    pub is_moved: bool,
}

/// The outcome. The gRPC status is OK even if the transaction failed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ObjectTransactionResponse {
    #[prost(string, tag = "1")]
    pub error: String,
    #[prost(enumeration = "ErrorCode", tag = "2")]
    pub error_code: i32,
}

/// `filer_pb.FilerError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum ErrorCode {
    Ok = 0,
    EntryNameTooLong = 1,
    ParentIsFile = 2,
    ExistingIsDirectory = 3,
    ExistingIsFile = 4,
    EntryAlreadyExists = 5,
    PreconditionFailed = 6,
}

/// Asks for places for chunks.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AssignVolumeRequest {
    #[prost(int32, tag = "1")]
    pub count: i32,
    #[prost(string, tag = "2")]
    pub collection: String,
    #[prost(string, tag = "3")]
    pub replication: String,
    #[prost(int32, tag = "4")]
    pub ttl_sec: i32,
    #[prost(string, tag = "5")]
    pub data_center: String,
    #[prost(string, tag = "6")]
    pub path: String,
    #[prost(string, tag = "8")]
    pub disk_type: String,
    #[prost(uint64, tag = "10")]
    pub expected_data_size: u64,
}

/// The first of `count` consecutive places, all on one volume.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AssignVolumeResponse {
    #[prost(string, tag = "1")]
    pub file_id: String,
    #[prost(int32, tag = "4")]
    pub count: i32,
    #[prost(string, tag = "5")]
    pub auth: String,
    #[prost(string, tag = "6")]
    pub collection: String,
    #[prost(string, tag = "7")]
    pub replication: String,
    #[prost(string, tag = "8")]
    pub error: String,
    #[prost(message, optional, tag = "9")]
    pub location: Option<Location>,
    #[prost(message, repeated, tag = "10")]
    pub replicas: Vec<Location>,
}

/// A volume server.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Location {
    #[prost(string, tag = "1")]
    pub url: String,
    #[prost(string, tag = "2")]
    pub public_url: String,
    #[prost(uint32, tag = "3")]
    pub grpc_port: u32,
    #[prost(string, tag = "4")]
    pub data_center: String,
}

/// Asks where volumes are. Ids are decimal text.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LookupVolumeRequest {
    #[prost(string, repeated, tag = "1")]
    pub volume_ids: Vec<String>,
}

/// Where the volumes are.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LookupVolumeResponse {
    #[prost(map = "string, message", tag = "1")]
    pub locations_map: HashMap<String, Locations>,
}

/// The servers that hold one volume.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Locations {
    #[prost(message, repeated, tag = "1")]
    pub locations: Vec<Location>,
}

/// Drops a collection.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DeleteCollectionRequest {
    #[prost(string, tag = "1")]
    pub collection: String,
}

/// The collection is dropped.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct DeleteCollectionResponse {}

/// Asks the filer for its configuration.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct GetFilerConfigurationRequest {}

/// What the filer says about itself.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetFilerConfigurationResponse {
    #[prost(string, repeated, tag = "1")]
    pub masters: Vec<String>,
    #[prost(uint32, tag = "4")]
    pub max_mb: u32,
    #[prost(string, tag = "5")]
    pub dir_buckets: String,
    #[prost(bool, tag = "7")]
    pub cipher: bool,
    #[prost(int32, tag = "8")]
    pub signature: i32,
    #[prost(string, tag = "11")]
    pub version: String,
    #[prost(string, tag = "13")]
    pub filer_group: String,
    #[prost(int32, tag = "14")]
    pub major_version: i32,
    #[prost(int32, tag = "15")]
    pub minor_version: i32,
}

/// Asks for the change feed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubscribeMetadataRequest {
    #[prost(string, tag = "1")]
    pub client_name: String,
    #[prost(string, tag = "2")]
    pub path_prefix: String,
    #[prost(int64, tag = "3")]
    pub since_ns: i64,
    #[prost(int32, tag = "4")]
    pub signature: i32,
    #[prost(string, repeated, tag = "6")]
    pub path_prefixes: Vec<String>,
    #[prost(int32, tag = "7")]
    pub client_id: i32,
    #[prost(int32, tag = "9")]
    pub client_epoch: i32,
    #[prost(string, repeated, tag = "10")]
    pub directories: Vec<String>,
    #[prost(bool, tag = "11")]
    pub client_supports_batching: bool,
    #[prost(bool, tag = "13")]
    pub client_supports_idle_heartbeat: bool,
}

/// A change, several changes, or a sign of life.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubscribeMetadataResponse {
    #[prost(string, tag = "1")]
    pub directory: String,
    #[prost(message, optional, boxed, tag = "2")]
    pub event_notification: Option<Box<EventNotification>>,
    #[prost(int64, tag = "3")]
    pub ts_ns: i64,
    #[prost(message, repeated, tag = "4")]
    pub events: Vec<SubscribeMetadataResponse>,
    #[prost(int64, tag = "6")]
    pub flushed_ts_ns: i64,
}

/// The entry before and after.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventNotification {
    #[prost(message, optional, boxed, tag = "1")]
    pub old_entry: Option<Box<Entry>>,
    #[prost(message, optional, boxed, tag = "2")]
    pub new_entry: Option<Box<Entry>>,
    #[prost(bool, tag = "3")]
    pub delete_chunks: bool,
    #[prost(string, tag = "4")]
    pub new_parent_path: String,
}
