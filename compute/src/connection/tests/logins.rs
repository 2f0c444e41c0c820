//! Who gets in, by which way, and what the others are told.

use super::Running;
use super::client::{Client, Login, ROOT, code, packet, text};
use mysql_wire::Capabilities;
use std::sync::atomic::Ordering;

const SHA: Login<'static> = Login { user: "sha", password: "secret", ..ROOT };
const NATIVE: Login<'static> = Login { user: "native", password: "secret", ..ROOT };

#[test]
fn everybody_by_every_way() {
    let server = Running::start(&[]);
    let pem = std::fs::read(server.folder.join("server-cert.pem")).unwrap();
    for login in [&ROOT, &SHA, &NATIVE, &Login { plugin: "mysql_native_password", ..NATIVE }] {
        let (mut client, verdict) = Client::login(server.address, login);
        assert_eq!(verdict[0], 0, "{}: {}", login.user, text(&verdict));
        assert_eq!(client.value("echo hello"), "hello");
        let (mut client, nonce) = Client::connect(server.address);
        client.start_tls(&pem);
        let verdict = client.log_in(login, &nonce, true);
        assert_eq!(verdict[0], 0, "{} over TLS: {}", login.user, text(&verdict));
        assert_eq!(client.value("echo hello"), "hello");
    }
}

#[test]
fn refusals_say_what_mysql_says() {
    let server = Running::start(&[]);
    let refused = |login: &Login<'_>| {
        let (mut client, verdict) = Client::login(server.address, login);
        assert!(client.is_closed());
        (code(&verdict), text(&verdict[3..]))
    };
    let denied = |user: &str, used: &str| {
        (1045, format!("#28000Access denied for user '{user}'@'localhost' (using password: {used})"))
    };
    assert_eq!(refused(&Login { user: "nobody", ..ROOT }), denied("nobody", "NO"));
    assert_eq!(refused(&Login { user: "nobody", password: "x", ..ROOT }), denied("nobody", "YES"));
    assert_eq!(refused(&Login { password: "x", ..ROOT }), denied("root", "YES"));
    assert_eq!(refused(&Login { password: "wrong", ..SHA }), denied("sha", "YES"));
    assert_eq!(refused(&Login { password: "", ..NATIVE }), denied("native", "NO"));
    assert_eq!(
        refused(&Login { database: "nope", ..ROOT }),
        (1049, "#42000Unknown database 'nope'".to_string())
    );
    assert_eq!(refused(&Login { user: "locked", ..ROOT }).0, 3118);
}

#[test]
fn garbage_before_login_is_a_bad_handshake() {
    let server = Running::start(&[]);
    for bytes in [packet(1, b"abc"), packet(1, &[0xff; 40]), packet(1, b"")] {
        let (mut client, _) = Client::connect(server.address);
        client.raw(&bytes);
        assert_eq!(code(&client.read().unwrap()), 1043);
        assert!(client.is_closed());
    }
    let (mut client, _) = Client::connect(server.address);
    client.raw(&[0xff, 0xff, 0xff, 1]);
    assert_eq!(code(&client.read().unwrap()), 1153);
    assert!(client.is_closed());
    let (mut client, _) = Client::connect(server.address);
    client.raw(&packet(5, &[0; 40]));
    assert_eq!(code(&client.read().unwrap()), 1156);
}

/// Whoever speaks before the TLS handshake is not whoever speaks inside it.
#[test]
fn bytes_ahead_of_tls_end_the_connection() {
    let server = Running::start(&[]);
    let (mut client, _) = Client::connect(server.address);
    let caps = client.caps.with(Capabilities::SSL).bits().to_le_bytes();
    let request = packet(1, &[&caps[..4], &[0, 0, 0, 1, 255], &[0; 23]].concat());
    let smuggled = packet(2, b"a login somebody slipped in");
    client.raw(&[request, smuggled].concat());
    // They meet TLS, which answers with an alert (0x15) and nothing else.
    let answer = client.rest();
    assert!(answer.first().is_none_or(|b| *b == 0x15) && answer.len() < 16, "{answer:?}");
}

#[test]
fn a_slow_login_is_cut_off() {
    let server = Running::start(&[("connect_timeout", "2")]);
    let (mut client, _) = Client::connect(server.address);
    assert!(client.is_closed());
    assert_eq!(server.status("Aborted_connects"), 1);
}

#[test]
fn plain_text_can_be_forbidden() {
    let server = Running::start(&[("require_secure_transport", "ON")]);
    let (_, verdict) = Client::login(server.address, &ROOT);
    assert_eq!(code(&verdict), 3159);
    let (mut client, nonce) = Client::connect(server.address);
    client.start_tls(&std::fs::read(server.folder.join("server-cert.pem")).unwrap());
    assert_eq!(client.log_in(&ROOT, &nonce, true)[0], 0);
}

#[test]
fn one_connection_too_many() {
    let server = Running::start(&[("max_connections", "2")]);
    let _three: Vec<_> = (0..3).map(|_| Client::root(server.address)).collect();
    let mut socket = std::net::TcpStream::connect(server.address).unwrap();
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut socket, &mut answer).unwrap();
    assert_eq!(answer, packet(0, b"\xff\x10\x04Too many connections"));
    assert_eq!(server.status("Connection_errors_max_connections"), 1);
}

#[test]
fn a_connection_changes_its_user() {
    let server = Running::start(&[]);
    let mut client = Client::root(server.address);
    let change =
        |user: &str| [&[0x11], user.as_bytes(), b"\0\0shop\0\xff\0caching_sha2_password\0\0"].concat();
    for login in [&SHA, &NATIVE, &ROOT] {
        client.send_query("rows 0");
        client.result();
        let switch = client.command(&change(login.user));
        assert_eq!(switch[0], 0xfe);
        // Handed to the loop that answers challenges as if it had just come.
        let answer = answer_switch(&mut client, &switch, login);
        assert_eq!(answer[0], 0, "{}: {}", login.user, text(&answer));
        assert_eq!(client.value("echo still here"), "still here");
    }
    let switch = client.command(&change("nobody"));
    assert_eq!(code(&answer_switch(&mut client, &switch, &ROOT)), 1045);
    assert!(client.is_closed());
    assert_eq!(server.shared.counters.panics.load(Ordering::Relaxed), 0);
}

fn answer_switch(client: &mut Client, switch: &[u8], login: &Login<'_>) -> Vec<u8> {
    let at = switch.iter().position(|b| *b == 0).unwrap();
    let nonce = switch[at + 1..switch.len() - 1].to_vec();
    let native = switch.starts_with(b"\xfemysql_native");
    if native {
        use sha1::{Digest, Sha1};
        let first = Sha1::digest(login.password);
        let mask = Sha1::new().chain_update(&nonce).chain_update(Sha1::digest(first)).finalize();
        client.write(&first.iter().zip(mask).map(|(a, b)| a ^ b).collect::<Vec<u8>>());
    } else if login.password.is_empty() {
        client.write(&[]);
    } else {
        client.write(&[1; 32]);
    }
    client.answer_challenges(login, &nonce, false)
}
