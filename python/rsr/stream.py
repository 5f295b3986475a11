"""Answers of a language model: whole, or piece by piece as they are generated."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rsr import _rsr


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
