//! The metrics and health port, the same at compute and storage: `GET /metrics`, `GET /health`, and where there is one `GET /status`.
//!
//! Figures are made when somebody asks; nothing is kept twice. Just enough HTTP: one request per connection, a request of at most
//! 4 KiB, five seconds of patience, at most [`CONNECTIONS`] at once. What the pages say is the caller's matter.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

const REQUEST_LIMIT: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(5);
/// Scrapers answered at once; more wait in the listener's queue.
pub const CONNECTIONS: usize = 16;
const TEXT: &str = "text/plain";

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Figures.
    Metrics,
    /// Whether it serves.
    Health,
    /// What an operator wants to see, for programs.
    Status,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    status: &'static str,
    kind: &'static str,
    body: String,
}

impl Page {
    /// Figures, with the media type of their form.
    #[must_use]
    pub fn metrics(kind: &'static str, body: String) -> Page {
        Page { status: "200 OK", kind, body }
    }

    /// A JSON text.
    #[must_use]
    pub fn json(body: String) -> Page {
        Page { status: "200 OK", kind: "application/json", body }
    }

    /// There is no such page here.
    #[must_use]
    pub fn missing() -> Page {
        Page { status: "404 Not Found", kind: TEXT, body: "try /metrics or /health\n".to_string() }
    }

    /// One word, 200 when healthy, 503 otherwise.
    #[must_use]
    pub fn health(healthy: bool, word: &str) -> Page {
        let status = if healthy { "200 OK" } else { "503 Service Unavailable" };
        Page { status, kind: TEXT, body: format!("{word}\n") }
    }
}

/// Answers requests with what `page` makes, until the task is dropped.
pub async fn serve<F>(listener: TcpListener, page: impl Fn(Asked) -> F + Send + Sync + 'static)
where
    F: Future<Output = Page> + Send,
{
    let (page, places) = (Arc::new(page), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let page = Arc::clone(&page);
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(PATIENCE, answer(socket, &*page)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer<F>(mut socket: TcpStream, page: &(impl Fn(Asked) -> F + Sync)) -> std::io::Result<()>
where
    F: Future<Output = Page> + Send,
{
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_LIMIT {
        if socket.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    let line = request.split(|b| *b == b'\r').next().unwrap_or_default();
    let target = line.strip_prefix(b"GET ").and_then(|rest| rest.split(|b| *b == b' ').next());
    let Page { status, kind, body } = match target {
        Some(b"/metrics") => page(Asked::Metrics).await,
        Some(b"/health") => page(Asked::Health).await,
        Some(b"/status") => page(Asked::Status).await,
        Some(_) => Page::missing(),
        None => Page { status: "400 Bad Request", kind: TEXT, body: "only GET\n".to_string() },
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await?;
    socket.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_pages_are_served_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, |asked| async move {
            match asked {
                Asked::Metrics => Page::metrics("text/plain; version=0.0.4", "a 1\n".to_string()),
                Asked::Health => Page::health(false, "starting"),
                Asked::Status => Page::missing(),
            }
        }));
        let get = async |request: &str| {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut text = String::new();
            socket.read_to_string(&mut text).await.unwrap();
            text
        };
        let metrics = get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(
            metrics.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"),
            "{metrics}"
        );
        assert!(metrics.ends_with("Content-Length: 4\r\nConnection: close\r\n\r\na 1\n"), "{metrics}");
        let health = get("GET /health HTTP/1.0\r\n\r\n").await;
        assert!(health.starts_with("HTTP/1.1 503 ") && health.ends_with("\r\n\r\nstarting\n"), "{health}");
        assert!(get("GET /else HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404 "));
        assert!(get("POST /metrics HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(REQUEST_LIMIT));
        assert!(
            get(&long).await.starts_with("HTTP/1.1 404 "),
            "no longer than its limit is waited for an end"
        );
    }
}
