"""What every error of the engine owes its reader: three sentences, and the shapes and names in question."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.errors import EngineError

END = re.compile(r"(?<=[^.][.!?])\s+(?=['\"(\[]?[A-Z0-9])")


def sentences(text: str) -> list[str]:
    """The sentences of a message; the dots of `...` and of numbers end none."""
    return END.split(text)


@contextmanager
def explained(kind: type[Exception] | tuple[type[Exception], ...], *mentions: object) -> Iterator[pytest.ExceptionInfo]:
    """Expect an error of the engine's own family and of `kind`, in three sentences that hold every mention."""
    with pytest.raises(EngineError) as caught:
        yield caught
    text = str(caught.value)
    assert isinstance(caught.value, kind), f"a {type(caught.value).__name__}: {text}"
    assert len(sentences(text)) == 3, f"{len(sentences(text))} sentences: {text}"
    assert text.endswith((".", "?", ")")) and not re.search(r"[^.]\.\.(\s|$)|\s\.(\s|$)", text), text
    missing = [str(mention) for mention in mentions if str(mention) not in text]
    assert not missing, f"{missing} not in: {text}"
