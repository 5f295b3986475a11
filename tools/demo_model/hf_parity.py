"""Compare greedy answers of Hugging Face Transformers with another backend, text by text.

The prompts are held-out pairs with spans up to 60; wrong answers must agree too.
"""

import argparse
from pathlib import Path

import number_words as nw
from backends import NAMES, make_backend
from evaluate import first_difference

SEED = 2


def main() -> None:
    """Parse the options, compare, and exit with 1 on any difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--reference", choices=[n for n in NAMES if n != "transformers"], default="rsr")
    parser.add_argument("--rsr", type=Path, help="the rsr binary")
    parser.add_argument("--count", type=int, default=50)
    args = parser.parse_args()
    hugging_face = make_backend("transformers", args.model)
    other = make_backend(args.reference, args.model, args.rsr)
    equal = 0
    for _, _, prompt in nw.draw_eval_prompts(args.count, nw.MAX_SPAN, SEED):
        expected, got = hugging_face.answer(prompt), other.answer(prompt)
        equal += expected == got
        if expected != got:
            print(f"differs: {prompt}\n  {first_difference(expected, got)}")
    print(f"{equal} of {args.count} answers are equal (transformers and {args.reference})")
    if equal < args.count:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
