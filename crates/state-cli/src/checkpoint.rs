//! What the commands about threads share: which checkpoint is meant, and what has changed.

pub(crate) mod change;
pub(crate) mod doomed;
mod head;
mod most;
pub(crate) mod record;
pub(crate) mod walk;

use clap::Args;
use serde::Serialize;
use state_core::Error;
use state_core::checkpoint::{
    CheckpointId, CheckpointNamespace, CheckpointRef, CheckpointTuple, Checkpointer,
    CheckpointerExt, GetCheckpoint, ListCheckpoints, Metadata, MetadataValue, Scalar, ThreadId,
};

use crate::context::Context;
use crate::failure::{Answer, Failure};
use crate::key_text;

pub(crate) use head::Head;
pub(crate) use most::MostArguments;

/// The thread that a command is about.
#[derive(Debug, Args)]
pub(crate) struct ThreadArguments {
    /// The thread
    pub(crate) thread: String,
    #[command(flatten)]
    pub(crate) within: NamespaceArgument,
}

/// The checkpoint namespace inside a thread.
#[derive(Debug, Args)]
pub(crate) struct NamespaceArgument {
    /// The checkpoint namespace inside the thread [default: that of the outermost graph]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) checkpoint_namespace: String,
}

/// One line of checkpoints: a thread, and a namespace inside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Line {
    pub(crate) thread: ThreadId,
    pub(crate) namespace: CheckpointNamespace,
}

impl Line {
    pub(crate) fn new(
        thread: &str,
        within: &NamespaceArgument,
        context: &Context,
    ) -> Result<Self, Failure> {
        let namespace = context.name(&within.checkpoint_namespace)?;
        Ok(Self { thread: context.name(thread)?.into(), namespace: namespace.into() })
    }

    pub(crate) fn of(arguments: &ThreadArguments, context: &Context) -> Result<Self, Failure> {
        Self::new(&arguments.thread, &arguments.within, context)
    }

    /// The line of the outermost graph.
    pub(crate) fn root(thread: ThreadId) -> Self {
        Self { thread, namespace: "".into() }
    }

    pub(crate) fn at(&self, id: CheckpointId) -> CheckpointRef {
        CheckpointRef::new(self.thread.clone(), id).with_namespace(self.namespace.clone())
    }

    /// The listing of its checkpoints.
    pub(crate) fn list(&self) -> ListCheckpoints {
        ListCheckpoints::of(self.thread.clone()).with_namespace(Some(self.namespace.clone()))
    }

    /// The checkpoint that an argument means: an id, `latest`, or `step:N`; `None` where there
    /// is none.
    pub(crate) async fn find(
        &self,
        wanted: &str,
        store: &dyn Checkpointer,
        context: &Context,
    ) -> Result<Option<CheckpointTuple>, Failure> {
        let reference = self.at(context.name(wanted)?.into());
        let found = store.at(&reference).await?;
        if found.is_some() {
            return Ok(found);
        }
        if wanted == LATEST {
            let latest = GetCheckpoint::latest(self.thread.clone());
            let latest = latest.with_namespace(self.namespace.clone());
            return Ok(store.get_checkpoint(latest).await?);
        }
        let Some(step) = wanted.strip_prefix("step:") else { return Ok(None) };
        let step: i64 = step.parse().map_err(|_| {
            Failure::usage("a step is a whole number", "write for example `step:7`")
        })?;
        let filter = Metadata::new().with("step", Scalar::Int(step));
        let list = self.list().with_filter(filter).with_limit(1);
        Ok(walk::next(&mut store.list(list)).await?)
    }

    /// Says that there is no such thread, or no such checkpoint in it.
    pub(crate) fn absent(&self, id: Option<&str>, context: &Context) -> Result<Answer, Failure> {
        let output = &context.output;
        if output.json {
            let thread = self.thread.as_str();
            output.json(&Absent { thread, checkpoint: id, found: false })?;
            return Ok(Answer::No);
        }
        let thread = key_text::show_name(self.thread.as_str());
        let inside = if self.namespace.is_root() {
            String::new()
        } else {
            let name = key_text::show_name(self.namespace.as_str());
            format!(", checkpoint namespace `{name}`")
        };
        match id.filter(|id| *id != LATEST) {
            Some(id) => output.note(format_args!(
                "there is no checkpoint `{}` in the thread `{thread}`{inside}",
                key_text::show_name(id)
            )),
            None => output.note(format_args!("there is no thread `{thread}`{inside} here")),
        }
        Ok(Answer::No)
    }
}

/// What stands for the checkpoint with the greatest id.
pub(crate) const LATEST: &str = "latest";

#[derive(Serialize)]
struct Absent<'a> {
    thread: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<&'a str>,
    found: bool,
}

/// Metadata as JSON; what JSON cannot express is `null`.
pub(crate) fn metadata_json(metadata: &Metadata) -> serde_json::Value {
    metadata.iter().map(|(name, value)| (name.to_owned(), value_json(value))).collect()
}

fn value_json(value: &MetadataValue) -> serde_json::Value {
    match value {
        MetadataValue::Scalar(scalar) => match scalar {
            Scalar::Null => serde_json::Value::Null,
            Scalar::Bool(yes) => (*yes).into(),
            Scalar::Int(number) => (*number).into(),
            Scalar::Float(number) => (*number).into(),
            Scalar::Text(text) => (&**text).into(),
        },
        MetadataValue::List(items) => items.iter().map(value_json).collect(),
        MetadataValue::Map(fields) => {
            fields.iter().map(|(name, value)| (name.to_string(), value_json(value))).collect()
        }
    }
}

/// What to do about an error of a call on threads.
pub(crate) fn advise(error: Error, next: impl Into<String>) -> Failure {
    Failure::from(error).with_next(next)
}
