//! The caller's end of the unary calls: one HTTP/2 connection per call or per few calls.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::Status;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic_prost::ProstCodec;

use super::{
    ADOPT, AdoptReply, AdoptRequest, MAX_REPLY_BYTES, OPERATE, OperateReply, OperateRequest, SCRUB, STATUS,
    ScrubReply, ScrubRequest, StatusReply, StatusRequest,
};
use crate::tls::{self, Tls};

/// An HTTP/2 connection as tonic wants it.
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

/// Calls one storage node.
pub struct ControlClient {
    grpc: Grpc<Channel>,
}

impl std::fmt::Debug for ControlClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ControlClient")
    }
}

impl ControlClient {
    /// Connects; the connection ends with the client.
    ///
    /// # Errors
    /// The socket's, the handshake's.
    pub async fn connect(address: &str, tls: Option<&Tls>) -> std::io::Result<ControlClient> {
        let io = tls::connect(address, tls).await?;
        let made = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await;
        let (sender, connection) = made.map_err(std::io::Error::other)?;
        // Ends when the sender is dropped; what goes wrong with it shows in the call.
        tokio::spawn(connection);
        let origin = Uri::from_static("http://storage.sextant");
        let grpc = Grpc::with_origin(Channel(sender), origin).max_decoding_message_size(MAX_REPLY_BYTES);
        Ok(ControlClient { grpc })
    }

    async fn unary<M1, M2>(&mut self, path: &'static str, request: M1) -> Result<M2, Status>
    where
        M1: prost::Message + Default + 'static,
        M2: prost::Message + Default + 'static,
    {
        self.grpc.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
        let codec: ProstCodec<M1, M2> = ProstCodec::default();
        let path = PathAndQuery::from_static(path);
        Ok(self.grpc.unary(tonic::Request::new(request), path, codec).await?.into_inner())
    }

    /// What the node is.
    ///
    /// # Errors
    /// The call's.
    pub async fn status(&mut self) -> Result<StatusReply, Status> {
        self.unary(STATUS, StatusRequest {}).await
    }

    /// Makes it a member.
    ///
    /// # Errors
    /// The call's; `FailedPrecondition` when it belongs elsewhere.
    pub async fn adopt(&mut self, request: AdoptRequest) -> Result<AdoptReply, Status> {
        self.unary(ADOPT, request).await
    }

    /// Hands an order to the writer whose log stream is live at this node.
    ///
    /// # Errors
    /// The call's; `Unavailable` when no writer is connected here.
    pub async fn operate(&mut self, request: OperateRequest) -> Result<OperateReply, Status> {
        self.unary(OPERATE, request).await
    }

    /// Starts a look at everything the node stores.
    ///
    /// # Errors
    /// The call's.
    pub async fn scrub(&mut self) -> Result<ScrubReply, Status> {
        self.unary(SCRUB, ScrubRequest {}).await
    }
}
