//! Access keys that expire.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

#[test]
fn a_key_expires_and_only_sooner() {
    let state = story(&[
        ("CreateUser&UserName=al", "="),
        ("CreateAccessKey&UserName=al&Expiration=soon", "!InvalidInput"),
        ("CreateAccessKey&UserName=al&Expiration=1700000000", "!InvalidInput"),
    ]);
    let (state, answer) = run(&state, "CreateAccessKey&UserName=al&Expiration=1700003600").unwrap();
    assert!(answer.contains("<Expiration>2023-11-14T23:13:20Z</Expiration></AccessKey>"), "{answer}");
    let key = state.user("al").unwrap().record.credentials[0].access_key.clone();
    let expires = |state: &Snapshot, now_s: i64| state.access_key(&key).unwrap().refusal(now_s).is_some();
    assert!(!expires(&state, 1_700_003_599) && expires(&state, 1_700_003_600));
    let listed = run(&state, "ListAccessKeys&UserName=al").unwrap().1;
    assert!(listed.contains("<Expiration>2023-11-14T23:13:20Z</Expiration>"), "{listed}");

    let update = |more: &str| run(&state, &format!("UpdateAccessKey&UserName=al&AccessKeyId={key}{more}"));
    for (more, refused) in [
        ("", "ValidationError"),
        ("&Expiration=0", "InvalidInput"),
        ("&Expiration=1700003601", "InvalidInput"),
        ("&Status=Active&Expiration=1700009999", "InvalidInput"),
        ("&Expiration=1", "InvalidInput"),
    ] {
        assert_eq!(update(more).unwrap_err().code, refused, "{more}");
    }
    let inactive = update("&Status=Inactive").unwrap().0;
    let active = run(&inactive, &format!("UpdateAccessKey&UserName=al&AccessKeyId={key}&Status=Active")).unwrap().0;
    assert!(expires(&active, 1_700_003_600), "a change of the status keeps the expiry");
    let sooner = update("&Expiration=1700000060").unwrap().0;
    assert!(!expires(&sooner, 1_700_000_059) && expires(&sooner, 1_700_000_060));
    let (state, _) = run(&state, "CreateAccessKey&UserName=al").unwrap();
    let forever = &state.user("al").unwrap().record.credentials[1].access_key;
    let update =
        |expiry: &str| run(&state, &format!("UpdateAccessKey&UserName=al&AccessKeyId={forever}&Expiration={expiry}"));
    assert!(update("0").is_ok() && update("1700009999").is_ok(), "it never expired");

    let report = |state: &Snapshot| {
        let answer = run(state, "GetCredentialReport").unwrap().1;
        let content = answer.strip_prefix("<Content>").unwrap().split('<').next().unwrap().to_owned();
        String::from_utf8(STANDARD.decode(content).unwrap()).unwrap().lines().nth(2).unwrap().to_owned()
    };
    let row = report(&sooner);
    assert!(row.ends_with(",2023-11-14T22:14:20+00:00,N/A") && row.contains(",TRUE,2023"), "{row}");
}
