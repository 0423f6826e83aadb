//! Requests written as text, and what becomes of them, as text.

use http::request::Parts;
use policy::Context;
use s3::{Operation, Requirement, Routing, S3Error, route, set_condition_keys};

/// 2009-10-12T17:50:30Z.
pub const THEN: i64 = 1_255_369_830;

/// The attribute of every root element.
pub const XMLNS: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// The head of `METHOD uri` and `name: value` lines.
pub fn head(text: &str) -> Parts {
    let mut lines = text.lines();
    let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
    let mut builder = http::Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.trim().split_once(':').unwrap();
        builder = builder.header(name, value.trim());
    }
    builder.body(()).unwrap().into_parts().0
}

/// The operation of a request. What follows an empty line is the body.
pub fn operation(text: &str) -> Result<Operation, S3Error> {
    let (text, body) = text.split_once("\n\n").map_or((text, None), |(text, body)| (text, Some(body)));
    let mut operation = match route(&head(text), None)? {
        Routing::S3(operation) => operation,
        other => panic!("{text}: {other:?}"),
    };
    if let Some(body) = body {
        operation.read_body(body.as_bytes())?;
    }
    Ok(operation)
}

/// The permissions that a request needs: `s3:GetObject bkt/k`, or with a version `bkt/k@v1`.
pub fn needs(text: &str) -> String {
    shown(&operation(text).unwrap().needs())
}

/// The permissions of which one must be there before the body is read.
pub fn first_needs(text: &str) -> String {
    shown(&operation(text).unwrap().first_needs())
}

/// The permissions that change the answer, each with its effect.
pub fn also_needs(text: &str) -> String {
    let all = operation(text).unwrap().conditional();
    let all: Vec<String> = all.iter().map(|also| format!("{:?} {}", also.effect, need(&also.requirement))).collect();
    all.join("; ")
}

fn shown(needs: &[Requirement]) -> String {
    needs.iter().map(need).collect::<Vec<_>>().join("; ")
}

fn need(need: &Requirement) -> String {
    let resource = need.resource.strip_prefix("arn:aws:s3:::").unwrap_or(&need.resource);
    let version = need.version_id.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    format!("{} {resource}{version}", need.action)
}

/// Every condition key that a request sets, at [`THEN`]: `s3:prefix=a; s3:max-keys=1`, in order of names.
pub fn keys(text: &str) -> String {
    let mut context = Context::new();
    let operation = operation(text).unwrap();
    let head = head(text.split("\n\n").next().unwrap());
    set_condition_keys(&operation, &head, Some(THEN), &mut context).unwrap();
    let mut all: Vec<String> = context.iter().map(|(key, values)| format!("{key}={}", values.join("|"))).collect();
    all.sort_by_key(|line| line.to_ascii_lowercase());
    all.join("; ")
}

/// The error of a request: `Code: message`, then `[name=value]` for each of its fields.
pub fn refusal(text: &str) -> String {
    match operation(text) {
        Ok(operation) => format!("no error: {operation:?}"),
        Err(error) => error_text(&error),
    }
}

/// The same for any error.
pub fn error_text(error: &S3Error) -> String {
    let fields: String = error.fields.iter().map(|(name, value)| format!(" [{name}={value}]")).collect();
    format!("{error}{fields}")
}

/// The code of a request's error; empty if there is none.
pub fn code(text: &str) -> String {
    operation(text).err().map(|error| error.code.to_string()).unwrap_or_default()
}

/// Each row is a request and what is claimed about it. All rows that fail are shown.
pub fn check<T: AsRef<str>>(rows: &[(T, &str)], answer: impl Fn(&str) -> String) {
    let wrong = rows.iter().map(|(request, want)| (request.as_ref(), answer(request.as_ref()), want));
    let wrong: Vec<String> = wrong
        .filter(|(_, got, want)| got != *want)
        .map(|(request, got, want)| format!("{request}\n   got {got}\n  want {want}"))
        .collect();
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// The document without its declaration, or a failure that shows it.
pub fn body(document: &str) -> &str {
    document.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect(document)
}

/// The text of a root element with this content.
pub fn root(name: &str, content: &str) -> String {
    format!("<{name} {XMLNS}>{content}</{name}>")
}

/// The input of a request for the operation with this name.
macro_rules! input {
    ($Name:ident, $text:expr) => {
        match $crate::support::operation($text) {
            Ok(s3::Operation::$Name(input)) => input,
            other => panic!("{}: {other:?}", $text),
        }
    };
}
pub(crate) use input;
