//! What is done between two tries: finding the node again, and making sure that a late try cannot
//! overtake the next one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::batch::Way;
use super::send::{Aim, By, Used, lane_of};
use super::{Client, Repeat, Role, Target};
use crate::connect::{Ended, Trouble, pause};
use crate::retry::{Again, Call, Step};
use crate::topology::Node;

/// The pause between two looks for a node that is being replaced.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Whether a write may be sent again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Settled {
    Yes,
    /// The server cannot be asked to end the late connection at the moment.
    NotYet,
    /// The server will not end it.
    Never,
}

impl Client {
    /// Finds out which node serves the target by now, where that is worth asking.
    ///
    /// Where another node can take over, this waits for it: until the node that is named can be
    /// reached, at most for an even share of what is left of the call, so that the retries of a
    /// call bridge a failover instead of being used up at its beginning.
    pub(super) async fn find_again(
        &self,
        aim: &Aim,
        call: &Call<'_>,
        again: &Again,
        last: Option<&Arc<Node>>,
    ) {
        let topology = &self.shared.topology;
        let moves = topology.can_move();
        if again.step == Step::Refresh || (again.step == Step::Reconnect && moves) {
            let until = Instant::now() + call.share();
            while let Err(trouble) = self.look(aim, until).await {
                tracing::debug!(op = aim.op, %trouble, "the node is not there yet");
                let over = trouble.is_permanent() || self.is_gone(aim);
                if !moves || over || Instant::now() + LOOK_AGAIN >= until {
                    break;
                }
                pause(LOOK_AGAIN).await;
            }
            // The name of a lone server may lead to another one by now.
            if let (false, Some(node)) = (moves, last) {
                node.reset();
            }
        }
    }

    /// Whether it is for one node alone, and no route leads there any more.
    fn is_gone(&self, aim: &Aim) -> bool {
        let routes = self.shared.topology.routes();
        matches!(aim.target, Target::Node(_)) && routes.find(&aim.target, aim.role, 0).is_err()
    }

    /// Asks for the routes of now and connects to the node that serves the target.
    async fn look(&self, aim: &Aim, until: Instant) -> Result<(), Trouble> {
        let looked = tokio::time::timeout_at(until, async {
            self.shared.topology.refresh().await?;
            if self.shared.topology.can_move() {
                let node = self.node(aim, &Way::Routed, None)?;
                lane_of(aim.lane, &node).connection().await?;
                if aim.role == Role::Primary {
                    node.exclusive().fill();
                }
            }
            Ok(())
        });
        looked.await.unwrap_or_else(|_| Err(crate::errors::Fault::ConnectTimeout.into()))
    }

    /// Makes sure that nothing of an earlier try can be applied behind the next one, for requests
    /// of which the last wins.
    ///
    /// That is so once the server has confirmed that it ended the old connection, and where
    /// another node serves the target now: what the old one still takes is refused or given up.
    pub(super) async fn settle(&self, aim: &Aim, call: &Call<'_>, late: &mut Vec<Used>) -> Settled {
        if aim.repeat != Repeat::LastWins {
            late.clear();
        }
        while let Some(Used { node, by }) = late.last() {
            let now = self.node(aim, &Way::Routed, None);
            let moved = now.is_ok_and(|now| now.id() != node.id());
            if !moved {
                let shared = lane_of(aim.lane, node);
                let ended = async {
                    match by {
                        By::Shared(connection) => shared.kill(connection).await,
                        By::Exclusive(id) => shared.kill_id(*id).await,
                    }
                };
                let ended = timeout(call.remaining(), ended).await.unwrap_or(Ended::Unreached);
                tracing::debug!(op = aim.op, ?ended, "asked to end a late connection");
                match ended {
                    Ended::Confirmed => {}
                    Ended::Refused => return Settled::Never,
                    Ended::Unreached => return Settled::NotYet,
                }
            }
            late.pop();
        }
        Settled::Yes
    }
}
