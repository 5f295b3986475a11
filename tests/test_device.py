"""`--device`: a GPU gives the same text; where there is none, the reason is said."""

import json

import pytest

from command import DEMO, assert_fails, rsr, run_demo


def test_a_device_that_is_not_known_is_refused():
    assert_fails(run_demo("--device", "tpu"), "device 'tpu' is unknown", "cpu, cuda")


def test_perplexity_has_the_bits_of_the_cpu_or_the_reason_is_said(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("one, two, three, four, five, six, seven, eight, nine, ten")
    for flag in ("--device", "--against-device"):
        assert_fails(rsr("perplexity", DEMO, text, flag, "tpu"), "device 'tpu' is unknown")
    itself = json.loads(rsr("perplexity", DEMO, text, "--against-device", "cpu", "--json").stdout)
    assert itself["device"] == itself["against"]["device"] == "cpu" and itself["comparison"]["mean_kl"] == 0
    done = rsr("perplexity", DEMO, text, "--against-device", "cuda", "--json")
    if done.returncode != 0:
        assert_fails(done, "device 'cuda'")
        pytest.skip(done.stderr.decode().strip())
    assert json.loads(done.stdout)["comparison"]["mean_kl"] == 0


def test_the_cpu_is_the_default():
    assert run_demo("--device", "cpu").stdout == run_demo().stdout


def test_a_gpu_gives_the_same_text_or_the_reason_is_said():
    done = run_demo("--device", "cuda")
    if done.returncode != 0:
        assert_fails(done, "device 'cuda'")
        pytest.skip(done.stderr.decode().strip())
    assert done.stdout == run_demo().stdout
