//! TLS 1.3 and 1.2 by rustls, with a certificate made at first start.

use super::write_private;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

const CERTIFICATE: &str = "server-cert.pem";
const KEY: &str = "server-key.pem";

/// The acceptor of the certificate in `folder`, which is made if there is none.
///
/// # Errors
/// Files that cannot be read or written, or do not hold a certificate and its key.
pub fn acceptor(folder: &Path) -> io::Result<TlsAcceptor> {
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    if !certificate.exists() || !key.exists() {
        let names = vec!["localhost".to_string(), "sextant".to_string(), "127.0.0.1".to_string()];
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        write_private(&key, &made.signing_key.serialize_pem())?;
        write_private(&certificate, &made.cert.pem())?;
    }
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|problem| bad_file(&certificate, &problem))?;
    let private = PrivateKeyDer::from_pem_file(&key).map_err(|problem| bad_file(&key, &problem))?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|problem| bad_file(&certificate, &problem))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn bad_file(path: &Path, problem: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {problem}", path.display()))
}
