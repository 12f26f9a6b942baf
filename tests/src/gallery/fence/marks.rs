//! Marks that are kept, raised or compared in the wrong way.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use state_core::{
    Bytes, Error, ErrorKind, Fence, GetOptions, Key, Namespace, Result, StateBackend,
};

use crate::gallery::hooks::{Honest, Hooks};

/// Where a mark is kept: namespace, instance, lease.
type Place = (Option<Namespace>, usize, Key);

/// How marks are kept and compared.
#[derive(Clone, Copy)]
struct Rules {
    place: fn(&Honest, &Fence) -> Place,
    /// Whether the token passes the mark.
    passes: fn(u64, u64) -> bool,
    /// The mark after a call under the token that passed, or did not.
    after: fn(u64, u64, bool) -> u64,
}

/// The rules of the contract.
const HONEST: Rules = Rules {
    place: |honest, fence| (Some(honest.namespace.clone()), 0, fence.lease.clone()),
    passes: |mark, token| token >= mark,
    after: |mark, token, _| mark.max(token),
};

#[derive(Clone, Default)]
struct Marks(Arc<Mutex<HashMap<Place, u64>>>);

impl Marks {
    /// Takes the fence from a call and looks at it.
    fn meet(&self, honest: &Honest, fence: Option<Fence>, rules: Rules) -> Result<()> {
        let Some(fence) = fence else { return Ok(()) };
        honest.capabilities().limits.check_key(&fence.lease)?;
        let token = fence.token.get();
        let mut marks = self.0.lock();
        let place = (rules.place)(honest, &fence);
        let passed = marks.get(&place).is_none_or(|mark| (rules.passes)(*mark, token));
        let mark = marks.entry(place).or_insert(token);
        *mark = (rules.after)(*mark, token, passed);
        if passed { Ok(()) } else { Err(Error::new(ErrorKind::Fenced, "the token is stale")) }
    }
}

/// Keeps the marks of reads, puts and increments beside the honest store.
fn keeping(rules: Rules) -> Hooks {
    let marks = Marks::default();
    let (putting, adding) = (marks.clone(), marks.clone());
    Hooks::default()
        .on_get(move |honest, key, mut options| {
            let passed = marks.meet(&honest, options.fence.take(), rules);
            async move {
                passed?;
                honest.get_opts(&key, options).await
            }
        })
        .on_put(move |honest, key, value, mut options| {
            let passed = putting.meet(&honest, options.fence.take(), rules);
            async move {
                passed?;
                honest.put_opts(&key, value, options).await
            }
        })
        .on_increment(move |honest, key, by, mut options| {
            let passed = adding.meet(&honest, options.fence.take(), rules);
            async move {
                passed?;
                honest.increment_opts(&key, by, options).await
            }
        })
}

pub(super) fn once() -> Hooks {
    keeping(Rules { passes: |mark, token| token > mark, ..HONEST })
}

pub(super) fn per_instance() -> Hooks {
    keeping(Rules {
        place: |honest, fence| {
            (Some(honest.namespace.clone()), honest.instance, fence.lease.clone())
        },
        ..HONEST
    })
}

pub(super) fn required() -> Hooks {
    let seen = Arc::new(Mutex::new(false));
    Hooks::default().on_put(move |honest, key, value, options| {
        let refused = {
            let mut seen = seen.lock();
            *seen |= options.fence.is_some();
            *seen && options.fence.is_none()
        };
        async move {
            if refused {
                return Err(Error::new(ErrorKind::Fenced, "there is no token"));
            }
            honest.put_opts(&key, value, options).await
        }
    })
}

pub(super) fn last_wins() -> Hooks {
    keeping(Rules { after: |_, token, _| token, ..HONEST })
}

pub(super) fn raised_early() -> Hooks {
    Hooks::default().on_put(|honest, key, value, options| async move {
        let mut early = GetOptions::new();
        early.fence = options.fence.clone();
        honest.get_opts(&Key::from("any"), early).await?;
        honest.put_opts(&key, value, options).await
    })
}

pub(super) fn lowercase_names() -> Hooks {
    keeping(Rules {
        place: |honest, fence| {
            let name = Bytes::from(fence.lease.name().to_ascii_lowercase());
            let lease = Key::from_parts(fence.lease.partition().cloned(), name);
            (Some(honest.namespace.clone()), 0, lease)
        },
        ..HONEST
    })
}

pub(super) fn shared() -> Hooks {
    keeping(Rules { place: |_, fence| (None, 0, fence.lease.clone()), ..HONEST })
}

pub(super) fn cleared() -> Hooks {
    let marks = Marks::default();
    let (putting, clearing) = (marks.clone(), marks.clone());
    Hooks::default()
        .on_get(move |honest, key, mut options| {
            let passed = marks.meet(&honest, options.fence.take(), HONEST);
            async move {
                passed?;
                honest.get_opts(&key, options).await
            }
        })
        .on_put(move |honest, key, value, mut options| {
            let passed = putting.meet(&honest, options.fence.take(), HONEST);
            async move {
                passed?;
                honest.put_opts(&key, value, options).await
            }
        })
        .on_clear(move |honest, options| {
            clearing.0.lock().clear();
            async move { honest.clear_opts(options).await }
        })
}

pub(super) fn float() -> Hooks {
    #[expect(clippy::cast_precision_loss, reason = "losing precision is the defect")]
    keeping(Rules { passes: |mark, token| token as f64 >= mark as f64, ..HONEST })
}

pub(super) fn text() -> Hooks {
    keeping(Rules { passes: |mark, token| token.to_string() >= mark.to_string(), ..HONEST })
}

pub(super) fn nameless() -> Hooks {
    Hooks::default().on_put(|honest, key, value, mut options| async move {
        let limits = honest.capabilities().limits;
        options.fence = options.fence.filter(|fence| limits.check_key(&fence.lease).is_ok());
        honest.put_opts(&key, value, options).await
    })
}
