//! The form of a POST upload.

use s3::op::*;
use s3::{S3Error, S3ErrorCode, WriteCondition};

use crate::support::{body, check, code, error_text, input, keys, needs, operation, refusal};

fn form(fields: &[(&str, &str)], file: &str) -> Result<PostForm, S3Error> {
    PostForm::new(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), file)
}

/// The operation after the form was read.
fn posted(fields: &[(&str, &str)]) -> Result<PostObject, S3Error> {
    let mut post = input!(PostObject, "POST /bkt\ncontent-type: multipart/form-data; boundary=b\ncontent-length: 9");
    post.read_form(form(fields, "file.txt")?)?;
    Ok(post)
}

#[test]
fn content_types() {
    let post = |kind: &str| format!("POST /bkt\ncontent-type: {kind}");
    for (kind, boundary) in [
        ("multipart/form-data; boundary=b", "b"),
        ("Multipart/Form-Data;Boundary=b", "b"),
        ("multipart/form-data; charset=utf-8; boundary=\"a b\"", "a b"),
        ("multipart/form-data; boundary=----WebKit'()+_,-./:=?", "----WebKit'()+_,-./:=?"),
        (&format!("multipart/form-data; boundary={}", "x".repeat(70)), &"x".repeat(70)),
    ] {
        assert_eq!(input!(PostObject, &post(kind)).boundary, boundary, "{kind}");
    }
    let refused = "PreconditionFailed: At least one of the pre-conditions you specified did not hold \
        [Condition=Bucket POST must be of the enclosure-type multipart/form-data]";
    for kind in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; name=b",
        "multipart/mixed; boundary=b",
        "application/x-www-form-urlencoded; boundary=b",
        "multipart/form-data; boundary=a\tb",
        &format!("multipart/form-data; boundary={}", "x".repeat(71)),
    ] {
        check(&[(post(kind), refused)], refusal);
    }
    check(&[("POST /bkt".to_owned(), refused)], refusal);
    assert_eq!(posted(&[("key", "k")]).unwrap().content_length, Some(9));
    check(&[("POST /bkt\ncontent-type: multipart/form-data; boundary=b\ncontent-length: x", "InvalidArgument")], code);
}

#[test]
fn permissions_and_condition_keys() {
    let head = "POST /bkt\ncontent-type: multipart/form-data; boundary=b";
    // Before the form is read, every key may be meant. The hash of a form is compared with nothing.
    check(&[(head, "s3:PutObject bkt/*")], needs);
    check(&[(head, ""), (&format!("{head}\nx-amz-content-sha256: abc"), "")], keys);
    for (fields, want) in [
        (&[("key", "k")][..], "s3:PutObject bkt/k"),
        (&[("key", "${filename}")], "s3:PutObject bkt/file.txt"),
        (&[("key", "k"), ("acl", "private")], "s3:PutObject bkt/k s3:PutObjectAcl bkt/k"),
        (&[("key", "k"), ("tagging", "<Tagging><TagSet/></Tagging>")], "s3:PutObject bkt/k s3:PutObjectTagging bkt/k"),
        (&[("key", "k"), ("x-amz-object-lock-legal-hold", "ON")], "s3:PutObject bkt/k s3:PutObjectLegalHold bkt/k"),
    ] {
        let post = s3::Operation::from(posted(fields).unwrap());
        let needs: Vec<String> =
            post.needs().iter().map(|need| format!("{} {}", need.action, &need.resource[13..])).collect();
        assert_eq!(needs.join(" "), want);
    }
    let post = s3::Operation::from(posted(&[("key", "k"), ("acl", "private"), ("x-amz-tagging", "t=1")]).unwrap());
    let mut context = policy::Context::new();
    s3::set_condition_keys(&post, &crate::support::head(head), None, &mut context).unwrap();
    let mut all: Vec<&str> = context.iter().map(|(key, _)| key).collect();
    all.sort_unstable();
    let want = ["s3:ObjectCreationOperation", "s3:RequestObjectTag/t", "s3:RequestObjectTagKeys", "s3:x-amz-acl"];
    assert_eq!(all, want);
    assert!(operation(head).unwrap().makes_missing_bucket());
    assert_eq!(posted(&[("key", "k"), ("if-match", "\"e\"")]).unwrap().put.unwrap().condition, WriteCondition::Always);
}

#[test]
fn fields() {
    let key = "InvalidArgument: Bucket POST must contain a field named 'key'. If it is specified, please check the order of the \
        fields. [ArgumentName=key]";
    let header = "InvalidArgument: The field becomes a header: its value must not contain control characters, and its name must not \
        contain spaces";
    for (fields, want) in [
        (&[][..], key.to_owned()),
        (&[("key", "")], key.to_owned()),
        (
            &[("key", "k"), ("KEY", "l")],
            "InvalidArgument: The field occurs more than once in the form: send it once [ArgumentName=key] [ArgumentValue=l]"
                .to_owned(),
        ),
        (
            &[("key", "k"), ("bucket", "other")],
            "InvalidPolicyDocument: The field `bucket` and the URL name different buckets".to_owned(),
        ),
        (
            &[("key", "k"), ("acl", "private"), ("x-amz-acl", "private")],
            "InvalidArgument: The fields `acl` and `x-amz-acl` mean the same: send one of them [ArgumentName=acl] [ArgumentValue=]"
                .to_owned(),
        ),
        (
            &[("key", "k"), ("tagging", "<Tagging><TagSet/></Tagging>"), ("x-amz-tagging", "a=1")],
            "InvalidArgument: The fields `tagging` and `x-amz-tagging` mean the same: send one of them [ArgumentName=tagging] [ArgumentValue=]"
                .to_owned(),
        ),
        (&[("key", "k"), ("x-amz-meta-a", "b\nc")], format!("{header} [ArgumentName=x-amz-meta-a]")),
        (&[("key", "k"), ("x-amz-meta-\n", "b")], format!("{header} [ArgumentName=x-amz-meta-\\n]")),
    ] {
        assert_eq!(error_text(&posted(fields).unwrap_err()), want, "{fields:?}");
    }
    // What is no header of PutObject is only compared with the policy.
    let put = posted(&[("key", "k"), ("policy", "a\nb"), ("host", "x"), ("x-amz-trailer", "x-amz-checksum-crc32")]);
    assert_eq!(put.unwrap().put.unwrap().checksums.wanted(), None);
    let read = form(&[("Key", "k"), ("X-Amz-Meta-A", "1")], "").unwrap();
    assert_eq!(read.iter().collect::<Vec<_>>(), [("key", "k"), ("x-amz-meta-a", "1")]);
    assert_eq!((read.fields().len(), read.get("Key"), read.get("key")), (2, None, Some("k")));
}

#[test]
fn keys_of_forms() {
    for (key, file, want) in [
        ("k", "f", Ok("k")),
        ("${filename}", "f", Ok("f")),
        ("a/${filename}/${filename}", "f", Ok("a/f/f")),
        ("${filename}", "C:\\dir\\f", Ok("f")),
        ("${filename}", "/a/b/f", Ok("f")),
        ("${filename}", "a/\\", Err(S3ErrorCode::InvalidArgument)),
        ("a${filename}", "", Ok("a")),
        ("${Filename}", "f", Ok("${Filename}")),
        ("a/../b", "", Ok("a/../b")),
        ("a\0b", "", Err(S3ErrorCode::InvalidArgument)),
        (&"k".repeat(1025), "", Err(S3ErrorCode::KeyTooLongError)),
    ] {
        let got = form(&[("key", key)], file).and_then(|form| form.key());
        assert_eq!(got.as_ref().map(|key| key.as_str()).map_err(|error| error.code), want, "{key} {file}");
    }
    // The file's name is not inserted again and again into something huge.
    let long = |count: usize| form(&[("key", &"${filename}".repeat(count))], &"x".repeat(1000)).map(drop);
    assert!(long(20).is_ok());
    let error = long(21).unwrap_err();
    assert_eq!(error_text(&error), "KeyTooLongError: Your key is too long. [Size=21231] [MaxSizeAllowed=1024]");
}

#[test]
fn successes() {
    let redirect = |url: &str| PostSuccess::Redirect(url.to_owned());
    for (fields, want) in [
        (&[][..], PostSuccess::NoContent),
        (&[("success_action_status", "200")], PostSuccess::Ok),
        (&[("success_action_status", "201")], PostSuccess::Created),
        (&[("success_action_status", "204")], PostSuccess::NoContent),
        (&[("success_action_status", " 200")], PostSuccess::NoContent),
        (&[("success_action_redirect", "http://a")], redirect("http://a")),
        (&[("redirect", "https://a")], redirect("https://a")),
        (&[("redirect", "https://b"), ("success_action_redirect", "https://a")], redirect("https://a")),
        (&[("success_action_redirect", "https://a"), ("success_action_status", "201")], redirect("https://a")),
        (&[("success_action_redirect", "//a"), ("success_action_status", "201")], PostSuccess::Created),
        (&[("success_action_redirect", "ftp://a")], PostSuccess::NoContent),
        (&[("success_action_redirect", "http://a\u{85}")], PostSuccess::NoContent),
    ] {
        assert_eq!(form(fields, "").unwrap().success(), want, "{fields:?}");
    }
    let output = PostObjectOutput {
        location: "/bkt/a&b".to_owned(),
        bucket: "bkt".parse().unwrap(),
        key: "a&b".parse().unwrap(),
        etag: "\"e\"".to_owned(),
    };
    assert_eq!(
        body(&output.to_xml()),
        "<PostResponse><Location>/bkt/a&amp;b</Location><Bucket>bkt</Bucket><Key>a&amp;b</Key><ETag>&quot;e&quot;</ETag></PostResponse>"
    );
    for (url, want) in [
        ("http://a/", "http://a/?bucket=bkt&key=a%26b&etag=%22e%22"),
        ("http://a/?b=c", "http://a/?b=c&bucket=bkt&key=a%26b&etag=%22e%22"),
    ] {
        assert_eq!(output.redirect_to(url), want);
    }
}
