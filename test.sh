#!/usr/bin/env bash
# The test command: sees to what the tests need, runs all of them and says how many passed. `./test.sh --help` tells more.
set -euo pipefail
cd "$(dirname "$0")"

python_versions="3.11, 3.12 or 3.13"
target=${CARGO_TARGET_DIR:-target}

# Proofs: claims that are too slow to prove on every run. One a line: name, then the command, run from here with the broker,
# PostgreSQL and the Python peers at hand.
proofs() {
    cat <<'PROOFS'
verdicts env KINOKO_TEST_PROOF_CALLS=100000 cargo test --release -p kinoko-tests --test services -- --nocapture no_verdict_reaches_the_wrong_caller
outage env KINOKO_TEST_PROOF_CALLS=1 cargo test --release -p kinoko-tests --test services -- --nocapture every_call_ends_by_its_deadline_while_the_broker_is_killed
faults env KINOKO_TEST_PROOF_FAULTS=1 KINOKO_TEST_PROOF_ROUNDS=20 cargo test --release -p kinoko-tests --test faults -- --nocapture --test-threads 1
events env KINOKO_TEST_PROOF_EVENTS=200000 cargo test --release -p kinoko-tests --test faults -- --nocapture --test-threads 1 events
outbox env KINOKO_TEST_PROOF_OUTBOX=50000 cargo test --release -p kinoko-tests --test faults -- --nocapture --test-threads 1 outbox
sagas env KINOKO_TEST_PROOF_SAGAS=200 cargo test --release -p kinoko-tests --test faults -- --nocapture --test-threads 1 sagas
rolling env KINOKO_TEST_PROOF_ROUNDS=20 cargo test --release -p kinoko-tests --test faults -- --nocapture --test-threads 1 rolling
gateway env KINOKO_TEST_PROOF_GATEWAY=1 cargo test --release -p kinoko-tests --test faults -- --nocapture --test-threads 1 gateway
migration env KINOKO_TEST_PROOF_CALLS=10000 cargo test --release -p kinoko-tests --test services -- --nocapture nameko::migration
hostile env KINOKO_TEST_PROOF_HOSTILE=1000000 cargo test --release -p kinoko-tests --test hostile -- --nocapture --test-threads 1 random_messages_are_survived large_bodies_are_let_go
fuzz tests/fuzz/run 300
policies env KINOKO_TEST_PROOF_STEPS=100000000 cargo test --release -p kinoko-mutants -- --nocapture
schemathesis env KINOKO_TEST_PROOF_EXAMPLES=1000 cargo test --release -p kinoko-tests --test documents -- --nocapture schemathesis
performance cargo bench -p kinoko-tests --bench performance
PROOFS
}

usage() {
    cat <<'USAGE'
usage: ./test.sh [--quick | --proof NAME | --help]

  (nothing)     all tests and doctests. Needs RabbitMQ, PostgreSQL and Python; gets them where it can
  --quick       only the tests that need none of these, and not many compilations; the others show as ignored
  --proof NAME  the proof of that name in full, instead of the tests
  --help        this text

Reads
  KINOKO_TEST_AMQP_URI         broker to use. Otherwise the one on 127.0.0.1:5672 as guest, or one that this script starts and stops
  KINOKO_TEST_RABBITMQ_SERVER  rabbitmq-server program for tests that start nodes of their own
  KINOKO_TEST_POSTGRES_URL     PostgreSQL to use, as a user who may create databases. Otherwise the one on 127.0.0.1:5432 that lets postgres
                               or the current user in without a password, or one that this script starts and stops
  KINOKO_TEST_PYTHON           Python to make the venvs with: two for Nameko, one each for HTTP, tokens and gRPC
  KINOKO_TEST_CHROMIUM         Chromium, or Chrome, that opens the docs page
  CARGO_TARGET_DIR             where cargo builds (default: target)

Writes target/test-env: source it to run single tests with plain cargo on a broker and a PostgreSQL that stay.
USAGE
    echo
    echo "proofs:"
    list_proofs
}

list_proofs() {
    if [ -z "$(proofs)" ]; then
        echo "  (none yet)"
    else
        proofs | sed 's/^/  /'
    fi
}

say() { printf '== %s\n' "$*"; }

stop_with() {
    printf 'test.sh: %s\n' "$1" >&2
    exit 1
}

absolute() { (cd "$1" && pwd); }

. tests/environment.sh

# --- Parts

summary=""
failed=no
part_log=""

part() {
    local name=$1 begin=$SECONDS result=ok
    shift
    say "$name: $*"
    # Through tee, so that the totals can be added up; cargo would see no terminal and drop its colours.
    "$@" </dev/null 2>&1 | tee -a "$part_log" || result=FAILED
    [ "$result" = ok ] || failed=yes
    summary+=$(printf '%-9s %6s min  %s' "$name" "$(minutes $((SECONDS - begin)))" "$result")$'\n'
}

minutes() { printf '%d.%d' $(($1 / 60)) $(($1 % 60 / 6)); }

sum_of() {
    # From cargo's own lines: test result: ok. 12 passed; 0 failed; 1 ignored; …
    sed -n "s/.*test result: .* \([0-9][0-9]*\) $1;.*/\1/p" "$part_log" | awk '{ sum += $1 } END { print sum + 0 }'
}

# What failed, each cut short, for whoever sees the end of a long log only.
failures() {
    awk '
        /^---- .* ----$/ { inside = 1; lines = 0 }
        /^(failures:|test result: .*)$/ { inside = 0 }
        inside && lines++ < 40 { print substr($0, 1, 400) }
        /^error(\[E[0-9]+\])?: / { print }
    ' "$part_log"
}

finish() {
    stop_own_node
    stop_own_postgres
    if [ "$failed" = yes ]; then
        failures >"$target/test-failures"
        say "failures"
        cat "$target/test-failures"
    else
        rm -f "$target/test-failures"
    fi
    say "summary"
    printf '%s' "$summary"
    [ "$failed" = no ]
}

run_tests() {
    local flags=(--workspace --no-fail-fast)
    # Whoever adds a dependency changes the lock file in passing; CI must not.
    [ -z "${CI:-}" ] || flags+=(--locked)
    # Not --all-targets: that would run the benchmarks.
    part tests cargo test "${flags[@]}" --lib --bins --tests --examples
    part doctests cargo test "${flags[@]}" --doc
    local passed
    passed=$(sum_of passed)
    if [ "$passed" = 0 ]; then
        summary+="no test passed: nothing was tested"$'\n'
        failed=yes
    fi
    summary+="$passed passed, $(sum_of failed) failed, $(sum_of ignored) skipped"$'\n'
}

run_proof() {
    local name=$1 command
    command=$(proofs | awk -v name="$name" '$1 == name { sub(/^[^ ]+ +/, ""); print }')
    if [ -z "$command" ]; then
        {
            echo "test.sh: no proof is called $name. Known proofs:"
            list_proofs
        } >&2
        exit 2
    fi
    ensure_all
    part "$name" bash -euo pipefail -c "$command"
}

main() {
    case "${1:-}" in
    "" | --quick | --proof) ;;
    --help | -h)
        usage
        return
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
    command -v cargo >/dev/null 2>&1 || stop_with "no cargo. Install Rust with rustup; rust-toolchain.toml names the version"
    # Colours survive the pipe only when asked for.
    if [ -t 1 ]; then export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-always}; fi
    part_log=$(mktemp)
    trap 'stop_own_node; stop_own_postgres; rm -f "$part_log"' EXIT
    trap 'exit 130' INT TERM

    case "${1:-}" in
    "")
        ensure_all
        run_tests
        ;;
    --quick)
        say "quick: no broker, no PostgreSQL, no Python, no browser, no compile fixtures; the tests that need them show as ignored"
        unset KINOKO_TEST_AMQP_URI KINOKO_TEST_RABBITMQ_SERVER KINOKO_TEST_POSTGRES_URL KINOKO_TEST_PYTHON_NAMEKO2 \
            KINOKO_TEST_PYTHON_NAMEKO3 KINOKO_TEST_PYTHON_HTTP KINOKO_TEST_PYTHON_JWT KINOKO_TEST_PYTHON_GRPC KINOKO_TEST_CHROMIUM \
            KINOKO_TEST_CONSUL
        export KINOKO_TEST_QUICK=1
        run_tests
        ;;
    --proof)
        run_proof "${2:-}"
        ;;
    esac
    finish
}

main "$@"
