//! The compute node on storage daemons: `--storage` read, the volume opened, its segments and counters told as the embedded one's are.

use crate::backing::Backing;
use crate::config::Settings;
use crate::lease::{Lease, superseded};
use cache_nvme::file::FolderLock;
use driver::net::{Config, Fleet, FleetError, NodeAddress, NodeReport, Reach};
use protocol::contract::{LogWriter, PageReader};
use protocol::env::Env;
use protocol::geometry::{COPIES, WRITE_QUORUM, az_of};
use protocol::{Incarnation, Lsn, SegmentId, VolumeEpoch};
use protocol_grpc::control::{SegmentStatus, id128};
use protocol_grpc::tls::{Files, Tls};
use quorum::SegmentView;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use volume::status::SegmentFacts;

/// Nodes named in one `--storage` of a zone at most.
const NODES: usize = COPIES;
/// How long the daemons have to say what they are.
const ASK_LIMIT: Duration = Duration::from_millis(1000);

/// Reads `az1=host:port,host:port;az2=...`; several texts may be joined by `;`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_nodes(text: &str) -> Result<Vec<NodeAddress>, String> {
    let mut nodes = Vec::new();
    for zone in text.split(';').map(str::trim).filter(|zone| !zone.is_empty()) {
        let (name, list) = zone.split_once('=').ok_or(format!("'{zone}' is not az1=HOST:PORT,HOST:PORT"))?;
        let az = match name.trim() {
            "az1" => 1,
            "az2" => 2,
            "az3" => 3,
            other => return Err(format!("'{other}': availability zones are az1, az2 and az3")),
        };
        for address in list.split(',').map(str::trim) {
            let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                return Err(format!("'{address}' is not HOST:PORT"));
            }
            nodes.push(NodeAddress { az, address: address.to_string() });
        }
    }
    if nodes.len() < WRITE_QUORUM || nodes.len() > NODES {
        return Err(format!("{} storage nodes are named, a volume has {COPIES}", nodes.len()));
    }
    Ok(nodes)
}

/// Addresses, certificates and the writer's numbers of these settings.
///
/// # Errors
/// One line.
pub fn config(nodes: &str, certs: &str, name: &str) -> Result<Config, String> {
    let nodes = parse_nodes(nodes).map_err(|problem| format!("--storage: {problem}"))?;
    let tls = match certs {
        "" => None,
        folder => Some(
            Tls::load(&Files::in_folder(Path::new(folder), name)).map_err(|problem| problem.to_string())?,
        ),
    };
    Ok(Config { nodes, tls, log: quorum::Settings::default(), on_superseded: superseded })
}

/// Bytes that may wait for the daemons: the network link's queues.
pub const QUEUES_BYTES: u64 = COPIES as u64 * (16 << 20);

/// A volume on daemons, as the compute node sees it.
pub struct Remote {
    fleet: Fleet,
    /// This compute node's own folder: nobody else uses it.
    _lock: FolderLock,
}

/// Why it did not open. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Settings or certificates.
    #[error("{0}")]
    Settings(String),
    /// The compute node's own folder.
    #[error("{}: cannot create the folder: {source}", path.display())]
    Folder {
        /// Which.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another process holds it.
    #[error(transparent)]
    Lock(#[from] cache_nvme::file::LockError),
    /// The daemons.
    #[error(transparent)]
    Fleet(#[from] FleetError),
}

impl Remote {
    /// Opens the volume on the daemons that the settings name.
    ///
    /// # Errors
    /// One line.
    pub fn open(settings: &Settings, env: Arc<dyn Env>) -> Result<Remote, RemoteError> {
        let mut config = config(&settings.sextant_storage, &settings.sextant_certs, "compute")
            .map_err(RemoteError::Settings)?;
        config.log.lal_bytes = settings.sextant_lal_bytes;
        let path = Path::new(&settings.datadir).join("compute");
        std::fs::create_dir_all(&path)
            .map_err(|source| RemoteError::Folder { path: path.clone(), source })?;
        let lock = FolderLock::acquire(&path)?;
        Ok(Remote { fleet: Fleet::open(config, env)?, _lock: lock })
    }
}

impl Backing for Remote {
    fn log(&self) -> Arc<dyn LogWriter> {
        self.fleet.log()
    }

    fn reader(&self) -> Arc<dyn PageReader> {
        self.fleet.reader()
    }

    fn lease(&self) -> Option<Arc<dyn Lease>> {
        Some(Arc::new(self.fleet.volume().lease()))
    }

    fn backend(&self) -> &'static str {
        "network"
    }

    fn place(&self) -> String {
        let up = self.fleet.nodes(ASK_LIMIT).iter().filter(|n| n.status.is_some()).count();
        format!("volume {} on {up} storage nodes", self.fleet.id())
    }

    fn segments(&self) -> Vec<SegmentFacts> {
        segment_facts(&self.fleet.segments(), self.fleet.log().vdl(), &self.fleet.nodes(ASK_LIMIT))
    }

    fn nodes(&self) -> Vec<NodeReport> {
        self.fleet.nodes(ASK_LIMIT)
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let open = self.fleet.volume();
        let mut list = open.counters().list();
        list.extend(self.fleet.counters());
        list.extend([
            ("commits", open.counters().commits.load(Ordering::Relaxed)),
            ("vdl", LogWriter::vdl(open).0),
            ("vcl", open.vcl().0),
            ("last_lsn", open.last_lsn().0),
            ("lease_left_us", open.lease().left_us()),
        ]);
        list.extend(summed(&self.fleet.nodes(ASK_LIMIT)));
        list
    }

    fn close_within(&self, limit: Duration) {
        self.fleet.close_within(limit);
    }

    fn close(&self) {
        self.fleet.close();
    }
}

/// The daemons' counters under the names the embedded volume gives them, over those that answer.
fn summed(nodes: &[NodeReport]) -> Vec<(&'static str, u64)> {
    const NAMES: [(&str, &str); 11] = [
        ("log_writes", "log_writes"),
        ("log_syncs", "log_syncs"),
        ("storage_log_held_bytes", "log_held_bytes"),
        ("storage_record_held_bytes", "record_held_bytes"),
        ("storage_uncoalesced_bytes", "uncoalesced_bytes"),
        ("storage_page_slots", "page_slots"),
        ("storage_page_reads", "page_reads"),
        ("storage_page_writes", "page_writes"),
        ("storage_rot", "rot"),
        ("storage_healed", "healed"),
        ("storage_dropped_answers", "dropped_answers"),
    ];
    let statuses = || nodes.iter().filter_map(|node| node.status.as_ref());
    let sum = |theirs: &str| {
        let metrics = statuses().flat_map(|status| &status.metrics);
        metrics.filter(|metric| metric.name == theirs).map(|metric| metric.value).sum()
    };
    let mut list: Vec<_> = NAMES.iter().map(|(ours, theirs)| (*ours, sum(theirs))).collect();
    let repairs = |of: fn(&SegmentStatus) -> u64| statuses().flat_map(|s| &s.segments).map(of).sum();
    list.push(("repair_messages", repairs(|s| s.repair_messages)));
    list.push(("repair_bytes", repairs(|s| s.repair_bytes)));
    list
}

/// The writer's view of every segment joined with what its daemon says.
fn segment_facts(views: &[SegmentView], vdl: Lsn, nodes: &[NodeReport]) -> Vec<SegmentFacts> {
    let mut pgcl: BTreeMap<u32, Vec<Lsn>> = BTreeMap::new();
    for view in views.iter().filter(|view| view.member && !view.lost) {
        pgcl.entry(view.id.pg.0).or_default().push(view.scl);
    }
    for scls in pgcl.values_mut() {
        scls.sort_unstable_by(|a, b| b.cmp(a));
    }
    let one = |view: &SegmentView| {
        let at = nodes.iter().find(|node| holds(node, view.id.position));
        let here = at.and_then(|node| segment_of(node, view.id));
        let metric = |name: &str| {
            let metrics = at.and_then(|node| node.status.as_ref()).map(|status| status.metrics.as_slice());
            metrics.unwrap_or_default().iter().find(|m| m.name == name).map_or(0, |m| m.value)
        };
        SegmentFacts {
            id: view.id,
            az: az_of(view.id.position).0,
            node_folder: at.map_or(String::new(), |node| node.at.address.clone()),
            role: view.role,
            incarnation: Incarnation(here.and_then(|s| id128(&s.incarnation)).unwrap_or(0)),
            epoch: VolumeEpoch(here.map_or(0, |s| s.epoch)),
            scl: Lsn(here.map_or(0, |s| s.scl)),
            pgcl: pgcl.get(&view.id.pg.0).and_then(|s| s.get(WRITE_QUORUM - 1)).copied().unwrap_or(Lsn::ZERO),
            vdl,
            page_point: Lsn(here.map_or(0, |s| s.page_point)),
            state: state(view, at, here.is_some()),
            repair_messages: here.map_or(0, |s| s.repair_messages),
            repair_bytes: here.map_or(0, |s| s.repair_bytes),
            log_writes: metric("log_writes"),
            log_syncs: metric("log_syncs"),
        }
    };
    views.iter().map(one).collect()
}

fn holds(node: &NodeReport, position: u8) -> bool {
    let status = node.status.as_ref().filter(|status| !status.volume.is_empty());
    status.is_some_and(|status| status.position == u32::from(position))
}

fn segment_of(node: &NodeReport, id: SegmentId) -> Option<&SegmentStatus> {
    let segments = &node.status.as_ref()?.segments;
    segments.iter().find(|s| s.pg == id.pg.0 && s.position == u32::from(id.position))
}

fn state(view: &SegmentView, node: Option<&NodeReport>, here: bool) -> &'static str {
    let Some(node) = node else { return "unreachable" };
    let phase = node.status.as_ref().map_or("", |status| status.phase.as_str());
    match phase {
        "failed" => "failed",
        "starting" => "starting",
        _ if node.reach != Reach::Up => "unreachable",
        _ if view.lost || !here => "lost",
        _ if view.member => "member",
        _ => "newcomer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_mistakes_named() {
        let nodes = parse_nodes("az1=a:1,b:2; az2=c:3,d:4;az3=e:5,[::1]:6").unwrap();
        assert_eq!(nodes.len(), 6);
        assert_eq!(nodes[3].to_string(), "az2=d:4");
        assert_eq!(nodes[5].address, "[::1]:6");
        let wrong = |text: &str| parse_nodes(text).unwrap_err();
        assert_eq!(wrong("az4=a:1"), "'az4': availability zones are az1, az2 and az3");
        assert_eq!(wrong("a:1"), "'a:1' is not az1=HOST:PORT,HOST:PORT");
        assert_eq!(wrong("az1=a"), "'a' is not HOST:PORT");
        assert_eq!(wrong("az1=a:1,b:2"), "2 storage nodes are named, a volume has 6");
    }
}
