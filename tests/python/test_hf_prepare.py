"""rsr.hf.prepare and rsr.hf.load: prepared models under transformers."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from hf_models import MODELS, TERNARY, accelerated, continuation, golden, library_model, logits, one_thread  # noqa: F401
from safetensors import safe_open
from transformers import AutoTokenizer, TextStreamer

import rsr
import rsr.hf
from rsr.hf.layers import TernaryLinear

CASES = [*TERNARY, "trilm", "dense_bf16", "bitlinear_sharded", "bitlinear_head20"]
WEIGHTS = "model.rsr.safetensors"
DEMO = MODELS.parent.parent.parent / "models" / "demo"


@pytest.fixture(scope="module", name="source")
def source_of_a_case(tmp_path_factory):
    """A golden model with a tokenizer, which some lack and a prepared model must have."""

    def get(case):
        directory = MODELS / case
        if not (directory / "tokenizer.json").exists():
            directory = tmp_path_factory.getbasetemp() / f"source-{case}"
            if not directory.exists():
                shutil.copytree(MODELS / case, directory)
                for name in ("tokenizer.json", "tokenizer_config.json"):
                    shutil.copy(MODELS / "bitnet_packed" / name, directory)
        return directory

    return get


@pytest.fixture(scope="module", name="prepared")
def prepared_case(tmp_path_factory, source):
    """The prepared directory of a case."""

    def get(case):
        directory = tmp_path_factory.getbasetemp() / f"prepared-{case}"
        if not directory.exists():
            rsr.hf.prepare(source(case), directory)
        return directory

    return get


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", CASES)
def test_a_loaded_model_is_the_accelerated_one(case, dtype, prepared):
    ours = rsr.hf.load(prepared(case), dtype=dtype, attn_implementation="eager")
    theirs = library_model(case, dtype)
    other = accelerated(theirs) if case in TERNARY else theirs
    for prompt in golden(case)["prompts"]:
        ids = prompt["ids"] + prompt["continuation"]
        found, wanted = logits(ours, ids), logits(other, ids)
        if case in TERNARY or case.startswith("dense"):
            assert found.equal(wanted)
        elif dtype == torch.float32:
            limits = torch.tensor(prompt["tolerances"])
            assert ((found - wanted).abs().amax(-1)[prompt["positions"]] <= limits).all()
        if prompt["continuation"]:
            assert continuation(ours, prompt["ids"], 16) == prompt["continuation"]


@pytest.mark.parametrize("case", ["bitnet_packed", "bitlinear_rms_norm", "trilm"])
def test_no_dense_weight_of_a_packed_layer_exists(case, prepared, source):
    model = rsr.hf.load(prepared(case))
    layers = [name for name, module in model.named_modules() if isinstance(module, TernaryLinear)]
    assert len(layers) == 14
    dense = json.loads((source(case) / "config.json").read_text())["vocab_size"]
    tensors = dict(model.named_parameters()) | dict(model.named_buffers())
    assert max(tensor.numel() for tensor in tensors.values()) == dense * model.config.hidden_size
    assert not any(name.endswith("proj.weight") for name in tensors)
    assert not any(tensor.is_meta for tensor in tensors.values())
    assert all(model.get_submodule(name).quantise == (case != "trilm") for name in layers)


def test_dtype_and_settings_are_those_of_the_model(prepared):
    model = rsr.hf.load(prepared("bitnet_packed"))
    assert model.dtype == torch.bfloat16 and not model.training
    assert model.generation_config.eos_token_id == [298, 299] and model.generation_config.do_sample is False
    assert model.config.name_or_path == str(prepared("bitnet_packed"))
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert rsr.hf.load(prepared("bitnet_packed"), attn_implementation="sdpa").config._attn_implementation == "sdpa"
    with pytest.raises(NotImplementedError, match="rsr.hf.prepare"):
        model.save_pretrained(prepared("bitnet_packed") / "never")


def test_tokenizer_and_streamer_work_from_the_prepared_directory(prepared, capsys):
    directory = prepared("bitlinear_llama3")
    model, tokenizer = rsr.hf.load(directory, dtype=torch.float32), AutoTokenizer.from_pretrained(directory)
    prompt = golden("bitlinear_llama3")["prompts"][0]
    inputs = tokenizer(prompt["text"], return_tensors="pt", return_token_type_ids=False)
    streamer = TextStreamer(tokenizer, skip_prompt=True)
    model.generate(**inputs, max_new_tokens=16, do_sample=False, pad_token_id=0, streamer=streamer)
    assert capsys.readouterr().out == prompt["continuation_text"] + "\n"


def test_the_demo_model_answers_by_its_chat_template_and_in_a_batch(tmp_path):
    rsr.hf.prepare(DEMO, tmp_path / "demo")
    model, tokenizer = rsr.hf.load(tmp_path / "demo"), AutoTokenizer.from_pretrained(tmp_path / "demo", padding_side="left")
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(DEMO).chat_template
    questions = ["Write the numbers from one to ten in words separated by commas only:",
                 "Write the numbers from 7 to 12 in words separated by commas only:"]  # fmt: skip
    turns = [[{"role": "user", "content": question}] for question in questions]
    inputs = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    width = inputs["input_ids"].shape[1]
    assert (inputs["attention_mask"] == 0).any()
    out = model.generate(**{name: inputs[name] for name in ("input_ids", "attention_mask")}, max_new_tokens=60)
    texts = tokenizer.batch_decode(out[:, width:], skip_special_tokens=True)
    assert [text.strip() for text in texts] == ["one, two, three, four, five, six, seven, eight, nine, ten",
                                                "seven, eight, nine, ten, eleven, twelve"]  # fmt: skip
    engine = rsr.load(tmp_path / "demo")
    assert [engine.generate(question).text.strip() for question in questions] == [text.strip() for text in texts]


def test_prepare_takes_an_id_of_the_hub(tmp_path, source):
    snapshot = tmp_path / "hub/models--rsr--tiny/snapshots" / ("1" * 40)
    shutil.copytree(source("bitnet_packed"), snapshot)
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text("1" * 40)
    code = f"import rsr.hf; rsr.hf.prepare('rsr/tiny', {str(tmp_path / 'out')!r}); rsr.hf.load({str(tmp_path / 'out')!r})"
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / WEIGHTS).exists()


def test_a_model_prepared_for_other_instructions_is_packed_anew_with_a_warning(tmp_path, prepared, source):
    best = rsr.default_context().isa
    if best in ("reference", "avx2", "avxvnni"):
        pytest.skip(f"{best} packs as every other does")
    code = ("import sys, warnings, hf_models, rsr.hf; warnings.simplefilter('error' if sys.argv[2] == 'same' else 'always'); "
            "model = rsr.hf.load(sys.argv[1], dtype='float32'); print(hf_models.continuation(model, [1, 2, 3, 4], 8))")  # fmt: skip
    rsr.hf.prepare(source("bitnet_packed"), tmp_path / "avx2", isa="avx2")
    texts = []
    for directory, isa, how in ((prepared("bitnet_packed"), "", "same"), (prepared("bitnet_packed"), "avx2", "other"),
                                (tmp_path / "avx2", "avx2", "same")):  # fmt: skip
        done = subprocess.run([sys.executable, "-c", code, directory, how], capture_output=True, text=True, timeout=300,
                              env={**os.environ, "RSR_FORCE_ISA": isa, "PYTHONPATH": os.path.dirname(__file__)})  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert ("RuntimeWarning" in done.stderr) == (how == "other"), done.stderr
        texts.append(done.stdout)
    assert texts[0] == texts[1] == texts[2]


def test_errors_name_what_and_where(tmp_path, prepared, source):
    with pytest.raises(FileNotFoundError, match="nowhere: no such directory"):
        rsr.hf.prepare(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="rsr.hf.prepare"):
        rsr.hf.load(source("bitnet_packed"))
    with pytest.raises(rsr.RsrError):
        rsr.hf.prepare(source("bitnet_packed"), prepared("bitnet_packed"))
    for number, (change, words) in enumerate([
        (lambda path: (path / WEIGHTS).write_bytes(b"\x10" + bytes(40)), WEIGHTS),
        (lambda path: edit_header(path / WEIGHTS, b'"rsr.container":"1"', b'"rsr.container":"7"'), "version 7"),
        (lambda path: edit_config(path, intermediate_size=64), "config asks for"),
        (lambda path: edit_config(path, num_hidden_layers=1), "no linear layer"),
        (lambda path: edit_config(path, num_hidden_layers=3), "missing"),
        (lambda path: edit_config(path, vocab_size=299), "embed_tokens"),
    ]):  # fmt: skip
        copy = shutil.copytree(prepared("bitnet_packed"), tmp_path / f"copy{number}")
        change(copy)
        with pytest.raises((ValueError, RuntimeError), match=words):
            rsr.hf.load(copy)


def edit_header(path, old, new):
    """Exchanges bytes of a safetensors header for as many others."""
    content = path.read_bytes()
    assert content.count(old) == 1 and len(old) == len(new)
    path.write_bytes(content.replace(old, new))


def edit_config(path, **changes):
    """Changes keys of config.json."""
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | changes))


def test_a_damaged_packed_weight_is_refused(tmp_path, prepared):
    copy = shutil.copytree(prepared("bitnet_packed"), tmp_path / "copy")
    content = bytearray((copy / WEIGHTS).read_bytes())
    with safe_open(copy / WEIGHTS, "pt") as file:
        image = bytes(file.get_tensor("model.layers.1.mlp.up_proj.rsr_weight").numpy())
    place = bytes(content).find(image)
    content[place + len(image) - 40] ^= 0xFF
    (copy / WEIGHTS).write_bytes(content)
    with pytest.raises(ValueError, match="model.rsr.safetensors: model.layers.1.mlp.up_proj: "):
        rsr.hf.load(copy)
