"""What a download must survive: connections that break, answers that are wrong, disks that are full."""

import fcntl
import json
import resource
import signal
import subprocess
import threading
import time

import pytest

from fake_hub import drop_after, hang, ignore_range, send, send_unframed, status, storage_tag
from tiny_model import BIG, ID, NEEDED, WEIGHTS, assert_fetched, assert_refused, blob, incomplete, lock_file


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


# --- disks


def test_a_full_disk(fetch, cache):
    path = incomplete(cache, WEIGHTS, BIG)
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")
    assert_refused(fetch(ID), str(path), "No space left")
    path.unlink()
    assert_fetched(fetch(ID), cache, NEEDED)


def test_a_disk_without_room_for_it_is_told_before(hub, fetch):
    del hub.files[WEIGHTS]
    shards = {f"{i}.safetensors": str(i).encode() for i in range(4096)}
    index = {"weight_map": {name: name for name in shards}}
    hub.files |= {**shards, "model.safetensors.index.json": json.dumps(index).encode()}
    hub.sizes = dict.fromkeys(shards, 2**40)
    assert_refused(fetch(ID), str(4096 * 2**40), "the disk has room for")
    assert not hub.gets("0.safetensors")


def test_a_file_that_may_not_grow(fetch, cache):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    assert_refused(fetch(ID, preexec_fn=limit), "File too large")
    assert_fetched(fetch(ID), cache, NEEDED)


def test_a_cache_that_cannot_be_written(fetch, tmp_path):
    (tmp_path / "file").touch()
    assert_refused(fetch(ID, env={"HF_HUB_CACHE": str(tmp_path / "file" / "hub")}), str(tmp_path / "file"))


# --- other processes, and Ctrl-C


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


def test_the_lock_of_huggingface_hub_is_respected(rsr, environment, cache):
    path = lock_file(cache, WEIGHTS, BIG)
    path.parent.mkdir(parents=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [rsr, "fetch", ID], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert "another process" in process.stderr.readline()
        assert process.poll() is None and not blob(cache, WEIGHTS, BIG).exists()
        path.unlink()  # as newer versions of Python's filelock do
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and output and blob(cache, WEIGHTS, BIG).exists()


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
