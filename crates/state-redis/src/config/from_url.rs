//! Reading a configuration from a URL.
//!
//! `scheme://[user[:password]@]host[:port][,host[:port]…][/path][?parameter=value[&…]]`
//!
//! Read by hand, because the URL standard knows no list of hosts. Everything may be
//! percent-encoded, and `+` means itself. No message shows any text of the URL, save the name of a
//! parameter that looks like one: a character that was not encoded may put a password anywhere.

use std::collections::HashSet;
use std::fmt::Write as _;

use state_core::Result;

use super::address::{SENTINEL_PORT, SERVER_PORT};
use super::settings::SETTINGS;
use super::validate::bad;
use super::{Address, RedisConfig, Secret, Tls, TlsOptions, Topology};

#[derive(Clone, Copy, Eq, PartialEq)]
enum Shape {
    Standalone,
    Sentinel,
    Cluster,
    Unix,
}

/// The parts of a URL, as they stand in it.
struct Parts<'a> {
    shape: Shape,
    tls: bool,
    login: Option<&'a str>,
    hosts: &'a str,
    path: &'a str,
    query: &'a str,
}

/// Takes from `url` what it says; the settings that it does not name stay.
pub(super) fn apply(config: &mut RedisConfig, url: &str) -> Result<()> {
    let parts = split(url)?;
    // Login, encryption and database belong to the servers: they never outlive a new URL.
    config.username = None;
    config.password = None;
    config.database = 0;
    config.tls = if parts.tls { Tls::On(TlsOptions::new()) } else { Tls::Off };
    if let Some(login) = parts.login {
        let (user, password) = login.split_once(':').map_or((login, None), |(u, p)| (u, Some(p)));
        if !user.is_empty() {
            config.username = Some(decode("username", user)?);
        }
        config.password =
            password.map(|text| decode("password", text)).transpose()?.map(Secret::from);
    }
    let parameters = parameters(parts.query)?;
    let topology = topology(config, &parts, &parameters)?;
    config.topology = topology;
    for (name, value) in parameters {
        set(config, parts.shape, name, value)?;
    }
    Ok(())
}

/// The servers as a URL without credentials.
pub(super) fn redacted(config: &RedisConfig) -> String {
    let scheme = if config.tls.is_on() { "rediss" } else { "redis" };
    let list =
        |list: &[Address]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut url = match &config.topology {
        Topology::Standalone { address: Address::Unix { path }, .. } => {
            return format!("unix://{}?database={}", path.display(), config.database);
        }
        Topology::Standalone { address, .. } => format!("{scheme}://{address}"),
        Topology::Sentinel { sentinels, master, .. } => {
            format!("{scheme}+sentinel://{}/{master}", list(sentinels))
        }
        Topology::Cluster { seeds } => return format!("{scheme}+cluster://{}", list(seeds)),
    };
    // Writing to a string cannot fail.
    let _ = write!(url, "/{}", config.database);
    url
}

fn split(url: &str) -> Result<Parts<'_>> {
    let (scheme, rest) = url.split_once(':').ok_or_else(|| bad("url", "the scheme is missing"))?;
    let (shape, tls) = shape(scheme)?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    if rest.contains('#') {
        return Err(bad("url", "`#` must be written %23"));
    }
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) =
        before.find('/').map_or((before, ""), |at| before.split_at_checked(at).unwrap_or_default());
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    if login.is_some_and(|login| login.contains('@')) || path.contains('@') || query.contains('@') {
        return Err(bad(
            "url",
            "in user, password and parameters, `/`, `?` and `@` must be percent-encoded",
        ));
    }
    Ok(Parts { shape, tls, login, hosts, path, query })
}

fn shape(scheme: &str) -> Result<(Shape, bool)> {
    let scheme = scheme.to_ascii_lowercase();
    let (base, suffix) = scheme
        .split_once('+')
        .map_or((scheme.as_str(), None), |(base, suffix)| (base, Some(suffix)));
    let tls = matches!(base, "rediss" | "valkeys");
    let shape = match (base, suffix) {
        ("unix", None) | ("redis" | "valkey", Some("unix")) => Shape::Unix,
        ("redis" | "rediss" | "valkey" | "valkeys", None) => Shape::Standalone,
        ("redis" | "rediss" | "valkey" | "valkeys", Some("sentinel")) => Shape::Sentinel,
        ("redis" | "rediss" | "valkey" | "valkeys", Some("cluster")) => Shape::Cluster,
        _ => {
            return Err(bad(
                "url",
                "the scheme is none of redis, rediss, valkey, valkeys (each also with +sentinel \
                 or +cluster), unix and redis+unix",
            ));
        }
    };
    Ok((shape, tls))
}

/// The parameters in their order, decoded; no name twice.
fn parameters(query: &str) -> Result<Vec<(&str, String)>> {
    let mut seen = HashSet::new();
    let mut list = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let looks_like_one = !name.is_empty()
            && name.len() <= 40
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if !looks_like_one || !pair.contains('=') {
            return Err(bad("url", "the parameters are not of the form name=value"));
        }
        if !seen.insert(name) {
            return Err(bad(name, "given twice"));
        }
        list.push((name, decode(name, value)?));
    }
    Ok(list)
}

fn topology(
    config: &mut RedisConfig,
    parts: &Parts<'_>,
    parameters: &[(&str, String)],
) -> Result<Topology> {
    let given = |name: &str| {
        parameters.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone())
    };
    match parts.shape {
        Shape::Unix => {
            if !parts.hosts.is_empty() {
                return Err(bad("url", "the path of a socket begins with `/`"));
            }
            let socket = Address::unix(decode("url", parts.path)?);
            Ok(Topology::standalone(socket))
        }
        Shape::Standalone => {
            if parts.hosts.contains(',') {
                return Err(bad(
                    "url",
                    "several hosts need +sentinel or +cluster in the scheme, or the parameter \
                     replicas",
                ));
            }
            let local = parts.hosts.is_empty();
            // A login is meant for some server: for whatever runs here only where that is said.
            if local && parts.login.is_some() {
                return Err(bad("url", "the host is missing after the `@`"));
            }
            let address =
                one_host(if local { "127.0.0.1" } else { parts.hosts }, "url", SERVER_PORT)?;
            let replicas = given("replicas").map(|list| hosts(&list, "replicas", SERVER_PORT));
            database_path(config, parts.path)?;
            Ok(Topology::replicated(address, replicas.transpose()?.unwrap_or_default()))
        }
        Shape::Sentinel => {
            let sentinels = hosts(parts.hosts, "url", SENTINEL_PORT)?;
            let master = if let Some(master) = given("master") {
                database_path(config, parts.path)?;
                master
            } else {
                let path = parts.path.trim_start_matches('/');
                let (master, database) = path
                    .find('/')
                    .map_or((path, ""), |at| path.split_at_checked(at).unwrap_or_default());
                database_path(config, database)?;
                decode("master", master)?
            };
            if master.is_empty() {
                return Err(bad("master", "missing: the URL is …://sentinels/master/database"));
            }
            let mut topology = Topology::sentinel(sentinels, master);
            if let Topology::Sentinel { sentinel_username, sentinel_password, .. } = &mut topology {
                *sentinel_username = given("sentinel_username");
                *sentinel_password = given("sentinel_password").map(Secret::from);
            }
            Ok(topology)
        }
        Shape::Cluster => {
            database_path(config, parts.path)?;
            Ok(Topology::cluster(hosts(parts.hosts, "url", SERVER_PORT)?))
        }
    }
}

/// Sets one parameter; those of the topology have been read with it.
fn set(config: &mut RedisConfig, shape: Shape, name: &str, value: String) -> Result<()> {
    match name {
        "master" | "sentinel_username" | "sentinel_password" => {
            return if shape == Shape::Sentinel {
                Ok(())
            } else {
                Err(bad(name, "only for Sentinel: the scheme lacks +sentinel"))
            };
        }
        "replicas" if shape == Shape::Standalone => return Ok(()),
        "replicas" => return Err(bad(name, "only for one server: the others know their replicas")),
        _ => {}
    }
    // Short names that other clients use in their URLs.
    let full = match name {
        "db" => "database",
        "user" => "username",
        other => other,
    };
    let setting = SETTINGS.iter().find(|setting| setting.parameter() == full);
    let set = setting.and_then(|setting| setting.set);
    let set = set.ok_or_else(|| bad(name, "there is no such parameter"))?;
    if full == "database" && config.database != 0 {
        return Err(bad(name, "given twice"));
    }
    set(config, value).map_err(|reason| bad(name, reason))
}

fn database_path(config: &mut RedisConfig, path: &str) -> Result<()> {
    let text = path.strip_prefix('/').unwrap_or(path);
    if !text.is_empty() {
        config.database =
            text.parse().map_err(|_| bad("database", "the path of the URL is not its number"))?;
    }
    Ok(())
}

fn hosts(list: &str, field: &str, port: u16) -> Result<Vec<Address>> {
    list.split(',').map(|host| one_host(host, field, port)).collect()
}

fn one_host(host: &str, field: &str, port: u16) -> Result<Address> {
    Address::parse(&decode(field, host)?, port).map_err(|error| bad(field, error))
}

/// Resolves percent-encoding.
fn decode(field: &str, text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let decoded =
            digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(decoded.ok_or_else(|| bad(field, "`%` must be followed by two hex digits"))?);
    }
    String::from_utf8(bytes).map_err(|_| bad(field, "not UTF-8"))
}
