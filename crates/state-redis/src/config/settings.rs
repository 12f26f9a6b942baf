//! The table of all settings: their names in URLs, units, limits, and what they are for.
//!
//! URL parameters, validation and the table of the configuration guide all come from here, so that
//! a setting can not be in one and not in another.

use std::path::PathBuf;

use super::{RedisConfig, Secret, Tls, TlsOptions};

/// Takes the text of a URL parameter; the error says what is wrong with it.
type Set = fn(&mut RedisConfig, String) -> Result<(), &'static str>;

/// One setting.
pub(crate) struct Setting {
    /// The name of the field; what is inside another field has its name behind a dot.
    pub(crate) name: &'static str,
    /// The unit of its number, or what kind of text it is.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the table of the guide"))]
    pub(crate) unit: &'static str,
    /// The smallest and the greatest number.
    pub(crate) range: Option<(u64, u64)>,
    /// One sentence about it, without a dot.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the table of the guide"))]
    pub(crate) about: &'static str,
    /// Its value as text, where it is set. Never called for secrets outside of tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the table of the guide"))]
    pub(crate) get: fn(&RedisConfig) -> Option<String>,
    /// Its number, where it has one and it is set.
    pub(crate) number: fn(&RedisConfig) -> Option<u64>,
    /// How it is set by a URL parameter, where it is one.
    pub(crate) set: Option<Set>,
}

impl Setting {
    /// The name of its URL parameter.
    pub(crate) fn parameter(&self) -> String {
        self.name.replace('.', "_")
    }
}

const NUMBER: &str = "not a whole number that fits";
const BOOL: &str = "neither true nor false";
const NO_TLS: &str = "the scheme of the URL does not encrypt: use rediss or valkeys";

macro_rules! number {
    ($field:ident, $unit:literal, $min:expr, $max:expr, $about:literal) => {
        Setting {
            name: stringify!($field),
            unit: $unit,
            range: Some(($min, $max)),
            about: $about,
            get: |config| Some(config.$field.to_string()),
            number: |config| Some(widen(config.$field)),
            set: Some(|config, text| {
                config.$field = text.parse().map_err(|_| NUMBER)?;
                Ok(())
            }),
        }
    };
}

macro_rules! flag {
    ($field:ident, $about:literal) => {
        Setting {
            name: stringify!($field),
            unit: "true or false",
            range: None,
            about: $about,
            get: |config| Some(config.$field.to_string()),
            number: |_| None,
            set: Some(|config, text| {
                config.$field = text.parse().map_err(|_| BOOL)?;
                Ok(())
            }),
        }
    };
}

macro_rules! text {
    ($field:ident, $about:literal) => {
        Setting {
            name: stringify!($field),
            unit: "text",
            range: None,
            about: $about,
            get: |config| Some(config.$field.clone()),
            number: |_| None,
            set: Some(|config, text| {
                config.$field = text;
                Ok(())
            }),
        }
    };
}

macro_rules! tls_file {
    ($name:literal, $field:ident, $about:literal) => {
        Setting {
            name: $name,
            unit: "path",
            range: None,
            about: $about,
            get: |config| config.tls.options()?.$field.as_ref().map(|p| p.display().to_string()),
            number: |_| None,
            set: Some(|config, text| {
                tls(config)?.$field = Some(PathBuf::from(text));
                Ok(())
            }),
        }
    };
}

/// Every setting, in the order of the guide.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "topology",
        unit: "table",
        range: None,
        about: "which servers there are; in a URL the scheme, the hosts and `replicas` or `master`",
        get: |config| Some(super::from_url::redacted(config)),
        number: |_| None,
        set: None,
    },
    Setting {
        name: "username",
        unit: "text",
        range: None,
        about: "the ACL user; without one it is the server's `default` user",
        get: |config| config.username.clone(),
        number: |_| None,
        set: Some(|config, text| once(&mut config.username, text)),
    },
    Setting {
        name: "password",
        unit: "secret",
        range: None,
        about: "the password of the user",
        get: |config| config.password.as_ref().map(ToString::to_string),
        number: |_| None,
        set: Some(|config, text| once(&mut config.password, Secret::from(text))),
    },
    number!(
        database,
        "number",
        0,
        65_535,
        "the database, which is 0 in a cluster; in a URL also the path"
    ),
    text!(client_name, "the name that `CLIENT LIST` shows for the connections; empty for none"),
    Setting {
        name: "tls",
        unit: "table",
        range: None,
        about: "`off`, or `on` with the settings below; in a URL the scheme",
        get: |config| Some(if config.tls.is_on() { "on" } else { "off" }.to_owned()),
        number: |_| None,
        set: None,
    },
    tls_file!(
        "tls.ca_file",
        ca_file,
        "the authorities to trust, and no others; without it those that the operating system trusts"
    ),
    tls_file!(
        "tls.client_cert_file",
        client_cert_file,
        "our certificate chain; needs the file of the key"
    ),
    tls_file!(
        "tls.client_key_file",
        client_key_file,
        "the private key of our certificate; needs the file of the chain"
    ),
    Setting {
        name: "tls.server_name",
        unit: "host name",
        range: None,
        about: "the name in the certificate of every server; without it the host of its address",
        get: |config| config.tls.options()?.server_name.clone(),
        number: |_| None,
        set: Some(|config, text| {
            tls(config)?.server_name = Some(text);
            Ok(())
        }),
    },
    text!(key_prefix, "what every key on the server begins with"),
    flag!(
        dangerously_without_prefix,
        "allows an empty `key_prefix`, which takes the whole database for this store"
    ),
    Setting {
        name: "default_lifetime_ms",
        unit: "ms",
        range: Some((1, 315_576_000_000)),
        about: "the lifetime of entries that are written without naming one",
        get: |config| config.default_lifetime_ms.map(|ms| ms.to_string()),
        number: |config| config.default_lifetime_ms,
        set: Some(|config, text| {
            config.default_lifetime_ms = Some(text.parse().map_err(|_| NUMBER)?);
            Ok(())
        }),
    },
    number!(value_bytes_max, "bytes", 1, 512 << 20, "the largest value"),
    number!(
        write_format,
        "number",
        1,
        1,
        "the format in which entries are written; one so far, and every known one is read"
    ),
    flag!(
        cross_partition,
        "lets transactions span partitions; refused in a cluster, which cannot do it"
    ),
    flag!(read_from_replicas, "lets reads with `Consistency::Eventual` go to replicas"),
    number!(
        strong_replicas,
        "replicas",
        0,
        1_000,
        "how many replicas a write with `Acks::Strong` waits for; with 0 it waits for none"
    ),
    number!(pool_size_min, "connections", 0, 1_000, "exclusive connections kept open per server"),
    number!(pool_size_max, "connections", 1, 1_000, "the most exclusive connections per server"),
    number!(
        call_timeout_ms,
        "ms",
        1,
        3_600_000,
        "the deadline of a whole call, with every try and every wait between them"
    ),
    number!(
        connect_timeout_ms,
        "ms",
        1,
        3_600_000,
        "how long one connection may take to be made, TLS and login included"
    ),
    number!(
        read_timeout_ms,
        "ms",
        1,
        3_600_000,
        "how long one try waits for its reply, beside `write_timeout_ms` for writing it"
    ),
    number!(
        write_timeout_ms,
        "ms",
        1,
        3_600_000,
        "how long a server may take nothing of what is to be written; its connection is given up then"
    ),
    number!(
        acks_timeout_ms,
        "ms",
        1,
        3_600_000,
        "how long a write waits for replicas or for the disk behind the reply of the primary"
    ),
    number!(
        silence_timeout_ms,
        "ms",
        10,
        60_000,
        "how long a connection may stay silent while replies are due before another is tried"
    ),
    number!(
        log_poll_ms,
        "ms",
        1,
        60_000,
        "how long a watch of a change log waits before it looks again when nothing was new"
    ),
    number!(
        tcp_keepalive_ms,
        "ms",
        1_000,
        7_200_000,
        "the idle time after which TCP probes the peer"
    ),
    number!(
        tcp_user_timeout_ms,
        "ms",
        100,
        3_600_000,
        "how long sent bytes may stay unacknowledged before TCP gives up; only on Linux"
    ),
    number!(retries, "tries", 0, 100, "how often a failed try is repeated, where that is safe"),
    number!(
        retry_base_delay_ms,
        "ms",
        1,
        60_000,
        "the longest wait before the first repetition; it doubles with each further one"
    ),
    number!(retry_max_delay_ms, "ms", 1, 600_000, "the longest wait before any repetition"),
    number!(
        retry_budget_percent,
        "percent",
        0,
        100,
        "repetitions allowed per 100 calls, over all calls together"
    ),
    number!(
        retry_budget_min_per_s,
        "tries per second",
        0,
        100_000,
        "repetitions allowed per second whatever the number of calls"
    ),
    number!(batch_keys_max, "keys", 1, 10_000, "the most keys of one command of a batch"),
    number!(
        batch_bytes_max,
        "bytes",
        1_024,
        512 << 20,
        "the most bytes of one chunk of a batch; a larger single value goes alone"
    ),
    number!(
        bulk_bytes_min,
        "bytes",
        1,
        512 << 20,
        "values from this size on use the connection for bulk"
    ),
];

fn widen<N: TryInto<u64>>(number: N) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

/// Sets what the URL may already have said elsewhere.
fn once<T>(field: &mut Option<T>, value: T) -> Result<(), &'static str> {
    if field.is_some() {
        return Err("given twice");
    }
    *field = Some(value);
    Ok(())
}

fn tls(config: &mut RedisConfig) -> Result<&mut TlsOptions, &'static str> {
    match &mut config.tls {
        Tls::On(options) => Ok(options),
        Tls::Off => Err(NO_TLS),
    }
}
