"""What the Python tests share: where the built command is, and how to run it."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What the command remembers between runs stays in the build folder, never in somebody's home.
os.environ["RSR_CACHE_DIR"] = str(ROOT / os.environ.get("RSR_BUILD", "build/release") / "cache")


@pytest.fixture(scope="session")
def rsr() -> pathlib.Path:
    """The `rsr` command of the build in RSR_BUILD (default build/release)."""
    path = ROOT / os.environ.get("RSR_BUILD", "build/release") / "rsr"
    assert path.exists(), f"{path} is missing: run `make build` first"
    return path


@pytest.fixture(scope="session")
def run_rsr(rsr):
    """Runs `rsr` with arguments; gives the finished process with text output."""

    def run(*args, env=None, **kwargs):
        return subprocess.run(
            [rsr, *map(str, args)],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, **(env or {})},
            **kwargs,
        )

    return run
