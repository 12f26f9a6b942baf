//! Where the store of a demonstration is, and the commands that look into it.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use state_core::Namespace;

use crate::context::Context;
use crate::failure::Failure;
use crate::store_url::StoreUrl;

/// The URL of a store, which may hold a password.
pub(super) struct Address(pub(super) String);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// Which stores a demonstration can work with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stores {
    Files,
    /// Files and servers.
    All,
}

/// Where the store of a demonstration is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) url: StoreUrl,
    /// The same as it was typed: not to be shown.
    pub(super) address: Address,
    /// The folder that was made for it.
    pub(super) folder: Option<PathBuf>,
    pub(super) namespace: String,
}

impl Place {
    /// The store that was named on the command line, or one in a new folder.
    pub(super) fn choose(
        usual_namespace: &str,
        stores: Stores,
        context: &Context,
    ) -> Result<Self, Failure> {
        let namespace = context.global.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| usual_namespace.to_owned());
        let given = context.global.store.as_ref();
        if let Some(given) = given.filter(|_| is_typed(std::env::args_os())) {
            let address = Address(given.clone());
            let url = context.store_url()?;
            if url == StoreUrl::Memory {
                return Err(Failure::usage(
                    "a memory store does not outlive the worker that is killed",
                    "name a store in a file (`--store file:PATH`), or leave out --store",
                ));
            }
            if stores == Stores::Files && url.path().is_none() {
                return Err(Failure::usage(
                    "the demonstration needs a store in a file, not one on a server",
                    "name a store in a file (`--store file:PATH`), or leave out --store",
                ));
            }
            return Ok(Self { url, address, folder: None, namespace });
        }
        let mut made = tempfile::Builder::new();
        made.prefix("statectl-demo-");
        // What is said in conversations is nobody else's business.
        #[cfg(unix)]
        made.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let made = made.tempdir();
        let temporary = std::env::temp_dir();
        let made = made.map_err(|error| Failure::file("making a folder in", &temporary, &error))?;
        let folder = made.keep();
        let url = StoreUrl::File(folder.join("store.state"));
        let address = Address(url.to_string());
        Ok(Self { url, address, folder: Some(folder), namespace })
    }

    pub(super) fn namespace(&self, context: &Context) -> Result<Namespace, Failure> {
        Ok(Namespace::new(context.bytes(&self.namespace)?)?)
    }

    /// Removes the folder that was made, where that is `wanted`.
    pub(super) fn remove(&self, wanted: bool) -> Result<(), Failure> {
        match &self.folder {
            Some(folder) if wanted => std::fs::remove_dir_all(folder)
                .map_err(|error| Failure::file("removing", folder, &error)),
            _ => Ok(()),
        }
    }

    /// Whether the URL as it is shown lacks a password that was typed.
    pub(super) fn hides_a_password(&self) -> bool {
        self.url.path().is_none() && self.address.0.contains('@')
    }

    /// Commands that can be typed as they stand, and the one that removes the folder.
    pub(super) fn commands(&self, commands: &[String]) -> Vec<String> {
        let program = std::env::args().next().unwrap_or_else(|| "statectl".to_owned());
        let program = quoted(&program);
        let store = quoted(&self.url.to_string());
        let mut call = format!("{program} --store {store}");
        if self.namespace.as_bytes() != Namespace::default().as_bytes() {
            call = format!("{call} -n {}", quoted(&self.namespace));
        }
        let mut all: Vec<String> =
            commands.iter().map(|command| format!("{call} {command}")).collect();
        // A store that was there before is not for the demonstration to remove.
        if let Some(folder) = &self.folder {
            all.push(format!("rm -r {}", quoted(&folder.to_string_lossy())));
        }
        all
    }
}

/// A word for a shell.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=+,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Whether `--store` was typed: a store that is only in the environment is worked with every day,
/// and not meant for a demonstration.
fn is_typed(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.any(|argument| {
        let text = argument.to_string_lossy();
        text == "--store" || text.starts_with("--store=")
    })
}
