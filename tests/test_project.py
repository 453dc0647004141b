"""The project's own files: documents whose code runs, one version, the extras, the tree, the tests' guard."""

import configparser
import contextlib
import doctest
import fnmatch
import importlib
import inspect
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"engine", "nn", "tests", "demos", "benchmarks"}
PACKAGES = ["engine", "nn", "demos"]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), ROOT / "engine" / "testing" / "README.md", ROOT / "nn" / "README.md"]

settings = configparser.ConfigParser()
settings.read(ROOT / "setup.cfg", encoding="utf-8")
extras = settings["options.extras_require"]


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


# Documents


def run_python_blocks(text: str, name: str) -> int:
    """Run every block of Python in a document, in order and in one namespace; count them.

    What one prints is compared with a block of text, or of a drawing as text, right below it.
    """
    names: dict[str, object] = {"__name__": "__main__"}
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    pattern = r"^```python\n(.*?)^```(?:\n+^```(?:text|mermaid)\n(.*?)^```)?"
    blocks = list(re.finditer(pattern, text, re.MULTILINE | re.DOTALL))
    for block in blocks:
        source, line = block[1], text.count("\n", 0, block.start(1))
        if ">>>" in source:
            example = doctest.DocTestParser().get_doctest(source, names, name, name, line)
            report: list[str] = []
            outcome = doctest.DocTestRunner(optionflags=flags).run(example, out=report.append, clear_globs=False)
            assert outcome.failed == 0, "".join(report)
            names |= example.globs
        else:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile("\n" * line + source, name, "exec"), names)
            if block[2] is not None:
                assert printed.getvalue().strip() == block[2].strip()
    return len(blocks)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_python_in_a_document_runs(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_python_blocks(document.read_text("utf-8"), document.name)


def test_the_blocks_of_a_document_share_their_names_and_can_fail():
    right = "```python\nx = 2\n```\nThen\n```python\n>>> y = x + 1; y\n3\n```\n```python\nassert y == 3\n```\n"
    assert run_python_blocks(right, "right.md") == 3
    with pytest.raises(AssertionError, match=r'File "wrong\.md", line 6'):
        run_python_blocks(right.replace("\n3\n", "\n4\n"), "wrong.md")
    with pytest.raises(AssertionError):
        run_python_blocks(right.replace("y == 3", "y == 4"), "wrong.md")
    printing = "```python\nprint(2)\n```\n\n```text\n2\n```\n"
    assert run_python_blocks(printing, "right.md") == 1
    with pytest.raises(AssertionError):
        run_python_blocks(printing.replace("\n2\n", "\n3\n"), "wrong.md")


def test_the_readme_has_python_and_the_commands_that_ci_runs():
    text = (ROOT / "README.md").read_text("utf-8")
    assert "```python\n" in text
    for heading in ("Train on real digits", "Run the tests"):
        section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, f"README.md has no heading '## {heading}'"
        assert re.search(r"^```\w*\n[^\n]+\n```$", section[1], re.MULTILINE), f"no one-line block: {section[1]}"


def test_the_page_of_nn_names_all_that_there_is():
    import nn

    table = (ROOT / "nn" / "README.md").read_text("utf-8").split("## Names by topic")[1]
    assert {*re.findall(r"`(\w+)`", table), "estimators"} == set(dir(nn))


def shown(*names: str) -> list[str]:
    """The public functions and classes of modules, but for their errors, which have no calls to show."""
    found = []
    for module in map(importlib.import_module, names):
        for name in getattr(module, "__all__", None) or [each.__name__ for each in module.INITIALIZERS.values()]:
            part = getattr(module, name)
            if not inspect.ismodule(part) and not (inspect.isclass(part) and issubclass(part, Exception)):
                found.append(f"{module.__name__}.{name}")
    return found


@pytest.mark.parametrize("name", shown("nn", "nn.initializers"))
def test_every_public_name_of_nn_has_an_example(name):
    """Which is executed with all others."""
    module, _, part = name.rpartition(".")
    assert doctest.DocTestParser().get_examples(getattr(sys.modules[module], part).__doc__), name


# Versions and extras


def test_the_version_stands_in_one_place():
    version = settings["metadata"]["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    copies = [
        path.relative_to(ROOT).as_posix()
        for path in [*sources(*FOLDERS), *ROOT.glob("*.toml"), ROOT / ".ci" / "run"]
        if re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.])", path.read_text("utf-8"))
    ]
    assert copies == []


def test_the_changelog_begins_with_this_version():
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == settings["metadata"]["version"]


def test_the_promised_extras_exist():
    assert {"test", "demos", "draw", "all"} <= set(extras)
    assert set(extras) == {"all", *re.search(r"\[(.*)\]", extras["all"])[1].split(",")}, "`all` holds every other"


def test_every_extra_that_is_named_exists():
    """An absent package's error says which extra to install."""
    for path in [*DOCUMENTS, *sources(*PACKAGES), ROOT / "setup.cfg"]:
        for names in re.findall(r"(?:chainrule|'\.)\[([a-z, ]+)\]", path.read_text("utf-8")):
            assert set(re.split(r",\s*", names)) <= set(extras), path


# The tree


def test_the_top_level_has_only_the_stated_folders():
    ignored = (ROOT / ".gitignore").read_text("utf-8").split("\n")
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert {name for name in folders if not any(fnmatch.fnmatch(name, line) for line in ignored)} <= FOLDERS


def test_every_folder_of_a_package_is_a_package():
    """Else setuptools leaves it out without a word."""
    folders = {path.parent for path in sources(*PACKAGES)}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("package", ["engine", "nn"])
def test_the_type_hints_are_announced(package):
    assert (ROOT / package / "py.typed").exists()
    assert "py.typed" in settings["options.package_data"][package]


def test_the_tests_are_flat():
    """An __init__.py below tests/engine would shadow the real engine."""
    assert {path.parent for path in sources("tests")} == {ROOT / "tests"}
    assert not (ROOT / "tests" / "__init__.py").exists()


def test_ci_can_be_run():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


# The tests test the checkout, and the guard in conftest.py holds.


def test_the_checkout_is_what_is_tested():
    import engine
    import nn

    assert [Path(package.__file__).parent.parent for package in (engine, nn)] == [ROOT, ROOT]


LEAKING_TESTS = """
import gc, sys, numpy
from engine import no_grad

silence = no_grad()

def warns(): numpy.array([1.0]) / 0
def leaks_the_error_state(): numpy.seterr(divide="raise")
def leaks_the_print_options(): numpy.set_printoptions(precision=3)
def leaks_the_recording_state(): silence.__enter__()
def leaks_the_recursion_limit(): sys.setrecursionlimit(5000)
def leaks_the_collector(): gc.disable()
def is_clean():
    with numpy.errstate(all="ignore"), no_grad(): numpy.array([1.0]) / 0
"""


def test_the_guard_fails_a_test_that_leaks(tmp_path):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_leaks.py").write_text(LEAKING_TESTS)
    options = ["-qrA", "-pno:cacheprovider", f"--rootdir={tmp_path}", f"-c{ROOT / 'setup.cfg'}"]
    options += [f"-opythonpath={ROOT}", "-opython_functions=leaks_* warns is_*", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *options]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    for name in re.findall(r"def (leaks_\w+)", LEAKING_TESTS):
        assert re.search(rf"^ERROR \S*::{name} - Failed: The test leaks", output, re.MULTILINE), output
    assert re.search(r"^FAILED \S*::warns - RuntimeWarning", output, re.MULTILINE), output
    assert not re.search(r"^(ERROR|FAILED) \S*::is_clean", output, re.MULTILINE), output
