//! The compute node on storage daemons: `--storage` read, the volume opened, its segments and counters told as the embedded one's are.

mod moment;

pub(crate) use moment::answered;

use crate::backing::{Backing, Moment};
use crate::config::Settings;
use crate::lease::{Confirmed, Lease, superseded};
use cache_nvme::file::FolderLock;
use driver::LogView;
use driver::net::{Config, Fleet, FleetError, NodeAddress};
use protocol::contract::{LogWriter, PageReader};
use protocol::env::Env;
use protocol::geometry::{COPIES, WRITE_QUORUM};
use protocol_grpc::tls::{Files, Tls};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Nodes named in one `--storage` of a zone at most.
const NODES: usize = COPIES;
/// How long the daemons have to say what they are.
const ASK_LIMIT: Duration = Duration::from_millis(1000);

/// Reads `az1=host:port,host:port;az2=...`; several texts may be joined by `;`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_nodes(text: &str) -> Result<Vec<NodeAddress>, String> {
    let nodes = parse_places(text)?;
    if nodes.len() < WRITE_QUORUM || nodes.len() > NODES {
        return Err(format!("{} storage nodes are named, a volume has {COPIES}", nodes.len()));
    }
    Ok(nodes)
}

/// The same, however many they are.
///
/// # Errors
/// What is wrong with it.
pub fn parse_places(text: &str) -> Result<Vec<NodeAddress>, String> {
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
            let named = |host: &str| !host.is_empty() && !host.contains('=');
            let port = address.rsplit_once(':').filter(|(host, _)| named(host));
            if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                return Err(format!("'{address}' is not HOST:PORT"));
            }
            nodes.push(NodeAddress { az, address: address.to_string() });
        }
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
    /// `sextant_read_confirm = quorum`.
    confirm: bool,
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
        let confirm = settings.sextant_read_confirm == "quorum";
        Ok(Remote { confirm, fleet: Fleet::open(config, env)?, _lock: lock })
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
        let lease = self.fleet.volume().lease();
        Some(if self.confirm { Arc::new(Confirmed(lease)) } else { Arc::new(lease) })
    }

    fn backend(&self) -> &'static str {
        "network"
    }

    fn place(&self) -> String {
        let up = self.fleet.nodes(ASK_LIMIT).iter().filter(|n| n.status.is_some()).count();
        format!("volume {} on {up} storage nodes", self.fleet.id())
    }

    fn view(&self) -> LogView {
        self.fleet.volume().view()
    }

    fn moment(&self) -> Moment {
        let nodes = self.fleet.nodes(ASK_LIMIT);
        let view = self.view();
        let segments = moment::segments(&view, &nodes);
        Moment { view, segments, nodes: moment::nodes(&nodes), leased: true }
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
        list.extend(moment::summed(&self.fleet.nodes(ASK_LIMIT)));
        list
    }

    fn close_within(&self, limit: Duration) {
        self.fleet.close_within(limit);
    }

    fn close(&self) {
        self.fleet.close();
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
