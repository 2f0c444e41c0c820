//! Raw streams against a gRPC bidirectional stream, for what a commit and a page wait for.
//!
//! `cargo run --release -p protocol-grpc --example transport` prints one line per shape and transport: round trips a second, median time of
//! one, and CPU of both ends together per round trip. Both transports carry the same sealed envelopes, answer from a thread of its own over
//! loopback, and are run in turns, so that a busy machine slows both.

use bytes::{Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use protocol::geometry::{PgId, SegmentId};
use protocol::message::{Acked, Append, Envelope, Message, PageRead, Peer, ReadPage};
use protocol::{Incarnation, Lsn, PageId, VolumeEpoch, WriterId};
use protocol_grpc::stream;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

/// One gRPC message: sealed envelopes back to back.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Frame {
    #[prost(bytes = "bytes", tag = "1")]
    envelopes: Bytes,
}

/// What is asked, and so what is answered.
#[derive(Clone, Copy)]
enum Shape {
    Page,
    Batch(usize),
}

fn ends() -> (Peer, Peer) {
    (Peer::Compute(WriterId(1)), Peer::Segment(SegmentId { pg: PgId(0), position: 0 }))
}

fn question(shape: Shape, request: u64) -> Envelope {
    let (from, to) = ends();
    let message: Message = match shape {
        Shape::Page => ReadPage { request, epoch: VolumeEpoch(1), page: PageId(7), at: Lsn(9) }.into(),
        Shape::Batch(bytes) => Append {
            epoch: VolumeEpoch(1),
            writer: WriterId(1),
            incarnation: Incarnation(1),
            sequence: request,
            sent_us: 0,
            head_version: Default::default(),
            head: None,
            vdl: Lsn(1),
            pgmrpl: Lsn(1),
            frames: Bytes::from(vec![7; bytes]),
        }
        .into(),
    };
    Envelope { from, to, message }
}

fn answer(question: &Envelope, image: &Bytes) -> Envelope {
    let (to, from) = ends();
    let message: Message = match &question.message {
        Message::ReadPage(m) => PageRead { request: m.request, page: m.page, image: image.clone() }.into(),
        Message::Append(m) => Acked {
            epoch: m.epoch,
            incarnation: m.incarnation,
            sequence: m.sequence,
            sent_us: 0,
            scl: Lsn(1),
            head_version: Default::default(),
            page_point: Lsn(1),
            full: false,
            promised_ms: 0,
        }
        .into(),
        _ => unreachable!("only two kinds are asked"),
    };
    Envelope { from, to, message }
}

fn answers(input: &mut BytesMut, image: &Bytes, out: &mut Vec<u8>) {
    while let Some(asked) = stream::take_envelope(input).expect("our own stream") {
        stream::put_envelope(&answer(&asked, image), out);
    }
}

async fn serve_raw(mut socket: TcpStream) {
    let (image, mut input, mut out) = (Bytes::from(vec![5; 16384]), BytesMut::new(), Vec::new());
    loop {
        answers(&mut input, &image, &mut out);
        if !out.is_empty() {
            socket.write_all(&out).await.expect("written");
            out.clear();
        }
        stream::make_room(&mut input);
        if socket.read_buf(&mut input).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

struct Exchange;

impl tonic::server::StreamingService<Frame> for Exchange {
    type Response = Frame;
    type ResponseStream = Replies;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Replies>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Streaming<Frame>>) -> Self::Future {
        let (send, receive) = mpsc::channel(64);
        tokio::spawn(async move {
            let (mut asked, image) = (request.into_inner(), Bytes::from(vec![5; 16384]));
            while let Ok(Some(frame)) = asked.message().await {
                let mut out = Vec::new();
                answers(&mut BytesMut::from(&frame.envelopes[..]), &image, &mut out);
                if send.send(Frame { envelopes: out.into() }).await.is_err() {
                    return;
                }
            }
        });
        Box::pin(async move { Ok(tonic::Response::new(Replies(receive))) })
    }
}

struct Replies(mpsc::Receiver<Frame>);

impl tokio_stream::Stream for Replies {
    type Item = Result<Frame, Status>;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

struct Asked(mpsc::Receiver<Frame>);

impl tokio_stream::Stream for Asked {
    type Item = Frame;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        self.0.poll_recv(cx)
    }
}

async fn serve_grpc(socket: TcpStream) {
    let service = service_fn(|request: Request<Incoming>| async move {
        let codec: ProstCodec<Frame, Frame> = ProstCodec::default();
        let mut grpc = tonic::server::Grpc::new(codec).max_decoding_message_size(64 << 20);
        Ok::<Response<Body>, Infallible>(grpc.streaming(Exchange, request).await)
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .initial_stream_window_size(8 << 20)
        .initial_connection_window_size(16 << 20)
        .max_frame_size(1 << 20);
    let _ = builder.max_send_buf_size(4 << 20).serve_connection(TokioIo::new(socket), service).await;
}

struct Channel(SendRequest<Body>);

impl GrpcService<Body> for Channel {
    type ResponseBody = Incoming;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, hyper::Error>> + Send>>;
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// Listens on a thread of its own.
fn listen<F: Future<Output = ()> + Send + 'static>(serve: fn(TcpStream) -> F) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("bound")).expect("somebody waits");
            loop {
                let (socket, _) = listener.accept().await.expect("accepted");
                socket.set_nodelay(true).expect("an option");
                tokio::spawn(serve(socket));
            }
        });
    });
    told.recv().expect("it listens")
}

/// User and system time of this process so far.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = text.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().expect("ticks") + fields[12].parse::<u64>().expect("ticks");
    Duration::from_millis(ticks * 10)
}

struct Measured {
    per_second: f64,
    median_us: f64,
    cpu_us: f64,
}

/// Keeps `depth` questions in flight for `span`.
async fn run<W, R, Fw, Fr>(
    shape: Shape,
    depth: usize,
    span: Duration,
    mut send: W,
    mut receive: R,
) -> Measured
where
    W: FnMut(Vec<u8>) -> Fw,
    R: FnMut() -> Fr,
    Fw: Future<Output = ()>,
    Fr: Future<Output = Vec<Envelope>>,
{
    let (start, used) = (Instant::now(), cpu());
    let (mut asked, mut took) = (std::collections::VecDeque::new(), Vec::new());
    let mut request = 0;
    while start.elapsed() < span {
        let mut out = Vec::new();
        while asked.len() < depth {
            request += 1;
            stream::put_envelope(&question(shape, request), &mut out);
            asked.push_back(Instant::now());
        }
        if !out.is_empty() {
            send(out).await;
        }
        for _ in receive().await {
            took.push(asked.pop_front().expect("it was asked").elapsed());
        }
    }
    let (elapsed, used) = (start.elapsed(), cpu() - used);
    took.sort_unstable();
    let n = took.len() as f64;
    Measured {
        per_second: n / elapsed.as_secs_f64(),
        median_us: took[took.len() / 2].as_secs_f64() * 1e6,
        cpu_us: used.as_secs_f64() * 1e6 / n,
    }
}

async fn raw(address: SocketAddr, shape: Shape, depth: usize, span: Duration) -> Measured {
    let socket = TcpStream::connect(address).await.expect("connected");
    socket.set_nodelay(true).expect("an option");
    let (reader, writer) = socket.into_split();
    let (reader, writer) =
        (tokio::sync::Mutex::new((reader, BytesMut::new())), tokio::sync::Mutex::new(writer));
    let send = |out: Vec<u8>| async { writer.lock().await.write_all(&{ out }).await.expect("written") };
    let receive = || async {
        let (reader, input) = &mut *reader.lock().await;
        loop {
            let mut got = Vec::new();
            while let Some(envelope) = stream::take_envelope(input).expect("our own stream") {
                got.push(envelope);
            }
            if !got.is_empty() {
                return got;
            }
            stream::make_room(input);
            assert!(reader.read_buf(input).await.expect("read") > 0, "it closed");
        }
    };
    run(shape, depth, span, send, receive).await
}

async fn grpc(address: SocketAddr, shape: Shape, depth: usize, span: Duration) -> Measured {
    let socket = TcpStream::connect(address).await.expect("connected");
    socket.set_nodelay(true).expect("an option");
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .initial_stream_window_size(8 << 20)
        .initial_connection_window_size(16 << 20)
        .max_frame_size(1 << 20);
    let made = builder.max_send_buf_size(4 << 20).handshake(TokioIo::new(socket)).await;
    let (sender, connection) = made.expect("a handshake");
    tokio::spawn(connection);
    let origin = Uri::from_static("http://bench.sextant");
    let mut grpc = Grpc::with_origin(Channel(sender), origin).max_decoding_message_size(64 << 20);
    grpc.ready().await.expect("ready");
    let (ask, asked) = mpsc::channel(64);
    let codec: ProstCodec<Frame, Frame> = ProstCodec::default();
    let path = PathAndQuery::from_static("/bench.Bench/Exchange");
    let replies = grpc.streaming(tonic::Request::new(Asked(asked)), path, codec).await.expect("a stream");
    let replies = tokio::sync::Mutex::new(replies.into_inner());
    let send = |out: Vec<u8>| async { ask.send(Frame { envelopes: out.into() }).await.expect("sent") };
    let receive = || async {
        let frame = replies.lock().await.message().await.expect("a reply").expect("it goes on");
        let (mut input, mut got) = (BytesMut::from(&frame.envelopes[..]), Vec::new());
        while let Some(envelope) = stream::take_envelope(&mut input).expect("our own stream") {
            got.push(envelope);
        }
        got
    };
    run(shape, depth, span, send, receive).await
}

fn main() {
    let (raw_at, grpc_at) = (listen(serve_raw), listen(serve_grpc));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let shapes = [
        ("16 KiB page, depth 1", Shape::Page, 1),
        ("16 KiB page, depth 16", Shape::Page, 16),
        ("batch 600 B, depth 1", Shape::Batch(600), 1),
        ("batch 4 KiB, depth 1", Shape::Batch(4 << 10), 1),
        ("batch 64 KiB, depth 1", Shape::Batch(64 << 10), 1),
        ("batch 256 KiB, depth 1", Shape::Batch(256 << 10), 1),
        ("batch 256 KiB, depth 4", Shape::Batch(256 << 10), 4),
    ];
    let span = Duration::from_millis(1000);
    println!("{:<24} {:<6} {:>12} {:>12} {:>14}", "shape", "how", "per second", "median us", "CPU us, both");
    for (name, shape, depth) in shapes {
        let mut rows: [Vec<Measured>; 2] = Default::default();
        for _ in 0..3 {
            rows[0].push(runtime.block_on(raw(raw_at, shape, depth, span)));
            rows[1].push(runtime.block_on(grpc(grpc_at, shape, depth, span)));
        }
        for (how, mut rows) in ["raw", "gRPC"].into_iter().zip(rows) {
            rows.sort_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
            let m = &rows[1];
            println!("{name:<24} {how:<6} {:>12.0} {:>12.0} {:>14.1}", m.per_second, m.median_us, m.cpu_us);
        }
    }
}
