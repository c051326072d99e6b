# Sourced by the scripts of this folder: `use_environment EXTRA` makes or updates the virtual environment in .venv
# (or $NEPS_VENV), with neps and the optional dependencies EXTRA installed, and puts it first on the PATH.
# $PYTHON picks the interpreter. pip runs only when pyproject.toml has changed since the last time.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
environment=${NEPS_VENV:-$repository/.venv}
case $environment in /*) ;; *) environment=$PWD/$environment ;; esac

say() { printf '\n==> %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_recent "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer. Set PYTHON to one that is."
        echo "$PYTHON"
        return
    fi
    local candidate
    for candidate in python3 python3.11 python3.12 python3.13 python3.14 python; do
        if is_recent "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or newer on the PATH. Install one (on Debian: apt install python3 python3-venv)," \
        "or set PYTHON to its path."
}

make_environment() {
    local python
    python=$(find_python)
    # Debian splits Python: without python3-venv, `-m venv` leaves half an environment and then fails.
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no working venv module. On Debian: apt install python3-venv."
    say "Making a virtual environment in $environment"
    "$python" -m venv "$environment"
}

use_environment() {
    local extra=$1 stamp wanted
    stamp=$environment/.neps-$extra
    wanted="$repository $(cksum <"$repository/pyproject.toml")"
    if ! "$environment/bin/python" -m pip --version >/dev/null 2>&1; then
        make_environment
        rm -f "$environment"/.neps-*
    fi
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        say "Installing neps[$extra] into $environment (torch is large: this takes a minute or two, once)"
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
            --editable "$repository[$extra]"
        printf '%s\n' "$wanted" >"$stamp"
    fi
    PATH=$environment/bin:$PATH
    export PATH
}
