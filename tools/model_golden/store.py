"""Reading safetensors files and model directories with numpy alone."""

import json
from pathlib import Path

import numpy as np

DTYPES = {"U8": np.uint8, "F16": np.float16, "BF16": np.uint16, "F32": np.float32, "F64": np.float64}
INDEX = "model.safetensors.index.json"


def decode(data: bytes, dtype: str, shape: list[int]) -> np.ndarray:
    """Bytes of one tensor as an array of `shape`; BF16 becomes float32, the rest keeps its type."""
    array = np.frombuffer(data, DTYPES[dtype]).reshape(shape)
    if dtype == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array


def read_header(path: Path) -> tuple[dict, int]:
    """The JSON header of a safetensors file (without __metadata__) and where the data begin."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header, 8 + length


def read_file(path: Path) -> dict[str, np.ndarray]:
    """All tensors of one safetensors file by name."""
    header, start = read_header(path)
    data = path.read_bytes()[start:]
    return {
        name: decode(data[slice(*entry["data_offsets"])], entry["dtype"], entry["shape"])
        for name, entry in header.items()
    }


def weight_files(directory: Path) -> list[Path]:
    """The weight files of a model directory: model.safetensors, or the shards that the index names."""
    if (directory / "model.safetensors").exists():
        return [directory / "model.safetensors"]
    weight_map = json.loads((directory / INDEX).read_text())["weight_map"]
    return [directory / name for name in sorted(set(weight_map.values()))]


def read_model(directory: Path) -> dict[str, np.ndarray]:
    """All tensors of a model directory by name."""
    tensors = {}
    for path in weight_files(directory):
        tensors |= read_file(path)
    return tensors


def unpack(packed: np.ndarray) -> np.ndarray:
    """Packed ternary bytes [rows / 4, columns] as values -1, 0, 1 [rows, columns]; code 3 is refused."""
    codes = np.concatenate([(packed >> shift) & 3 for shift in (0, 2, 4, 6)])
    if (codes == 3).any():
        raise ValueError("code 3 in a packed tensor")
    return codes.astype(np.int8) - 1
