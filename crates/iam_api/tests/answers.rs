//! The answers of the query APIs, byte by byte.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use iam_api::answer::{self, AssumeRoleOutput, Service};
use ids::SecretAccessKey;
use sts::SessionCredentials;

#[test]
fn answers_have_the_shapes_of_aws() {
    let credentials = SessionCredentials {
        access_key_id: "ASIAEXAMPLE".parse().unwrap(),
        secret: SecretAccessKey::new("s/e+c="),
        token: "t.o.k".to_owned(),
        expiration: "2026-11-22T03:33:56.9Z".parse().unwrap(),
    };
    let output = AssumeRoleOutput {
        credentials: &credentials,
        assumed_role_id: "R1:sess",
        arn: "arn:aws:sts::000000000000:assumed-role/R1/sess",
        packed_policy_size: Some(5),
        source_identity: Some("a&b"),
    };
    assert_eq!(
        answer::assume_role(&output, "req-1"),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>s/e+c=</SecretAccessKey>\
         <SessionToken>t.o.k</SessionToken><Expiration>2026-11-22T03:33:56Z</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>R1:sess</AssumedRoleId>\
         <Arn>arn:aws:sts::000000000000:assumed-role/R1/sess</Arn></AssumedRoleUser>\
         <PackedPolicySize>5</PackedPolicySize><SourceIdentity>a&amp;b</SourceIdentity></AssumeRoleResult>\
         <ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></AssumeRoleResponse>"
    );
    assert_eq!(
        answer::get_caller_identity("arn:aws:iam::000000000000:user/a", "AIDA", "000000000000", "r"),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::000000000000:user/a</Arn><UserId>AIDA</UserId><Account>000000000000</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
}

#[test]
fn errors_name_whose_fault_it_is_and_escape_their_text() {
    for (service, status, namespace, culprit) in [
        (Service::Sts, 400, "https://sts.amazonaws.com/doc/2011-06-15/", "Sender"),
        (Service::Iam, 403, "https://iam.amazonaws.com/doc/2010-05-08/", "Sender"),
        (Service::Iam, 503, "https://iam.amazonaws.com/doc/2010-05-08/", "Receiver"),
    ] {
        assert_eq!(
            answer::error(service, "Code", "a <b> & \u{0}c\r", status, "r"),
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{culprit}</Type>\
                 <Code>Code</Code><Message>a &lt;b&gt; &amp; \u{fffd}c&#13;</Message></Error><RequestId>r</RequestId></ErrorResponse>"
            )
        );
    }
}
