//! Defects of reading and writing fields.

use std::collections::HashSet;

use state_core::{
    Bytes, Consistency, Expires, HashState, HashStore, HashWriteOptions, StateBackend,
};

use crate::gallery::hooks::Hooks;

pub(super) fn set_replaces() -> Hooks {
    Hooks::default().on_hash_set(|honest, key, fields, options| async move {
        if !fields.is_empty() {
            honest.hash_remove(&key, HashWriteOptions::new()).await?;
        }
        honest.hash_set(&key, fields, options).await
    })
}

pub(super) fn set_all_new() -> Hooks {
    Hooks::default().on_hash_set(|honest, key, fields, options| async move {
        let all = fields.len() as u64;
        honest.hash_set(&key, fields, options).await?;
        Ok(all)
    })
}

pub(super) fn set_first_stays() -> Hooks {
    Hooks::default().on_hash_set(|honest, key, mut fields, options| async move {
        fields.reverse();
        honest.hash_set(&key, fields, options).await
    })
}

pub(super) fn set_marker() -> Hooks {
    Hooks::default().on_hash_set(|honest, key, mut fields, options| async move {
        if fields.is_empty() {
            fields.push((Bytes::from_static(b"\0"), Bytes::new()));
        }
        honest.hash_set(&key, fields, options).await
    })
}

pub(super) fn get_only_found() -> Hooks {
    Hooks::default().on_hash_get(|honest, key, fields, consistency| async move {
        let mut found = honest.hash_get(&key, &fields, consistency).await?;
        found.retain(Option::is_some);
        Ok(found)
    })
}

pub(super) fn text() -> Hooks {
    let text = |bytes: &Bytes| Bytes::from(String::from_utf8_lossy(bytes).into_owned());
    Hooks::default().on_hash_set(move |honest, key, fields, options| async move {
        let fields = fields.iter().map(|(field, value)| (text(field), text(value))).collect();
        honest.hash_set(&key, fields, options).await
    })
}

pub(super) fn delete_counts_names() -> Hooks {
    Hooks::default().on_hash_delete(|honest, key, fields, options| async move {
        honest.hash_delete(&key, &fields, options).await?;
        Ok(fields.len() as u64)
    })
}

pub(super) fn delete_absent_told() -> Hooks {
    Hooks::default().on_hash_delete(|honest, key, fields, options| async move {
        let removed = honest.hash_delete(&key, &fields, options).await?;
        if removed == 0 {
            let marker = Bytes::from_static(b"\0");
            let none = HashWriteOptions::new();
            honest.hash_set(&key, vec![(marker.clone(), Bytes::new())], none.clone()).await?;
            honest.hash_delete(&key, &[marker], none).await?;
        }
        Ok(removed)
    })
}

pub(super) fn delete_leaves_shell() -> Hooks {
    let shells = std::sync::Arc::new(parking_lot::Mutex::new(HashSet::new()));
    let emptied = std::sync::Arc::clone(&shells);
    Hooks::default()
        .on_hash_delete(move |honest, key, fields, options| {
            emptied.lock().insert(key.clone());
            async move { honest.hash_delete(&key, &fields, options).await }
        })
        .on_hash_state(move |honest, key, consistency| {
            let shell = shells.lock().contains(&key);
            async move {
                let state = honest.hash_state(&key, consistency).await?;
                Ok(state.or_else(|| shell.then(|| HashState::new(0, Expires::Never))))
            }
        })
}

pub(super) fn remove_always() -> Hooks {
    Hooks::default().on_hash_remove(|honest, key, options| async move {
        honest.hash_remove(&key, options).await?;
        Ok(true)
    })
}

/// Adds to a field by reading and writing it.
fn adding(add: fn(&str, i64) -> i64) -> Hooks {
    Hooks::default().on_hash_increment(move |honest, key, field, by, options| async move {
        let names = [field.clone()];
        let held = honest.hash_get(&key, &names, Consistency::Strong).await?;
        let held = held.into_iter().flatten().next().unwrap_or_else(|| Bytes::from("0"));
        let sum = add(std::str::from_utf8(&held).unwrap_or_default(), by);
        honest.hash_set(&key, vec![(field, sum.to_string().into())], options).await?;
        Ok(sum)
    })
}

pub(super) fn increment_float() -> Hooks {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "losing precision is the defect"
    )]
    adding(|held, by| (held.parse::<i64>().unwrap_or(0) as f64 + by as f64) as i64)
}

pub(super) fn increment_lenient() -> Hooks {
    adding(|held, by| held.parse::<i64>().unwrap_or(0).saturating_add(by))
}

pub(super) fn bad_left_out() -> Hooks {
    Hooks::default().on_hash_set(|honest, key, mut fields, options| async move {
        let limits = honest.capabilities().limits;
        fields.retain(|(field, _)| limits.check_field(field).is_ok());
        honest.hash_set(&key, fields, options).await
    })
}
