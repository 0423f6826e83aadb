//! Listening, and stopping in the right order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway::Gateway;
use gateway::accept::{self, CONNECTIONS_MAX, Limits};
use iam::Identities;
use tokio::sync::watch;

use crate::listen::Place;
use crate::reloading::Reloading;

/// How long requests in progress may take after a signal to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// How long requests are still decided after a signal to stop.
const LAST_REQUESTS: Duration = Duration::from_millis(100);

/// Listens on the ports and serves until a signal arrives. Calls `announce` with the URL once it listens.
pub(crate) async fn listen<Complete: Fn(&mut Identities) -> Result<(), String>>(
    gateway: &Arc<Gateway>,
    reloading: &Reloading<'_, Complete>,
    announce: impl FnOnce(&str),
) -> Result<(), String> {
    let settings = reloading.settings;
    let tls = &reloading.tls;
    let (stop, stopped) = watch::channel(false);
    let limits = Limits { idle: settings.idle_timeout, connections: CONNECTIONS_MAX, drain: DRAIN };
    let main_is_tls = tls.is_some() && settings.port_https.is_none();
    let mut servers = Vec::new();
    let https = settings.port_https.map(|port| (port, "-port.https", true));
    let ports = [(settings.port, "-port", main_is_tls)].into_iter().chain(https);
    let mut url = String::new();
    for (port, port_flag, is_tls) in ports {
        let place = Place { bind: &settings.bind, bind_flag: "-ip.bind", port, port_flag };
        let listener = place.listen().await?;
        let local = listener.local_addr().map_err(|error| error.to_string())?;
        if url.is_empty() {
            url = format!("{}://{}", if is_tls { "https" } else { "http" }, shown(local));
        }
        let acceptor = tls.clone().filter(|_| is_tls);
        let shutdown = wait_for(stopped.clone());
        servers.push(tokio::spawn(accept::serve(listener, acceptor, Arc::clone(gateway), limits, shutdown)));
    }
    if let Some((ip, port)) = &settings.metrics {
        let (bind, bind_flag) = if ip.is_empty() { (&settings.bind, "-ip.bind") } else { (ip, "-metricsIp") };
        let listener = Place { bind, bind_flag, port: *port, port_flag: "-metricsPort" }.listen().await?;
        let pages = Arc::new(gateway::MetricsListener(Arc::clone(gateway)));
        servers.push(tokio::spawn(accept::serve(listener, None, pages, limits, wait_for(stopped.clone()))));
    }
    announce(&url);
    tracing::info!("serving S3, IAM and STS on {url}");
    signals(reloading).await?;
    tracing::info!("stopping: requests in flight may finish");
    let _ = stop.send(true);
    // Requests that are on their way to this gateway are still decided. After that, no change waits for a gateway that
    // is stopping.
    if let Some(fence) = reloading.follower.fence() {
        tokio::time::sleep(LAST_REQUESTS).await;
        fence.close(&*gateway.filer).await;
    }
    for server in servers {
        let _ = server.await;
    }
    Ok(())
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone: stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// The address as a client on this machine would write it.
fn shown(local: SocketAddr) -> String {
    if local.ip().is_unspecified() { format!("127.0.0.1:{}", local.port()) } else { local.to_string() }
}

/// Waits for SIGTERM or SIGINT. SIGHUP reloads.
async fn signals<Complete: Fn(&mut Identities) -> Result<(), String>>(
    reloading: &Reloading<'_, Complete>,
) -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};
    let open = |kind| signal(kind).map_err(|error| format!("signals cannot be received: {error}"));
    let (mut terminate, mut interrupt) = (open(SignalKind::terminate())?, open(SignalKind::interrupt())?);
    let mut hangup = open(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            // A filer that does not answer must not keep the gateway from stopping.
            _ = hangup.recv() => tokio::select! {
                () = reloading.reload() => {}
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
            },
        }
    }
}
