//! Gets of small values in a cluster of three primaries, beside the client's cluster connection.

use redis::cluster::ClusterClient;
use state_tests::bench::{Figure, Outcome};
use state_tests::servers::Kind;

use super::ground::Ground;
use super::sides::{Keys, Ours, Plain, Work};

const KEYS: usize = 1_000;
const VALUE_BYTES: usize = 100;
/// How many tasks call at once, and the ratio that is to be reached, if there is one.
const TASKS: [(usize, Option<f64>); 3] = [(1, None), (64, None), (256, Some(1.5))];

pub(crate) async fn figures(ground: &Ground) -> Outcome<Vec<Figure>> {
    let backend = ground.backend().await?;
    let url = ground.plain_url();
    let (_, rest) = url.split_once("://").ok_or("no scheme")?;
    let login = rest.rsplit_once('@').map_or("", |(login, _)| login);
    let at = if login.is_empty() { "" } else { "@" };
    let nodes = ground.servers.nodes().iter().filter(|node| node.kind() == Kind::Data);
    let seeds = nodes.map(|node| format!("redis://{login}{at}{}", node.address()));
    let client = ClusterClient::new(seeds)?;
    let connection = client.get_async_connection().await?;
    let keys = Keys::new(VALUE_BYTES, KEYS);
    keys.fill(&*backend, connection.clone(), VALUE_BYTES).await?;
    let ours = Ours { backend, keys: keys.clone(), work: Work::Get };
    let plain = Plain { connection: connection.clone(), keys: keys.clone(), work: Work::Get };
    let mut figures = Vec::new();
    for (tasks, goal) in TASKS {
        let case = format!("cluster get {VALUE_BYTES} B, {tasks} tasks");
        let figure = ground.pace.rates(case, "cluster connection", tasks, &ours, &plain).await?;
        figures.push(match goal {
            Some(goal) => figure.with_goal(goal),
            None => figure,
        });
    }
    if !ground.servers.is_controlled() {
        ours.backend.clear_opts(state_core::ClearOptions::default()).await?;
        let mut connection = connection;
        for name in keys.names() {
            redis::cmd("UNLINK").arg(name).query_async::<()>(&mut connection).await?;
        }
    }
    Ok(figures)
}
