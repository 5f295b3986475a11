# %% [markdown]
# # Hugging Face models on RSR
#
# Run it from the repository's root, as a script or cell by cell: `python examples/python/huggingface.py`. The model is the
# one that the repository holds; an id of the hub, such as "microsoft/bitnet-b1.58-2B-4T", works alike.

# %%
import tempfile
import threading
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

import rsr
import rsr.hf
import rsr.torch

MODEL = "models/demo"
QUESTIONS = ["Write the numbers from one to ten in words separated by commas only:",
             "Write the numbers from 7 to 12 in words separated by commas only:"]  # fmt: skip

# %% [markdown]
# ## One extra line
#
# The model is loaded as always. `accelerate` exchanges its ternary layers, and tells what it did.

# %%
tokenizer = AutoTokenizer.from_pretrained(MODEL, padding_side="left")
model = AutoModelForCausalLM.from_pretrained(MODEL)
print(rsr.hf.accelerate(model))


# %%
def chat(questions):
    """The inputs of a batch of questions, by the model's own chat template."""
    turns = [[{"role": "user", "content": question}] for question in questions]
    inputs = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    return {name: inputs[name] for name in ("input_ids", "attention_mask")}


inputs = chat(QUESTIONS)
answers = model.generate(**inputs, max_new_tokens=60)[:, inputs["input_ids"].shape[1] :]
print(tokenizer.batch_decode(answers, skip_special_tokens=True))

# %% [markdown]
# Streamers work as usual, too.

# %%
streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
options = {**chat(QUESTIONS[:1]), "streamer": streamer, "max_new_tokens": 60}
threading.Thread(target=model.generate, kwargs=options).start()
for piece in streamer:
    print(piece, end="", flush=True)
print()

# %% [markdown]
# ## Prepared once, loaded at once
#
# A prepared model is packed already, and has tokenizer and generation config with it. transformers loads it without ever
# unpacking a layer; the engine's own runtime opens the same directory, and is the fastest of all.

# %%
prepared = Path(tempfile.mkdtemp()) / "demo.rsr"
print(rsr.hf.prepare(MODEL, prepared))
model = rsr.hf.load(prepared)
answer = model.generate(**chat(QUESTIONS[1:]), max_new_tokens=60)[0]
print(tokenizer.decode(answer, skip_special_tokens=True))

# %%
for piece in rsr.load(prepared).generate(QUESTIONS[1], stream=True):
    print(piece, end="", flush=True)
print()

# %% [markdown]
# ## Layers of your own
#
# `rsr.torch.Linear` is a layer over any ternary or binary matrix. Here it takes the place of a dense layer whose weights
# the absmean rule makes ternary; `torch.compile` sees one operation.

# %%
dense = torch.nn.Linear(512, 256)
matrix = rsr.TernaryMatrix.from_floats(dense.weight)
layer = rsr.torch.Linear(matrix, dense.bias, quantise=True)
print(layer)
block = torch.compile(torch.nn.Sequential(layer, torch.nn.ReLU()), fullgraph=True, backend="eager")
x = torch.randn(2, 3, 512)
with torch.no_grad():
    y = block(x)
print(y.shape, y.dtype)

# %% [markdown]
# What it computes, in NumPy: the values and their scale, inputs rounded to int8 vector by vector.

# %%
scale = np.float32(np.abs(dense.weight.detach().numpy()).mean(dtype=np.float64))
values = np.clip(np.rint(dense.weight.detach().numpy() * (1 / scale)), -1, 1)
act_scale = 127 / np.abs(x.numpy()).max(-1, keepdims=True)
by_hand = np.rint(x.numpy() * act_scale) @ values.T / act_scale * scale + dense.bias.detach().numpy()
print("largest difference:", np.abs(np.maximum(by_hand, 0) - y.numpy()).max())
