"""The model as Hugging Face transformers loads and runs it: float32, CPU, eager attention."""

import collections
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.integrations.bitnet import AutoBitLinear, BitLinear


class Library:
    """A loaded model directory that notes which linear classes ran."""

    def __init__(self, directory: Path):
        self.model, info = AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        wrong = {key: value for key, value in info.items() if value}
        if wrong:
            raise RuntimeError(f"{directory.name}: the library did not take the tensors as they are: {wrong}")
        # For AutoBitLinear offline the loader leaves embedding and norms in BF16 whatever dtype says, and
        # its own float() refuses quantised models. Widening the parameters changes no value.
        torch.nn.Module.float(self.model).eval()
        self.ran: dict[str, str] = {}
        for name, module in self.model.named_modules():
            if isinstance(module, (torch.nn.Linear, BitLinear)):
                module.register_forward_hook(self._note(name))

    def _note(self, name: str):
        """A hook that remembers the class of the module that ran."""

        def hook(module, inputs, output):
            self.ran[name] = type(module).__name__
            if output.dtype != torch.float32:
                raise RuntimeError(f"{name} ran in {output.dtype}")

        return hook

    @torch.inference_mode()
    def logits(self, ids: list[int]) -> np.ndarray:
        """Logits [tokens, vocab] in float32 of one pass over all tokens, without a cache."""
        return self.model(torch.tensor([ids]), use_cache=False).logits[0].numpy()

    @torch.inference_mode()
    def generate(self, ids: list[int], count: int) -> list[int]:
        """`count` greedy tokens after `ids`, by the library's own generate with its cache."""
        ids = torch.tensor([ids])
        output = self.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=count, pad_token_id=0
        )
        return output[0, ids.shape[1] :].tolist()

    def linear_classes(self) -> dict[str, int]:
        """How many linear modules of each class ran so far."""
        return dict(sorted(collections.Counter(self.ran.values()).items()))

    def check_classes(self, wanted: str, layers: int) -> None:
        """Raises unless all seven projections of every layer ran as `wanted` and the head alone is dense."""
        projections = {n: c for n, c in self.ran.items() if n != "lm_head"}
        if len(projections) != 7 * layers or set(projections.values()) != {wanted}:
            raise RuntimeError(f"expected {7 * layers} {wanted}, ran {self.linear_classes()}")
        if self.ran["lm_head"] != "Linear":
            raise RuntimeError("the head is not dense")
