"""A fake hub with a tiny model, an empty cache, and `rsr fetch` between them."""

import os
import subprocess

import pytest

from fake_hub import FakeHub
from tiny_model import NEEDED, NOT_NEEDED


@pytest.fixture(name="hub")
def hub_with_a_tiny_model():
    """Nobody can load the model, but its weights have a handy size."""
    with FakeHub({**NEEDED, **NOT_NEEDED}) as hub:
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
