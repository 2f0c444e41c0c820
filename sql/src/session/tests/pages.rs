//! EXPLAIN's access path is what runs, counted in pages: a volume opened anew hands out each page that a statement touches once.
//!
//! ```text
//!   key, Extra, rows of EXPLAIN ──promise──> leaves read of the key's tree, of the clustered one, of the others
//!   the statement over an empty pool ─count─> the same, from what the pool asked its PageReader for
//! ```

use super::{Lines, TestHost, text_of};
use crate::Server;
use crate::testing::login;
use buffer_pool::testing::{Durability, MemoryVolume};
use buffer_pool::{BufferPool, PoolConfig};
use engine::testing::Executor;
use engine::{Engine, Settings, TableDef};
use protocol::contract::{LogWriter, PageReader, ReadError};
use protocol::env::BoxFuture;
use protocol::lsn::Lsn;
use protocol::page::{PageBuf, PageId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

/// docs/formats/tree-page.md: where a tree page says its level and its tree.
const LEVEL: usize = 33;
const DELETED: usize = 34;
const TREE: usize = 48;

/// The tree and level of a page.
fn place(page: &PageBuf) -> (u64, u8) {
    let tree: [u8; 8] = page.bytes()[TREE..TREE + 8].try_into().expect("eight bytes");
    (u64::from_le_bytes(tree), page.bytes()[LEVEL])
}

/// Notes what is read.
struct Noting {
    volume: Arc<MemoryVolume>,
    read: Mutex<Vec<(u64, u8)>>,
}

impl PageReader for Noting {
    fn read(&self, page: PageId, at: Lsn) -> BoxFuture<'_, Result<PageBuf, ReadError>> {
        Box::pin(async move {
            let image = self.volume.read(page, at).await?;
            self.read.lock().expect("no panic in here").push(place(&image));
            Ok(image)
        })
    }
}

/// An index's tree.
#[derive(Debug, Clone, Copy)]
struct Shape {
    tree: u64,
    leaves: u64,
    height: u64,
}

struct Bench {
    volume: Arc<MemoryVolume>,
    shapes: Vec<Shape>,
    table: Arc<TableDef>,
}

const ROWS: u64 = 4000;

/// Pages read: the tree, and the level in it.
type Reads = Vec<(u64, u8)>;

/// Runs `work` on a session over the volume, opened anew; `None`: first the table's definition is read, then the counting starts.
fn over(volume: &Arc<MemoryVolume>, statements: &[String]) -> (Vec<Vec<String>>, Reads, Arc<Server>) {
    let executor = Executor::new(7);
    let noting = Arc::new(Noting { volume: volume.clone(), read: Mutex::default() });
    let (log, reader): (Arc<dyn LogWriter>, Arc<dyn PageReader>) = (volume.clone(), noting.clone());
    let (answers, server) = executor.block_on(async {
        let pool = BufferPool::new(PoolConfig { frames: 2048 }, log.clone(), reader, None);
        let engine = Engine::open(pool, log, executor.env(), Settings::default()).await.expect("it opens");
        let server = Server::new(engine, executor.env(), Arc::new(TestHost));
        server.first_start().await.expect("accounts");
        let mut session = server.connect(login(1, "root", "localhost")).await.expect("a session");
        let mut answers = Vec::new();
        for (at, sql) in statements.iter().enumerate() {
            executor.settle().await;
            if at + 1 == statements.len() {
                noting.read.lock().expect("no panic in here").clear();
            }
            let mut lines = Lines::default();
            session.query(sql.as_bytes(), &mut lines).await.expect("the sink stays open");
            assert!(lines.error.is_none(), "{sql}: {:?}", lines.error);
            answers.push(text_of(lines));
        }
        (answers, server)
    });
    let read = std::mem::take(&mut *noting.read.lock().expect("no panic in here"));
    (answers, read, server)
}

impl Bench {
    fn new() -> Bench {
        let volume = MemoryVolume::new(Durability::Instant);
        let mut fill = vec![
            "CREATE DATABASE d".to_owned(),
            "CREATE TABLE d.t (id INT PRIMARY KEY, u INT NOT NULL, k INT NOT NULL, pad CHAR(200) NOT NULL, v INT, UNIQUE KEY uu (u), KEY kk (k))".to_owned(),
        ];
        for base in (0..ROWS).step_by(250) {
            let rows: Vec<String> = (base..base + 250)
                .map(|n| format!("({n},{},{},REPEAT('x', 200),{n})", n + 50_000, n / 10))
                .collect();
            fill.push(format!("INSERT INTO d.t VALUES {}", rows.join(",")));
        }
        let (_, _, server) = over(&volume, &fill);
        let table = server.engine().dictionary().cached_table("d", "t").expect("just made");
        let pages: BTreeSet<PageId> = volume.records().iter().map(|r| r.page).collect();
        let newest = *volume.cpls().last().expect("something was written");
        let mut trees: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for page in pages {
            let image = volume.image(page, newest);
            let (tree, level) = place(&image);
            if image.bytes()[DELETED] & 1 == 0 {
                let (leaves, height) = trees.entry(tree).or_default();
                *leaves += u64::from(level == 0);
                *height = (*height).max(u64::from(level) + 1);
            }
        }
        let shape = |root: PageId| {
            let (tree, _) = place(&volume.image(root, newest));
            let (leaves, height) = trees[&tree];
            Shape { tree, leaves, height }
        };
        let shapes: Vec<Shape> = table.indexes.iter().map(|i| shape(i.root)).collect();
        assert!(
            shapes.iter().all(|s| s.height == 2) && shapes[0].leaves > 40 && shapes[2].leaves > 3,
            "{shapes:?}"
        );
        Bench { volume, shapes, table }
    }

    /// What EXPLAIN says of `sql`: type, key, Extra, rows.
    fn explain(&self, sql: &str) -> [String; 4] {
        let (answers, ..) = over(&self.volume, &[format!("EXPLAIN {sql}")]);
        let cells: Vec<&str> = answers[0][0].split('|').collect();
        [cells[4], cells[6], cells[11], cells[9]].map(str::to_owned)
    }

    /// Leaves that a run of `sql` reads, by index; and whether it reads more inner pages than there are above a leaf.
    fn leaves_read(&self, sql: &str) -> Vec<u64> {
        let warm = "SELECT 1 FROM d.t WHERE FALSE".to_owned();
        let (_, read, _) = over(&self.volume, &[warm, sql.to_owned()]);
        self.shapes
            .iter()
            .map(|shape| {
                let of = |level: u8| read.iter().filter(|r| **r == (shape.tree, level)).count() as u64;
                assert!(
                    of(1) < shape.height,
                    "{sql}: {} inner pages of a tree of height {}",
                    of(1),
                    shape.height
                );
                of(0)
            })
            .collect()
    }

    /// The leaves that an access path may read, by index.
    fn promised(&self, [kind, key, extra, rows]: &[String; 4]) -> Vec<RangeInclusive<u64>> {
        let rows: u64 = rows.parse().expect("a number");
        let index = if key == "NULL" { 0 } else { self.table.index(key).expect("its key") };
        let leaves = self.shapes[index].leaves;
        let share = rows * leaves / ROWS;
        let mut out = vec![0..=0; self.shapes.len()];
        out[index] = match kind.as_str() {
            "const" => 1..=1,
            "ref" | "range" => (share / 2).max(1)..=share * 2 + 2,
            // Reading the definition, with its estimate of rows, has read up to three before the counting starts.
            "index" | "ALL" => leaves - 3..=leaves,
            other => panic!("{other} is not in this test"),
        };
        if index != 0 && !extra.contains("Using index") {
            out[0] = 1..=rows.max(1);
        }
        out
    }

    fn judge(&self, explained: &str, run: &str) -> Result<(), String> {
        let line = self.explain(explained);
        let (promised, read) = (self.promised(&line), self.leaves_read(run));
        let kept = promised.iter().zip(&read).all(|(promise, read)| promise.contains(read));
        if kept { Ok(()) } else { Err(format!("{explained}: {line:?} promises {promised:?}, read {read:?}")) }
    }
}

#[test]
fn what_explain_says_is_what_pages_are_read_for() {
    let bench = Bench::new();
    let point = "SELECT * FROM d.t WHERE id = 777";
    let covered = "SELECT u FROM d.t WHERE u = 50777";
    let unique = "SELECT * FROM d.t WHERE u = 50777";
    let by_key = "SELECT * FROM d.t WHERE k = 77";
    let range = "SELECT * FROM d.t WHERE id BETWEEN 1000 AND 1999";
    let index = "SELECT k FROM d.t";
    let all = "SELECT * FROM d.t";
    for (sql, kind) in [
        (point, "const"),
        (covered, "const"),
        (unique, "const"),
        (by_key, "ref"),
        ("SELECT id FROM d.t WHERE k = 77", "ref"),
        (range, "range"),
        ("SELECT k, id FROM d.t WHERE k BETWEEN 100 AND 299", "range"),
        ("SELECT * FROM d.t WHERE k BETWEEN 100 AND 104", "range"),
        (index, "index"),
        (all, "ALL"),
        ("SELECT COUNT(*) FROM d.t WHERE v > 3990", "ALL"),
    ] {
        assert_eq!(bench.explain(sql)[0], kind, "{sql}");
        bench.judge(sql, sql).expect("the plan is what runs");
    }
    // A plan that lies is found out: EXPLAIN of one path, the run of another.
    for (explained, run) in [
        (point, "SELECT * FROM d.t WHERE id + 0 = 777"),
        (point, unique),
        (covered, unique),
        (unique, "SELECT * FROM d.t IGNORE INDEX (uu) WHERE u = 50777"),
        ("SELECT id FROM d.t WHERE k = 77", by_key),
        (by_key, "SELECT * FROM d.t IGNORE INDEX (kk) WHERE k = 77"),
        (range, all),
        (index, "SELECT k FROM d.t IGNORE INDEX (kk)"),
        (all, range),
    ] {
        assert!(bench.judge(explained, run).is_err(), "{run} passes for {explained}");
    }
}
