#!/usr/bin/env bash
# All that wants a GPU, with a build that is there: tests, compute-sanitizer where it is installed, figures.
# usage: check_gpu.sh BUILD OUT [--quick]; in OUT: a log of each step, gpu.json for `bench/report.py --device`.
# Each step has its time, none stops the others; fails when one has failed.
set -uo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 2 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
build=$1
out=$2
quick=${3:-}
mkdir -p "$out"
failed=()

# step NAME SECONDS COMMAND...
step() {
  local name=$1 seconds=$2 begin=$SECONDS
  shift 2
  if timeout "$seconds" "$@" >"$out/$name.log" 2>&1; then
    echo "ok      $name, $((SECONDS - begin)) s"
  else
    echo "FAILED  $name, $((SECONDS - begin)) s: $(tail -n 1 "$out/$name.log")"
    failed+=("$name")
  fi
}

mapfile -t tests < <(find "$build/src" -type f -executable \( -name 'cuda_*_test' -o -name '*device_test' \) | sort)
[ ${#tests[@]} -gt 0 ] || { echo "error: no tests in $build" >&2; exit 2; }
for test in "${tests[@]}"; do
  step "$(basename "$test")" 300 "$test"
done
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do
    for test in "${tests[@]}"; do
      step "$tool-$(basename "$test")" 300 compute-sanitizer --tool "$tool" --error-exitcode 1 "$test"
    done
  done
else
  echo "no compute-sanitizer"
fi
step answer 120 "$build/rsr" run models/demo --device cuda -p "Write the numbers from one to ten in words separated by commas only:"
python=python3
[ -x .venv/bin/python ] && python=.venv/bin/python
step figures 900 "$python" bench/device.py --build "$build" --json "$out/gpu.json" $quick
[ ${#failed[@]} -eq 0 ]
