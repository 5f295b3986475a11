#!/usr/bin/env bash
# Installs what the build and the tests need and this machine lacks; with --python also the Python
# environment of the tests, with --bench also the rivals that `make bench` measures and what its
# report needs. Run by every make target, so a machine that has it all is left alone and answers in
# well under a second.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(g++ ccache cmake ninja-build pkg-config make git nlohmann-json3-dev libcli11-dev libonig-dev
          libutf8proc-dev libcurl4-openssl-dev libssl-dev ca-certificates libedit-dev libxbyak-dev
          libgtest-dev libboost-context-dev libbenchmark-dev clang clang-format clang-tidy libclang-rt-dev python3 python3-dev python3-venv)
[ "${1:-}" != --bench ] || packages+=(libopenblas-dev libdnnl-dev)
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

# python_needs FILE STAMP PURPOSE: what FILE lists, in .venv, unless that was done before.
python_needs() {
  cmp -s "$1" "$2" 2>/dev/null && return
  echo "making the Python environment of the $3 in .venv" >&2
  [ -x .venv/bin/pip ] || /usr/bin/python3 -m venv .venv
  .venv/bin/pip install -q --disable-pip-version-check -r "$1"
  cp "$1" "$2"
}

# ggml comes as part of a source archive of PyPI, of which the version and the hash are pinned.
unpack_ggml() {
  local pinned=bench/rivals/ggml-requirements.txt to=build/rivals
  cmp -s "$pinned" "$to/stamp" 2>/dev/null && return
  echo "fetching the source of ggml into $to" >&2
  rm -rf "$to" && mkdir -p "$to"
  .venv/bin/pip download -q --disable-pip-version-check --no-deps --no-binary llama-cpp-python \
    --require-hashes -d "$to" -r "$pinned"
  tar xzf "$to"/*.tar.gz -C "$to" --strip-components=3 --wildcards '*/vendor/llama.cpp/ggml/*' \
    '*/vendor/llama.cpp/LICENSE'
  rm "$to"/*.tar.gz
  cp "$pinned" "$to/stamp"
}

case "${1:-}" in
  --python)
    python_needs tests/requirements.txt .venv/requirements.txt tests
    python_needs tests/python/requirements.txt .venv/package-requirements.txt "package's tests"
    ;;
  --bench)
    python_needs bench/requirements.txt .venv/bench-requirements.txt benchmarks
    unpack_ggml
    ;;
esac
