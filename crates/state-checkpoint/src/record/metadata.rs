//! Metadata inside a record.

use std::sync::Arc;

use state_core::Result;
use state_core::checkpoint::{Metadata, MetadataValue, Scalar};

use crate::wire::{Reader, Writer};

/// Deeper metadata is refused when it is put, and is damage when it is read.
const DEPTH_MAX: usize = 64;

pub(super) fn write(writer: &mut Writer, metadata: &Metadata) {
    writer.count(metadata.len());
    for (name, value) in metadata.iter() {
        writer.text(name);
        write_value(writer, value);
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Metadata> {
    let count = reader.count()?;
    let mut values = Vec::new();
    for _ in 0..count {
        let name = reader.text()?;
        values.push((name, read_value(reader, 0)?));
    }
    Ok(values.into_iter().collect())
}

fn write_value(writer: &mut Writer, value: &MetadataValue) {
    match value {
        MetadataValue::Scalar(Scalar::Null) => writer.u8(0),
        MetadataValue::Scalar(Scalar::Bool(false)) => writer.u8(1),
        MetadataValue::Scalar(Scalar::Bool(true)) => writer.u8(2),
        MetadataValue::Scalar(Scalar::Int(number)) => {
            writer.u8(3);
            writer.zigzag(*number);
        }
        MetadataValue::Scalar(Scalar::Float(number)) => {
            writer.u8(4);
            writer.u64(number.to_bits());
        }
        MetadataValue::Scalar(Scalar::Text(text)) => {
            writer.u8(5);
            writer.text(text);
        }
        MetadataValue::List(values) => {
            writer.u8(6);
            writer.count(values.len());
            for value in values {
                write_value(writer, value);
            }
        }
        MetadataValue::Map(values) => {
            writer.u8(7);
            writer.count(values.len());
            for (name, value) in values {
                writer.text(name);
                write_value(writer, value);
            }
        }
    }
}

fn read_value(reader: &mut Reader<'_>, depth: usize) -> Result<MetadataValue> {
    if depth > DEPTH_MAX {
        return Err(reader.damaged());
    }
    let scalar = match reader.u8()? {
        0 => Scalar::Null,
        1 => Scalar::Bool(false),
        2 => Scalar::Bool(true),
        3 => Scalar::Int(reader.zigzag()?),
        4 => Scalar::Float(f64::from_bits(reader.u64()?)),
        5 => Scalar::from(reader.text()?),
        6 => {
            let mut values = Vec::new();
            for _ in 0..reader.count()? {
                values.push(read_value(reader, depth + 1)?);
            }
            return Ok(MetadataValue::List(values));
        }
        7 => {
            let mut values = std::collections::BTreeMap::new();
            for _ in 0..reader.count()? {
                let name = Arc::from(reader.text()?);
                values.insert(name, read_value(reader, depth + 1)?);
            }
            return Ok(MetadataValue::Map(values));
        }
        _ => return Err(reader.damaged()),
    };
    Ok(MetadataValue::Scalar(scalar))
}
