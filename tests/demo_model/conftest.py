"""The tests of tools/demo_model import its scripts as those import each other: by file name."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools" / "demo_model"))
