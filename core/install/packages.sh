#!/bin/bash
# Installs the Debian packages that are missing for the named purposes, or says which are missing.
# Usage: packages.sh [python] [database] [documents] [browser]
# It does nothing, quickly, where everything is there. SYSTEM_ROOT is the folder in which programs
# are looked for; tests set it.
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

system=${SYSTEM_ROOT:-}
missing=()

need_python() {
    if ! command -v python3 >/dev/null; then
        missing+=(python3 python3-venv)
    elif ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "Python 3.11 or newer is needed; this machine has $(python3 -V)." >&2
        echo "Debian 12, Ubuntu 24.04 and anything newer have one." >&2
        exit 1
    elif ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        missing+=(python3-venv)
    fi
    [ -e "$system/usr/share/zoneinfo/Asia/Ho_Chi_Minh" ] || missing+=(tzdata)
}

need_database() {
    local server version
    for server in "$system"/usr/lib/postgresql/*/bin/initdb; do
        version=$(basename "$(dirname "$(dirname "$server")")")
        [ -e "$system/usr/share/postgresql/$version/extension/postgis.control" ] && return
    done
    missing+=(postgresql-postgis)
}

need_documents() {
    # What lays out PDF files, and a typeface with Vietnamese letters as wide as Times New Roman's,
    # which official documents are written in.
    compgen -G "$system/usr/lib/*/libpangoft2-1.0.so.0" >/dev/null || missing+=(libpangoft2-1.0-0)
    compgen -G "$system/usr/lib/*/libharfbuzz-subset.so.0" >/dev/null ||
        missing+=(libharfbuzz-subset0)
    compgen -G "$system/usr/share/fonts/truetype/croscore/Tinos-Regular.ttf" \
        >/dev/null || missing+=(fonts-croscore)
}

need_browser() {
    # The program that drives the browser needs the first, the Chromium of npm all the others.
    local name libraries=(libatomic1) found=no
    for name in "${CHROMIUM:-}" chromium-headless-shell chromium google-chrome \
        google-chrome-stable; do
        # Ubuntu's chromium is a snap, which does not run where snaps do not.
        [ -n "$name" ] && "$name" --version >/dev/null 2>&1 && found=yes
    done
    if [ $found = no ] && grep -qi '^ID=ubuntu' /etc/os-release; then
        libraries+=(libnss3 libnspr4 libexpat1 libfontconfig1 fonts-dejavu-core)
    elif [ $found = no ]; then
        # Without the windows that nobody sees a page takes a fifth less of the processor.
        missing+=(chromium-headless-shell)
    fi
    for name in "${libraries[@]}"; do
        dpkg -s "$name" 2>/dev/null | grep -q '^Status: install ok installed' || missing+=("$name")
    done
}

for purpose in "$@"; do
    "need_$purpose"
done
[ ${#missing[@]} -gt 0 ] || exit 0

command="apt-get update && apt-get install --no-install-recommends ${missing[*]}"
refuse() {
    {
        echo "These Debian packages are missing: ${missing[*]}"
        echo "$1 Let root install them, then start again:"
        echo "    $command"
    } >&2
    exit 1
}

command -v apt-get >/dev/null || refuse "This machine has no apt-get."
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || refuse "Only root may install packages, and there is no sudo."
    if ! sudo -n true 2>/dev/null; then
        [ -t 0 ] && [ -t 1 ] || refuse "Only root may install packages."
        echo "Missing Debian packages: ${missing[*]}. sudo may ask for your password."
        sudo true || refuse "You may not install packages on this machine."
    fi
    as_root=(sudo -n env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Runs a command; says every few seconds that it still runs, and what it said last.
step() {
    local text=$1 started=$SECONDS job
    shift
    echo "$text …"
    "${as_root[@]}" "$@" >"$log" 2>&1 </dev/null &
    job=$!
    while kill -0 "$job" 2>/dev/null; do
        sleep 0.5
        if ((SECONDS - started >= 5)) && (((SECONDS - started) % 5 == 0)) && ((SECONDS != said)); then
            said=$SECONDS
            echo "  … $((SECONDS - started)) s  $(tail -n 1 "$log" | cut -c 1-70)"
        fi
    done
    wait "$job" && ok=yes || ok=no
    if grep -qE 'Temporary failure resolving|Could not (resolve|connect)|Unable to connect' "$log"
    then
        offline=yes
    fi
    # A list that cannot be read does not matter when the others have what is needed.
    [ "$ok" = no ] && [[ "$*" != *" update" ]] || return 0
    tail -n 15 "$log" >&2
    [ "$offline" = no ] ||
        echo "Package servers do not answer: is this machine connected to a network?" >&2
    echo "This did not work: $*" >&2
    exit 1
}
said=0
offline=no

apt=(apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -q -y)
install=("${apt[@]}" install --no-install-recommends)
step "Reading the package lists" "${apt[@]}" update
if [[ " ${missing[*]} " == *" postgresql-postgis "* ]]; then
    # Debian starts a server of its own at port 5432 when it installs one. Nobody asked for it.
    conf=/etc/postgresql-common/createcluster.conf
    step "Installing postgresql-common" "${install[@]}" postgresql-common
    if ! grep -qE '^ *create_main_cluster *=' "$conf" 2>/dev/null; then
        printf '%s\n' '# Written by Tháp Canh, which runs a private server.' \
            'create_main_cluster = false' |
            "${as_root[@]}" tee -a "$conf" >/dev/null
    fi
fi
step "Installing ${missing[*]}" "${install[@]}" "${missing[@]}"
