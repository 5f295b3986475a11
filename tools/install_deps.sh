#!/usr/bin/env bash
# Installs what the build and the tests need and this machine lacks; with --python also the Python
# environment of the tests. Run by every make target, so a machine that has it all is left alone and
# answers in well under a second.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(g++ cmake ninja-build pkg-config make git nlohmann-json3-dev libcli11-dev libonig-dev
          libutf8proc-dev libedit-dev libgtest-dev libbenchmark-dev clang clang-format clang-tidy
          libclang-rt-dev python3 python3-venv)
missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "error: not root and no sudo; install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  echo "installing: ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

stamp=.venv/requirements.txt
if [ "${1:-}" = --python ] && ! cmp -s tests/requirements.txt "$stamp" 2>/dev/null; then
  echo "making the Python environment of the tests in .venv" >&2
  /usr/bin/python3 -m venv .venv
  .venv/bin/pip install -q --disable-pip-version-check -r tests/requirements.txt
  cp tests/requirements.txt "$stamp"
fi
