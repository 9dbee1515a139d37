# Sourced. A private PostgreSQL in a directory of its own: start_postgres DIR sets DATABASE_URL; stop_postgres ends it.
# PostgreSQL refuses to run as root, so root runs it as the user `postgres` that Debian's package creates.

pg_bin() { ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1; }

as_pg() {
    if [ "$(id -u)" -eq 0 ]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

free_port() {
    # A port that nobody listens on, below those that connections get; the caller starts at once.
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

start_postgres() {
    PG_DIR=$1
    PG_PORT=$(free_port)
    mkdir -p "$PG_DIR"
    [ "$(id -u)" -ne 0 ] || chown postgres "$PG_DIR"
    (cd / && as_pg "$(pg_bin)/initdb" -D "$PG_DIR/data" -U batchbridge -A trust -E UTF8 --no-sync >"$PG_DIR.log" 2>&1) || { cat "$PG_DIR.log" >&2; return 1; }
    (cd / && as_pg "$(pg_bin)/pg_ctl" -D "$PG_DIR/data" -w -l "$PG_DIR/server.log" \
        -o "-c listen_addresses=127.0.0.1 -c port=$PG_PORT -c unix_socket_directories=$PG_DIR -c max_connections=50" start >>"$PG_DIR.log" 2>&1) || { cat "$PG_DIR.log" >&2; return 1; }
    DATABASE_URL="postgresql://batchbridge@127.0.0.1:$PG_PORT/postgres"
}

stop_postgres() {
    [ -n "${PG_DIR:-}" ] && [ -d "$PG_DIR/data" ] || return 0
    (cd / && as_pg "$(pg_bin)/pg_ctl" -D "$PG_DIR/data" -m immediate -w stop >/dev/null 2>&1) || true
}
