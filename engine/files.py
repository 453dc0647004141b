"""Files: the form that a name asks for, and writing so that nobody finds half a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from .errors import DataError

Form = TypeVar("Form")


def form_of(path: str | Path, forms: Mapping[str, Form]) -> Form:
    """Return the form that stands under the ending of a name, which may be in capitals.

    Raises DataError for an ending that is not there.

    >>> form_of("page.HTML", {".html": "a page", ".txt": "plain text"})
    'a page'
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in forms:
        raise DataError(
            f"Something was to be saved as {path.name!r}. The ending of a name says in which form: {', '.join(forms)}. "
            f"Give it a name like {path.stem or 'result'}{next(iter(forms))}."
        )
    return forms[ending]


def write_file(path: str | Path, data: str | bytes) -> None:
    """Write a file, text as UTF-8; what stood there before stays until all of it is written.

    Raises OSError where it cannot be written.
    """
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.write_bytes(data.encode() if isinstance(data, str) else data)
        with unfinished.open("r+b") as file:
            os.fsync(file.fileno())  # else a power cut may leave the new name with nothing in it
        unfinished.replace(path)
    except OSError as error:
        advice = f"{error.strerror}; give a name in a folder that exists, may be written to and has room"
        raise OSError(error.errno, advice, str(path)) from error
    finally:
        if unfinished.is_file():
            unfinished.unlink()
