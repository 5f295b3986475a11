#!/usr/bin/env python3
"""torch's linear layer in bfloat16 on a GPU (or, for tests, on the CPU): one product inside a graph, as
`rsr bench matvec --device cuda` measures its own. Prints records as the other rivals do; --threads and --pin
mean nothing here."""

import argparse
import json
import statistics
import sys
import time

GRAPH_PRODUCTS = 256  # at least, in a graph
TOLERANCE = 2e-2  # of the largest result: inputs and results are bfloat16


def parse(given=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--variant", default="bf16", choices=("bf16",))
    parser.add_argument("--bits", default="ternary", choices=("ternary", "binary"))
    for name in ("rows", "cols", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cold-bytes", type=int, default=0, help="(default: twice the second cache)")
    parser.add_argument("--pin", action="store_true")
    return parser.parse_args(given)


def operands(options, torch):
    """Weights [rows, cols] and vectors [batch, cols] in bfloat16."""
    random = torch.Generator().manual_seed(1)
    low = 0 if options.bits == "binary" else -1
    w = torch.randint(low, 2, (options.rows, options.cols), generator=random)
    x = torch.randn(options.batch, options.cols, generator=random)
    return w.to(options.device, torch.bfloat16), x.to(options.device, torch.bfloat16)


def check(y, w, x) -> None:
    """Raises when results are not W x, by sums in double."""
    wanted = x.double().cpu() @ w.double().cpu().T
    off = (y.double().cpu() - wanted).abs().max()
    if not off <= TOLERANCE * wanted.abs().max():
        raise RuntimeError(f"results are off by {off:.3g}")


def times(options, torch, weights, x) -> list[float]:
    """Nanoseconds of a product, `repeats` times: all copies of the weights in turn, inside one graph."""
    linear = torch.nn.functional.linear
    rounds = -(-GRAPH_PRODUCTS // len(weights))

    def ask():
        for w in weights * rounds:
            linear(x, w)

    count = rounds * len(weights)
    if options.device == "cpu":
        found = []
        for _ in range(options.repeats):
            begin = time.perf_counter_ns()
            ask()
            found.append((time.perf_counter_ns() - begin) / count)
        return found
    ask()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        ask()
    found = []
    for _ in range(options.repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        found.append(begin.elapsed_time(end) * 1e6 / count)
    return found


def measure(options, torch) -> list[dict]:
    """The records: weights cold, then warm."""
    w, x = operands(options, torch)
    with torch.inference_mode():
        check(torch.nn.functional.linear(x, w), w, x)
        nbytes = w.numel() * w.element_size()
        cold_bytes = options.cold_bytes
        if not cold_bytes:
            cold_bytes = 2 * torch.cuda.get_device_properties(0).L2_cache_size
        copies = [w] + [w.clone() for _ in range(-(-cold_bytes // nbytes))]
        records = []
        for cold, weights in ((True, copies), (False, [w])):
            ns = times(options, torch, weights, x)
            records.append({
                "op": "matvec", "bits": options.bits, "activation": "bf16", "algorithm": "", "rows": options.rows,
                "cols": options.cols, "batch": options.batch, "threads": 0, "device": options.device, "cold": cold,
                "rival": "torch-bf16", "kernel": "linear", "bytes": nbytes, "median_ns": statistics.median(ns),
                "min_ns": min(ns), "max_ns": max(ns), "repeats": options.repeats, "error": "",
            })  # fmt: skip
    return records


def main(given=None) -> int:
    options = parse(given)
    try:
        import torch

        print(json.dumps(measure(options, torch)))
    except (ImportError, RuntimeError, AssertionError) as problem:
        print(f"error: {(str(problem).strip().splitlines() or [type(problem).__name__])[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
