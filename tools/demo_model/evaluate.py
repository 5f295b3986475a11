"""Count exact answers over held-out prompts.

Two draws of 200 pairs each, one with spans up to 20 and one up to 60; none of
the pairs occurs in training in any spelling. Exits with 1 below the required shares.
"""

import argparse
import json
import time
from pathlib import Path

import number_words as nw
from backends import NAMES, Backend, make_backend

COUNT = 200
SEED = 0
REQUIRED = {20: 0.95, 60: 0.85}  # longest span -> share of exact answers


def first_difference(expected: str, got: str) -> str:
    """The place where an answer goes wrong, for the report."""
    at = next((i for i, (x, y) in enumerate(zip(expected, got)) if x != y), min(len(expected), len(got)))
    begin = max(0, at - 20)
    return f"at {at}: expected ...{expected[begin : at + 25]!r}, got ...{got[begin : at + 25]!r}"


def run_class(backend: Backend, max_span: int, count: int) -> dict:
    """Answer `count` held-out prompts with spans up to max_span; returns the figures."""
    training = set(nw.all_pairs())
    failures = []
    begin = time.monotonic()
    for a, b, prompt in nw.draw_eval_prompts(count, max_span, SEED):
        if (a, b) in training:
            raise RuntimeError(f"pair {a}, {b} is in the training set")
        expected, got = nw.answer_text(a, b), backend.answer(prompt)
        if got != expected:
            failures.append({"prompt": prompt, "where": first_difference(expected, got)})
    return {
        "max_span": max_span,
        "prompts": count,
        "exact": count - len(failures),
        "share": (count - len(failures)) / count,
        "required": REQUIRED[max_span],
        "seconds": round(time.monotonic() - begin, 1),
        "failures": failures,
    }


def showcase(backend: Backend) -> bool:
    """Whether the prompt of the documentation (a trained pair) is answered exactly."""
    a, b = nw.SHOWCASE_PAIR
    return backend.answer(nw.prompt_text(a, b, True, True)) == nw.answer_text(a, b)


def print_table(results: list[dict], showcase_right: bool) -> None:
    """The figures as text."""
    print("spans up to  prompts  exact   share  required  seconds")
    for r in results:
        print(
            f"{r['max_span']:11}  {r['prompts']:7}  {r['exact']:5}  {r['share']:6.1%}"
            f"  {r['required']:8.0%}  {r['seconds']:7.1f}"
        )
    for failure in (f for r in results for f in r["failures"][:5]):
        print(f"wrong: {failure['prompt']}\n  {failure['where']}")
    print(f"one to sixty: {'right' if showcase_right else 'WRONG'}")


def main() -> None:
    """Parse the options, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--backend", choices=NAMES, default="rsr")
    parser.add_argument("--rsr", type=Path, help="the rsr binary")
    parser.add_argument("--count", type=int, default=COUNT, help="prompts per class")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    backend = make_backend(args.backend, args.model, args.rsr)
    results = [run_class(backend, max_span, args.count) for max_span in REQUIRED]
    right = showcase(backend)
    if args.json:
        print(json.dumps({"backend": args.backend, "classes": results, "one_to_sixty": right}, indent=2))
    else:
        print_table(results, right)
    if not right or any(r["share"] < r["required"] for r in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
