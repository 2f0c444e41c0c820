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
