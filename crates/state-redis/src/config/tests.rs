//! Tests of the configuration as a whole: URLs, limits, serde, and the guide.

mod guide;
mod urls;

use std::time::Duration;

use state_core::ErrorKind;

use super::settings::SETTINGS;
use super::*;

/// The message of what is refused.
fn refused(change: impl FnOnce(&mut RedisConfig)) -> String {
    let mut config = RedisConfig::default();
    change(&mut config);
    let error = config.validate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[test]
fn the_defaults_are_valid_and_a_url_without_settings_means_them() {
    RedisConfig::default().validate().unwrap();
    assert_eq!(RedisConfig::from_url("redis://127.0.0.1:6379").unwrap(), RedisConfig::default());
    assert_eq!(RedisConfig::builder().build().unwrap(), RedisConfig::default());
}

#[test]
fn every_number_is_held_to_its_limits_and_named() {
    let names: Vec<_> = SETTINGS.iter().filter(|setting| setting.range.is_some()).collect();
    assert!(names.len() > 15);
    for setting in names {
        let (min, max) = setting.range.unwrap();
        let set = setting.set.unwrap();
        for bad in [min.checked_sub(1), max.checked_add(1)].into_iter().flatten() {
            let mut config = RedisConfig::default();
            if set(&mut config, bad.to_string()).is_ok() {
                let error = config.validate().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Invalid, "{}", setting.name);
                assert!(error.to_string().contains(setting.name), "{error}");
            }
        }
        for good in [min, max] {
            let mut config = RedisConfig::default();
            set(&mut config, good.to_string()).unwrap();
            let about_this = |error: &state_core::Error| {
                error.to_string().starts_with(&format!("configure: {}: {good} ", setting.name))
            };
            assert!(!config.validate().is_err_and(|error| about_this(&error)), "{}", setting.name);
        }
        for text in ["", "x", "-1", "1.5", "99999999999999999999999"] {
            assert!(set(&mut RedisConfig::default(), text.to_owned()).is_err(), "{}", setting.name);
        }
    }
}

/// Checks that the change is refused with an error about `field`.
fn refuses(field: &str, change: impl FnOnce(&mut RedisConfig)) {
    let said = refused(change);
    assert!(said.starts_with(&format!("configure: {field}: ")), "{field}: {said}");
}

#[test]
fn servers_that_cannot_be_are_refused_and_named() {
    let host = || Address::tcp("h", 1);
    let refuses = |field: &str, topology: Topology| refuses(field, |c| c.topology = topology);
    refuses("topology.seeds", Topology::cluster([]));
    refuses("topology.seeds", Topology::cluster([Address::unix("/s")]));
    refuses("topology.sentinels", Topology::sentinel([], "m"));
    refuses("topology.sentinels", Topology::sentinel([Address::unix("/s")], "m"));
    refuses("topology.master", Topology::sentinel([host()], ""));
    refuses("topology.master", Topology::sentinel([host()], "two words"));
    let sentinel = || Topology::sentinel([host()], "m");
    refuses("topology.sentinel_password", sentinel().with_sentinel_login(None, ""));
    let mut no_password = sentinel();
    if let Topology::Sentinel { sentinel_username, .. } = &mut no_password {
        *sentinel_username = Some("u".to_owned());
    }
    refuses("topology.sentinel_username", no_password);
    refuses("topology.address", Topology::standalone(Address::tcp("", 1)));
    refuses("topology.address", Topology::standalone(Address::tcp("h", 0)));
    refuses("topology.address", Topology::standalone(Address::unix("s")));
    refuses("topology.replicas", Topology::replicated(host(), [Address::tcp("a b", 1)]));
}

#[test]
fn settings_that_do_not_go_together_are_refused_and_named() {
    let cluster = || Topology::cluster([Address::tcp("h", 1)]);
    refuses("database", |c| (c.topology, c.database) = (cluster(), 1));
    refuses("cross_partition", |c| (c.topology, c.cross_partition) = (cluster(), true));
    refuses("username", |c| c.username = Some("u".to_owned()));
    refuses("username", |c| (c.username, c.password) = (Some(String::new()), Some("p".into())));
    refuses("password", |c| c.password = Some(Secret::new("")));
    refuses("client_name", |c| "two words".clone_into(&mut c.client_name));
    let tls = TlsOptions::new;
    refuses("tls", |c| {
        c.topology = Topology::standalone(Address::unix("/s"));
        c.tls = tls().into();
    });
    refuses("tls.ca_file", |c| c.tls = tls().with_ca_file("").into());
    refuses("tls.server_name", |c| c.tls = tls().with_server_name("a b").into());
    let mut half = tls();
    half.client_cert_file = Some("cert".into());
    refuses("tls.client_key_file", |c| c.tls = half.into());
    let mut half = tls();
    half.client_key_file = Some("key".into());
    refuses("tls.client_cert_file", |c| c.tls = half.into());
    refuses("write_format", |c| c.write_format = FORMAT_MAX + 1);
    refuses("write_format", |c| c.write_format = 0);
    refuses("key_prefix", |c| c.key_prefix.clear());
    refuses("key_prefix", |c| c.key_prefix = "x".repeat(129));
    refuses("dangerously_without_prefix", |c| c.dangerously_without_prefix = true);
    refuses("pool_size_min", |c| c.pool_size_min = c.pool_size_max + 1);
    refuses("retry_base_delay_ms", |c| c.retry_base_delay_ms = c.retry_max_delay_ms + 1);
}

#[test]
fn an_empty_prefix_needs_to_be_asked_for_by_its_dangerous_name() {
    let said = RedisConfig::builder().with_key_prefix("").build().unwrap_err().to_string();
    assert!(said.contains("key_prefix") && said.contains("dangerously_without_prefix"), "{said}");
    let config = RedisConfig::builder().dangerously_without_prefix().build().unwrap();
    assert_eq!(config.key_prefix, "");
    let url = "redis://h?key_prefix=&dangerously_without_prefix=true";
    assert_eq!(RedisConfig::from_url(url).unwrap().key_prefix, "");
}

#[test]
fn the_builder_sets_what_it_says() {
    let config = RedisConfig::builder()
        .with_topology(Topology::cluster([Address::tcp("h", 7000)]))
        .with_tls(TlsOptions::new().with_client_cert("c.pem", "k.pem"))
        .with_username("u")
        .with_password("hunter2")
        .with_key_prefix("shop")
        .with_default_lifetime(Duration::from_secs(60))
        .with_pool_size_min(1)
        .with_pool_size_max(2)
        .with_call_timeout(Duration::from_secs(1))
        .with_connect_timeout(Duration::from_millis(2))
        .with_read_timeout(Duration::from_millis(3))
        .with_write_timeout(Duration::from_millis(4))
        .with_silence_timeout(Duration::from_millis(50))
        .with_retries(6)
        .with_retry_base_delay(Duration::from_millis(7))
        .with_retry_max_delay(Duration::from_millis(8))
        .with_client_name("worker")
        .build()
        .unwrap();
    assert!(config.topology.is_cluster() && config.tls.is_on());
    assert_eq!(config.password.as_ref().map(Secret::expose), Some("hunter2"));
    assert_eq!(config.default_lifetime(), Some(Duration::from_secs(60)));
    assert_eq!(config.call_timeout(), Duration::from_secs(1));
    assert_eq!(config.connect_timeout(), Duration::from_millis(2));
    assert_eq!(config.attempt_timeout(), Duration::from_millis(7));
    assert_eq!(config.silence_timeout(), Duration::from_millis(50));
    assert_eq!((config.pool_size_min, config.pool_size_max, config.retries), (1, 2, 6));
    assert_eq!(config.retry_base_delay(), Duration::from_millis(7));
    assert_eq!(config.retry_max_delay(), Duration::from_millis(8));
    for (build, field) in [
        (RedisConfig::builder().with_call_timeout(Duration::from_micros(999)), "call_timeout_ms"),
        (RedisConfig::builder().with_read_timeout(Duration::MAX), "read_timeout_ms"),
        (RedisConfig::builder().with_default_lifetime(Duration::ZERO), "default_lifetime_ms"),
        (RedisConfig::builder().with_pool_size_max(0), "pool_size_max"),
    ] {
        let error = build.build().unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[test]
fn files_hold_any_part_of_it_and_nothing_unknown() {
    let config: RedisConfig = serde_json::from_str(
        r#"{
            "topology": {"mode": "sentinel", "sentinels": ["a", "b:1"], "master": "m",
                         "sentinel_password": "hunter2"},
            "tls": {"on": {"ca_file": "ca.pem"}},
            "password": "hunter2",
            "retries": 5
        }"#,
    )
    .unwrap();
    config.validate().unwrap();
    let expected = Topology::sentinel([Address::tcp("a", 26_379), Address::tcp("b", 1)], "m")
        .with_sentinel_login(None, "hunter2");
    assert_eq!(config.topology, expected);
    assert_eq!((config.retries, config.read_timeout_ms), (5, 3_000));
    for bad in [
        r#"{"retires": 5}"#,
        r#"{"tls": {"on": {"ca": "x"}}}"#,
        r#"{"tls": "maybe"}"#,
        r#"{"topology": {"mode": "standalone", "address": "h", "master": "m"}}"#,
        r#"{"topology": {"mode": "cluster"}}"#,
    ] {
        assert!(serde_json::from_str::<RedisConfig>(bad).is_err(), "{bad}");
    }
    let off: RedisConfig = serde_json::from_str(r#"{"tls": "off"}"#).unwrap();
    assert_eq!(off, RedisConfig::default());
}

#[test]
fn nothing_that_is_shown_or_written_holds_a_secret() {
    let url = "rediss+sentinel://u:hunter2@h/m?sentinel_password=hunter3";
    let config = RedisConfig::from_url(url).unwrap();
    let builder = RedisConfig::builder().with_url(url);
    let json = serde_json::to_string(&config).unwrap();
    let mut shown =
        vec![format!("{config:?} {config:#?} {builder:?}"), json.clone(), config.redacted_url()];
    shown.extend(SETTINGS.iter().filter_map(|setting| (setting.get)(&config)));
    for text in shown {
        assert!(!text.contains("hunter"), "{text}");
    }
    // And what was written without its secrets is not taken for a whole configuration.
    let again = serde_json::from_str::<RedisConfig>(&json).unwrap_err().to_string();
    assert!(again.contains("redacted") && !again.contains("hunter"), "{again}");
    // Without secrets it is read back as it was.
    let plain = RedisConfig::from_url("rediss+cluster://a,b:7000?retries=1").unwrap();
    let json = serde_json::to_string(&plain).unwrap();
    assert_eq!(serde_json::from_str::<RedisConfig>(&json).unwrap(), plain);
}
