"""Models of the Hugging Face hub: the cache, the download, and servers that misbehave."""

import json
import os
import pty
import random
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from fake_hub import (
    COMMIT,
    FakeHub,
    checksum,
    drop_after,
    hang,
    ignore_range,
    send,
    send_unframed,
    status,
    storage_tag,
)

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "models" / "demo"
SHARDED = ROOT / "tests" / "golden" / "models" / "bitlinear_sharded"
ID = "org/tiny"
WEIGHTS = "model.safetensors"
BIG = random.Random(1).randbytes(300_000)  # what stands for weights where nothing loads them


def files_of(directory, *leave_out):
    names = [path.name for path in directory.iterdir() if path.is_file()]
    return {name: (directory / name).read_bytes() for name in names if name not in leave_out}


@pytest.fixture(name="hub")
def tiny_hub():
    """A hub with a model that nobody can load, but whose weights have a handy size."""
    files = {"config.json": b"{}", "tokenizer.json": b'{"t": 1}', WEIGHTS: BIG}
    with FakeHub({**files, "README.md": b"# not needed", "pytorch_model.bin": b"not needed"}) as hub:
        yield hub


@pytest.fixture(name="cache")
def cache_folder(tmp_path):
    return tmp_path / "hub"


@pytest.fixture(name="environment")
def clean_environment(hub, cache, tmp_path):
    """Nothing of this machine's Hugging Face; the fake hub and an empty cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {
        **kept,
        "HF_ENDPOINT": hub.url,
        "HF_HUB_CACHE": str(cache),
        "HF_HOME": str(tmp_path / "hf_home"),
        "NO_PROXY": "*",
    }


@pytest.fixture(name="fetch")
def fetch_command(rsr, environment):
    """Runs `rsr fetch`."""

    def run(*args, env=None, **options):
        command = [rsr, "fetch", *map(str, args)]
        environ = {**environment, **(env or {})}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environ, **options)

    return run


def blob(cache, name, data):
    return cache / "models--org--tiny" / "blobs" / checksum(name, data)


def incomplete(cache, name, data):
    return Path(f"{blob(cache, name, data)}.incomplete")


def assert_fetched(done, cache, files):
    """The directory was printed, and has the files, as links to blobs named by their checksums."""
    assert done.returncode == 0, done.stderr
    directory = cache / "models--org--tiny" / "snapshots" / COMMIT
    assert done.stdout == f"{directory}\n"
    for name, data in files.items():
        path = directory / name
        assert path.is_symlink() and path.read_bytes() == data
        assert os.readlink(path) == f"../../blobs/{checksum(name, data)}"
    assert not list(cache.rglob("*.incomplete"))


def assert_refused(done, *parts):
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    for part in parts:
        assert part in last


NEEDED = {"config.json": b"{}", "tokenizer.json": b'{"t": 1}', WEIGHTS: BIG}


# --- the usual way


def test_download_lays_out_the_cache(hub, fetch, cache):
    assert_fetched(fetch(ID), cache, NEEDED)
    model = cache / "models--org--tiny"
    assert (model / "refs" / "main").read_text() == COMMIT
    assert {path.name for path in (model / "snapshots" / COMMIT).iterdir()} == set(NEEDED)
    absent = {path.name for path in (model / ".no_exist" / COMMIT).iterdir()}
    assert absent == {"generation_config.json", "tokenizer_config.json", "chat_template.jinja"}
    assert len(hub.gets(WEIGHTS)) == 1


def test_what_is_in_the_cache_needs_no_server(hub, fetch, cache):
    fetch(ID)
    hub.requests.clear()
    assert_fetched(fetch(ID), cache, NEEDED)
    assert not hub.requests


def test_json_tells_directory_and_bytes(fetch, cache):
    answer = json.loads(fetch(ID, "--json").stdout)
    assert answer == {
        "model": ID,
        "directory": str(cache / "models--org--tiny" / "snapshots" / COMMIT),
        "received_bytes": sum(map(len, NEEDED.values())),
    }
    assert json.loads(fetch(ID, "--json").stdout)["received_bytes"] == 0


def test_a_directory_is_itself(hub, fetch):
    assert fetch(DEMO).stdout == f"{DEMO}\n"
    assert not hub.requests


def test_run_and_inspect_take_an_id(rsr, environment):
    with FakeHub(files_of(DEMO)) as hub:
        env = {**environment, "HF_ENDPOINT": hub.url}
        for args in (["run", ID, "-p", "one", "--max-tokens", "3"], ["inspect", ID, "--json"]):
            local = [str(DEMO) if arg == ID else arg for arg in args]
            ours, theirs = (
                subprocess.run([rsr, *a], capture_output=True, timeout=60, env=env, check=True).stdout
                for a in (args, local)
            )
            assert ours == theirs
        assert len(hub.gets(WEIGHTS)) == 1


def test_shards_come_by_their_index(fetch, environment, cache):
    files = files_of(SHARDED, "golden.json", "golden.safetensors")
    with FakeHub({**files, "stray.safetensors": b"x"}) as hub:
        assert_fetched(fetch(ID, env={"HF_ENDPOINT": hub.url}), cache, files)
        assert not hub.gets("stray.safetensors")


def test_revisions_have_their_own_refs(hub, fetch, cache):
    hub.revisions += ["v1", "refs/pr/2"]
    for revision in ("v1", "refs/pr/2", COMMIT):
        assert_fetched(fetch(f"{ID}@{revision}"), cache, NEEDED)
    refs = cache / "models--org--tiny" / "refs"
    assert (refs / "v1").read_text() == (refs / "refs" / "pr" / "2").read_text() == COMMIT
    assert len([path for path in refs.rglob("*") if path.is_file()]) == 2
    assert len(hub.gets(WEIGHTS)) == 1
    assert_refused(fetch(f"{ID}@v2"), "v2", "no revision")


def test_update_follows_a_revision_that_moved(hub, fetch, cache):
    fetch(ID)
    model, old = cache / "models--org--tiny", 40 * "a"
    (model / "refs" / "main").write_text(old)
    for folder in ("snapshots", ".no_exist"):
        (model / folder / COMMIT).rename(model / folder / old)
    hub.requests.clear()
    assert fetch(ID).stdout == f"{model / 'snapshots' / old}\n" and not hub.requests
    assert_fetched(fetch(ID, "--update"), cache, NEEDED)
    assert not hub.gets(WEIGHTS)  # it has not changed


def test_a_listing_without_checksums_is_completed_by_headers(hub, fetch, cache):
    hub.with_checksums = False
    assert_fetched(fetch(ID), cache, NEEDED)
    assert ("HEAD", False, f"/{ID}/resolve/{COMMIT}/config.json") in [r[:3] for r in hub.requests]


# --- the cache of others


def lay_out(cache, files, *absent):
    """A cache as huggingface_hub makes it."""
    model = cache / "models--org--tiny"
    for folder in (model / "blobs", model / "refs", model / "snapshots" / COMMIT, model / ".no_exist" / COMMIT):
        folder.mkdir(parents=True)
    (model / "refs" / "main").write_text(COMMIT)
    for name, data in files.items():
        blob(cache, name, data).write_bytes(data)
        (model / "snapshots" / COMMIT / name).symlink_to(f"../../blobs/{checksum(name, data)}")
    for name in absent:
        (model / ".no_exist" / COMMIT / name).touch()


def test_a_cache_of_huggingface_hub_is_used(hub, fetch, cache):
    files = files_of(DEMO, "README.md")
    lay_out(cache, files, "chat_template.jinja")
    assert_fetched(fetch(ID), cache, files)
    assert not hub.requests


def test_the_server_is_asked_once_what_a_cache_may_lack(hub, fetch, cache):
    lay_out(cache, {**NEEDED, "tokenizer_config.json": b"{}"})
    hub.files["generation_config.json"] = b"{ }"
    assert_fetched(fetch(ID), cache, {**NEEDED, "generation_config.json": b"{ }"})
    assert not hub.gets(WEIGHTS)
    hub.requests.clear()
    assert_fetched(fetch(ID), cache, NEEDED)
    assert not hub.requests


def test_without_a_server_such_a_cache_will_do(fetch, cache):
    lay_out(cache, NEEDED)
    done = fetch(ID, env={"HF_ENDPOINT": "http://127.0.0.1:1"})
    assert_fetched(done, cache, NEEDED)
    assert "warning: the cache has no " in done.stderr
    assert fetch(ID, env={"HF_HUB_OFFLINE": "1"}).stderr == ""


def test_a_cache_that_lacks_weights_is_filled(hub, fetch, cache):
    lay_out(cache, {"config.json": b"{}"})
    assert_fetched(fetch(ID), cache, NEEDED)
    assert not hub.gets("config.json")


def test_a_blob_of_the_wrong_size_is_replaced(hub, fetch, cache):
    fetch(ID)
    path = blob(cache, WEIGHTS, BIG)
    path.write_bytes(BIG[:-1])
    assert_fetched(fetch(ID, "--update"), cache, NEEDED)


def test_huggingface_hub_finds_what_we_download_and_the_other_way_round(hub, fetch, environment, cache):
    program = (
        "import sys, huggingface_hub as h; "
        f"print(h.snapshot_download('{ID}', allow_patterns=['*.json', '*.safetensors'], "
        "local_files_only=sys.argv[1] == 'local'))"
    )

    def theirs(how):
        command = [ROOT / ".venv" / "bin" / "python", "-c", program, how]
        env = {**environment, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=True).stdout

    ours = fetch(ID)
    assert_fetched(ours, cache, NEEDED)
    assert theirs("local") == ours.stdout
    subprocess.run(["rm", "-r", cache], check=True)
    hub.requests.clear()
    assert theirs("remote") == ours.stdout
    hub.requests.clear()
    assert_fetched(fetch(ID), cache, NEEDED)
    assert not hub.gets(WEIGHTS) and not hub.gets("config.json")


# --- connections that break


def test_a_drop_is_resumed(hub, fetch, cache):
    tag = storage_tag(BIG)
    hub.faults[WEIGHTS] = [drop_after(100_000, ETag=tag), drop_after(50_000, ETag=tag)]
    done = fetch(ID, "--json")
    assert json.loads(done.stdout)["received_bytes"] == sum(map(len, NEEDED.values()))
    assert done.stderr.count("trying again") == 2
    asked = [(get.get("Range"), get.get("If-Range")) for get in hub.gets(WEIGHTS)]
    assert asked == [(None, None), ("bytes=100000-", tag), ("bytes=150000-", tag)]
    assert blob(cache, WEIGHTS, BIG).read_bytes() == BIG


def test_a_later_run_goes_on_where_one_gave_up(hub, fetch, cache):
    hub.faults[WEIGHTS] = [drop_after(100_000)]
    assert_refused(fetch(ID, "--retries", 0), WEIGHTS)
    assert incomplete(cache, WEIGHTS, BIG).stat().st_size == 100_000
    assert not (cache / "models--org--tiny" / "refs").exists()
    assert json.loads(fetch(ID, "--json").stdout)["received_bytes"] == len(BIG) - 100_000
    assert_fetched(fetch(ID), cache, NEEDED)


def test_a_server_without_ranges_sends_all_again(hub, fetch, cache):
    hub.faults[WEIGHTS] = [drop_after(100_000), ignore_range]
    assert_fetched(fetch(ID), cache, NEEDED)
    assert len(hub.gets(WEIGHTS)) == 2


def test_a_file_that_changed_under_way_is_begun_again(hub, fetch, cache):
    hub.faults[WEIGHTS] = [drop_after(100_000, ETag='"another"')]
    assert_fetched(fetch(ID), cache, NEEDED)
    assert hub.gets(WEIGHTS)[1]["If-Range"] == '"another"'


def test_a_wrong_range_is_not_believed(hub, fetch, cache):
    wrong = {"Content_Range": f"bytes 5-{len(BIG) - 1}/{len(BIG)}"}
    hub.faults[WEIGHTS] = [drop_after(100_000), lambda handler, data: handler.answer(206, data[5:], **wrong)]
    assert_fetched(fetch(ID), cache, NEEDED)


@pytest.mark.parametrize(
    "left",
    [BIG[:1000], b"x" * 1000, b"x" * len(BIG), b"x" * (len(BIG) + 1), BIG],
    ids=["beginning", "garbage", "all_garbage", "too_long", "whole"],
)
def test_what_an_earlier_run_left_is_checked(fetch, cache, left):
    path = incomplete(cache, WEIGHTS, BIG)
    path.parent.mkdir(parents=True)
    path.write_bytes(left)
    assert_fetched(fetch(ID), cache, NEEDED)


def test_a_server_that_hangs_is_given_up(hub, fetch, cache):
    release = threading.Event()
    hub.faults[WEIGHTS] = [hang(release, 100_000)]
    done = fetch(ID, "--stall", 1)
    assert_fetched(done, cache, NEEDED)
    assert "too slow" in done.stderr
    hub.faults["api"] = [hang(release)]
    assert_refused(fetch(ID, "--update", "--stall", 1, "--retries", 0), "/api/models/org/tiny")
    release.set()


def test_nobody_there_is_told_at_once(fetch):
    begin = time.monotonic()
    assert_refused(fetch(ID, env={"HF_ENDPOINT": "http://127.0.0.1:1"}), ID, "127.0.0.1:1")
    assert time.monotonic() - begin < 5


# --- answers that are wrong


def test_busy_servers_are_asked_again(hub, fetch, cache):
    hub.faults["api"] = [status(500)]
    hub.faults["config.json"] = [status(503), status(502)]
    hub.faults[WEIGHTS] = [status(429, Retry_After=2)]
    begin = time.monotonic()
    done = fetch(ID)
    assert_fetched(done, cache, NEEDED)
    assert time.monotonic() - begin > 2
    assert "trying again in 2 s" in done.stderr


def test_patience_ends(hub, fetch):
    hub.faults["api"] = 9 * [status(500)]
    assert_refused(fetch(ID, "--retries", 1), "500")
    assert len(hub.requests) == 2
    hub.faults["api"] = [status(429, Retry_After=86400)]
    assert_refused(fetch(ID), "429", "86400 s")


@pytest.mark.parametrize(
    "fault, message",
    [
        (send(BIG + b"x"), "300001 bytes"),
        (send(BIG[:-1]), "299999 bytes"),
        (send(b""), " 0 bytes"),
        (send_unframed(BIG + b"x"), "more than the 300000 bytes"),
        (send_unframed(BIG[:-1]), "ended after 299999 of 300000"),
    ],
    ids=["longer", "shorter", "empty", "longer_unframed", "shorter_unframed"],
)
def test_a_wrong_size_is_an_error(hub, fetch, cache, fault, message):
    hub.faults[WEIGHTS] = [fault]
    assert_refused(fetch(ID, "--retries", 0), WEIGHTS, message)
    assert not blob(cache, WEIGHTS, BIG).exists()
    assert_fetched(fetch(ID), cache, NEEDED)


def test_a_wrong_checksum_is_an_error(hub, fetch, cache):
    forged = bytes(len(BIG))
    hub.faults[WEIGHTS] = [send(forged), send(forged)]
    assert_refused(fetch(ID), WEIGHTS, "checksum")
    assert not blob(cache, WEIGHTS, BIG).exists()
    hub.faults[WEIGHTS] = [send(forged)]
    done = fetch(ID)
    assert_fetched(done, cache, NEEDED)
    assert "wrong checksum" in done.stderr


def test_small_files_are_checked_too(hub, fetch):
    hub.faults["config.json"] = [send(b"[]"), send(b"[]")]
    assert_refused(fetch(ID), "config.json", "checksum")


def test_unknown_models(hub, fetch):
    assert_refused(fetch("org/other"), "org/other", "no such model", "404")
    assert len(hub.requests) == 1
    assert_refused(fetch("no/such/model"), "no/such/model", "no such directory")
    assert len(hub.requests) == 1


@pytest.mark.parametrize("source", ["../up", "org/..", "org/../x", "org/tiny@../../x", "/org/tiny", "-/x"])
def test_ids_that_lead_elsewhere_are_refused(hub, fetch, source):
    assert_refused(fetch("--", source), source, "no such directory")
    assert not hub.requests


def test_file_names_that_lead_elsewhere_are_refused(hub, fetch, cache):
    hub.extra_siblings = ["../../../evil"]
    assert_refused(fetch(ID), "../../../evil")
    assert not cache.exists()


def test_shard_names_that_lead_elsewhere_are_refused(hub, fetch, tmp_path):
    del hub.files[WEIGHTS]
    for name in ("../evil.safetensors", "unlisted.safetensors"):
        hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": name}}).encode()
        assert_refused(fetch(ID), name)
    assert not list(tmp_path.rglob("evil*"))


def test_a_repository_without_safetensors(hub, fetch):
    del hub.files[WEIGHTS]
    assert_refused(fetch(ID), ID, "no model.safetensors")


def test_answers_that_are_no_listing(hub, fetch):
    hub.faults["api"] = [send(b"<html>Log in to this network</html>"), send(b'{"sha": "../x"}')]
    assert_refused(fetch(ID), "/api/models/org/tiny")
    assert_refused(fetch(ID), "sha")


# --- the token


@pytest.mark.parametrize("how", ["variable", "file"])
def test_the_token_goes_to_the_hub_alone(hub, fetch, cache, tmp_path, how):
    env = {"HF_TOKEN": "hf_secret"} if how == "variable" else {}
    (tmp_path / "hf_home").mkdir()
    (tmp_path / "hf_home" / "token").write_text("hf_secret\n")
    hub.faults[WEIGHTS] = [drop_after(1000)]
    assert_fetched(fetch(ID, env=env), cache, NEEDED)
    for _, storage, path, headers in hub.requests:
        assert headers.get("Authorization") == (None if storage else "Bearer hf_secret"), path
    assert len(hub.gets(WEIGHTS)) == 2


def test_nothing_is_sent_without_a_token(hub, fetch):
    fetch(ID)
    assert not any("Authorization" in headers for *_, headers in hub.requests)


def test_access_denied_names_the_token(hub, fetch):
    hub.faults["api"] = [status(401), status(403), status(401)]
    assert_refused(fetch(ID), ID, "set HF_TOKEN", "401")
    assert_refused(fetch(ID), "set HF_TOKEN", "403")
    assert_refused(fetch(ID, env={"HF_TOKEN": "hf_secret"}), "the token in HF_TOKEN may not")
    assert "hf_secret" not in fetch(ID, env={"HF_TOKEN": "hf_secret"}).stderr


def test_a_gated_model_says_so(hub, fetch):
    hub.faults["config.json"] = [status(403, X_Error_Code="GatedRepo")]
    assert_refused(fetch(ID), "gated", f"{hub.url}/{ID}", "HF_TOKEN")


# --- offline, disks, others


def test_offline_forbids_the_network(hub, fetch):
    assert_refused(fetch(ID, env={"HF_HUB_OFFLINE": "1"}), ID, "HF_HUB_OFFLINE", "cache")
    assert not hub.requests
    fetch(ID)
    hub.requests.clear()
    assert fetch(ID, env={"HF_HUB_OFFLINE": "TRUE"}).returncode == 0
    assert not hub.requests


def test_a_full_disk(fetch, cache):
    path = incomplete(cache, WEIGHTS, BIG)
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")
    assert_refused(fetch(ID), str(path), "No space left")
    path.unlink()
    assert_fetched(fetch(ID), cache, NEEDED)


def test_a_file_that_may_not_grow(fetch, cache):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    assert_refused(fetch(ID, preexec_fn=limit), "File too large")
    assert_fetched(fetch(ID), cache, NEEDED)


def test_a_cache_that_cannot_be_written(fetch, tmp_path):
    (tmp_path / "file").touch()
    assert_refused(fetch(ID, env={"HF_HUB_CACHE": str(tmp_path / "file" / "hub")}), str(tmp_path / "file"))


def test_two_processes_download_once(hub, rsr, environment, cache):
    release = threading.Event()

    def slowly(handler, data):
        release.wait(30)
        handler.send_data(data)

    hub.faults[WEIGHTS] = [slowly]
    command = [rsr, "fetch", ID, "--stall", "60"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    deadline = time.monotonic() + 30
    while not hub.gets(WEIGHTS) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    release.set()
    done = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], done
    assert len(hub.gets(WEIGHTS)) == 1 and blob(cache, WEIGHTS, BIG).read_bytes() == BIG
    assert sum("another process" in errors for _, errors in done) == 2


def test_ctrl_c_keeps_what_has_come(hub, rsr, environment, fetch, cache):
    release = threading.Event()
    hub.faults[WEIGHTS] = [hang(release, 100_000)]
    process = subprocess.Popen(
        [rsr, "fetch", ID], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    deadline = time.monotonic() + 30
    path = incomplete(cache, WEIGHTS, BIG)
    while not (path.exists() and path.stat().st_size == 100_000) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=10)
    release.set()
    assert (process.returncode, output, errors) == (130, b"", b"")
    assert path.stat().st_size == 100_000
    assert json.loads(fetch(ID, "--json").stdout)["received_bytes"] == len(BIG) - 100_000


def test_progress_only_on_a_terminal(hub, rsr, environment):
    hub.faults[WEIGHTS] = [drop_after(100_000)]
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [rsr, "fetch", ID], stdout=subprocess.PIPE, stderr=theirs, timeout=60, env=environment, check=True
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "model.safetensors  100 kB of 300 kB  33%" in shown
    assert shown.endswith("\r\x1b[K") and done.stdout.endswith(b"\n")
