//! Servers that run already and are given by a URL.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::Setup;
use super::admin::{Access, Login};
use super::error::{Result, ServersError, while_doing};
use super::instance::Instance;
use super::launcher::Launcher;
use super::node::{Kind, Node};
use crate::proxy::Proxy;

/// The parameter of a URL that names the file with the authorities to trust.
const CA_FILE: &str = "tls_ca_file=";

/// The servers of a URL: those that it names, and in a Sentinel setup and a cluster those that they know.
fn nodes(setup: Setup, url: &str) -> Result<Vec<Node>> {
    let bad = |what: &str| ServersError::Unsupported(format!("the URL of the servers: {what}"));
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("no scheme"))?;
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = before.split('/').next().unwrap_or_default();
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    let login = login.map(|login| {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let user = Some(user.to_owned()).filter(|user| !user.is_empty());
        Login { user, password: password.to_owned() }
    });
    let tls = if scheme.starts_with("rediss") || scheme.starts_with("valkeys") {
        let file = query.split('&').find_map(|pair| pair.strip_prefix(CA_FILE));
        Some(checked_tls(file.ok_or_else(|| bad("TLS needs the parameter tls_ca_file"))?)?)
    } else {
        None
    };
    let access = |address| Access { address, tls: tls.clone(), login: login.clone() };
    let named: Vec<SocketAddr> = hosts.split(',').map(resolve).collect::<Result<_>>()?;
    let first = named.first().copied().ok_or_else(|| bad("no host"))?;
    let mut nodes = Vec::new();
    match setup {
        Setup::Sentinel => {
            let ask = Access::plain(first);
            let name = before.split('/').nth(1).unwrap_or_default();
            let master = ask.ask(&["SENTINEL", "MASTER", name])?.ok()?;
            let replicas = ask.ask(&["SENTINEL", "REPLICAS", name])?.ok()?;
            for server in std::iter::once(&master).chain(replicas.items()) {
                let field = |name| server.field(name).unwrap_or_default();
                let address = resolve(&format!("{}:{}", field("ip"), field("port")))?;
                nodes.push(node(Kind::Data, access(address)));
            }
            let sentinels = named.into_iter().map(Access::plain);
            nodes.extend(sentinels.map(|access| node(Kind::Sentinel, access)));
        }
        Setup::Cluster => {
            let table = access(first).ask(&["CLUSTER", "NODES"])?.ok()?.text();
            for line in table.lines() {
                let place = line.split_whitespace().nth(1).unwrap_or_default();
                let host = place.split('@').next().unwrap_or_default();
                nodes.push(node(Kind::Data, access(resolve(host)?)));
            }
        }
        _ => {
            let replicas = query.split('&').find_map(|pair| pair.strip_prefix("replicas="));
            let hosts = replicas.into_iter().flat_map(|list| list.split(','));
            let replicas: Vec<SocketAddr> = hosts.map(resolve).collect::<Result<_>>()?;
            let all = named.into_iter().chain(replicas);
            nodes.extend(all.map(|address| node(Kind::Data, access(address))));
        }
    }
    Ok(nodes)
}

/// Checks that given servers answer; returns them with the URL for clients, which leads through proxies if they are wanted.
pub(super) fn connect(setup: Setup, url: &str, launcher: &Launcher) -> Result<(Vec<Node>, String)> {
    let mut nodes = nodes(setup, url)?;
    for node in &nodes {
        node.wait_until_ready()?;
    }
    if !launcher.settings.is_empty() {
        return Err(ServersError::Unsupported(
            "given servers are not configured by the tests".to_owned(),
        ));
    }
    let mut url = url.to_owned();
    if launcher.proxies {
        if matches!(setup, Setup::Sentinel | Setup::Cluster) {
            return Err(ServersError::Unsupported(
                "given servers announce their own addresses, which lead past a proxy".to_owned(),
            ));
        }
        for node in &mut nodes {
            node.proxy = Some(Proxy::start(node.access.address)?);
        }
        if let Some(proxy) = nodes.first().and_then(Node::proxy) {
            url = replace_host(&url, proxy);
        }
    }
    Ok((nodes, url))
}

/// The URL with the address of a proxy instead of its one host.
fn replace_host(url: &str, proxy: &Proxy) -> String {
    let start = url.find("://").map_or(0, |place| place + 3);
    let (scheme, rest) = url.split_at_checked(start).unwrap_or(("", url));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let login =
        authority.rsplit_once('@').map_or_else(String::new, |(login, _)| format!("{login}@"));
    format!("{scheme}{login}{}{tail}", proxy.address())
}

fn node(kind: Kind, access: Access) -> Node {
    Node { kind, access, instance: Instance::Given, proxy: None, token: None }
}

fn resolve(host: &str) -> Result<SocketAddr> {
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:6379") };
    let mut found = with_port.to_socket_addrs().map_err(while_doing("finding a server"))?;
    found.next().ok_or_else(|| ServersError::System("a server has no address".to_owned()))
}

fn checked_tls(ca_file: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let doing = "reading the authorities to trust";
    for certificate in CertificateDer::pem_file_iter(ca_file).map_err(while_doing(doing))? {
        roots.add(certificate.map_err(while_doing(doing))?).map_err(while_doing(doing))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(while_doing("setting up TLS"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
