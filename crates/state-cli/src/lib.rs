//! `statectl` as a library, so that other programs can be the same one.

mod checkpoint;
mod cli;
mod commands;
mod context;
mod demo;
mod duration;
mod envelope;
mod failure;
mod guide;
mod json_lines;
mod json_text;
mod key_text;
mod open;
mod output;
mod progress;
mod prose;
mod quiet;
mod received;
mod run;
mod store_url;
mod table;
mod value;

pub use run::main;
