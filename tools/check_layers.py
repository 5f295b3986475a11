#!/usr/bin/env python3
"""Checks who includes whom: the layer rule of HACKING.md, and the rule of instruction-set files.

A room (a folder of src/) may include its own headers, the public headers in include/rsr, and the
rooms listed for it below. Files that are compiled with instruction-set flags may include nothing but
intrinsics, <cstdint>, <cstddef>, their own operation's header, and headers that such files share. Prints each offence as
"file:line: what is wrong" and exits with 1 when there is any.
"""

import pathlib
import re
import sys

_BASE = {"base"}
_MATRIX = _BASE | {"matrix"}
_SEGMENT = _MATRIX | {"segment"}
_KERNELS = _SEGMENT | {"kernels"}
_CUDA = _KERNELS | {"cuda"}
_LINEAR = _CUDA | {"linear"}
_MODEL = _LINEAR | {"io", "model"}
_ENGINE = _MODEL | {"text", "engine"}

ALLOWED = {
    "base": _BASE,
    "matrix": _MATRIX,
    "segment": _SEGMENT,
    "kernels": _KERNELS,
    "cuda": _CUDA,
    "linear": _LINEAR,
    "io": _MATRIX | {"io"},
    "text": _BASE | {"text"},
    "model": _MODEL,
    "engine": _ENGINE,
    "cli": _ENGINE | {"cli"},
    "python": _ENGINE | {"python"},
}

ISA_FILE = re.compile(r"^(avx|amx|sse|neon|blocks|bytes|floats|gathers|pairs|repeat)\w*\.(cc|h)$")
ISA_HEADER = re.compile(r"^kernels/(\w+/)?(avx|amx|blocks|bytes|floats|gathers|pairs|repeat)\w*\.h$")
ISA_MAY_INCLUDE = re.compile(r"^(immintrin\.h|cstdint|cstddef)$")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def check_include(path: pathlib.Path, room: str, quote: str, target: str) -> str | None:
    """The offence of one #include line in a file of `room`, or None."""
    if room == "kernels" and ISA_FILE.match(path.name):
        own = f"{room}/{path.parent.name}/{path.parent.name}.h"
        if target != own and not ISA_HEADER.match(target) and not ISA_MAY_INCLUDE.match(target):
            return f"an instruction-set file must not include {target}"
    if quote == "<":
        return None
    if target.startswith("rsr/"):
        return None
    other = target.split("/")[0]
    if "/" not in target or other not in ALLOWED:
        return f'include "{target}" does not name a room; write it as room/file.h'
    if other not in ALLOWED[room]:
        return f"{room} must not include {other} ({target})"
    return None


def check_tree(root: pathlib.Path) -> list[str]:
    """All offences below root/src, as printable lines."""
    offences = []
    for path in sorted(root.glob("src/**/*")):
        if path.suffix not in (".h", ".cc", ".inc", ".cu", ".cuh"):
            continue
        room = path.relative_to(root / "src").parts[0]
        if room not in ALLOWED:
            offences.append(f"{path.relative_to(root)}:1: folder {room} is no room of the plan")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            problem = match and check_include(path, room, match[1], match[2])
            if problem:
                offences.append(f"{path.relative_to(root)}:{number}: {problem}")
    return offences


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    offences = check_tree(root)
    print("\n".join(offences))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
