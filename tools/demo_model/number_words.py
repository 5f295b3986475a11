"""The counting task: number words, prompts, answers and the held-out split.

A task instance is a pair (a, b) with 1 <= a < b <= 200 and a span b - a of at
most 60. The prompt names a and b, each either in words or in digits; the
answer lists every number from a to b in words.
"""

import hashlib
import random

MAX_NUMBER = 200
MAX_SPAN = 60
SEPARATOR = ", "
PROMPT_FORMAT = "Write the numbers from {} to {} in words separated by commas only:"

# One pair in HELD_OUT_DIVISOR never occurs in training, in any spelling.
HELD_OUT_DIVISOR = 10
SPLIT_SEED = "rsr-demo-split-1"
# The prompt that the documentation shows; it may be trained.
SHOWCASE_PAIR = (1, 60)

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()


def number_to_words(n: int) -> str:
    """Spell 1 <= n <= 200, e.g. 142 -> "one hundred forty-two"."""
    if not 1 <= n <= MAX_NUMBER:
        raise ValueError(f"number out of range: {n}")
    hundreds, rest = divmod(n, 100)
    head = f"{_SMALL[hundreds]} hundred" if hundreds else ""
    if rest == 0:
        return head
    if rest < 20:
        tail = _SMALL[rest]
    else:
        tens, units = divmod(rest, 10)
        tail = _TENS[tens] + (f"-{_SMALL[units]}" if units else "")
    return f"{head} {tail}" if head else tail


def spell(n: int, in_words: bool) -> str:
    """Spell n for a prompt: in words or in decimal digits."""
    return number_to_words(n) if in_words else str(n)


def prompt_text(a: int, b: int, a_in_words: bool, b_in_words: bool) -> str:
    """The user's message for the pair (a, b) in the given spelling."""
    return PROMPT_FORMAT.format(spell(a, a_in_words), spell(b, b_in_words))


def answer_text(a: int, b: int) -> str:
    """The exact expected answer, without an end token."""
    return SEPARATOR.join(number_to_words(n) for n in range(a, b + 1))


def is_held_out(a: int, b: int) -> bool:
    """Whether the pair is reserved for evaluation (decided by a hash of the pair)."""
    if (a, b) == SHOWCASE_PAIR:
        return False
    digest = hashlib.sha256(f"{SPLIT_SEED}:{a}:{b}".encode()).digest()
    return int.from_bytes(digest[:8], "little") % HELD_OUT_DIVISOR == 0


def all_pairs(max_span: int = MAX_SPAN, held_out: bool = False) -> list[tuple[int, int]]:
    """Every pair of one side of the split with 1 <= b - a <= max_span, in order."""
    return [
        (a, b)
        for a in range(1, MAX_NUMBER)
        for b in range(a + 1, min(a + max_span, MAX_NUMBER) + 1)
        if is_held_out(a, b) == held_out
    ]


def draw_eval_prompts(count: int, max_span: int, seed: int) -> list[tuple[int, int, str]]:
    """Draw `count` distinct held-out pairs as (a, b, prompt), each in a random spelling."""
    rng = random.Random(f"{seed}:{max_span}")
    pairs = rng.sample(all_pairs(max_span, held_out=True), count)
    return [(a, b, prompt_text(a, b, rng.random() < 0.5, rng.random() < 0.5)) for a, b in pairs]
