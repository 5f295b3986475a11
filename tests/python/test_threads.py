"""Several Python threads at once, and processes that were forked."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from package import bytes_in, run_python, ternary, vectors

import rsr

DEMO = "models/demo"
PROMPT = "Write the numbers from one to ten in words separated by commas only:"


@pytest.fixture
def ticks():
    """How often another Python thread has run so far; it gets the lock only when somebody gives it up."""
    count, stop = [0], threading.Event()

    def tick():
        while not stop.is_set():
            count[0] += 1
            time.sleep(0.0002)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=tick)
    thread.start()
    sys.setswitchinterval(1000)  # nobody takes the lock away
    yield lambda: count[0]
    sys.setswitchinterval(interval)
    stop.set()
    thread.join()


def progress_during(call, ticks, calls: int = 500) -> int:
    """The most that the other thread got done during one call, tried until that is something."""
    best = 0
    for _ in range(calls):
        before = ticks()
        call()
        best = max(best, ticks() - before)
        if best > 2:
            break
    return best


def test_the_lock_is_not_given_up_by_python_alone(ticks):
    """What the next tests see comes from the library, not from the interpreter."""
    assert progress_during(lambda: sum(range(20_000)), ticks, calls=50) == 0


def test_other_threads_run_during_products(ticks):
    W = rsr.TernaryMatrix(ternary(1024, 2048))
    x, integers, context = vectors(64, 2048), bytes_in(64, 2048), rsr.Context(threads=1, isa="reference")
    assert progress_during(lambda: W(x, context=context), ticks) > 2
    assert progress_during(lambda: W(integers, context=context), ticks) > 2
    assert progress_during(lambda: W(x, quantise=True, context=context), ticks) > 2
    assert progress_during(lambda: rsr.top_k(W, x[0], 10, context=context), ticks, calls=5000) > 2


def test_other_threads_run_while_matrices_are_made_and_read(ticks):
    values = ternary(2000, 3000)
    assert progress_during(lambda: rsr.TernaryMatrix(values), ticks) > 2
    data = rsr.TernaryMatrix(values, algorithm="rsr").to_bytes()
    assert progress_during(lambda: rsr.TernaryMatrix.from_bytes(data), ticks) > 2


def test_other_threads_run_while_text_is_generated(ticks):
    model = rsr.load(DEMO, threads=1)
    assert progress_during(lambda: model.generate(PROMPT), ticks) > 2


def test_products_of_many_threads_are_those_of_one():
    """One matrix and one context, shared; each thread has inputs of its own."""
    matrices = [
        rsr.TernaryMatrix(ternary(200, 300)),
        rsr.TernaryMatrix(ternary(200, 300), algorithm="rsr", form="fold"),
    ]
    indexed = matrices[0].with_index(always=True)
    inputs = [vectors(batch, 300, seed=batch) for batch in range(1, 9)]

    def products(x):
        integers = np.clip(np.rint(x * 40), -128, 127).astype(np.int8)
        return [
            *[W(x) for W in matrices],
            *[W(x, quantise=True) for W in matrices],
            *[W(integers) for W in (*matrices, indexed)],
            *rsr.top_k(matrices[0], x[0], 5),
            *rsr.multiply_quantised([matrices[0], indexed], x),
        ]

    alone = [products(x) for x in inputs]
    with ThreadPoolExecutor(len(inputs)) as threads:
        for _ in range(20):
            for results, wanted in zip(threads.map(products, inputs), alone):
                assert all((a == b).all() for a, b in zip(results, wanted))


def test_answers_of_many_threads_are_those_of_one():
    model = rsr.load(DEMO, threads=2)
    prompts = [PROMPT.replace("ten", last) for last in ("five", "eight", "ten", "twelve")]
    alone = [model.generate(prompt).text for prompt in prompts]
    assert len(set(alone)) == 4

    def answers(number: int) -> list[str]:
        prompt = prompts[number % 4]
        return [model.generate(prompt).text, "".join(model.generate(prompt, stream=True))]

    with ThreadPoolExecutor(8) as threads:
        for number, texts in enumerate(threads.map(answers, range(24))):
            assert texts == [alone[number % 4]] * 2


def test_a_session_serves_one_answer_at_a_time():
    session = rsr.load(DEMO).session()
    stream = session.generate(PROMPT, stream=True, ignore_eos=True)
    for use in (lambda: session.generate(PROMPT), session.reset, lambda: session.tokens):
        while stream.stats is None:
            try:
                use()
            except rsr.InvalidArgument as busy:
                assert "the session is busy with another answer" in str(busy)
                break
            # The answer was complete already: the next one may be caught.
            stream.close()
            stream = session.generate(PROMPT, stream=True, ignore_eos=True)
    stream.close()
    session.reset()
    assert session.generate(PROMPT).text.startswith("one, two")


FORK = """
import os, sys, warnings, numpy as np, rsr
warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, of every fork beside threads
W = rsr.TernaryMatrix(np.eye(64, dtype=np.int8))
x = np.arange(64 * 100, dtype=np.float32).reshape(100, 64)
model = rsr.load(sys.argv[1], threads=2)
session = model.session()
stream = session.generate("one", stream=True)
assert (W(x) == x).all()
child = os.fork()
if child == 0:
    assert (W(x) == x).all() and (W(x, quantise=True)[0] != x[0]).any()
    for use in (model.session, lambda: model.generate("one"), session.reset, lambda: next(stream)):
        try:
            use()
        except rsr.InvalidArgument as error:
            assert "forked" in str(error) or "busy" in str(error), error
        else:
            raise AssertionError("an error was expected")
    print(rsr.load(sys.argv[1]).generate(sys.argv[2]).text, flush=True)
    sys.exit(7)  # and everything is destroyed here
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert (W(x) == x).all()
"""


def test_a_forked_process_has_threads_of_its_own():
    assert run_python(FORK, DEMO, PROMPT) == "one, two, three, four, five, six, seven, eight, nine, ten\n"


EXIT = """
import sys, rsr
model = rsr.load(sys.argv[1])
kept = [model.generate("Write", stream=True, ignore_eos=True) for _ in range(4)]
print(next(kept[0]) != "")
"""


def test_a_program_may_end_during_an_answer():
    assert run_python(EXIT, DEMO) == "True\n"
