//! The head of a thread: what every append reads and writes.

use state_core::checkpoint::CheckpointId;
use state_core::{Fence, FenceToken, Key, Result, Timestamp};

use crate::store::Life;
use crate::wire::{Reader, Writer};

const HAS_LIFETIME: u8 = 1;
const PINNED: u8 = 2;
const HAS_LATEST: u8 = 4;

/// What is known of a thread as a whole. Its size does not grow with the thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::backend) struct Head {
    pub(in crate::backend) life: Life,
    /// How often it has changed.
    pub(in crate::backend) serial: u64,
    pub(in crate::backend) next_version: u64,
    /// The segment that is written to, and how many raw bytes it has.
    pub(in crate::backend) tail: u64,
    pub(in crate::backend) tail_bytes: u64,
    pub(in crate::backend) next_segment: u64,
    /// Checkpoints in sight.
    pub(in crate::backend) checkpoints: u64,
    /// Keys and values of all rows, about.
    pub(in crate::backend) bytes: u64,
    pub(in crate::backend) last_write: Timestamp,
    pub(in crate::backend) lifetime_ms: Option<u64>,
    pub(in crate::backend) pinned: bool,
    /// The latest checkpoint of the root namespace.
    pub(in crate::backend) latest: Option<CheckpointId>,
    /// The greatest token of each lease.
    pub(in crate::backend) fences: Vec<Fence>,
}

impl Head {
    pub(in crate::backend) const fn new(generation: u64) -> Self {
        Self {
            life: Life { generation, epoch: 0 },
            serial: 0,
            next_version: 0,
            tail: 0,
            tail_bytes: 0,
            next_segment: 1,
            checkpoints: 0,
            bytes: 0,
            last_write: Timestamp::from_unix_ms(0),
            lifetime_ms: None,
            pinned: false,
            latest: None,
            fences: Vec::new(),
        }
    }

    pub(in crate::backend) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let mut flags = 0;
        flags |= if self.lifetime_ms.is_some() { HAS_LIFETIME } else { 0 };
        flags |= if self.pinned { PINNED } else { 0 };
        flags |= if self.latest.is_some() { HAS_LATEST } else { 0 };
        writer.u8(flags);
        writer.u64(self.life.generation);
        for number in [
            self.life.epoch,
            self.serial,
            self.next_version,
            self.tail,
            self.tail_bytes,
            self.next_segment,
            self.checkpoints,
            self.bytes,
            self.last_write.unix_ms(),
        ] {
            writer.varint(number);
        }
        if let Some(lifetime_ms) = self.lifetime_ms {
            writer.varint(lifetime_ms);
        }
        if let Some(latest) = &self.latest {
            writer.text(latest.as_str());
        }
        writer.count(self.fences.len());
        for fence in &self.fences {
            writer.u8(u8::from(fence.lease.partition().is_some()));
            writer.bytes(fence.lease.partition().map_or(b"", |partition| partition));
            writer.bytes(fence.lease.name());
            writer.varint(fence.token.get());
        }
        writer.as_slice().to_vec()
    }

    pub(in crate::backend) fn decode(body: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(body, "head of a thread");
        let flags = reader.u8()?;
        let mut head = Self::new(reader.u64()?);
        head.life.epoch = reader.varint()?;
        head.serial = reader.varint()?;
        head.next_version = reader.varint()?;
        head.tail = reader.varint()?;
        head.tail_bytes = reader.varint()?;
        head.next_segment = reader.varint()?;
        head.checkpoints = reader.varint()?;
        head.bytes = reader.varint()?;
        head.last_write = Timestamp::from_unix_ms(reader.varint()?);
        if flags & HAS_LIFETIME != 0 {
            head.lifetime_ms = Some(reader.varint()?);
        }
        head.pinned = flags & PINNED != 0;
        if flags & HAS_LATEST != 0 {
            head.latest = Some(CheckpointId::new(reader.text()?));
        }
        for _ in 0..reader.count()? {
            let placed = reader.u8()? != 0;
            let partition = reader.bytes()?.to_vec();
            let name = reader.bytes()?.to_vec();
            let lease = Key::from_parts(placed.then(|| partition.into()), name.into());
            head.fences.push(Fence::new(lease, FenceToken::new(reader.varint()?)));
        }
        reader.end()?;
        Ok(head)
    }
}
