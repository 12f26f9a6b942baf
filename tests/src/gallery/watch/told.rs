//! Changes that are told wrongly or not at all.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use state_core::{
    Bytes, Change, ErrorKind, Namespace, Scope, StateBackend, TouchOptions, Transact, Version,
    Watch, WatchEvent, WriteOutcome,
};

use super::watching;
use crate::gallery::hooks::{Events, Hooks, RoleGiven};
use crate::gallery::list::decorated;

/// Changes what is told.
fn telling(change: fn(Change) -> Option<Change>) -> Hooks {
    Hooks::default().on_watch(move |honest, options| async move {
        let events = honest.watch(options).await?.filter_map(move |event| {
            let told = event.map(|event| {
                change(event.change).map(|change| WatchEvent::new(event.token, change))
            });
            std::future::ready(told.transpose())
        });
        Ok(events.boxed())
    })
}

pub(super) fn put_no_version() -> Hooks {
    telling(|change| {
        Some(match change {
            Change::Put { key, deadline, .. } => {
                Change::Put { key, version: Version::from_bytes([0; 16]), deadline }
            }
            other => other,
        })
    })
}

pub(super) fn put_no_deadline() -> Hooks {
    telling(|change| {
        Some(match change {
            Change::Put { key, version, .. } => Change::Put { key, version, deadline: None },
            other => other,
        })
    })
}

pub(super) fn delete_silent() -> Hooks {
    telling(|change| Some(change).filter(|change| !matches!(change, Change::Deleted { .. })))
}

pub(super) fn touch_silent() -> Hooks {
    telling(|change| Some(change).filter(|change| !matches!(change, Change::Touched { .. })))
}

pub(super) fn expired_as_deleted() -> Hooks {
    telling(|change| {
        Some(match change {
            Change::Expired { key } => Change::Deleted { key },
            other => other,
        })
    })
}

pub(super) fn hash_silent() -> Hooks {
    telling(|change| Some(change).filter(|change| !matches!(change, Change::HashChanged { .. })))
}

pub(super) fn clear_all() -> Hooks {
    telling(|change| {
        Some(match change {
            Change::Cleared { .. } => Change::Cleared { prefix: Bytes::new(), scope: Scope::All },
            other => other,
        })
    })
}

pub(super) fn gap_silent() -> Hooks {
    telling(|change| Some(change).filter(|change| *change != Change::Gap))
}

/// The versions of writes that nobody is told of.
#[derive(Clone, Default)]
struct Hidden(Arc<Mutex<HashSet<Version>>>);

impl Hidden {
    fn hide(&self, outcome: &WriteOutcome) {
        self.0.lock().extend(match outcome {
            WriteOutcome::Written(written) => Some(written.version),
            WriteOutcome::Incremented(done) => Some(done.version),
            _ => None,
        });
    }

    fn from(self, hooks: Hooks) -> Hooks {
        hooks.on_watch(move |honest, options| {
            let hidden = Arc::clone(&self.0);
            async move {
                let events = honest.watch(options).await?.filter(move |event| {
                    let hidden = match event {
                        Ok(WatchEvent { change: Change::Put { version, .. }, .. }) => {
                            hidden.lock().contains(version)
                        }
                        _ => false,
                    };
                    std::future::ready(!hidden)
                });
                Ok(events.boxed())
            }
        })
    }
}

pub(super) fn put_no_increments() -> Hooks {
    let hidden = Hidden::default();
    let hiding = hidden.clone();
    hidden.from(Hooks::default().on_increment(move |honest, key, by, options| {
        let hiding = hiding.clone();
        async move {
            let done = honest.increment_opts(&key, by, options).await?;
            hiding.hide(&WriteOutcome::Incremented(done));
            Ok(done)
        }
    }))
}

pub(super) fn batch_silent() -> Hooks {
    let hidden = Hidden::default();
    let hiding = hidden.clone();
    hidden.from(Hooks::default().on_write_many(move |honest, ops| {
        let hiding = hiding.clone();
        async move {
            let receipts = honest.write_many(ops).await?;
            receipts.iter().flatten().for_each(|outcome| hiding.hide(outcome));
            Ok(receipts)
        }
    }))
}

pub(super) fn transaction_silent() -> Hooks {
    let hidden = Hidden::default();
    let hiding = hidden.clone();
    hidden.from(Hooks::default().on_transact(move |honest, transaction| {
        let hiding = hiding.clone();
        async move {
            let outcomes = honest.transact(transaction).await?;
            for outcome in &outcomes {
                hiding.hide(outcome);
            }
            Ok(outcomes)
        }
    }))
}

pub(super) fn refused_told() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let written = honest.put_opts(&key, value, options).await;
        if written.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict) {
            honest.touch_opts(&key, TouchOptions::default()).await?;
        }
        written
    })
}

pub(super) fn backwards() -> Hooks {
    Hooks::default().on_watch(|honest, options| async move {
        let events: Events = honest.watch(options).await?;
        let reversed = events.ready_chunks(8).flat_map(|mut together| {
            together.reverse();
            stream::iter(together)
        });
        Ok(reversed.boxed())
    })
}

pub(super) fn prefix_ignored() -> Hooks {
    watching(|options| options.prefix = Bytes::new(), |_, event| Some(event))
}

pub(super) fn scope_ignored() -> Hooks {
    watching(|options| options.scope = Scope::All, |_, event| Some(event))
}

pub(super) fn clear_narrow() -> Hooks {
    watching(
        |_| {},
        |options, event| {
            let wider = matches!(&event.change, Change::Cleared { prefix, .. }
                if !prefix.starts_with(&options.prefix));
            (!wider).then_some(event)
        },
    )
}

pub(super) fn forwarded() -> Hooks {
    decorated().giving(|roles| roles.watch = RoleGiven::Inner)
}

pub(super) fn namespace_shared() -> Hooks {
    Hooks::default().opening(|_| Namespace::default())
}

pub(super) fn own_writes() -> Hooks {
    let written = Arc::new(Mutex::new(HashSet::<(usize, Version)>::new()));
    let writing = Arc::clone(&written);
    Hooks::default()
        .on_put(move |honest, key, value, options| {
            let written = Arc::clone(&writing);
            async move {
                let done = honest.put_opts(&key, value, options).await?;
                written.lock().insert((honest.instance, done.version));
                Ok(done)
            }
        })
        .on_watch(move |honest, options| {
            let written = Arc::clone(&written);
            async move {
                let instance = honest.instance;
                let events = honest.watch(options).await?.filter(move |event| {
                    let own = match event {
                        Ok(WatchEvent { change: Change::Put { version, .. }, .. }) => {
                            written.lock().contains(&(instance, *version))
                        }
                        _ => true,
                    };
                    std::future::ready(own)
                });
                Ok(events.boxed())
            }
        })
}
