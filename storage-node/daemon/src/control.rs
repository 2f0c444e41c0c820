//! The unary calls of this daemon.

use std::sync::Arc;
use std::time::Duration;

use protocol::VolumeId;
use protocol::geometry::{COPIES, az_of};
use protocol::head::HEAD_VERSION;
use protocol::order;
use protocol_grpc::control::{
    AdoptReply, AdoptRequest, Answer, Code, Control, OperateReply, OperateRequest, ScrubReply, Status,
    StatusReply, bytes128, id128,
};
use protocol_grpc::tls::Role;

use crate::daemon::Daemon;
use crate::facts::Facts;
use crate::inbox::Command;

/// How long the writer has to answer an order; it adopts blank nodes meanwhile.
const ORDER_LIMIT: Duration = Duration::from_secs(20);

/// What gRPC calls open.
pub(crate) struct Door {
    daemon: Arc<Daemon>,
}

impl Door {
    pub(crate) fn new(daemon: Arc<Daemon>) -> Door {
        Door { daemon }
    }
}

impl Control for Door {
    fn status(&self) -> Answer<StatusReply> {
        let daemon = Arc::clone(&self.daemon);
        Box::pin(async move {
            let facts = daemon.facts().await;
            let mut reply = StatusReply {
                version: env!("CARGO_PKG_VERSION").to_string(),
                az: daemon.az().into(),
                phase: daemon.phase(&facts).to_string(),
                folder: daemon.folder().display().to_string(),
                pid: std::process::id(),
                ..StatusReply::default()
            };
            if let Some(member) = daemon.member() {
                reply.volume = bytes128(member.identity.volume.0);
                reply.node = bytes128(member.identity.node.0);
                reply.position = member.identity.member.into();
                reply.writer = daemon.sessions().writer().unwrap_or_default();
            }
            if let Some(facts) = facts {
                reply.segments = facts.segment_statuses();
                reply.metrics = facts.metric_list();
                reply.head_known = facts.head.is_some();
                if let Some(head) = &facts.head {
                    (reply.head_epoch, reply.head_seq) = (head.version.epoch.0, head.version.seq);
                    reply.head = protocol::wire::seal(HEAD_VERSION, head);
                }
                reply.problem = facts.problem;
            }
            Ok(reply)
        })
    }

    fn adopt(&self, role: Role, request: AdoptRequest) -> Answer<AdoptReply> {
        let daemon = Arc::clone(&self.daemon);
        Box::pin(async move {
            if !role.may_adopt() {
                return Err(Status::permission_denied(format!("a certificate of role {role} may not adopt")));
            }
            let volume = id128(&request.volume).filter(|id| *id != 0);
            let volume = volume.ok_or_else(|| Status::invalid_argument("a volume id has 16 bytes"))?;
            let position = u8::try_from(request.position).ok().filter(|p| usize::from(*p) < COPIES);
            let position = position.ok_or_else(|| Status::invalid_argument("a position is 0 to 5"))?;
            if daemon.az() != az_of(position).0 {
                let (here, there) = (daemon.az(), az_of(position).0);
                let text = format!("this node is in az{here}, position {position} in az{there}");
                return Err(Status::failed_precondition(text));
            }
            let node = daemon.adopt(VolumeId(volume), position).map_err(|why| {
                tracing::error!(why, "an adoption was refused");
                Status::new(Code::FailedPrecondition, why)
            })?;
            Ok(AdoptReply { node: bytes128(node.0) })
        })
    }

    fn operate(&self, role: Role, request: OperateRequest) -> Answer<OperateReply> {
        let daemon = Arc::clone(&self.daemon);
        Box::pin(async move {
            if !role.may_adopt() {
                let text = format!("a certificate of role {role} may not order anything");
                return Err(Status::permission_denied(text));
            }
            let order = order::unseal(&request.order).map_err(|e| Status::invalid_argument(e.to_string()))?;
            let Some(member) = daemon.member() else {
                return Err(Status::unavailable("this node is blank"));
            };
            let answer = daemon.sessions().ask(member.identity.member, order).map_err(Status::unavailable)?;
            match tokio::time::timeout(ORDER_LIMIT, answer).await {
                Ok(Ok(report)) => Ok(OperateReply { report: order::seal(&report) }),
                Ok(Err(_)) => Err(Status::unavailable("the writer left before it answered")),
                Err(_) => Err(Status::deadline_exceeded("the writer did not answer in time")),
            }
        })
    }

    fn scrub(&self, role: Role) -> Answer<ScrubReply> {
        let daemon = Arc::clone(&self.daemon);
        Box::pin(async move {
            if !role.may_adopt() {
                return Err(Status::permission_denied(format!("a certificate of role {role} may not scrub")));
            }
            let Some(member) = daemon.member() else {
                return Err(Status::unavailable("this node is blank"));
            };
            member.inbox.command(Command::Scrub);
            let facts = daemon.facts().await;
            let passes =
                |facts: Facts| facts.metrics.iter().find(|m| m.0 == "scrub_passes").map_or(0, |m| m.1);
            facts
                .map(|facts| ScrubReply { passes: passes(facts) })
                .ok_or_else(|| Status::unavailable("the node does not answer"))
        })
    }
}
