//! Filers: whether they answer, whether they share one store, and who else can reach them.

use std::collections::BTreeMap;
use std::sync::Arc;

use filer::Filer;
use filer::seaweedfs::{FilerAddress, Options, SeaweedFiler, Security};

use super::report::Report;
use crate::arguments::Place;
use crate::http_client;
use server::configuration::security;

/// A directory of documents with secrets, and one of documents with permissions.
const IAM_PATHS: [&str; 2] = ["/etc/iam/identities/", "/seaweedfs/iam/"];

/// Checks each filer by itself. Returns a client for those that can be reached, if there are any.
pub async fn check(place: &Place, report: &mut Report) -> Result<Option<Arc<dyn Filer>>, String> {
    let security = security(place.config_dir.as_deref())?;
    let mut reachable = Vec::new();
    let mut stores: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for address in place.filers()? {
        let client = SeaweedFiler::connect(Options::new(vec![address.clone()], security.clone()));
        match client.configuration().await {
            Ok(configuration) => {
                let (version, signature) = (&configuration.version, configuration.signature);
                report.ok(format!("filer {address} answers: SeaweedFS {version}, store {signature}"));
                stores.entry(signature).or_default().push(address.to_string());
                over_http(&address, report).await;
                reachable.push(address);
            }
            Err(error) => report.error(
                format!("filer {address} does not answer: {error}"),
                format!("start it, or correct -filer; its gRPC port is {}", address.grpc()),
            ),
        }
    }
    one_store(&stores, report);
    if reachable.is_empty() {
        return Ok(None);
    }
    over_grpc(&security, report);
    Ok(Some(Arc::new(SeaweedFiler::connect(Options::new(reachable, security)))))
}

/// Filers that do not share a store do not share IAM state either.
fn one_store(stores: &BTreeMap<i32, Vec<String>>, report: &mut Report) {
    let filers: usize = stores.values().map(Vec::len).sum();
    match stores.len() {
        0 => {}
        1 if filers == 1 => {}
        1 => report.ok("all filers share one store"),
        _ => report.error(
            format!(
                "the filers have stores of their own: {}",
                stores.values().map(|filers| filers.join(" and ")).collect::<Vec<_>>().join("; ")
            ),
            "give all filers one shared store (filer.toml: postgres, mysql, cassandra, redis, ...), or name filers of one store only: \
             with several stores a change that one filer acknowledged can be lost, and gateways may disagree",
        ),
    }
}

/// What the filer serves to anyone over HTTP.
async fn over_http(address: &FilerAddress, report: &mut Report) {
    let mut open = Vec::new();
    for path in IAM_PATHS {
        match http_client::get(&format!("http://{}{path}", address.http())).await {
            Ok(answer) => {
                if path == IAM_PATHS[0] {
                    report.clock(&format!("filer {address}"), answer.ahead_s);
                }
                if answer.status.is_success() {
                    open.push(path);
                }
            }
            Err(error) => {
                let next =
                    "if that port is closed to this machine on purpose, nothing; what it exposes was not checked";
                return report.warning(format!("the HTTP port of filer {address} does not answer: {error}"), next);
            }
        }
    }
    if open.is_empty() {
        return report.ok(format!("filer {address} does not serve IAM documents over HTTP without a token"));
    }
    report.warning(
        format!("filer {address} serves {} to anyone on its HTTP port, secret keys included", open.join(" and ")),
        "close it: set jwt.filer_signing.read.key and jwt.filer_signing.key in the security.toml of filers and gateways and restart \
         them, and let only gateways and volume servers reach the port (firewall, or -ip.bind to a private network)",
    );
}

/// Without TLS, the gRPC port is open to anyone who can reach it.
fn over_grpc(security: &Security, report: &mut Report) {
    if security.has_grpc_tls() {
        return report.ok("connections to filers use TLS certificates (grpc.* in security.toml)");
    }
    let iam = match security.filer_write {
        Some(_) => "the IAM service requires a token of jwt.filer_signing.key, but the entries do not",
        None => "without jwt.filer_signing.key, the IAM service requires no token either",
    };
    report.warning(
        format!("filers answer gRPC without certificates, so anyone who reaches that port is root: {iam}"),
        "set grpc.ca, grpc.filer.* and grpc.client.* in security.toml on every machine (`weed scaffold -config=security` shows them), and \
         let only machines of the cluster reach the port",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores() {
        let at = |rows: &[(i32, &str)]| {
            let mut stores: BTreeMap<i32, Vec<String>> = BTreeMap::new();
            for (signature, filer) in rows {
                stores.entry(*signature).or_default().push((*filer).to_owned());
            }
            let mut report = Report::default();
            one_store(&stores, &mut report);
            report.finish()
        };
        for (rows, fine) in [
            (&[][..], true),
            (&[(1, "a")], true),
            (&[(1, "a"), (1, "b")], true),
            (&[(1, "a"), (2, "b"), (1, "c")], false),
        ] {
            assert_eq!(at(rows), Ok(fine), "{rows:?}");
        }
    }
}
