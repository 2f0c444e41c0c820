//! The system variables: name, scope, type, default. Names and defaults are MySQL 9.7's; a variable whose effect this server has not is
//! [`Kind::Fixed`] (only its present value may be set) unless setting it changes nothing that a client could see.

use std::sync::LazyLock;

/// Where a variable lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Global,
    Session,
    Both,
}

/// What values it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// ON and OFF; 1 and 0 in expressions.
    Bool,
    /// Clamped into the range, with a warning, as in MySQL.
    Int {
        min: i64,
        max: u64,
    },
    /// Seconds with a fraction.
    Seconds,
    Text,
    /// One of these; in SET also its position.
    Enum(&'static [&'static str]),
    /// A character set's name.
    Charset,
    /// A collation's name.
    Collation,
    SqlMode,
    TimeZone,
    /// Read-only (1238).
    ReadOnly,
    /// Read-only, and a number in expressions.
    ReadOnlyInt,
    /// Read-only, ON or OFF.
    ReadOnlyBool,
    /// May be set to its default only; another value is refused with 1235.
    Fixed,
    /// The same, and a number in expressions.
    FixedInt,
    /// The same, ON or OFF.
    FixedBool,
}

impl Kind {
    pub(crate) fn is_read_only(self) -> bool {
        matches!(self, Kind::ReadOnly | Kind::ReadOnlyInt | Kind::ReadOnlyBool)
    }
}

/// One variable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) scope: Scope,
    pub(crate) kind: Kind,
    /// Its value at start, as SHOW VARIABLES prints it; `NULL` for none.
    pub(crate) default: &'static str,
}

const ISOLATION: Kind =
    Kind::Enum(&["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"]);
const COMPLETION: Kind = Kind::Enum(&["NO_CHAIN", "CHAIN", "RELEASE"]);
const AES: Kind = Kind::Enum(&[
    "aes-128-ecb",
    "aes-192-ecb",
    "aes-256-ecb",
    "aes-128-cbc",
    "aes-192-cbc",
    "aes-256-cbc",
    "aes-128-cfb1",
    "aes-192-cfb1",
    "aes-256-cfb1",
    "aes-128-cfb8",
    "aes-192-cfb8",
    "aes-256-cfb8",
    "aes-128-cfb128",
    "aes-192-cfb128",
    "aes-256-cfb128",
    "aes-128-ofb",
    "aes-192-ofb",
    "aes-256-ofb",
]);
const U32: Kind = Kind::Int { min: 0, max: u32::MAX as u64 };
const U64: Kind = Kind::Int { min: 0, max: u64::MAX };
const SECONDS: Kind = Kind::Int { min: 1, max: 31_536_000 };

use Kind::{Bool, Fixed, ReadOnly, ReadOnlyBool, ReadOnlyInt, Text};
use Scope::{Both, Global, Session};

macro_rules! variables {
    ($($name:literal $scope:ident $kind:expr, $default:literal;)*) => {
        &[$(Variable { name: $name, scope: $scope, kind: $kind, default: $default }),*]
    };
}

/// The variables that do something, by name (binary search).
#[rustfmt::skip]
pub(crate) static VARIABLES: &[Variable] = variables! {
    "admin_address" Global ReadOnly, "";
    "auto_generate_certs" Global ReadOnlyBool, "ON";
    "auto_increment_increment" Both Kind::Int { min: 1, max: 65535 }, "1";
    "auto_increment_offset" Both Kind::Int { min: 1, max: 65535 }, "1";
    "autocommit" Both Bool, "ON";
    "automatic_sp_privileges" Global Bool, "ON";
    "back_log" Global ReadOnlyInt, "151";
    "basedir" Global ReadOnly, "/usr/";
    "big_tables" Both Bool, "OFF";
    "bind_address" Global ReadOnly, "127.0.0.1";
    "binlog_format" Both Fixed, "ROW";
    "binlog_row_image" Both Fixed, "FULL";
    "block_encryption_mode" Both AES, "aes-128-ecb";
    "bulk_insert_buffer_size" Both U64, "8388608";
    "character_set_client" Both Kind::Charset, "utf8mb4";
    "character_set_connection" Both Kind::Charset, "utf8mb4";
    "character_set_database" Both Kind::Charset, "utf8mb4";
    "character_set_filesystem" Both Fixed, "binary";
    "character_set_results" Both Kind::Charset, "utf8mb4";
    "character_set_server" Both Kind::Charset, "utf8mb4";
    "character_set_system" Global ReadOnly, "utf8mb3";
    "character_sets_dir" Global ReadOnly, "";
    "collation_connection" Both Kind::Collation, "utf8mb4_0900_ai_ci";
    "collation_database" Both Kind::Collation, "utf8mb4_0900_ai_ci";
    "collation_server" Both Kind::Collation, "utf8mb4_0900_ai_ci";
    "completion_type" Both COMPLETION, "NO_CHAIN";
    "connect_timeout" Global Kind::Int { min: 2, max: 31_536_000 }, "10";
    "connection_control_failed_connections_threshold" Global ReadOnlyInt, "3";
    "connection_control_max_connection_delay" Global ReadOnlyInt, "5000";
    "connection_control_min_connection_delay" Global ReadOnlyInt, "1000";
    "cte_max_recursion_depth" Both U32, "1000";
    "datadir" Global ReadOnly, "./sextant-data/";
    "default_collation_for_utf8mb4" Both Fixed, "utf8mb4_0900_ai_ci";
    "default_storage_engine" Both Fixed, "InnoDB";
    "default_tmp_storage_engine" Both Fixed, "InnoDB";
    "default_week_format" Both Kind::Int { min: 0, max: 7 }, "0";
    "div_precision_increment" Both Kind::Int { min: 0, max: 30 }, "4";
    "end_markers_in_json" Both Bool, "OFF";
    "eq_range_index_dive_limit" Both U32, "200";
    "error_count" Session ReadOnlyInt, "0";
    "event_scheduler" Global ReadOnly, "DISABLED";
    "explicit_defaults_for_timestamp" Both Fixed, "ON";
    "flush" Global ReadOnlyBool, "OFF";
    "foreign_key_checks" Both Bool, "ON";
    "general_log" Global Fixed, "OFF";
    "group_concat_max_len" Both Kind::Int { min: 4, max: u64::MAX }, "1024";
    "gtid_mode" Global ReadOnly, "OFF";
    "have_compress" Global ReadOnly, "NO";
    "have_dynamic_loading" Global ReadOnly, "NO";
    "have_geometry" Global ReadOnly, "NO";
    "have_profiling" Global ReadOnly, "NO";
    "have_query_cache" Global ReadOnly, "NO";
    "have_ssl" Global ReadOnly, "YES";
    "have_statement_timeout" Global ReadOnly, "YES";
    "hostname" Global ReadOnly, "localhost";
    "identity" Session U64, "0";
    "init_connect" Global Fixed, "";
    "innodb_autoinc_lock_mode" Global ReadOnlyInt, "2";
    "innodb_buffer_pool_size" Global ReadOnlyInt, "134217728";
    "innodb_deadlock_detect" Global Fixed, "ON";
    "innodb_default_row_format" Global Fixed, "dynamic";
    "innodb_file_per_table" Global Fixed, "ON";
    "innodb_flush_log_at_trx_commit" Global Fixed, "1";
    "innodb_lock_wait_timeout" Both Kind::Int { min: 1, max: 1_073_741_824 }, "50";
    "innodb_page_size" Global ReadOnlyInt, "16384";
    "innodb_read_only" Global ReadOnlyBool, "OFF";
    "innodb_rollback_on_timeout" Global ReadOnlyBool, "OFF";
    "innodb_stats_persistent" Global Bool, "ON";
    "innodb_strict_mode" Both Fixed, "ON";
    "innodb_version" Global ReadOnly, "9.7.0";
    "insert_id" Session U64, "0";
    "interactive_timeout" Both SECONDS, "28800";
    "join_buffer_size" Both U64, "262144";
    "key_buffer_size" Global U64, "8388608";
    "last_insert_id" Session U64, "0";
    "lc_messages" Both Fixed, "en_US";
    "lc_time_names" Both Fixed, "en_US";
    "license" Global ReadOnly, "Apache-2.0";
    "local_infile" Global Bool, "OFF";
    "lock_wait_timeout" Both SECONDS, "31536000";
    "log_bin" Global ReadOnlyBool, "OFF";
    "log_error" Global ReadOnly, "stderr";
    "long_query_time" Both Kind::Seconds, "10.000000";
    "low_priority_updates" Both Fixed, "OFF";
    "lower_case_file_system" Global ReadOnlyBool, "OFF";
    "lower_case_table_names" Global ReadOnlyInt, "0";
    "max_allowed_packet" Both Kind::Int { min: 1024, max: 1_073_741_824 }, "67108864";
    "max_connect_errors" Global U64, "100";
    "max_connections" Global Kind::Int { min: 1, max: 100_000 }, "151";
    "max_error_count" Both Kind::Int { min: 0, max: 65535 }, "1024";
    "max_execution_time" Both U32, "0";
    "max_heap_table_size" Both U64, "16777216";
    "max_join_size" Both U64, "18446744073709551615";
    "max_length_for_sort_data" Both U32, "4096";
    "max_prepared_stmt_count" Global Kind::Int { min: 0, max: 4_194_304 }, "16382";
    "max_seeks_for_key" Both U64, "18446744073709551615";
    "max_sort_length" Both U32, "1024";
    "max_user_connections" Both U32, "0";
    "net_buffer_length" Both Kind::Int { min: 1024, max: 1_048_576 }, "16384";
    "net_read_timeout" Both SECONDS, "30";
    "net_retry_count" Both U64, "10";
    "net_write_timeout" Both SECONDS, "60";
    "optimizer_prune_level" Both U32, "1";
    "optimizer_search_depth" Both U32, "62";
    "optimizer_switch" Both Fixed, "index_condition_pushdown=off,mrr=off";
    "performance_schema" Global ReadOnlyBool, "OFF";
    "pid_file" Global ReadOnly, "";
    "plugin_dir" Global ReadOnly, "";
    "port" Global ReadOnlyInt, "3306";
    "profiling" Both Fixed, "OFF";
    "protocol_compression_algorithms" Global ReadOnly, "zlib,zstd,uncompressed";
    "protocol_version" Global ReadOnlyInt, "10";
    "pseudo_thread_id" Session ReadOnlyInt, "0";
    "query_alloc_block_size" Both U32, "8192";
    "query_prealloc_size" Both U64, "8192";
    "rand_seed1" Session U32, "0";
    "rand_seed2" Session U32, "0";
    "range_optimizer_max_mem_size" Both U64, "8388608";
    "read_buffer_size" Both U32, "131072";
    "read_only" Global Fixed, "OFF";
    "read_rnd_buffer_size" Both U32, "262144";
    "require_secure_transport" Global Fixed, "OFF";
    "resultset_metadata" Session Kind::Enum(&["NONE", "FULL"]), "FULL";
    "secure_file_priv" Global ReadOnly, "NULL";
    "server_id" Global ReadOnlyInt, "1";
    "server_uuid" Global ReadOnly, "00000000-0000-0000-0000-000000000000";
    "session_track_gtids" Both Fixed, "OFF";
    "session_track_schema" Both Bool, "ON";
    "session_track_state_change" Both Bool, "OFF";
    "session_track_system_variables" Both Text, "time_zone,autocommit,character_set_client,character_set_results,character_set_connection";
    "session_track_transaction_info" Both Kind::Enum(&["OFF", "STATE", "CHARACTERISTICS"]), "OFF";
    "sextant_io" Global ReadOnly, "auto";
    "sextant_lal_bytes" Global ReadOnlyInt, "10000000";
    "sextant_log" Global ReadOnly, "info";
    "sextant_max_history_bytes" Global Kind::Int { min: 16_777_216, max: 1 << 40 }, "8589934592";
    "sextant_metrics_address" Global ReadOnly, "";
    "sextant_pages_per_pg" Global ReadOnlyInt, "655360";
    "sextant_query_memory_bytes" Global ReadOnlyInt, "67108864";
    "sextant_read_confirm" Global ReadOnly, "lease";
    "sextant_total_query_memory_bytes" Global ReadOnlyInt, "268435456";
    "sextant_uncoalesced_log_bytes" Global ReadOnlyInt, "0";
    "sextant_worker_threads" Global ReadOnlyInt, "0";
    "skip_name_resolve" Global ReadOnlyBool, "ON";
    "skip_networking" Global ReadOnlyBool, "OFF";
    "socket" Global ReadOnly, "";
    "sort_buffer_size" Both Kind::Int { min: 32768, max: u64::MAX }, "262144";
    "sql_auto_is_null" Both Fixed, "OFF";
    "sql_big_selects" Both Bool, "ON";
    "sql_buffer_result" Both Bool, "OFF";
    "sql_log_bin" Session Bool, "ON";
    "sql_log_off" Both Bool, "OFF";
    "sql_mode" Both Kind::SqlMode, "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";
    "sql_notes" Both Bool, "ON";
    "sql_quote_show_create" Both Bool, "ON";
    "sql_require_primary_key" Both Bool, "OFF";
    "sql_safe_updates" Both Fixed, "OFF";
    "sql_select_limit" Both U64, "18446744073709551615";
    "sql_warnings" Both Bool, "OFF";
    "super_read_only" Global Fixed, "OFF";
    "sync_binlog" Global U32, "1";
    "system_time_zone" Global ReadOnly, "UTC";
    "table_definition_cache" Global U32, "2000";
    "table_open_cache" Global U32, "4000";
    "thread_cache_size" Global U32, "9";
    "thread_handling" Global ReadOnly, "one-thread-per-connection";
    "time_zone" Both Kind::TimeZone, "SYSTEM";
    "timestamp" Session Kind::Seconds, "0";
    "tls_version" Global ReadOnly, "TLSv1.2,TLSv1.3";
    "tmp_table_size" Both U64, "16777216";
    "tmpdir" Global ReadOnly, "/tmp";
    "transaction_alloc_block_size" Both U32, "8192";
    "transaction_isolation" Both ISOLATION, "REPEATABLE-READ";
    "transaction_prealloc_size" Both U32, "4096";
    "transaction_read_only" Both Bool, "OFF";
    "unique_checks" Both Bool, "ON";
    "updatable_views_with_limit" Both Fixed, "YES";
    "version" Global ReadOnly, "9.7.0-sextant-0.1.0";
    "version_comment" Global ReadOnly, "Sextant: MySQL on a distributed log";
    "version_compile_machine" Global ReadOnly, "x86_64";
    "version_compile_os" Global ReadOnly, "Linux";
    "version_compile_zlib" Global ReadOnly, "";
    "wait_timeout" Both SECONDS, "28800";
    "warning_count" Session ReadOnlyInt, "0";
    "windowing_use_high_precision" Both Bool, "ON";
};

/// The variables without any effect here, by name: what MySQL has them for this server has not. They may be read, and set to what they are;
/// no session keeps a value of them.
static INERT: LazyLock<Vec<Variable>> =
    LazyLock::new(|| include_str!("inert.txt").lines().filter_map(inert).collect());

/// `name scope fixed|readonly bool|int|text [value]`
fn inert(line: &'static str) -> Option<Variable> {
    let mut words = line.splitn(5, ' ');
    let name = words.next()?;
    let scope = match words.next()? {
        "global" => Global,
        "session" => Session,
        _ => Both,
    };
    let (set, kind) = (words.next()?, words.next()?);
    let kind = match (set, kind) {
        ("fixed", "bool") => Kind::FixedBool,
        ("fixed", "int") => Kind::FixedInt,
        ("fixed", _) => Fixed,
        (_, "bool") => ReadOnlyBool,
        (_, "int") => ReadOnlyInt,
        _ => ReadOnly,
    };
    Some(Variable { name, scope, kind, default: words.next().unwrap_or("") })
}

/// The variable's number, for [`variable`]: those of [`VARIABLES`] come first.
pub(crate) fn find(name: &str) -> Option<usize> {
    let live = VARIABLES.binary_search_by(|v| v.name.cmp(name)).ok();
    live.or_else(|| INERT.binary_search_by(|v| v.name.cmp(name)).ok().map(|at| VARIABLES.len() + at))
}

/// The variable of this number.
pub(crate) fn variable(index: usize) -> &'static Variable {
    VARIABLES.get(index).unwrap_or_else(|| &INERT[index - VARIABLES.len()])
}

/// All of them with their numbers, by name.
pub(crate) fn all() -> Vec<(usize, &'static Variable)> {
    let mut all: Vec<_> = VARIABLES.iter().chain(INERT.iter()).enumerate().collect();
    all.sort_by_key(|(_, variable)| variable.name);
    all
}

/// What `version()` answers.
pub(crate) const VERSION: &str = concat!("9.7.0-sextant-", env!("CARGO_PKG_VERSION"));
