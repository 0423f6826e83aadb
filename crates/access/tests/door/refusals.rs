//! How refusals, and what a signature lacks, are said in S3's words.

use access::{Refusal, from_signature, outcome_label, policy_label};
use policy::{Decision, Origin, PolicyType};
use s3::S3ErrorCode;
use sigv4::SigError;
use sigv4::checksum::ChecksumAlgorithm;

use crate::world::now;

#[test]
fn each_error_of_a_signature() {
    use S3ErrorCode as Code;
    for (error, code, status) in [
        (SigError::HeaderMalformed("x".into()), Code::AuthorizationHeaderMalformed, 400),
        (SigError::QueryMalformed("x".into()), Code::AuthorizationQueryParametersError, 400),
        (SigError::SeveralMechanisms, Code::InvalidArgument, 400),
        (SigError::UnsupportedAuthorization, Code::InvalidArgument, 400),
        (SigError::V2Disabled("on"), Code::InvalidRequest, 400),
        (SigError::V2ForQuery, Code::InvalidRequest, 400),
        (SigError::Date("x"), Code::AccessDenied, 403),
        (SigError::TimeTooSkewed { request: now(), server: now() }, Code::RequestTimeTooSkewed, 403),
        (SigError::Expired(now()), Code::AccessDenied, 403),
        (SigError::NotYetValid(now()), Code::AccessDenied, 403),
        (SigError::HeadersNotSigned("x-amz-acl".to_owned()), Code::AccessDenied, 403),
        (SigError::SignatureDoesNotMatch, Code::SignatureDoesNotMatch, 403),
        (SigError::PayloadHash("x"), Code::InvalidArgument, 400),
        (SigError::PayloadMismatch, Code::XAmzContentSHA256Mismatch, 400),
        (SigError::DecodedLength, Code::MissingContentLength, 411),
        (SigError::IncompleteBody("x"), Code::IncompleteBody, 400),
        (SigError::MalformedTrailer("x"), Code::MalformedTrailerError, 400),
        (SigError::ChecksumInvalid("x".into()), Code::InvalidRequest, 400),
        (SigError::ChecksumMismatch(ChecksumAlgorithm::Crc32), Code::BadDigest, 400),
        (SigError::PolicyDocument("x".into()), Code::InvalidPolicyDocument, 400),
        (SigError::PolicyRefused("x".to_owned()), Code::AccessDenied, 403),
        (SigError::PostField("x".into()), Code::InvalidArgument, 400),
    ] {
        let said = from_signature(error.clone());
        assert_eq!((said.code, said.status().as_u16()), (code, status), "{error:?}");
        assert_eq!((said.code.as_str(), said.status()), (error.code(), error.status()), "sigv4 and s3 agree");
        assert_eq!(said.message(), error.to_string());
        let advice: Vec<_> = error.advice().map(|advice| ("Advice", advice)).into_iter().collect();
        assert_eq!(said.fields, advice);
        assert!(said.headers.is_empty());
    }
}

/// Each type of policy in the words of AWS, and as metrics and logs label it.
#[test]
fn what_is_said_of_each_type_of_policy() {
    use PolicyType as Type;
    const PUBLIC: &str = "because the RestrictPublicBuckets setting allows only identities of the bucket's account";
    for (policy, label, denied, missing) in [
        (Type::Identity(1), "identity", "an identity-based policy", "because no identity-based policy allows"),
        (Type::Resource, "resource", "a resource-based policy", "because no resource-based policy allows"),
        (Type::Session, "session", "a session policy", "because no session policy allows"),
        (Type::Boundary, "boundary", "a permissions boundary", "because no permissions boundary allows"),
        (Type::Acl, "acl", "an access control list", "because no access control list allows"),
        (Type::PublicAccessBlock, "public_access_block", "the public access block", PUBLIC),
        (Type::Root, "root", "an identity-based policy", "because no identity-based policy allows"),
        (Type::NotNeeded, "none", "an identity-based policy", "because no identity-based policy allows"),
    ] {
        let by = Origin { policy, statement: 0 };
        for (decision, outcome, reason) in [
            (Decision::ExplicitDeny { by }, "explicit_deny", format!("with an explicit deny in {denied}")),
            (Decision::ImplicitDeny { missing: policy }, "implicit_deny", missing.to_owned()),
            (Decision::Allow { by }, "allow", "because the decision could not be used".to_owned()),
        ] {
            assert_eq!((outcome_label(&decision), policy_label(&decision)), (outcome, label));
            let (action, resource) = ("s3:GetObject".to_owned(), "arn:aws:s3:::b/k".to_owned());
            let refusal =
                Refusal { decision, action, resource, principal: String::new(), hint: None, unreadable: None };
            let message = refusal.to_error("D1").message().to_owned();
            assert!(message.contains(&format!("\"arn:aws:s3:::b/k\" {reason}")), "{decision:?}: {message}");
        }
    }
}
