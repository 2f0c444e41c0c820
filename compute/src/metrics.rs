//! The metrics and health port: `GET /metrics` in OpenMetrics text, `GET /health`, and `GET /status`, which `sextant status` reads.
//!
//! Served by [`protocol_grpc::page`], as at the storage daemons; figures are read when somebody asks, nothing is kept twice.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use protocol_grpc::page::{self, Asked, Page};
use std::fmt;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Where the figures come from: names as in SHOW STATUS, values as text.
pub type Source = Arc<dyn Fn() -> Vec<(String, String)> + Send + Sync>;

/// What the port tells.
#[derive(Clone)]
pub struct Told {
    /// The figures.
    pub figures: Source,
    /// Can a statement be answered now; and a word for how it stands.
    pub health: Arc<dyn Fn() -> (bool, &'static str) + Send + Sync>,
    /// The operator's picture, as JSON.
    pub status: Arc<dyn Fn() -> String + Send + Sync>,
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct Figures(Source);

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, value) in (self.0)() {
            let Ok(value) = value.parse::<f64>() else { continue };
            let lower = name.to_ascii_lowercase();
            let plain = lower.strip_prefix("sextant_").unwrap_or(&lower);
            let gauge = ConstGauge::new(value);
            let metric = prometheus_client::metrics::MetricType::Gauge;
            gauge.encode(encoder.encode_descriptor(
                plain,
                &format!("Status variable {name}"),
                None,
                metric,
            )?)?;
        }
        Ok(())
    }
}

/// Answers requests until the task is dropped.
pub async fn serve(listener: TcpListener, told: Told) {
    let mut registry = Registry::with_prefix("sextant");
    registry.register_collector(Box::new(Figures(told.figures.clone())));
    let registry = Arc::new(registry);
    page::serve(listener, move |asked| {
        let (registry, told) = (Arc::clone(&registry), told.clone());
        async move {
            match asked {
                Asked::Metrics => Page::metrics(OPEN_METRICS, figures(&registry)),
                Asked::Health => {
                    let (healthy, word) = (told.health)();
                    Page::health(healthy, word)
                }
                // Storage is asked and waited for.
                Asked::Status => Page::json(tokio::task::block_in_place(|| (told.status)())),
            }
        }
    })
    .await;
}

fn figures(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string fails only when a metric's own encoding does; what was written is served.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn figures_are_served() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let pairs = [("Bytes_sent", "7"), ("Sextant_vdl", "12"), ("Version", "9.7")];
        let figures: Source =
            Arc::new(move || pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect());
        let told = Told {
            figures,
            health: Arc::new(|| (false, "stopping")),
            status: Arc::new(|| "{\"state\":1}".to_string()),
        };
        runtime.spawn(serve(listener, told));
        let get = |what: &str| {
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            write!(socket, "GET {what} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut text = String::new();
            socket.read_to_string(&mut text).unwrap();
            text
        };
        let metrics = get("/metrics");
        assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
        assert!(metrics.contains("\nsextant_bytes_sent 7"), "{metrics}");
        assert!(metrics.contains("\nsextant_vdl 12"), "{metrics}");
        let health = get("/health");
        assert!(health.starts_with("HTTP/1.1 503 ") && health.ends_with("\r\n\r\nstopping\n"), "{health}");
        let status = get("/status");
        assert!(status.contains("application/json") && status.ends_with("{\"state\":1}"), "{status}");
        assert!(get("/nothing").starts_with("HTTP/1.1 404"));
    }
}
