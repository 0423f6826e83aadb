use sts::{KeyError, SigningKey};

#[test]
fn keys_are_base64_of_at_least_16_bytes() {
    let not_base64 = |placeholder| Err(KeyError::NotBase64 { placeholder });
    for (text, want) in [
        ("a2VscGdhdGUtdGVzdC1zaWduaW5nLWtleS0zMmJ5dGU=", Ok(())),
        ("MDEyMzQ1Njc4OWFiY2RlZg==", Ok(())),
        ("MDEyMzQ1Njc4OWFiY2RlZg", not_base64(false)),
        ("MDEyMzQ1Njc4OWFiY2Rl", Err(KeyError::Short(15))),
        ("", Err(KeyError::Short(0))),
        ("0123456789abcdef-_==", not_base64(false)),
        ("base64-encoded-signing-key", not_base64(true)),
        ("dGVzdC1zaWduaW5nLWtleS0zMi1jaGFyYWN0ZXJzLWxvbmc=", Err(KeyError::Public("SeaweedFS's samples and tests"))),
        (" dGVzdC1zaWduaW5nLWtleQ==\n", Err(KeyError::Public("SeaweedFS's samples and tests"))),
    ] {
        let key = SigningKey::from_base64(text);
        assert_eq!(key.map(|_| ()), want, "{text}");
    }
    let error = SigningKey::from_base64("base64-encoded-signing-key").unwrap_err().to_string();
    assert!(error.contains("placeholder") && error.contains("openssl rand -base64 32"), "{error}");
}

#[test]
fn a_key_is_named_but_never_shown() {
    let text = "a2VscGdhdGUtdGVzdC1zaWduaW5nLWtleS0zMmJ5dGU=";
    let (one, again) = (SigningKey::from_base64(text).unwrap(), SigningKey::from_base64(text).unwrap());
    let other = SigningKey::from_bytes(b"another key of 27 bytes ...").unwrap();
    assert_eq!(one.kid(), again.kid());
    assert_ne!(one.kid(), other.kid());
    assert_eq!(one.stretched("a"), again.stretched("a"));
    assert_ne!(one.stretched("a"), other.stretched("a"));
    assert_ne!(one.stretched("a"), one.stretched("b"));
    let debug = format!("{one:?}");
    assert!(!debug.contains("kelpgate-test") && !debug.contains(text), "{debug}");
}
