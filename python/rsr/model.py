"""Language models on the engine's own runtime."""

from __future__ import annotations

import atexit
import os
import warnings
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from rsr import _rsr
from rsr.options import EngineOptions, GenerateOptions, byte_count, fill

if TYPE_CHECKING:
    from typing_extensions import Unpack

Progress = Callable[[int, int], Any]


@dataclass(frozen=True)
class Stats:
    """What a generation did. Seconds are wall time."""

    prompt_tokens: int
    """Tokens read before the first new one."""
    prompt_seconds: float
    cached_tokens: int
    """Tokens in front of these that were held already, and not read."""
    new_tokens: int
    """Tokens generated, the one that ends an answer included."""
    decode_steps: int
    """Forward passes after the prompt's."""
    decode_seconds: float
    drafted_tokens: int
    accepted_tokens: int
    bytes_per_token: float
    """Bytes that decoding reads for a token, on average."""
    head_candidates: float
    finish: Literal["stop", "length", "cancelled"]

    @property
    def prompt_tokens_per_second(self) -> float:
        """0 where nothing was read."""
        return self.prompt_tokens / self.prompt_seconds if self.prompt_seconds > 0 else 0.0

    @property
    def tokens_per_second(self) -> float:
        """New tokens behind the first, which is the prompt's pass; 0 where there are none."""
        if self.decode_steps == 0 or self.decode_seconds <= 0:
            return 0.0
        return (self.new_tokens - 1) / self.decode_seconds


@dataclass(frozen=True)
class Generation:
    """An answer, whole."""

    text: str
    stats: Stats

    def __str__(self) -> str:
        return self.text


_open_streams: weakref.WeakSet[Stream] = weakref.WeakSet()


class Stream(Iterator[str]):
    """The text of an answer, piece by piece, as it is generated.

    It is generated in the background, also while nobody reads. close(), leaving a `with` block, or
    letting go of the object ends it early; the session remains usable.
    """

    def __init__(self, session: _rsr.Session, prompt: str, options: _rsr.GenerateOptions) -> None:
        self._stream = _rsr.Stream(session, prompt, options)
        self._stats: Stats | None = None
        self._pieces: list[str] = []
        self._ended = False
        _open_streams.add(self)

    def __next__(self) -> str:
        if not self._ended:
            piece = self._stream.next()
            if piece is not None:
                self._pieces.append(piece)
                return piece
            self.close()
        raise StopIteration

    def close(self) -> None:
        """Ends the generation where it is. An error of the generation is raised once, here or by reading."""
        if not self._ended:
            self._ended = True
            self._stream.close()
            self._stats = Stats(**self._stream.stats())

    @property
    def text(self) -> str:
        """What has been read so far."""
        return "".join(self._pieces)

    @property
    def stats(self) -> Stats | None:
        """What the generation did; None before its end."""
        return self._stats

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@atexit.register
def _end_streams() -> None:
    """Threads of the engine must not run on while the process ends."""
    for stream in list(_open_streams):
        stream._stream.close()


class Session:
    """A conversation: its own keys and values over the model's shared weights.

    One answer at a time; a second one meanwhile is an error. Threads may use several sessions of
    one model.
    """

    def __init__(self, session: _rsr.Session) -> None:
        self._session = session

    @overload
    def generate(self, prompt: str, *, stream: Literal[False] = ..., **options: Unpack[GenerateOptions]) -> Generation: ...
    @overload
    def generate(self, prompt: str, *, stream: Literal[True], **options: Unpack[GenerateOptions]) -> Stream: ...
    def generate(
        self, prompt: str, *, stream: bool = False, **options: Unpack[GenerateOptions]
    ) -> Generation | Stream:
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


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)


def fetch(model: str | os.PathLike[str], *, update: bool = False, progress: Progress | None = None) -> str:
    """The directory of a model: itself, or that of an id of the Hugging Face hub, "org/name" or
    "org/name@revision", which is downloaded when the cache of Hugging Face's programs lacks it.

    update: asks the hub whether the revision has moved. progress(bytes, total) is called now and
    then, and ends the work by returning False.
    """
    return _rsr.fetch(os.fsdecode(model), update, progress, _warn)


def load(model: str | os.PathLike[str], **options: Unpack[EngineOptions]) -> Model:
    """Opens a model directory, prepared or not, or an id of the Hugging Face hub.

    threads (0: as many as this process may use), pin_threads, isa; context_length (0: what the
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


@dataclass(frozen=True)
class PreparedModel:
    """What prepare() made."""

    bytes: int
    """Of its weights' file."""
    source_bytes: int
    """Of the tensors that were read."""
    layers: int
    seconds: float
    isa: str
    formats: str
    """Formats of its packed weights, such as "t5"; empty: all are dense."""


def prepare(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    isa: str = "",
    threads: int = 0,
    replace: bool = False,
    progress: Progress | None = None,
) -> PreparedModel:
    """Makes `target` a prepared model of `source` (a directory or an id of the hub), which loads at once.

    isa: instruction set to pack for, also one that this machine lacks. replace: takes the place of
    a prepared model that is there. progress(done, total), in bytes, is called now and then, and
    ends the work by returning False (Cancelled). `target` appears when it is complete.
    """
    made = _rsr.prepare_model(fetch(source), os.fsdecode(target), isa, threads, replace, progress)
    return PreparedModel(**made)


def chat_template_names() -> list[str]:
    """What load(chat_template=...) may name."""
    return _rsr.chat_template_names()
