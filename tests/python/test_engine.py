"""Language models from Python: answers, streams, conversations, prepared models."""

import os
import signal
import threading
import traceback

import pytest
from package import isas

import rsr

DEMO = "models/demo"
TO_TEN = "Write the numbers from one to ten in words separated by commas only:"
ANSWER = "one, two, three, four, five, six, seven, eight, nine, ten"


@pytest.fixture(scope="module")
def model():
    return rsr.load(DEMO)


def test_an_answer_and_what_it_took(model):
    answer = model.generate(TO_TEN)
    assert answer.text == str(answer) == ANSWER
    stats = answer.stats
    assert stats.finish == "stop" and stats.new_tokens == 20 and stats.prompt_tokens > 10
    assert stats.cached_tokens == 0 and stats.decode_steps == 19
    assert stats.tokens_per_second > 0 and stats.prompt_tokens_per_second > 0 and stats.bytes_per_token > 0
    assert model.notice == ""


def test_a_stream_gives_the_same_text_in_pieces(model):
    stream = model.generate(TO_TEN, stream=True)
    assert iter(stream) is stream and stream.stats is None
    pieces = list(stream)
    assert (
        "".join(pieces) == stream.text == ANSWER and len(pieces) == 19
    )  # one for each token but the last, which ends it
    assert stream.stats.finish == "stop" and list(stream) == []


def test_options_reach_the_engine(model):
    def text(**options):
        return model.generate(TO_TEN, **options).text

    assert model.generate(TO_TEN, max_tokens=3).stats.finish == "length"
    assert text(stop="three") == "one, two, " and text(stop=["six", " four"]) == "one, two, three,"
    sampled = {seed: text(temperature=5.0, top_k=50, seed=seed, max_tokens=20) for seed in (1, 2, 3)}
    assert len(set(sampled.values())) > 1
    assert text(temperature=5.0, top_k=50, seed=2, max_tokens=20) == sampled[2]
    assert text(temperature=5.0, top_p=0.01) == text(temperature=5.0, top_k=1) == ANSWER
    assert text(draft="ngram") == ANSWER and text(temperature=None) == ANSWER
    session = model.session()
    first = session.generate(TO_TEN).stats.prompt_tokens  # of the answer
    assert text(logit_bias={session.tokens[first]: -100.0}) != ANSWER
    assert (
        model.generate(TO_TEN, raw=True, max_tokens=5).stats.prompt_tokens < model.generate(TO_TEN).stats.prompt_tokens
    )


@pytest.mark.parametrize(
    "options, words",
    [
        ({"temperature": -1}, "temperature is -1, must be finite and not negative"),
        ({"top_p": 2}, "top_p is 2"),
        ({"draft": "oracle"}, "draft is 'oracle', must be one of: none, ngram"),
        ({"stop": ""}, "stop"),
        ({"top_k": 1.5}, "top_k is 1.5; must be: int | None"),
        ({"warmth": 1}, "there is no option warmth; there are: max_tokens, "),
    ],
)
def test_wrong_options_are_named(model, options, words):
    for stream in (False, True):
        with pytest.raises(ValueError, match=words.replace("|", r"\|")):
            list(model.generate("x", stream=stream, **options))


def test_a_prompt_that_does_not_fit_is_an_error(model):
    with pytest.raises(rsr.LimitExceeded, match="the prompt does not fit"):
        model.generate("one " * 5000)


def test_a_conversation_remembers(model):
    session = model.session()
    first = session.generate(TO_TEN)
    second = session.generate(TO_TEN)
    assert first.stats.cached_tokens == 0 < second.stats.cached_tokens and first.text == ANSWER
    count = len(session.tokens)
    assert count > 40 and all(isinstance(token, int) for token in session.tokens)
    session.reset()
    assert session.tokens == [] and session.generate(TO_TEN).text == ANSWER


def test_what_is_closed_early_ends(model):
    session = model.session()
    with session.generate(TO_TEN.replace("ten", "sixty"), stream=True, ignore_eos=True) as stream:
        first = next(stream)
    assert stream.text == first and stream.stats.finish in ("cancelled", "length") and list(stream) == []
    abandoned = session.generate(TO_TEN, stream=True)
    next(abandoned)
    del abandoned  # which ends it, too
    session.reset()
    assert session.generate(TO_TEN).text == ANSWER


def test_a_prompt_cache_is_kept_in_a_file(model, tmp_path):
    path = tmp_path / "cache"
    session = model.session()
    session.generate(TO_TEN)
    assert session.save_prompt_cache(path) and not session.save_prompt_cache(path)
    other = model.session()
    held = other.load_prompt_cache(path)
    answer = other.generate(TO_TEN)
    assert answer.text == ANSWER and 0 < answer.stats.cached_tokens <= held
    with pytest.raises(FileNotFoundError, match="nowhere"):
        other.load_prompt_cache(tmp_path / "nowhere")


def test_a_system_message_stands_in_front(model):
    def prompt_tokens(session: rsr.Session) -> int:
        return session.generate(TO_TEN, max_tokens=1).stats.prompt_tokens

    session = model.session(system="Count.")
    with_system = prompt_tokens(session)
    assert with_system == model.generate(TO_TEN, system="Count.", max_tokens=1).stats.prompt_tokens
    session.set_system("")
    session.reset()
    assert prompt_tokens(session) < with_system


def test_how_a_model_is_opened():
    for options in (
        {"threads": 1},
        {"kv_cache": "f32"},
        {"kv_cache": "i8"},
        {"head": "scan"},
        {"rsr_memory": "1MB"},
        {"context_length": 64},
    ):
        assert rsr.load(DEMO, **options).generate(TO_TEN).text == ANSWER
    for isa in isas():
        assert rsr.load(DEMO, isa=isa).generate(TO_TEN).text == ANSWER
    for options, words in [
        ({"context_length": 10**9}, "context_length is 1000000000"),
        ({"kv_cache": "f8"}, "kv_cache is 'f8', must be one of: f32, f16, i8"),
        ({"rsr_memory": "much"}, "rsr_memory is 'much'"),
        ({"chat_template": "none"}, "none"),
        ({"isa": "mmx"}, "unknown instruction set"),
    ]:
        with pytest.raises(ValueError, match=words):
            rsr.load(DEMO, **options)
    assert "llama3" in rsr.chat_template_names()


def test_what_is_no_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such-model: no such directory"):
        rsr.load("no-such-model")
    with pytest.raises(FileNotFoundError, match="config.json"):
        rsr.load(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(rsr.CorruptData, match="config.json"):
        rsr.load(tmp_path)


def test_the_hub_is_not_asked_when_it_must_not_be(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="org/name"):
        rsr.fetch("org/name")
    assert rsr.fetch(DEMO) == DEMO


def test_a_prepared_model_gives_the_same_text(tmp_path):
    seen = []
    made = rsr.prepare(DEMO, tmp_path / "demo", progress=lambda done, total: seen.append((done, total)))
    assert made.layers > 0 and made.bytes > 0 and made.isa == rsr.default_context().isa
    assert seen and seen[-1][0] <= seen[-1][1] == made.source_bytes
    assert rsr.load(tmp_path / "demo", verify=True).generate(TO_TEN).text == ANSWER
    with pytest.raises(ValueError, match="demo: is there already"):
        rsr.prepare(DEMO, tmp_path / "demo")
    assert rsr.prepare(DEMO, tmp_path / "demo", isa="avx2", replace=True).isa == "avx2"
    assert rsr.load(tmp_path / "demo").generate(TO_TEN).text == ANSWER


@pytest.fixture
def interrupts():
    """Ctrl-C raises KeyboardInterrupt, also where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_preparing_ends_when_its_progress_says_so(tmp_path):
    with pytest.raises(rsr.Cancelled):
        rsr.prepare(DEMO, tmp_path / "demo", progress=lambda done, total: False)
    with pytest.raises(ZeroDivisionError):
        rsr.prepare(DEMO, tmp_path / "demo", progress=lambda done, total: 1 // 0)
    with pytest.raises(KeyboardInterrupt):
        rsr.prepare(DEMO, tmp_path / "demo", progress=lambda done, total: os.kill(os.getpid(), signal.SIGINT))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("interrupts")
def test_ctrl_c_ends_an_answer():
    model = rsr.load(DEMO, isa="reference", threads=1)
    session = model.session()
    for attempt in range(200):
        timer = threading.Timer(0.002 * (attempt % 10 + 1), os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt) as interrupt:
            timer.start()
            while True:
                session.reset()
                session.generate("Count", ignore_eos=True)
        timer.join()
        if any(frame.name == "__next__" for frame in traceback.extract_tb(interrupt.tb)):
            break
    else:
        pytest.fail("the signal never came during an answer")
    session.reset()
    assert session.generate(TO_TEN).text == ANSWER
