"""Prepared models and transformers: `rsr.hf.prepare` and `rsr.hf.load`."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, GenerationConfig, PreTrainedModel

import rsr
from rsr.hf.layers import TernaryLinear
from rsr.hf.quantizer import RsrConfig, Vacant

WEIGHTS = "model.rsr.safetensors"
CONTAINER = "1"  # the version that docs/prepared_models.md describes
PACKED = ".rsr_weight"


class PreparedFile:
    """The tensors of a model.rsr.safetensors; nothing is read before it is asked for.

    Errors: FileNotFoundError; ValueError for a file of another kind or version.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = os.fspath(path)
        try:
            self._file = safe_open(self.path, "pt")
        except SafetensorError as error:
            raise ValueError(f"{self.path}: {error}") from error
        version = (self._file.metadata() or {}).get("rsr.container")
        if version != CONTAINER:
            raise ValueError(f"{self.path}: a container of version {version}, this reads {CONTAINER}: prepare it again")
        names = [name for name in self._file.keys() if not name.startswith("rsr.")]
        self.packed = [name.removesuffix(PACKED) for name in names if name.endswith(PACKED)]
        self.dense = [name for name in names if not name.endswith(PACKED)]

    def dense_tensors(self) -> dict[str, torch.Tensor]:
        """Embedding, head, norms and dense layers by their names; they lie in the mapped file."""
        return {name: self._file.get_tensor(name) for name in self.dense}

    def layer(self, name: str, place: Vacant, config: RsrConfig) -> TernaryLinear:
        """The packed layer of this name, for its place in a model."""
        try:
            matrix = rsr.TernaryMatrix.from_bytes(self._file.get_tensor(name + PACKED).numpy())
        except rsr.RsrError as error:
            raise ValueError(f"{self.path}: {name}: {error}") from error
        if matrix.shape != place.shape:
            raise ValueError(f"{self.path}: {name} is {matrix.shape}, the model's config asks for {place.shape}")
        return TernaryLinear(
            matrix, rms_norm=place.rms_norm, quantise=config.quantise, nonfinite=config.nonfinite
        ).eval()


def prepare(model: str | os.PathLike, out: str | os.PathLike, **options):
    """Makes `out` a prepared model of a directory or an id of the hub: packed once, then loaded at once.

    Config, tokenizer, chat templates, generation config, model card and licence go along, so that
    AutoTokenizer.from_pretrained(out), rsr.hf.load(out) and rsr.load(out) need nothing else. `options` and the
    result are those of rsr.prepare: isa, threads, replace, progress.
    """
    return rsr.prepare(model, out, **options)


def _packed_config(config, weights: Path, nonfinite: str) -> RsrConfig:
    """How the packed layers of a model with this config.json compute."""
    original = getattr(config, "quantization_config", None) or {}
    original = original if isinstance(original, dict) else original.to_dict()
    return RsrConfig(
        weights=os.fspath(weights),
        # Weights that are ternary without a quantisation config, as TriLM's, take inputs as they are.
        quantise=original.get("quant_method") == "bitnet",
        use_rms_norm=original.get("use_rms_norm", False),
        rms_norm_eps=original.get("rms_norm_eps", 1e-6),
        nonfinite=nonfinite,
    )


def load(
    prepared: str | os.PathLike, *, dtype: torch.dtype | str = "auto", nonfinite: str = "propagate", **kwargs
) -> PreTrainedModel:
    """A transformers model of a prepared directory, for inference on the CPU: ternary layers run on this engine.

    Packed layers are never unpacked: no float weight of them exists at any time. Embedding, head and norms are tensors
    of `dtype` ("auto": that of config.json) as transformers loads them. generate(), streamers, chat templates
    (AutoTokenizer.from_pretrained(prepared)) and batches work as usual. `kwargs` go to from_pretrained(), such as
    attn_implementation. For full speed, without transformers: rsr.load(prepared).

    A model that was prepared for other instructions is packed anew in memory, with a warning.

    Errors: FileNotFoundError for a directory that is not prepared; ValueError for a damaged file, or one that does
    not suit its config.json.
    """
    directory = Path(prepared)
    if not (directory / WEIGHTS).is_file():
        raise FileNotFoundError(f"{directory}: no {WEIGHTS}; make a prepared model with rsr.hf.prepare()")
    config = AutoConfig.from_pretrained(directory)
    config.quantization_config = _packed_config(config, directory / WEIGHTS, nonfinite).to_dict()
    if (directory / "generation_config.json").is_file():
        kwargs.setdefault("generation_config", GenerationConfig.from_pretrained(directory))
    model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    model, found = model_class.from_pretrained(
        None, config=config, state_dict=PreparedFile(directory / WEIGHTS).dense_tensors(), dtype=dtype,
        output_loading_info=True, ignore_mismatched_sizes=True, **kwargs,
    )  # fmt: skip
    wrong = {what: sorted(map(str, names)) for what, names in found.items() if names}
    if wrong:
        raise ValueError(f"{directory}: {WEIGHTS} does not suit config.json: {wrong}")
    model.config.name_or_path = os.fspath(directory)
    notices = {module.matrix.notice for module in model.modules() if isinstance(module, TernaryLinear)} - {""}
    if notices:
        warnings.warn(f"{directory}: {'; '.join(sorted(notices))}", RuntimeWarning, stacklevel=2)
    return model
