"""rsr selftest, and what a kernel that failed does to the other commands."""

import json
import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEMO = ROOT / "models" / "demo"


@pytest.fixture
def run(run_rsr, tmp_path):
    """Runs `rsr` with a cache directory of its own, on the best instruction set."""

    def start(*args, env=None):
        clean = {"RSR_CACHE_DIR": str(tmp_path / "cache"), "RSR_FORCE_ISA": ""}
        return run_rsr(*args, env={**clean, **(env or {})})

    return start


@pytest.fixture
def record(tmp_path):
    return tmp_path / "cache" / "selftest.json"


def fail_kernels(record, word):
    """Makes the record say that the kernels with `word` in their names faulted."""
    content = json.loads(record.read_text())
    content["failures"] = [{"kernel": word, "verdict": "fault", "signal": 4}]
    record.write_text(json.dumps(content))


def test_every_kernel_is_right(run, record):
    done = run("selftest")
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert "kernel" in done.stdout and "matvec_t2_i8_reference" in done.stdout
    for word in ("wrong", "fault", "hang"):
        assert word not in done.stdout
    content = json.loads(record.read_text())
    assert content["failures"] == []
    assert os.listdir(record.parent) == ["selftest.json"]


def test_json(run):
    answer = json.loads(run("selftest", "--json").stdout)
    assert answer["passed"] is True
    names = [kernel["kernel"] for kernel in answer["kernels"]]
    assert len(names) == len(set(names)) >= 10
    assert all(kernel["result"] == "right" for kernel in answer["kernels"])


def test_a_failed_kernel_is_named_and_not_used(run, record):
    """Commands warn and use the next best; the text of the answer stays the same."""
    before = run("inspect", DEMO, "--json", "--threads", 1)
    assert before.stderr == ""
    kernel = json.loads(before.stdout)["matrices"][0]["kernel"].split(":")[0]
    if kernel.endswith("_reference"):
        pytest.skip("this machine has nothing but the reference kernels")
    prompt = ("run", DEMO, "-p", "one", "--max-tokens", 12, "--threads", 1)
    answer = run(*prompt)
    fail_kernels(record, kernel)
    after = run("inspect", DEMO, "--json", "--threads", 1)
    assert after.returncode == 0
    assert after.stderr == (
        f"warning: {kernel} faulted in the self-test (signal 4, illegal instruction); "
        "it is not used.\n"
    )
    assert kernel not in json.loads(after.stdout)["matrices"][0]["kernel"]
    warned = run(*prompt)
    assert warned.stdout == answer.stdout
    assert warned.stderr.startswith(f"warning: {kernel} ")
    # The test says so afresh, and then the warning is gone.
    assert run("selftest").returncode == 0
    assert run("inspect", DEMO).stderr == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', "\x00" * 100, "9" * 70000])
def test_a_damaged_record_is_written_anew(run, record, text):
    record.parent.mkdir()
    record.write_text(text)
    done = run("inspect", DEMO)
    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads(record.read_text())["failures"] == []


def test_nothing_is_kept_without_a_directory(run, tmp_path):
    assert run("inspect", DEMO, env={"RSR_CACHE_DIR": "", "HOME": str(tmp_path)}).returncode == 0
    assert os.listdir(tmp_path) == []


def test_a_directory_that_cannot_be_made_is_no_error(run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run("inspect", DEMO, env={"RSR_CACHE_DIR": str(tmp_path / "file")})
    assert done.returncode == 0
    assert done.stderr == ""


def test_the_reference_needs_no_test(run, record):
    assert run("inspect", DEMO, env={"RSR_FORCE_ISA": "reference"}).returncode == 0
    assert not record.exists()
