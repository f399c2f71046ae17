# What the tests need: brokers, databases, peers and browsers, found on the machine, or installed, or started for the run.
# test.sh reads it, and says what `say`, `stop_with`, `absolute` and `$target` are.

# --- Debian packages

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        return 1
    fi
}

install_packages() {
    command -v apt-get >/dev/null 2>&1 || return 1
    say "installing $*"
    as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
} </dev/null >&2

# --- RabbitMQ

amqp_answers() {
    # A server that speaks AMQP 0-9-1 answers the protocol header with a method frame: type 1. Others close, or name their version.
    local port=$1 byte
    (
        exec 3<>"/dev/tcp/127.0.0.1/$port"
        printf 'AMQP\0\0\x09\x01' >&3
        IFS= read -r -t 3 -n 1 byte <&3
        [ "$byte" = $'\x01' ]
    ) 2>/dev/null
}

# Debian's program in /usr/sbin changes to user rabbitmq and to its own folders: a node of one's own needs the one behind it.
find_rabbitmq_server() {
    local candidate
    for candidate in "${KINOKO_TEST_RABBITMQ_SERVER:-}" /usr/lib/rabbitmq/bin/rabbitmq-server \
        "$(command -v rabbitmq-server || true)" /usr/sbin/rabbitmq-server /usr/local/sbin/rabbitmq-server \
        /opt/homebrew/sbin/rabbitmq-server; do
        if [ -n "$candidate" ] && [ -x "$candidate" ]; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

installed_now=no

ensure_rabbitmq_server() {
    if ! KINOKO_TEST_RABBITMQ_SERVER=$(find_rabbitmq_server); then
        install_packages rabbitmq-server || true
        installed_now=yes
        KINOKO_TEST_RABBITMQ_SERVER=$(find_rabbitmq_server) || stop_with \
            "no rabbitmq-server, and it could not be installed. Install RabbitMQ 3.10 or newer (Debian: apt-get install rabbitmq-server), or name the program in KINOKO_TEST_RABBITMQ_SERVER. Without it: ./test.sh --quick"
    fi
    export KINOKO_TEST_RABBITMQ_SERVER
}

# Waits until a server that was started here answers. One that ended, or takes over a minute, shows the end of its output.
wait_for() {
    local process=$1 output=$2 waited=0
    shift 2
    until "$@"; do
        if ! kill -0 "$process" 2>/dev/null || [ "$waited" -ge 60 ]; then
            tail -n 20 "$output" >&2
            return 1
        fi
        sleep 1
        waited=$((waited + 1))
    done
}

own_node=""
own_port=$((20000 + $$ % 10000))

start_own_node() {
    local folder=$1
    rm -rf "$folder"
    mkdir -p "$folder"
    say "starting a RabbitMQ node of our own in $folder"
    : >"$folder/rabbitmq.conf"
    # HOME: the Erlang cookie is made there. No plugins, so no further ports.
    env HOME="$folder" RABBITMQ_NODENAME="kinoko-$$@localhost" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
        RABBITMQ_NODE_PORT="$own_port" RABBITMQ_DIST_PORT=$((own_port - 10000)) RABBITMQ_CONFIG_FILE="$folder/rabbitmq" \
        RABBITMQ_MNESIA_BASE="$folder/data" RABBITMQ_LOG_BASE="$folder/log" RABBITMQ_PID_FILE="$folder/pid" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$folder/enabled_plugins" \
        "$KINOKO_TEST_RABBITMQ_SERVER" </dev/null >"$folder/out" 2>&1 &
    own_node=$!
    wait_for "$own_node" "$folder/out" amqp_answers "$own_port" || stop_with \
        "RabbitMQ did not start; its output is in $folder/out. Start one on 127.0.0.1:5672, or name one in KINOKO_TEST_AMQP_URI"
}

stop_own_node() {
    if [ -n "$own_node" ]; then
        kill "$own_node" 2>/dev/null || true
        wait "$own_node" 2>/dev/null || true
        own_node=""
    fi
}

ensure_broker() {
    if [ -n "${KINOKO_TEST_AMQP_URI:-}" ]; then
        say "broker: the one that KINOKO_TEST_AMQP_URI names"
    # The package starts a node where it can, and that takes some seconds to answer.
    elif amqp_answers 5672 || { [ "$installed_now" = yes ] && sleep 10 && amqp_answers 5672; }; then
        KINOKO_TEST_AMQP_URI=amqp://guest:guest@127.0.0.1:5672
        say "broker: the one on 127.0.0.1:5672"
    else
        start_own_node "$(absolute "$target")/rabbitmq"
        KINOKO_TEST_AMQP_URI=amqp://guest:guest@127.0.0.1:$own_port
    fi
    export KINOKO_TEST_AMQP_URI
}

check_broker() {
    # kombu is at hand by now. One plain sentence here instead of the same failure in every test.
    "$KINOKO_TEST_PYTHON_NAMEKO2" -c 'import kombu, os; kombu.Connection(os.environ["KINOKO_TEST_AMQP_URI"], connect_timeout=10).connect()' ||
        stop_with "the broker does not let us in as KINOKO_TEST_AMQP_URI says (default: guest/guest on 127.0.0.1:5672); its reason is above"
}

# --- PostgreSQL

# A server that speaks PostgreSQL answers a start-up message with R and 0 where it asks this user for no password, then with S, its
# parameters, where it knows the user.
postgres_answers() {
    local port=$1 user=$2 length answer
    printf -v length '\\x%02x' $((8 + 5 + ${#user} + 1 + 9 + 9 + 1))
    answer=$(
        {
            exec 3<>"/dev/tcp/127.0.0.1/$port"
            printf "\\0\\0\\0$length\\0\\x03\\0\\0user\\0%s\\0database\\0postgres\\0\\0" "$user" >&3
            timeout 3 head -c 10 <&3 | od -An -tx1
        } 2>/dev/null
    ) || return 1
    [ "$answer" = " 52 00 00 00 08 00 00 00 00 53" ]
}

# Debian keeps the programs of each version in a folder of its own; the newest is taken.
find_postgres_programs() {
    local candidate
    while read -r candidate; do
        if [ -n "$candidate" ] && [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ]; then
            printf '%s\n' "$candidate"
            return
        fi
    done < <(
        printf '%s\n' /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin | sort -rV
        dirname "$(command -v initdb || echo /)"
    )
    return 1
}

own_postgres=""
own_postgres_folder=""
own_postgres_port=$((30000 + $$ % 10000))

start_own_postgres() {
    local programs owner=()
    if ! programs=$(find_postgres_programs); then
        install_packages postgresql || true
        programs=$(find_postgres_programs) || stop_with \
            "no PostgreSQL, and it could not be installed. Install it (Debian: apt-get install postgresql), or name one in KINOKO_TEST_POSTGRES_URL. Without it: ./test.sh --quick"
    fi
    # Not under target: the server refuses to run as root, and whoever it runs as then need not get there.
    own_postgres_folder=$(mktemp -d)
    if [ "$(id -u)" = 0 ]; then
        owner=(setpriv --reuid=postgres --regid=postgres --clear-groups)
        chown postgres "$own_postgres_folder"
    fi
    say "starting a PostgreSQL of our own in $own_postgres_folder"
    (cd / && "${owner[@]}" "$programs/initdb" --pgdata="$own_postgres_folder/data" --username=postgres --auth=trust \
        --encoding=UTF8 --locale=C --no-sync) </dev/null >"$own_postgres_folder/out" 2>&1 || {
        cat "$own_postgres_folder/out" >&2
        stop_with "initdb of $programs failed; its output is above"
    }
    # It holds nothing worth a wait for the disk.
    (cd / && exec "${owner[@]}" "$programs/postgres" -D "$own_postgres_folder/data" -p "$own_postgres_port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=300) \
        </dev/null >>"$own_postgres_folder/out" 2>&1 &
    own_postgres=$!
    wait_for "$own_postgres" "$own_postgres_folder/out" postgres_answers "$own_postgres_port" postgres || stop_with \
        "PostgreSQL did not start; its output is above. Start one on 127.0.0.1:5432, or name one in KINOKO_TEST_POSTGRES_URL"
}

stop_own_postgres() {
    if [ -n "$own_postgres" ]; then
        # Interrupted it ends its connections and then itself; terminated it would wait for them.
        kill -INT "$own_postgres" 2>/dev/null || true
        wait "$own_postgres" 2>/dev/null || true
        own_postgres=""
    fi
    if [ -n "$own_postgres_folder" ]; then
        rm -rf "$own_postgres_folder"
        own_postgres_folder=""
    fi
}

ensure_postgres() {
    local user
    if [ -n "${KINOKO_TEST_POSTGRES_URL:-}" ]; then
        say "PostgreSQL: the one that KINOKO_TEST_POSTGRES_URL names"
    else
        for user in postgres "$(id -un)"; do
            if postgres_answers 5432 "$user"; then
                KINOKO_TEST_POSTGRES_URL=postgres://$user@127.0.0.1:5432/postgres
                say "PostgreSQL: the one on 127.0.0.1:5432, as $user"
                break
            fi
        done
        if [ -z "${KINOKO_TEST_POSTGRES_URL:-}" ]; then
            start_own_postgres
            KINOKO_TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$own_postgres_port/postgres
        fi
    fi
    export KINOKO_TEST_POSTGRES_URL
}

# --- Python peers

python_fits() {
    # ensurepip is what Debian leaves out of python3 and puts into python3-venv.
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {
    local candidate
    if [ -n "${KINOKO_TEST_PYTHON:-}" ]; then
        python_fits "$KINOKO_TEST_PYTHON" || stop_with "KINOKO_TEST_PYTHON is not a Python $python_versions with venv"
        printf '%s\n' "$KINOKO_TEST_PYTHON"
        return
    fi
    for candidate in python3 python3.11 python3.12 python3.13; do
        if python_fits "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

ensure_python_peer() {
    local requirements=$1 venv=$2 import=$3 python stamp
    stamp=$(cksum <"$requirements")
    if [ "$(cat "$venv/requirements.stamp" 2>/dev/null)" != "$stamp" ] || [ ! -x "$venv/bin/python" ]; then
        if ! python=$(find_python); then
            [ -z "${KINOKO_TEST_PYTHON:-}" ] || exit 1
            install_packages python3 python3-venv || true
            python=$(find_python) || stop_with \
                "no Python that runs Nameko. Install Python $python_versions with venv (Debian: apt-get install python3 python3-venv), or name one in KINOKO_TEST_PYTHON. Without it: ./test.sh --quick"
        fi
        say "making $venv with $("$python" --version)"
        rm -rf "$venv"
        mkdir -p "$(dirname "$venv")"
        "$python" -m venv "$venv" </dev/null
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$requirements" </dev/null ||
            stop_with "pip could not install $requirements; its message is above"
        "$venv/bin/python" -W ignore -c "$import" || stop_with "$requirements does not work with $("$python" --version)"
        printf '%s\n' "$stamp" >"$venv/requirements.stamp"
    fi
}

ensure_python_peers() {
    local folder
    mkdir -p "$target/python-peers"
    folder=$(absolute "$target/python-peers")
    ensure_python_peer tests/python/requirements-nameko2.txt "$folder/nameko-2.14.1" "import nameko.runners, nameko.standalone.rpc"
    ensure_python_peer tests/python/requirements-nameko3.txt "$folder/nameko-3.0.0rc11" "import nameko.runners, nameko.standalone.rpc"
    ensure_python_peer tests/python/requirements-http.txt "$folder/http" "import jsonschema, openapi_spec_validator, playwright, schemathesis"
    export KINOKO_TEST_PYTHON_NAMEKO2=$folder/nameko-2.14.1/bin/python
    export KINOKO_TEST_PYTHON_NAMEKO3=$folder/nameko-3.0.0rc11/bin/python
    ensure_python_peer tests/python/requirements-jwt.txt "$folder/jwt" "import cryptography, jwt"
    ensure_python_peer tests/python/requirements-grpc.txt "$folder/grpc" "import grpc_health, grpc_reflection, grpc_status, grpc_tools, nameko_grpc.entrypoint"
    export KINOKO_TEST_PYTHON_GRPC=$folder/grpc/bin/python
    export KINOKO_TEST_PYTHON_HTTP=$folder/http/bin/python
    export KINOKO_TEST_PYTHON_JWT=$folder/jwt/bin/python
}

# --- Chromium

find_chromium() {
    local candidate
    for candidate in "${KINOKO_TEST_CHROMIUM:-}" chromium chromium-browser google-chrome; do
        if [ -n "$candidate" ] && command -v "$candidate"; then
            return
        fi
    done
    return 1
}

ensure_chromium() {
    if ! KINOKO_TEST_CHROMIUM=$(find_chromium); then
        install_packages chromium fonts-dejavu-core || true
        KINOKO_TEST_CHROMIUM=$(find_chromium) || stop_with \
            "no Chromium, and it could not be installed. Install it (Debian: apt-get install chromium), or name it in KINOKO_TEST_CHROMIUM. Without it: ./test.sh --quick"
    fi
    export KINOKO_TEST_CHROMIUM
}

# --- Prometheus

find_prometheus() {
    local candidate
    for candidate in "${KINOKO_TEST_PROMETHEUS:-}" "$(command -v prometheus || true)" "$target/prometheus/usr/bin/prometheus"; do
        # promtool stands beside it.
        if [ -n "$candidate" ] && [ -x "$candidate" ] && [ -x "$(dirname "$candidate")/promtool" ]; then
            absolute_file "$candidate"
            return
        fi
    done
    return 1
}

absolute_file() { printf '%s/%s\n' "$(absolute "$(dirname "$1")")" "$(basename "$1")"; }

# Unpacked and not installed: the package would start a server of its own.
unpack_prometheus() {
    command -v apt-get >/dev/null 2>&1 || return 1
    say "fetching Prometheus"
    rm -rf "$target/prometheus"
    mkdir -p "$target/prometheus"
    (
        cd "$target/prometheus"
        apt-get download -qq prometheus || { as_root apt-get update -qq && apt-get download -qq prometheus; }
        dpkg-deb -x prometheus_*.deb .
    )
} </dev/null >&2

ensure_prometheus() {
    if ! KINOKO_TEST_PROMETHEUS=$(find_prometheus); then
        unpack_prometheus || true
        KINOKO_TEST_PROMETHEUS=$(find_prometheus) || stop_with \
            "no Prometheus with its promtool, and it could not be fetched. Install it (Debian: apt-get install prometheus), or name it in KINOKO_TEST_PROMETHEUS. Without it: ./test.sh --quick"
    fi
    export KINOKO_TEST_PROMETHEUS
}

# --- Consul

find_consul() {
    local candidate
    for candidate in "${KINOKO_TEST_CONSUL:-}" "$(command -v consul || true)" "$target/consul/usr/bin/consul"; do
        if [ -n "$candidate" ] && [ -x "$candidate" ]; then
            absolute_file "$candidate"
            return
        fi
    done
    return 1
}

# Debian has it in bullseye only. That suite comes from the mirror that the machine's own sources name, with lists of its own: those of the
# machine stay as they are. Unpacked and not installed: the package would start an agent.
unpack_consul() {
    command -v apt-get >/dev/null 2>&1 || return 1
    local folder mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
    mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian|Debian|//p' | head -n 1)
    [ -n "$mirror" ] || return 1
    say "fetching Consul"
    rm -rf "$target/consul"
    mkdir -p "$target/consul/lists/partial" "$target/consul/archives/partial"
    folder=$(absolute "$target/consul")
    echo "deb [signed-by=$keys] $mirror bullseye main" >"$folder/sources.list"
    (
        cd "$folder"
        options=(-o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null
            -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder" -o APT::Sandbox::User=)
        apt-get update -qq "${options[@]}"
        apt-get download -qq "${options[@]}" consul/bullseye
        dpkg-deb -x consul_*.deb .
    )
} </dev/null >&2

ensure_consul() {
    if ! KINOKO_TEST_CONSUL=$(find_consul); then
        unpack_consul || true
        KINOKO_TEST_CONSUL=$(find_consul) || stop_with \
            "no Consul, and it could not be fetched. Install Consul 1.8 or newer, or name the program in KINOKO_TEST_CONSUL. Without it: ./test.sh --quick"
    fi
    export KINOKO_TEST_CONSUL
}

ensure_all() {
    local name
    mkdir -p "$target"
    ensure_rabbitmq_server
    ensure_broker
    ensure_postgres
    ensure_python_peers
    ensure_chromium
    ensure_prometheus
    ensure_consul
    check_broker
    {
        echo "# Written by test.sh. A broker or a PostgreSQL that test.sh started itself is gone by now."
        for name in KINOKO_TEST_AMQP_URI KINOKO_TEST_RABBITMQ_SERVER KINOKO_TEST_POSTGRES_URL KINOKO_TEST_PYTHON_NAMEKO2 \
            KINOKO_TEST_PYTHON_NAMEKO3 KINOKO_TEST_PYTHON_HTTP KINOKO_TEST_PYTHON_JWT KINOKO_TEST_PYTHON_GRPC KINOKO_TEST_CHROMIUM \
            KINOKO_TEST_PROMETHEUS KINOKO_TEST_CONSUL; do
            printf 'export %s=%q\n' "$name" "${!name}"
        done
    } >"$target/test-env"
}
