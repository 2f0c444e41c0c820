//! What clients may ask for beyond requests and answers: cursors, compression, fewer definitions, files, the reserved place.

use super::Running;
use super::client::{Client, Login, ROOT, code, packet, text};
use super::faults::wait_until;
use mysql_wire::Capabilities;
use mysql_wire::compressed::{FrameHeader, HEADER};
use std::io::Read;
use std::time::{Duration, Instant};

fn with(server: &Running, extra: Capabilities) -> Client {
    let (client, verdict) = Client::login(server.address, &Login { extra, ..ROOT });
    assert_eq!(verdict[0], 0, "{}", text(&verdict));
    client
}

fn prepare(client: &mut Client, sql: &str) -> u32 {
    let answer = client.command(&[b"\x16", sql.as_bytes()].concat());
    assert_eq!(answer[0], 0, "{}", text(&answer));
    client.read().unwrap();
    u32::from_le_bytes([answer[1], answer[2], answer[3], answer[4]])
}

fn statement(command: u8, id: u32, rest: &[u8]) -> Vec<u8> {
    [&[command], &id.to_le_bytes()[..], rest].concat()
}

/// Executes with flags and reads the whole answer.
fn execute(client: &mut Client, id: u32, flags: u8) -> Vec<Vec<u8>> {
    let first = client.command(&statement(0x17, id, &[flags, 1, 0, 0, 0]));
    if matches!(first[0], 0 | 0xff) && first.len() > 3 {
        return vec![first];
    }
    let mut all = vec![first];
    while !matches!(all.last().unwrap()[0], 0xfe | 0xff) {
        all.push(client.read().unwrap());
    }
    all
}

/// Fetches and returns how many rows came, and the status word at their end.
fn fetch(client: &mut Client, id: u32, rows: u32) -> (usize, u16) {
    let mut packet = client.command(&statement(0x1c, id, &rows.to_le_bytes()));
    let mut seen = 0;
    while packet[0] == 0 {
        seen += 1;
        packet = client.read().unwrap();
    }
    assert_eq!(packet[0], 0xfe, "{}", text(&packet));
    (seen, u16::from_le_bytes([packet[3], packet[4]]))
}

/// Recorded from MySQL 9.7: the last rows and the end of the cursor are told apart as there.
#[test]
fn cursors_hand_out_rows_as_they_are_asked_for() {
    let server = Running::start(&[]);
    let mut client = Client::root(server.address);
    let id = prepare(&mut client, "rows 5");
    let opened = execute(&mut client, id, 1);
    assert_eq!((opened.len(), &opened[2][..]), (3, &b"\xfe\0\0\x42\0\0\0"[..]));
    assert_eq!(fetch(&mut client, id, 0), (0, 0x42));
    assert_eq!(fetch(&mut client, id, 2), (2, 0x42));
    assert_eq!(client.value("echo between"), "between");
    assert_eq!(fetch(&mut client, id, 3), (3, 0x42));
    assert_eq!(fetch(&mut client, id, 1), (0, 0x82));
    assert_eq!(code(&client.command(&statement(0x1c, id, &[1, 0, 0, 0]))), 1421);
    assert_eq!(code(&client.command(&statement(0x1c, 99, &[1, 0, 0, 0]))), 1243);
    execute(&mut client, id, 1);
    assert_eq!(fetch(&mut client, id, 9), (5, 0x82));
    // COM_STMT_RESET and a new execute close it; one that scrolls or updates is no cursor.
    execute(&mut client, id, 1);
    assert_eq!(client.command(&statement(0x1a, id, &[]))[0], 0);
    assert_eq!(code(&client.command(&statement(0x1c, id, &[1, 0, 0, 0]))), 1421);
    execute(&mut client, id, 1);
    assert_eq!(execute(&mut client, id, 4).len(), 8);
    assert_eq!(code(&client.command(&statement(0x1c, id, &[1, 0, 0, 0]))), 1421);
    // What has no rows, or fails, opens none and leaves no definitions.
    let id = prepare(&mut client, "fail");
    assert_eq!(code(&execute(&mut client, id, 1)[0]), 1064);
    let id = prepare(&mut client, "nothing");
    assert_eq!(execute(&mut client, id, 1), [b"\0\0\0\x02\0\0\0"]);
}

#[test]
fn a_large_cursor_lies_in_a_file() {
    let server = Running::start(&[]);
    let mut client = Client::root(server.address);
    let id = prepare(&mut client, "rows 300000");
    assert_eq!(execute(&mut client, id, 1).len(), 3);
    let mut rows = 0;
    loop {
        let (seen, status) = fetch(&mut client, id, 70_000);
        rows += seen;
        if status & 0x80 != 0 {
            break;
        }
    }
    assert_eq!(rows, 300_000);
    let scratch = &server.shared.scratch;
    assert!(
        !std::fs::read_dir(scratch)
            .unwrap()
            .flatten()
            .any(|f| f.file_name().to_string_lossy().starts_with("cursor"))
    );
}

#[test]
fn definitions_can_be_left_out() {
    let server = Running::start(&[]);
    // MySQL's way: a byte before the number of columns; always there, whatever it says.
    let mut client = with(&server, Capabilities::OPTIONAL_METADATA);
    assert_eq!(client.query("echo x")[0], [1, 1]);
    // MariaDB's way: what the prepare announced is not repeated.
    let mut client = with(&server, Capabilities::CACHE_METADATA);
    assert_eq!(client.query("echo x")[0], [1, 1]);
    let id = prepare(&mut client, "rows 1");
    let answer = execute(&mut client, id, 0);
    assert_eq!((answer.len(), &answer[0][..]), (3, &[1, 0][..]), "{answer:?}");
}

/// Sends and receives compressed frames.
struct Frames<'a> {
    client: &'a mut Client,
    got: Vec<u8>,
    packed: usize,
}

impl Frames<'_> {
    fn fill(&mut self, wanted: usize, zstd: bool) {
        while self.got.len() < wanted {
            let mut header = [0; HEADER];
            self.client.read_exact(&mut header).unwrap();
            let header = FrameHeader::read(&header).unwrap();
            let mut body = vec![0; header.length];
            self.client.read_exact(&mut body).unwrap();
            match header.unpacked {
                None => self.got.extend_from_slice(&body),
                Some(size) if zstd => self.got.extend(zstd::bulk::decompress(&body, size).unwrap()),
                Some(size) => {
                    let mut clear = Vec::with_capacity(size);
                    flate2::read::ZlibDecoder::new(&body[..]).read_to_end(&mut clear).unwrap();
                    self.got.extend(clear);
                }
            }
            self.packed += HEADER + header.length;
        }
    }

    fn packet(&mut self, zstd: bool) -> Vec<u8> {
        self.fill(4, zstd);
        let length = u32::from_le_bytes([self.got[0], self.got[1], self.got[2], 0]) as usize;
        self.fill(4 + length, zstd);
        self.got.drain(..4 + length).skip(4).collect()
    }
}

#[test]
fn zlib_and_zstd_connections() {
    let server = Running::start(&[]);
    for (extra, zstd) in [(Capabilities::COMPRESS, false), (Capabilities::ZSTD, true)] {
        let mut client = with(&server, extra);
        let mut frames = Frames { client: &mut client, got: Vec::new(), packed: 0 };
        // A request as it is, cut over two frames; then a compressed one.
        let request = packet(0, b"\x03\0\x01rows 20000");
        for (i, part) in request.chunks(9).enumerate() {
            let header = FrameHeader { length: part.len(), sequence: i as u8, unpacked: None };
            frames.client.raw(&[&header.bytes()[..], part].concat());
        }
        let (mut rows, mut unpacked) = (0, 0);
        loop {
            let packet = frames.packet(zstd);
            unpacked += packet.len() + 4;
            if packet[0] == 0xfe {
                break;
            }
            rows += usize::from(packet == b"\x0a0123456789");
        }
        assert_eq!(rows, 20_000);
        assert!(frames.packed < unpacked / 10, "{} of {unpacked}", frames.packed);
        let request = packet(0, &[&b"\x03\0\x01echo "[..], &[b'y'; 5000]].concat());
        let body = if zstd {
            zstd::bulk::compress(&request, 3).unwrap()
        } else {
            let mut packed = Vec::new();
            flate2::read::ZlibEncoder::new(&request[..], flate2::Compression::fast())
                .read_to_end(&mut packed)
                .unwrap();
            packed
        };
        let header = FrameHeader { length: body.len(), sequence: 0, unpacked: Some(request.len()) };
        frames.client.raw(&[&header.bytes()[..], &body].concat());
        let answer: Vec<_> = (0..4).map(|_| frames.packet(zstd)).collect();
        assert_eq!(answer[2].len(), 5003);
        // A frame that lies ends the connection, and that one alone.
        frames.client.raw(&FrameHeader { length: 3, sequence: 0, unpacked: Some(900) }.bytes());
        frames.client.raw(b"xyz");
        assert_eq!(code(&frames.packet(zstd)), 1835);
        assert!(frames.client.is_closed());
    }
    let server = Running::start(&[("protocol_compression_algorithms", "uncompressed")]);
    let mut client = with(&server, Capabilities::COMPRESS);
    assert_eq!(client.value("echo plain"), "plain", "not offered, so not used");
}

#[test]
fn the_contents_of_a_clients_file() {
    let server = Running::start(&[("max_allowed_packet", "100000")]);
    let mut client = Client::root(server.address);
    assert_eq!(code(&client.query("load data.csv")[0]), 3948, "the client does not offer it");
    let mut client = with(&server, Capabilities::LOCAL_FILES);
    client.send_query("load data.csv");
    assert_eq!(client.read().unwrap(), b"\xfbdata.csv");
    // Two pieces, the end, and the next request behind them in one write.
    client.raw(&[packet(2, &[b'x'; 70_000]), packet(3, b"abc"), packet(4, b""), packet(0, b"\x0e")].concat());
    let answer = client.read().unwrap();
    assert_eq!(answer[..4], [0, 0xfd, 0x73, 0x11], "70,003 bytes");
    assert_eq!(client.read().unwrap()[0], 0, "the ping behind the file");
    // A piece beyond max_allowed_packet ends the connection.
    client.send_query("load data.csv");
    client.read().unwrap();
    client.raw(&packet(2, &[b'x'; 100_001]));
    assert!(client.is_closed());
}

#[test]
fn one_place_more_is_for_administrators() {
    let server = Running::start(&[("max_connections", "2")]);
    let held: Vec<_> = (0..2).map(|_| Client::root(server.address)).collect();
    // No administrator: turned away after he has proved who he is.
    let login = Login { user: "native", password: "secret", plugin: "mysql_native_password", ..ROOT };
    let (_, verdict) = Client::login(server.address, &login);
    assert_eq!(code(&verdict), 1040);
    wait_until(|| server.shared.registry.counts().0 == 2);
    let _admin = Client::root(server.address);
    // Nobody at all beyond that one.
    let mut more = std::net::TcpStream::connect(server.address).unwrap();
    more.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = Vec::new();
    more.read_to_end(&mut answer).unwrap();
    assert!(text(&answer).ends_with("Too many connections"), "{answer:?}");
    drop(held);
}

#[test]
fn answers_to_guessers_are_held_back() {
    let server = Running::start(&[("connection_control_failed_connections_threshold", "2")]);
    let guess = |password: &'static str| {
        let login = Login { user: "native", password, plugin: "mysql_native_password", ..ROOT };
        let started = Instant::now();
        let (_, verdict) = Client::login(server.address, &login);
        (verdict[0], started.elapsed())
    };
    assert_eq!((guess("a").0, guess("b").0), (0xff, 0xff));
    assert_eq!(server.status("Connection_control_delay_generated"), 0);
    let (verdict, took) = guess("c");
    assert!(verdict == 0xff && took >= Duration::from_secs(1), "{took:?}");
    let (verdict, took) = guess("secret");
    assert!(verdict == 0 && took >= Duration::from_secs(1), "{took:?}");
    assert_eq!(server.status("Connection_control_delay_generated"), 2);
    assert_eq!(guess("a").0, 0xff);
    assert_eq!(server.status("Connection_control_delay_generated"), 2, "a success forgets");
}

#[test]
fn accounts_that_need_tls() {
    let server = Running::start(&[]);
    let login = Login { user: "tls", plugin: "mysql_native_password", ..ROOT };
    let (_, verdict) = Client::login(server.address, &login);
    assert_eq!(code(&verdict), 1045);
    let (mut client, nonce) = Client::connect(server.address);
    client.start_tls(&std::fs::read(server.folder.join("server-cert.pem")).unwrap());
    assert_eq!(client.log_in(&login, &nonce, true)[0], 0);
}

#[test]
fn expired_passwords_let_in_only_who_can_change_them() {
    let server = Running::start(&[]);
    let login = Login { user: "expired", plugin: "mysql_native_password", ..ROOT };
    let (_, verdict) = Client::login(server.address, &login);
    assert_eq!(verdict[0], 0, "this client can");
    let (mut client, nonce) = Client::connect(server.address);
    client.caps = client.caps.without(Capabilities::EXPIRED_PASSWORDS);
    assert_eq!(code(&client.log_in(&login, &nonce, false)), 1862);
}
