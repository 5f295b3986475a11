"""Models of the Hugging Face hub as a user meets them: the download, the cache, the token."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from fake_hub import COMMIT, FakeHub, drop_after, status
from tiny_model import BIG, ID, NEEDED, WEIGHTS, assert_fetched, assert_refused, blob, lay_out

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO = ROOT / "models" / "demo"
SHARDED = ROOT / "tests" / "golden" / "models" / "bitlinear_sharded"


def files_of(directory, *leave_out):
    names = [path.name for path in directory.iterdir() if path.is_file()]
    return {name: (directory / name).read_bytes() for name in names if name not in leave_out}


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


# --- the cache of others


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


# --- offline


def test_offline_forbids_the_network(hub, fetch):
    assert_refused(fetch(ID, env={"HF_HUB_OFFLINE": "1"}), ID, "HF_HUB_OFFLINE", "cache")
    assert not hub.requests
    fetch(ID)
    hub.requests.clear()
    assert fetch(ID, env={"HF_HUB_OFFLINE": "TRUE"}).returncode == 0
    assert not hub.requests
