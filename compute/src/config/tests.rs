//! Precedence, bounds, and errors that name their place.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

fn load_with(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Settings, ConfigError> {
    // One file per call: two empty texts share an address, so the text's own cannot name it.
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("sextant-config-{}-{call}.toml", std::process::id()));
    std::fs::write(&path, file).unwrap();
    let values = flags.iter().map(|(n, v)| ("--set".to_string(), n.to_string(), v.to_string())).collect();
    let flags = Flags { config: Some(path.clone()), values };
    let result = load(&flags, environment.iter().map(|(n, v)| (n.to_string(), v.to_string())));
    std::fs::remove_file(&path).unwrap();
    result
}

#[test]
fn later_places_win() {
    let file = "max_connections = 10\nwait_timeout = 11\ninnodb_buffer_pool_size = '64M'\nrequire_secure_transport = true\n";
    let environment = [("SEXTANT_WAIT_TIMEOUT", "12"), ("SEXTANT_IO", "Threads"), ("PATH", "/bin")];
    let settings =
        load_with(file, &environment, &[("connect_timeout", "13"), ("wait_timeout", "14")]).unwrap();
    assert_eq!((settings.max_connections, settings.wait_timeout, settings.connect_timeout), (10, 14, 13));
    assert_eq!(settings.innodb_buffer_pool_size, 64 << 20);
    assert!(settings.require_secure_transport);
    assert_eq!(settings.sextant_io, "threads");
    assert_eq!(settings.datadir, "sextant-data");
}

#[test]
fn mistakes_are_named() {
    let message = |file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]| {
        load_with(file, env, flags).unwrap_err().to_string()
    };
    assert!(
        message("max_conections = 1\n", &[], &[])
            .ends_with("unknown setting 'max_conections' (did you mean 'max_connections'?)")
    );
    assert_eq!(message("", &[("SEXTANT_FOO", "1")], &[]), "environment: unknown setting 'SEXTANT_FOO'");
    assert_eq!(
        message("", &[], &[("port", "70000")]),
        "--set: port = '70000': must be a whole number from 0 to 65535"
    );
    assert!(message("", &[], &[("sextant_io", "mmap")]).contains("must be one of auto, ring, threads"));
    assert!(message("port = [1]\n", &[], &[]).contains("port: must be a text, a whole number or a boolean"));
    assert!(message("port = \n", &[], &[]).contains("sextant-config"));
}

#[test]
fn the_table_is_consistent() {
    let defaults = load_with("", &[], &[]).unwrap();
    assert_eq!(defaults.values().len(), SETTINGS.len());
    for (setting, (name, value)) in SETTINGS.iter().zip(defaults.values()) {
        assert_eq!(setting.name, name);
        assert_eq!(setting.normalise(setting.default).as_deref(), Ok(value.as_str()), "{name}");
    }
    let mut names: Vec<_> = SETTINGS.iter().map(Setting::env_name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), SETTINGS.len());
}
