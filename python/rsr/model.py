"""Language models on the engine's own runtime."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, overload

from rsr import _rsr
from rsr.directories import fetch
from rsr.options import EngineOptions, GenerateOptions, byte_count, fill
from rsr.stream import Generation, Stream

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Session:
    """A conversation: its own keys and values over the model's shared weights.

    One answer at a time; a second one meanwhile is an error. Threads may use several sessions of
    one model.
    """

    def __init__(self, session: _rsr.Session) -> None:
        self._session = session

    @overload
    def generate(
        self, prompt: str, *, stream: Literal[False] = ..., **options: Unpack[GenerateOptions]
    ) -> Generation: ...
    @overload
    def generate(self, prompt: str, *, stream: Literal[True], **options: Unpack[GenerateOptions]) -> Stream: ...
    def generate(self, prompt: str, *, stream: bool = False, **options: Unpack[GenerateOptions]) -> Generation | Stream:
        """Answers the prompt, the user's next turn where the model has a chat template.

        stream: the answer comes as an iterator of pieces of text. Options, each as in
        include/rsr/engine.h: max_tokens (0: until the context is full), temperature (0: greedy),
        top_k, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty, logit_bias
        {token id: bias}, seed, raw (no chat template), ignore_eos, stop (strings), draft ("none" or
        "ngram"). What is not given comes from the model's generation_config.json.

        Ctrl-C ends it with KeyboardInterrupt. Errors: a prompt that does not fit the context, an
        option out of its range; the session is then as it was.
        """
        values: dict[str, Any] = {**options}
        if isinstance(values.get("stop"), str):
            values["stop"] = [values["stop"]]
        answer = Stream(self._session, prompt, fill(_rsr.GenerateOptions(), values, GenerateOptions))
        if stream:
            return answer
        with answer:
            text = "".join(answer)
        assert answer.stats is not None
        return Generation(text, answer.stats)

    def set_system(self, text: str) -> None:
        """Puts a system message in front of the conversation; an empty text takes it away."""
        self._session.set_system(text)

    def reset(self) -> None:
        """Forgets every turn; the system message stays."""
        self._session.reset()

    @property
    def tokens(self) -> list[int]:
        """The ids of everything so far."""
        return self._session.tokens()

    def load_prompt_cache(self, path: str | os.PathLike[str]) -> int:
        """Takes keys and values from a file of save_prompt_cache(): the number of tokens held now."""
        return self._session.load_prompt_cache(os.fsdecode(path))

    def save_prompt_cache(self, path: str | os.PathLike[str]) -> bool:
        """Writes the keys and values of the latest prompt to a file; False when that has them already."""
        return self._session.save_prompt_cache(os.fsdecode(path))


class Model:
    """A loaded model; load() makes one. Threads may share it: each answer has its own session."""

    def __init__(self, model: _rsr.Model) -> None:
        self._model = model

    @property
    def notice(self) -> str:
        """What had to be changed when a prepared model was loaded; empty when nothing was."""
        return self._model.notice

    def session(self, system: str = "") -> Session:
        """A new conversation, with a system message if one is given."""
        session = Session(self._model.session())
        if system:
            session.set_system(system)
        return session

    @overload
    def generate(
        self, prompt: str, *, stream: Literal[False] = ..., system: str = ..., **options: Unpack[GenerateOptions]
    ) -> Generation: ...
    @overload
    def generate(
        self, prompt: str, *, stream: Literal[True], system: str = ..., **options: Unpack[GenerateOptions]
    ) -> Stream: ...
    def generate(
        self, prompt: str, *, stream: bool = False, system: str = "", **options: Unpack[GenerateOptions]
    ) -> Generation | Stream:
        """Answers one prompt in a session of its own; see Session.generate()."""
        session = self.session(system)
        return session.generate(prompt, stream=True, **options) if stream else session.generate(prompt, **options)


def load(model: str | os.PathLike[str], **options: Unpack[EngineOptions]) -> Model:
    """Opens a model directory, prepared or not, or an id of the Hugging Face hub.

    device ("cpu", or a GPU: "cuda", "cuda:1"); threads (0: as many as this process may use), pin_threads, isa; context_length (0: what the
    model was trained for); kv_cache, how keys and values are kept, "f32", "f16" or "i8";
    chat_template, one of chat_template_names() in place of the model's own; verify, to check every
    byte of a prepared model; head, "automatic", "full" or "scan"; rsr_memory, bytes for indexes
    that make prompts faster where they gain, such as "2G"; jit, these as machine code.

    Errors: what is not understood is refused with its name.
    """
    values: dict[str, Any] = {**options}
    if "rsr_memory" in values:
        values["rsr_memory"] = byte_count(values["rsr_memory"], "rsr_memory")
    engine_options = fill(_rsr.EngineOptions(), values, EngineOptions)
    return Model(_rsr.open_model(fetch(model), engine_options))


def chat_template_names() -> list[str]:
    """What load(chat_template=...) may name."""
    return _rsr.chat_template_names()
