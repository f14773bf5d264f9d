//! HL7 v2 feeds: messages over MLLP, on plain TCP or TLS.
//!
//! A message is answered when it is durable, and the next one of its connection is read then: a
//! sender that is faster than the disk waits, and messages about one patient stay in order. If the
//! node cannot do its part, nothing is answered and the connection ends, so that the sender sends
//! again.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use flows::{
    FlowError, Member,
    feed::{Feed, FeedOptions, mllp},
};
use serde::Deserialize;
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    limits,
    tls::{self, TlsSettings},
};

/// A feed as it is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedSettings {
    /// Its name, for people and in figures.
    pub name: String,
    /// Where senders reach it.
    pub listen: SocketAddr,
    /// Who may send; anybody who can reach the port if nobody is named.
    #[serde(default)]
    pub senders: Vec<IpAddr>,
    /// TLS, if it is spoken.
    pub tls: Option<TlsSettings>,
    /// The zone of times that name none: a name of the IANA database, or an offset.
    pub zone: Option<String>,
    /// The character set of messages that name none and are not UTF-8.
    pub charset: Option<String>,
    /// URIs of assigning authorities by the names that the sender uses.
    #[serde(default)]
    pub authorities: BTreeMap<String, String>,
    /// Which messages are taken, by MSH-11; production (`P`) alone if nothing is said.
    #[serde(default)]
    pub processing: Vec<String>,
}

/// A feed that listens.
pub struct Port {
    feed: Arc<Feed>,
    listener: TcpListener,
    senders: Vec<IpAddr>,
    acceptor: Option<TlsAcceptor>,
}

impl Port {
    /// Opens the feed and listens. Relative names of files are of the node's folder.
    ///
    /// # Errors
    /// What the operator has to correct.
    pub async fn open(
        settings: FeedSettings,
        member: &Member,
        folder: &Path,
    ) -> Result<Self, String> {
        let fault = |why: String| format!("feed `{}`: {why}", settings.name);
        let tls = settings.tls.as_ref();
        let acceptor = tls.map(|tls| tls.acceptor(folder, &[])).transpose().map_err(fault)?;
        let listener = TcpListener::bind(settings.listen).await;
        let listener = listener
            .map_err(|error| fault(format!("cannot listen on {}: {error}", settings.listen)))?;
        let options = FeedOptions {
            name: settings.name.clone(),
            zone: settings.zone.clone(),
            charset: settings.charset.clone(),
            authorities: settings.authorities.clone(),
            processing: settings.processing.clone(),
        };
        let feed = member.open_feed(options).map_err(fault)?;
        Ok(Self { feed, listener, senders: settings.senders, acceptor })
    }
}

/// Takes messages on all ports until `stop` turns true; a message that is under way is answered
/// first.
///
/// # Errors
/// If a store failed: the node must not go on.
pub async fn serve(
    ports: Vec<Port>,
    member: Arc<Member>,
    stop: watch::Receiver<bool>,
) -> Result<(), FlowError> {
    let mut listening = JoinSet::new();
    for port in ports {
        listening.spawn(listen(Arc::new(port), member.clone(), stop.clone()));
    }
    while let Some(ended) = listening.join_next().await {
        ended.map_err(panicked)??;
    }
    Ok(())
}

async fn listen(
    port: Arc<Port>,
    member: Arc<Member>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), FlowError> {
    let places = Arc::new(Semaphore::new(limits::FEED_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.expect("it is never closed");
            (place, tls::accept(&port.listener).await)
        };
        tokio::select! {
            (place, (stream, from)) = accepted => {
                if !port.senders.is_empty() && !port.senders.contains(&from.ip()) {
                    tracing::warn!(%from, "not a sender of this feed");
                    continue;
                }
                let (port, member, stop) = (port.clone(), member.clone(), stop.clone());
                connections.spawn(async move {
                    let _place = place;
                    converse(&port, &member, stream, from, stop).await
                });
            }
            Some(ended) = connections.join_next() => ended.map_err(panicked)??,
            () = stopped(&mut stop) => break,
        }
    }
    while let Some(ended) = connections.join_next().await {
        ended.map_err(panicked)??;
    }
    Ok(())
}

async fn converse(
    port: &Port,
    member: &Arc<Member>,
    stream: TcpStream,
    from: SocketAddr,
    stop: watch::Receiver<bool>,
) -> Result<(), FlowError> {
    let told = match &port.acceptor {
        None => hear(port, member, stream, stop).await,
        Some(acceptor) => match tls::shake(acceptor, stream).await {
            Ok(stream) => hear(port, member, stream, stop).await,
            Err(error) => Err(End::Lost(error)),
        },
    };
    match told {
        Ok(()) => {}
        Err(End::Lost(error)) => tracing::info!(%error, %from, "a sender was lost"),
        Err(End::Failed(error)) if error.is_fatal() => return Err(error),
        Err(End::Failed(error)) => {
            tracing::warn!(%error, %from, "a message was not taken; its sender has to send again");
        }
    }
    Ok(())
}

/// Why a conversation ends before its time.
enum End {
    /// The connection broke.
    Lost(io::Error),
    /// The node could not do its part.
    Failed(FlowError),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        End::Lost(error)
    }
}

/// Hears one sender, message by message.
async fn hear(
    port: &Port,
    member: &Arc<Member>,
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
    mut stop: watch::Receiver<bool>,
) -> Result<(), End> {
    let mut frames = mllp::Frames::default();
    let mut buffer = vec![0; limits::FEED_READ_BYTES];
    loop {
        let limit = if frames.is_inside() { limits::FEED_STALL_MS } else { limits::FEED_IDLE_MS };
        let read = timeout(Duration::from_millis(limit), stream.read(&mut buffer));
        let read = tokio::select! {
            read = read => read.map_err(io::Error::from)??,
            () = stopped(&mut stop) => return Ok(()),
        };
        if read == 0 {
            return Ok(());
        }
        for received in frames.push(&buffer[..read]) {
            for answer in answers(port, member, received).await.map_err(End::Failed)? {
                stream.write_all(&mllp::framed(&answer)).await?;
            }
            stream.flush().await?;
        }
    }
}

/// What to answer to what came. What is behind it is durable then.
async fn answers(
    port: &Port,
    member: &Arc<Member>,
    received: mllp::Received,
) -> Result<Vec<Vec<u8>>, FlowError> {
    match received {
        mllp::Received::Message(bytes) => {
            let (member, feed) = (member.clone(), port.feed.clone());
            let taken = tokio::task::spawn_blocking(move || member.receive(&feed, &bytes));
            taken.await.map_err(panicked)?
        }
        mllp::Received::TooLong(head) => Ok(member.refuse_too_long(&head)),
        mllp::Received::Stray(bytes) => {
            tracing::warn!(bytes, "bytes outside of any message were dropped");
            Ok(Vec::new())
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

fn panicked(error: tokio::task::JoinError) -> FlowError {
    FlowError::Fatal(error.to_string())
}
