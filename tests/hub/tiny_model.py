"""A tiny model, where its files lie in the cache, and what a finished `rsr fetch` must have done."""

import os
import random
from pathlib import Path

from fake_hub import COMMIT, checksum

ID = "org/tiny"
WEIGHTS = "model.safetensors"
BIG = random.Random(1).randbytes(300_000)  # what stands for weights where nothing loads them
NEEDED = {"config.json": b"{}", "tokenizer.json": b'{"t": 1}', WEIGHTS: BIG}
NOT_NEEDED = {"README.md": b"# not needed", "pytorch_model.bin": b"not needed"}


def blob(cache, name, data):
    return cache / "models--org--tiny" / "blobs" / checksum(name, data)


def incomplete(cache, name, data):
    return Path(f"{blob(cache, name, data)}.incomplete")


def lock_file(cache, name, data):
    return cache / ".locks" / "models--org--tiny" / f"{checksum(name, data)}.lock"


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
