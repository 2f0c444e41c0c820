//! What operators ask of a running volume on daemons: where its nodes shall be, and where they are.
//!
//! ```text
//!   operator ─Operate─► any daemon ─Ask, on the writer's log stream─► here: adopts blank nodes, gives the core its orders
//!            ◄─────────            ◄─Told─────────────────────────────
//! ```
//! The core knows copies, folders and addresses; that a position moves as a whole, and that a group made meanwhile belongs to the move, is
//! known here, for as long as this process has the volume open.

use std::sync::Arc;
use std::time::Duration;

use protocol::geometry::{COPIES, az_of};
use protocol::message::{Envelope, Peer};
use protocol::order::{self, Ask, Order, Place, Report, Told};
use protocol::{NodeId, SegmentId};
use protocol_grpc::control::{ControlClient, OperateRequest, id128};
use quorum::Order as CoreOrder;

use super::node::Shared;
use super::survey::adopt;
use super::{Config, NodeAddress};
use crate::log::OpenVolume;

/// How long a daemon named as a target may take to say what it is.
const TARGET_LIMIT: Duration = Duration::from_secs(3);
/// How long one daemon may take to relay an order.
const RELAY_LIMIT: Duration = Duration::from_secs(25);

/// Where every copy of a position shall live.
#[derive(Clone, Debug)]
pub(super) struct Target {
    node: NodeId,
    address: String,
}

impl Target {
    /// True when it lies at this address.
    pub(super) fn is_at(&self, address: &str) -> bool {
        self.address == address
    }
}

/// Hands an order to the writer of the volume on these daemons, by whichever of them it is connected to.
///
/// # Errors
/// One line for each daemon that could not relay it; a refusal of the order itself is in the report.
pub async fn operate(config: &Config, order: &Order) -> Result<Report, String> {
    let mut problems = Vec::new();
    for place in &config.nodes {
        let relayed = async {
            let connected = ControlClient::connect(&place.address, config.tls.as_ref()).await;
            let mut client = connected.map_err(|e| e.to_string())?;
            let request = OperateRequest { order: order::seal(order) };
            let reply = client.operate(request).await.map_err(|status| status.message().to_string())?;
            order::unseal::<Report>(&reply.report).map_err(|e| e.to_string())
        };
        match tokio::time::timeout(RELAY_LIMIT, relayed).await {
            Ok(Ok(report)) => return Ok(report),
            Ok(Err(problem)) => problems.push(format!("{place}: {problem}")),
            Err(_) => problems.push(format!("{place}: no answer in time")),
        }
    }
    Err(problems.join("; "))
}

/// Starts a look at everything on each of these daemons: per daemon, the looks finished before, or why it was not started.
pub async fn scrub(config: &Config) -> Vec<(NodeAddress, Result<u64, String>)> {
    let mut started = Vec::new();
    for place in &config.nodes {
        let asked = async {
            let connected = ControlClient::connect(&place.address, config.tls.as_ref()).await;
            let mut client = connected.map_err(|e| e.to_string())?;
            client.scrub().await.map(|reply| reply.passes).map_err(|status| status.message().to_string())
        };
        let answer = tokio::time::timeout(TARGET_LIMIT, asked).await;
        started.push((place.clone(), answer.unwrap_or_else(|_| Err("no answer in time".to_string()))));
    }
    started
}

impl Shared {
    /// An order came on the log stream of a daemon.
    pub(super) fn asked(self: &Arc<Self>, index: usize, envelope: &Envelope, ask: Ask) {
        let (shared, from, to) = (Arc::clone(self), envelope.to, envelope.from);
        tokio::spawn(async move {
            let report = shared.operate(ask.order).await;
            let told = Told { request: ask.request, report };
            shared.link.answer(index, Envelope { from, to, message: told.into() });
        });
    }

    /// Carries an order out as far as that takes no waiting for copies, and tells how the volume is.
    pub(super) async fn operate(self: &Arc<Self>, order: Order) -> Report {
        let Some(open) = self.driver.volume().cloned() else {
            return Report::refused("the volume is being opened; ask again");
        };
        let done = match order {
            Order::Look(_) => Ok(()),
            Order::Grow(grow) => {
                open.order(CoreOrder::Grow { groups: grow.groups as usize });
                Ok(())
            }
            Order::Forget(forget) => {
                open.order(CoreOrder::Gone { node: forget.node });
                Ok(())
            }
            Order::Replace(replace) => self.replace(&open, replace.segment, &replace.to).await,
            Order::Move(to) => self.move_to(&open, &to.to).await,
        };
        match done {
            Ok(()) => open.report(),
            Err(problem) => Report { problem, ..open.report() },
        }
    }

    async fn replace(
        self: &Arc<Self>,
        open: &OpenVolume,
        segment: SegmentId,
        to: &Place,
    ) -> Result<(), String> {
        let groups = open.report().head.map_or(0, |head| head.groups.len());
        if segment.pg.0 as usize >= groups || usize::from(segment.position) >= COPIES {
            return Err(format!("there is no copy {segment}; the volume has {groups} protection groups"));
        }
        let target = self.target(to, segment.position).await?;
        self.targets.lock()[usize::from(segment.position)] = None;
        let Target { node, address } = target;
        open.order(CoreOrder::Place { segment, node, address });
        Ok(())
    }

    async fn move_to(self: &Arc<Self>, open: &OpenVolume, to: &[Place]) -> Result<(), String> {
        let positions = self.positions_for(to).await?;
        let mut targets = Vec::with_capacity(to.len());
        for (place, position) in to.iter().zip(positions) {
            targets.push((position, self.target(place, position).await?));
        }
        for (position, target) in targets {
            self.targets.lock()[usize::from(position)] = Some(target);
        }
        self.pursue(open);
        Ok(())
    }

    /// Orders the places of every copy that is not where its position shall be; also of groups made since.
    pub(super) fn pursue(&self, open: &OpenVolume) {
        let Some(head) = self.link.head() else { return };
        for (position, target) in self.targets.lock().clone().into_iter().enumerate() {
            let Some(Target { node, address }) = target else { continue };
            for group in &head.groups {
                let segment = SegmentId { pg: group.pg, position: position as u8 };
                if head.home(segment).is_some_and(|member| member.node != node) {
                    open.order(CoreOrder::Place { segment, node, address: address.clone() });
                }
            }
        }
    }

    /// Which position each of these takes: its own, if it is a node of the volume; else one of its zone.
    async fn positions_for(&self, to: &[Place]) -> Result<Vec<u8>, String> {
        let mut positions: Vec<Option<u8>> = Vec::new();
        for place in to {
            if !(1..=3).contains(&place.az) {
                return Err(format!("{}: az{} is no availability zone", place.address, place.az));
            }
            let status = self.status_of(&place.address).await?;
            let member = id128(&status.volume).is_some_and(|id| id == self.volume.0);
            positions.push(member.then_some(status.position as u8));
        }
        for n in 0..to.len() {
            if positions[n].is_some() {
                continue;
            }
            let mut zone: Vec<u8> = (0..COPIES as u8).filter(|p| az_of(*p).0 == to[n].az).collect();
            zone.sort_by_key(|position| self.serves(*position));
            let free = zone.into_iter().find(|position| !positions.contains(&Some(*position)));
            positions[n] =
                Some(free.ok_or_else(|| format!("az{} has two positions, more are named", to[n].az))?);
        }
        let positions: Vec<u8> = positions.into_iter().flatten().collect();
        match (0..positions.len()).find(|n| positions[..*n].contains(&positions[*n])) {
            Some(twice) => {
                Err(format!("{}: position {} is named twice", to[twice].address, positions[twice]))
            }
            None => Ok(positions),
        }
    }

    async fn status_of(&self, address: &str) -> Result<protocol_grpc::control::StatusReply, String> {
        let asked = async {
            let connected = ControlClient::connect(address, self.config.tls.as_ref()).await;
            let mut client = connected.map_err(|e| e.to_string())?;
            client.status().await.map_err(|status| status.message().to_string())
        };
        let answer = tokio::time::timeout(TARGET_LIMIT, asked).await;
        answer.unwrap_or_else(|_| Err("no answer in time".to_string())).map_err(|e| format!("{address}: {e}"))
    }

    /// The node there, adopted into this volume at that position.
    async fn target(self: &Arc<Self>, to: &Place, position: u8) -> Result<Target, String> {
        if az_of(position).0 != to.az {
            return Err(format!("{}: position {position} is in az{}", to.address, az_of(position).0));
        }
        let adopted = adopt(&to.address, self.config.tls.as_ref(), self.volume, position);
        let node = tokio::time::timeout(TARGET_LIMIT, adopted).await;
        let node = node.unwrap_or_else(|_| Err("no answer in time".to_string()));
        let node = node.map_err(|e| format!("{} cannot become a node of this volume: {e}", to.address))?;
        let place = NodeAddress { az: to.az, address: to.address.clone() };
        self.include(place, Some((node, position)));
        Ok(Target { node, address: to.address.clone() })
    }
}

/// True for what a daemon hands to the writer besides answers.
pub(super) fn order_in(envelope: &Envelope) -> Option<Ask> {
    match (&envelope.message, &envelope.to) {
        (protocol::message::Message::Ask(ask), Peer::Compute(_)) => Some(ask.clone()),
        _ => None,
    }
}
