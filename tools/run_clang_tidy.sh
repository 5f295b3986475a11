#!/usr/bin/env bash
# clang-tidy over every source of the engine, in parallel; usage: run_clang_tidy.sh BUILD [FILE...]
# Not over src/python, which is in no build but pip's; name its files.
# Not over microbenchmarks: Google Benchmark's own loop and registration set off the analyser.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
shift
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files 'src/*.cc' 'examples/*.cc' | grep -vE 'test|/bench\.cc$|^src/python/')
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -I{} clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p "$build" {}
