//! Accounts over a map.

use super::statements::Notes;
use super::*;
use crate::ast::{Ddl, UserName, UserSpec};
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

fn spec(user: &str, password: Option<&str>) -> UserSpec {
    UserSpec { name: name(user, "%"), plugin: None, password: password.map(str::to_owned), hash: None }
}

fn create(user: &str, password: &str) -> Ddl {
    Ddl::CreateUser { users: vec![spec(user, Some(password))], if_not_exists: false }
}

fn run_on(map: &Map, statement: &Ddl) -> Result<Notes> {
    let hash = |plugin: &str, password: &[u8]| Some([plugin.as_bytes(), b":", password].concat());
    now(run(&Work { store: map, me: &("root".into(), "localhost".into()), hash: &hash }, statement))
}

fn error(map: &Map, statement: &Ddl) -> (u16, String) {
    let error = run_on(map, statement).unwrap_err();
    (error.code, error.message)
}

#[test]
fn records_round_trip_and_damage_is_an_error() {
    let mut record = Record::new("mysql_native_password", vec![1, 2, 3]);
    record.locked = true;
    record.schemas.insert("shop".into(), record::Privileges { all: true, grant: true });
    let bytes = record.encode();
    assert_eq!(Record::decode(&bytes).unwrap(), record);
    for cut in 0..bytes.len() {
        assert!(Record::decode(&bytes[..cut]).is_err());
    }
    assert!(Record::decode(&[&bytes[..], &[0]].concat()).is_err());
    assert!(Record::decode(&[2, 0, 0, 0, 0, 0, 0, 0]).is_err());
    assert_eq!(Record::decode(&Record::root().encode()).unwrap(), Record::root());
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
    run_on(
        &map,
        &Ddl::AlterUser {
            users: vec![UserSpec { name: name("", ""), ..spec("", Some("pw")) }],
            if_exists: false,
        },
    )
    .unwrap();
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
    run_on(&map, &create("ann", "x")).unwrap();
    let exists = "Operation CREATE USER failed for 'ann'@'%' (User account already exists)";
    assert_eq!(error(&map, &create("ann", "y")), (1396, exists.to_string()));
    let both =
        |if_not_exists| Ddl::CreateUser { users: vec![spec("bob", None), spec("ann", None)], if_not_exists };
    assert_eq!(error(&map, &both(false)).0, 1396);
    // Nothing was written by the statement that failed.
    assert!(now(map.get("bob", "%")).unwrap().is_none());
    assert_eq!(
        run_on(&map, &both(true)).unwrap(),
        [(3163, "Authorization ID 'ann'@'%' already exists.".to_string())]
    );
    let twice = Ddl::CreateUser { users: vec![spec("a1", None), spec("a1", None)], if_not_exists: false };
    assert_eq!(error(&map, &twice), (1396, exists.replace("ann", "a1")));

    let alter = |user: &str, if_exists| Ddl::AlterUser { users: vec![spec(user, Some("new"))], if_exists };
    run_on(&map, &alter("ann", false)).unwrap();
    assert_eq!(now(find(&map, "ann", "h")).unwrap().unwrap().2.hash, b"caching_sha2_password:new");
    assert_eq!(
        error(&map, &alter("zoe", false)).1,
        "Operation ALTER USER failed for 'zoe'@'%' (User account does not exist)"
    );
    assert_eq!(run_on(&map, &alter("zoe", true)).unwrap()[0].0, 3162);

    let drop = |names: &[&str], if_exists| Ddl::DropUser {
        users: names.iter().map(|u| name(u, "%")).collect(),
        if_exists,
    };
    let text = "Operation DROP USER failed for 'n1'@'%' (User account does not exist),'n2'@'%' (User account does not exist)";
    assert_eq!(error(&map, &drop(&["ann", "n1", "n2"], false)), (1396, text.to_string()));
    assert!(now(map.get("ann", "%")).unwrap().is_some());
    assert_eq!(run_on(&map, &drop(&["ann", "n1"], true)).unwrap().len(), 1);
    assert!(now(map.get("ann", "%")).unwrap().is_none());
}

#[test]
fn plugins_and_hashes_are_checked() {
    let map = Map::default();
    let with = |plugin: &str, hash: Option<&[u8]>| {
        let spec =
            UserSpec { plugin: Some(plugin.into()), hash: hash.map(<[u8]>::to_vec), ..spec("ann", None) };
        Ddl::CreateUser { users: vec![spec], if_not_exists: false }
    };
    assert_eq!(error(&map, &with("nosuch", None)), (1524, "Plugin 'nosuch' is not loaded".to_string()));
    let bad = (1827, "The password hash doesn't have the expected format.".to_string());
    assert_eq!(error(&map, &with("caching_sha2_password", Some(b"abc"))), bad);
    assert_eq!(error(&map, &with("mysql_native_password", Some(b"*xyz"))), bad);
    run_on(&map, &with("mysql_native_password", Some(b"*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"))).unwrap();
    let (_, line) = now(show_create(&map, &name("ann", "%"))).unwrap();
    assert!(line.starts_with(
        "CREATE USER `ann`@`%` IDENTIFIED WITH 'mysql_native_password' AS '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7' REQUIRE NONE"
    ));
}

#[test]
fn grants_are_all_or_nothing() {
    let map = Map::default();
    run_on(&map, &create("ann", "x")).unwrap();
    let grant = |schema: Option<&str>, user: &str, grant_option| Ddl::GrantAll {
        schema: schema.map(str::to_owned),
        users: vec![name(user, "%")],
        grant_option,
    };
    let lines = |map: &Map| now(grants(map, &name("ann", "%"))).unwrap().1;
    assert_eq!(lines(&map), ["GRANT USAGE ON *.* TO `ann`@`%`"]);
    assert_eq!(
        error(&map, &grant(None, "zoe", false)),
        (1410, "You are not allowed to create a user with GRANT".into())
    );
    run_on(&map, &grant(Some("shop"), "ann", false)).unwrap();
    assert_eq!(lines(&map)[1], "GRANT ALL PRIVILEGES ON `shop`.* TO `ann`@`%`");
    let record = now(find(&map, "ann", "h")).unwrap().unwrap().2;
    assert!(record.may_use("shop") && !record.may_use("other") && record.may_use("INFORMATION_SCHEMA"));
    run_on(&map, &grant(None, "ann", true)).unwrap();
    assert_eq!(lines(&map)[0], "GRANT ALL PRIVILEGES ON *.* TO `ann`@`%` WITH GRANT OPTION");
    let revoke = |schema: Option<&str>, user: &str| Ddl::RevokeAll {
        schema: schema.map(str::to_owned),
        users: vec![name(user, "%")],
    };
    run_on(&map, &revoke(None, "ann")).unwrap();
    run_on(&map, &revoke(Some("shop"), "ann")).unwrap();
    assert_eq!(lines(&map), ["GRANT USAGE ON *.* TO `ann`@`%`"]);
    let none = "There is no such grant defined for user 'ann' on host '%'";
    assert_eq!(error(&map, &revoke(Some("shop"), "ann")), (1141, none.to_string()));
    assert_eq!(error(&map, &revoke(None, "zoe")).0, 1269);
}
