"""Files: what is saved is in the form that its name asks for, whole or not at all."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained

from engine import Value, draw
from engine.documents import Document, Paragraph
from engine.errors import DataError
from engine.files import form_of, write_file

DRAWING = draw(Value(1.0, label="σ"))
DOCUMENT = Document("σ", Paragraph("words"))
SAVED = [
    *[(DOCUMENT, ending, getattr(DOCUMENT, form)) for ending, form in
      [(".txt", "text"), (".md", "markdown"), (".tex", "latex"), (".html", "html")]],
    *[(DRAWING, ending, form) for ending, form in
      [(".txt", DRAWING.text), (".dot", lambda: DRAWING.source), (".mmd", lambda: DRAWING.mermaid)]],
]  # fmt: skip
both = pytest.mark.parametrize("thing", [DOCUMENT, DRAWING], ids=["document", "drawing"])


@pytest.mark.parametrize(("thing", "ending", "form"), SAVED)
@pytest.mark.parametrize("kind", [str, Path])
def test_the_ending_of_the_name_chooses_the_form(tmp_path, thing, ending, form, kind):
    for name in (f"a{ending}", f"B{ending.upper()}"):
        thing.save(kind(tmp_path / name))
        assert (tmp_path / name).read_bytes() == form().encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"a{ending}", f"B{ending.upper()}"])


@both
@pytest.mark.parametrize("name", ["a.docx", "folder", ".html", "a.html.", ""])
def test_another_ending_is_refused_with_those_there_are(tmp_path, thing, name):
    with explained(DataError, ".txt, ", ".html"):
        thing.save(tmp_path / name if name else "")
    assert list(tmp_path.iterdir()) == []


@both
def test_what_cannot_be_written_is_named_as_it_was_given(tmp_path, thing):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.txt").mkdir()
    for name, kind in [("none/a.txt", FileNotFoundError), ("file/a.txt", NotADirectoryError), ("folder.txt", OSError)]:
        with pytest.raises(kind, match="give a name in a folder that exists") as caught:
            thing.save(tmp_path / name)
        assert caught.value.filename == str(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.txt"]


@both
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, thing, monkeypatch):
    def full(path, data):
        path.open("wb").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.txt").write_text("before")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left.*has room") as caught:
        thing.save(tmp_path / "a.txt")
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


def test_the_disk_has_all_of_a_file_before_it_has_the_name(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda file: done.append(("all", os.fstat(file).st_size)) or fsync(file))
    monkeypatch.setattr(Path, "replace", lambda path, to: done.append("name") or replace(path, to))
    write_file(tmp_path / "a.txt", "words")
    assert done == [("all", 5), "name"]


@given(st.text(st.characters(codec="utf-8")) | st.binary())
def test_what_is_written_is_read_again(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "same"
    write_file(path, data)
    assert path.read_bytes() == (data if isinstance(data, bytes) else data.encode())


@given(st.dictionaries(st.from_regex(r"\.[a-z]{1,4}", fullmatch=True), st.integers(), min_size=1), st.data())
def test_every_form_is_found_by_its_ending(forms, data):
    ending = data.draw(st.sampled_from(sorted(forms)))
    for name in (f"a{ending}", f"a.b{ending.upper()}", Path("folder.txt") / f"a{ending}"):
        assert form_of(name, forms) == forms[ending]
