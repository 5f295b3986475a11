"""Prompts and answers as token ids, by the model's tokenizer."""

from pathlib import Path

from tokenizers import Tokenizer

import number_words as nw
from data import Example

PROMPT_TEMPLATE = "User: {}<|eot_id|>Assistant: "


class Encoder:
    """Turns pairs into token ids, with the pieces of the answers precomputed."""

    def __init__(self, tokenizer_file: Path):
        self.tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self.end_id = self.tokenizer.token_to_id("<|eot_id|>")
        self.first = [self._ids(nw.number_to_words(n)) for n in range(1, nw.MAX_NUMBER + 1)]
        self.next = [self._ids(nw.SEPARATOR + nw.number_to_words(n)) for n in range(1, nw.MAX_NUMBER + 1)]

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def prompt(self, text: str) -> list[int]:
        """Ids of a user's message in the chat template, with the begin token."""
        return self.tokenizer.encode(PROMPT_TEMPLATE.format(text)).ids

    def answer(self, a: int, b: int) -> list[int]:
        """Ids of the answer and its end token."""
        ids = list(self.first[a - 1])
        for n in range(a + 1, b + 1):
            ids += self.next[n - 1]
        return [*ids, self.end_id]

    def example(self, a: int, b: int, prompt: str) -> Example:
        """The whole training sequence of one prompt."""
        ids = self.prompt(prompt)
        return Example(ids + self.answer(a, b), len(ids))
