//! HTTP answers of both query APIs.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Response, StatusCode};
use iam_formats::identities;

use super::*;
use crate::endpoint::{Query, QueryEndpoint, Service, success};
use crate::feed::tests::config;
use crate::iam_api::QueryAnswer;

fn endpoint(world: &World, follower: &Arc<Follower>, serves_iam: bool) -> QueryEndpoint {
    let recorder = Arc::new(Recorder::new(Arc::default(), world.store(), follower.clone()));
    let iam = IamApi::new(follower.clone(), world.store(), false, recorder, BTreeSet::new());
    let sts = StsApi::new(follower.clone(), None, Arc::default(), world.store(), &IamConfig::default().sts);
    QueryEndpoint::new(serves_iam.then_some(iam), sts)
}

async fn answer(endpoint: &QueryEndpoint, caller: &Caller, parameters: &[(&str, &str)]) -> Response<Bytes> {
    endpoint.answer(query(caller, parameters)).await
}

fn query<'a>(caller: &'a Caller, parameters: &[(&str, &str)]) -> Query<'a> {
    let text: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Query {
        caller,
        parameters: s3::QueryString::parse(Some(&text.join("&"))).unwrap(),
        context: Context::new(),
        request_id: "req-1",
        now_s: 1_700_000_000,
        observer: &access::NoObserver,
        certificate: Err("a test"),
    }
}

/// The future of a call is moved to the heap, whatever the call is.
#[tokio::test]
async fn a_call_takes_no_room_for_rare_actions() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let (endpoint, caller) = (endpoint(&world, &gateway.follower, true), gateway.caller("root"));
    let bytes = size_of_val(&endpoint.answer(query(&caller, &[])));
    // Without boxes it is 10 KB. The exact size depends on the compiler.
    assert!(bytes <= 4096, "{bytes} bytes");
}

/// How errors of STS begin.
const STS: &str = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">";

#[tokio::test]
async fn every_answer_has_its_status_its_type_and_the_id_of_the_request() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let root = gateway.caller("root");
    let (both, sts) = (endpoint(&world, &gateway.follower, true), endpoint(&world, &gateway.follower, false));
    let identities = identities::parse(FILE, &|_| None).unwrap();
    let unloaded = Arc::new(Follower::new(world.filer.clone(), world.store(), &config(), &identities));
    let unloaded = endpoint(&world, &unloaded, true);
    for (endpoint, parameters, status, text) in [
        (&both, &[("Action", "ListUsers")][..], 200, "<ListUsersResponse"),
        (&both, &[("Action", "GetCallerIdentity")], 200, "<GetCallerIdentityResponse"),
        (&both, &[("Action", "GetUser"), ("UserName", "nobody")], 404, "<Code>NoSuchEntity</Code>"),
        (&both, &[], 400, "<Code>MissingAction</Code>"),
        (&both, &[("Action", "Nothing")], 400, "<Code>InvalidAction</Code>"),
        // STS's, with its version and its name space, though nothing of it runs here.
        (&sts, &[("Action", "AssumeRoot"), ("TargetPrincipal", "000000000000"), ("Version", "2011-06-15")], 501, STS),
        (&both, &[("Action", "GetSessionToken"), ("Version", "2011-06-15")], 403, STS),
        (&sts, &[("Action", "ListUsers")], 501, "-iam=false"),
        (&sts, &[("Action", "GetCallerIdentity")], 200, "<GetCallerIdentityResponse"),
        (&unloaded, &[("Action", "ListUsers")], 503, "<Code>ServiceUnavailable</Code>"),
    ] {
        let response = answer(endpoint, &root, parameters).await;
        assert_eq!(response.status(), status, "{parameters:?}");
        assert_eq!(response.headers()[CONTENT_TYPE], "text/xml", "{parameters:?}");
        assert_eq!(response.headers()["x-amzn-requestid"], "req-1", "{parameters:?}");
        assert_eq!(response.headers().contains_key(RETRY_AFTER), status == 503, "{parameters:?}");
        let body = std::str::from_utf8(response.body()).unwrap();
        assert!(body.contains(text) && body.contains("req-1"), "{parameters:?}: {body}");
    }
}

#[tokio::test]
async fn anonymous_callers_are_refused_before_their_parameters_are_read() {
    let world = World::new();
    let gateway = Gateway::start(&world, false).await;
    let nobody = Caller { principal: policy::Principal::Anonymous, ..gateway.caller("root") };
    let endpoint = endpoint(&world, &gateway.follower, true);
    let tags: Vec<String> = (1..=51).map(|place| format!("Tags.member.{place}.Key")).collect();
    let many =
        [("Action", "CreateUser"), ("UserName", "eve")].into_iter().chain(tags.iter().map(|name| (name.as_str(), "k")));
    let gap = [("Action", "TagUser"), ("UserName", "eve"), ("Tags.member.2.Key", "k")];
    for (parameters, to_root) in [(many.collect(), 409), (gap.to_vec(), 400)] {
        for (caller, status) in [(&nobody, 403), (&gateway.caller("root"), to_root)] {
            assert_eq!(answer(&endpoint, caller, &parameters).await.status(), status, "{parameters:?}");
        }
    }
}

#[test]
fn gateways_that_may_not_enforce_a_change_are_named() {
    let header = |not_enforced: &[&str]| {
        let not_enforced = not_enforced.iter().map(|name| (*name).to_owned()).collect();
        let response = success(QueryAnswer { xml: String::new(), not_enforced });
        response.headers().get(s3::NOT_ENFORCED).map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header(&[]), None);
    assert_eq!(header(&["a", "b"]), Some("a, b".to_owned()));
}

#[test]
fn what_the_store_says_becomes_an_error_of_iam() {
    use filer::FilerError;
    use store::StoreError;
    let of_filer = |error| StoreError::Filer { path: "/etc/iam/x".into(), error };
    for (error, code, status) in [
        (StoreError::Conflict("/etc/iam/x".into()), "ConcurrentModification", 409),
        (of_filer(FilerError::Unavailable("down".into())), "ServiceUnavailable", 503),
        (of_filer(FilerError::NotAgreed), "ServiceUnavailable", 503),
        (of_filer(FilerError::Encrypted), "ServiceFailure", 500),
        (StoreError::Unseen("/etc/iam/x".into()), "ServiceFailure", 500),
        (StoreError::NotSealed, "ServiceFailure", 500),
        (StoreError::TooLarge("/etc/iam/x".into(), 1 << 30), "ServiceFailure", 500),
    ] {
        let text = error.to_string();
        let error = QueryError::from(error);
        assert_eq!((&*error.code, error.status), (code, status), "{text}");
        // Clients do not learn where something is stored.
        assert!(!error.message.contains("/etc"), "{error}");
    }
}

/// Errors that are found before the call is known have the form of the service for which it is signed.
#[test]
fn errors_of_signatures() {
    for (service, namespace, status, fault) in [
        (Service::Iam, "https://iam.amazonaws.com/doc/2010-05-08/", StatusCode::FORBIDDEN, "Sender"),
        (Service::Sts, "https://sts.amazonaws.com/doc/2011-06-15/", StatusCode::FORBIDDEN, "Sender"),
        (Service::Sts, "https://sts.amazonaws.com/doc/2011-06-15/", StatusCode::SERVICE_UNAVAILABLE, "Receiver"),
    ] {
        let body = QueryEndpoint::refuse(service, "Code", status, "a < b", "req-1");
        let want = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{fault}</Type>\
             <Code>Code</Code><Message>a &lt; b</Message></Error><RequestId>req-1</RequestId></ErrorResponse>"
        );
        assert_eq!(std::str::from_utf8(&body).unwrap(), want);
    }
}

#[test]
fn labels_of_actions() {
    for (action, label) in [
        ("ListUsers", Some("iam:ListUsers")),
        ("AssumeRole", Some("sts:AssumeRole")),
        ("SetUserStatus", Some("iam:SetUserStatus")),
        ("ValidatePolicy", Some("access-analyzer:ValidatePolicy")),
        ("listusers", None),
        ("PassRole", None),
        ("", None),
    ] {
        assert_eq!(QueryEndpoint::label(action), label, "{action}");
    }
}
