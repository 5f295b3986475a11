"""What the tests of rsr.torch and rsr.hf share: transformers as they need it, and the golden models for it.

Import this before torch. transformers' own quantisation functions run as they are written, without a compiler in between;
and where this machine announces instructions that it does not have, oneDNN is kept from them.
"""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent / "golden" / "models"
TERNARY = {  # name: (kind of its layers, their number)
    "bitnet_packed": ("AutoBitLinear offline", 14),
    "bitnet_masters": ("AutoBitLinear online", 14),
    "bitlinear_llama3": ("BitLinear", 14),
    "bitlinear_head80": ("BitLinear", 14),
    "bitlinear_rms_norm": ("BitLinear", 14),
}
BF16_PROBE = "import torch; torch.ones(4, 64, dtype=torch.bfloat16) @ torch.ones(64, 64, dtype=torch.bfloat16)"


def _cap_onednn():
    """bf16 products in a process of their own, with fewer and fewer instructions until it lives."""
    for cap in (None, "AVX512_CORE_FP16", "AVX512_CORE", "AVX2"):
        environment = {**os.environ, **({"ONEDNN_MAX_CPU_ISA": cap} if cap else {})}
        if subprocess.run([sys.executable, "-c", BF16_PROBE], env=environment).returncode == 0:
            if cap:
                os.environ["ONEDNN_MAX_CPU_ISA"] = cap
            return
    raise RuntimeError("torch multiplies no bf16 matrices on this machine")


_cap_onednn()
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TORCHDYNAMO_DISABLE"] = "1"
import torch  # noqa: E402
import torch._dynamo.config  # noqa: E402
import transformers.integrations.bitnet  # noqa: E402, F401
import pytest  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402
from transformers.utils import logging  # noqa: E402

import rsr  # noqa: E402
import rsr.hf  # noqa: E402

# The library's decorators have been passed; the tests of torch.compile want it.
del os.environ["TORCHDYNAMO_DISABLE"]
torch._dynamo.config.disable = False
logging.set_verbosity_error()
logging.disable_progress_bar()


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny products on a machine that does other things too are no work for many threads. Import it to use it."""
    before = torch.get_num_threads(), rsr.default_context().threads
    torch.set_num_threads(1)
    rsr.set_threads(1)
    yield
    torch.set_num_threads(before[0])
    rsr.set_threads(before[1])


def golden(case):
    """golden.json of a model."""
    return json.loads((MODELS / case / "golden.json").read_text())


def library_model(case, dtype=torch.float32, directory=None):
    """The model as transformers loads and runs it."""
    model = AutoModelForCausalLM.from_pretrained(directory or MODELS / case, dtype=dtype, attn_implementation="eager")
    # The loader leaves embedding and norms of some as they are stored, whatever dtype says.
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    return model.eval()


def accelerated(model):
    """The same model on this engine's layers; any warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = rsr.hf.accelerate(model)
    assert report.replaced and not report.failed, str(report)
    return model


@torch.inference_mode()
def logits(model, ids, **kwargs):
    """Logits [tokens, vocab] as float32 of one pass over a list of ids, or [batch, tokens, vocab] of a tensor."""
    if isinstance(ids, list):
        return model(torch.tensor([ids]), use_cache=False, **kwargs).logits[0].float()
    return model(ids, use_cache=False, **kwargs).logits.float()


@torch.inference_mode()
def continuation(model, ids, count, **kwargs):
    """`count` tokens after a list of ids, by transformers' generate() with its cache; greedy if nothing else is said."""
    ids = torch.tensor([ids])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, pad_token_id=0, **{"do_sample": False, **kwargs}
    )
    return out[0, ids.shape[1] :].tolist()
