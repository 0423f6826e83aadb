//! A record as an event of AWS CloudTrail, which tools for security logs read. What CloudTrail has no place for is in
//! `additionalEventData.kelpgate`: the decisions, each with its policy and statement, and the revision of the IAM state.
//!
//! Source: CloudTrail User Guide, "CloudTrail record contents", version 1.11.
//!
//! Every request pays for this. So the event is written field by field into the buffer that goes to the file, and nothing is built for it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use access::{AUDIT_VERSION, AuditRecord, AuditedCaller, AuditedDecision, AuditedObject, AuditedSession};
use ids::AccountId;
use jiff::Timestamp;

use crate::line::Json;

/// One of the events of a record.
struct Event<'a> {
    record: &'a AuditRecord<'a>,
    /// The digits of the caller's account; `None` for anonymous callers.
    account: Option<&'a str>,
    region: &'a str,
    /// The key of DeleteObjects that it is about; `None` for the request as a whole.
    object: Option<&'a AuditedObject>,
    number: u64,
}

/// Appends the events of a record, one line each: that of the request, and one for each key of DeleteObjects. Returns their number.
pub fn encode(record: &AuditRecord, region: &str, out: &mut Vec<u8>) -> usize {
    let account = record.caller.account.as_ref().map(AccountId::as_str);
    let whole = Event { record, account, region, object: None, number: 0 };
    if record.objects.is_empty() {
        whole.write(record.decisions.iter(), out);
        return 1;
    }
    let mut by_resource: HashMap<&str, Vec<&AuditedDecision>> = HashMap::new();
    for decided in &record.decisions {
        by_resource.entry(&decided.resource).or_default().push(decided);
    }
    let bucket = record.target.bucket.as_deref().unwrap_or_default();
    let objects = record.objects.iter().map(|object| {
        let decisions = by_resource.remove(format!("arn:aws:s3:::{bucket}/{}", object.key).as_str());
        (object, decisions.unwrap_or_default())
    });
    let objects: Vec<_> = objects.collect();
    // What is left is about the request as a whole.
    whole.write(record.decisions.iter().filter(|decided| by_resource.contains_key(&*decided.resource)), out);
    let numbered = (1..).zip(objects);
    for (number, (object, decisions)) in numbered {
        Event { object: Some(object), number, ..whole }.write(decisions, out);
    }
    1 + record.objects.len()
}

impl<'a> Event<'a> {
    fn write(&self, decisions: impl IntoIterator<Item = &'a AuditedDecision>, out: &mut Vec<u8>) {
        let mut json = Json(out);
        let Self { record, object, .. } = self;
        let (service, name) = record.operation.split_once(':').unwrap_or(("s3", record.operation));
        let name = if object.is_some() { "DeleteObject" } else { name };
        self.beginning(service, name, &mut json);
        self.request_parameters(&mut json);
        json.raw(r#","responseElements":null,"additionalEventData":{"#);
        self.signature_and_bytes(&mut json);
        self.kelpgate(decisions, &mut json);
        self.end(name, &mut json);
        json.raw("\n");
    }

    /// Who called what, when and from where, and which error was answered.
    fn beginning(&self, service: &str, name: &'static str, json: &mut Json<'_>) {
        let Self { record, region, object, .. } = self;
        json.raw(r#"{"eventVersion":"1.11","userIdentity":"#);
        user_identity(&record.caller, self.account, json);
        json.raw(r#","eventTime":""#);
        json.second(record.time);
        json.milliseconds(record.time);
        json.raw(match service {
            "iam" => r#"Z","eventSource":"iam.amazonaws.com""#,
            "sts" => r#"Z","eventSource":"sts.amazonaws.com""#,
            _ => r#"Z","eventSource":"s3.amazonaws.com""#,
        });
        json.word(r#","eventName":""#, name);
        json.text(r#","awsRegion":""#, region);
        address(r#","sourceIPAddress":""#, record.request.client, json);
        json.text(r#","userAgent":""#, &record.request.user_agent);
        let (code, message) = match (object, &record.error) {
            (Some(object), _) => (object.error.as_deref(), ""),
            (None, Some(error)) => (Some(error.code.as_str()), error.message.as_str()),
            (None, None) => (None, ""),
        };
        json.text_if(r#","errorCode":""#, code);
        json.text_if(r#","errorMessage":""#, filled(message));
    }

    /// What the request is about, then its parameters. A name of ours is never given twice.
    fn request_parameters(&self, json: &mut Json<'_>) {
        let AuditRecord { target, parameters, request, .. } = self.record;
        let (key, version) = match self.object {
            Some(object) => (Some(object.key.as_str()), object.version_id.as_deref()),
            None => (target.key.as_deref(), target.version_id.as_deref()),
        };
        // In the order of their names.
        let known = [
            ("Host", filled(&request.host)),
            ("bucketName", target.bucket.as_deref()),
            ("key", key),
            ("versionId", version),
            ("x-amz-copy-source", target.copy_source.as_deref()),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        json.raw(r#","requestParameters":"#);
        if self.object.is_some() || parameters.is_empty() {
            return json.object(known);
        }
        let mut all: BTreeMap<&str, &str> = BTreeMap::new();
        all.extend(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        all.extend(known);
        json.object(all.into_iter());
    }

    fn signature_and_bytes(&self, json: &mut Json<'_>) {
        let Self { record, object, .. } = self;
        if let Some(signature) = record.request.signature {
            if !signature.version.is_empty() {
                json.word(r#""SignatureVersion":""#, signature.version);
                json.raw(",");
            }
            json.word(r#""AuthenticationMethod":""#, signature.place);
            json.raw(",");
        }
        let bytes = [
            (r#""bytesTransferredIn":"#, record.request.bytes_received),
            (r#""bytesTransferredOut":"#, record.bytes_sent),
        ];
        for (before, number) in bytes {
            if let Some(number) = number.filter(|_| object.is_none()) {
                json.number(before, number);
                json.raw(",");
            }
        }
    }

    fn kelpgate(&self, decisions: impl IntoIterator<Item = &'a AuditedDecision>, json: &mut Json<'_>) {
        let Self { record, object, .. } = self;
        let request = &record.request;
        json.number(r#""kelpgate":{"version":"#, AUDIT_VERSION.into());
        json.raw(r#","decisions":["#);
        for (at, decided) in decisions.into_iter().enumerate() {
            json.raw(if at > 0 { "," } else { "" });
            decision(decided, json);
        }
        json.number(r#"],"revision":"#, record.revision);
        match request.method {
            Cow::Borrowed(known) => json.word(r#","method":""#, known),
            Cow::Owned(ref invented) => json.text(r#","method":""#, invented),
        }
        json.text(r#","path":""#, &request.path);
        json.word(r#","protocol":""#, request.protocol);
        json.number(r#","status":"#, record.status.into());
        json.number(r#","tookMicros":"#, u64::try_from(record.took.as_micros()).unwrap_or(u64::MAX));
        // The nearest proxy, if it is not the client.
        if request.peer != request.client {
            address(r#","proxy":""#, request.peer, json);
        }
        json.text_if(r#","referer":""#, filled(&request.referer));
        json.text_if(r#","sessionId":""#, record.caller.session.as_ref().map(|session| &*session.id));
        json.text_if(r#","claimedAccessKeyId":""#, record.caller.claimed_key.as_deref().and_then(filled));
        // Of DeleteObjects: how many keys it names. Each has an event of its own.
        let objects = Some(record.objects.len() as u64).filter(|number| *number > 0 && object.is_none());
        json.number_if(r#","objects":"#, objects);
    }

    /// The ids of the event, what it is about, and of which kind it is.
    fn end(&self, name: &str, json: &mut Json<'_>) {
        let Self { record, object, .. } = self;
        json.text(r#"}},"requestID":""#, &record.request_id);
        self.event_id(json);
        json.raw(if is_read_only(name) { r#"","readOnly":true"# } else { r#"","readOnly":false"# });
        self.resources(json);
        let is_data = record.target.key.is_some() || object.is_some() || name == "DeleteObjects";
        json.raw(r#","eventType":"AwsApiCall","managementEvent":"#);
        json.raw(if is_data { "false" } else { "true" });
        json.text(r#","recipientAccountId":""#, self.account.unwrap_or_default());
        json.raw(if is_data { r#","eventCategory":"Data""# } else { r#","eventCategory":"Management""# });
        if let Some(version) = record.request.tls {
            json.raw(r#","tlsDetails":{"tlsVersion":"TLSv"#);
            json.characters(version);
            json.text(r#"","clientProvidedHostHeader":""#, &record.request.host);
            json.raw("}");
        }
        json.raw("}");
    }

    /// Made of the request's id and its time, so that the same record always has the same.
    fn event_id(&self, json: &mut Json<'_>) {
        let (words, _) = self.record.request_id.as_bytes().as_chunks::<4>();
        let word = |at: usize| words.get(at).unwrap_or(b"0000");
        json.raw(r#","eventID":""#);
        json.lower_case(word(0));
        json.lower_case(word(1));
        json.raw("-");
        json.lower_case(word(2));
        json.raw("-");
        json.lower_case(word(3));
        json.raw("-");
        json.hex::<4>(self.number);
        json.raw("-");
        json.hex::<12>(self.record.time.as_microsecond().cast_unsigned());
    }

    fn resources(&self, json: &mut Json<'_>) {
        let AuditRecord { target, decisions, .. } = self.record;
        let Some(bucket) = &target.bucket else {
            // An IAM or STS call is about what its first permission is for.
            if let Some(named) = decisions.first().filter(|decided| decided.resource.starts_with("arn:")) {
                let is_role = named.resource.contains(":role/");
                let kind = if is_role { "AWS::IAM::Role" } else { "AWS::IAM::Resource" };
                json.text(r#","resources":[{"type":""#, kind);
                json.text(r#","ARN":""#, &named.resource);
                json.raw("}]");
            }
            return;
        };
        json.raw(r#","resources":[{"type":"AWS::S3::"#);
        if let Some(key) = self.object.map(|object| &object.key).or(target.key.as_ref()) {
            json.raw(r#"Object","ARN":"arn:aws:s3:::"#);
            json.characters(bucket);
            json.raw("/");
            json.characters(key);
            json.raw(r#""},{"type":"AWS::S3::"#);
        }
        json.raw(r#"Bucket","ARN":"arn:aws:s3:::"#);
        json.characters(bucket);
        json.raw(r#""}]"#);
    }
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// An address as a string, whose first quote stands in `before`.
fn address(before: &str, address: IpAddr, json: &mut Json<'_>) {
    json.raw(before);
    match address {
        IpAddr::V4(address) => {
            let [first, second, third, fourth] = address.octets();
            json.octet("", first);
            json.octet(".", second);
            json.octet(".", third);
            json.octet(".", fourth);
        }
        IpAddr::V6(address) => json.raw(&address.to_string()),
    }
    json.raw("\"");
}

fn decision(decided: &AuditedDecision, json: &mut Json<'_>) {
    json.word(r#"{"action":""#, decided.action);
    json.text(r#","resource":""#, &decided.resource);
    json.word(r#","decision":""#, decided.outcome());
    json.word(r#","policyType":""#, decided.policy_type());
    json.text_if(r#","policy":""#, decided.policy.as_deref());
    json.number_if(r#","statement":"#, decided.statement().map(u64::from));
    json.text_if(r#","sid":""#, decided.sid.as_deref());
    json.raw("}");
}

fn user_identity(caller: &AuditedCaller, account: Option<&str>, json: &mut Json<'_>) {
    if caller.claimed_key.is_some() && account.is_none() {
        return json.raw(r#"{"type":"Unknown","principalId":"","accountId":""}"#);
    }
    let Some(account) = account else {
        let Some(sign_in) = &caller.sign_in else {
            return json.raw(r#"{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"}"#);
        };
        // CloudTrail's form for AssumeRoleWithWebIdentity. Without a name, nobody has vouched for one.
        json.raw(r#"{"type":"WebIdentityUser","principalId":"","accountId":"""#);
        json.text_if(r#","userName":""#, sign_in.subject.as_deref().and_then(filled));
        json.text_if(r#","identityProvider":""#, filled(&sign_in.provider_arn));
        return json.raw("}");
    };
    let is_of_role = caller.session.as_ref().is_some_and(|session| !session.role_arn.is_empty());
    let is_federated = caller.session.as_ref().is_some_and(|session| session.maker.is_some());
    json.raw(match () {
        () if caller.is_root => r#"{"type":"Root""#,
        () if is_of_role => r#"{"type":"AssumedRole""#,
        () if is_federated => r#"{"type":"FederatedUser""#,
        () => r#"{"type":"IAMUser""#,
    });
    json.text(r#","principalId":""#, &caller.user_id);
    json.text_if(r#","arn":""#, filled(&caller.arn));
    json.text(r#","accountId":""#, account);
    json.text_if(r#","accessKeyId":""#, caller.access_key_id.as_ref().map(|key| key.as_str()));
    json.text_if(r#","userName":""#, filled(&caller.name).filter(|_| !is_of_role && !is_federated));
    if let Some(session) = &caller.session {
        session_context(caller, session, account, json);
    }
    json.raw("}");
}

fn session_context(caller: &AuditedCaller, session: &AuditedSession, account: &str, json: &mut Json<'_>) {
    let id = caller.user_id.split(':').next().unwrap_or_default();
    let (kind, id, arn, name) = match (&*session.role_arn, &session.maker) {
        ("", Some(maker)) => (kind_of_user(maker.arn.ends_with(":root")), &*maker.user_id, &*maker.arn, &*maker.name),
        ("", None) => (kind_of_user(caller.is_root), id, &*caller.arn, &*caller.name),
        (role, _) => ("Role", id, role, role.rsplit('/').next().unwrap_or_default()),
    };
    json.text(r#","sessionContext":{"sessionIssuer":{"type":""#, kind);
    json.text(r#","principalId":""#, id);
    json.text(r#","arn":""#, arn);
    json.text(r#","accountId":""#, account);
    json.text(r#","userName":""#, name);
    json.raw(r#"},"attributes":{"creationDate":""#);
    json.second(Timestamp::from_second(session.issued_s).unwrap_or_default());
    json.raw(r#"Z","mfaAuthenticated":"#);
    json.raw(if session.has_mfa { r#""true"}"# } else { r#""false"}"# });
    if let Some(federation) = &session.federation {
        json.text(r#","webIdFederationData":{"federatedProvider":""#, &federation.provider_arn);
        json.text(r#","attributes":{"issuer":""#, &federation.issuer);
        json.text(r#","sub":""#, &federation.subject);
        json.raw("}}");
    }
    json.text_if(r#","sourceIdentity":""#, session.source_identity.as_deref());
    json.raw("}");
}

fn kind_of_user(is_root: bool) -> &'static str {
    if is_root { "Root" } else { "IAMUser" }
}

fn is_read_only(name: &str) -> bool {
    ["Get", "Head", "List", "Select", "Simulate", "Generate", "Cors", "Status"]
        .iter()
        .any(|word| name.starts_with(word))
}
