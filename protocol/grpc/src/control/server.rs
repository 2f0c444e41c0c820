//! The daemon's end of the unary calls: one connection at a time, served by whoever accepted it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic_prost::ProstCodec;

use super::{
    ADOPT, AdoptReply, AdoptRequest, MAX_REQUEST_BYTES, OPERATE, OperateReply, OperateRequest, SCRUB, STATUS,
    ScrubReply, ScrubRequest, StatusReply, StatusRequest,
};
use crate::tls::Role;

/// Calls in flight on one connection.
const CONCURRENT_CALLS: u32 = 16;

/// A boxed answer.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send>>;

/// What a daemon does when it is called.
pub trait Control: Send + Sync + 'static {
    /// What the node is.
    fn status(&self) -> Answer<StatusReply>;
    /// Becomes a member; `role` is the caller's.
    fn adopt(&self, role: Role, request: AdoptRequest) -> Answer<AdoptReply>;
    /// Hands an order to the writer; `role` is the caller's.
    fn operate(&self, role: Role, request: OperateRequest) -> Answer<OperateReply>;
    /// Looks at everything it stores; `role` is the caller's.
    fn scrub(&self, role: Role) -> Answer<ScrubReply>;
}

type Called<T> = Pin<Box<dyn Future<Output = Result<tonic::Response<T>, Status>> + Send>>;

struct StatusMethod(Arc<dyn Control>);

impl UnaryService<StatusRequest> for StatusMethod {
    type Response = StatusReply;
    type Future = Called<StatusReply>;

    fn call(&mut self, _: tonic::Request<StatusRequest>) -> Self::Future {
        let answer = self.0.status();
        Box::pin(async move { answer.await.map(tonic::Response::new) })
    }
}

struct AdoptMethod(Arc<dyn Control>, Role);

impl UnaryService<AdoptRequest> for AdoptMethod {
    type Response = AdoptReply;
    type Future = Called<AdoptReply>;

    fn call(&mut self, request: tonic::Request<AdoptRequest>) -> Self::Future {
        let answer = self.0.adopt(self.1, request.into_inner());
        Box::pin(async move { answer.await.map(tonic::Response::new) })
    }
}

struct OperateMethod(Arc<dyn Control>, Role);

impl UnaryService<OperateRequest> for OperateMethod {
    type Response = OperateReply;
    type Future = Called<OperateReply>;

    fn call(&mut self, request: tonic::Request<OperateRequest>) -> Self::Future {
        let answer = self.0.operate(self.1, request.into_inner());
        Box::pin(async move { answer.await.map(tonic::Response::new) })
    }
}

struct ScrubMethod(Arc<dyn Control>, Role);

impl UnaryService<ScrubRequest> for ScrubMethod {
    type Response = ScrubReply;
    type Future = Called<ScrubReply>;

    fn call(&mut self, _: tonic::Request<ScrubRequest>) -> Self::Future {
        let answer = self.0.scrub(self.1);
        Box::pin(async move { answer.await.map(tonic::Response::new) })
    }
}

/// Serves one connection until the caller closes it.
///
/// # Errors
/// The connection's.
pub async fn serve<I>(io: I, control: Arc<dyn Control>, role: Role) -> Result<(), hyper::Error>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let control = Arc::clone(&control);
        async move { Ok::<_, Infallible>(route(control, role, request).await) }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_concurrent_streams(CONCURRENT_CALLS);
    builder.serve_connection(TokioIo::new(io), service).await
}

async fn route(control: Arc<dyn Control>, role: Role, request: Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        STATUS => {
            let codec: ProstCodec<StatusReply, StatusRequest> = ProstCodec::default();
            let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_REQUEST_BYTES);
            grpc.unary(StatusMethod(control), request).await
        }
        ADOPT => {
            let codec: ProstCodec<AdoptReply, AdoptRequest> = ProstCodec::default();
            let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_REQUEST_BYTES);
            grpc.unary(AdoptMethod(control, role), request).await
        }
        OPERATE => {
            let codec: ProstCodec<OperateReply, OperateRequest> = ProstCodec::default();
            let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_REQUEST_BYTES);
            grpc.unary(OperateMethod(control, role), request).await
        }
        SCRUB => {
            let codec: ProstCodec<ScrubReply, ScrubRequest> = ProstCodec::default();
            let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_REQUEST_BYTES);
            grpc.unary(ScrubMethod(control, role), request).await
        }
        path => Status::unimplemented(format!("there is no method {path}")).into_http(),
    }
}
