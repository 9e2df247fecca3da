# Sourced by scripts/demo and scripts/test: gives this checkout a `.venv` that holds what the lock says.
#
# Needs a Python 3.10 to 3.13 and git, nothing else: no root, no HOME. `PYTHON=/path/to/python3` chooses the
# interpreter. Packages come from where pip and uv are told to look (PIP_INDEX_URL, UV_DEFAULT_INDEX, ...).
# A start that finds everything in place compares one stamp and goes on.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
stamp=$venv/.taxiway-setup

fail() {
    printf '%s\n' "$@" >&2
    exit 2
}

say() { printf '%s\n' "$*" >&2; }

# What the environment is made from. The checkout's path is part of it, for a virtual environment cannot move.
wanted() {
    printf '%s %s\n' "$root" "${PYTHON:-}"
    cksum "$root/requirements.lock" "$root/pyproject.toml" "$root/scripts/_setup.sh"
}

ready() {
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(wanted)" ] && "$venv/bin/python" -c '' 2>/dev/null
}

# The first interpreter that runs and fits. A name on PATH proves nothing: a version manager's shim may fail.
find_python() {
    local candidate answer seen=''
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.10 python; do
        answer=$("$candidate" -c '
import sys
if not (3, 10) <= sys.version_info < (3, 14):
    print("is Python %d.%d" % sys.version_info[:2])
else:
    try:
        import ensurepip, venv
        print("fits")
    except ImportError:
        print("has no venv module (Debian, Ubuntu: apt-get install python3-venv)")
' 2>/dev/null) || continue
        if [ "$answer" = fits ]; then
            printf '%s\n' "$candidate"
            return
        fi
        seen="$seen
  $candidate $answer"
    done
    fail "Taxiway needs Python 3.10 to 3.13, with its venv module. Found here:${seen:- none}" \
        "Install one, or name one: PYTHON=/path/to/python3 $0"
}

# uv reads neither pip's variables nor a HOME that cannot be written; say the same in its own words.
# All of it is exported, so that the virtual environments which Taxiway builds are made in the same way.
configure_uv() {
    local cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
    if [ -z "${UV_CACHE_DIR:-}" ]; then
        if [ -n "$cache" ] && mkdir -p "$cache/uv" 2>/dev/null && [ -w "$cache/uv" ]; then
            export UV_CACHE_DIR=$cache/uv
        else
            export UV_CACHE_DIR=$root/.taxiway/uv-cache
        fi
    fi
    [ -z "${PIP_INDEX_URL:-}" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}"
    [ -z "${PIP_EXTRA_INDEX_URL:-}" ] || export UV_INDEX="${UV_INDEX:-$PIP_EXTRA_INDEX_URL}"
    [ -z "${PIP_FIND_LINKS:-}" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS// /,}}"
    [ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
    export UV_PYTHON_DOWNLOADS=never
}

# The interpreter behind an interpreter: that of a virtual environment is the one that it was made with.
identity() {
    "$1" -c 'import os, sys; print(os.path.realpath(sys.executable), sys.version)' 2>/dev/null
}

install() {
    local python uv
    python=$(find_python) || exit
    say "Setting up .venv with $("$python" --version) ..."
    # What is whole is only brought up to date, so that a sandbox which runs from it goes on running.
    if [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" = "$(wanted | head -n 1)" ] &&
        [ "$(identity "$venv/bin/python")" = "$(identity "$python")" ]; then
        rm "$stamp"
    else
        "$python" -m venv --clear "$venv" || fail "$python could not make a virtual environment in $venv."
    fi
    uv=$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' "$root/requirements.lock")
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$uv" ||
        fail "pip could not install $uv. If the machine has a package index of its own, set PIP_INDEX_URL."
    export VIRTUAL_ENV=$venv
    "$venv/bin/uv" pip sync --quiet "$root/requirements.lock" &&
        "$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable "$root" ||
        fail "uv could not install requirements.lock. If the machine has a package index of its own," \
            "set UV_DEFAULT_INDEX (or PIP_INDEX_URL); for its certificates, SSL_CERT_FILE."
    unset VIRTUAL_ENV
    wanted >"$stamp"
}

# One set-up at a time. The lock is this shell's open file, so it goes when the shell does, however it ends.
install_alone() {
    local python
    python=$(find_python) || exit
    mkdir -p "$root/.taxiway"
    exec 9>"$root/.taxiway/setup.lock"
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)' || fail "Could not lock $root/.taxiway/setup.lock."
    ready || install
    exec 9>&-
}

command -v git >/dev/null || fail "Taxiway needs git. Install it (Debian, Ubuntu: apt-get install git)."
configure_uv
ready || install_alone
