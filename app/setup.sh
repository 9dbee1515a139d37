#!/usr/bin/env bash
# Installs the Debian packages that building and running needs; touches neither network nor system when all are there.
# Called by app/demo.sh and tests/run.sh; as root, or as a user with sudo.
set -euo pipefail

have() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

boost=libboost1.81-dev boost_parts=(libboost-json1.81-dev libboost-url1.81-dev libboost-program-options1.81-dev)
# Later Debian releases have one version of Boost, under unversioned names.
if ! have "$boost" && grep -qE '^VERSION_ID="?1[3-9]' /etc/os-release 2>/dev/null; then
    boost=libboost-dev boost_parts=(libboost-json-dev libboost-url-dev libboost-program-options-dev)
fi
packages=(build-essential cmake ninja-build ccache pkg-config git "$boost" "${boost_parts[@]}" libssl-dev libmodbus-dev libpq-dev
    libfmt-dev libspdlog-dev libhowardhinnant-date-dev catch2 postgresql postgresql-client openssl ca-certificates tzdata curl jq procps
    python3-jsonschema)

missing=()
for p in "${packages[@]}"; do have "$p" || missing+=("$p"); done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: missing packages and no sudo; install as root: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
echo "setup: installing ${missing[*]}" >&2
# The package would start a cluster of its own on port 5432; nothing here needs that one.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    "${as_root[@]}" mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
