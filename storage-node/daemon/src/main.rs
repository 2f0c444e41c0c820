//! The storage daemon by itself; `sextant storage` is the same.
fn main() -> std::process::ExitCode {
    storage_daemon::run(std::env::args_os())
}
