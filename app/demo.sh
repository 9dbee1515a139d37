#!/usr/bin/env bash
# The whole path on one machine: a private PostgreSQL, plc-sim, odoo-sim and batchbridge. Shows orders moving from Odoo
# through the PLC and back until Ctrl-C; with --until-done it ends by itself and says whether all of it was right.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
orders=20 speed=20 until_done=false build="" seed=1
usage() {
    cat <<EOF
usage: app/demo.sh [--orders N] [--speed X] [--until-done] [--seed N] [--build DIR]
  --orders N     orders that Odoo has at the start (default 20)
  --speed X      dosing speed of the simulated PLC, 1 = 2 kg/s (default 20)
  --until-done   end when every order is in history; exit 0 only if all is right; one JSON summary line
  --build DIR    use the programs of this build directory instead of building build/release
EOF
}
while [ $# -gt 0 ]; do
    case $1 in
    --orders) orders=$2; shift 2 ;;
    --speed) speed=$2; shift 2 ;;
    --seed) seed=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    --until-done) until_done=true; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "demo: unknown option $1" >&2; usage >&2; exit 64 ;;
    esac
done
case $orders$seed in *[!0-9]*) echo "demo: --orders and --seed take whole numbers" >&2; exit 64 ;; esac

"$root/app/setup.sh"
if [ -z "$build" ]; then
    build=$root/build/release
    echo "demo: building (the first time takes a few minutes)" >&2
    (cd "$root" && cmake --preset release >/dev/null && cmake --build --preset release >/dev/null) || { echo "demo: the build failed; run: cmake --preset release && cmake --build --preset release" >&2; exit 1; }
fi
bin=$build/bin

# shellcheck source=app/private-postgres.sh
. "$root/app/private-postgres.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/batchbridge-demo.XXXXXX")
chmod 755 "$work"
pids=()
finish() {
    trap - EXIT INT TERM
    for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
    for p in "${pids[@]}"; do wait "$p" 2>/dev/null || true; done
    stop_postgres
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Its port may be taken between being found free and being used.
start_postgres "$work/pg" 2>/dev/null || start_postgres "$work/pg2" 2>/dev/null || start_postgres "$work/pg3"
cd "$root"
"$bin/plc-sim" --map conf/plc-map.json --speed "$speed" --seed "$seed" --log "$work/plc.jsonl" >"$work/plc.out" 2>&1 & pids+=($!)
"$bin/odoo-sim" --generate "$orders" --seed "$seed" --latency-ms 20 --log "$work/odoo.jsonl" >"$work/odoo.out" 2>&1 & pids+=($!)
ready() { for _ in $(seq 100); do grep -q "$1" "$2" 2>/dev/null && return 0; sleep 0.05; done; echo "demo: $2 says:" >&2; cat "$2" >&2; return 1; }
ready 'control' "$work/plc.out"
ready 'control' "$work/odoo.out"
port_of() { sed -n "s/.*$1 127.0.0.1:\([0-9]*\).*/\1/p" "$2"; }
plc_port=$(port_of modbus "$work/plc.out") plc_control=$(port_of control "$work/plc.out")
odoo_port=$(port_of http "$work/odoo.out") odoo_control=$(port_of control "$work/odoo.out")

env -i PATH="$PATH" DATABASE_URL="$DATABASE_URL" PLC_HOST=127.0.0.1 PLC_PORT="$plc_port" PLC_WRITES=true ODOO_URL="http://127.0.0.1:$odoo_port" \
    ODOO_DB=factory ODOO_USERNAME=plcbridge ODOO_PASSWORD=plc PLC_READ_INTERVAL=100ms ODOO_LIVE_INTERVAL=300ms SYNC_INTERVAL=5s \
    PROCESS_COMPLETED_INTERVAL=2s HTTP_LISTEN=127.0.0.1:0 API_TOKEN=demo "$bin/batchbridge" run >"$work/bridge.log" 2>&1 & pids+=($!)
bridge=$!
# Its own choice of port: one that was found free before may be taken by the time it is used.
ready 'listening on' "$work/bridge.log"
http_port=$(sed -n 's|.*listening on http://127.0.0.1:\([0-9]*\).*|\1|p' "$work/bridge.log" | head -1)
echo "demo: batchbridge at http://127.0.0.1:$http_port (health: /healthz, readiness: /readyz), simulators: PLC 127.0.0.1:$plc_port, Odoo 127.0.0.1:$odoo_port" >&2

query() { psql -X -q -t -A -d "$DATABASE_URL" -c "$1" 2>/dev/null; }
count() { query "select count(*) from $1" || echo 0; }
progress() {
    local states
    states=$(query "select string_agg(state || ' ' || n, ', ') from (select state, count(*) n from mo_batch group by state order by state) x" || true)
    echo "demo: $(date +%T) in the queue: ${states:-nothing}; archived: $(count mo_histories)" >&2
}

alive() { kill -0 "$bridge" 2>/dev/null || { echo "demo: batchbridge ended unexpectedly, its log:" >&2; tail -40 "$work/bridge.log" >&2; exit 1; }; }
if ! $until_done; then
    tail -n +1 -f "$work/bridge.log" & pids+=($!)
    while alive; do sleep 5; progress; done
fi

deadline=$((SECONDS + 120 + orders * 20))
while [ "$(count mo_histories)" -lt "$orders" ]; do
    alive
    [ $SECONDS -lt $deadline ] || { echo "demo: not done in time, the log ends with:" >&2; tail -40 "$work/bridge.log" >&2; break; }
    progress
    sleep 1
done
# The last acknowledgements to the PLC.
for _ in $(seq 100); do [ "$(count 'plc_duty where done_at is null')" = 0 ] && break; sleep 0.1; done

curl -fsS "http://127.0.0.1:$odoo_control/orders" >"$work/orders.json"
curl -fsS "http://127.0.0.1:$odoo_control/violations" >"$work/violations.json"
curl -fsS "http://127.0.0.1:$plc_control/state" >"$work/plc.json"
query "select coalesce(json_object_agg(mo_id, n), '{}') from (select mo_id, count(*) n from mo_histories where status = 'completed' group by mo_id) x" >"$work/histories.json"
kill "$bridge" && wait "$bridge" && stopped=true || stopped=false
summary=$(jq -n -c --argjson wanted "$orders" --argjson rows_left "$(count mo_batch)" --argjson open "$(count "odoo_outbox where state in ('due', 'sending', 'parked')")" --argjson clean_stop "$stopped" \
    --slurpfile odoo "$work/orders.json" --slurpfile plc "$work/plc.json" --slurpfile violations "$work/violations.json" --slurpfile histories "$work/histories.json" '
    # The two sides differ by less than a cent of a kilogram when they are the same.
    def same($a; $b): (($a | tonumber) - ($b | tonumber)) | fabs < 0.005;
    ($plc[0].finished | map({key: .order, value: .}) | from_entries) as $made |
    ($odoo[0] | map(. as $o | $made[$o.name] as $m | {
        name: $o.name,
        done: ($o.state == "done"),
        exact: ($m != null and ([$o.moves[] | . as $v | ($v.product_code | capture("(?<n>[0-9]+)$").n) as $silo | same($v.quantity; $m.actual[$silo] // "0")] | all)
            and same($o.qty_produced; if ($m.weight | tonumber) > 0 then $m.weight else ([$m.actual[] | tonumber] | add | tostring) end)),
        off_plan: ($m != null and $m.planned != $m.actual),
        live: ($o.consumption_writes > 0),
        once: ($o.finished_times == 1),
        history: (($histories[0][$o.name] // 0) == 1)})) as $all |
    {orders: ($all | length), done: ($all | map(select(.done)) | length), exact_quantities: ($all | map(select(.exact)) | length), off_plan: ($all | map(select(.off_plan)) | length),
     live_deliveries: ($all | map(select(.live)) | length), finished_once: ($all | map(select(.once)) | length), history_rows: ($all | map(select(.history)) | length),
     rows_left: $rows_left, deliveries_open: $open, violations: ($violations[0] | length), loads: $plc[0].loads_taken, clean_stop: $clean_stop} |
    . + {ok: (.orders == $wanted and .done == $wanted and .exact_quantities == $wanted and .off_plan == $wanted and .live_deliveries == $wanted and .finished_once == $wanted
        and .history_rows == $wanted and .rows_left == 0 and .deliveries_open == 0 and .violations == 0 and .clean_stop)}')
echo "$summary"
if [ "$(jq -r .ok <<<"$summary")" != true ]; then
    jq -r '.[]' "$work/violations.json" >&2
    echo "demo: not all was right; the log's warnings and errors:" >&2
    grep -E ' (warning|error) ' "$work/bridge.log" | tail -30 >&2 || true
    exit 1
fi
