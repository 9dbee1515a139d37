#!/usr/bin/env bash
# Measures the figures of the design's section "Speed and size" on a private PostgreSQL that goes away afterwards.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
build="" args=()
usage() {
    cat <<EOT
usage: app/bench.sh [--build DIR] [option of batchbridge-bench ...]
  --build DIR    use the programs of this build directory instead of building build/release
The database lies under TMPDIR; with TMPDIR=/dev/shm the disk has no part in the figures.
EOT
}
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=${2:?"--build needs a directory"}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) args+=("$1"); shift ;;
    esac
done

"$root/app/setup.sh"
if [ -z "$build" ]; then
    build=$root/build/release
    echo "bench: building (the first time takes a few minutes)" >&2
    (cd "$root" && cmake --preset release >/dev/null && cmake --build --preset release >/dev/null) || { echo "bench: the build failed; run: cmake --preset release && cmake --build --preset release" >&2; exit 1; }
fi
build=$(cd "$build" && pwd)

# shellcheck source=app/private-postgres.sh
. "$root/app/private-postgres.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/batchbridge-bench.XXXXXX")
chmod 755 "$work"
bench=""
finish() {
    trap - EXIT INT TERM
    # Its own children die with it.
    if [ -n "$bench" ]; then kill "$bench" 2>/dev/null || true; wait "$bench" 2>/dev/null || true; fi
    stop_postgres
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Its port may be taken between being found free and being used.
start_postgres "$work/pg" 2>/dev/null || start_postgres "$work/pg2" 2>/dev/null || start_postgres "$work/pg3"
cd "$root"
# In the background, so that a signal is handled while it runs.
TMPDIR=$work DATABASE_URL=$DATABASE_URL "$build/bin/batchbridge-bench" "${args[@]}" &
bench=$!
code=0
wait "$bench" || code=$?
bench=""
exit $code
