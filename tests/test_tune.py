"""`rsr explain` and `rsr tune` as a user meets them. Nothing is asserted about speed."""

import json

import pytest

SHAPE = ["--rows", 512, "--cols", 320]
FAST = [*SHAPE, "--batch", "1,4", "--repeats", 2, "--cold-bytes", 100_000, "--threads", 1]


@pytest.fixture(name="rsr_in")
def rsr_in_cache(run_rsr, tmp_path):
    """Runs `rsr` with its own cache directory; gives the finished process."""

    def run(*args, env=None):
        return run_rsr(*args, env={"RSR_CACHE_DIR": str(tmp_path), **(env or {})})

    return run


def explain(rsr_in, *args, **options):
    done = rsr_in("explain", *SHAPE, "--json", *args, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def tune(rsr_in, *args):
    done = rsr_in("tune", *FAST, *args)
    assert done.returncode == 0, done.stderr
    return done


# --- explain


def test_explain_names_the_choice_first(rsr_in):
    found, warnings = explain(rsr_in, "--batch", 2, "--threads", 1)
    assert warnings == ""
    first, *others = found["candidates"]
    assert (first["format"], first["kernel"]) == (found["format"], found["kernel"])
    assert first["chosen"] and not any(c["chosen"] for c in others)
    assert [c["predicted_ns"] for c in others] == sorted(c["predicted_ns"] for c in others)
    assert {c["form"] for c in others} >= {"scatter", "fold", "gray"}
    assert all(c["bytes"] > 0 and c["operations"] > 0 and c["predicted_ns"] > 0 for c in found["candidates"])
    assert found["tuning"] == "defaults" and found["tune_cache"] is None
    assert found["threads"] == 1 and found["reason"]


@pytest.mark.parametrize(
    "isa, args, format_",
    [
        ("avx512vbmi", [], "t5"),
        ("avx512vbmi", ["--residency", "cache"], "t2"),
        ("avx512vbmi", ["--activation", "fp32"], "t3"),
        ("avx2", [], "t2"),
        ("avx2", ["--activation", "fp32"], "t2"),
        ("avx512vnni", ["--bits", "binary"], "b1"),
    ],
)
def test_explain_for_any_isa(rsr_in, isa, args, format_):
    found, _ = explain(rsr_in, "--isa", isa, *args)
    assert found["format"] == format_ and found["isa"] == isa


def test_explain_shows_indexes_for_batches(rsr_in):
    args = ["--batch", 128, "--isa", "avx512vnni", "--threads", 1, "--zeros", 90]
    without, _ = explain(rsr_in, *args)
    stream, _ = explain(rsr_in, *args, "--rsr-memory", "1G")
    compiled, _ = explain(rsr_in, *args, "--rsr-memory", "1G", "--jit")
    forms = [[c["form"] for c in found["candidates"] if c["format"] == "gray"] for found in (without, stream, compiled)]
    assert all(sorted(found) == ["compiled", "stream"] for found in forms)
    assert without["format"] == "t2"
    assert [found["candidates"][0]["form"] for found in (stream, compiled)] == ["stream", "compiled"]
    assert (compiled["rsr_memory"], compiled["jit"], compiled["zeros"]) == (1 << 30, True, 90)


def test_explain_as_text(rsr_in):
    done = rsr_in("explain", *SHAPE, "--batch", 8)
    assert done.returncode == 0 and done.stderr == ""
    for word in ("format ", "kernel ", "tuning   defaults", "groups", "* "):
        assert word in done.stdout


@pytest.mark.parametrize(
    "args, code, message",
    [
        (["--rows", 1], 2, "--cols"),
        (["--rows", 0, "--cols", 5], 2, "--rows"),
        (["--rows", 5, "--cols", 5, "--isa", "abacus"], 1, "abacus"),
        (["--rows", 5, "--cols", 5, "--bits", "quaternary"], 2, "--bits"),
    ],
)
def test_explain_refuses(rsr_in, args, code, message):
    done = rsr_in("explain", *args)
    assert done.returncode == code and message in done.stderr and done.stdout == ""


# --- tune


def test_tune_keeps_what_explain_then_uses(rsr_in, tmp_path):
    done = tune(rsr_in, "--json")
    assert done.stderr == ""  # progress is for terminals
    result = json.loads(done.stdout)
    assert result["tune_cache"] == str(tmp_path / "tune.json")
    assert [path.name for path in tmp_path.iterdir() if "tune" in path.name] == ["tune.json"]
    assert {m["knob"] for m in result["measurements"]} >= {"k"}
    assert all(t["median_ns"] > 0 for m in result["measurements"] for t in m["times"])
    (entry,) = json.loads((tmp_path / "tune.json").read_text())["entries"]
    assert (entry["cpu"], entry["isa"], entry["version"]) == (result["cpu"], result["isa"], result["version"])
    assert {(line["form"], line["rows"], line["cols"]) for line in entry["rsr"]} == {
        (form, 512, 320) for form in ("scatter", "fold", "gray")
    }
    found, warnings = explain(rsr_in)
    assert warnings == ""
    assert found["tuning"] == "tune cache" and found["tune_cache"] == str(tmp_path / "tune.json")
    ks = {line["form"]: line["k"] for line in entry["rsr"]}
    assert {c["form"]: c["k"] for c in found["candidates"] if c["form"]} == ks


def test_tune_again_keeps_what_it_does_not_measure(rsr_in, tmp_path):
    path = tmp_path / "tune.json"
    tune(rsr_in, "--what", "rsr")
    before = json.loads(path.read_text())["entries"][0]
    done = tune(rsr_in, "--what", "formats", "--bits", "ternary,binary")
    assert "kept in " + str(path) in done.stdout
    (after,) = json.loads(path.read_text())["entries"]
    assert after["rsr"] == before["rsr"]


def test_tuned_indexes_change_what_explain_predicts(rsr_in, tmp_path):
    done = tune(rsr_in, "--what", "indexes", "--json")
    measured = [m for m in json.loads(done.stdout)["measurements"] if m["knob"] == "index"]
    if not measured:
        pytest.skip("no kernel that reads such an index here")
    assert {m["form"] for m in measured} <= {"stream", "compiled"} and {m["format"] for m in measured} == {"gray"}
    assert {t["setting"] for m in measured for t in m["times"]} == {"packed", "index"}

    def of_speed(speed):
        def change(entry):
            entry["indexes"] = [{"inputs": "int8", "form": "stream", "speed": speed}]

        changed(tmp_path / "tune.json", change)
        found, warnings = explain(rsr_in, "--batch", 128, "--residency", "cache", "--threads", 1)
        return found, warnings, next(c["work_ns"] for c in found["candidates"] if c["form"] == "stream")

    _, warnings, usual = of_speed(1.0)
    found, _, half = of_speed(0.5)
    assert warnings == "" and found["tuning"] == "tune cache" and half == pytest.approx(2 * usual)
    for wrong in (0, -1, 1e6, "fast", None):
        found, warnings, _ = of_speed(wrong)
        assert found["tuning"] == "defaults" and '"speed"' in warnings


def changed(path, change):
    """Change the file as `change` does with the one entry in it."""
    content = json.loads(path.read_text())
    change(content["entries"][0])
    path.write_text(json.dumps(content))


def test_a_tuned_value_is_used(rsr_in, tmp_path):
    tune(rsr_in, "--what", "rsr")

    def change(entry):
        for line in entry["formats"]:
            line.update(prefetch_near=192, prefetch_far=448, gemm_batch=2)

    changed(tmp_path / "tune.json", change)
    found, warnings = explain(rsr_in, "--batch", 1)
    assert warnings == "" and found["prefetch"] == {"near": 192, "far": 448}
    assert found["gemm_from_batch"] == 2


@pytest.mark.parametrize("key, value", [("cpu", "Another Processor"), ("version", "0.0.0"), ("isa", "none")])
def test_times_of_another_machine_are_ignored(rsr_in, tmp_path, key, value):
    tune(rsr_in, "--what", "rsr")
    changed(tmp_path / "tune.json", lambda entry: entry.update({key: value}))
    found, warnings = explain(rsr_in)
    assert found["tuning"] == "defaults"
    assert "tune.json" in warnings and "warning" in warnings
    tune(rsr_in, "--what", "rsr")  # adds an entry for this machine
    found, warnings = explain(rsr_in)
    assert found["tuning"] == "tune cache" and warnings == ""
    assert len(json.loads((tmp_path / "tune.json").read_text())["entries"]) == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"format": 1, "entries": 7}', b"[" * 100_000, b'{"format": "1"}'],
)
def test_a_damaged_file_is_ignored_and_replaced(rsr_in, tmp_path, content):
    (tmp_path / "tune.json").write_bytes(content)
    found, warnings = explain(rsr_in)
    assert found["tuning"] == "defaults"
    assert "tune.json" in warnings and "warning" in warnings
    tune(rsr_in, "--what", "rsr")
    found, warnings = explain(rsr_in)
    assert found["tuning"] == "tune cache" and warnings == ""


@pytest.mark.parametrize("value", [-1, 10**30, "far", None, 1.5])
def test_values_out_of_range_are_ignored(rsr_in, tmp_path, value):
    tune(rsr_in, "--what", "rsr")
    changed(tmp_path / "tune.json", lambda entry: entry["formats"][1].update(prefetch_far=value))
    found, warnings = explain(rsr_in)
    assert found["tuning"] == "defaults" and "prefetch_far" in warnings


def test_tune_needs_a_directory(run_rsr, tmp_path):
    done = run_rsr("tune", *FAST, env={"RSR_CACHE_DIR": ""})
    assert done.returncode == 1 and "RSR_CACHE_DIR" in done.stderr
    (tmp_path / "file").write_text("")
    done = run_rsr("tune", *FAST, "--what", "rsr", env={"RSR_CACHE_DIR": str(tmp_path / "file" / "below")})
    assert done.returncode == 1 and "file" in done.stderr


@pytest.mark.parametrize("args", [["--batch", 0], ["--rows", 0], ["--what", "all"], ["--suite", "models", "--rows", 5]])
def test_tune_refuses(rsr_in, args):
    done = rsr_in("tune", *args)
    assert done.returncode == 2 and done.stdout == ""
