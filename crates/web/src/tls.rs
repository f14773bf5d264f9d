//! TLS of the node's own ports: certificates from files, TLS 1.2 and 1.3 by rustls, and who
//! connects by certificate if an authority is named.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::serve::Listener;
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
    server::TlsStream,
};

use crate::limits;

/// The files of a port that speaks TLS. Relative names are of the node's folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate and those that lead from it to an authority, as PEM.
    pub certificate: PathBuf,
    /// The key of the certificate, as PEM.
    pub key: PathBuf,
    /// Certificates of authorities, as PEM: who connects must show a certificate of one of them.
    pub client_authority: Option<PathBuf>,
}

impl TlsSettings {
    /// Reads the files. `protocols` are the names for ALPN, the preferred one first.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub fn acceptor(&self, folder: &Path, protocols: &[&[u8]]) -> Result<TlsAcceptor, String> {
        let certificates = certificates(&folder.join(&self.certificate))?;
        let path = folder.join(&self.key);
        let key = PrivateKeyDer::from_pem_file(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &self.client_authority {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let roots = Arc::new(roots(&folder.join(authority))?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| error.to_string())?)
            }
        };
        let config = builder.with_single_cert(certificates, key);
        let mut config =
            config.map_err(|error| format!("{}: {error}", self.certificate.display()))?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config).into())
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let fault = |why: String| format!("{}: {why}", path.display());
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| fault(error.to_string()))?;
    match read.is_empty() {
        true => Err(fault("there is no certificate in it".to_owned())),
        false => Ok(read),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let added = roots.add(certificate);
        added.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(roots)
}

/// Shakes hands, for no longer than is decent.
///
/// # Errors
/// Why the other side is not heard.
pub async fn shake(acceptor: &TlsAcceptor, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let limit = Duration::from_millis(limits::HANDSHAKE_MS_MAX);
    timeout(limit, acceptor.accept(stream)).await.map_err(io::Error::from)?
}

/// A port whose connections have shaken hands. Who is slow keeps nobody else waiting.
pub struct TlsListener {
    address: SocketAddr,
    shaken: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    /// Takes over a port.
    ///
    /// # Errors
    /// If the port has no address any more.
    pub fn new(listener: TcpListener, acceptor: TlsAcceptor) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, shaken) = mpsc::channel(limits::HANDSHAKES_MAX);
        tokio::spawn(async move {
            // A place in the queue is taken before the handshake, so that there is a bound.
            while let Ok(place) = sender.clone().reserve_owned().await {
                let (stream, from) = accept(&listener).await;
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match shake(&acceptor, stream).await {
                        Ok(stream) => drop(place.send((stream, from))),
                        Err(error) => tracing::debug!(%error, "no handshake"),
                    }
                });
            }
        });
        Ok(Self { address, shaken })
    }
}

/// The next connection; a machine out of files is waited for.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(limits::ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.shaken.recv().await {
            Some(shaken) => shaken,
            // The task above ends only with this listener.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
