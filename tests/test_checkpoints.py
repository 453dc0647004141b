"""Checkpoints: what is saved is loaded again, whole or not at all, and nothing in a file is ever run."""

import base64
import copy
import io
import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from messages import explained

import engine
import nn
from engine.errors import DataError, MissingExtraError
from nn.testing import networks

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda number: None)


class Mixed(nn.Module):
    """A parameter or buffer of every kind, all of the number `k`."""

    def __init__(self, k=0.0, size=3):
        self.value = engine.Value(k)
        self.tensor = engine.Tensor(np.full((size, 2), k))
        self.single = [engine.Tensor(np.full(2, k), dtype="float32")]
        self.half = engine.Tensor(np.full((), k), dtype="float16")
        self.count = np.array(int(k))
        self.mask = np.array([bool(k), False])
        self.empty = np.zeros((0, 3), "u1")


class Notes:
    """The least that is a part: a state that is kept as it comes."""

    def __init__(self, **state):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


def same(a, b):
    """Equal in structure, kinds, dtypes and every bit."""
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and repr(a) == repr(b)


# What comes back

dtypes = st.sampled_from(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
arrays = dtypes.flatmap(lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, min_side=0)))
plain = st.none() | st.booleans() | st.integers(-(10**60), 10**60) | st.floats() | st.text(st.characters(codec="utf-8"))
keys = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(["a.b", "a", "b", "", "."])
states = st.recursive(
    plain | arrays,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(keys.filter(bool), st.dictionaries(keys, states, max_size=4), max_size=3))
@example({"a": {"b.c": np.ones(1), "b": {"c": np.zeros(1)}}, "a.b": {"c": np.full(1, 2.0)}})
@example({"a": {"__metadata__": {"x": 1}, "__array__": "x", "more": {"__array__": 1, "other": 2}}})
def test_every_state_comes_back_bit_for_bit(tmp_path_factory, parts):
    path = tmp_path_factory.getbasetemp() / "states.safetensors"
    nn.save_checkpoint(path, **parts)
    assert same(nn.load_checkpoint(path), parts)

    taken = {name: Notes() for name in list(parts)[::2]}
    rest = nn.load_checkpoint(path, **taken)
    assert same(rest, {name: state for name, state in parts.items() if name not in taken})
    assert all(same(part.state, parts[name]) for name, part in taken.items())


@given(networks())
def test_weights_come_back_bit_for_bit(tmp_path_factory, network):
    path = tmp_path_factory.getbasetemp() / "weights.safetensors"
    model = network.module
    twin = copy.deepcopy(model)
    for parameter in twin.parameters():
        parameter.data = np.zeros(parameter.shape)
    nn.save_weights(model, str(path))
    nn.load_weights(twin, path)
    assert same(twin.state_dict(), model.state_dict())
    theirs = safetensors.numpy.load_file(path)
    assert theirs.keys() == model.state_dict().keys()
    assert all(same(theirs[name], array) for name, array in model.state_dict().items())


@pytest.mark.parametrize("strict", [True, False])
def test_every_kind_of_part_is_saved(tmp_path, strict):
    nn.save_weights(Mixed(2.0), tmp_path / "mixed")
    model = Mixed(0.0)
    nn.load_weights(model, tmp_path / "mixed", strict=strict)
    assert same(model.state_dict(), Mixed(2.0).state_dict())


@pytest.mark.parametrize(
    "kind", [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]
)
def test_a_generator_goes_on_where_it_was(tmp_path, kind):
    rng = np.random.Generator(kind(3))
    rng.integers(0, 10, 3, dtype=np.int32)  # half of a draw is kept
    nn.save_checkpoint(tmp_path / "rng", rng=rng.bit_generator.state)
    expected = rng.normal(size=9)
    other = np.random.Generator(kind(4))
    other.bit_generator.state = nn.load_checkpoint(tmp_path / "rng")["rng"]
    assert (other.normal(size=9) == expected).all()


def test_numbers_and_lists_of_numpy_come_back_plain(tmp_path):
    given = {"a": np.float64(0.1), "b": np.int64(3), "c": np.True_, "d": (1, (2.5, None)), "e": np.float32(0.1)}
    nn.save_checkpoint(tmp_path / "plain", part=given)
    plain = {"a": 0.1, "b": 3, "c": True, "d": [1, [2.5, None]], "e": float(np.float32(0.1))}
    assert same(nn.load_checkpoint(tmp_path / "plain"), {"part": plain})


@pytest.mark.parametrize(
    "array",
    [np.arange(12.0).reshape(3, 4).T, np.arange(6.0)[::2], np.arange(3, dtype=">f8"), np.asfortranarray(np.eye(3) + 1),
     np.broadcast_to(1.5, (2, 2)), np.array(1.5, ">f4")],
)  # fmt: skip
def test_arrays_may_lie_in_memory_as_they_like(tmp_path, array):
    nn.save_checkpoint(tmp_path / "array", part=[array])
    ((found,),) = nn.load_checkpoint(tmp_path / "array").values()
    assert found.dtype == array.dtype.newbyteorder("=") and (found == array).all() and found.shape == array.shape


def test_the_same_state_is_the_same_file(tmp_path):
    for name in "ab":
        nn.save_checkpoint(tmp_path / name, model=Mixed(1.0), run={"epoch": 3})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_part_may_be_called_path(tmp_path):
    nn.save_checkpoint(tmp_path / "x", path={"a": 1}, model=Mixed(1.0))
    model = Mixed()
    assert nn.load_checkpoint(tmp_path / "x", model=model) == {"path": {"a": 1}}
    assert model.value.data == 1.0


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    x, y = np.linspace(-1, 1, 8).reshape(-1, 1), np.linspace(-1, 1, 8).reshape(-1, 1) ** 2

    def steps(model, optimizer, number):
        for _ in range(number):
            optimizer.zero_grad()
            nn.mse_loss(model(x), y).backward()
            optimizer.step()

    def fresh(seed):
        model = nn.MLP([1, 4, 1], "tanh", seed=seed)
        return model, nn.Adam(model.parameters(), learning_rate=0.1)

    model, optimizer = fresh(0)
    steps(model, optimizer, 5)
    if not hasattr(optimizer, "state_dict"):
        pytest.skip("optimisers have no state_dict yet")
    nn.save_checkpoint(tmp_path / "run", model=model, optimizer=optimizer)
    steps(model, optimizer, 5)
    other, its_optimizer = fresh(1)
    nn.load_checkpoint(tmp_path / "run", model=other, optimizer=its_optimizer)
    steps(other, its_optimizer, 5)
    assert same(other.state_dict(), model.state_dict())


# PyTorch

X = np.array([[0.5, -1.0], [2.0, 0.25]])
WRITTEN_BY_PYTORCH = {
    "float32": (
        "GAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCIwLmJpYXMiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzNdLCJkYXRhX29m"
        "ZnNldHMiOlswLDEyXX0sIjAud2VpZ2h0Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlszLDJdLCJkYXRhX29mZnNldHMiOlsxMiwzNl19LCIyLmJp"
        "YXMiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlszNiw0MF19LCIyLndlaWdodCI6eyJkdHlwZSI6IkYzMiIsInNo"
        "YXBlIjpbMSwzXSwiZGF0YV9vZmZzZXRzIjpbNDAsNTJdfX0gV4plvECHDz/eg4C9Inmtu5w2wj6x/BS/HTgFv9Zwi76rKkI+vTMNv9JwHD6eqzK+"
        "6mvovQ==",
        [[-0.681975549470293], [-0.3741300518153986]],
    ),
    "bfloat16": (
        "IAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCIwLmJpYXMiOnsiZHR5cGUiOiJCRjE2Iiwic2hhcGUiOlszXSwiZGF0YV9v"
        "ZmZzZXRzIjpbMCw2XX0sIjAud2VpZ2h0Ijp7ImR0eXBlIjoiQkYxNiIsInNoYXBlIjpbMywyXSwiZGF0YV9vZmZzZXRzIjpbNiwxOF19LCIyLmJp"
        "YXMiOnsiZHR5cGUiOiJCRjE2Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbMTgsMjBdfSwiMi53ZWlnaHQiOnsiZHR5cGUiOiJCRjE2Iiwi"
        "c2hhcGUiOlsxLDNdLCJkYXRhX29mZnNldHMiOlsyMCwyNl19fSAgICAgICBmvBA/gb2tu8I+Fb8Fv4u+Qj4Nvxw+M77ovQ==",
        [[-0.6813903680041161], [-0.3736197450134412]],
    ),
    "float16": (
        "GAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCIwLmJpYXMiOnsiZHR5cGUiOiJGMTYiLCJzaGFwZSI6WzNdLCJkYXRhX29m"
        "ZnNldHMiOlswLDZdfSwiMC53ZWlnaHQiOnsiZHR5cGUiOiJGMTYiLCJzaGFwZSI6WzMsMl0sImRhdGFfb2Zmc2V0cyI6WzYsMThdfSwiMi5iaWFz"
        "Ijp7ImR0eXBlIjoiRjE2Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbMTgsMjBdfSwiMi53ZWlnaHQiOnsiZHR5cGUiOiJGMTYiLCJzaGFw"
        "ZSI6WzEsM10sImRhdGFfb2Zmc2V0cyI6WzIwLDI2XX19ICAgMKOAOAisaJ0QNqi4KLhYtBAyaLjgMJixQK8=",
        [[-0.6813903680041161], [-0.3736197450134412]],
    ),
}
"""Files that safetensors.torch.save (PyTorch 2.13) wrote of Linear(2, 3), Tanh(), Linear(3, 1), and the model at X."""


@pytest.mark.parametrize("dtype", WRITTEN_BY_PYTORCH)
def test_a_file_of_pytorch_is_loaded(tmp_path, dtype):
    file, expected = WRITTEN_BY_PYTORCH[dtype]
    (tmp_path / "torch.safetensors").write_bytes(base64.b64decode(file))
    model = nn.MLP([2, 3, 1], "tanh")
    nn.load_weights(model, tmp_path / "torch.safetensors")
    np.testing.assert_allclose(model(X).data, expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pytorch_and_we_load_each_other(tmp_path, dtype):
    torch = pytest.importorskip("torch")
    from safetensors import torch as theirs

    pairs = [
        (nn.Linear(2, 1, dtype=dtype), torch.nn.Linear(2, 1)),
        (nn.Linear(2, 3, bias=False, dtype=dtype), torch.nn.Linear(2, 3, bias=False)),
        (
            nn.MLP([2, 5, 4, 1], "tanh", dtype=dtype),
            torch.nn.Sequential(
                torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)
            ),
        ),
        (
            nn.Sequential(nn.Sequential(nn.Linear(2, 2, dtype=dtype)), nn.ReLU(), nn.Linear(2, 1, dtype=dtype)),
            torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(2, 2)), torch.nn.ReLU(), torch.nn.Linear(2, 1)),
        ),
    ]
    tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
    for ours, reference in pairs:
        reference.to(getattr(torch, dtype))
        x, inputs = X.astype(dtype), torch.tensor(X.astype(dtype))
        theirs.save_file(reference.state_dict(), tmp_path / "theirs")
        nn.load_weights(ours, tmp_path / "theirs")
        np.testing.assert_allclose(ours(x).data, reference(inputs).detach().numpy(), rtol=tolerance)

        for parameter in ours.parameters():
            parameter.data = parameter.data + 0.125
        nn.save_weights(ours, tmp_path / "ours")
        assert str(reference.load_state_dict(theirs.load_file(tmp_path / "ours"))) == "<All keys matched successfully>"
        np.testing.assert_allclose(ours(x).data, reference(inputs).detach().numpy(), rtol=tolerance)

        ours.load_state_dict(reference.state_dict())  # without a file, too


# All or nothing


class Stubborn(Notes):
    """A part that changes half of itself before it complains."""

    def load_state_dict(self, state):
        self.state = {"half": "changed"}
        if state.get("refuse"):
            raise {"error": KeyError("word"), "stop": KeyboardInterrupt()}[state["refuse"]]
        self.state = state


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("refuse", ["error", "stop"])
def test_when_one_part_cannot_be_loaded_none_is(tmp_path, place, refuse):
    def parts(k, refuse):
        found = {"a": Mixed(k), "b": Notes(k=k), "c": nn.Linear(2, 2, seed=int(k))}
        names = [*[*found][:place], "x", *[*found][place:]]
        return {name: found.get(name) or Stubborn(refuse=refuse, k=k) for name in names}

    nn.save_checkpoint(tmp_path / "run", **parts(1.0, refuse))
    mine = parts(2.0, None)
    before = copy.deepcopy({name: part.state_dict() for name, part in mine.items()})
    if refuse == "stop":
        with pytest.raises(KeyboardInterrupt):
            nn.load_checkpoint(tmp_path / "run", **mine)
    else:
        with explained(nn.CheckpointError, "run", "'x'", "KeyError: 'word'"):
            nn.load_checkpoint(tmp_path / "run", **mine)
    after = {name: part.state_dict() for name, part in mine.items()}
    assert before.pop("x")["k"] == after.pop("x")["k"]
    assert same(after, before)


def test_a_part_that_hands_out_its_own_arrays_is_restored_too(tmp_path):
    class Open(Notes):
        def load_state_dict(self, state):
            self.state["array"][...] = state["array"]
            if state["array"][0] < 0:
                raise ValueError("negative")

    nn.save_checkpoint(tmp_path / "run", a=Open(array=np.ones(2)), b=Open(array=-np.ones(2)))
    a, b = Open(array=np.zeros(2)), Open(array=np.full(2, 3.0))
    with explained(nn.CheckpointError, "'b'", "negative"):
        nn.load_checkpoint(tmp_path / "run", a=a, b=b)
    assert a.state["array"].tolist() == [0.0, 0.0] and b.state["array"].tolist() == [3.0, 3.0]


def test_a_model_that_does_not_fit_is_named_with_all_complaints(tmp_path):
    nn.save_weights(nn.MLP([2, 3, 1], seed=0), tmp_path / "w")
    model = nn.Sequential(
        nn.Linear(2, 4, seed=0), nn.Tanh(), nn.Linear(4, 1, bias=False, seed=0), nn.Linear(1, 1, seed=0)
    )
    before = model.state_dict()
    complaints = ["'3.weight', '3.bias'", "unexpected '2.bias'", "'0.weight' has the shape (3, 2) in place of (4, 2)"]
    with explained(nn.CheckpointError, "/w", *complaints):
        nn.load_weights(model, tmp_path / "w")
    with explained(nn.CheckpointError, "/w", "'0.weight' has the shape (3, 2)"):
        nn.load_weights(model, tmp_path / "w", strict=False)
    assert same(model.state_dict(), before)


def test_names_of_one_side_only_may_be_passed_over(tmp_path):
    nn.save_weights(nn.Sequential(nn.Linear(2, 3, seed=1), nn.ReLU(), nn.Linear(3, 1, seed=1)), tmp_path / "w")
    model = nn.Sequential(nn.Linear(2, 3, seed=0), nn.ReLU(), nn.Identity(), nn.Linear(3, 5, seed=0))
    last = model.layers[3].state_dict()
    nn.load_weights(model, tmp_path / "w", strict=False)
    assert same(model.layers[0].state_dict(), nn.Linear(2, 3, seed=1).state_dict())
    assert same(model.layers[3].state_dict(), last)
    with explained(nn.CheckpointError, "none of the names"):
        nn.load_weights(nn.Sequential(nn.Identity(), nn.Linear(2, 3)), tmp_path / "w", strict=False)


def test_weights_and_checkpoints_are_told_apart(tmp_path):
    model = nn.Linear(2, 1)
    nn.save_weights(model, tmp_path / "weights")
    nn.save_checkpoint(tmp_path / "checkpoint", model=model, run={"epoch": 1})
    with explained(nn.CheckpointError, "'model', 'run'", "load_checkpoint('checkpoint'"):
        nn.load_weights(model, tmp_path / "checkpoint")
    with explained(nn.CheckpointError, "load_weights(model, 'weights')"):
        nn.load_checkpoint(tmp_path / "weights", model=model)
    with explained(nn.CheckpointError, "'model', 'run'", "'optimizer'"):
        nn.load_checkpoint(tmp_path / "checkpoint", model=model, optimizer=Notes())
    with explained(DataError, "'run'", "returns the states"):
        nn.load_checkpoint(tmp_path / "checkpoint", run={"epoch": 0})


@pytest.mark.parametrize("save", [nn.save_weights, nn.load_weights])
@pytest.mark.parametrize("model", [None, {"a": np.ones(1)}, "model.safetensors"])
def test_weights_are_those_of_a_module(tmp_path, save, model):
    with explained(DataError, save.__name__):
        save(model, tmp_path / "w")
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_a_part_that_has_no_state_is_its_own(tmp_path):
    model = nn.Sequential()
    model.parts = {"a.b": engine.Value(1.0), "a": {"b": engine.Value(2.0)}}
    for save in (
        lambda: nn.save_weights(model, tmp_path / "x"),
        lambda: nn.save_checkpoint(tmp_path / "x", model=model),
    ):
        with explained(nn.StateError, "'parts.a.b'"):
            save()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [None, 3, nn.Linear(1, 1), b"bytes"])
def test_a_path_is_text_or_a_path(path):
    model = nn.Linear(1, 1)
    for use in (
        lambda: nn.save_weights(model, path),
        lambda: nn.load_weights(model, path),
        lambda: nn.save_checkpoint(path, model=model),
        lambda: nn.load_checkpoint(path, model=model),
    ):
        with explained(DataError, "was given as a path", type(path).__name__):
            use()


LOOP: list = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "part",
    [3, "text", object(), None, np.ones(2), {"a": {1: 2}}, {"a": object()}, {"a": {1, 2}}, {"a": b"bytes"},
     {"a": np.ones(2, complex)}, {"a": np.array(["text"])}, {"a": np.array([None])}, {"a": np.ones(2, "M8[s]")},
     {"a": np.ones(2, np.longdouble)}, {"a": engine.Tensor([1.0])}, {"a": 1j}, {"a": {"__array__": 1}},
     {"a": 10**5000}, {"\ud800": np.ones(1)}, {"a": LOOP}],
)  # fmt: skip
def test_what_no_file_can_hold_is_refused_and_the_old_file_stays(tmp_path, part):
    nn.save_checkpoint(tmp_path / "run", model=Mixed(1.0))
    before = (tmp_path / "run").read_bytes()
    with explained(DataError):
        nn.save_checkpoint(tmp_path / "run", model=Mixed(2.0), part=part)
    assert (tmp_path / "run").read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_a_name_that_safetensors_keeps_for_itself_is_refused(tmp_path):
    model = nn.Sequential()
    vars(model)["__metadata__"] = engine.Value(1.0)
    with explained(DataError, "__metadata__"):
        nn.save_weights(model, tmp_path / "w")
    nn.save_checkpoint(tmp_path / "run", __metadata__=[np.ones(1)], model=model)
    assert nn.load_checkpoint(tmp_path / "run")["__metadata__"][0] == [1.0]


def test_files_that_cannot_be_opened_are_named(tmp_path):
    model = Mixed()
    for save, load in [(lambda path: nn.save_checkpoint(path, model=model), nn.load_checkpoint)]:
        with pytest.raises(FileNotFoundError, match="a folder that exists"):
            save(tmp_path / "none" / "x")
        with pytest.raises(FileNotFoundError, match="x"):
            load(tmp_path / "x")
        with explained(nn.CheckpointError, tmp_path.name):
            load(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with explained(nn.CheckpointError, "pipe"):
            nn.load_weights(model, tmp_path / "pipe")


def test_without_safetensors_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with explained(MissingExtraError, "pip install 'chainrule[checkpoints]'"):
        nn.save_weights(nn.Linear(1, 1), tmp_path / "w")
    with explained(MissingExtraError, "pip install 'chainrule[checkpoints]'"):
        nn.load_checkpoint(tmp_path / "w")


# Damaged, hostile and foreign files

ENTRY = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}


def file(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def written(save, *data):
    buffer = io.BytesIO()
    save(buffer, *data)
    return buffer.getvalue()


class Bomb:
    """What a pickle runs when it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def states_file(text, checksum=None):
    """A file with such states and, unless one is given, the right checksum."""
    checksum = nn.checkpoints._checksum({}, text) if checksum is None else checksum
    return file({"__metadata__": {nn.checkpoints.METADATA: f"{checksum} {text}"}})


HOSTILE = {
    "empty": (b"", "0 bytes"),
    "zeros": (bytes(100), "EOF"),
    "huge header": (struct.pack("<Q", 2**62) + b"{}", "header too large"),
    "long header": (struct.pack("<Q", 90_000_000) + b"{}", "invalid header length"),
    "zip": (written(np.savez, np.ones(3)), "zip archive"),
    "npy": (written(np.save, np.ones(3)), "NumPy's .npy"),
    "pickle": (pickle.dumps(Bomb()), "pickle"),
    "pickle in zip": (written(lambda to: np.savez(to, np.array([Bomb()]))), "zip archive"),
    "a list": (file([1, 2]), "JSON"),
    "half JSON": (file(b'{"a":'), "JSON"),
    "no UTF-8": (file(b'{"\xff": 1}'), "UTF-8"),
    "overlap": (file({"a": ENTRY, "b": ENTRY}, bytes(8)), "invalid offset"),
    "hole": (file({"a": ENTRY, "b": ENTRY | {"data_offsets": [16, 24]}}, bytes(24)), "invalid offset"),
    "beyond the end": (file({"a": ENTRY}, bytes(4)), "not fully covered"),
    "too much": (file({"a": ENTRY}, bytes(12)), "not fully covered"),
    "twice": (file(b'{"a":%s,"a":%s}' % ((json.dumps(ENTRY).encode(),) * 2), bytes(16)), "cover"),
    "negative": (file({"a": ENTRY | {"shape": [-1]}}, bytes(8)), "-1"),
    "overflow": (file({"a": ENTRY | {"shape": [2**63, 2**63]}}, bytes(8)), "overflow"),
    "huge but empty": (file({"a": ENTRY | {"shape": [0, 2**63], "data_offsets": [0, 0]}}), "dimension"),
    "100 axes": (file({"a": ENTRY | {"shape": [1] * 100}}, bytes(8)), "64, found 100"),
    "another dtype": (file({"a": ENTRY | {"dtype": "F8_E4M3", "data_offsets": [0, 1]}}, bytes(1)), "'a' holds F8_E4M3"),
    "complex": (file({"a": ENTRY | {"dtype": "C64"}}, bytes(8)), "'a' holds C64"),
    "no dtype": (file({"a": ENTRY | {"dtype": "X. Y\n"}}, bytes(8)), "unknown variant"),
    "a long name": (file({"x\n" * 9999: ENTRY | {"dtype": "C64"}}, bytes(8)), "holds C64"),
    "another checksum": (states_file("null", "00000000"), "checksum"),
    "no checksum": (states_file("{}", ""), "checksum"),
    "deep states": (states_file("[" * 100_000 + "]" * 100_000), "recursion"),
    "long number": (states_file("1" * 5000), "digits"),
    "half states": (states_file('{"a": '), "Expecting value"),
    "a list of states": (states_file("[]"), "list"),
    "no such array": (states_file('{"model": {"__array__": "gone"}}'), "no array 'gone'"),
    "no name of an array": (states_file('{"model": {"__array__": []}}'), "unhashable"),
    "metadata": (file({"__metadata__": 5}), "JSON"),
}


@pytest.mark.parametrize(("data", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_named_with_the_reason_and_changes_nothing(tmp_path, data, reason):
    (tmp_path / "file.safetensors").write_bytes(data)
    model = Mixed(1.0)
    for load in (
        lambda path: nn.load_checkpoint(path, model=model),
        lambda path: nn.load_weights(model, path),
        lambda path: nn.load_weights(model, path, strict=False),
        nn.load_checkpoint,
    ):
        with explained(nn.CheckpointError, "file.safetensors", reason) as caught:
            load(tmp_path / "file.safetensors")
        assert len(str(caught.value)) < 2000 and str(caught.value).isprintable()
    assert same(model.state_dict(), Mixed(1.0).state_dict())
    assert (tmp_path / "file.safetensors").read_bytes() == data


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    """A checkpoint and a file of weights, as bytes."""
    folder = tmp_path_factory.mktemp("valid")
    nn.save_checkpoint(folder / "run", model=Mixed(1.0), run={"epoch": 3, "best": [0.5, None], "rng": 2**100})
    nn.save_weights(Mixed(1.0), folder / "weights")
    return (folder / "run").read_bytes(), (folder / "weights").read_bytes()


changes = st.lists(
    st.tuples(
        st.sampled_from(["flip", "digit", "cut", "add", "end"]),
        st.floats(0, 1) | st.floats(0, 0.2),
        st.integers(0, 7),
    ),
    min_size=1,
    max_size=4,
)


def changed(data, changes):
    data = bytearray(data)
    for change, place, number in changes:
        place = min(int(place * len(data)), max(len(data) - 1, 0))
        if change == "flip" and data:
            data[place] ^= 1 << number
        elif change == "digit" and data:
            data[place] = b'09,:"[]{'[number]
        elif change == "cut":
            del data[place : place + number]
        elif change == "add":
            data[place:place] = bytes(number)
        elif change == "end":
            del data[place:]
    return bytes(data)


@settings(max_examples=300)
@given(changes)
def test_a_damaged_checkpoint_is_what_was_saved_or_an_error(tmp_path_factory, valid, changes):
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(changed(valid[0], changes))
    model = Mixed(2.0)
    try:
        rest = nn.load_checkpoint(path, model=model)
    except nn.CheckpointError as error:
        with explained(nn.CheckpointError, "damaged"):
            raise error
        assert same(model.state_dict(), Mixed(2.0).state_dict())
    else:
        assert same(model.state_dict(), Mixed(1.0).state_dict())
        assert rest == {"run": {"epoch": 3, "best": [0.5, None], "rng": 2**100}}


@settings(max_examples=300)
@given(changes, st.booleans())
def test_damaged_weights_are_what_was_saved_or_an_error(tmp_path_factory, valid, changes, strict):
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(changed(valid[1], changes[:1]))
    model = Mixed(2.0)
    try:
        nn.load_weights(model, path, strict)
    except nn.CheckpointError as error:
        with explained(nn.CheckpointError, "damaged"):
            raise error
        assert same(model.state_dict(), Mixed(2.0).state_dict())
    else:
        assert same(model.state_dict(), Mixed(1.0).state_dict())


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda text: file(b'{"a":{"dtype":"F32",' + text)))
def test_random_bytes_are_an_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "random"
    path.write_bytes(data)
    model = Mixed(2.0)
    with explained(nn.CheckpointError, "random"):
        nn.load_weights(model, path)
    assert same(model.state_dict(), Mixed(2.0).state_dict())


@given(
    st.sampled_from([*nn.checkpoints.DTYPES, "C64", "F4", "F8_E5M2", "X"]),
    st.lists(st.integers(0, 4) | st.sampled_from([2**31, 2**63, 2**64, -1]), max_size=4),
    st.integers(0, 64),
    st.binary(max_size=64),
)
def test_a_file_without_checksum_has_the_numbers_it_says_or_is_an_error(tmp_path_factory, dtype, shape, end, body):
    path = tmp_path_factory.getbasetemp() / "foreign"
    path.write_bytes(file({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}}, body))
    try:
        arrays, states = nn.checkpoints._read(path)
    except nn.CheckpointError as error:
        with explained(nn.CheckpointError, "foreign"):
            raise error
    else:
        assert states is None and arrays["a"].shape == tuple(shape) and len(body) == end
        assert dtype == "BF16" or arrays["a"].nbytes == len(body)


# Killed while saving

CHILD = """
import os, random, signal, struct, sys, time
import numpy as np
import nn
from engine import Tensor

path, kills, careless = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "careless"
rng = random.Random(int(sys.argv[4]))
if careless:
    nn.checkpoints.write_file = lambda path, data: open(path, "wb").write(data)

class Model(nn.Module):
    def __init__(self, k):
        self.weights = [Tensor(np.full(n, k)) for n in (3, 100_000, 7)]

def save_for_ever(start, report):
    k = start
    while True:
        k += 1.0
        nn.save_checkpoint(path, model=Model(k), run={"k": k})
        os.write(report, struct.pack("d", k))

k, wrong, between = 0.0, 0, 0
nn.save_checkpoint(path, model=Model(k), run={"k": k})
for _ in range(kills):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        save_for_ever(k, writing)
    os.close(writing)
    os.read(reading, 8)
    time.sleep(rng.random() * 0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    last = 0.0
    while said := os.read(reading, 8):
        (last,) = struct.unpack("d", said)
    os.close(reading)
    between += os.path.exists(path + ".unfinished")
    model = Model(-1.0)
    try:
        found = nn.load_checkpoint(path, model=model)["run"]["k"]
        assert all((w.data == found).all() for w in model.weights)
        assert last <= found <= max(last, k + 1) + 1, (last, found)
        k = found
    except nn.CheckpointError:
        wrong += 1
        nn.save_checkpoint(path, model=Model(k), run={"k": k})
print(wrong, between)
"""


def killed(path, kills, way, seed=0):
    """How many of the files could not be loaded, and how often a file was half written when the kill came."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(path), str(kills), way, str(seed)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills by signal")


@needs_fork
def test_a_kill_during_a_save_loses_nothing(tmp_path):
    wrong, between = killed(tmp_path / "run", 40, "carefully")
    assert wrong == 0 and between > 0


@needs_fork
@pytest.mark.slow
def test_many_kills_lose_nothing_and_would_lose_much_from_a_careless_writer(tmp_path):
    for seed in range(2):
        wrong, between = killed(tmp_path / f"run{seed}", 500, "carefully", seed)
        assert wrong == 0 and between > 50
    wrong, _ = killed(tmp_path / "careless", 100, "careless")
    assert wrong > 5
