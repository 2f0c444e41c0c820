# A dozen short doors; each is one line over cargo, never required.
default:
    @just --list

# The main job: the embedded cluster on 127.0.0.1:3306.
run *ARGS:
    cargo run --release -- {{ARGS}}

test:
    cargo test --workspace

ci:
    bash .ci/run

# A show prints facts and one verdict line; --sabotage must fail.
show NAME *ARGS:
    cargo run --release --quiet -p tests --bin show -- {{NAME}} {{ARGS}}

seeds N="20000":
    cargo run --release --quiet -p simulator --bin director -- --seeds 0..{{N}}

oracle-refresh ENDPOINT:
    cargo run --release --quiet -p tests --bin oracle -- --refresh {{ENDPOINT}}

mutants:
    cargo run --release --quiet -p simulator --features mutants --bin director -- --mutants

# The self-auditing load: just ledger setup 127.0.0.1:3306
ledger *ARGS:
    cargo run --release --quiet -p bench --bin ledger -- {{ARGS}}

# Interleaved sysbench runs: just side-by-side ours=127.0.0.1:3306/PID other=127.0.0.1:13306/PID
side-by-side *ARGS:
    cargo run --release --quiet -p bench --bin side-by-side -- {{ARGS}}
