use std::collections::BTreeMap;

use futures_util::stream;
use tonic::client::Grpc;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

const SOURCES: [&str; 2] = [include_str!("../../src/seaweedfs/wire.rs"), include_str!("../../src/entry.rs")];

#[derive(Clone, PartialEq, prost::Message)]
struct ReflectionRequest {
    #[prost(string, tag = "4")]
    file_containing_symbol: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ReflectionResponse {
    #[prost(message, optional, tag = "4")]
    files: Option<Files>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FileDescriptor {
    #[prost(message, repeated, tag = "4")]
    messages: Vec<MessageDescriptor>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MessageDescriptor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<FieldDescriptor>,
    #[prost(message, repeated, tag = "3")]
    nested: Vec<MessageDescriptor>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FieldDescriptor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "3")]
    number: i32,
    #[prost(int32, tag = "4")]
    label: i32,
    #[prost(int32, tag = "5")]
    kind: i32,
}

/// Message name without case and underscores -> field number -> (field name, type, repeated).
type Fields = BTreeMap<i32, (String, i32, bool)>;

pub async fn matches_the_live_server(filer: &str) {
    let (host, port) = filer.rsplit_once(':').unwrap();
    let address = format!("http://{host}:{}", port.parse::<u16>().unwrap() + 10_000);
    let server = reflected(&address).await;
    let mut compared = 0;
    for (name, fields) in declared() {
        let known = server.get(&name).unwrap_or_else(|| panic!("the server has no message {name}"));
        for (number, (field, kind, repeated)) in &fields {
            let (known_field, known_kind, known_repeated) =
                known.get(number).unwrap_or_else(|| panic!("{name} has no field {number} ({field})"));
            // An enumeration may be declared as int32, its type on the wire.
            let kinds = (*kind, *known_kind);
            assert!(kinds.0 == kinds.1 || kinds == (5, 14), "{name}.{field}: type {kinds:?}");
            assert_eq!((field, repeated), (known_field, known_repeated), "{name}.{number}");
            compared += 1;
        }
        // What is read and written back must be declared in full.
        let whole = ["Entry", "FuseAttributes", "FileChunk", "FileId", "FileChunkManifest", "RemoteEntry"];
        if whole.contains(&name.as_str()) {
            assert_eq!(
                fields.keys().collect::<Vec<_>>(),
                known.keys().collect::<Vec<_>>(),
                "{name} is declared in full"
            );
        }
    }
    assert!(compared > 130, "only {compared} fields were found in the sources");
}

/// Reads `#[prost(..)]` declarations.
fn declared() -> BTreeMap<String, Fields> {
    let mut messages = BTreeMap::new();
    for line in SOURCES.iter().flat_map(|source| source.lines()).scan((String::new(), String::new()), |state, line| {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("pub struct ") {
            state.0 = rest.split([' ', '{']).next().unwrap_or_default().to_owned();
            Some((state.0.clone(), String::new(), String::new()))
        } else if line.starts_with("#[prost(") {
            state.1 = line.to_owned();
            Some(Default::default())
        } else if let Some(rest) = line.strip_prefix("pub ").filter(|_| !state.1.is_empty()) {
            let field = rest.split(':').next().unwrap_or_default().trim_start_matches("r#").to_owned();
            Some((state.0.clone(), field, std::mem::take(&mut state.1)))
        } else {
            Some(Default::default())
        }
    }) {
        let (message, field, attribute) = line;
        let message = match message.as_str() {
            "" => continue,
            "Attributes" => "FuseAttributes".to_owned(),
            _ => message,
        };
        let fields: &mut Fields = messages.entry(message).or_default();
        if !field.is_empty() {
            let number = attribute.split("tag = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            let inner = attribute.trim_start_matches("#[prost(");
            let word = inner.split([',', ' ', '=']).next().unwrap();
            let map = word.ends_with("map");
            let kind = match word {
                "int64" => 3,
                "uint64" => 4,
                "int32" => 5,
                "fixed32" => 7,
                "bool" => 8,
                "string" => 9,
                "message" | "map" | "btree_map" => 11,
                "bytes" => 12,
                "uint32" => 13,
                "enumeration" => 14,
                other => panic!("unknown declaration {other} in {attribute}"),
            };
            let repeated = map || inner.contains(", repeated,");
            fields.insert(number.parse().unwrap(), (plain(&field), kind, repeated));
        }
    }
    messages
}

fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

async fn reflected(address: &str) -> BTreeMap<String, Fields> {
    let channel = Endpoint::from_shared(address.to_owned()).unwrap().connect().await.unwrap();
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let request = ReflectionRequest { file_containing_symbol: "filer_pb.SeaweedFiler".to_owned() };
    let path = http::uri::PathAndQuery::from_static("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    let codec = ProstCodec::<ReflectionRequest, ReflectionResponse>::default();
    let request = tonic::Request::new(stream::iter([request]));
    let mut answers = client.streaming(request, path, codec).await.unwrap().into_inner();
    let files = answers.message().await.unwrap().unwrap().files.unwrap().file;
    let mut messages = BTreeMap::new();
    for file in files {
        let file = <FileDescriptor as prost::Message>::decode(file.as_slice()).unwrap();
        for message in file.messages {
            for nested in message.nested.iter().chain([&message]) {
                let fields = nested
                    .fields
                    .iter()
                    .map(|field| (field.number, (plain(&field.name), field.kind, field.label == 3)));
                messages.insert(nested.name.clone(), fields.collect::<Fields>());
            }
        }
    }
    messages
}
