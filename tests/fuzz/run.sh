#!/usr/bin/env bash
# Runs every fuzz target for some seconds: tests/fuzz/run.sh FOLDER_OF_PROGRAMS SECONDS [NAME...]
# The committed corpus is read, never written; an input that fails is left in FOLDER/findings and its
# path printed. To keep one: fix the reader, then copy it to tests/fuzz/corpus/NAME/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=$1
seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$here/corpus" && ls)

# An allocation that is refused is std::bad_alloc in a release build, too; the limit on one
# allocation finds a reader that believes a size before it has seen the bytes.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
mkdir -p "$programs/findings"
failed=0
for name in "$@"; do
  dictionary=()
  case $name in
    json | listing | tokenizer | config | prepared | prompt_cache | safetensors) dictionary=("-dict=$here/json.dict") ;;
    regex) dictionary=("-dict=$here/regex.dict") ;;
  esac
  grown=$(mktemp -d)
  log=$programs/findings/$name.log
  # The first folder takes what is found on the way; without it the corpus would grow by itself.
  if "$programs/${name}_fuzz" "$grown" "$here/corpus/$name" "${dictionary[@]}" \
    -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=8192 \
    -print_final_stats=1 -artifact_prefix="$programs/findings/$name-" >"$log" 2>&1; then
    echo "fuzz $name: $(grep -o 'number_of_executed_units: [0-9]*' "$log" | grep -o '[0-9]*') inputs, no finding"
  else
    echo "fuzz $name: FINDING, see $log" >&2
    grep -E 'not true|ERROR|SUMMARY|runtime error|Test unit written' "$log" >&2 || true
    failed=1
  fi
  rm -rf "$grown"
done
exit $failed
