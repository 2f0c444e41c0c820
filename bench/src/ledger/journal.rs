//! The journal process: notes acknowledgements so that they outlive the client and the server.
//!
//! Clients connect over a Unix socket and send `client seq\n`; the journal appends the line to its file and answers with one byte. The file
//! survives any kill of a process, which is all that is claimed here; a machine crash is the director's business.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Serves clients until the process is killed.
///
/// # Errors
/// When the file or the socket cannot be made.
pub fn serve(file: &Path, socket: &Path) -> io::Result<()> {
    let file = Arc::new(Mutex::new(OpenOptions::new().create(true).append(true).open(file)?));
    if socket.exists() {
        std::fs::remove_file(socket)?;
    }
    let listener = UnixListener::bind(socket)?;
    println!("journal ready");
    for stream in listener.incoming() {
        let stream = stream?;
        let file = Arc::clone(&file);
        std::thread::spawn(move || {
            if let Err(error) = note(stream, &file) {
                eprintln!("journal: {error}");
            }
        });
    }
    Ok(())
}

fn note(stream: UnixStream, file: &Mutex<File>) -> io::Result<()> {
    let mut answers = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let mut file = file.lock().map_err(|_| io::Error::other("another writer panicked"))?;
        file.write_all(&line)?;
        drop(file);
        answers.write_all(b".")?;
    }
}

/// A client's end.
#[derive(Debug)]
pub struct Journal {
    stream: UnixStream,
}

impl Journal {
    /// Connects to a serving journal.
    ///
    /// # Errors
    /// When nobody serves there.
    pub fn connect(socket: &Path) -> io::Result<Journal> {
        Ok(Journal { stream: UnixStream::connect(socket)? })
    }

    /// Notes one acknowledgement; returns when it is written.
    ///
    /// # Errors
    /// When the journal is gone.
    pub fn acknowledged(&mut self, client: u32, seq: u64) -> io::Result<()> {
        self.stream.write_all(format!("{client} {seq}\n").as_bytes())?;
        self.stream.read_exact(&mut [0])
    }
}

/// What the file says: per client the highest seq acknowledged. Sequences are acknowledged in order, which is checked.
///
/// # Errors
/// A file that cannot be read or does not parse.
pub fn read(file: &Path) -> io::Result<BTreeMap<u32, u64>> {
    let mut last = BTreeMap::new();
    if !file.exists() {
        return Ok(last);
    }
    for line in BufReader::new(File::open(file)?).lines() {
        let line = line?;
        let parsed =
            line.split_once(' ').and_then(|(c, s)| Some((c.parse::<u32>().ok()?, s.parse::<u64>().ok()?)));
        let (client, seq) = parsed.ok_or_else(|| io::Error::other(format!("journal line {line:?}")))?;
        let before = last.insert(client, seq).unwrap_or(0);
        // A transaction in doubt that turned out to be there is skipped over, never repeated.
        if seq <= before {
            return Err(io::Error::other(format!("client {client}: {seq} acknowledged after {before}")));
        }
    }
    Ok(last)
}
