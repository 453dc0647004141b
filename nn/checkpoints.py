"""Checkpoints: the weights of a model, or the whole state of its training, in one safetensors file.

Nothing in such a file is ever run: it holds arrays, and text that is read as JSON. A file replaces the one before it
only when all of it is written.
"""

from __future__ import annotations

import copy
import json
import re
import zlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from engine import errors
from engine.files import write_file

from .module import IncompatibleKeys, Module

METADATA = "chainrule"
"""The entry in a file's metadata with the checksum of all else, and behind it the states of a checkpoint as JSON."""

ARRAY = "__array__"
"""The only key of a dict that stands in the JSON for an array, whose name in the file is the value."""

DTYPES = {
    **{f"F{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
    **{f"{letter}{bits}": f"<{letter.lower()}{bits // 8}" for letter in "IU" for bits in (8, 16, 32, 64)},
    "BOOL": "u1",  # in a damaged file other bytes than 0 and 1
    "BF16": "<u2",  # the upper half of a float32
}
"""The dtypes that are read, by their names in a file."""


class CheckpointError(errors.EngineError, ValueError):
    """A file that cannot be read as weights or a checkpoint, or one that does not fit what it is loaded into."""


def save_weights(model: Module, path: str | Path) -> None:
    """Save the parameters and buffers of a model under the names in its `state_dict()`.

    PyTorch reads the file with `safetensors.torch.load_file`.

    Raises DataError for what no such file can hold, OSError where the file cannot be written.

    >>> import tempfile
    >>> from nn import Linear
    >>> model, twin = Linear(3, 2), Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, f"{folder}/linear.safetensors")
    ...     load_weights(twin, f"{folder}/linear.safetensors")
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    >>> bool((twin.weight.data == model.weight.data).all())
    True
    """
    _write(path, {name: _storable(array, name) for name, array in _model(model, "save_weights").state_dict().items()})


def load_weights(model: Module, path: str | Path, strict: bool = True) -> IncompatibleKeys:
    """Load parameters and buffers from a safetensors file, ours or that of the same architecture in PyTorch.

    Numbers are converted to the dtypes of the model, from bfloat16 and float16 too. With `strict=False` names that
    only one of the two has are passed over; they are what is returned.

    Raises CheckpointError for a file that is damaged, of another form or does not fit; nothing is loaded then.

    >>> import tempfile
    >>> from nn import Linear
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(Linear(3, 2), f"{folder}/linear.safetensors")
    ...     load_weights(Linear(3, 3), f"{folder}/linear.safetensors")
    Traceback (most recent call last):
    nn.checkpoints.CheckpointError: ...
    """
    _model(model, "load_weights")
    arrays, states = _read(path)
    if states is not None:
        raise CheckpointError(
            f"{str(path)!r} is a checkpoint of {_listed(states)}. A file of weights alone was looked for. "
            f"Write load_checkpoint({Path(path).name!r}, name=model) with one of these names."
        )
    try:
        return model.load_state_dict(arrays, strict)
    except Exception as error:
        raise _misfit(path, "the model", error) from error


def save_checkpoint(path: str | Path, /, **parts: Any) -> None:
    """Save the states of several things in one file, each under its name.

    Each part has `state_dict()`, or is a state itself: dicts and lists of arrays, numbers, text, booleans and None.
    Whole numbers are kept exactly, up to 4300 digits, and so is the state of a NumPy generator; tuples come back as
    lists, NumPy's scalars as plain numbers.

    Raises DataError for what no such file can hold, OSError where the file cannot be written.

    >>> import tempfile
    >>> from nn import Linear
    >>> model, rng = Linear(3, 2), np.random.default_rng(0)
    >>> progress = {"epoch": 3, "rng": rng.bit_generator.state}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/run.safetensors", model=model, progress=progress)
    ...     rest = load_checkpoint(f"{folder}/run.safetensors", model=model)
    >>> rest == {"progress": progress}
    True
    """
    states = {name: _state(part, name) for name, part in parts.items()}
    arrays: dict[str, np.ndarray] = {}
    try:
        text = json.dumps({name: _stored(state, name, arrays) for name, state in states.items()})
    except (RecursionError, ValueError) as error:  # a list that holds itself, a number of more than 4300 digits
        raise errors.DataError(
            f"A state cannot be written as JSON: {_reason(error)}. It was to be saved in {str(path)!r}. "
            "Leave out of it what holds itself, and save such a number as text."
        ) from error
    _write(path, arrays, text)


def load_checkpoint(path: str | Path, /, **parts: Any) -> dict[str, Any]:
    """Give each part its state from a checkpoint with `load_state_dict()`, and return the states of all others by name.

    `load_checkpoint(path)` alone shows what a file holds.

    Raises CheckpointError for a file that is damaged, of another form or does not fit; all parts are as they were then.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/run.safetensors", progress={"epoch": 3}, best=[0.25, 0.5])
    ...     load_checkpoint(f"{folder}/run.safetensors")
    {'progress': {'epoch': 3}, 'best': [0.25, 0.5]}
    """
    _, states = _read(path)
    if states is None:
        raise CheckpointError(
            f"{str(path)!r} has no states in it. A file that save_checkpoint wrote was looked for. "
            f"If it holds weights, write load_weights(model, {Path(path).name!r})."
        )
    missing = [name for name in parts if name not in states]
    if missing:
        raise CheckpointError(
            f"{str(path)!r} holds {_listed(states)}, and not {_listed(missing)}. "
            "Each part is looked for under its own name. Use the names that it was saved with."
        )
    before = {name: copy.deepcopy(_state(part, name, loading=True)) for name, part in parts.items()}
    name = ""
    try:
        for name, part in parts.items():
            part.load_state_dict(states.pop(name))
    except BaseException as error:
        for earlier in before:
            parts[earlier].load_state_dict(before[earlier])
            if earlier == name:
                break
        if isinstance(error, Exception):
            raise _misfit(path, repr(name), error) from error
        raise
    return states


def _model(model: Any, where: str) -> Module:
    if isinstance(model, Module):
        return model
    raise errors.DataError(
        f"{where} was given a {type(model).__name__} as the model. Weights are those of a Module. "
        f"Write {where}(model, path)."
    )


def _state(part: Any, name: str, loading: bool = False) -> Any:
    """What there is to save of a part."""
    if callable(getattr(part, "state_dict", None)) and callable(getattr(part, "load_state_dict", None)):
        return part.state_dict()
    if loading or not isinstance(part, Mapping | list | tuple):
        raise errors.DataError(
            f"The part {name!r} of a checkpoint is {part!r:.100} of type {type(part).__name__}. "
            "A part has the methods state_dict() and load_state_dict(state). "
            f"{LOADING if loading else 'Give such an object, or a dict of what is to be saved.'}"
        )
    return part


LOADING = "Leave out what has none: load_checkpoint returns the states of all parts that it is not given."


# From states to arrays and text, and back.


def _stored(state: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """The state as JSON can hold it; its arrays are put among the arrays, and their names in their place."""
    if isinstance(state, np.ndarray):
        while name in arrays:  # a dict's key may have dots in it
            name += "+"
        arrays[name] = _storable(state, name)
        return {ARRAY: name}
    if isinstance(state, np.bool_ | np.integer | np.floating):
        state = state.item()
    if state is None or isinstance(state, bool | int | float | str):
        return state
    if isinstance(state, list | tuple):
        return [_stored(each, f"{name}.{place}", arrays) for place, each in enumerate(state)]
    if isinstance(state, Mapping) and all(isinstance(key, str) for key in state) and state.keys() != {ARRAY}:
        return {key: _stored(each, f"{name}.{key}", arrays) for key, each in state.items()}
    what = f"a dict with the keys {list(state)!r:.100}" if isinstance(state, Mapping) else f"{state!r:.100}"
    raise errors.DataError(
        f"{name!r} in a checkpoint is {what} of type {type(state).__name__}. "
        "States are made of arrays, numbers, text, booleans, None, lists, and dicts whose keys are text, "
        f"but for {ARRAY!r}. Let state_dict() return such values."
    )


def _storable(array: np.ndarray, name: str) -> np.ndarray:
    """The array as it lies in a file: in one piece, the low bytes first."""
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise errors.DataError(
            f"{name!r} is an array of dtype {array.dtype} and shape {array.shape}. "
            "A safetensors file holds real numbers of at most 64 bits, and booleans. "
            "Convert it with .astype('float64'), or keep it out of the state."
        )
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _restored(state: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The state that `_stored` made JSON of."""
    if isinstance(state, list):
        return [_restored(each, arrays) for each in state]
    if not isinstance(state, dict):
        return state
    if state.keys() == {ARRAY}:
        if state[ARRAY] not in arrays:
            raise ValueError(f"it has no array {state[ARRAY]!r}")
        return arrays[state[ARRAY]]
    return {key: _restored(each, arrays) for key, each in state.items()}


# Files.


def _write(path: str | Path, arrays: Mapping[str, np.ndarray], states: str = "null") -> None:
    safetensors = _library()
    _check_path(path, "to be saved")
    metadata = {METADATA: f"{_checksum(arrays, states)} {states}"}
    try:
        if "__metadata__" in arrays:
            raise ValueError("'__metadata__' is the name of something else there")
        data = safetensors.numpy.save(arrays, metadata)
    except Exception as error:
        raise errors.DataError(
            f"{len(arrays)} arrays cannot be written as safetensors: {_reason(error)}. "
            f"They were to be saved in {str(path)!r}, which is as it was. Give them other names."
        ) from error
    write_file(path, data)


def _read(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any] | None]:
    """The arrays of a file, and the states in a checkpoint."""
    safetensors = _library()
    _check_path(path, "to be loaded")
    if Path(path).exists() and not Path(path).is_file():
        raise CheckpointError(
            f"{str(path)!r} is no file. Weights and checkpoints are single files. Give the name of one."
        )
    data = Path(path).read_bytes()
    try:
        entries = safetensors.deserialize(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        ours = (header.get("__metadata__") or {}).get(METADATA)
        arrays = {name: _array(name, **entry) for name, entry in entries}
        if ours is None:  # a file that others wrote
            return arrays, None
        checksum, _, text = ours.partition(" ")
        if checksum != _checksum(arrays, text):
            raise ValueError("its checksum is not that of its contents")
        states = _restored(json.loads(text), arrays)
        if not isinstance(states, dict | None):
            raise ValueError(f"its states are a {type(states).__name__}, not a dict")
    except Exception as error:
        raise CheckpointError(
            f"{str(path)!r} cannot be read: {_reason(error)}. {_looks_like(data)}, and nothing was loaded from it. "
            "Give a file that save_weights, save_checkpoint or PyTorch's safetensors.torch.save_file wrote."
        ) from error
    return arrays, states


def _check_path(path: Any, what: str) -> None:
    if not isinstance(path, str | PathLike):
        raise errors.DataError(
            f"{path!r:.100} of type {type(path).__name__} was given as a path. Something was {what} there. "
            "Write save_weights(model, path) and load_weights(model, path), save_checkpoint(path, model=model) and "
            "load_checkpoint(path, model=model)."
        )


def _array(name: str, shape: list[int], dtype: str, data: bytearray) -> np.ndarray:
    if dtype not in DTYPES:
        raise ValueError(f"{name!r:.60} holds {dtype}, and only integers, booleans and floats from 16 bits are read")
    array = np.ndarray(shape, DTYPES[dtype], data)
    if dtype == "BF16":
        array = (array.astype("<u4") << 16).view("<f4")
    return np.asarray(array != 0 if dtype == "BOOL" else array)


def _checksum(arrays: Mapping[str, np.ndarray], states: str) -> str:
    """One number for the names, dtypes, shapes and contents of arrays, and for the states beside them."""
    check = zlib.crc32(states.encode())
    for name in sorted(arrays):
        array = arrays[name]
        check = zlib.crc32(repr((name, array.dtype.str, array.shape)).encode(), check)
        check = zlib.crc32(array.data, check)
    return f"{check:08x}"


FORMS = {
    b"PK\x03\x04": "It is a zip archive, as NumPy's .npz and PyTorch's .pt files are",
    b"\x80": "It looks like a pickle, which is never opened here because that could run anything",
    b"\x93NUMPY": "It is NumPy's .npy",
    b"\x89HDF": "It is an HDF5 file",
}
"""What files of other forms begin with."""


def _looks_like(data: bytes) -> str:
    found = [words for start, words in FORMS.items() if data.startswith(start) and data[8:9] != b"{"]
    return found[0] if found else f"It has {len(data)} bytes, and is damaged or not in the safetensors format"


def _reason(error: BaseException) -> str:
    """The first sentence of an error, without its full stop; what it quotes of a file may be long and unprintable."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    text = re.split(r"(?<=[^.][.!?])\s+(?=['\"(\[]?[A-Z0-9])", text)[0].rstrip(".")
    kind = "" if isinstance(error, errors.EngineError | ValueError) else f"{type(error).__name__}: "
    return f"{kind}{text}"[:1000].replace("SafetensorError: Error while deserializing: ", "")


def _misfit(path: str | Path, what: str, error: Exception) -> CheckpointError:
    reason = _reason(error)
    return CheckpointError(
        f"{str(path)!r} was not loaded into {what}: {reason}. All is as it was before. "
        "Build all parts as they were when the file was saved."
    )


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names)) or "nothing"


def _library() -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise errors.MissingExtraError(
            "Weights were to be saved or loaded, and the package safetensors is not installed. "
            "Checkpoints are files in its format. Run pip install 'chainrule[checkpoints]'."
        ) from error
    return safetensors
