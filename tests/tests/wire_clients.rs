//! Real clients against the product: Debian's mariadb-client over plain sockets and TLS, with accounts and passwords of both plugins. A client that is not installed is a printed reason, not a failure.

use std::process::{Command, Output};
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

fn client() -> Option<&'static str> {
    let found =
        ["mariadb", "mysql"].into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() {
        println!("SKIPPED: mariadb-client is not installed");
    }
    found
}

fn start(name: &str, args: &[&str]) -> (Scratch, Server) {
    let scratch = Scratch::new(name).expect("a scratch folder");
    let launch = Launch::new(&product(), &scratch.path().join("data")).args(args);
    let server = launch.start().expect("it starts");
    (scratch, server)
}

fn run(program: &str, server: &Server, args: &[&str], sql: &str) -> Output {
    let (host, port) = server.address.rsplit_once(':').expect("host and port");
    Command::new(program)
        .args(["--no-defaults", "--protocol=tcp", "-h", host, "-P", port, "-N", "-B"])
        .args(args)
        .args(["-e", sql])
        .output()
        .expect("the client runs")
}

fn answer(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.trim().to_string()
}

#[test]
fn mariadb_client_speaks_with_it() {
    let Some(program) = client() else { return };
    let (_scratch, server) = start("clients", &[]);
    let root = |sql: &str| answer(&run(program, &server, &["-u", "root"], sql));
    assert!(root("SELECT VERSION()").starts_with("9.7.0-sextant-"));
    root(
        "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO shop.t VALUES (1,'ä'),(2,NULL)",
    );
    let rows = answer(&run(
        program,
        &server,
        &["-u", "root", "--default-character-set=utf8mb4", "shop"],
        "SELECT * FROM t",
    ));
    assert_eq!(rows, "1\tä\n2\tNULL");
    let error = run(program, &server, &["-u", "root"], "SELECT * FROM shop.nothing");
    assert!(String::from_utf8_lossy(&error.stderr).contains("ERROR 1146 (42S02)"), "{error:?}");
}

#[test]
fn accounts_with_passwords_by_both_plugins_with_and_without_tls() {
    let Some(program) = client() else { return };
    let (_scratch, server) = start("accounts", &[]);
    let root = ["-u", "root"];
    answer(&run(program, &server, &root, "CREATE USER sha IDENTIFIED BY 'secret one'"));
    answer(&run(
        program,
        &server,
        &root,
        "CREATE USER nat IDENTIFIED WITH mysql_native_password BY 'secret two'",
    ));
    for (user, password) in [("sha", "secret one"), ("nat", "secret two")] {
        let good = format!("-p{password}");
        // The first login over TLS is a full authentication, the next ones are fast; without TLS the password travels under RSA.
        for tls in ["--ssl", "--skip-ssl", "--ssl"] {
            let output = run(program, &server, &["-u", user, &good, tls], "SELECT CURRENT_USER()");
            assert_eq!(answer(&output), format!("{user}@%"), "{tls}");
        }
        let output = run(program, &server, &["-u", user, "-pwrong"], "SELECT 1");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("ERROR 1045 (28000)") && text.contains("using password: YES"), "{text}");
    }
    answer(&run(program, &server, &root, "ALTER USER sha IDENTIFIED BY 'new'"));
    assert!(!run(program, &server, &["-u", "sha", "-psecret one"], "SELECT 1").status.success());
    assert_eq!(answer(&run(program, &server, &["-u", "sha", "-pnew"], "SELECT 1")), "1");
    answer(&run(program, &server, &root, "DROP USER sha, nat"));
    assert!(!run(program, &server, &["-u", "sha", "-pnew"], "SELECT 1").status.success());
}
