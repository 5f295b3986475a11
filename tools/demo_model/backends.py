"""Three ways to answer a prompt greedily: this folder's model, Transformers, the rsr binary."""

import os
import subprocess
from pathlib import Path
from typing import Protocol

MAX_NEW_TOKENS = 400  # the longest answer has fewer
RSR_TIMEOUT_SECONDS = 120


class Backend(Protocol):
    """Anything that turns a user's message into the answer's text."""

    def answer(self, prompt: str) -> str: ...


class TorchBackend:
    """The exported directory in model.py, one token at a time with a cache, fp32."""

    def __init__(self, directory: Path):
        from encoder import Encoder
        from packing import read_model

        self.net = read_model(directory)
        self.encoder = Encoder(directory / "tokenizer.json")

    def answer(self, prompt: str) -> str:
        import torch

        ids, out, cache = self.encoder.prompt(prompt), [], None
        with torch.inference_mode():
            while len(out) < MAX_NEW_TOKENS:
                logits, cache = self.net(torch.tensor([ids]), cache)
                ids = [int(logits[0, -1].argmax())]
                if ids[0] == self.encoder.end_id:
                    break
                out += ids
        return self.encoder.tokenizer.decode(out)


class TransformersBackend:
    """The exported directory in Hugging Face Transformers, fp32, with its own chat template."""

    def __init__(self, directory: Path):
        os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # no compiler needed, same arithmetic
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        self.model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
        for parameter in self.model.parameters():  # embedding and norms stay BF16 despite dtype=
            parameter.data = parameter.data.float()

    def answer(self, prompt: str) -> str:
        messages = [{"role": "user", "content": prompt}]
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        inputs = self.tokenizer(text, add_special_tokens=True, return_tensors="pt")
        ids = self.model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
        return self.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


class RsrBackend:
    """The engine's command line; its standard output is the answer and one newline."""

    def __init__(self, directory: Path, binary: Path):
        self.command = [str(binary), "run", str(directory), "-p"]

    def answer(self, prompt: str) -> str:
        done = subprocess.run(
            [*self.command, prompt], capture_output=True, text=True, timeout=RSR_TIMEOUT_SECONDS, check=False
        )
        if done.returncode:
            raise RuntimeError(f"rsr exited with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout.removesuffix("\n")


NAMES = ("torch", "transformers", "rsr")


def make_backend(name: str, directory: Path, binary: Path | None = None) -> Backend:
    """The backend of this name; "rsr" needs the path of the binary."""
    if name == "torch":
        return TorchBackend(directory)
    if name == "transformers":
        return TransformersBackend(directory)
    if binary is None:
        raise SystemExit("the rsr backend needs --rsr PATH")
    return RsrBackend(directory, binary)
