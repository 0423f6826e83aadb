//! S3 Control's calls about the tags of a bucket.

use http::request::Parts;
use s3::{Operation, Routing, S3Error, S3ErrorCode, is_control, route};

use crate::support::{body, check, head, keys, needs, operation, refusal};

const ACCOUNT: &str = "x-amz-account-id: 111122223333";
const TAGS: &str = "<TagResourceRequest xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\"><Tags>\
                    <Tag><Key>env</Key><Value>prod</Value></Tag><Tag><Key>team</Key><Value></Value></Tag></Tags></TagResourceRequest>";

fn control(line: &str) -> String {
    format!("{line}\n{ACCOUNT}")
}

#[test]
fn permissions_and_keys() {
    let tag = control("POST /v20180820/tags/arn%3Aaws%3As3%3A%3A%3Abkt") + "\n\n" + TAGS;
    let untag = control("DELETE /v20180820/tags/arn:aws:s3:::bkt?tagKeys=env&tagKeys=team");
    let list = control("GET /v20180820/tags/arn%3Aaws%3As3%3A%3A%3Abkt");
    check(
        &[
            (&list, "s3:ListTagsForResource bkt"),
            (&tag, "s3:TagResource bkt"),
            (&untag, "s3:UntagResource bkt"),
            (&control("GET /v20180820/configuration/publicAccessBlock"), "s3:GetAccountPublicAccessBlock *"),
            (&control("PUT /v20180820/configuration/publicAccessBlock"), "s3:PutAccountPublicAccessBlock *"),
            (&control("DELETE /v20180820/configuration/publicAccessBlock"), "s3:PutAccountPublicAccessBlock *"),
            // Without the account it is a bucket with this name.
            (&"GET /v20180820/tags/arn:aws:s3:::bkt".to_owned(), "s3:GetObject v20180820/tags/arn:aws:s3:::bkt"),
            (&"GET /v20180820".to_owned(), "s3:ListBucket v20180820"),
            (&control("GET /v20180820"), "s3:ListBucket v20180820"),
            (&control("GET /bkt/v20180820/tags/arn:aws:s3:::bkt"), "s3:GetObject bkt/v20180820/tags/arn:aws:s3:::bkt"),
        ],
        needs,
    );
    check(
        &[
            (&list, ""),
            (&tag, "aws:RequestTag/env=prod; aws:RequestTag/team=; aws:TagKeys=env|team"),
            (&untag, "aws:TagKeys=env|team"),
        ],
        keys,
    );
}

#[test]
fn the_rest_of_s3_control_is_not_allowed() {
    for line in [
        "GET /v20180820/configuration/publicAccessBlock/",
        "POST /v20180820/configuration/publicAccessBlock",
        "GET /v20180820/configuration/publicAccessBlock?acl",
        "PUT /v20180820/tags/arn:aws:s3:::bkt",
        "HEAD /v20180820/tags/arn:aws:s3:::bkt",
        "GET /v20180820/tags/arn:aws:s3:::bkt?acl",
        "GET /v20180820/tags/arn:aws:s3:::bkt/key",
        "GET /v20180820/tags/arn:aws:s3:us-east-1:111122223333:accesspoint/ap",
        "GET /v20180820/tags/arn:aws-cn:s3:::bkt",
        "GET /v20180820/tags/bkt",
        "GET /v20180820/tags/",
        "GET /v20180820/accesspoint",
        "POST /v20180820/jobs",
        "DELETE /v20180820/",
    ] {
        let error = operation(&control(line)).expect_err(line);
        assert_eq!((error.code, error.status().as_u16()), (S3ErrorCode::MethodNotAllowed, 405), "{line}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let list = "GET /v20180820/tags/arn:aws:s3:::bkt";
    let account = "InvalidArgument: The account must be an AWS account ID: 12 digits [ArgumentName=x-amz-account-id]";
    let keys =
        "InvalidArgument: Name 1 to 50 tags, each as a parameter of its own [ArgumentName=tagKeys] [ArgumentValue=]";
    let many: String = (0..51).map(|key| format!("&tagKeys={key}")).collect();
    check(
        &[
            (format!("{list}\nx-amz-account-id: 1"), &*format!("{account} [ArgumentValue=1]")),
            (format!("{list}\nx-amz-account-id: "), &*format!("{account} [ArgumentValue=]")),
            (
                control("GET /v20180820/tags/arn:aws:s3:::B"),
                "InvalidBucketName: The specified bucket is not valid. It breaks a rule: a bucket name has 3 to 63 characters. [BucketName=B]",
            ),
            (control("DELETE /v20180820/tags/arn:aws:s3:::bkt"), keys),
            (control(&format!("DELETE /v20180820/tags/arn:aws:s3:::bkt?a=1{many}")), keys),
            // No other parameter may occur twice.
            (
                control(&format!("{list}?a=1&a=2")),
                "InvalidArgument: The parameter occurs more than once: send it once [ArgumentName=a] [ArgumentValue=2]",
            ),
        ],
        refusal,
    );
    for (document, want) in [
        (TAGS.replace("env", "aws:x"), "InvalidTag"),
        (TAGS.replace("Tags>", "TagSet>"), "MalformedXML"),
        (TAGS.replace("team", "env"), "InvalidTag"),
        ("<TagResourceRequest/>".to_owned(), "MalformedXML"),
        (String::new(), "MalformedXML"),
    ] {
        let request = control("POST /v20180820/tags/arn:aws:s3:::bkt") + "\n\n" + &document;
        assert_eq!(operation(&request).unwrap_err().code.as_str(), want, "{document}");
    }
}

fn routed(head: &Parts, host_bucket: Option<&str>) -> Result<&'static str, S3Error> {
    match route(head, host_bucket)? {
        Routing::S3(operation) => Ok(operation.name()),
        Routing::Preflight(_) => Ok("preflight"),
        other => panic!("{other:?}"),
    }
}

/// SDKs put the account before the host, where a bucket's name may stand as well.
#[test]
fn hosts() {
    let call = head(&control("GET /v20180820/tags/arn:aws:s3:::bkt"));
    for (host_bucket, want) in
        [(None, "ListTagsForResource"), (Some("111122223333"), "ListTagsForResource"), (Some("bkt"), "GetObject")]
    {
        assert_eq!(routed(&call, host_bucket).unwrap(), want, "{host_bucket:?}");
        assert_eq!(is_control(&call, host_bucket), want == "ListTagsForResource", "{host_bucket:?}");
    }
    let preflight = "origin: https://a.test\naccess-control-request-method: GET";
    let asked = head(&format!("OPTIONS /v20180820/tags/arn:aws:s3:::bkt\n{ACCOUNT}\n{preflight}"));
    assert_eq!(routed(&asked, None).unwrap(), "preflight");
}

#[test]
fn documents() {
    let xml = s3::op::resource_tags_to_xml([("a", "1"), ("<", "")].into_iter());
    let want = "<ListTagsForResourceResult xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\"><Tags>\
                <Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>&lt;</Key><Value/></Tag></Tags></ListTagsForResourceResult>";
    assert_eq!(body(&xml), want);
    let error = S3Error::new(S3ErrorCode::NoSuchBucket).field("BucketName", "b").to_control_xml("R1");
    let want = "<ErrorResponse><Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message>\
                <BucketName>b</BucketName></Error><RequestId>R1</RequestId></ErrorResponse>";
    assert_eq!(body(&error), want);
    let Operation::TagResource(_) = operation(&control("POST /v20180820/tags/arn:aws:s3:::bkt")).unwrap() else {
        panic!("another operation")
    };
}
