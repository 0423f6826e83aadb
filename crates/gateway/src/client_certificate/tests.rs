use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;

use super::*;

/// 2026-11-28 and 2026-11-30.
const NOW_S: i64 = 1_795_824_000;
const EXPIRES_S: i64 = NOW_S + 2 * 24 * 3600;

type Authority = (CertificateDer<'static>, Issuer<'static, KeyPair>);

fn authority(name: &str, above: Option<&Authority>) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let signed = match above {
        Some((_, issuer)) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    (signed.der().clone(), Issuer::new(params, key))
}

/// A certificate with these common names, of which there are at most two.
fn leaf(names: &[&str], usages: &[ExtendedKeyUsagePurpose], (_, issuer): &Authority) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(vec!["admin".to_owned()]).unwrap();
    params.extended_key_usages = usages.to_vec();
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2026, 11, 30));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "admin");
    for (name, kind) in names.iter().zip([DnType::CommonName, DnType::CustomDnType(vec![2, 5, 4, 3])]) {
        params.distinguished_name.push(kind, *name);
    }
    params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().clone()
}

fn holder(chain: &[CertificateDer<'static>], root: &Authority, now_s: i64) -> Result<ClientCertificate, &'static str> {
    let mut roots = RootCertStore::empty();
    roots.add(root.0.clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let authorities = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let now = std::time::Duration::from_secs(u64::try_from(now_s).unwrap());
    verified(chain, &*authorities, UnixTime::since_unix_epoch(now))
}

#[test]
fn whose_certificate_counts() {
    let (root, other) = (authority("clients", None), authority("servers", None));
    let below = authority("below", Some(&root));
    let same_name = authority("clients", None);
    let good = |name: &str| leaf(&[name], &[ClientAuth], &root);
    let long = "x".repeat(65);
    for (what, chain, now_s, wanted) in [
        ("one name", vec![good("loader-7")], NOW_S, Ok("loader-7")),
        ("both usages", vec![leaf(&["a"], &[ServerAuth, ClientAuth], &root)], NOW_S, Ok("a")),
        ("an authority in between", vec![leaf(&["a"], &[ClientAuth], &below), below.0.clone()], NOW_S, Ok("a")),
        ("its last second", vec![good("a")], EXPIRES_S, Ok("a")),
        ("letters of another script", vec![good("b\u{fc}cher")], NOW_S, Ok("b\u{fc}cher")),
        ("no certificate", vec![], NOW_S, Err("no certificate")),
        ("expired since the connection began", vec![good("a")], EXPIRES_S + 1, Err("expired")),
        ("not valid yet", vec![good("a")], 1_767_000_000, Err("expired")),
        ("another authority", vec![leaf(&["a"], &[ClientAuth], &other)], NOW_S, Err("no authority")),
        (
            "another authority, sent along",
            vec![leaf(&["a"], &[ClientAuth], &other), other.0.clone()],
            NOW_S,
            Err("no authority"),
        ),
        (
            "another authority of the same name",
            vec![leaf(&["a"], &[ClientAuth], &same_name)],
            NOW_S,
            Err("no authority"),
        ),
        ("a leaf that signs", vec![leaf(&["a"], &[ClientAuth], &other), good("b")], NOW_S, Err("no authority")),
        ("an authority missing in between", vec![leaf(&["a"], &[ClientAuth], &below)], NOW_S, Err("no authority")),
        ("the authority itself", vec![root.0.clone()], NOW_S, Err("no authority")),
        ("for servers", vec![leaf(&["a"], &[ServerAuth], &root)], NOW_S, Err("no authority")),
        ("for anything", vec![leaf(&["a"], &[ExtendedKeyUsagePurpose::Any], &root)], NOW_S, Err("no authority")),
        ("for nothing in particular", vec![leaf(&["a"], &[], &root)], NOW_S, Err("clientAuth")),
        ("no name", vec![leaf(&[], &[ClientAuth], &root)], NOW_S, Err("exactly one common name")),
        ("two names", vec![leaf(&["a", "admin"], &[ClientAuth], &root)], NOW_S, Err("exactly one common name")),
        ("an empty name", vec![good("")], NOW_S, Err("1 to 64")),
        ("a long name", vec![good(&long)], NOW_S, Err("1 to 64")),
        ("a line break", vec![good("a\nadmin")], NOW_S, Err("1 to 64")),
        ("a zero", vec![good("admin\0.evil")], NOW_S, Err("1 to 64")),
        ("a space at the end", vec![good("admin ")], NOW_S, Err("1 to 64")),
        ("not a certificate", vec![CertificateDer::from(vec![0x30, 0x82])], NOW_S, Err("no authority")),
    ] {
        match (holder(&chain, &root, now_s), wanted) {
            (Ok(holder), Ok(name)) => {
                assert_eq!((&*holder.common_name, holder.expires_s), (name, EXPIRES_S), "{what}");
            }
            (Err(why), Err(part)) => assert!(why.contains(part), "{what}: {why}"),
            (holder, _) => panic!("{what}: {holder:?}"),
        }
    }
}
