"""Hugging Face transformers with their ternary layers on this engine.

    model = AutoModelForCausalLM.from_pretrained("microsoft/bitnet-b1.58-2B-4T")
    print(rsr.hf.accelerate(model))     # in place; then model.generate() as usual

    rsr.hf.prepare("microsoft/bitnet-b1.58-2B-4T", "bitnet.rsr")     # once
    model = rsr.hf.load("bitnet.rsr")                                # at once
"""

try:
    import torch  # noqa: F401
    import transformers  # noqa: F401
except ImportError as missing:
    raise ImportError(f"rsr.hf needs torch and transformers ({missing}): pip install 'rsr[hf]'") from missing

from rsr.hf.prepared import load, prepare
from rsr.hf.replace import accelerate
from rsr.hf.report import Kept, Replaced, Report

__all__ = ["Kept", "Replaced", "Report", "accelerate", "load", "prepare"]
