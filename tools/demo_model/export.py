"""Write the model directory from a training checkpoint, and check it by reading it back."""

import argparse
from pathlib import Path

import torch

from model import BitNet, ModelConfig, ternary, weight_scale
from packing import read_model, write_model


def load_checkpoint(path: Path) -> tuple[BitNet, dict]:
    """The model with its master weights, and the whole checkpoint."""
    state = torch.load(path, weights_only=False)
    net = BitNet(ModelConfig(**state["config"]))
    net.load_state_dict(state["model"])
    return net, state


def check(net: BitNet, directory: Path) -> None:
    """Fail unless the directory holds exactly the ternary values and scales of `net`."""
    written = read_model(directory).bit_linears()
    for name, module in net.bit_linears().items():
        scale = weight_scale(module.weight)
        same = torch.equal(written[name].weight, ternary(module.weight, scale))
        if not same or written[name].frozen_scale.item() != scale.item():
            raise RuntimeError(f"{name} does not survive the file")


def summary(net: BitNet, directory: Path) -> str:
    """One line on parameters, zeros and bytes."""
    matrices = [ternary(m.weight, weight_scale(m.weight)) for m in net.bit_linears().values()]
    count = sum(m.numel() for m in matrices)
    zeros = sum(int((m == 0).sum()) for m in matrices) / count
    total = sum(p.numel() for p in net.parameters())
    size = sum(f.stat().st_size for f in directory.iterdir())
    return f"{total} parameters, {count} ternary ({zeros:.1%} zero), directory {size} bytes"


@torch.no_grad()
def main() -> None:
    """Parse the options and export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="model directory that holds the tokenizer")
    args = parser.parse_args()
    net, state = load_checkpoint(args.checkpoint)
    write_model(net, args.out)
    check(net, args.out)
    print(f"step {state['step']}, {state['tokens']} tokens, {state['seconds']:.0f} s: {summary(net, args.out)}")


if __name__ == "__main__":
    main()
