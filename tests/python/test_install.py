"""The package as pip makes it: in a fresh environment, typed, for every x86-64 processor."""

import email
import os
import pathlib
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile

import numpy as np
import pytest
from package import ALL_ISAS, isas

import rsr

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = pathlib.Path(sysconfig.get_path("scripts"))
SETTING = "--config-settings=cmake.define.RSR_WERROR=ON"
PACKAGE = pathlib.Path(rsr.__file__).parent

USE = """
import sys, numpy as np, rsr
W = rsr.TernaryMatrix(np.array([[1, 0, -1, 1], [-1, -1, 0, 0]], np.int8), scale=0.5)
y = W @ np.array([1, 2, 3, 4], np.float32)
print(rsr.__version__, rsr.default_context().isa, y, sorted({"torch", "transformers"} & sys.modules.keys()))
"""


def run(*command, **env) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env={**os.environ, **env}, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> pathlib.Path:
    """What `pip wheel .` makes in a build environment of its own: pip's, from PyPI. With the setting of
    `make python`, so that what that has compiled is not compiled again."""
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        SETTING,
        "-w",
        folder,
        ROOT,
        CXX=os.environ.get("CXX", "c++"),
    )
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def fresh(wheel, tmp_path_factory) -> pathlib.Path:
    """The scripts of a new environment with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", wheel, f"numpy=={np.__version__}")
    return folder / "bin"


@pytest.mark.parametrize("isa", ALL_ISAS)
def test_one_wheel_runs_on_every_instruction_set(fresh, isa):
    if isa not in isas():
        pytest.skip(f"no {isa} here")
    assert run(fresh / "python", "-I", "-c", USE, RSR_FORCE_ISA=isa) == f"{rsr.__version__} {isa} [ 1.  -1.5] []\n"


def test_the_command_comes_with_it(fresh):
    assert run(fresh / "rsr", "--version") == f"rsr {rsr.__version__}\n"
    answer = run(
        fresh / "rsr",
        "run",
        ROOT / "models" / "demo",
        "-p",
        "Write the numbers from 7 to 9 in words separated by commas only:",
    )
    assert answer == "seven, eight, nine\n"
    assert (SCRIPTS / "rsr").exists()


def test_the_wheel_needs_numpy_only(wheel):
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(file.read(name))
        names = {name for name in file.namelist() if not name.endswith(".py")}
    required = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert [re.match(r"[\w-]+", line)[0] for line in required] == ["numpy"]
    assert set(metadata.get_all("Provides-Extra")) == {"hf", "bench"} and metadata["License"] == "Apache-2.0"
    # The command and the module, and nothing of the library's headers, tests or archives.
    suffixes = sorted(pathlib.PurePath(name).name.split(".", 1)[-1] for name in names if ".dist-info/" not in name)
    assert suffixes == sorted(["pyi", "typed", sysconfig.get_config_var("EXT_SUFFIX")[1:], "rsr"])


def test_there_is_one_version():
    project = re.search(r"project\(rsr VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert rsr.__version__ == project
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"] == ["version"]


def test_types_of_the_package_are_right():
    """mypy finds nothing in the package, and errors in a file that uses it wrongly."""
    modules = [f"rsr.{path.stem}" for path in PACKAGE.glob("*.py") if path.stem not in ("__init__", "torch")]
    modules.append("rsr")
    out = run(
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-incremental",
        *(part for name in modules for part in ("-m", name)),
    )
    assert f"no issues found in {len(modules)} source files" in out
    wrong = """import rsr
rsr.load("x", thread=1)
rsr.TernaryMatrix([[1]]).rows + ""
[piece.upper() for piece in rsr.load("x").generate("y")]
"""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", "-c", wrong], capture_output=True, text=True
    )
    assert {int(line) for line in re.findall(r"^<string>:(\d+): error", done.stdout, re.MULTILINE)} == {2, 3, 4}


def test_all_names_are_documented():
    for name in rsr.__all__:
        assert getattr(rsr, name).__doc__, name
        public = (
            [part for part in vars(getattr(rsr, name)) if not part.startswith("_")]
            if isinstance(getattr(rsr, name), type)
            else []
        )
        for part in public:
            member = getattr(getattr(rsr, name), part)
            assert not callable(member) or member.__doc__, f"{name}.{part}"
