"""Indexes for batches (--rsr-memory, --jit): the same answers, the limits, and the benchmark's kernels."""

import json
import os

import pytest

from command import DEMO, assert_fails, rsr, run_demo

AVX2 = {**os.environ, "RSR_FORCE_ISA": "avx2"}
ANSWER = ["--max-tokens", "40", "--threads", "2"]


def notice_of(done):
    assert done.returncode == 0, done.stderr
    notices = [line for line in done.stderr.decode().splitlines() if line.startswith("notice: indexes")]
    return notices[0] if notices else ""


@pytest.mark.parametrize("flags", [[], ["--jit"]])
def test_answers_are_the_same(flags):
    plain = run_demo(*ANSWER, env=AVX2)
    indexed = run_demo(*ANSWER, "--rsr-memory", "100M", *flags, env=AVX2)
    assert notice_of(plain) == ""
    assert " of 28 matrices, " in notice_of(indexed)
    assert flags == [] or " 0 of 28 matrices" not in notice_of(indexed)
    assert indexed.stdout == plain.stdout


def test_memory_is_a_limit():
    def used(limit):
        words = notice_of(run_demo(*ANSWER, "--jit", "--rsr-memory", limit, env=AVX2)).split()
        return int(words[words.index("batches:") + 1]), int(words[words.index("bytes;") - 1])

    matrices, size = used("100M")
    assert matrices >= 2
    # The last of them may become a list of columns where its code does not fit.
    for limit in (size - 1, size // 2, 5000):
        fewer, less = used(str(limit))
        assert fewer <= matrices and less <= limit
    assert fewer < matrices


@pytest.mark.parametrize("size", ["-5", "five", "5Q", "99999999999999999999"])
def test_a_size_that_is_none_is_wrong_usage(size):
    done = rsr("run", DEMO, "-p", "x", "--rsr-memory", size)
    assert done.returncode == 2 and done.stdout == b""
    assert b"--rsr-memory" in done.stderr


def test_code_needs_memory():
    done = rsr("run", DEMO, "-p", "x", "--jit")
    assert done.returncode == 2 and done.stdout == b""
    assert b"--rsr-memory" in done.stderr


def test_perplexity_is_the_same():
    text = b"one two three four five six seven eight nine ten " * 8
    runs = [rsr("perplexity", DEMO, "-", "--json", *flags, input=text, env=AVX2)
            for flags in ([], ["--rsr-memory", "100M", "--jit"])]
    scores = [json.loads(done.stdout) for done in runs]
    assert scores[0]["perplexity"] == scores[1]["perplexity"]


@pytest.mark.parametrize("bits", ["ternary", "binary"])
def test_benchmark_of_each_form(bits):
    kernels = "automatic,rsr-stream,rsr-compiled"
    done = rsr("bench", "matvec", "--rows", 100, "--cols", 500, "--batch", 40, "--bits", bits, "--kernel", kernels,
               "--repeats", 2, "--cold-bytes", 100000, "--json", env=AVX2)
    assert done.returncode == 0, done.stderr
    records = json.loads(done.stdout)
    assert [r["algorithm"] for r in records] == [a for a in kernels.split(",") for _ in range(2)]
    assert {r["kernel"] for r in records[2:]} == {"gemm_gray_i8_avx2"}
    packed, stream, code = (r["bytes"] for r in records[::2])
    assert packed < stream < code
    assert all(r["exact"] and r["checked"] == 4000 for r in records)


def test_benchmark_without_a_kernel_says_so():
    done = rsr("bench", "matvec", "--rows", 16, "--cols", 64, "--batch", 40, "--kernel", "rsr-stream",
               env={**os.environ, "RSR_FORCE_ISA": "reference"})
    assert_fails(done, "rsr-stream", "instruction set reference has no kernel for it")
