//! Agreeing with everybody else on the layout of a namespace.

use bytes::Bytes;
use state_core::{Error, Result};

use super::{Layout, NamespaceOptions};
use crate::client::{Body, Client, Repeat, Reply, Request, Target};
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
    let mut record = redis::cmd("SET");
    record.arg(key.as_ref()).arg(chosen.write().as_ref()).arg("NX");
    let mut read = redis::cmd("GET");
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

impl NamespaceOptions {
    /// The layout of a new namespace.
    fn layout(&self) -> Layout {
        let partitioner = self.partitioner.as_ref().map(|partitioner| partitioner.id().to_owned());
        Layout { partitioner, ..Layout::default() }
    }

    /// Whether what is recorded is what was asked for, as far as something was.
    fn accept(&self, found: &Layout) -> Result<()> {
        let asked = self.partitioner.as_ref().map(|partitioner| partitioner.id());
        match (asked, &found.partitioner) {
            (asked, Some(id)) if asked == Some(id.as_str()) => Ok(()),
            (None, None) => Ok(()),
            (None, Some(_)) => Err(Error::invalid(
                "partitioner: the keys of the namespace are placed by one that was not given",
            )),
            (Some(_), _) => Err(Error::invalid(
                "partitioner: the keys of the namespace are placed by another rule",
            )),
        }
    }
}
