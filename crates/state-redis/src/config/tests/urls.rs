//! Tests of URLs.

use super::*;

fn read(url: &str) -> RedisConfig {
    RedisConfig::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn tcp(host: &str, port: u16) -> Address {
    Address::tcp(host, port)
}

#[test]
fn every_scheme_has_its_topology_and_encryption() {
    let one = || Topology::standalone(tcp("h", 6379));
    let sentinel = || Topology::sentinel([tcp("h", 26_379)], "m");
    let cluster = || Topology::cluster([tcp("h", 6379)]);
    let socket = || Topology::standalone(Address::unix("/run/s"));
    for (url, topology, encrypted) in [
        ("redis://h", one(), false),
        ("rediss://h", one(), true),
        ("valkey://h", one(), false),
        ("valkeys://h", one(), true),
        ("REDISS://h/", one(), true),
        ("redis+sentinel://h/m", sentinel(), false),
        ("rediss+sentinel://h/m", sentinel(), true),
        ("valkey+sentinel://h/m/0", sentinel(), false),
        ("redis+sentinel://h/?master=m", sentinel(), false),
        ("redis+cluster://h", cluster(), false),
        ("rediss+cluster://h/0", cluster(), true),
        ("valkeys+cluster://h", cluster(), true),
        ("unix:///run/s", socket(), false),
        ("unix:/run/s", socket(), false),
        ("redis+unix:///run/s", socket(), false),
        ("redis:///", Topology::default(), false),
    ] {
        let config = read(url);
        assert_eq!((&config.topology, config.tls.is_on()), (&topology, encrypted), "{url}");
    }
}

#[test]
fn the_parts_go_where_they_belong() {
    let config = read("redis://us%40er:p%3Aa%2Fs%3Fs%23%25@[::1]:7001/3");
    assert_eq!(config.topology, Topology::standalone(tcp("::1", 7001)));
    assert_eq!(config.username.as_deref(), Some("us@er"));
    assert_eq!(config.password.as_ref().map(Secret::expose), Some("p:a/s?s#%"));
    assert_eq!(config.database, 3);
    // A colon in the password ends nothing, and neither does a plus mean a space.
    let config = read("redis://:a:b+c@h");
    assert_eq!(config.password.as_ref().map(Secret::expose), Some("a:b+c"));
    assert_eq!(config.username, None);

    // A host, a path and a name may be encoded too.
    assert_eq!(read("redis://%68").topology, Topology::standalone(tcp("h", 6379)));
    let socket = read("unix:///run/a%20b%40c").topology;
    assert_eq!(socket, Topology::standalone(Address::unix("/run/a b@c")));
    let named = read("redis+sentinel://h/my%2Fm").topology;
    assert_eq!(named, Topology::sentinel([tcp("h", 26_379)], "my/m"));
}

#[test]
fn lists_of_hosts_and_replicas() {
    let config = read("redis+cluster://a:1,b,[::1]:2");
    assert_eq!(config.topology, Topology::cluster([tcp("a", 1), tcp("b", 6379), tcp("::1", 2)]));
    let config = read("redis://a?replicas=b,c:7");
    let expected = Topology::replicated(tcp("a", 6379), [tcp("b", 6379), tcp("c", 7)]);
    assert_eq!(config.topology, expected);
    let login = "redis+sentinel://:p@a,b:1/m/4?sentinel_username=s&sentinel_password=t";
    let config = read(login);
    let expected = Topology::sentinel([tcp("a", 26_379), tcp("b", 1)], "m")
        .with_sentinel_login("s".to_owned(), "t");
    assert_eq!((config.topology, config.database), (expected, 4));
}

#[test]
fn every_setting_is_a_parameter() {
    for setting in SETTINGS {
        let parameter = setting.parameter();
        let base = if setting.name.starts_with("tls.") { "rediss://h" } else { "redis://h" };
        let Some(_) = setting.set else {
            let error = RedisConfig::from_url(&format!("{base}?{parameter}=x")).unwrap_err();
            assert!(error.to_string().contains(&parameter), "{error}");
            continue;
        };
        let (value, more) = match (setting.range, setting.unit) {
            (_, "true or false") if setting.name.starts_with("dangerously") => {
                ("true".to_owned(), "&key_prefix=")
            }
            (Some((min, _)), _) => (min.max(1).to_string(), "&retry_base_delay_ms=1"),
            (None, "true or false") => ("true".to_owned(), ""),
            _ if setting.name == "username" => ("x".to_owned(), "&password=y"),
            _ if setting.name == "tls.client_cert_file" => {
                ("x".to_owned(), "&tls_client_key_file=y")
            }
            _ if setting.name == "tls.client_key_file" => {
                ("x".to_owned(), "&tls_client_cert_file=y")
            }
            _ => ("x".to_owned(), ""),
        };
        let more = if setting.name == "retry_base_delay_ms" { "" } else { more };
        let config = read(&format!("{base}?{parameter}={value}{more}"));
        let shown = (setting.get)(&config).unwrap();
        let expected = if setting.unit == "secret" { "[redacted]" } else { &value };
        assert_eq!(shown, expected, "{parameter}");
    }
    assert_eq!(read("unix:///s?db=2&user=u&password=p").database, 2);
}

#[test]
fn a_url_keeps_the_other_settings_and_drops_the_login_of_another() {
    let config = RedisConfig::builder()
        .with_retries(7)
        .with_url("rediss://u:p@first/3?key_prefix=shop")
        .with_url("redis://second")
        .build()
        .unwrap();
    assert_eq!((config.retries, config.key_prefix.as_str()), (7, "shop"));
    assert_eq!((config.username, config.password, config.database), (None, None, 0));
    assert!(!config.tls.is_on());
}

#[test]
fn what_is_wrong_is_named_and_nothing_of_the_url_is_shown() {
    for (url, names) in [
        ("", "url"),
        ("hunter2", "url"),
        ("http://hunter2", "url"),
        ("hunter2://h", "url"),
        ("rediss+unix:///hunter2", "url"),
        ("redis+hunter2://h", "url"),
        ("redis://:hunter2@h:x", "url"),
        ("redis://:hunter2@h:0", "url"),
        ("redis://:hunter2", "url"),
        ("redis://u:hunter2@", "the host is missing"),
        ("rediss://:hunter2@/3", "the host is missing"),
        ("redis://hunter2@?db=1", "the host is missing"),
        ("redis+sentinel://u:hunter2@/m", "the host is missing"),
        ("redis+cluster://u:hunter2@", "the host is missing"),
        ("redis://u:hun/ter2@h", "percent-encoded"),
        ("redis://u:hun?ter2@h", "percent-encoded"),
        ("redis://u:hun@ter2@h", "percent-encoded"),
        ("redis://u:hun#ter2@h", "%23"),
        ("redis://u:hunter2%@h", "password"),
        ("redis://u:hunter2%zz@h", "password"),
        ("redis://u:hunter2%ff@h", "password"),
        ("redis://u:@h", "password"),
        ("redis://hunter2@h", "username"),
        ("redis://h,hunter2", "+cluster"),
        ("redis+cluster://h,,hunter2", "url"),
        ("redis://h/hunter2", "database"),
        ("redis://h/65536", "database"),
        ("redis://h/-1", "database"),
        ("redis://h/1/hunter2", "database"),
        ("redis://h/1?database=2", "database"),
        ("redis+cluster://h/1", "database"),
        ("redis+cluster://h?db=1", "database"),
        ("redis+sentinel://h", "master"),
        ("redis+sentinel://h/?master=", "master"),
        ("redis+sentinel://h/m/hunter2", "database"),
        ("redis://h?master=hunter2", "master"),
        ("redis+cluster://h?sentinel_password=hunter2", "sentinel_password"),
        ("redis+cluster://h?replicas=hunter2", "replicas"),
        ("redis://h?replicas=a:hunter2", "replicas"),
        ("redis://h?retires=hunter2", "retires"),
        ("redis://h?topology=hunter2", "topology"),
        ("redis://h?retries=hunter2", "retries"),
        ("redis://h?retries=101", "retries"),
        ("redis://h?retries=1&retries=2", "retries"),
        ("redis://:hunter2@h?password=hunter3", "password"),
        ("redis://h?read_timeout_ms=0", "read_timeout_ms"),
        ("redis://h?cross_partition=hunter2", "cross_partition"),
        ("redis://h?key_prefix=", "key_prefix"),
        ("redis://h?tls_ca_file=hunter2", "tls_ca_file"),
        ("redis://h?hunter2", "url"),
        ("redis://h?HUNTER=hunter2", "url"),
        ("redis://h?=hunter2", "url"),
        ("unix://hunter2/s", "url"),
        ("unix:", "path"),
        ("redis://host name", "url"),
    ] {
        let error = RedisConfig::from_url(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
        let said = format!("{error} {error:?}");
        assert!(said.contains(names), "{url}: {said}");
        assert!(!said.to_lowercase().contains("hun") && !said.contains("ter2"), "{url}: {said}");
    }
}

#[test]
fn the_url_without_credentials_leads_to_the_same_servers() {
    for url in [
        "redis://u:p@h:7/3",
        "rediss://[::1]",
        "rediss+cluster://:p@a,b:7000",
        "redis+sentinel://a,b/m/2?sentinel_password=p",
        "unix:///run/s?db=2&password=p",
    ] {
        let config = read(url);
        let again = read(&config.redacted_url());
        assert_eq!((again.database, &again.tls), (config.database, &config.tls), "{url}");
        assert_eq!(again.redacted_url(), config.redacted_url(), "{url}");
        assert_eq!(again.password, None);
    }
}
