//! Agreeing with everybody else on the layout of a namespace.

use bytes::Bytes;
use state_core::{Error, Result};

use super::options::BUCKETS;
use super::{Layout, NamespaceOptions, WatchHistory};
use crate::client::{Body, Client, Repeat, Reply, Request, Target};
use crate::command::Command;
use crate::scripts::{optional, unlike};
use crate::topology::slot_of;

/// Records what `options` choose under `key` if nothing is recorded yet, and takes what is
/// recorded. One round trip.
///
/// # Errors
/// `Invalid`, naming the field, when `options` ask for something else than what is recorded.
pub(crate) async fn agree(
    client: &Client,
    key: &Bytes,
    options: &NamespaceOptions,
) -> Result<Layout> {
    options.check()?;
    let chosen = options.layout();
    let mut record = Command::new("SET");
    record.arg(key.as_ref()).arg(chosen.write().as_ref()).arg("NX");
    let mut read = Command::new("GET");
    read.arg(key.as_ref());
    let body = Body::Pipeline(vec![record, read]);
    let request = Request::new("open", Target::Slot(slot_of(key)), body);
    let Reply::Many(replies) = client.send(request.with_repeat(Repeat::Safe)).await? else {
        return Err(unlike());
    };
    let [recorded, found] = <[_; 2]>::try_from(replies).map_err(|_| unlike())?;
    let Some(found) = optional(found?)? else {
        // Nothing is there, so it was not written, and the error of that says why.
        return Err(recorded.err().unwrap_or_else(unlike));
    };
    let found = Layout::read(&found)?;
    options.accept(&found)?;
    Ok(found)
}

/// Takes what is recorded under `key`, and the layout of a new namespace where nothing is, without recording it. One round
/// trip.
///
/// # Errors
/// As [`agree`].
pub(crate) async fn look(client: &Client, key: &Bytes) -> Result<Layout> {
    let mut read = Command::new("GET");
    read.arg(key.as_ref());
    let request = Request::new("open", Target::Slot(slot_of(key)), Body::Command(read));
    let Reply::One(found) = client.send(request.with_repeat(Repeat::Safe)).await? else {
        return Err(unlike());
    };
    let Some(found) = optional(found)? else { return Ok(Layout::default()) };
    let found = Layout::read(&found)?;
    NamespaceOptions::new().accept(&found)?;
    Ok(found)
}

impl NamespaceOptions {
    /// The layout of a new namespace.
    fn layout(&self) -> Layout {
        let log = match self.watch {
            Some(WatchHistory::Log { events_max }) => Some(events_max),
            _ => None,
        };
        Layout {
            log,
            index: self.ordered_index.unwrap_or(false),
            buckets: self.is_placed_by_buckets().then(|| self.buckets.unwrap_or(BUCKETS)),
            partitioner: self.partitioner.as_ref().map(|partitioner| partitioner.id().to_owned()),
        }
    }

    /// Whether what is recorded is what was asked for, as far as something was.
    fn accept(&self, found: &Layout) -> Result<()> {
        let asked = self.layout();
        if self.watch.is_some() && asked.log != found.log {
            return Err(Error::invalid("watch: the namespace remembers something else"));
        }
        if self.ordered_index.is_some() && asked.index != found.index {
            let message = "ordered_index: the namespace was begun without the index, or with it";
            return Err(Error::invalid(message));
        }
        if self.buckets.is_some() && asked.buckets != found.buckets {
            return Err(Error::invalid("buckets: the namespace has another number of them"));
        }
        match (asked.partitioner, &found.partitioner) {
            (asked, found) if asked == *found => Ok(()),
            (None, _) => Err(Error::invalid(
                "partitioner: the keys of the namespace are placed by one that was not given",
            )),
            (Some(_), _) => Err(Error::invalid(
                "partitioner: the keys of the namespace are placed by another rule",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_must_be_as_it_is_recorded_and_the_rest_is_taken() {
        let new = NamespaceOptions::new;
        let log = |events_max| WatchHistory::Log { events_max };
        let all = new().with_watch(log(100)).with_ordered_index(true).with_buckets(8);
        let recorded = Layout { log: Some(100), index: true, buckets: Some(8), partitioner: None };
        assert_eq!(all.layout(), recorded);
        assert_eq!(new().layout(), Layout::default());
        assert_eq!(new().with_ordered_index(true).layout().buckets, Some(16));
        for taken in [new(), new().with_watch(log(100)), new().with_ordered_index(true), all] {
            taken.check().unwrap();
            taken.accept(&recorded).unwrap();
        }
        for (refused, field) in [
            (new().with_watch(log(101)), "watch"),
            (new().with_watch(WatchHistory::None), "watch"),
            (new().with_ordered_index(false), "ordered_index"),
            (new().with_ordered_index(true).with_buckets(16), "buckets"),
        ] {
            refused.check().unwrap();
            let error = refused.accept(&recorded).unwrap_err().to_string();
            assert!(error.contains(&format!("{field}:")), "{error}");
        }
        for (refused, field) in [
            (new().with_watch(log(0)), "watch"),
            (new().with_buckets(16), "buckets"),
            (new().with_ordered_index(true).with_buckets(0), "buckets"),
            (new().with_ordered_index(true).with_buckets(129), "buckets"),
        ] {
            let error = refused.check().unwrap_err().to_string();
            assert!(error.contains(&format!("{field}:")), "{error}");
        }
    }
}
