//! The commands of one request, what has been answered, and what is still to be sent.

use redis::Value;
use state_core::{AcksReached, Error, Result};

use super::{Answered, Body, Reply, Script};
use crate::command::Command;
use crate::errors::{Failure, Redirect, RetryClass};

/// Where commands go next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// To the node that serves the target of the request.
    Routed,
    /// To the node that another one named.
    Redirected(Redirect),
}

/// The commands of one request.
pub(super) struct Batch {
    commands: Commands,
    /// The script of every command, where the commands call scripts.
    scripts: Vec<&'static Script>,
    answers: Vec<Option<Result<Value>>>,
    /// What was reached behind each command; empty when nothing is waited for.
    reached: Vec<AcksReached>,
    /// The commands to send next, by the way they go.
    next: Vec<(Way, Vec<usize>)>,
    /// What has to be tried again if the call may go on.
    failed: Vec<(usize, Failure)>,
    /// Whether the next write teaches the scripts first.
    teach: bool,
}

enum Commands {
    One(Command),
    Many(Vec<Command>),
}

impl Batch {
    pub(super) fn new(body: Body) -> Self {
        let (commands, scripts) = match body {
            Body::Command(command) => (Commands::One(command), Vec::new()),
            Body::Pipeline(commands) => (Commands::Many(commands), Vec::new()),
            Body::Script(script, command) => (Commands::One(command), vec![script]),
            Body::Scripts(calls) => {
                let commands = calls.iter().map(|call| call.script.call(&call.keys, &call.args));
                (Commands::Many(commands.collect()), calls.iter().map(|call| call.script).collect())
            }
        };
        Self {
            commands,
            scripts,
            answers: Vec::new(),
            reached: Vec::new(),
            next: Vec::new(),
            failed: Vec::new(),
            teach: false,
        }
    }

    /// The only command of the request, if there is only one.
    pub(super) fn single(&self) -> Option<&Command> {
        match &self.commands {
            Commands::One(command) => Some(command),
            Commands::Many(_) => None,
        }
    }

    /// All commands, if there are several and all of them go out as they are.
    pub(super) fn whole(&self, indexes: &[usize], way: &Way) -> Option<&[Command]> {
        match &self.commands {
            Commands::Many(pipeline)
                if *way == Way::Routed && !self.teach && indexes.len() == pipeline.len() =>
            {
                Some(pipeline)
            }
            _ => None,
        }
    }

    /// Plans to send everything to the node that serves the target.
    pub(super) fn plan_all(&mut self) {
        let count = self.len();
        self.answers.resize_with(count, || None);
        self.next = vec![(Way::Routed, (0..count).collect())];
    }

    /// What goes out next; empty when everything is answered.
    pub(super) fn take_next(&mut self) -> Vec<(Way, Vec<usize>)> {
        std::mem::take(&mut self.next)
    }

    /// The commands at `indexes` with what must go before them, and how their answers are found
    /// among the others: the number to skip first, and the distance from one to the next.
    pub(super) fn part(&self, indexes: &[usize], way: &Way) -> (Vec<Command>, usize, usize) {
        let mut part = Vec::with_capacity(indexes.len() + 1);
        let mut skip = 0;
        if self.teach {
            let mut taught: Vec<&str> = Vec::new();
            for script in indexes.iter().filter_map(|index| self.scripts.get(*index)) {
                if !taught.contains(&script.name()) {
                    taught.push(script.name());
                    part.push(script.load());
                    skip += 1;
                }
            }
        }
        let asking = matches!(way, Way::Redirected(redirect) if redirect.ask);
        for index in indexes {
            if asking {
                part.push(Command::new("ASKING"));
            }
            match &self.commands {
                Commands::One(command) => part.push(command.clone()),
                Commands::Many(all) => {
                    part.extend(all.get(*index).cloned());
                }
            }
        }
        if asking { (part, skip + 1, 2) } else { (part, skip, 1) }
    }

    pub(super) fn answered(&mut self, index: usize, answer: Result<Value>) {
        if let Some(place) = self.answers.get_mut(index) {
            *place = Some(answer);
        }
    }

    /// Notes what was reached behind the command at `index`.
    pub(super) fn acknowledged(&mut self, index: usize, reached: AcksReached) {
        let count = self.len();
        self.reached.resize(count, AcksReached::PRIMARY);
        if let Some(place) = self.reached.get_mut(index) {
            *place = reached;
        }
    }

    /// Notes that the command at `index` is to be tried again, if the call may go on.
    pub(super) fn failed(&mut self, index: usize, failure: Failure) {
        self.failed.push((index, failure));
    }

    /// The failure that decides how the call goes on: one that needs a wait before one that does
    /// not. What has to be done before the commands are sent again is noted.
    pub(super) fn take_decisive(&mut self) -> Option<(usize, Failure)> {
        let at_once = |class| matches!(class, RetryClass::Redirect | RetryClass::LoadScript);
        let position = self.failed.iter().position(|(_, failure)| !at_once(failure.class()));
        if self.failed.is_empty() {
            return None;
        }
        self.answers.resize_with(self.len(), || None);
        self.teach |=
            self.failed.iter().any(|(_, failure)| failure.class() == RetryClass::LoadScript);
        for (index, failure) in &self.failed {
            let way = failure.redirect().cloned().map_or(Way::Routed, Way::Redirected);
            match self.next.iter_mut().find(|(known, _)| *known == way) {
                Some((_, indexes)) => indexes.push(*index),
                None => self.next.push((way, vec![*index])),
            }
        }
        Some(self.failed.swap_remove(position.unwrap_or(0)))
    }

    /// Goes on to the next try.
    pub(super) fn go_on(&mut self) {
        self.failed.clear();
    }

    /// Sends nothing of what was planned: all of it failed once more, as `failure` says.
    pub(super) fn put_off(&mut self, failure: impl Fn() -> Failure) {
        for (_, indexes) in self.take_next() {
            for index in indexes {
                self.failed(index, failure());
            }
        }
    }

    /// Ends the call: `error` is the answer to the command at `index`, and the others that failed
    /// with it keep theirs.
    ///
    /// # Errors
    /// `error`, when nothing was answered at all.
    pub(super) fn give_up(
        mut self,
        index: usize,
        error: Error,
        op: &'static str,
    ) -> Result<Answered> {
        if self.answers.iter().all(Option::is_none) {
            return Err(error);
        }
        let attempts = error.attempts();
        for (index, failure) in std::mem::take(&mut self.failed) {
            let error = failure.into_error().with_op(op).with_attempts(attempts);
            self.answered(index, Err(error));
        }
        self.answered(index, Err(error));
        self.into_answer(true)
    }

    /// The answers, once there is one for each command. `unsettled` says that an earlier try may
    /// have been applied as well.
    ///
    /// # Errors
    /// For a single command, its own.
    pub(super) fn into_answer(mut self, unsettled: bool) -> Result<Answered> {
        let reached = std::mem::take(&mut self.reached);
        Ok(Answered { reply: self.into_reply()?, reached, unsettled })
    }

    fn into_reply(self) -> Result<Reply> {
        let missing = || Failure::from(crate::errors::Fault::Unexpected).into_error();
        let mut answers =
            self.answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(missing())));
        match self.commands {
            Commands::One(_) => answers.next().unwrap_or_else(|| Err(missing())).map(Reply::One),
            Commands::Many(_) => Ok(Reply::Many(answers.collect())),
        }
    }

    fn len(&self) -> usize {
        match &self.commands {
            Commands::One(_) => 1,
            Commands::Many(pipeline) => pipeline.len(),
        }
    }
}
