//! The server end to end over real sockets, with a small SQL of its own underneath.

mod backend;
mod client;
mod faults;
mod features;
mod leases;
mod logins;
mod requests;

use crate::config::{Flags, Settings, load};
use crate::security::{RsaDoor, acceptor};
use crate::server::{Counters, Registry, Shared, listen};
use backend::Little;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// A running server; stopped when dropped.
struct Running {
    shared: Arc<Shared<Little>>,
    address: SocketAddr,
    folder: PathBuf,
    runtime: Runtime,
    task: Option<JoinHandle<()>>,
}

fn settings(values: &[(&str, &str)]) -> Settings {
    let values = values.iter().map(|(n, v)| ("test".to_string(), n.to_string(), v.to_string())).collect();
    load(&Flags { config: Some("/dev/null".into()), values }, std::iter::empty()).unwrap()
}

impl Running {
    fn start(values: &[(&str, &str)]) -> Running {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("sextant-connection-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(folder.join("compute")).unwrap();
        let datadir = ("datadir", folder.to_str().unwrap());
        let settings = settings(&[&[datadir], values].concat());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (shared, listener) = {
            let _context = runtime.enter();
            let registry = Arc::new(Registry::new());
            let tls = Some(acceptor(&folder).unwrap());
            let rsa = RsaDoor::new(folder.clone());
            let backend = Arc::new(Little::default());
            let shared = Shared::new(settings, backend, tls, rsa, registry, Arc::new(Counters::default()));
            (shared, listen("127.0.0.1:0".parse().unwrap()).unwrap())
        };
        let address = listener.local_addr().unwrap();
        let task = Some(runtime.spawn(shared.clone().serve(listener, None)));
        Running { shared, address, folder, runtime, task }
    }

    fn status(&self, name: &str) -> u64 {
        let status = self.shared.counters.status(&self.shared.registry);
        status.into_iter().find(|(n, _)| *n == name).unwrap().1
    }

    /// Stops the server and waits until its last connection is gone.
    fn stop(&mut self) {
        self.shared.stop();
        if let Some(task) = self.task.take() {
            self.runtime.block_on(task).unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
