//! The table of settings and the struct made from it.

/// How a setting's text is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// `ON`/`OFF`, `1`/`0`, `true`/`false`.
    Bool,
    /// A whole number within bounds.
    Number {
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
    },
    /// A number of bytes within bounds; `K`, `M`, `G`, `T` multiply by 1024 and its powers.
    Bytes {
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in sextant.toml, `--set` and SHOW VARIABLES.
    pub name: &'static str,
    /// How its text is read.
    pub kind: Kind,
    /// Its default, as text.
    pub default: &'static str,
    /// What it does, for `--help`.
    pub doc: &'static str,
}

impl Setting {
    /// The environment variable that sets it.
    pub fn env_name(&self) -> String {
        format!("SEXTANT_{}", self.name.strip_prefix("sextant_").unwrap_or(self.name).to_ascii_uppercase())
    }

    /// The value in its standard spelling (`ON`/`OFF`, plain digits), or what is wrong with it.
    pub fn normalise(&self, text: &str) -> Result<String, String> {
        let text = text.trim();
        let wrong = |what: &str| Err(format!("{} = '{text}': {what}", self.name));
        match self.kind {
            Kind::Text => Ok(text.to_string()),
            Kind::Bool => match text.to_ascii_lowercase().as_str() {
                "on" | "1" | "true" => Ok("ON".to_string()),
                "off" | "0" | "false" => Ok("OFF".to_string()),
                _ => wrong("must be ON or OFF"),
            },
            Kind::Choice(words) => match words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
                Some(word) => Ok((*word).to_string()),
                None => wrong(&format!("must be one of {}", words.join(", "))),
            },
            Kind::Number { min, max } => match text.parse::<u64>() {
                Ok(n) if (min..=max).contains(&n) => Ok(n.to_string()),
                _ => wrong(&format!("must be a whole number from {min} to {max}")),
            },
            Kind::Bytes { min, max } => match parse_bytes(text) {
                Some(n) if (min..=max).contains(&n) => Ok(n.to_string()),
                _ => wrong(&format!(
                    "must be a number of bytes from {min} to {max} (K, M, G, T are understood)"
                )),
            },
        }
    }
}

fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Turns a normalised text into a field of [`Settings`].
trait Field {
    fn from_text(text: &str) -> Self;
}
impl Field for String {
    fn from_text(text: &str) -> Self {
        text.to_string()
    }
}
impl Field for u64 {
    fn from_text(text: &str) -> Self {
        text.parse().expect("invariant: Setting::normalise gave digits")
    }
}
impl Field for bool {
    fn from_text(text: &str) -> Self {
        text == "ON"
    }
}

macro_rules! settings {
    ($($name:ident: $field:ty, $kind:expr, $default:expr, $doc:expr;)*) => {
        /// Every setting, in the order of `--help`.
        pub const SETTINGS: &[Setting] = &[
            $(Setting { name: stringify!($name), kind: $kind, default: $default, doc: $doc },)*
        ];

        /// The settings in force at start.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct Settings {
            $(#[doc = $doc] pub $name: $field,)*
        }

        impl Settings {
            /// The settings of normalised texts, one for each entry of [`SETTINGS`] in its order.
            pub(super) fn from_texts(texts: &[String]) -> Settings {
                let mut texts = texts.iter();
                let mut next = || texts.next().expect("invariant: one text per setting");
                Settings { $($name: Field::from_text(next()),)* }
            }

            /// Names and values in force, for SHOW VARIABLES.
            pub fn values(&self) -> Vec<(&'static str, String)> {
                vec![$((stringify!($name), self.$name.show()),)*]
            }
        }
    };
}

trait Show {
    fn show(&self) -> String;
}
impl Show for String {
    fn show(&self) -> String {
        self.clone()
    }
}
impl Show for u64 {
    fn show(&self) -> String {
        self.to_string()
    }
}
impl Show for bool {
    fn show(&self) -> String {
        if *self { "ON" } else { "OFF" }.to_string()
    }
}

const fn number(min: u64, max: u64) -> Kind {
    Kind::Number { min, max }
}

const fn bytes(min: u64, max: u64) -> Kind {
    Kind::Bytes { min, max }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

settings! {
    datadir: String, Kind::Text, "sextant-data", "folder of the six node folders and of compute/";
    bind_address: String, Kind::Text, "127.0.0.1", "address to listen on; anything but loopback needs passwords on all accounts";
    port: u64, number(0, 65535), "3306", "SQL port; 0 takes a free one";
    socket: String, Kind::Text, "mysql.sock", "Unix socket to listen on, a path relative to datadir; empty for none";
    sextant_metrics_address: String, Kind::Text, "127.0.0.1:9306", "address of metrics and health; a port of 0 takes a free one; empty for none";
    max_connections: u64, number(1, 100_000), "1000", "connections at a time, and one more for an administrator; then error 1040";
    connect_timeout: u64, number(2, 31_536_000), "10", "seconds a client has to log in";
    wait_timeout: u64, number(1, 31_536_000), "28800", "seconds a connection may be idle";
    interactive_timeout: u64, number(1, 31_536_000), "28800", "the same for interactive clients";
    net_read_timeout: u64, number(1, 31_536_000), "30", "seconds to wait for the rest of a packet";
    net_write_timeout: u64, number(1, 31_536_000), "60", "seconds to wait for a client that does not read";
    max_allowed_packet: u64, bytes(KIB, GIB), "67108864", "largest request, in bytes";
    require_secure_transport: bool, Kind::Bool, "OFF", "refuse connections without TLS on loopback too (elsewhere they are always refused)";
    protocol_compression_algorithms: String, Kind::Text, "zlib,zstd,uncompressed", "compression that clients may choose";
    connection_control_failed_connections_threshold: u64, number(0, 2_147_483_647), "3", "failed logins in a row before the answers are delayed; 0 for never";
    connection_control_min_connection_delay: u64, number(1000, 2_147_483_647), "1000", "least delay of such an answer, milliseconds";
    connection_control_max_connection_delay: u64, number(1000, 2_147_483_647), "5000", "greatest delay; beyond connect_timeout the login is given up";
    innodb_buffer_pool_size: u64, bytes(5 * MIB, TIB), "134217728", "pages held in memory, in bytes";
    innodb_lock_wait_timeout: u64, number(1, 1_073_741_824), "50", "seconds to wait for a row lock";
    local_infile: bool, Kind::Bool, "OFF", "may clients be asked for files (LOAD DATA LOCAL)";
    secure_file_priv: String, Kind::Text, "NULL", "folder of the server's files that LOAD DATA and SELECT INTO OUTFILE may use; NULL for none, empty for any";
    sextant_query_memory_bytes: u64, bytes(MIB, TIB), "67108864", "memory one statement may use; beyond it error 1038";
    sextant_total_query_memory_bytes: u64, bytes(MIB, TIB), "268435456", "memory all statements together may use";
    sextant_max_history_bytes: u64, bytes(16 * MIB, TIB), "8589934592", "old row versions kept for open read views; beyond it the oldest view ends with error 1412";
    sextant_lal_bytes: u64, bytes(64 * KIB, GIB), "10000000", "redo the writer may run ahead of what is durable";
    sextant_pages_per_pg: u64, number(64, 1 << 32), "655360", "pages of one protection group (655360 are 10 GiB); fixed when the volume is created";
    sextant_io: String, Kind::Choice(&["auto", "ring", "threads"]), "auto", "how node folders are written: one io_uring, threads, or what works";
    sextant_uncoalesced_log_bytes: u64, bytes(16 * MIB, TIB), "33554432", "log of one node not yet turned into pages; writes wait beyond it";
    sextant_worker_threads: u64, number(0, 1024), "0", "threads that run connections; 0 takes one per core";
    sextant_storage: String, Kind::Text, "", "storage daemons to run on instead of folders: az1=HOST:PORT,HOST:PORT;az2=...;az3=...";
    sextant_certs: String, Kind::Text, "", "folder with authority.pem, compute.pem and compute-key.pem, for storage daemons off loopback";
    sextant_read_confirm: String, Kind::Choice(&["lease", "quorum"]), "lease", "how a statement on storage daemons learns that no other compute node has taken over: by its lease, or by asking three nodes each time (no clock is trusted)";
    sextant_log: String, Kind::Text, "info", "what is logged to stderr: error, warn, info, debug, or per module";
}
