"""Documents: one content, four forms, none of which its words can break."""

import base64
import re
import shutil
import subprocess
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained

from engine.documents import (
    Document,
    Equation,
    Equations,
    Heading,
    Link,
    Paragraph,
    Picture,
    Rendered,
    Table,
)
from engine.errors import DataError

PDFLATEX = shutil.which("pdflatex")
needs_latex = pytest.mark.skipif(not PDFLATEX, reason="pdflatex is not installed (Debian: texlive-latex-base)")

PNG = b"\x89PNG\r\n\x1a\n"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'


def formula(text, latex):
    return SimpleNamespace(text=lambda: text, latex=lambda: latex)


CHAIN = formula("(y − s)·σ'(z)", r"(y - s) \sigma'(z)")
SIZE = formula("|x|", r"\left|x\right|")
NASTY = (
    "\\{}$&#_%^~<>|\"'`*[]!-+ &amp; --- \\end{document} $$ x\x00\x1b "
    "−·×∂∇→≤≠∞√Σ∈⊙⊗‖ ½ x² x⁻¹² h₁ W1ᵀ ŷ x̂ é ß “a” – σ'(ω) 変数 🎉"
)


def everything(words):
    return Document(
        words,
        Heading(words),
        Paragraph(words, CHAIN, words),
        Paragraph(words),
        Table([words, "n"], [[words, "1"], [CHAIN, "−2.5"], [["a ", SIZE], "1e-07"]], caption=words),
        Table(["a", words], []),
        Equations([Equation(CHAIN, words, "2"), CHAIN, words]),
        Picture(SVG, words),
        Picture(PNG, words, width=9),
    )


class Reader(HTMLParser):
    """The text of a page; its tags must be closed in order, and nothing may be loaded or run."""

    def __init__(self, page):
        super().__init__()
        self.text, self.open, self.sources = "", [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert not {"href", "srcset", "onload"} & attributes.keys() and tag not in ("script", "link", "iframe")
        if tag == "img":
            assert attributes["src"].startswith("data:") and "alt" in attributes
            self.sources.append(attributes["src"])
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def compiled(source, folder):
    """The log of a LaTeX run that must succeed."""
    (folder / "document.tex").write_text(source, "utf-8")
    done = subprocess.run(
        [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "document.tex"],
        cwd=folder,
        capture_output=True,
        encoding="latin-1",
    )
    assert done.returncode == 0 and (folder / "document.pdf").exists(), done.stdout[-2000:]
    return done.stdout


# Properties: any words


@given(st.text())
def test_any_words_make_every_form(words):
    document = everything(words)
    for form in (document.text(), document.markdown(), document.latex(), document.html()):
        assert form.encode() and "\x00" not in form
    assert document.latex().isascii()
    Reader(document.html())


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_a_page_shows_words_as_they_are(words):
    assert Reader(everything(words).html()).text.count(words) >= 10


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["C"])), min_size=2, max_size=5))
def test_a_row_of_a_markdown_table_has_as_many_cells_as_its_header(words):
    row = Document("", Table(words, [words])).markdown().split("\n")[-2]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == len(words) + 1


@given(st.lists(st.text("ab ", max_size=200), min_size=1, max_size=4), st.text("word ", max_size=300))
def test_text_is_at_most_100_wide(cells, words):
    document = Document("", Paragraph(words), Table(cells, [cells], caption=words))
    assert max(map(len, document.text().split("\n"))) <= 100


# Examples


def test_a_document_as_text():
    document = Document(
        "dE/dx",
        Heading("Terms"),
        Paragraph("The term ", CHAIN, " is small."),
        Table(["path", "number"], [["x → E", "−0.5"], ["x → h → E", "12"]], caption="Two paths"),
        Equations([Equation("E", CHAIN, "2"), Equation("dE/dx", "−3")]),
        Picture(SVG, "a square"),
    )
    assert (
        document.text()
        == """\
dE/dx
=====

Terms
-----

The term (y − s)·σ'(z) is small.

Two paths
path       number
---------  ------
x → E        −0.5
x → h → E      12

    E     = (y − s)·σ'(z) = 2
    dE/dx = −3

[Picture: a square]
"""
    )
    assert str(document) == document.text()


def test_formulas_stand_between_dollars_and_no_bar_ends_a_cell():
    table = Document("", Table(["a", "b"], [[SIZE, "x_1"]])).markdown()
    assert r"| $\left\vert x\right\vert$ | x\_1 |" in re.sub(" +", " ", table).replace(r"\vert $", r"\vert$")
    equations = Document("", Equations([Equation(CHAIN, "−0.5")])).markdown()
    assert "\\begin{aligned}\n(y - s) \\sigma'(z) &= -0.5\n\\end{aligned}" in equations


@pytest.mark.parametrize(
    ("words", "shown"),
    [("# 1", r"\# 1"), ("- a", r"\- a"), ("1. a", r"1\. a"), ("+ a", r"\+ a"), ("> a", r"\> a"), ("a - b", "a - b")],
)
def test_a_paragraph_starts_nothing_else_in_markdown(words, shown):
    assert Document("", Paragraph(words)).markdown() == f"# \n\n{shown}\n"


def test_a_picture_is_held_whole_with_its_words_and_its_width():
    document = Document("", Picture(SVG, "a square"), Picture(PNG, "a < b", width=9))
    first, second = Reader(document.html()).sources
    assert base64.b64decode(first.removeprefix("data:image/svg+xml;base64,")) == SVG.encode()
    assert base64.b64decode(second.removeprefix("data:image/png;base64,")) == PNG
    assert 'alt="a &lt; b" width="9"><figcaption>a &lt; b</figcaption>' in document.html()
    assert f"![a square]({first})" in document.markdown() and r"![a \< b](data:image/png" in document.markdown()


def test_a_long_equation_gets_a_line_for_each_member():
    long = formula("a·" * 30, "a" * 30)
    text = Document("", Equations([Equation("E", long, long)])).text()
    assert text.count("\n    ") == 2 and text.count(" = a·") == 2
    latex = Document("", Equations([Equation("E", long, long)])).latex()
    assert latex.count("&= a") == 2


def test_numbers_stand_to_the_right():
    table = Table(["name", "number", "mixed"], [["a", "1", "1"], ["b", "−2.5e-07", "one"], ["c", "", "2"]])
    assert table.numeric() == [False, True, False]
    assert "{lrl}" in Document("", table).latex()
    assert "| --- | ---: | --- |" in Document("", table).markdown()
    assert '<td class="number">−2.5e-07</td>' in Document("", table).html()


def test_no_equations_are_no_block_that_latex_refuses():
    document = Document("", Equations([]))
    assert "align" not in document.latex() and "$$" not in document.markdown()


@pytest.mark.parametrize(
    ("words", "latex"),
    [
        ("σ", r"\ensuremath{\sigma }"),
        ("−½", r"\ensuremath{-}\ensuremath{\tfrac{1}{2}}"),
        ("x²", r"x\ensuremath{{}^{\mathrm{2}}}"),
        ("ŷ", r"\ensuremath{\hat{\mathrm{y}}}"),
        ("ă", r"\ensuremath{\breve{\mathrm{a}}}"),
        ("ς", r"\ensuremath{\varsigma }"),
        ("a^b~c\\", r"a\textasciicircum{}b\ensuremath{\sim{}}c\ensuremath{\backslash{}}"),
        ("y\u0302", r"\ensuremath{\hat{\mathrm{y}}}"),
        ("100 %", r"100 \%"),
        ("w_1", r"w\_1"),
        ("[a]", "{[}a{]}"),
        ("変", r"\text{U+5909}"),
    ],
)
def test_words_in_latex(words, latex):
    assert f"\n\n{latex}\n\n" in Document("", Paragraph(words)).latex()


def test_the_fragment_is_what_stands_in_the_page():
    document = everything("words")
    assert document.html(fragment=True) in document.html()
    assert document.html().startswith("<!doctype html>") and "<html" not in document.html(fragment=True)
    assert "color-scheme: light dark" in document.html()
    assert (document._repr_html_(), document._repr_markdown_()) == (document.html(fragment=True), document.markdown())


def test_what_is_rendered_says_so_by_its_document():
    class Sum(Rendered):
        def document(self):
            return Document("A sum", Paragraph("1 + 1 = 2"))

    assert repr(Sum()) == "<Sum: A sum>"
    assert str(Sum()) == "A sum\n=====\n\n1 + 1 = 2\n"
    for form in ("text", "markdown", "latex", "html"):
        assert getattr(Sum(), form)() == getattr(Sum().document(), form)()


@needs_latex
def test_latex_compiles(tmp_path):
    log = compiled(everything(NASTY).latex(), tmp_path)
    assert "Missing character" not in log


@needs_latex
@pytest.mark.parametrize("length", [30, 99])
def test_a_long_and_wide_table_goes_on_with_its_header_on_the_next_page(tmp_path, length):
    rows = [["some words " * 30, CHAIN, str(number)] for number in range(length)]
    log = compiled(Document("Many rows", Table(["words", "formula", "number"], rows)).latex(), tmp_path)
    assert "Overfull" not in log
    assert int(re.search(r"\((\d+) pages", log)[1]) > 1


# Bad input


def test_a_row_of_another_length_is_explained():
    with explained(DataError, "has 1 cells: ['1']", "has 2: ['a', 'b']"):
        Table(["a", "b"], [["1"]])


def test_a_failure_leaves_the_file_as_it_was(tmp_path):
    class Broken(Rendered):
        def document(self):
            raise ZeroDivisionError

    (tmp_path / "a.md").write_text("before")
    with pytest.raises(ZeroDivisionError):
        Broken().save(tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text() == "before"


def test_a_link_leads_somewhere_on_a_page_and_is_its_words_elsewhere():
    document = Document("Pages", Paragraph("See ", Link("points & lines", "b1/index.html"), "."))
    assert 'See <a href="b1/index.html">points &amp; lines</a>.' in document.html()
    assert r"[points \& lines](<b1/index.html>)" in document.markdown()
    assert "See points & lines." in document.text() and r"points \& lines" in document.latex()
