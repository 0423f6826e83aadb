//! `prefix`: N statements, each allowing GetObject and PutObject below its own prefix. The request is about the last prefix.
//! `cond`: the same, each statement with three conditions that hold.

/// What the request says about itself, as strings; `cond` tests three of them.
pub const CONTEXT: [(&str, &str); 12] = [
    ("aws:SourceIp", "10.1.2.3"),
    ("aws:SecureTransport", "true"),
    ("aws:CurrentTime", "2026-11-21T10:00:00Z"),
    ("aws:EpochTime", "1795255200"),
    ("aws:UserAgent", "aws-cli/2.1"),
    ("aws:PrincipalArn", PRINCIPAL),
    ("aws:PrincipalAccount", "111122223333"),
    ("aws:username", "alice"),
    ("aws:userid", "AIDAALICE"),
    ("s3:authType", "REST-HEADER"),
    ("s3:signatureversion", "AWS4-HMAC-SHA256"),
    ("s3:TlsVersion", "1.3"),
];

pub const PRINCIPAL: &str = "arn:aws:iam::111122223333:user/alice";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    Prefix,
    Cond,
}

impl Workload {
    pub const ALL: [(&str, Self); 2] = [("prefix", Self::Prefix), ("cond", Self::Cond)];

    /// An IAM policy of this many statements.
    pub fn iam(self, statements: usize) -> String {
        let condition = match self {
            Self::Prefix => "",
            Self::Cond => {
                r#","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:username":"alice"}}"#
            }
        };
        let one = |i| {
            format!(
                r#"{{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::bucket/team-{i}/*"{condition}}}"#
            )
        };
        document((0..statements).map(one))
    }

    /// The same as Cedar policies. Cedar has no ARNs: an object has its path as an attribute, which `like` matches.
    pub fn cedar(self, statements: usize) -> String {
        let condition = match self {
            Self::Prefix => "",
            Self::Cond => {
                r#" && context.sourceIp.isInRange(ip("10.0.0.0/8")) && context.secureTransport && context.username == "alice""#
            }
        };
        let one = |i| {
            format!(
                r#"permit(principal, action in [Action::"GetObject", Action::"PutObject"], resource) when {{ resource.path like "bucket/team-{i}/*"{condition} }};"#
            )
        };
        (0..statements).map(one).collect()
    }

    /// The path of the object that the last statement is about.
    pub fn object(statements: usize) -> String {
        format!("bucket/team-{}/a/key.txt", statements.saturating_sub(1))
    }
}

/// An IAM policy with one statement for each of these resources.
pub fn about(resources: impl Iterator<Item = String>) -> String {
    document(
        resources
            .map(|resource| format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::{resource}"}}"#)),
    )
}

fn document(statements: impl Iterator<Item = String>) -> String {
    let statements: Vec<String> = statements.collect();
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}
