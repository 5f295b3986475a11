"""`rsr bench --device`: without a GPU it says so; with one, the records have their fields. What is measured
is tested in C++, on an emulated device."""

import json
import subprocess
import sys

import pytest

from command import DEMO, ROOT, assert_fails, rsr

sys.path.insert(0, str(ROOT / "bench"))
import device  # noqa: E402
import device_page  # noqa: E402
import measure  # noqa: E402

MATVEC = ["bench", "matvec", "--device", "cuda", "--rows", 64, "--cols", 80, "--repeats", 2]
MODEL = ["bench", "model", DEMO, "--device", "cuda", "--repeats", 2, "--prompt-repeats", 1, "--contexts", "16"]


def records_of(command):
    """The records, where there is a GPU."""
    done = rsr(*command, "--json")
    if done.returncode != 0:
        assert_fails(done, "device 'cuda'")
        pytest.skip(done.stderr.decode().strip())
    return json.loads(done.stdout)


def test_products_are_measured_or_the_reason_is_said():
    cold, warm = records_of(MATVEC)
    assert (cold["cold"], warm["cold"]) == (True, False)
    assert cold["device"].startswith("cuda:0, ") and cold["kernel"] == "multiply_t2" and cold["isa"].startswith("sm_")
    assert cold["threads"] == 0 and cold["r4_gb_per_s"] is None
    assert cold["exact"] and cold["checked"] == 64 and cold["graph"] >= 256
    assert cold["share"] == pytest.approx(cold["gb_per_s"] / cold["copy_gb_per_s"])
    assert cold["floor_ns"] == pytest.approx(3000 + cold["bytes"] / (0.85 * cold["copy_gb_per_s"]))


def test_models_are_measured_or_the_reason_is_said():
    records = records_of(MODEL)
    assert {r["op"] for r in records} == {"prefill", "decode", "verify"}
    for record in records:
        assert record["device"].startswith("cuda:0, ") and record["copy_gb_per_s"] > 0
        assert record["linears_s"] is None and record["r4_gb_per_s"] is None


def test_devices_that_are_not_known_are_refused():
    for command in (MATVEC, MODEL):
        at = command.index("cuda")
        assert_fails(rsr(*command[:at], "tpu", *command[at + 1 :]), "device 'tpu' is unknown", "cpu, cuda")


@pytest.mark.parametrize(
    "flags",
    [
        ["--threads", 1],
        ["--pin"],
        ["--algorithm", "rsr"],
        ["--form", "fold"],
        ["--k", 3],
        ["--residency", "cache"],
        ["--kernel", "multiply-add"],
        ["--kernel", "rsr:fold"],
        ["--kernel", "rsr:17"],
        ["--kernel", "t5", "--bits", "binary"],
        ["--kernel", "rsr", "--activation", "fp32"],
    ],
)
def test_what_is_for_the_cpu_is_refused(flags):
    done = rsr(*MATVEC, *flags)
    assert done.returncode == 2 and done.stdout == b""
    assert done.stderr.startswith(b"error: " + flags[0].encode())


def test_records_of_the_cpu_say_so():
    done = rsr("bench", "matvec", "--rows", 16, "--cols", 16, "--repeats", 1, "--cold-bytes", 1000, "--json")
    for record in json.loads(done.stdout):
        assert record["device"] == "cpu" and record["copy_gb_per_s"] is None and record["floor_ns"] is None


# --- the table that compares with rivals


def record(us, rival="", **changes):
    base = {
        "bits": "ternary", "activation": "int8", "rows": 64, "cols": 256, "batch": 1, "cold": True,
        "median_ns": 1000 * us, "floor_ns": 5000, "share": 0.5, "rival": rival, "algorithm": "automatic",
    }  # fmt: skip
    return {**base, **changes}


def test_the_table_holds_rivals_against_ours():
    records = [
        record(4.0),
        record(3.0, algorithm="t5"),
        record(6.0, batch=8),
        record(20.0, device_page.PAPER, algorithm="rsr"),
        record(40.0, "cublas-bf16", activation="bf16", algorithm=""),
        record(48.0, "cublas-bf16", activation="bf16", algorithm="", batch=8),
        record(9.0, activation="quantised"),
        record(44.0, "torch-bf16", activation="bf16", algorithm=""),
        {"rows": 64, "cols": 256, "batch": 1, "rival": "cublas-int8", "median_ns": None, "error": "none"},
    ]
    lines = device_page.products(records).splitlines()[2:]
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines] == [
        ["64 x 256", "ternary", "1", "4.00", "5.00", "50%", "1.00", "0.75", "5.00", "10.00", "-", "11.00"],
        ["64 x 256", "ternary", "8", "6.00", "5.00", "50%", "1.50", "-", "-", "8.00", "-", "-"],
    ]


def test_the_page_has_a_part_for_a_gpu():
    decode = {"op": "decode", "shape": "bitnet-2b", "context": 128, "decode_tok_s": 1500.4, "roofline_tok_s": 5000, "share": 0.3}
    prompt = {"op": "prefill", "shape": "bitnet-2b", "context": 2048, "prefill_tok_s": 90000.2}
    machine = {"device": "cuda:0, SOME GPU", "date": "2026-01-02"}
    part = device_page.section({"machine": machine, "products": [record(4.0)], "models": [prompt, decode]})
    assert "- device: cuda:0, SOME GPU\n- date: 2026-01-02\n" in part
    assert "| bitnet-2b | prompt of 2048 | 90000 | - | - |" in part
    assert "| bitnet-2b | new tokens at 128 | 1500 | 5000 | 30% |" in part
    assert device_page.section(None) == ""


def torch_linear(*flags):
    """torch as a rival, in a process of its own."""
    plan = measure.Plan(build=ROOT, threads=(1,))
    command = [*measure.program_of(plan, "torch"), "--rows", 64, "--cols", 80, "--batch", 2, "--repeats", 2, *flags]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def test_torch_is_measured_cold_and_warm():
    pytest.importorskip("torch")
    done = torch_linear("--device", "cpu", "--cold-bytes", 100_000)
    assert done.returncode == 0, done.stderr
    cold, warm = json.loads(done.stdout)
    assert (cold["cold"], warm["cold"]) == (True, False)
    for found in (cold, warm):
        assert found["rival"] == "torch-bf16" and found["bytes"] == 64 * 80 * 2
        assert 0 < found["min_ns"] <= found["median_ns"] <= found["max_ns"]


def test_torch_without_a_gpu_says_so():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = torch_linear()
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_calls_are_for_the_device():
    plan = measure.Plan(build=ROOT, threads=(1,), batches=(1, 8), shapes=((64, 80),))
    calls = device.arguments(plan, "cuda:1")
    assert len(calls) == 3
    assert all(call[:6] == ["--rows", "64", "--cols", "80", "--device", "cuda:1"] for call in calls)
