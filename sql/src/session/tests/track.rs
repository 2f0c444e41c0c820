//! Session tracking: what each OK says has changed, as recorded from MySQL 9.7.

use super::Rig;

#[test]
fn states_and_characteristics_of_transactions() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(&mut s, &["CREATE TABLE d.t (a INT PRIMARY KEY)", "INSERT INTO d.t VALUES (1)"]);
    rig.all(&mut s, &["SET session_track_transaction_info = 'CHARACTERISTICS'"]);
    let told = |text: &str, rig: &Rig, s: &mut crate::Session| {
        let lines = rig.lines(s, text);
        assert!(lines.error.is_none(), "{text}: {:?}", lines.error);
        let done = lines.done.unwrap();
        (done.transaction_state.unwrap_or_default(), done.transaction_characteristics.unwrap_or("-".into()))
    };
    for (text, state, characteristics) in [
        ("BEGIN", "T_______", "START TRANSACTION;"),
        ("SELECT 1", "T_____S_", "-"),
        ("COMMIT", "________", ""),
        ("BEGIN", "T_______", "START TRANSACTION;"),
        ("INSERT INTO d.t VALUES (2)", "T___W___", "-"),
        ("SELECT * FROM d.t LIMIT 1", "T_R_WsS_", "-"),
        ("SELECT * FROM d.t LIMIT 1", "", "-"),
        ("COMMIT", "________", ""),
        (
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            "T_R_____",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;",
        ),
        ("ROLLBACK", "________", ""),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;"),
        ("BEGIN", "T_______", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION;"),
        ("COMMIT", "________", ""),
    ] {
        let got = told(text, &rig, &mut s);
        assert_eq!((got.0.as_str(), got.1.as_str()), (state, characteristics), "{text}");
    }
}

#[test]
fn changes_of_the_session() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    let changed =
        |text: &str, rig: &Rig, s: &mut crate::Session| rig.lines(s, text).done.unwrap().state_changed;
    assert!(!changed("SET @x = 1", &rig, &mut s), "not asked for");
    rig.all(&mut s, &["SET session_track_state_change = 1"]);
    for (text, expected) in [
        ("SET @x = 2", true),
        ("SELECT 1", false),
        ("USE d", true),
        ("PREPARE p FROM 'SELECT 1'", true),
        ("EXECUTE p", false),
        ("DEALLOCATE PREPARE p", true),
        ("SET sql_mode = DEFAULT", true),
        ("BEGIN", false),
    ] {
        assert_eq!(changed(text, &rig, &mut s), expected, "{text}");
    }
}
