/// How the caller proved its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are clear")]
pub enum AuthenticationType {
    Anonymous,
    HeaderV4,
    PresignedV4,
    PostV4,
    HeaderV2,
    PresignedV2,
    PostV2,
    Bearer,
}
