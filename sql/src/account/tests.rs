//! Accounts over a map.

use super::privilege::Privileges;
use super::*;
use crate::ast::{Ddl, SessionStatement, SetItem, Statement};
use crate::lex::LexMode;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

#[derive(Default)]
struct Map(Mutex<BTreeMap<(String, String), Vec<u8>>>);

impl Store for Map {
    async fn get(&self, user: &str, host: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap().get(&(user.into(), host.into())).cloned())
    }
    async fn put(&self, user: &str, host: &str, record: Vec<u8>) -> Result<()> {
        self.0.lock().unwrap().insert((user.into(), host.into()), record);
        Ok(())
    }
    async fn remove(&self, user: &str, host: &str) -> Result<bool> {
        Ok(self.0.lock().unwrap().remove(&(user.into(), host.into())).is_some())
    }
    async fn all(&self) -> Result<Vec<(String, String, Vec<u8>)>> {
        Ok(self.0.lock().unwrap().iter().map(|((u, h), r)| (u.clone(), h.clone(), r.clone())).collect())
    }
}

/// A map never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a map waits"),
    }
}

fn name(user: &str, host: &str) -> UserName {
    UserName { user: user.into(), host: host.into() }
}

fn statement(text: &str) -> AccountStatement {
    let parsed = crate::parse::parse(text.as_bytes(), 0, LexMode::default()).unwrap().unwrap();
    match parsed.statement {
        Statement::Ddl(ddl) => match *ddl {
            Ddl::Account(statement) => *statement,
            other => panic!("{other:?}"),
        },
        Statement::Session(session) => match *session {
            SessionStatement::Set(mut items) => match items.remove(0) {
                SetItem::DefaultRole(statement) => statement,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Runs a statement as root at second 1000.
fn run_on(map: &Map, text: &str) -> Result<Notes> {
    let hash = |plugin: &str, password: &[u8]| Some([plugin.as_bytes(), b":", password].concat());
    let me = ("root".to_owned(), "localhost".to_owned());
    now(Work { store: map, me: &me, hash: &hash, now_s: 1000 }.run(&statement(text)))
}

fn all(map: &Map, texts: &[&str]) {
    for text in texts {
        run_on(map, text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }
}

fn error(map: &Map, text: &str) -> (u16, String) {
    let error = run_on(map, text).unwrap_err();
    (error.code, error.message)
}

fn record(map: &Map, user: &str) -> Record {
    Record::decode(&now(map.get(user, "%")).unwrap().unwrap()).unwrap()
}

fn lines(map: &Map, user: &str, using: &[&str]) -> Vec<String> {
    let using: Vec<_> = using.iter().map(|role| name(role, "%")).collect();
    now(grants(map, &name(user, "%"), &using)).unwrap().1
}

#[test]
fn records_round_trip_and_damage_is_an_error() {
    let map = Map::default();
    all(
        &map,
        &[
            "CREATE ROLE r",
            "CREATE USER u IDENTIFIED BY 'x' REQUIRE SSL PASSWORD EXPIRE INTERVAL 90 DAY ACCOUNT LOCK",
            "GRANT SELECT, BACKUP_ADMIN ON *.* TO u WITH GRANT OPTION",
            "GRANT ALL ON shop.* TO u",
            "GRANT INSERT ON shop.orders TO u",
            "GRANT r TO u WITH ADMIN OPTION",
            "SET DEFAULT ROLE r TO u",
            "ALTER USER u PASSWORD EXPIRE",
        ],
    );
    let record = record(&map, "u");
    assert!(record.locked && record.needs_tls && record.expired && record.password_set == 1000);
    assert_eq!((record.tables.len(), record.roles.len(), record.default_roles.len()), (1, 1, 1));
    let bytes = record.encode();
    assert_eq!(Record::decode(&bytes).unwrap(), record);
    for cut in 0..bytes.len() {
        assert!(Record::decode(&bytes[..cut]).is_err(), "{cut}");
    }
    assert!(Record::decode(&[&bytes[..], &[0]].concat()).is_err());
    assert!(Record::decode(&[9, 0, 0, 0, 0, 0, 0, 0]).is_err());
    assert_eq!(Record::decode(&Record::root().encode()).unwrap(), Record::root());
}

/// Volumes of the first version: all privileges or none.
#[test]
fn records_of_version_one_are_read() {
    let bytes = b"\x01\x01\x03\x06plugin\x02\0hh\x01\0\x04\0shop\x01";
    let old = Record::decode(bytes).unwrap();
    assert!(old.locked && old.plugin == "plugin" && old.hash == b"hh");
    assert!(old.global.has(Privileges::ALL.with(Privileges::GRANT_OPTION)));
    assert_eq!(old.schemas["shop"], Privileges::SCHEMA);
}

#[test]
fn the_most_specific_host_wins_then_a_named_user() {
    let accounts = [
        ("", "localhost"),
        ("ann", "%"),
        ("ann", "10.1.%"),
        ("ann", "10.1.0.0/24"),
        ("ann", "10.1.0.7"),
        ("", "%"),
    ];
    let best = |user: &str, host: &str| {
        best_match(accounts.iter().copied(), user, &names_of_client(host)).map(|at| accounts[at])
    };
    assert_eq!(best("ann", "10.1.0.7"), Some(("ann", "10.1.0.7")));
    assert_eq!(best("ann", "10.1.0.8"), Some(("ann", "10.1.0.0/24")));
    assert_eq!(best("ann", "10.1.9.8"), Some(("ann", "10.1.%")));
    assert_eq!(best("ann", "example.org"), Some(("ann", "%")));
    assert_eq!(best("ann", "localhost"), Some(("", "localhost")));
    assert_eq!(best("bob", "10.1.0.7"), Some(("", "%")));
    let only = [("root", "127.0.0.1")];
    assert_eq!(best_match(only.iter().copied(), "root", &names_of_client("localhost")), Some(0));
    assert_eq!(best_match(only.iter().copied(), "root", &names_of_client("10.0.0.1")), None);
    let masked = [("a", "10.1.0.0/255.255.0.0"), ("b", "%.example.org"), ("c", "10.0.0.0/99")];
    assert_eq!(best_match(masked.iter().copied(), "a", &["10.1.255.1"]), Some(0));
    assert_eq!(best_match(masked.iter().copied(), "b", &["www.EXAMPLE.org"]), Some(1));
    assert_eq!(best_match(masked.iter().copied(), "c", &["10.0.0.0"]), None);
}

#[test]
fn the_first_start_makes_root_once() {
    let map = Map::default();
    now(first_start(&map)).unwrap();
    assert_eq!(now(without_password(&map)).unwrap().as_deref(), Some("'root'@'localhost'"));
    all(&map, &["ALTER USER USER() IDENTIFIED BY 'pw'"]);
    assert_eq!(now(without_password(&map)).unwrap(), None);
    now(first_start(&map)).unwrap();
    let (user, host, record) = now(find(&map, "root", "localhost")).unwrap().unwrap();
    assert_eq!((user.as_str(), host.as_str()), ("root", "localhost"));
    assert_eq!(record.hash, b"caching_sha2_password:pw");
    assert!(record.may_use("anything"));
    assert!(now(find(&map, "root", "10.0.0.1")).unwrap().is_none());
}

#[test]
fn users_come_and_go_with_mysqls_errors() {
    let map = Map::default();
    all(&map, &["CREATE USER ann IDENTIFIED BY 'x'"]);
    let exists = "Operation CREATE USER failed for 'ann'@'%' (User account already exists)";
    assert_eq!(error(&map, "CREATE USER ann IDENTIFIED BY 'y'"), (1396, exists.to_string()));
    assert_eq!(error(&map, "CREATE USER bob, ann").0, 1396);
    // Nothing was written by the statement that failed.
    assert!(now(map.get("bob", "%")).unwrap().is_none());
    assert_eq!(
        run_on(&map, "CREATE USER IF NOT EXISTS bob, ann").unwrap(),
        [(3163, "Authorization ID 'ann'@'%' already exists.".to_string())]
    );
    assert_eq!(error(&map, "CREATE USER a1, a1"), (1396, exists.replace("ann", "a1")));
    all(&map, &["ALTER USER ann IDENTIFIED BY 'new'"]);
    assert_eq!(record(&map, "ann").hash, b"caching_sha2_password:new");
    assert_eq!(
        error(&map, "ALTER USER zoe IDENTIFIED BY 'x'").1,
        "Operation ALTER USER failed for 'zoe'@'%' (User account does not exist)"
    );
    assert_eq!(run_on(&map, "ALTER USER IF EXISTS zoe IDENTIFIED BY 'x'").unwrap()[0].0, 3162);
    let text = "Operation DROP USER failed for 'n1'@'%' (User account does not exist),'n2'@'%' (User account does not exist)";
    assert_eq!(error(&map, "DROP USER ann, n1, n2"), (1396, text.to_string()));
    assert!(now(map.get("ann", "%")).unwrap().is_some());
    all(&map, &["RENAME USER ann TO eve, bob TO ann"]);
    assert_eq!(
        error(&map, "RENAME USER bob TO x"),
        (1396, "Operation RENAME USER failed for 'bob'@'%'".into())
    );
    assert_eq!(run_on(&map, "DROP USER IF EXISTS eve, n1").unwrap().len(), 1);
    assert!(now(map.get("eve", "%")).unwrap().is_none());
}

#[test]
fn plugins_and_hashes_are_checked() {
    let map = Map::default();
    assert_eq!(
        error(&map, "CREATE USER ann IDENTIFIED WITH nosuch"),
        (1524, "Plugin 'nosuch' is not loaded".to_string())
    );
    let bad = (1827, "The password hash doesn't have the expected format.".to_string());
    assert_eq!(error(&map, "CREATE USER ann IDENTIFIED WITH caching_sha2_password AS 'abc'"), bad);
    assert_eq!(error(&map, "CREATE USER ann IDENTIFIED WITH mysql_native_password AS '*xyz'"), bad);
    all(
        &map,
        &[
            "CREATE USER ann IDENTIFIED WITH mysql_native_password AS '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7'",
        ],
    );
    let (_, line) = now(show_create(&map, &name("ann", "%"))).unwrap();
    assert_eq!(
        line,
        "CREATE USER `ann`@`%` IDENTIFIED WITH 'mysql_native_password' AS '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7' REQUIRE NONE \
         PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT"
    );
}

/// Recorded from MySQL 9.7.
#[test]
fn grants_on_every_level() {
    let map = Map::default();
    all(
        &map,
        &[
            "CREATE USER u",
            "GRANT SELECT ON shop.* TO u",
            "GRANT INSERT, UPDATE ON shop.t TO u WITH GRANT OPTION",
            "GRANT CREATE ON shop.nope TO u",
            "GRANT SELECT, BACKUP_ADMIN ON *.* TO u",
        ],
    );
    assert_eq!(
        lines(&map, "u", &[]),
        [
            "GRANT SELECT ON *.* TO `u`@`%`",
            "GRANT BACKUP_ADMIN ON *.* TO `u`@`%`",
            "GRANT SELECT ON `shop`.* TO `u`@`%`",
            "GRANT CREATE ON `shop`.`nope` TO `u`@`%`",
            "GRANT INSERT, UPDATE ON `shop`.`t` TO `u`@`%` WITH GRANT OPTION",
        ]
    );
    let held = record(&map, "u");
    assert!(
        held.on_table("shop", "t").has(Privileges::INSERT) && !held.on_schema("shop").has(Privileges::INSERT)
    );
    for (text, code) in [
        ("GRANT SELECT ON *.* TO zoe", 1410),
        ("GRANT nosuch ON *.* TO u", 1149),
        ("GRANT FILE ON shop.* TO u", 1221),
        ("GRANT BACKUP_ADMIN ON shop.* TO u", 3619),
        ("GRANT EXECUTE ON shop.t TO u", 1144),
        ("REVOKE SELECT ON *.* FROM zoe", 1141),
        ("REVOKE SELECT ON nowhere.* FROM u", 1141),
        ("REVOKE DELETE ON shop.t FROM u", 1147),
        ("REVOKE SELECT ON shop.other FROM u", 1147),
    ] {
        assert_eq!(error(&map, text).0, code, "{text}");
    }
    assert_eq!(run_on(&map, "REVOKE IF EXISTS SELECT ON nowhere.* FROM u").unwrap()[0].0, 1141);
    assert_eq!(run_on(&map, "REVOKE SELECT ON *.* FROM zoe IGNORE UNKNOWN USER").unwrap()[0].0, 3162);
    all(&map, &["REVOKE UPDATE, GRANT OPTION ON shop.t FROM u", "REVOKE DELETE ON *.* FROM u"]);
    assert_eq!(lines(&map, "u", &[]).last().unwrap(), "GRANT INSERT ON `shop`.`t` TO `u`@`%`");
    all(&map, &["REVOKE ALL PRIVILEGES, GRANT OPTION FROM u", "GRANT ALL ON shop.* TO u WITH GRANT OPTION"]);
    assert_eq!(lines(&map, "u", &[]).len(), 2);
    assert_eq!(lines(&map, "u", &[])[1], "GRANT ALL PRIVILEGES ON `shop`.* TO `u`@`%` WITH GRANT OPTION");
    assert!(record(&map, "u").may_use("shop") && !record(&map, "u").may_use("other"));
}

#[test]
fn schema_names_have_wildcards() {
    let map = Map::default();
    all(&map, &["CREATE USER u", r"GRANT SELECT ON `shop\_%`.* TO u"]);
    let held = record(&map, "u");
    assert!(held.may_use("shop_1") && !held.may_use("shopx1") && !held.may_use("other"));
}

#[test]
fn roles_are_granted_chosen_and_taken_back() {
    let map = Map::default();
    all(
        &map,
        &[
            "CREATE ROLE r1, r2",
            "CREATE USER u",
            "GRANT SELECT ON shop.* TO r1",
            "GRANT r1 TO r2",
            "GRANT INSERT ON shop.t TO r2",
            "GRANT r2 TO u",
        ],
    );
    assert_eq!(lines(&map, "u", &[]), ["GRANT USAGE ON *.* TO `u`@`%`", "GRANT `r2`@`%` TO `u`@`%`"]);
    assert_eq!(
        lines(&map, "u", &["r2"]),
        [
            "GRANT USAGE ON *.* TO `u`@`%`",
            "GRANT SELECT ON `shop`.* TO `u`@`%`",
            "GRANT INSERT ON `shop`.`t` TO `u`@`%`",
            "GRANT `r2`@`%` TO `u`@`%`",
        ]
    );
    assert_eq!(error(&map, "SET DEFAULT ROLE r1 TO u"), (3530, "`r1`@`%` is not granted to `u`@`%`".into()));
    assert_eq!(error(&map, "GRANT nobody TO u"), (3523, "Unknown authorization ID `nobody`@`%`".into()));
    assert_eq!(error(&map, "GRANT u TO r1").0, 3527, "a loop");
    assert!(record(&map, "r1").locked, "nobody logs in as a role");
    all(&map, &["SET DEFAULT ROLE ALL TO u"]);
    let (_, line) = now(show_create(&map, &name("u", "%"))).unwrap();
    assert!(line.contains(" DEFAULT ROLE `r2`@`%` REQUIRE NONE"), "{line}");
    // A role that is dropped is nobody's.
    all(&map, &["DROP ROLE r2"]);
    assert_eq!(lines(&map, "u", &[]), ["GRANT USAGE ON *.* TO `u`@`%`"]);
    assert!(record(&map, "u").default_roles.is_empty());
    assert_eq!(
        error(&map, "DROP ROLE r2").1,
        "Operation DROP ROLE failed for 'r2'@'%' (User account does not exist)"
    );
}
