#!/usr/bin/env bash
# Runs clang-tidy with .clang-tidy over lib/ and app/. See the README, "Testing".
set -euo pipefail

usage() {
    cat <<EOF
usage: tests/tidy.sh [--changed REF] [-j N] [FILE.cpp ...]
  (nothing)      every .cpp of lib/ and app/: a quarter of an hour on two cores
  --changed REF  only what differs from this git reference; a changed header stands for the files that include it
  FILE.cpp ...   only these
  -j N           files at a time (default: all cores)
EOF
}

root=$(cd "$(dirname "$0")/.." && pwd)
jobs=$(nproc) reference="" files=()
while [ $# -gt 0 ]; do
    case $1 in
    --changed) reference=${2:?"--changed needs a git reference"}; shift 2 ;;
    -j) jobs=${2:?"-j needs a number"}; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "tidy: unknown option $1" >&2; usage >&2; exit 64 ;;
    *) files+=("$(realpath --relative-to="$root" "$1")"); shift ;;
    esac
done
cd "$root"

app/setup.sh
if ! command -v clang-tidy >/dev/null; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    echo "tidy: installing clang-tidy" >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends clang-tidy >&2
fi

# Nothing needs to be built: no source is generated. What only GCC understands is dropped, its precompiled header too, so
# a file that forgets an include is found.
cmake --preset dev >/dev/null || { echo "tidy: cmake --preset dev failed" >&2; exit 1; }
database=build/dev/tidy
mkdir -p "$database"
sed -E -e 's# -Winvalid-pch -include [^ ]*cmake_pch\.hxx##' -e 's# -Werror##; s# -Wno-mismatched-new-delete##' \
    build/dev/compile_commands.json >"$database/compile_commands.json"

if [ -n "$reference" ]; then
    mapfile -t changed < <(git diff --name-only --diff-filter=d "$reference" -- lib app; git ls-files --others --exclude-standard -- lib app)
    for f in "${changed[@]}"; do
        case $f in
        *.cpp) files+=("$f") ;;
        *.hpp) mapfile -t -O "${#files[@]}" files < <(git grep -lF "#include \"${f#lib/}\"" -- 'lib/*.cpp' 'app/*.cpp'; git grep -lF "#include \"${f##*/}\"" -- 'app/*.cpp') ;;
        esac
    done
    [ ${#files[@]} -gt 0 ] || { echo "tidy: nothing changed since $reference"; exit 0; }
elif [ ${#files[@]} -eq 0 ]; then
    mapfile -t files < <(git ls-files 'lib/*.cpp' 'app/*.cpp')
fi
mapfile -t files < <(printf '%s\n' "${files[@]}" | sort -u)

# shellcheck disable=SC2317  # xargs calls it
check_one() {
    local out code=0
    out=$(clang-tidy -p "$1" --quiet "$2" 2>&1) || code=$?
    [ "$code" -eq 0 ] || printf '%s\n' "$out" | grep -vE '^[0-9]+ warnings?( and [0-9]+ errors?)? (generated|treated)|^Suppressed '
    return "$code"
}
export -f check_one
code=0
# shellcheck disable=SC2016  # for the inner shell
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$jobs" bash -c 'check_one "$0" "$1"' "$database" || code=1
[ $code -eq 0 ] && verdict="nothing found" || verdict="FAILED, see above"
echo "tidy: $verdict, ${#files[@]} file(s) in $SECONDS s"
exit $code
