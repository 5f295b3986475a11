"""`--device`: a GPU gives the same text; where there is none, the reason is said."""

import pytest

from command import assert_fails, run_demo


def test_a_device_that_is_not_known_is_refused():
    assert_fails(run_demo("--device", "tpu"), "device 'tpu' is unknown", "cpu, cuda")


def test_the_cpu_is_the_default():
    assert run_demo("--device", "cpu").stdout == run_demo().stdout


def test_a_gpu_gives_the_same_text_or_the_reason_is_said():
    done = run_demo("--device", "cuda")
    if done.returncode != 0:
        assert_fails(done, "device 'cuda'")
        pytest.skip(done.stderr.decode().strip())
    assert done.stdout == run_demo().stdout
