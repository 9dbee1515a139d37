#!/usr/bin/env bash
# Sets everything up, builds, and runs the tests. See the README, "Testing".
set -euo pipefail

usage() {
    cat <<EOF
usage: tests/run.sh [--quick | --asan | --tsan] [--long] [-R REGEX] [-j N]
  (nothing)     build with the preset dev, run every test
  --quick       only the unit tests
  --asan        the same tests under AddressSanitizer and UndefinedBehaviorSanitizer
  --tsan        the same tests under ThreadSanitizer
  --long        also what does not fit into the usual time: more seeds, more kills
  -R REGEX      only the tests whose names match
  -j N          jobs of the build (default: all cores)
EOF
}

root=$(cd "$(dirname "$0")/.." && pwd)
preset=dev quick=false filter="" jobs=$(nproc)
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=true; shift ;;
    --asan) preset=asan; shift ;;
    --tsan) preset=tsan; shift ;;
    --long) export BATCHBRIDGE_LONG=1; shift ;;
    -R) filter=${2:?"-R needs a regular expression"}; shift 2 ;;
    -j) jobs=${2:?"-j needs a number"}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "tests: unknown option $1" >&2; usage >&2; exit 64 ;;
    esac
done

cd "$root"
started=$SECONDS phases=""
phase_end() { phases="$phases${phases:+, }$1 $((SECONDS - since)) s"; since=$SECONDS; }
since=$SECONDS

app/setup.sh
phase_end set-up

cmake --preset "$preset" >/dev/null || { echo "tests: cmake --preset $preset failed" >&2; exit 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Ninja's own output is long; on failure its end says why.
cmake --build --preset "$preset" -j "$jobs" >"$log" 2>&1 || { grep -E -A12 'error:|FAILED' "$log" | head -80 >&2; tail -5 "$log" >&2; echo "tests: the build failed" >&2; exit 1; }
phase_end build

export ASAN_OPTIONS=detect_stack_use_after_return=0:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="second_deadlock_stack=1 halt_on_error=1 suppressions=$root/tests/support/tsan.supp"
total=0 failed=0 again=""
# Whole processes have deadlines, and a machine that others use too may miss one: what failed beside other tests is run once
# more by itself. Both outcomes are printed, and named again at the end; a unit test gets no second chance.
once_more() {
    local names
    names=$(sed -n 's/^\t *[0-9]* - \(.*\) (.*)$/\1/p' "$log" | paste -sd'|')
    if [ "$1" != unit ] && ctest --test-dir "build/$preset" --rerun-failed --output-on-failure --no-tests=error -j 1 >"$log" 2>&1; then
        echo "tests: passed when run by itself: $names"
        again="$again${again:+|}$names"
    else
        grep -vE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .*Passed|^ *Start +[0-9]+:' "$log" || true
        failed=1
    fi
}
# One group after the other: what measures time must not run beside what eats it.
run_group() {
    local label=$1 parallel=$2 args=(--test-dir "build/$preset" --output-on-failure --no-tests=ignore -L "^$1\$" -j "$2")
    [ -z "$filter" ] || args+=(-R "$filter")
    local code=0
    ctest "${args[@]}" >"$log" 2>&1 || code=$?
    if [ $code -eq 0 ]; then
        grep -E '% tests passed|No tests' "$log" || true
    else
        grep -vE '^ *[0-9]+/[0-9]+ Test +#[0-9]+: .*Passed|^ *Start +[0-9]+:' "$log" || true
    fi
    local n
    n=$(sed -n 's/.* out of \([0-9]*\)$/\1/p' "$log" | tail -1)
    [ $code -eq 0 ] || once_more "$label"
    total=$((total + ${n:-0}))
    phase_end "$label (${n:-0})"
}
run_group unit 4
if ! $quick; then
    run_group integration 4
    run_group e2e 3
    rm -f "build/$preset"/link-faults-*.txt
    run_group faults 3
    cat "build/$preset"/link-faults-*.txt 2>/dev/null || true
    rm -f "build/$preset"/kill-matrix-*.txt
    run_group kills 3
    # One header for all parts.
    awk 'FNR > 2 || NR <= 2' "build/$preset"/kill-matrix-*.txt 2>/dev/null || true
fi
# The README's first command, as a new user runs it: with the release build, whose warnings are errors too.
if ! $quick && [ "$preset" = dev ] && [ -z "$filter" ]; then
    total=$((total + 1))
    if app/demo.sh --orders 20 --speed 200 --until-done >"$log" 2>&1; then
        grep '^{' "$log"
    else
        tail -60 "$log"
        failed=1
    fi
    phase_end "demo (1)"
fi

if [ $total -eq 0 ]; then
    echo "tests: no test ran${filter:+ (nothing matches '$filter')}" >&2
    exit 1
fi
[ -z "$again" ] || echo "tests: failed beside others and passed by themselves, look into them: $again"
[ $failed -eq 0 ] && verdict=passed || verdict=FAILED
echo "tests: $verdict, $total test(s) in $((SECONDS - started)) s with preset $preset: $phases"
exit $failed
