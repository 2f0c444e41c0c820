//! What tests of a server without a process around it need: a host that has nothing, and the particulars of a login as root.
//!
//! Behind the feature `testing`; never in a product build.

use crate::api::{ConnectInfo, Host, Process, VirtualTable};
use std::sync::Arc;

/// A host without processes, status, variables or tables of its own; passwords are kept as they come.
pub struct NoHost;

impl Host for NoHost {
    fn processes(&self) -> Vec<Process> {
        Vec::new()
    }
    fn kill(&self, _: u64, _: bool) -> bool {
        false
    }
    fn status(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    fn variables(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    fn virtual_tables(&self) -> Vec<Arc<dyn VirtualTable>> {
        Vec::new()
    }
    fn password_hash(&self, _: &str, password: &[u8]) -> Option<Vec<u8>> {
        Some(password.to_vec())
    }
}

/// Session `id` of `user`@`host`, without a default schema or any option of the connection.
pub fn login(id: u64, user: &str, host: &str) -> ConnectInfo {
    ConnectInfo {
        id,
        user: user.into(),
        host: host.into(),
        account: (user.into(), host.into()),
        schema: None,
        collation: 255,
        found_rows: false,
        multi_statements: false,
        interactive: false,
        ignore_space: false,
        optional_metadata: false,
        tls: None,
    }
}
