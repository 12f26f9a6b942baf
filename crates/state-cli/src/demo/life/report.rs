//! What the demonstration of an agent's life shows at its end.

use indicatif::HumanBytes;
use serde::Serialize;
use state_core::checkpoint::Checkpointer;

use super::Worked;
use super::input::Totals;
use super::proof::Proof;
use super::what_if::Branch;
use crate::checkpoint::Line;
use crate::checkpoint::walk::Walk;
use crate::commands::history;
use crate::context::Context;
use crate::demo::farewell;
use crate::demo::place::{Place, quoted};
use crate::failure::{Answer, Failure};
use crate::key_text::show_name;
use crate::output::counted;
use crate::table::Table;

/// The most checkpoints of a thread in the table.
const ROWS_MAX: usize = 12;

#[derive(Debug)]
pub(super) struct Report {
    pub(super) input: String,
    pub(super) totals: Totals,
    pub(super) worked: Vec<Worked>,
    pub(super) proof: Proof,
    pub(super) branch: Branch,
    pub(super) file_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Document<'a> {
    input: &'a str,
    store: String,
    namespace: &'a str,
    proven: bool,
    threads: u64,
    messages: u64,
    messages_bytes: u64,
    checkpoints: u64,
    steps_twice: u64,
    steps_lost: u64,
    checkpoints_wrong: u64,
    processes: Vec<ProcessDocument<'a>>,
    what_if: BranchDocument<'a>,
    stored_bytes: u64,
    copies_bytes: u64,
    /// Null for a store on a server.
    file_bytes: Option<u64>,
}

#[derive(Serialize)]
struct ProcessDocument<'a> {
    process: u32,
    killed: bool,
    committed_bytes: u64,
    resumed: Vec<Resumed<'a>>,
}

#[derive(Serialize)]
struct Resumed<'a> {
    thread: &'a str,
    saved: u64,
    of: u64,
}

#[derive(Serialize)]
struct BranchDocument<'a> {
    thread: &'a str,
    branch: &'a str,
    step: u64,
    checkpoint: &'a str,
    thread_left_alone: bool,
}

impl Report {
    pub(super) async fn show(
        &self,
        place: &Place,
        removed: bool,
        store: &dyn Checkpointer,
        context: &Context,
    ) -> Result<(), Failure> {
        let output = &context.output;
        if output.json {
            return output.json(&self.document(place));
        }
        let thread = show_name(&self.branch.thread);
        output.line(format_args!("\nThe history of `{thread}`, the newest first:\n"))?;
        self.show_history(store, context).await?;
        output.line("")?;
        self.show_figures(context)?;
        if !self.is_proven() || output.quiet {
            return Ok(());
        }
        let looks = self.looks();
        farewell::say(WHAT_YOU_SAW, (!removed).then_some(&looks), place, output)
    }

    /// Fails unless everything was proven.
    pub(super) fn verdict(&self) -> Result<Answer, Failure> {
        if self.is_proven() {
            return Ok(Answer::Yes);
        }
        let Proof { twice, lost, wrong, .. } = self.proof;
        let message = if self.proof.is_exact() {
            "the branch has changed the thread that it was made of".to_owned()
        } else {
            format!(
                "the history is not what was replayed: {twice} twice, {lost} lost, {wrong} wrong"
            )
        };
        Err(Failure::unproven(
            message,
            "if nobody else wrote to the store, please report it, with the output of \
             `statectl demo --json`",
        ))
    }

    const fn is_proven(&self) -> bool {
        self.proof.is_exact() && self.branch.left_alone
    }

    async fn show_history(
        &self,
        store: &dyn Checkpointer,
        context: &Context,
    ) -> Result<(), Failure> {
        let line = Line::root(self.branch.thread.as_str().into());
        let mut walk = Walk::new(store, line);
        let mut rows = Vec::new();
        let mut more = false;
        while let Some(step) = walk.step().await? {
            more = rows.len() == ROWS_MAX;
            if more {
                break;
            }
            rows.push(history::row(&step));
        }
        history::show(&mut rows, context)?;
        if more { context.output.line("…") } else { Ok(()) }
    }

    fn show_figures(&self, context: &Context) -> Result<(), Failure> {
        let mut figures = Table::of_facts();
        let mut add = |name: &str, text: String| figures.add([name.to_owned(), text]);
        let Self { totals, proof, branch, .. } = self;
        let killed = self.worked.iter().filter(|worked| worked.killed).count() as u64;
        let resumed = self.worked.iter().map(|worked| worked.resumed.len() as u64).sum();
        add("replayed", {
            let threads = counted(totals.threads, "thread");
            format!("{threads}, {}", counted(totals.messages, "message"))
        });
        add("killed", {
            let resumed = counted(resumed, "thread");
            format!("{}, with {resumed} in the middle", counted(killed, "worker"))
        });
        add(
            "steps",
            if proof.is_exact() {
                format!(
                    "{}: none twice, none lost, each equal to the input",
                    counted(proof.exact, "checkpoint")
                )
            } else {
                format!("{} TWICE, {} LOST, {} WRONG", proof.twice, proof.lost, proof.wrong)
            },
        );
        add("what-if", {
            let (name, step) = (show_name(&branch.name), branch.step);
            let thread = if branch.left_alone { "is as it was" } else { "HAS CHANGED" };
            format!("`{name}` goes its own way after step {step}; the thread itself {thread}")
        });
        add("stored", {
            let stored = HumanBytes(proof.stored_bytes);
            format!(
                "{stored} hold every step of every thread, compressed; the messages alone, each \
                 once and as they were read, are {}",
                HumanBytes(totals.bytes)
            )
        });
        add("whole copies", {
            let tenths = proof.copies_bytes * 10 / proof.stored_bytes.max(1);
            let copies = HumanBytes(proof.copies_bytes);
            format!(
                "{copies} if each step were a copy of its state: {}.{} times as much",
                tenths / 10,
                tenths % 10
            )
        });
        if let Some(file) = self.file_bytes {
            let file = HumanBytes(file);
            add("file", format!("{file} on disk, which the engine takes in large pieces"));
        }
        context.output.table(&figures)
    }

    fn document<'a>(&'a self, place: &'a Place) -> Document<'a> {
        let Self { totals, proof, branch, .. } = self;
        let processes = self.worked.iter().map(|worked| ProcessDocument {
            process: worked.process,
            killed: worked.killed,
            committed_bytes: worked.committed_bytes,
            resumed: worked
                .resumed
                .iter()
                .map(|(thread, saved, of)| Resumed { thread, saved: *saved, of: *of })
                .collect(),
        });
        Document {
            input: &self.input,
            store: place.url.to_string(),
            namespace: &place.namespace,
            proven: self.is_proven(),
            threads: totals.threads,
            messages: totals.messages,
            messages_bytes: totals.bytes,
            checkpoints: proof.exact,
            steps_twice: proof.twice,
            steps_lost: proof.lost,
            checkpoints_wrong: proof.wrong,
            processes: processes.collect(),
            what_if: BranchDocument {
                thread: &branch.thread,
                branch: &branch.name,
                step: branch.step,
                checkpoint: &branch.checkpoint,
                thread_left_alone: branch.left_alone,
            },
            stored_bytes: proof.stored_bytes,
            copies_bytes: proof.copies_bytes,
            file_bytes: self.file_bytes,
        }
    }

    /// What to look at in the store.
    fn looks(&self) -> [String; 5] {
        let Branch { thread, name, checkpoint, .. } = &self.branch;
        let (thread, name) = (quoted(&show_name(thread)), quoted(&show_name(name)));
        [
            "threads".to_owned(),
            format!("history {thread}"),
            format!("show {thread} --at {}", quoted(&show_name(checkpoint))),
            format!("diff {thread} latest latest --with {name}"),
            format!("prune {thread} --keep-last 3 --dry-run"),
        ]
    }
}

const WHAT_YOU_SAW: &str = "What you saw: a process died in the middle of its work, without a chance to \
     clean up, and the next one went on at the exact step: no step was lost, none was done twice. \
     Every step is a checkpoint that can be read again, compared, and branched from; and of a state \
     that grows, only what is new is stored. In your own program that is `load`, a loop, and `save`: \
     docs/guides/checkpoints.md.";
