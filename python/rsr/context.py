"""Threads: the context that products run in when none is given."""

from __future__ import annotations

from rsr._rsr import Context as Context

_default: Context | None = None


def default_context() -> Context:
    """The context of products that name none: made when it is first needed, with all cores that this
    process may use, or as set_threads() says."""
    global _default
    if _default is None:
        _default = Context()
    return _default


def set_threads(threads: int) -> None:
    """Products that name no context use `threads` threads from now on; 0: as many as this process may use."""
    global _default
    _default = Context(threads=threads)
