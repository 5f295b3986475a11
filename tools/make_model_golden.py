"""Write tests/golden/models: tiny random models and what Hugging Face transformers computes with them.

    pip install -r tools/model_golden/requirements.txt
    python tools/make_model_golden.py [--out DIRECTORY] [CASE ...]

tests/golden/models/README.md describes the result. Everything is seeded; model files are equal on
every machine, logits up to float32 noise.
"""

import argparse
import json
import logging
import os
import shutil
import warnings
from importlib.metadata import version
from pathlib import Path

# The library's quantisation functions run as they are written, without a compiler in between.
os.environ["TORCHDYNAMO_DISABLE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from transformers.utils import logging as library_logging  # noqa: E402

from model_golden import tokenizer as tiny_tokenizer  # noqa: E402
from model_golden.cases import CASES, Case  # noqa: E402
from model_golden.draw import Drawer, Prompt  # noqa: E402
from model_golden.library import Library  # noqa: E402
from model_golden.reference import Reference  # noqa: E402
from model_golden.store import INDEX  # noqa: E402
from model_golden.tolerance import Tolerance, calibrate  # noqa: E402
from model_golden.weights import Maker  # noqa: E402

OUT = Path(__file__).resolve().parent.parent / "tests/golden/models"
PACKAGES = ("accelerate", "numpy", "safetensors", "tokenizers", "torch", "transformers")
PROMPTS = ((5, 16), (21, 16))  # tokens of the prompt and of its continuation
EXACT_LENGTH = 4  # tokens of the last prompt, none of whose roundings is near a tie
NOT_NONE = {"bos_token_id", "rope_scaling", "num_key_value_heads"}  # keys that a config may hold as null


def write_json(path: Path, value: dict) -> None:
    """Writes JSON as Hugging Face does: two spaces, a newline at the end."""
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_config(path: Path, config: dict) -> None:
    """Writes a config.json; keys set to None are left out unless files of real models have them as null."""
    write_json(path, {k: v for k, v in sorted(config.items()) if v is not None or k in NOT_NONE})


def write_weights(directory: Path, tensors: dict[str, torch.Tensor], shards: int) -> None:
    """Writes model.safetensors, or shards of about equal counts of tensors with their index."""
    metadata = {"format": "pt"}
    if shards == 1:
        save_file(tensors, directory / "model.safetensors", metadata)
        return
    names = list(tensors)
    weight_map = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = names[shard * len(names) // shards : (shard + 1) * len(names) // shards]
        save_file({name: tensors[name] for name in part}, directory / file, metadata)
        weight_map |= {name: file for name in part}
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    write_json(directory / INDEX, {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))})


def write_model(case: Case, directory: Path) -> Tokenizer | None:
    """Writes the model directory; returns its tokenizer if it has one."""
    write_config(directory / "config.json", case.config)
    for name, changes in case.alternatives.items():
        write_config(directory / name, case.config | changes)
    generation = {"bos_token_id": case.config["bos_token_id"], "do_sample": False, "eos_token_id": case.eos}
    write_json(directory / "generation_config.json", {k: v for k, v in generation.items() if v is not None})
    write_weights(directory, Maker(case).make(), case.shards)
    if not case.tokenizer:
        return None
    tokenizer = tiny_tokenizer.train()
    tiny_tokenizer.write(tokenizer, directory)
    return tokenizer


def stored_positions(prompt: Prompt) -> list[int]:
    """Positions whose logits are stored: early ones, both sides of the prompt's end, and the last."""
    end, last = len(prompt.ids), len(prompt.logits) - 1
    return sorted({p for p in (0, 1, 2, end // 2, end - 1, end, end + 8, last) if p <= last})


def check_alternatives(case: Case, directory: Path, prompts: list[Prompt]) -> None:
    """Raises unless every alternative config gives exactly the same logits."""
    for name in case.alternatives:
        copy = directory / "alternative"
        shutil.copytree(directory, copy)
        shutil.copy(directory / name, copy / "config.json")
        library = Library(copy)
        shutil.rmtree(copy)
        for prompt in prompts:
            if not np.array_equal(library.logits(prompt.ids + prompt.continuation), prompt.logits):
                raise RuntimeError(f"{name} does not describe the same model")


def describe_prompt(index: int, prompt: Prompt, tolerance: Tolerance, tokenizer: Tokenizer | None) -> dict:
    """The entry of one prompt in golden.json."""
    positions = stored_positions(prompt)
    entry = {"ids": prompt.ids, "continuation": prompt.continuation, "smallest_gap": prompt.smallest_gap,
             "positions": positions, "tolerances": [tolerance.at(prompt.ties[p]) for p in positions],
             "logits": f"logits.{index}", "redraws": prompt.redraws}  # fmt: skip
    if prompt.text is not None:
        entry |= {"text": prompt.text, "continuation_text": tokenizer.decode(prompt.continuation)}
    return entry


def make_case(case: Case, out: Path) -> dict:
    """Writes one case; returns its golden.json."""
    directory = out / case.name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    tokenizer = write_model(case, directory)
    exact, single, library = Reference(directory), Reference(directory, np.float32), Library(directory)
    tolerance = calibrate(exact, single, library, np.random.default_rng(case.seed + 10000))
    library.check_classes(case.linear, case.config["num_hidden_layers"])
    drawer = Drawer(case, library, exact, tolerance, tokenizer)
    prompts = [drawer.draw(length, count) for length, count in PROMPTS]
    prompts.append(drawer.draw_exact(EXACT_LENGTH))
    check_alternatives(case, directory, prompts)
    golden = {
        "about": case.about, "seed": case.seed, "versions": {name: version(name) for name in PACKAGES},
        "linear_classes": library.linear_classes(), "alternative_configs": sorted(case.alternatives),
        "tolerance": vars(tolerance),
        "prompts": [describe_prompt(i, p, tolerance, tokenizer) for i, p in enumerate(prompts)],
    }  # fmt: skip
    write_json(directory / "golden.json", golden)
    rows = {f"logits.{i}": torch.from_numpy(p.logits[stored_positions(p)]) for i, p in enumerate(prompts)}
    save_file(rows, directory / "golden.safetensors")
    return golden | {"logit_deviation": float(np.concatenate([p.logits for p in prompts]).std())}


def main() -> None:
    """Parses the options and writes the cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases (default: all)")
    args = parser.parse_args()
    unknown = set(args.cases) - {case.name for case in CASES}
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    library_logging.set_verbosity(logging.ERROR)
    library_logging.disable_progress_bar()
    warnings.simplefilter("ignore", FutureWarning)
    for case in CASES:
        if args.cases and case.name not in args.cases:
            continue
        golden = make_case(case, args.out)
        size = sum(file.stat().st_size for file in (args.out / case.name).iterdir())
        tolerance, redraws = golden["tolerance"], [p["redraws"] for p in golden["prompts"]]
        print(f"{case.name}: {size / 1024:.1f} KiB, logit deviation {golden['logit_deviation']:.2f}, "
              f"tolerance {tolerance['exact']:.1e} / {tolerance['flipped']:.1e}, redraws {redraws}", flush=True)


if __name__ == "__main__":
    main()
