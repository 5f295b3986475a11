"""One backend, measured in a process of its own: `python -m rsr.bench.hf_child TASK`, TASK and result being JSON.

The result is the last line on standard output.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
import warnings


def _rss() -> int:
    """Bytes of this process in main memory now, mapped files included."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _peak_rss() -> int:
    """The most of these that this process ever had. Not getrusage(): that has the peak of what started it, too."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


class Clock:
    """A streamer for generate() that notes when tokens come; the first call brings the prompt."""

    def __init__(self):
        self.times: list[float] = []

    def put(self, value) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        pass


class Library:
    """A model that transformers runs, its ternary layers its own or this engine's."""

    @staticmethod
    def load_packages() -> None:
        """Time and memory of these are not the model's."""
        import torch  # noqa: F401
        import transformers.integrations.bitnet  # noqa: F401

        import rsr.hf  # noqa: F401

    def __init__(self, task: dict):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        warnings.simplefilter("ignore")
        torch.set_num_threads(task["threads"])
        self.torch, self.note = torch, ""
        if task["backend"] == "rsr":
            self.model = self._ours(task, AutoModelForCausalLM)
        else:
            dtype = getattr(torch, {"bf16": "bfloat16", "fp32": "float32"}[task["dtype"]])
            self.model = AutoModelForCausalLM.from_pretrained(task["model"], dtype=dtype)
            # Embedding and norms, which the loader leaves as they were stored with some layers.
            for parameter in self.model.parameters():
                parameter.data = parameter.data.to(dtype)
            if task["form"] == "unpacked once":
                from rsr.bench.unpacked import unpack_once

                unpack_once(self.model)
        self.model.eval().to(task["device"]).generation_config.eos_token_id = None
        tokenizer = AutoTokenizer.from_pretrained(task["model"])
        self.ids = tokenizer(task["prompt"], return_tensors="pt").input_ids.to(task["device"])
        self.prompt_tokens = self.ids.shape[1]
        self.new_tokens = task["new_tokens"]

    def _ours(self, task: dict, auto):
        import rsr
        import rsr.hf

        rsr.set_threads(task["threads"])
        if os.path.exists(os.path.join(task["model"], "model.rsr.safetensors")):
            return rsr.hf.load(task["model"])
        model = auto.from_pretrained(task["model"])
        best_k = rsr.bench.BestK.load(task["best_k"]) if task["best_k"] else None
        report = rsr.hf.accelerate(model, best_k=best_k, **task["options"])
        if not report.replaced or report.failed:
            raise RuntimeError(str(report))
        self.note = report.replaced[0].format
        return model

    def _now(self) -> float:
        """When all that was asked of the device is done."""
        if self.ids.is_cuda:
            self.torch.cuda.synchronize(self.ids.device)
        return time.perf_counter()

    def run(self) -> dict:
        """One answer: seconds of the prompt's pass and up to the first token, tokens a second after it."""
        passes: list[float] = []
        clock = Clock()

        def note_prompt(*_) -> None:  # and nothing later, for which a device would have to be waited for
            if len(passes) < 2:
                passes.append(self._now())

        before = self.model.register_forward_pre_hook(note_prompt)
        after = self.model.register_forward_hook(note_prompt)
        start = time.perf_counter()
        with self.torch.inference_mode():
            self.model.generate(
                self.ids, attention_mask=self.torch.ones_like(self.ids), max_new_tokens=self.new_tokens,
                do_sample=False, streamer=clock, pad_token_id=0,
            )  # fmt: skip
        before.remove()
        after.remove()
        tokens = clock.times[1:]
        decode = (len(tokens) - 1) / (tokens[-1] - tokens[0])
        return {"prefill_s": passes[1] - passes[0], "ttft_s": tokens[0] - start, "decode_tok_s": decode}


class Engine:
    """The engine's own runtime."""

    @staticmethod
    def load_packages() -> None:
        """Time and memory of these are not the model's."""
        import rsr  # noqa: F401

    def __init__(self, task: dict):
        import rsr

        self.model, self.note = rsr.load(task["model"], threads=task["threads"], device=task["device"]), ""
        self.prompt, self.new_tokens, self.prompt_tokens = task["prompt"], task["new_tokens"], 0

    def run(self) -> dict:
        """One answer, as Library.run(); tokens a second as the engine counts them, behind the prompt's pass."""
        start = time.perf_counter()
        stream = self.model.generate(
            self.prompt, stream=True, raw=True, ignore_eos=True, temperature=0, max_tokens=self.new_tokens
        )
        first = None
        for piece in stream:
            if piece and first is None:
                first = time.perf_counter() - start
        stats = stream.stats
        self.prompt_tokens = stats.prompt_tokens
        return {"prefill_s": stats.prompt_seconds, "ttft_s": first or stats.prompt_seconds,
                "decode_tok_s": stats.decode_steps / stats.decode_seconds}  # fmt: skip


def measure(task: dict) -> dict:
    """The record of a task: medians over repeats, behind warm-up runs."""
    kind = Engine if task["backend"] == "rsr-engine" else Library
    kind.load_packages()
    before, start = _rss(), time.perf_counter()
    subject = kind(task)
    record = {"load_s": time.perf_counter() - start, "packages_bytes": before, "rss_bytes": _rss()}
    for _ in range(task["warmup"]):
        subject.run()
    runs = [subject.run() for _ in range(task["repeats"])]
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    speeds = [run["decode_tok_s"] for run in runs]
    return record | {
        "prompt_tokens": subject.prompt_tokens, "new_tokens": subject.new_tokens,
        "prefill_tok_s": subject.prompt_tokens / middle["prefill_s"], "ttft_s": middle["ttft_s"],
        "decode_tok_s": middle["decode_tok_s"], "decode_min": min(speeds), "decode_max": max(speeds),
        "peak_rss_bytes": _peak_rss(), "note": subject.note,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
