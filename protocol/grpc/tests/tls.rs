//! Mutual TLS by role, with certificates made for the test: who gets in, as what, and who does not.

use protocol_grpc::hello::Kind;
use protocol_grpc::tls::{Files, Role, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sextant-tls-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An authority in `folder` with a certificate per name: the file's name, and the DNS name in it.
fn fill(folder: &Path, holders: &[(&str, &str)]) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = params.self_signed(&key).expect("signed");
    fs::write(folder.join("authority.pem"), authority.pem()).expect("written");
    let issuer = Issuer::new(params, key);
    for (name, dns) in holders {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![(*dns).to_string()]).expect("a name");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &issuer).expect("signed");
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("written");
        fs::write(folder.join(format!("{name}-key.pem")), key.serialize_pem()).expect("written");
    }
}

fn load(folder: &Path, name: &str) -> Tls {
    Tls::load(&Files::in_folder(folder, name)).expect("good files")
}

/// One handshake with a byte each way; the role the daemon saw, and what each end met.
async fn meet(daemon: &Tls, caller: &Tls) -> (Result<Role, String>, Result<(), String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let accepting = async {
        let (socket, _) = listener.accept().await.map_err(|e| e.to_string())?;
        let (mut io, role) = daemon.accept(socket).await.map_err(|e| e.to_string())?;
        io.write_all(b"x").await.map_err(|e| e.to_string())?;
        io.flush().await.map_err(|e| e.to_string())?;
        Ok(role)
    };
    let calling = async {
        let socket = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
        let mut io = caller.connect(socket).await.map_err(|e| e.to_string())?;
        // TLS 1.3 tells a caller that its certificate was refused only with the first byte it reads.
        io.read_u8().await.map(|_| ()).map_err(|e| e.to_string())
    };
    tokio::join!(accepting, calling)
}

#[test]
fn certificates_name_roles_and_strangers_stay_out() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let ours = Folder::new();
        let holders = [
            ("storage", "storage.sextant"),
            ("compute", "compute.sextant"),
            ("replica", "replica.sextant"),
            ("nobody", "somewhere.example"),
        ];
        fill(&ours.0, &holders);
        let storage = load(&ours.0, "storage");
        for role in [Role::Compute, Role::Replica, Role::Storage] {
            let (seen, met) = meet(&storage, &load(&ours.0, role.word())).await;
            assert_eq!((seen, met), (Ok(role), Ok(())), "{role}");
        }
        let (seen, _) = meet(&storage, &load(&ours.0, "nobody")).await;
        assert!(seen.expect_err("no role").contains("names no role"));
        // A node that is no storage node is not called, whatever its address.
        let (_, met) = meet(&load(&ours.0, "compute"), &load(&ours.0, "compute")).await;
        assert!(met.is_err(), "a compute node posed as a storage node");
        let theirs = Folder::new();
        fill(&theirs.0, &holders);
        let (seen, met) = meet(&storage, &load(&theirs.0, "compute")).await;
        assert!(seen.is_err() && met.is_err(), "another authority's certificate got in");
    });
}

#[test]
fn a_replica_reads_and_does_not_append() {
    assert!(Role::Replica.may_stream(Kind::Reads) && !Role::Replica.may_stream(Kind::Log));
    assert!(!Role::Replica.may_adopt() && !Role::Replica.may_stream(Kind::Peer));
    assert!(Role::Compute.may_stream(Kind::Log) && !Role::Compute.may_stream(Kind::Peer));
    assert!(Role::Storage.may_stream(Kind::Peer) && !Role::Storage.may_stream(Kind::Log));
    assert!(!Role::Operator.may_stream(Kind::Log) && Role::Operator.may_adopt());
}

#[test]
fn a_missing_file_is_named() {
    let folder = Folder::new();
    let missing = Tls::load(&Files::in_folder(&folder.0, "storage")).expect_err("nothing there").to_string();
    assert!(missing.contains("authority.pem"), "{missing}");
}

#[test]
fn renewed_files_are_used_by_the_next_handshake_and_half_written_ones_by_none() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(renewal());
}

/// Meets until it goes as wanted: files are looked at once a second.
async fn until(
    daemon: &Tls,
    caller: &Tls,
    wanted: impl Fn(&Result<Role, String>, &Result<(), String>) -> bool,
) {
    for _ in 0..2_000 {
        let (seen, met) = meet(daemon, caller).await;
        if wanted(&seen, &met) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("not within 20 s");
}

async fn renewal() {
    let (old, new, both) = (Folder::new(), Folder::new(), Folder::new());
    let holders = [("storage", "storage.sextant"), ("compute", "compute.sextant")];
    fill(&old.0, &holders);
    fill(&new.0, &holders);
    let copy = |from: &Folder, name: &str| {
        fs::copy(from.0.join(name), both.0.join(name)).expect("copied");
    };
    ["authority.pem", "storage.pem", "storage-key.pem"].iter().for_each(|name| copy(&old, name));
    let (daemon, caller) = (load(&both.0, "storage"), load(&old.0, "compute"));
    let newcomer = load(&new.0, "compute");
    assert_eq!(meet(&daemon, &caller).await.0, Ok(Role::Compute));
    assert!(meet(&daemon, &newcomer).await.0.is_err(), "an authority nobody trusts yet");
    // Both ends trust both authorities for a while; the daemon's own certificate is of the old one.
    let read = |folder: &Folder| fs::read_to_string(folder.0.join("authority.pem")).expect("read");
    let (first, second) = (read(&old), read(&new));
    fs::write(both.0.join("authority.pem"), format!("{first}{second}")).expect("written");
    fs::write(new.0.join("authority.pem"), format!("{second}{first}")).expect("written");
    let well =
        |seen: &Result<Role, String>, met: &Result<(), String>| *seen == Ok(Role::Compute) && met.is_ok();
    until(&daemon, &newcomer, well).await;
    assert!(well(&meet(&daemon, &caller).await.0, &Ok(())), "who holds the old one is known still");
    // Half of a new pair fits nothing, however often it is looked at: the old pair serves on.
    let renewals = daemon.renewals();
    copy(&new, "storage.pem");
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(meet(&daemon, &caller).await, (Ok(Role::Compute), Ok(())));
    assert_eq!(daemon.renewals(), renewals);
    copy(&new, "storage-key.pem");
    until(&daemon, &caller, |_, met| met.is_err()).await;
    assert_eq!(meet(&daemon, &newcomer).await, (Ok(Role::Compute), Ok(())), "the new pair");
}
