"""The installed package: another project finds it, builds with it, and runs on any instruction set."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def sanitizer_flags(build):
    """What a program needs to link a library that was built with sanitizers; [] for a usual build."""
    cache = (build / "CMakeCache.txt").read_text()
    sanitizers = re.search(r"^RSR_SANITIZE:\w+=(.+)$", cache, re.MULTILINE)
    return [f"-DCMAKE_CXX_FLAGS=-fsanitize={sanitizers[1]}"] if sanitizers else []


@pytest.fixture(scope="module")
def consumer(tmp_path_factory):
    """Installs the build into an empty tree, and builds tests/consumer against that alone."""
    build = ROOT / os.environ.get("RSR_BUILD", "build/release")
    work = tmp_path_factory.mktemp("package")
    prefix = work / "prefix"

    def cmake(*args):
        subprocess.run(["cmake", *map(str, args)], check=True, capture_output=True, timeout=600)

    cmake("--install", build, "--prefix", prefix)
    source = ROOT / "tests" / "consumer"
    flags = sanitizer_flags(build)
    cmake("-S", source, "-B", work / "build", f"-DCMAKE_PREFIX_PATH={prefix}", *flags)
    cmake("--build", work / "build")
    return prefix, work / "build" / "consumer"


@pytest.mark.parametrize("isa", ["reference", "avx2", "avxvnni", "avx512bw", "avx512vnni", "avx512vbmi", "amx"])
def test_consumer_runs_on_each_isa(consumer, isa):
    done = subprocess.run(
        [consumer[1]], capture_output=True, text=True, env={**os.environ, "RSR_FORCE_ISA": isa}
    )
    if "this machine does not have" in done.stderr:
        pytest.skip(f"no {isa} here")
    assert done.stdout == f"0.1.0 {isa} -3 5\n", done.stderr


def test_an_unknown_isa_is_refused(consumer):
    env = {**os.environ, "RSR_FORCE_ISA": "mmx"}
    done = subprocess.run([consumer[1]], capture_output=True, text=True, env=env)
    assert done.returncode == 1 and "unknown instruction set" in done.stderr


def test_only_public_headers_are_installed(consumer):
    headers = {path.name for path in (consumer[0] / "include").rglob("*") if path.is_file()}
    assert headers == {path.name for path in (ROOT / "include" / "rsr").iterdir()}


def test_the_installed_command_runs(consumer):
    done = subprocess.run([consumer[0] / "bin" / "rsr", "--version"], capture_output=True, text=True)
    assert done.stdout == "rsr 0.1.0\n"
