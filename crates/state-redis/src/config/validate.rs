//! What a configuration must fulfil before anything is sent.

use std::fmt::Display;

use state_core::{Error, Result};

use super::settings::SETTINGS;
use super::{Address, RedisConfig, Tls, Topology};

/// The longest key prefix in bytes: it is repeated in every key.
const PREFIX_BYTES_MAX: usize = 128;

/// Checks every setting and what they mean together.
pub(crate) fn check(config: &RedisConfig) -> Result<()> {
    numbers(config)?;
    topology(&config.topology)?;
    login(config)?;
    tls(config)?;
    prefix(config)?;
    together(config)
}

fn numbers(config: &RedisConfig) -> Result<()> {
    for setting in SETTINGS {
        if let (Some((min, max)), Some(number)) = (setting.range, (setting.number)(config))
            && !(min..=max).contains(&number)
        {
            return Err(bad(setting.name, format_args!("{number} is not in {min}..={max}")));
        }
    }
    Ok(())
}

fn topology(topology: &Topology) -> Result<()> {
    match topology {
        Topology::Standalone { address, replicas } => {
            addresses("topology.address", std::slice::from_ref(address), true)?;
            addresses("topology.replicas", replicas, true)
        }
        Topology::Sentinel { sentinels, master, sentinel_username, sentinel_password } => {
            some("topology.sentinels", sentinels)?;
            addresses("topology.sentinels", sentinels, false)?;
            if master.is_empty() || master.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(bad("topology.master", "not a name as the sentinels know it"));
            }
            credentials(
                "topology.sentinel_username",
                sentinel_username.as_deref(),
                "topology.sentinel_password",
                sentinel_password.as_ref().map(super::Secret::expose),
            )
        }
        Topology::Cluster { seeds } => {
            some("topology.seeds", seeds)?;
            addresses("topology.seeds", seeds, false)
        }
    }
}

fn some(field: &'static str, list: &[Address]) -> Result<()> {
    if list.is_empty() { Err(bad(field, "at least one is needed")) } else { Ok(()) }
}

fn addresses(field: &'static str, list: &[Address], unix: bool) -> Result<()> {
    for address in list {
        if address.is_unix() && !unix {
            return Err(bad(field, "a socket in the file system cannot be one"));
        }
        address.check().map_err(|error| bad(field, error))?;
    }
    Ok(())
}

fn login(config: &RedisConfig) -> Result<()> {
    credentials(
        "username",
        config.username.as_deref(),
        "password",
        config.password.as_ref().map(super::Secret::expose),
    )?;
    if config.client_name.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(bad("client_name", "only visible ASCII characters are allowed, and no space"));
    }
    Ok(())
}

fn credentials(
    user_field: &'static str,
    user: Option<&str>,
    password_field: &'static str,
    password: Option<&str>,
) -> Result<()> {
    if password.is_some_and(str::is_empty) {
        return Err(bad(password_field, "empty"));
    }
    match user {
        Some("") => Err(bad(user_field, "empty")),
        Some(_) if password.is_none() => Err(bad(user_field, "given without a password")),
        _ => Ok(()),
    }
}

fn tls(config: &RedisConfig) -> Result<()> {
    let Tls::On(options) = &config.tls else { return Ok(()) };
    if let Topology::Standalone { address, replicas } = &config.topology
        && (address.is_unix() || replicas.iter().any(Address::is_unix))
    {
        return Err(bad("tls", "a socket in the file system is not encrypted"));
    }
    match (&options.client_cert_file, &options.client_key_file) {
        (Some(_), None) => return Err(bad("tls.client_key_file", "missing for the certificate")),
        (None, Some(_)) => return Err(bad("tls.client_cert_file", "missing for the key")),
        _ => {}
    }
    for (field, file) in [
        ("tls.ca_file", &options.ca_file),
        ("tls.client_cert_file", &options.client_cert_file),
        ("tls.client_key_file", &options.client_key_file),
    ] {
        if file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
            return Err(bad(field, "empty"));
        }
    }
    if let Some(name) = &options.server_name
        && rustls::pki_types::ServerName::try_from(name.as_str()).is_err()
    {
        return Err(bad("tls.server_name", "not a host name"));
    }
    Ok(())
}

fn prefix(config: &RedisConfig) -> Result<()> {
    let RedisConfig { key_prefix, dangerously_without_prefix, .. } = config;
    if key_prefix.is_empty() && !dangerously_without_prefix {
        return Err(bad(
            "key_prefix",
            "empty: keys of other users of the database would be taken for ours; where there are \
             none, set dangerously_without_prefix",
        ));
    }
    if !key_prefix.is_empty() && *dangerously_without_prefix {
        return Err(bad("dangerously_without_prefix", "set together with a key_prefix"));
    }
    if key_prefix.len() > PREFIX_BYTES_MAX {
        return Err(bad("key_prefix", format_args!("longer than {PREFIX_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn together(config: &RedisConfig) -> Result<()> {
    if config.topology.is_cluster() {
        if config.database != 0 {
            return Err(bad("database", "a cluster has only database 0"));
        }
        if config.cross_partition {
            return Err(bad("cross_partition", "a cluster cannot do it"));
        }
    }
    if config.pool_size_min > config.pool_size_max {
        return Err(bad("pool_size_min", "greater than pool_size_max"));
    }
    if config.retry_base_delay_ms > config.retry_max_delay_ms {
        return Err(bad("retry_base_delay_ms", "greater than retry_max_delay_ms"));
    }
    Ok(())
}

/// Names the setting; `reason` never holds the text of a setting.
pub(super) fn bad(field: &str, reason: impl Display) -> Error {
    Error::invalid(format!("{field}: {reason}")).with_op("configure")
}
