"""Exceptions: the errors of the library, in its own words.

Every one is an RsrError whose `code` is the name of the library's error code; most are also one of
Python's own kinds, so that `except ValueError` or `except FileNotFoundError` does what it says.
"""

from __future__ import annotations


class RsrError(Exception):
    """An error of RSR. `code` names its kind, such as "invalid_argument"."""

    code: str = ""


class InvalidArgument(RsrError, ValueError):
    """An argument is wrong: a value, a length, an option."""

    code = "invalid_argument"


class WrongType(InvalidArgument, TypeError):
    """An argument has a type or a dtype that is not understood."""


class NotFound(RsrError, FileNotFoundError):
    """A file, a tensor or a name that should be there is not."""

    code = "not_found"


class CorruptData(RsrError, ValueError):
    """Bytes or a file contradict themselves or their format."""

    code = "corrupt_data"


class Unsupported(RsrError, NotImplementedError):
    """Well-formed, but not something that this engine understands."""

    code = "unsupported"


class LimitExceeded(RsrError, ValueError):
    """A stated limit, such as the length of a context, was passed."""

    code = "limit_exceeded"


class IoError(RsrError, OSError):
    """The operating system or the network refused; the message has its words."""

    code = "io_error"


class Cancelled(RsrError):
    """A callback ended the work."""

    code = "cancelled"


_KINDS = {
    kind.code: kind for kind in (InvalidArgument, NotFound, CorruptData, Unsupported, LimitExceeded, IoError, Cancelled)
}


def from_code(code: str, message: str) -> RsrError:
    """The exception of an error code of the library."""
    return _KINDS[code](message)
