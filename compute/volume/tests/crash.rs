//! kill -9 of the process in the middle of its writing: what it said was durable is there.
//!
//! The test runs its own binary again as the victim, which writes and says after each durable commit what it wrote;
//! then the victim is killed and the volume opened here.

mod rig;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cache_nvme::device::IoChoice;
use protocol::{Lsn, PageId};
use rig::{Model, Scratch, durable, open};

const VICTIM: &str = "SEXTANT_TEST_VICTIM";
const THREADS: u64 = 4;
const PAGES: u64 = 80;

/// Not a test of its own: it returns at once unless it is the victim.
#[test]
fn victim() {
    let Ok(data) = std::env::var(VICTIM) else { return };
    let io = if data.ends_with('t') { IoChoice::Threads } else { IoChoice::Auto };
    let volume = open(&PathBuf::from(data), io);
    let base = volume.log().last_lsn().0 % 1_000_003;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let volume = &volume;
            scope.spawn(move || write_for_ever(volume, thread, base));
        }
    });
}

/// Its pages are its own and new to it: each is initialised by the first write of this life.
fn write_for_ever(volume: &volume::Volume, thread: u64, base: u64) {
    let mut model = Model::default();
    for n in 0.. {
        let page = PageId(n % PAGES * THREADS + thread);
        let fill = ((n + base) % 250) as u8 + 1;
        let lsn = model.write(volume, page, fill);
        if n % 3 == 0 {
            durable(volume, lsn);
            let mut say = std::io::stdout().lock();
            writeln!(say, "durable {} {} {}", page.0, lsn.0, fill).expect("the killer listens");
            say.flush().expect("the killer listens");
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    for (io, suffix) in [(IoChoice::Auto, "r"), (IoChoice::Threads, "t")] {
        let scratch = Scratch::new("kill");
        let data = scratch.path().join(suffix);
        let mut vdl = Lsn::ZERO;
        for round in 0..5u64 {
            let mut child = Command::new(std::env::current_exe().expect("own path"))
                .args(["victim", "--exact", "--nocapture", "--test-threads=1"])
                .env(VICTIM, &data)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("start the victim");
            let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
            let mut said: Vec<(PageId, Lsn, u8)> = Vec::new();
            let mut killed = false;
            let deadline = Instant::now() + Duration::from_secs(20);
            for line in lines {
                assert!(Instant::now() < deadline, "the victim says nothing");
                let Ok(line) = line else { break };
                let Some(rest) = line.strip_prefix("durable ") else { continue };
                let numbers: Vec<u64> = rest.split(' ').filter_map(|n| n.parse().ok()).collect();
                let [page, lsn, fill] = numbers[..] else { continue };
                said.push((PageId(page), Lsn(lsn), fill as u8));
                if said.len() as u64 >= 40 + 37 * round && !killed {
                    child.kill().expect("kill -9");
                    killed = true;
                }
            }
            child.wait().expect("it ends");
            assert!(killed, "the victim ended by itself");
            let before = Instant::now();
            let volume = open(&data, io);
            println!("{} opened in {:?}", volume.backend(), before.elapsed());
            let log = volume.log();
            assert!(log.vdl() >= vdl, "VDL never falls");
            vdl = log.vdl();
            let last = said.iter().map(|s| s.1).max().expect("it said something");
            assert!(vdl >= last, "VDL {vdl:?} after an acknowledged {last:?}");
            check(&volume, &said);
            volume.close();
        }
    }
}

/// Each page that was said to be durable holds that write or a later one of the same victim.
fn check(volume: &volume::Volume, said: &[(PageId, Lsn, u8)]) {
    let vdl = volume.log().vdl();
    for &(page, lsn, fill) in said {
        let image = rig::block_on(rig::LIMIT, volume.reader().read(page, vdl)).expect("an image");
        let found = protocol::page::lsn(image.bytes());
        assert!(found >= lsn, "{page:?}: {found:?} after an acknowledged {lsn:?}");
        if found == lsn {
            assert_eq!(image.bytes()[200..264], [fill; 64]);
        }
    }
}
