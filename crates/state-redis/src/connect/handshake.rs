//! The first commands of a connection: login, database, name, role, `PING`.

use super::{Connection, Purpose, Trouble, UNLIMITED};
use crate::command::Command;
use crate::config::{RedisConfig, Secret, Topology};
use crate::errors::{Fault, Sent};

/// What a command of the greeting is for; says what its refusal means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// The connection is useless without it.
    Needed,
    Name,
    Id,
    Role,
}

/// The user and the password for servers, or for sentinels.
pub(super) fn login(config: &RedisConfig, purpose: Purpose) -> (Option<&str>, Option<&Secret>) {
    match (purpose, &config.topology) {
        (Purpose::Sentinel, Topology::Sentinel { sentinel_username, sentinel_password, .. }) => {
            (sentinel_username.as_deref(), sentinel_password.as_ref())
        }
        _ => (config.username.as_deref(), config.password.as_ref()),
    }
}

/// Logs in unless that is done, and makes sure that the server answers and is what `purpose` needs.
pub(super) async fn greet(
    connection: &mut Connection,
    config: &RedisConfig,
    purpose: Purpose,
    logged_in: bool,
) -> Result<(), Trouble> {
    // The first command goes alone: a server with too many clients, or one in protected mode,
    // gives one answer to whatever comes first and hangs up.
    if let (username, Some(password)) = login(config, purpose)
        && !logged_in
    {
        let mut auth = Command::new("AUTH");
        if let Some(username) = username {
            auth.arg(username);
        }
        auth.arg(password.expose());
        judge(connection.one(&auth, UNLIMITED).await.map_err(Trouble::before_sending)?)?;
    } else {
        judge(
            connection
                .one(&Command::new("PING"), UNLIMITED)
                .await
                .map_err(Trouble::before_sending)?,
        )?;
    }
    let mut greeting = Vec::with_capacity(5);
    let mut steps = Vec::with_capacity(5);
    let mut add = |step, command: Command| {
        steps.push(step);
        greeting.push(command);
    };
    if config.database != 0 && purpose != Purpose::Sentinel {
        add(Step::Needed, with("SELECT", &[&config.database.to_string()]));
    }
    if !config.client_name.is_empty() {
        add(Step::Name, with("CLIENT", &["SETNAME", &config.client_name]));
    }
    if purpose != Purpose::Sentinel {
        add(Step::Id, with("CLIENT", &["ID"]));
    }
    match purpose {
        Purpose::ClusterReplica => add(Step::Needed, Command::new("READONLY")),
        Purpose::Primary => add(Step::Role, Command::new("ROLE")),
        Purpose::Any | Purpose::Sentinel => {}
    }
    add(Step::Needed, Command::new("PING"));
    let answers = connection.many(&greeting, UNLIMITED).await.map_err(Trouble::before_sending)?;
    for (step, answer) in steps.into_iter().zip(answers) {
        match (step, judge(answer)) {
            (Step::Needed, answer) => drop(answer?),
            (Step::Id, Ok(redis::Value::Int(id))) => connection.set_server_id(id),
            (Step::Role, Ok(role)) if !is_primary(&role) => return Err(Fault::WrongRole.into()),
            (_, Ok(_)) => {}
            // A user may be denied these, and an old server may lack them: it works without.
            (_, Err(trouble)) => tracing::debug!(?step, %trouble, "refused by the server"),
        }
    }
    Ok(())
}

fn judge(answer: redis::Value) -> Result<redis::Value, Trouble> {
    answer.extract_error().map_err(|error| Trouble::Redis(error, Sent::No))
}

/// Whether the answer to `ROLE` is that of a primary.
pub(super) fn is_primary(role: &redis::Value) -> bool {
    let redis::Value::Array(fields) = role else { return false };
    matches!(fields.first(), Some(redis::Value::BulkString(name)) if name == b"master")
}

fn with(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    for arg in args {
        command.arg(*arg);
    }
    command
}
