//! The URL of a store, as `--store` takes it.

use std::fmt;
use std::path::{Path, PathBuf};

#[cfg(feature = "redis")]
use state_redis::RedisConfig;

use crate::failure::Failure;

/// Which store is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum StoreUrl {
    /// `memory:`
    Memory,
    /// `file:PATH`
    File(PathBuf),
    /// `redis://…` and its relatives, read already: nothing that shows a configuration shows its
    /// secrets.
    #[cfg(feature = "redis")]
    Redis(Box<RedisConfig>),
}

#[cfg(feature = "redis")]
const KNOWN: &str = "known stores are `file:PATH`, `memory:`, `redis://HOST:PORT` and its \
     relatives (`statectl --help` lists them)";
#[cfg(not(feature = "redis"))]
const KNOWN: &str = "known stores are `file:PATH` and `memory:`";

impl StoreUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, Failure> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(if url == "memory" {
                Failure::usage("`memory` lacks its colon", "write `--store memory:`")
            } else {
                without_scheme(url)
            });
        };
        // One letter before the colon is a drive, not a scheme.
        if scheme.len() < 2 || scheme.contains(['/', '\\', '.']) {
            return Err(without_scheme(url));
        }
        match scheme {
            "memory" if rest.is_empty() || rest == "//" => Ok(Self::Memory),
            "memory" => Err(Failure::usage(
                "a memory store has no path",
                "write `--store memory:`, or `--store file:PATH` for a store that stays",
            )),
            "file" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() {
                    return Err(Failure::usage(
                        "the path of the file store is missing",
                        "write for example `--store file:./app.state`",
                    ));
                }
                if path.contains("://") {
                    return Err(Failure::usage(
                        "the path of the file store is a URL itself",
                        "leave out `file:` for a store on a server",
                    ));
                }
                Ok(Self::File(PathBuf::from(path)))
            }
            scheme if names_a_server(scheme) => redis(url),
            // The rest of the URL may hold a password: it is not repeated.
            other => Err(Failure::usage(format!("the store scheme `{other}:` is unknown"), KNOWN)),
        }
    }

    /// Where the store is, if it is a file.
    pub(crate) fn path(&self) -> Option<&Path> {
        if let Self::File(path) = self { Some(path) } else { None }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            #[cfg(feature = "redis")]
            Self::Redis(config) => f.write_str(&config.redacted_url()),
        }
    }
}

fn names_a_server(scheme: &str) -> bool {
    let family = scheme.split('+').next().unwrap_or_default();
    let known = ["redis", "rediss", "valkey", "valkeys", "unix"];
    known.iter().any(|name| family.eq_ignore_ascii_case(name))
}

#[cfg(feature = "redis")]
fn redis(url: &str) -> Result<StoreUrl, Failure> {
    RedisConfig::from_url(url).map(|config| StoreUrl::Redis(Box::new(config))).map_err(|error| {
        Failure::from(error).with_next(
            "write for example `redis://HOST:6379` or `rediss://USER:PASSWORD@HOST:6379/0`; \
             `statectl --help` lists the schemes",
        )
    })
}

#[cfg(not(feature = "redis"))]
fn redis(_url: &str) -> Result<StoreUrl, Failure> {
    Err(Failure::usage(
        "this build of statectl has no stores on Redis",
        format!("build it with its feature `redis`; {KNOWN}"),
    ))
}

fn without_scheme(path: &str) -> Failure {
    // What looks like a mistyped URL may hold a password: it is not repeated.
    let file = if path.contains('@') || path.contains("//") { "PATH" } else { path };
    Failure::usage(
        "the store has no scheme",
        format!("for a store in a file write `--store file:{file}`; {KNOWN}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_schemes() {
        assert_eq!(StoreUrl::parse("memory:").unwrap(), StoreUrl::Memory);
        for (url, path) in [
            ("file:a.state", "a.state"),
            ("file:./a b", "./a b"),
            ("file:/x/y", "/x/y"),
            ("file:///x/y", "/x/y"),
            ("file:with:colon", "with:colon"),
        ] {
            assert_eq!(StoreUrl::parse(url).unwrap(), StoreUrl::File(path.into()), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_no_password_is_shown() {
        for (url, said) in [
            ("./app.state", "file:./app.state"),
            ("app.state", "file:app.state"),
            ("/x/y:z", "file:/x/y:z"),
            ("memory", "memory:"),
            ("memory:x", "no path"),
            ("file:", "path"),
            ("mysql://:secret@host", "known stores are"),
            ("redis//user:secret@host", "file:PATH"),
            ("redis;//user:secret@host", "file:PATH"),
            ("a.user:secret@host", "file:PATH"),
            ("file:redis://user:secret@host", "leave out `file:`"),
        ] {
            let text = StoreUrl::parse(url).unwrap_err().to_string();
            assert!(text.contains(said), "{url}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[cfg(feature = "redis")]
    #[test]
    fn servers_are_known_by_many_schemes_and_shown_without_secrets() {
        for (url, shown) in [
            ("redis://h", "redis://h:6379/0"),
            ("redis://:secret@h:1/2", "redis://h:1/2"),
            ("REDIS://u:secret@h", "redis://h:6379/0"),
            ("valkey://h", "redis://h:6379/0"),
            ("rediss://u:secret@h", "rediss://h:6379/0"),
            ("valkeys://h", "rediss://h:6379/0"),
            ("redis+sentinel://a,b/main", "redis+sentinel://a:26379,b:26379/main/0"),
            ("rediss+sentinel://u:secret@a/main", "rediss+sentinel://a:26379/main/0"),
            ("redis+cluster://:secret@a,b:7", "redis+cluster://a:6379,b:7"),
            ("rediss+cluster://a", "rediss+cluster://a:6379"),
            ("unix:///run/r.sock", "unix:///run/r.sock?database=0"),
            ("redis+unix:///run/r.sock?password=secret", "unix:///run/r.sock?database=0"),
        ] {
            let store = StoreUrl::parse(url).unwrap();
            assert_eq!(store.to_string(), shown, "{url}");
            assert!(!format!("{store:?}").contains("secret"), "{url}: {store:?}");
        }
    }

    #[cfg(feature = "redis")]
    #[test]
    fn urls_of_servers_that_are_wrong_name_the_part() {
        for (url, said) in [
            ("redis+disk://:secret@h", "scheme"),
            ("redis://:secret@h:port", "url"),
            ("redis://:secret@h/two", "database"),
            ("redis://:se/cret@h", "percent-encoded"),
            ("redis://h?pasword=secret", "pasword"),
            ("redis://h?pool_size_max=secret", "pool_size_max"),
            ("redis+sentinel://:secret@h", "master"),
            ("redis+cluster://:secret@h/1", "database"),
        ] {
            let failure = StoreUrl::parse(url).unwrap_err();
            assert_eq!(failure.exit(), crate::failure::Exit::Usage, "{url}");
            let text = failure.to_string();
            assert!(text.contains(said), "{url}: {text}");
            assert!(!text.contains("cret"), "{text}");
        }
    }

    #[cfg(not(feature = "redis"))]
    #[test]
    fn a_build_without_redis_says_so() {
        let text = StoreUrl::parse("redis://:secret@h").unwrap_err().to_string();
        assert!(text.contains("feature `redis`") && !text.contains("secret"), "{text}");
    }
}
