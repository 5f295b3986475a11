from __future__ import annotations
class RsrError(Exception):
    code = ""
def from_code(code, message):
    e = RsrError(message); e.code = code; return e
