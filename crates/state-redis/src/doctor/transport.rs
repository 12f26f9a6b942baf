//! Whether others can read what is sent.

use super::finding::{Finding, Level, Subject};
use crate::config::{Address, RedisConfig, Topology};

pub(super) fn judge(config: &RedisConfig) -> Finding {
    let means = "nobody on the way reads passwords and values, or changes them";
    if config.tls.options().is_some() {
        return Finding::ok(Subject::Encryption, "connections are encrypted (TLS)", means);
    }
    let addresses: &[Address] = match &config.topology {
        Topology::Standalone { address, .. } => std::slice::from_ref(address),
        Topology::Sentinel { sentinels, .. } => sentinels,
        Topology::Cluster { seeds } => seeds,
    };
    if addresses.iter().all(super::look::is_local) {
        let found = "connections are not encrypted, and do not leave this machine";
        return Finding::ok(Subject::Encryption, found, "only this machine could read along");
    }
    let found = "connections are not encrypted";
    let means = "whoever is on the way reads passwords and values, and can change them";
    let fix = "set `tls-port` and `port 0` on the servers, and use `rediss://`";
    Finding::new(Subject::Encryption, Level::Warning, found, means).with_fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_connections_to_elsewhere_are_told() {
        for (url, level) in [
            ("redis://db.example.org", Level::Warning),
            ("rediss://db.example.org", Level::Ok),
            ("redis://127.0.0.1", Level::Ok),
            ("unix:///run/r.sock", Level::Ok),
            ("redis+sentinel://127.0.0.1,10.0.0.2/m", Level::Warning),
            ("redis+cluster://localhost:1,localhost:2", Level::Ok),
        ] {
            assert_eq!(judge(&RedisConfig::from_url(url).unwrap()).level, level, "{url}");
        }
    }
}
