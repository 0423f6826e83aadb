//! A record as an event of AWS CloudTrail, which tools for security logs read. What CloudTrail has no place for is in
//! `additionalEventData.kelpgate`: the decisions, each with its policy and statement, and the revision of the IAM state.
//!
//! Source: CloudTrail User Guide, "CloudTrail record contents", version 1.11.

use std::collections::{BTreeMap, HashMap};

use access::{AUDIT_VERSION, AuditRecord, AuditedDecision, AuditedObject};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::line;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    event_version: &'static str,
    user_identity: UserIdentity<'a>,
    event_time: String,
    event_source: &'static str,
    event_name: &'a str,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: String,
    user_agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    error_message: &'a str,
    request_parameters: RequestParameters<'a>,
    response_elements: Option<()>,
    additional_event_data: AdditionalEventData<'a>,
    #[serde(rename = "requestID")]
    request_id: &'a str,
    #[serde(rename = "eventID")]
    event_id: String,
    read_only: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Resource<'a>>,
    event_type: &'static str,
    management_event: bool,
    recipient_account_id: &'a str,
    event_category: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_details: Option<TlsDetails<'a>>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct UserIdentity<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    principal_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    arn: &'a str,
    account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    identity_provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_context: Option<SessionContext<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext<'a> {
    session_issuer: SessionIssuer<'a>,
    attributes: SessionAttributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_id_federation_data: Option<WebIdFederationData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionIssuer<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    principal_id: &'a str,
    arn: &'a str,
    account_id: &'a str,
    user_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionAttributes {
    creation_date: String,
    mfa_authenticated: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebIdFederationData<'a> {
    federated_provider: &'a str,
    attributes: BTreeMap<&'static str, &'a str>,
}

struct RequestParameters<'a> {
    record: &'a AuditRecord,
    object: Option<&'a AuditedObject>,
}

impl Serialize for RequestParameters<'_> {
    /// What the request is about, then its parameters. A name of ours is never given twice.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let AuditRecord { target, parameters, request, .. } = self.record;
        let (key, version) = match self.object {
            Some(object) => (Some(&object.key), object.version_id.as_ref()),
            None => (target.key.as_ref(), target.version_id.as_ref()),
        };
        let known = [
            ("bucketName", target.bucket.as_ref()),
            ("key", key),
            ("versionId", version),
            ("x-amz-copy-source", target.copy_source.as_ref()),
            ("Host", Some(&request.host).filter(|host| !host.is_empty())),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name, value?.as_str())));
        let mut all: BTreeMap<&str, &str> = BTreeMap::new();
        if self.object.is_none() {
            all.extend(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
        all.extend(known);
        serializer.collect_map(all)
    }
}

#[derive(Serialize)]
struct AdditionalEventData<'a> {
    #[serde(rename = "SignatureVersion", skip_serializing_if = "Option::is_none")]
    signature_version: Option<&'static str>,
    #[serde(rename = "AuthenticationMethod", skip_serializing_if = "Option::is_none")]
    authentication_method: Option<&'static str>,
    #[serde(rename = "bytesTransferredIn", skip_serializing_if = "Option::is_none")]
    bytes_in: Option<u64>,
    #[serde(rename = "bytesTransferredOut", skip_serializing_if = "Option::is_none")]
    bytes_out: Option<u64>,
    kelpgate: Kelpgate<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kelpgate<'a> {
    version: u32,
    decisions: Vec<Decided<'a>>,
    revision: u64,
    method: &'a str,
    path: &'a str,
    protocol: &'a str,
    status: u16,
    took_micros: u64,
    /// The nearest proxy, if it is not the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    referer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_access_key_id: Option<&'a str>,
    /// Of DeleteObjects: how many keys it names. Each has an event of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Decided<'a> {
    action: &'a str,
    resource: &'a str,
    decision: &'a str,
    policy_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "accountId", skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "ARN")]
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TlsDetails<'a> {
    tls_version: String,
    client_provided_host_header: &'a str,
}

/// Appends the events of a record, one line each: that of the request, and one for each key of DeleteObjects. Returns their number.
pub fn encode(record: &AuditRecord, region: &str, out: &mut Vec<u8>) -> usize {
    let mut by_resource: HashMap<&str, Vec<&AuditedDecision>> = HashMap::new();
    for decided in record.decisions.iter().filter(|_| !record.objects.is_empty()) {
        by_resource.entry(&decided.resource).or_default().push(decided);
    }
    let bucket = record.target.bucket.as_deref().unwrap_or_default();
    let objects = record.objects.iter().map(|object| {
        let decisions = by_resource.remove(format!("arn:aws:s3:::{bucket}/{}", object.key).as_str());
        (Some(object), decisions.unwrap_or_default())
    });
    let objects: Vec<_> = objects.collect();
    // What is left is about the request as a whole.
    let own: Vec<&AuditedDecision> = match record.objects.is_empty() {
        true => record.decisions.iter().collect(),
        false => by_resource.into_values().flatten().collect(),
    };
    let mut number = 0;
    for (object, decisions) in std::iter::once((None, own)).chain(objects) {
        let event = event(record, region, object, decisions, number);
        // It has no map whose keys are not text, and nothing that fails.
        line::append(&serde_json::to_string(&event).unwrap_or_default(), out);
        number += 1;
    }
    number
}

fn event<'a>(
    record: &'a AuditRecord,
    region: &'a str,
    object: Option<&'a AuditedObject>,
    decisions: Vec<&'a AuditedDecision>,
    number: usize,
) -> Event<'a> {
    let (service, name) = record.operation.split_once(':').unwrap_or(("s3", record.operation));
    let name = if object.is_some() { "DeleteObject" } else { name };
    let is_data = record.target.key.is_some() || object.is_some() || name == "DeleteObjects";
    let (code, message) = match (object, &record.error) {
        (Some(object), _) => (object.error.as_deref(), ""),
        (None, Some(error)) => (Some(error.code.as_str()), error.message.as_str()),
        (None, None) => (None, ""),
    };
    let signature = record.request.signature;
    Event {
        event_version: "1.11",
        user_identity: user_identity(record),
        event_time: record.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        event_source: match service {
            "iam" => "iam.amazonaws.com",
            "sts" => "sts.amazonaws.com",
            _ => "s3.amazonaws.com",
        },
        event_name: name,
        aws_region: region,
        source_ip_address: record.request.client.to_string(),
        user_agent: &record.request.user_agent,
        error_code: code,
        error_message: message,
        request_parameters: RequestParameters { record, object },
        response_elements: None,
        additional_event_data: AdditionalEventData {
            signature_version: signature.map(|signature| signature.version).filter(|version| !version.is_empty()),
            authentication_method: signature.map(|signature| signature.place),
            bytes_in: record.request.bytes_received.filter(|_| object.is_none()),
            bytes_out: record.bytes_sent.filter(|_| object.is_none()),
            kelpgate: kelpgate(record, object, decisions),
        },
        request_id: &record.request_id,
        event_id: event_id(record, number),
        read_only: is_read_only(name),
        resources: resources(record, object),
        event_type: "AwsApiCall",
        management_event: !is_data,
        recipient_account_id: record.caller.account.as_ref().map_or("", |account| account.as_str()),
        event_category: if is_data { "Data" } else { "Management" },
        tls_details: record.request.tls.map(|version| TlsDetails {
            tls_version: format!("TLSv{version}"),
            client_provided_host_header: &record.request.host,
        }),
    }
}

fn user_identity(record: &AuditRecord) -> UserIdentity<'_> {
    let caller = &record.caller;
    if caller.claimed_key.is_some() {
        return UserIdentity { kind: "Unknown", ..UserIdentity::default() };
    }
    if let (None, Some(sign_in)) = (&caller.account, &caller.sign_in) {
        // CloudTrail's form for AssumeRoleWithWebIdentity. Without a name, nobody has vouched for one.
        return UserIdentity {
            kind: "WebIdentityUser",
            user_name: sign_in.subject.as_deref().unwrap_or_default(),
            identity_provider: &sign_in.provider_arn,
            ..UserIdentity::default()
        };
    }
    let Some(account) = &caller.account else {
        return UserIdentity { kind: "AWSAccount", account_id: "ANONYMOUS_PRINCIPAL", ..UserIdentity::default() };
    };
    let is_of_role = caller.session.as_ref().is_some_and(|session| !session.role_arn.is_empty());
    UserIdentity {
        kind: match (caller.is_root, is_of_role) {
            (true, _) => "Root",
            (false, true) => "AssumedRole",
            (false, false) => "IAMUser",
        },
        principal_id: &caller.user_id,
        arn: &caller.arn,
        account_id: account.as_str(),
        access_key_id: caller.access_key_id.as_ref().map(|key| key.as_str()),
        user_name: if is_of_role { "" } else { &caller.name },
        identity_provider: "",
        session_context: session_context(record, account.as_str()),
    }
}

fn session_context<'a>(record: &'a AuditRecord, account: &'a str) -> Option<SessionContext<'a>> {
    let session = record.caller.session.as_ref()?;
    let created = Timestamp::from_second(session.issued_s).unwrap_or_default();
    let role = !session.role_arn.is_empty();
    Some(SessionContext {
        session_issuer: SessionIssuer {
            kind: if role { "Role" } else { "IAMUser" },
            principal_id: record.caller.user_id.split(':').next().unwrap_or_default(),
            arn: if role { &session.role_arn } else { &record.caller.arn },
            account_id: account,
            user_name: if role { session.role_arn.rsplit('/').next().unwrap_or_default() } else { &record.caller.name },
        },
        attributes: SessionAttributes {
            creation_date: created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            mfa_authenticated: if session.has_mfa { "true" } else { "false" },
        },
        web_id_federation_data: session.federation.as_ref().map(|federation| WebIdFederationData {
            federated_provider: &federation.provider_arn,
            attributes: [("issuer", federation.issuer.as_str()), ("sub", &*federation.subject)].into(),
        }),
        source_identity: session.source_identity.as_deref(),
    })
}

fn kelpgate<'a>(
    record: &'a AuditRecord,
    object: Option<&'a AuditedObject>,
    decisions: Vec<&'a AuditedDecision>,
) -> Kelpgate<'a> {
    let decided = |decided: &'a AuditedDecision| Decided {
        action: decided.action,
        resource: &decided.resource,
        decision: decided.outcome(),
        policy_type: decided.policy_type(),
        policy: decided.policy.as_deref(),
        statement: decided.statement(),
        sid: decided.sid.as_deref(),
    };
    let request = &record.request;
    Kelpgate {
        version: AUDIT_VERSION,
        decisions: decisions.into_iter().map(decided).collect(),
        revision: record.revision,
        method: &request.method,
        path: &request.path,
        protocol: request.protocol,
        status: record.status,
        took_micros: u64::try_from(record.took.as_micros()).unwrap_or(u64::MAX),
        proxy: Some(request.peer).filter(|peer| *peer != request.client).map(|peer| peer.to_string()),
        referer: &request.referer,
        session_id: record.caller.session.as_ref().map(|session| &*session.id),
        claimed_access_key_id: record.caller.claimed_key.as_deref().filter(|key| !key.is_empty()),
        objects: Some(record.objects.len()).filter(|number| *number > 0 && object.is_none()),
    }
}

fn resources<'a>(record: &'a AuditRecord, object: Option<&'a AuditedObject>) -> Vec<Resource<'a>> {
    let Some(bucket) = &record.target.bucket else {
        // An IAM or STS call is about what its first permission is for.
        let named = record.decisions.first().filter(|decided| decided.resource.starts_with("arn:"));
        let kind = |arn: &str| if arn.contains(":role/") { "AWS::IAM::Role" } else { "AWS::IAM::Resource" };
        return named
            .map(|decided| Resource { account_id: None, kind: kind(&decided.resource), arn: decided.resource.clone() })
            .into_iter()
            .collect();
    };
    let key = object.map(|object| &object.key).or(record.target.key.as_ref());
    let arn = |key: &String| format!("arn:aws:s3:::{bucket}/{key}");
    let object = key.map(|key| Resource { account_id: None, kind: "AWS::S3::Object", arn: arn(key) });
    let bucket = Resource { account_id: None, kind: "AWS::S3::Bucket", arn: format!("arn:aws:s3:::{bucket}") };
    object.into_iter().chain([bucket]).collect()
}

/// Made of the request's id and its time, so that the same record always has the same.
fn event_id(record: &AuditRecord, number: usize) -> String {
    let id = record.request_id.to_ascii_lowercase();
    let part = |range: std::ops::Range<usize>| id.get(range).unwrap_or("0").to_owned();
    let micros = record.time.as_microsecond() & 0xffff_ffff_ffff;
    format!("{}-{}-{}-{:04x}-{micros:012x}", part(0..8), part(8..12), part(12..16), number & 0xffff)
}

fn is_read_only(name: &str) -> bool {
    ["Get", "Head", "List", "Select", "Simulate", "Generate", "Cors", "Status"]
        .iter()
        .any(|word| name.starts_with(word))
}
