//! Golden pictures: six SCLs of each group, and what follows from them: PGCL, VCL, VDL, read points (pictures/*.txt).
//!
//! Commands start with `>`; what they print follows. Records are named r1, r2, .. in order of LSN.
//!
//! | command | does |
//! |---|---|
//! | `groups N` | opens a volume of N groups, all empty |
//! | `mtr 0 1 [commit]` | one mini-transaction with a record in each group named |
//! | `ack 0 r3 r3 - ..` | what the six copies of a group acknowledge; `-` says nothing |
//! | `picture` | draws |

use protocol::contract::MtrRecord;
use protocol::head::{Head, HeadVersion, Member, PgMembers, TruncationList};
use protocol::message::{Acked, Envelope, Peer};
use protocol::page::PageKind;
use protocol::record::frame_len;
use protocol::redo::{Op, OpsBuf};
use protocol::{AzId, Incarnation, Lsn, NodeId, PageId, PgId, SegmentId, VolumeEpoch, VolumeId, WriterId};
use quorum::writer::Start;
use quorum::{Actions, Event, Settings, WriterLog};
use std::fmt::Write as _;

struct Picture {
    log: WriterLog,
    actions: Actions,
    names: Vec<Lsn>,
    pages: Vec<Lsn>,
}

fn incarnation(pg: u32, position: usize) -> Incarnation {
    Incarnation(u128::from(pg) * 6 + position as u128 + 1)
}

fn head(groups: u32) -> Head {
    let version = HeadVersion { epoch: VolumeEpoch(1), seq: 0 };
    let members = |pg: u32| PgMembers {
        pg: PgId(pg),
        version,
        members: (0..6)
            .map(|position| Member {
                incarnation: incarnation(pg, position),
                node: NodeId(1),
                az: AzId(1),
                address: String::new(),
                role: protocol::geometry::founding_role(position as u8),
            })
            .collect(),
        joint: None,
    };
    Head {
        volume: VolumeId(1),
        version,
        pages_per_pg: 1,
        lease_ms: 600,
        truncations: TruncationList { entries: Vec::new() },
        groups: (0..groups).map(members).collect(),
        former: Vec::new(),
    }
}

impl Picture {
    fn open(groups: u32) -> Picture {
        let start = Start {
            epoch: VolumeEpoch(1),
            writer: WriterId(1),
            head: head(groups),
            vdl: Lsn::ZERO,
            ceiling: Lsn(1_000),
            lasts: vec![Lsn::ZERO; groups as usize],
            nonce: 1,
        };
        Picture {
            log: WriterLog::start(Settings::default(), start, 0),
            actions: Actions::default(),
            names: Vec::new(),
            pages: vec![Lsn::ZERO; groups as usize],
        }
    }

    fn mtr(&mut self, words: &[&str]) {
        let groups: Vec<usize> = words.iter().filter_map(|w| w.parse().ok()).collect();
        let mut ops = OpsBuf::new();
        ops.push(Op::Init { kind: PageKind::Tree });
        let bytes = groups.len() as u64 * frame_len(ops.bytes(), false) as u64;
        assert_eq!(self.log.try_reserve(bytes), Ok(true));
        let mut records: Vec<MtrRecord<'_>> = groups
            .iter()
            .map(|pg| MtrRecord {
                page: PageId(*pg as u64),
                prev_page: self.pages[*pg],
                ops: &ops,
                lsn: Lsn::ZERO,
            })
            .collect();
        self.log.append(0, &mut records, words.contains(&"commit")).expect("the log is open");
        for (pg, record) in groups.iter().zip(&records) {
            self.pages[*pg] = record.lsn;
            self.names.push(record.lsn);
        }
        self.log.poll_send(0, &mut self.actions);
    }

    fn ack(&mut self, words: &[&str]) {
        let pg: u32 = words[0].parse().expect("a group");
        for (position, word) in words[1..].iter().enumerate().filter(|(_, w)| **w != "-") {
            let named: usize = word[1..].parse().expect("a record");
            let id = SegmentId { pg: PgId(pg), position: position as u8 };
            let acked = Acked {
                epoch: VolumeEpoch(1),
                incarnation: incarnation(pg, position),
                sequence: 1,
                sent_us: 0,
                scl: self.names[named - 1],
                head_version: HeadVersion { epoch: VolumeEpoch(1), seq: 0 },
                page_point: Lsn::ZERO,
                full: false,
                promised_ms: 0,
            };
            let (from, to) = (Peer::Segment(id), Peer::Compute(WriterId(1)));
            let envelope = Envelope { from, to, message: acked.into() };
            self.log.step(0, Event::Message(envelope), &mut self.actions);
        }
    }

    fn name(&self, lsn: Lsn) -> String {
        self.names.iter().position(|n| *n == lsn).map_or_else(|| "-".to_owned(), |i| format!("r{}", i + 1))
    }

    fn draw(&self) -> String {
        let mut out = String::from("       1    2    3    4    5    6     PGCL  read point at VDL\n");
        for (pg, scls) in self.log.segments().chunks(6).enumerate() {
            let id = PgId(pg as u32);
            let _ = write!(out, "pg{pg} ");
            for view in scls {
                let _ = write!(out, "{:>4} ", self.name(view.scl));
            }
            let pgcl = self.name(self.log.pgcl(id).expect("a group"));
            let point = self.name(self.log.read_point(id, self.log.vdl()).expect("a group"));
            let _ = writeln!(out, "    {pgcl:<5} {point}");
        }
        let (vcl, vdl, last) = (self.log.vcl(), self.log.vdl(), self.log.last_lsn());
        let _ = writeln!(out, "VCL {}  VDL {}  last {}", self.name(vcl), self.name(vdl), self.name(last));
        out
    }
}

fn play(script: &str) -> String {
    let mut out = String::new();
    let mut picture = Picture::open(1);
    for line in script.lines().filter(|l| l.starts_with('>') || l.starts_with('#')) {
        let _ = writeln!(out, "{line}");
        let words: Vec<&str> = line.trim_start_matches('>').split_whitespace().collect();
        match words.as_slice() {
            ["groups", n] => picture = Picture::open(n.parse().expect("a number")),
            ["mtr", rest @ ..] => picture.mtr(rest),
            ["ack", rest @ ..] => picture.ack(rest),
            ["picture"] => out.push_str(&picture.draw()),
            _ => {}
        }
    }
    out
}

#[test]
fn pictures_are_as_recorded() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let mut names: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder").map(|e| e.expect("an entry").path()).collect();
    names.sort();
    assert!(names.len() >= 4, "only {} pictures", names.len());
    for path in names {
        let recorded = std::fs::read_to_string(&path).expect("a picture");
        let drawn = play(&recorded);
        assert_eq!(drawn, recorded, "{} differs; a new one is made by hand from this", path.display());
    }
}
