# Sourced by scripts/check, scripts/test and scripts/demo; not a command of its own.
#
# Owns the project's environment: `.venv` beside pyproject.toml, holding exactly what
# requirements-dev.lock names plus this package, editable. It is made when absent, brought up to
# date when the lock or pyproject.toml changed (a copy of both is kept in the environment as the
# stamp), made again when its Python is gone, and otherwise costs two file comparisons and no
# output. Needs Python 3.11 or newer; never sudo. Nothing outside the project's folder is touched.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
venv="$root/.venv"
python="$venv/bin/python"
stamp="$venv/.locked"

say() { printf '%s\n' "$*" >&2; }

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# Prints the first Python that is recent enough and can make environments.
find_python() {
  local candidate lacking=""
  for candidate in python3 python3.13 python3.12 python3.11 python; do
    command -v "$candidate" >/dev/null && is_recent "$candidate" || continue
    if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
    lacking="${lacking:-$candidate}"
  done
  if [ -n "$lacking" ]; then
    say "$(command -v "$lacking") is recent enough, but cannot make environments (no ensurepip)."
    say "On Debian and Ubuntu that is a package of its own: sudo apt-get install python3-venv"
  else
    say "Python 3.11 or newer is needed, and none is on the PATH as python3, python3.13,"
    say "python3.12, python3.11 or python. Get one from your system or https://www.python.org/."
  fi
  return 1
}

is_current() {
  [ -x "$python" ] && is_recent "$python" && cat requirements-dev.lock pyproject.toml |
    cmp -s - "$stamp"
}

install_locked() {
  # The package last and without isolation: its build backend is locked with everything else.
  "$python" -m pip install -qq --disable-pip-version-check -r requirements-dev.lock &&
    "$python" -m pip install -qq --disable-pip-version-check \
      --no-deps --no-build-isolation --editable .
}

ensure_environment() {
  is_current && return
  local base
  if ! { [ -x "$python" ] && is_recent "$python" && "$python" -m pip --version >/dev/null 2>&1; }; then
    base="$(find_python)" || exit 1
    say "Making .venv with $("$base" --version) ..."
    "$base" -m venv --clear "$venv"
  fi
  say "Installing what requirements-dev.lock names (once, and when it changes) ..."
  if ! install_locked; then
    say "The environment is not complete; the message above says why. The next run tries again;"
    say "removing .venv makes it start afresh."
    exit 1
  fi
  cat requirements-dev.lock pyproject.toml >"$stamp"
}

# program | what it would add
optional_programs() {
  cat <<'LIST'
curl     integration tests with curl as the client
node     integration tests with Node's fetch and https as the client (Node 20 or newer)
openssl  tests that read our certificates with OpenSSL's own command
npm      the Vitest example (its packages come from the registry that npm is set to)
chromium tests with a browser that Playwright drives
javac    the JUnit example (it also needs the jars of Debian's junit5 in /usr/share/java)
nginx    benchmarks: the origin, and the reference for replaying
haproxy  benchmarks: the reference for forwarding and recording
wrk      benchmarks: the load
h2load   benchmarks: a second opinion on the load (Debian: nghttp2-client)
LIST
}

report_optional_programs() {
  local program adds absent=""
  while read -r program adds; do
    command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] ||
      absent+="$(printf '  %-8s %s' "$program" "$adds")"$'\n'
  done < <(optional_programs)
  [ -z "$absent" ] || say "Optional programs that are absent, and what each would add:"$'\n'"${absent%$'\n'}"
}
