//! Settings of a storage daemon: defaults < TOML file < flags. An unknown key is an error.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cache_nvme::device::IoChoice;
use protocol_grpc::tls::{Files, Tls, is_loopback};
use serde::Deserialize;

/// The commented file with every key and its default.
pub const EXAMPLE: &str = include_str!("../storage.toml");

/// What a place may say: a file, or flags.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The node folder.
    pub data: Option<PathBuf>,
    /// Where callers call.
    pub listen: Option<String>,
    /// Where health and metrics are; empty for nowhere.
    pub metrics: Option<String>,
    /// The availability zone.
    pub az: Option<u8>,
    /// The folder of certificates.
    pub certs: Option<PathBuf>,
    /// `auto`, `ring` or `threads`.
    pub io: Option<String>,
    /// Bytes of log not yet in pages.
    pub uncoalesced_log_bytes: Option<u64>,
    /// What is logged.
    pub log: Option<String>,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node folder.
    pub data: PathBuf,
    /// Where callers call.
    pub listen: SocketAddr,
    /// Where health and metrics are.
    pub metrics: Option<SocketAddr>,
    /// The availability zone; the folder's own when absent.
    pub az: Option<u8>,
    /// The folder of certificates.
    pub certs: Option<PathBuf>,
    /// How files are written.
    pub io: IoChoice,
    /// Bounds of the node.
    pub node: storage_node::Settings,
    /// What is logged.
    pub log: String,
}

/// Reads a settings file.
///
/// # Errors
/// One line that names the file.
pub fn read(path: &Path) -> Result<Given, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    toml::from_str(&text).map_err(|e| {
        let text = e.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        format!("{}: {text}", path.display())
    })
}

fn address(what: &str, text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{what} = '{text}': must be ADDRESS:PORT with a numeric address"))
}

impl Config {
    /// What `flags` say, else what `file` says, else the default.
    ///
    /// # Errors
    /// One line that names the setting.
    pub fn new(file: Given, flags: Given) -> Result<Config, String> {
        let text = |flag: Option<String>, file: Option<String>, default: &str| {
            flag.or(file).unwrap_or_else(|| default.to_string())
        };
        let az = flags.az.or(file.az);
        if let Some(az) = az.filter(|az| !(1..=3).contains(az)) {
            return Err(format!("az = {az}: must be 1, 2 or 3"));
        }
        let metrics = text(flags.metrics, file.metrics, "127.0.0.1:9380");
        let io = text(flags.io, file.io, "auto");
        let mut node = storage_node::Settings::default();
        let uncoalesced = flags.uncoalesced_log_bytes.or(file.uncoalesced_log_bytes).unwrap_or(256 << 20);
        if uncoalesced < 1 << 20 {
            return Err(format!("uncoalesced_log_bytes = {uncoalesced}: must be at least 1048576"));
        }
        node.uncoalesced_bytes = uncoalesced;
        Ok(Config {
            data: flags.data.or(file.data).unwrap_or_else(|| PathBuf::from("sextant-storage")),
            listen: address("listen", &text(flags.listen, file.listen, "127.0.0.1:3380"))?,
            metrics: (!metrics.is_empty()).then(|| address("metrics", &metrics)).transpose()?,
            az,
            certs: flags.certs.or(file.certs).filter(|p| !p.as_os_str().is_empty()),
            io: io.parse().map_err(|_| format!("io = '{io}': must be auto, ring or threads"))?,
            node,
            log: text(flags.log, file.log, "info"),
        })
    }

    /// Loads the certificates, and refuses an open door.
    ///
    /// # Errors
    /// One line.
    pub fn tls(&self) -> Result<Option<Tls>, String> {
        match &self.certs {
            Some(folder) => {
                Tls::load(&Files::in_folder(folder, "storage")).map(Some).map_err(|e| e.to_string())
            }
            None if is_loopback(&self.listen) => Ok(None),
            None => Err(format!(
                "cannot listen on {} without certificates: name a folder with authority.pem, storage.pem and storage-key.pem (--certs)",
                self.listen
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_the_defaults() {
        let file: Given = toml::from_str(EXAMPLE).expect("it parses");
        let from_file = Config::new(file, Given::default()).expect("valid");
        let defaults = Config::new(Given::default(), Given::default()).expect("valid");
        assert_eq!(format!("{from_file:?}"), format!("{defaults:?}"));
        for key in ["data", "listen", "metrics", "az", "certs", "io", "uncoalesced_log_bytes", "log"] {
            let named = EXAMPLE.lines().any(|l| l.trim_start_matches("# ").starts_with(&format!("{key} = ")));
            assert!(named, "{key} is not in the example");
        }
    }

    #[test]
    fn flags_win_and_mistakes_are_named() {
        let file = Given { listen: Some("127.0.0.1:1".into()), az: Some(2), ..Given::default() };
        let flags = Given { listen: Some("127.0.0.1:2".into()), ..Given::default() };
        let config = Config::new(file, flags).expect("valid");
        assert_eq!((config.listen.port(), config.az), (2, Some(2)));
        let mistake = |given: Given| Config::new(given, Given::default()).expect_err("a mistake");
        assert_eq!(mistake(Given { az: Some(4), ..Given::default() }), "az = 4: must be 1, 2 or 3");
        let text = mistake(Given { listen: Some("here".into()), ..Given::default() });
        assert_eq!(text, "listen = 'here': must be ADDRESS:PORT with a numeric address");
        assert!(toml::from_str::<Given>("nonsense = 1").is_err());
        assert_eq!(
            Config::new(Given { metrics: Some(String::new()), ..Given::default() }, Given::default())
                .expect("valid")
                .metrics,
            None
        );
    }

    #[test]
    fn off_loopback_certificates_are_needed() {
        let given = Given { listen: Some("0.0.0.0:3380".into()), ..Given::default() };
        let refused = Config::new(given, Given::default()).expect("valid").tls().expect_err("an open door");
        assert!(refused.contains("without certificates"), "{refused}");
    }
}
