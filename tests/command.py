"""The command `rsr` for tests that want its bytes: run to its end, or started."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RSR = Path(os.environ.get("RSR_BUILD", "build/release")).resolve() / "rsr"
DEMO = ROOT / "models" / "demo"
PROMPT = "Write the numbers from one to ten in words separated by commas only:"


def rsr(*args, **options):
    """Run the command to its end."""
    options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
    command = [str(RSR), *map(str, args)]
    return subprocess.run(command, capture_output=True, timeout=300, **options)


def run_demo(*args, **options):
    """`rsr run` on the demo model with the usual prompt."""
    return rsr("run", DEMO, "-p", PROMPT, *args, **options)


def edit_json(path, **changes):
    """Change keys of a JSON file; None removes one."""
    content = json.loads(path.read_text())
    content.update(changes)
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def start(*args, **options):
    """Start the command without waiting for it."""
    command = [str(RSR), *map(str, args)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)


def assert_fails(done, *parts):
    """Exit code 1, nothing on standard output, one line that holds all parts."""
    assert done.returncode == 1
    assert done.stdout == b""
    message = done.stderr.decode()
    assert message.startswith("error: ") and message.count("\n") == 1
    for part in parts:
        assert part in message
