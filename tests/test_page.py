"""The stand-alone page: what is written into it, and how it behaves in a real browser."""

import base64
import hashlib
import html
import json
import re
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Value, draw, sin, stack
from engine.drawing.page import standalone

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{text}}"


# Drawings as Graphviz makes them, of descriptions written down here.


def node(name, op, expression, value, gradient, inputs="", kind=None, **more):
    kind = kind or ("result" if op else "variable")
    parts = {"op": op, "name": name, "kind": kind, "expression": expression, "value": value, "gradient": gradient}
    return parts | {"scope": "", "shape": [], "dtype": "float", "inputs": inputs.split()} | more


def edge(start, end, name, derivative=None, factor=None, contribution=None):
    parts = {"from": start, "to": end, "name": name, "derivative": derivative, "factor": factor}
    return parts | {"contribution": contribution, "weight": None}


def path(nodes, edges, names, chain, contribution):
    lists = {"nodes": nodes.split(), "edges": edges.split()}
    return lists | {"names": names, "chain": chain, "contribution": contribution}


def numbered(letter, things):
    return [{"id": f"{letter}{place}"} | thing for place, thing in enumerate(things)]


def two_paths():
    """E = 2·x + x², at x = 3: a value equal to a gradient, numbers in names, a constant."""
    return {
        "title": "E over two paths",
        "theme": "light",
        "direction": "LR",
        "nodes": numbered(
            "n",
            [
                node("x", None, "", "3.0", "8.0"),
                node("", None, "2", "2", None, kind="constant"),
                node("p", "multiply", "2·x", "6.0", "1.0", "n1 n0"),
                node("q", "square", "x²", "9.0", "1.0", "n0"),
                node("E", "add", "p + q", "15.0", "1.0", "n2 n3", "output"),
            ],
        ),
        "edges": numbered(
            "e",
            [
                edge("n1", "n2", "x"),
                edge("n0", "n2", "y", "2", "2.0", "2.0"),
                edge("n0", "n3", "x", "2x", "6.0", "6.0"),
                edge("n2", "n4", "x", "1", "1.0", "1.0"),
                edge("n3", "n4", "y", "1", "1.0", "1.0"),
            ],
        ),
        "clusters": [],
        "paths": {
            "n0": [
                path("n4 n3 n0", "e4 e2", "x → q → E", "2x", "6.0"),
                path("n4 n2 n0", "e3 e1", "x → p → E", "2", "2.0"),
            ]
        },
        "counts": {"n0": "2"},
    }


def chain(length):
    nodes = [node("x0", None, "", "1.0", "1.0")]
    nodes += [node(f"x{i}", "sin", f"sin(x{i - 1})", "0.5", "0.25", f"n{i - 1}") for i in range(1, length)]
    nodes[-1]["kind"] = "output"
    edges = [edge(f"n{i - 1}", f"n{i}", "x", "cos", "0.9", "0.25") for i in range(1, length)]
    return {"title": "A chain", "nodes": numbered("n", nodes), "edges": numbered("e", edges), "paths": {}}


def picture(description):
    """The SVG of a description, with Graphviz's groups and titles but a layout of one row, outputs first."""
    groups = []
    for end in description["edges"]:
        groups.append(
            f'<g id="{end["id"]}" class="edge"><title>{end["from"]}&#45;&gt;{end["to"]}</title>'
            f'<path fill="none" stroke="black" d="M0,-30C20,-50 40,-50 60,-30"/>'
            f'<text x="30" y="-50">{html.escape(end["derivative"] or "")} = {end["factor"] or ""}</text></g>'
        )
    for place, each in reversed(list(enumerate(description["nodes"]))):
        lines = [each["name"] or each["expression"], each["value"], f"∂ {each['gradient']}"]
        texts = "".join(
            f'<text x="{place * 100 + 40}" y="{14 * row - 34}">{html.escape(line)}</text>'
            for row, line in enumerate(lines[: 2 + (each["gradient"] is not None)])
        )
        box = f"{place * 100},-50 {place * 100 + 80},-50 {place * 100 + 80},0 {place * 100},0"
        groups.append(
            f'<g id="{each["id"]}" class="node"><title>{each["id"]}</title>'
            f'<polygon fill="white" stroke="black" points="{box}"/>{texts}</g>'
        )
    width = 100 * len(description["nodes"])
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN"\n'
        ' "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n'
        f'<svg width="{width}pt" height="80pt" viewBox="0 0 {width} 80" xmlns="http://www.w3.org/2000/svg">'
        f'<g id="graph0" class="graph" transform="translate(4 76)">{"".join(groups)}</g></svg>\n'
    )


# What is written.


class Reader(HTMLParser):
    """The elements of a page, what its scripts hold, and its security policy."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.scripts, self.policy = [], "", [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open = tag
        found = dict(attributes)
        if found.get("http-equiv"):
            self.policy = found["content"]

    def handle_endtag(self, tag):
        self.open = ""

    def handle_data(self, text):
        if self.open == "script":
            self.scripts.append(text)


hostile = st.sampled_from([HOSTILE, "<!--", "{{description}}", "&lt;"])
texts = hostile | st.text(st.characters(exclude_categories=["Cs"]))
descriptions = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


@given(texts, texts, st.dictionaries(texts, descriptions, max_size=4))
def test_every_description_comes_back_and_brings_no_element_with_it(title, text, description):
    description = description | {"title": title}
    reader = Reader(standalone(description, None, text))
    assert json.loads(reader.scripts[0]) == description
    assert reader.tags == Reader(standalone({"title": ""}, None, "")).tags


def test_the_same_drawing_gives_the_same_bytes():
    assert standalone(two_paths(), None, "E") == standalone(two_paths(), None, "E")


def test_the_policy_allows_the_page_s_own_script_alone():
    reader = Reader(standalone(two_paths(), picture(two_paths()), "E"))
    digest = base64.b64encode(hashlib.sha256(reader.scripts[-1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in reader.policy
    assert "default-src 'none'" in reader.policy


def test_the_page_names_no_address():
    page = standalone(two_paths(), picture(two_paths()), "E")
    assert set(re.findall(r"\w+://[^\s\"'<>]+", page)) == {"http://www.w3.org/2000/svg"}
    assert "<?xml" not in page and "<!DOCTYPE svg" not in page


def luminance(colour):
    """How bright a colour is, as the WCAG defines it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [1, 2], ids=["light", "dark"])
def test_text_stands_out_from_every_ground_it_is_written_on(theme):
    """At least 4.5 to 1, the WCAG's measure for small text; lines need 3 to 1."""
    page = standalone({"title": ""}, None, "")
    colours = {found[1]: found[theme + 1] for found in re.finditer(r"--(\w+): light-dark\((#\w+), (#\w+)\)", page)}
    grounds = ["paper", "raised", "variable", "constant", "result", "output", "module"]
    for name, least in [("ink", 7), ("quiet", 4.5), ("forward", 3), ("backward", 4.5), ("path", 3), ("edge", 3)]:
        for ground in grounds if name in ("ink", "backward") else ["paper", "raised"]:
            dim, bright = sorted([luminance(colours[name]), luminance(colours[ground])])
            assert (bright + 0.05) / (dim + 0.05) >= least, f"{name} on {ground}"


# In the browser.


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One headless Chromium for the module; without it the tests say what is missing."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    programs = [shutil.which(name, path="/usr/bin") for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("Debian's chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "no-first-run",
        "force-prefers-reduced-motion",
        "window-size=1280,800",
        f"user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    yield driver
    driver.quit()


class Page:
    """One page in the browser, as a reader meets it: what stands there, and what one can press."""

    def __init__(self, browser, folder: Path, description, svg, text="E = 15.0"):
        path = folder / "page.html"
        path.write_text(standalone(description, svg, text), "utf-8")
        browser.get(path.as_uri())
        self.browser = browser

    def run(self, script, *arguments):
        """Return an expression of JavaScript, in which $ finds one element, $$ all, and `given` is what was given."""
        find = "const $ = (s) => document.querySelector(s), $$ = (s) => [...document.querySelectorAll(s)];"
        return self.browser.execute_script(f"{find} const given = arguments[0]; return {script}", *arguments)

    def find(self, selector):
        return self.browser.find_element("css selector", selector)

    def all(self, selector):
        return self.browser.find_elements("css selector", selector)

    def click(self, *selectors):
        for selector in selectors:
            self.run("$(given).dispatchEvent(new MouseEvent('click', {bubbles: true}))", selector)

    def press(self, *keys):
        for key in keys:
            self.browser.switch_to.active_element.send_keys(key)

    def to(self, step):
        self.run("void ($('#slider').value = given, $('#slider').dispatchEvent(new Event('input')))", step)

    def texts(self, name):
        return self.run("$$(`#${given} text`).map(text => text.textContent)", name)

    def lit(self, style):
        return self.run("$$('#stage .' + given).map(each => each.id)", style)

    def rows(self):
        return self.run("$$('tbody tr').map(row => row.className)")

    @property
    def step(self):
        return self.find("#step").text

    @property
    def panel(self):
        return self.find("#panel").text


@pytest.fixture
def open_page(browser, tmp_path):
    """Open descriptions in the browser; afterwards nothing was fetched and nothing went wrong."""

    def open_page(description, svg="drawn", **more):
        return Page(browser, tmp_path, description, picture(description) if svg == "drawn" else svg, **more)

    browser.get_log("browser")
    yield open_page
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert browser.execute_script("return performance.getEntriesByType('resource').map(each => each.name)") == []
    assert browser.get_log("browser") == []


def test_a_page_opens_with_everything_shown(open_page):
    page = open_page(two_paths())
    assert page.texts("n2") == ["p", "6.0", "∂ 1.0"] and page.texts("e2") == ["2x = 6.0"]
    assert "All values and gradients" in page.step
    assert page.lit("forward") == page.lit("backward") == []
    assert "Paths to the inputs".upper() in page.panel.upper()


def test_the_values_come_forward_one_node_at_a_time(open_page):
    page = open_page(two_paths())
    page.click("#first")
    assert page.step == "Step 1 of 9. Given: x = 3.0."
    assert page.texts("n0") == ["x", "3.0", "∂ —"] and page.texts("n1") == ["2", "2"]
    assert page.texts("n2") == ["p", "—", "∂ —"] and page.texts("n4") == ["E", "—", "∂ —"]
    assert page.texts("e1") == ["2 = —"], "a local derivative comes with the value"
    page.click("#next")
    assert page.step == "Step 2 of 9. Forward: p = 2·x = 6.0."
    assert page.texts("n2") == ["p", "6.0", "∂ —"] and page.texts("n3") == ["q", "—", "∂ —"]
    assert page.lit("forward") == ["e0", "e1", "n2"]
    page.click("#next", "#next", "#previous")
    assert "q = x² = 9.0" in page.step and page.lit("forward") == ["e2", "n3"]
    assert page.texts("n4") == ["E", "—", "∂ —"]


def test_the_gradients_come_backward_one_node_at_a_time(open_page):
    page = open_page(two_paths())
    page.to(4)
    assert page.step == "Step 5 of 9. Backward: ∂E/∂E = 1.0, where the sweep starts."
    assert page.texts("n4") == ["E", "15.0", "∂ 1.0"] and page.texts("n3") == ["q", "9.0", "∂ —"]
    page.to(7)
    assert page.step == "Step 8 of 9. Backward: ∂E/∂x = 2.0 + 6.0 = 8.0, sent by p, q."
    assert page.texts("n0") == ["x", "3.0", "∂ 8.0"]
    assert page.lit("backward") == ["e1", "e2", "n0"]


def test_no_number_is_shown_before_its_step(open_page):
    """In every place that holds numbers: the drawing, the panel, the table, the labels that are read aloud."""
    description = two_paths()
    page = open_page(description)
    page.click("#table > summary")
    nodes = {each["id"]: each for each in description["nodes"]}
    for step in range(9):
        page.to(step)
        forward = ["n0", "n1", "n2", "n3", "n4"][: 2 + step]
        backward = ["n4", "n3", "n2", "n0"][: max(0, step - 3)]
        rows = page.run("$$('tbody tr').map(row => [row.cells[1].textContent, row.cells[2].textContent])")
        labels = page.run("graph.nodes.map(node => $(`#${node.id}`).getAttribute('aria-label'))")
        for place, each in enumerate(nodes):
            value = nodes[each]["value"] if each in forward else "—"
            gradient = nodes[each]["gradient"] if each in backward else "—"
            assert rows[place] == [value, gradient]
            assert page.texts(each)[1:] == [value, f"∂ {gradient}"][: len(page.texts(each)) - 1]
            assert ("not computed yet" in labels[place]) == ("—" in (value, gradient) and each != "n1")
            assert "0.0" not in labels[place]


def test_playing_goes_from_the_first_step_to_the_last_and_can_be_paused(open_page):
    page = open_page(two_paths())
    page.run("void ($('#speed').value = '0.5')")
    page.click("#play")
    assert page.find("#play").text == "Pause" and page.step.startswith("Step 1 ")
    page.run("void ($('#speed').value = '20')")
    end = time.monotonic() + 20
    while page.find("#play").text == "Pause" and time.monotonic() < end:
        time.sleep(0.05)
    assert page.find("#play").text == "Play" and page.step.startswith("Step 9 ")
    page.run("void ($('#speed').value = '0.5')")
    page.click("#play", "#play")
    assert page.find("#play").text == "Play" and page.step.startswith("Step 1 ")


def test_a_node_explains_its_rule_with_numbers(open_page):
    page = open_page(two_paths())
    page.click("#n3 polygon")
    for line in ("operation square", "q = x² = 9.0", "∂E/∂q = 1.0", "2x = 6.0", "1.0 · 6.0 = 6.0"):
        assert line in page.panel
    page.click("#n2 text")
    assert "nothing: a constant" in page.panel and "1.0 · 2.0 = 2.0" in page.panel
    assert "p = 2·x = 6.0" in page.find("#said").get_attribute("textContent")
    page.click("#first")
    page.click("#n3 polygon")
    assert "q = x² = —" in page.panel and "6.0" not in page.panel and "9.0" not in page.panel


def test_an_input_lists_and_lights_its_paths_and_then_one_of_them_as_wide_as_its_contribution(open_page):
    page = open_page(two_paths())
    page.click("#n0")
    assert "x → q → E" in page.panel and "2x = 6.0" in page.panel and "∂E/∂x = 8.0" in page.panel
    first, second, both = page.all("#panel .choice")
    assert len(page.lit("path")) == 8, "all at once, on the click that chose the input"
    assert [each.get_attribute("aria-pressed") for each in (first, second, both)] == ["false", "false", "true"]
    assert page.find("#said").get_attribute("textContent").endswith("Paths to it: 2.")
    second.click()
    assert set(page.lit("path")) == {"n0", "n2", "n4", "e1", "e3"}
    assert second.get_attribute("aria-pressed") == "true"
    width = "parseFloat(getComputedStyle($(given + ' path')).strokeWidth)"
    narrow = page.run(width, "#e1")
    first.click()
    assert set(page.lit("path")) == {"n0", "n3", "n4", "e2", "e4"}
    assert page.run(width, "#e2") > narrow > page.run(width, "#e1")
    both.click()
    assert len(page.lit("path")) == 8
    both.click()
    assert page.lit("path") == [] and both.get_attribute("aria-pressed") == "false"
    page.click("#n0", "#n3")
    assert page.lit("path") == [], "no input: its own paths are not the question"
    page.click("#n0", "#next")
    assert page.lit("path") == []


def test_the_only_path_to_an_input_is_lit_on_its_click(open_page):
    description = two_paths()
    del description["paths"]["n0"][1]
    page = open_page(description | {"counts": {"n0": "1"}})
    page.click("#n0")
    (only,) = page.all("#panel .choice")
    assert set(page.lit("path")) == {"n0", "n3", "n4", "e2", "e4"} and only.get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("paths", [{"paths": {}}, {"paths": {}, "counts": {}}, {"paths": None}])
def test_paths_that_were_not_listed_are_not_said_to_be_none(open_page, paths):
    page = open_page(two_paths() | paths | {"unlisted": "the graph has 1200 nodes, more than 1000"})
    why = "not listed, because the graph has 1200 nodes, more than 1000."
    assert f"They are {why}" in page.panel
    page.click("#n0")
    assert f"They are {why}" in page.panel and page.all("#panel .choice") == []
    assert page.find("#said").get_attribute("textContent").endswith(f"Paths to it: {why}")
    page.click("#n3")
    said = page.find("#said").get_attribute("textContent")
    assert said.endswith("The side panel shows 1 input.") and "paths" not in page.panel.lower()
    description = two_paths() | paths
    description["nodes"][0]["gradient"] = None
    page = open_page(description)
    assert "They are not listed, because no gradient was computed for it." in page.panel


@pytest.mark.parametrize(
    ("drawn", "why"),
    [
        (lambda x: draw([x * 2, x * 3]), "no gradients were computed"),
        (lambda x: draw([x * 2, x * 3], gradient=[1.0, 1.0]), "there are several outputs"),
        (lambda x: draw(stack([x, x]), gradient=[1.0, 1.0]), "the output is an array of shape (2,)"),
        (lambda x: draw(long(x), limit=None), "the graph has 1 002 nodes, more than 1 000"),
        (lambda x: draw(x * 2, gradients=False), "no gradients were computed"),
        (lambda x: draw(x * 2), ""),
    ],
)
def test_a_description_says_why_it_lists_no_paths(drawn, why):
    description = drawn(Value(1.0, label="x")).description
    assert description["unlisted"] == why
    assert bool(description["paths"]) == bool(description["counts"]) == (not why)


def long(x):
    y = x
    for _ in range(1001):
        y = sin(y)
    return y


def test_a_link_in_the_panel_leads_to_its_node_and_keeps_the_focus(open_page):
    page = open_page(two_paths())
    page.click("#n4")
    page.find("#panel button.link").send_keys(" ")
    assert page.find("#panel h2").text == "p"
    assert page.run("document.activeElement.id") == "panel"


def test_everything_can_be_done_with_the_keyboard(open_page):
    from selenium.webdriver.common.keys import Keys

    page = open_page(two_paths())
    page.run("$('#stage').focus()")
    reached = []
    for _ in range(5):
        page.press(Keys.TAB)
        reached.append(page.run("document.activeElement.id"))
    assert reached == ["n0", "n1", "n2", "n3", "n4"], "in topological order, whatever the order of the picture"
    page.press(Keys.ENTER)
    assert "E = p + q = 15.0" in page.panel
    page.press(Keys.SHIFT + Keys.TAB + Keys.SHIFT, " ")
    assert "q = x² = 9.0" in page.panel
    page.press(Keys.ESCAPE)
    assert "How to read this" in page.panel
    scale = page.run("view.scale")
    page.press("+")
    assert page.run("view.scale") > scale
    x, y = page.run("[view.x, view.y]")
    page.press(Keys.ARROW_LEFT, Keys.ARROW_UP)
    assert page.run("view.x") > x and page.run("view.y") > y
    page.press("-", "-", "0")
    assert page.run("view.scale") == pytest.approx(scale, rel=0.3)
    page.find("#slider").send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    assert page.step.startswith("Step 2 ")


def test_the_wheel_zooms_about_the_pointer_and_dragging_moves(open_page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    page = open_page(two_paths())
    stage = page.find("#stage")
    before = page.run("{...view}")
    chosen = page.find("#n2 text")
    place = chosen.rect
    ActionChains(page.browser).scroll_from_origin(ScrollOrigin.from_element(chosen), 0, -200).perform()
    after = page.run("{...view}")
    assert after["scale"] > before["scale"]
    middle = [chosen.rect[axis] + chosen.rect[length] / 2 for axis, length in (("x", "width"), ("y", "height"))]
    assert middle == pytest.approx([place["x"] + place["width"] / 2, place["y"] + place["height"] / 2], abs=3)
    ActionChains(page.browser).click_and_hold(stage).move_by_offset(50, 30).release().perform()
    moved = page.run("{...view}")
    assert (moved["x"] - after["x"], moved["y"] - after["y"]) == pytest.approx((50, 30), abs=1)
    assert "How to read this" in page.panel, "dragging chooses nothing"
    for name, bigger in (("Zoom in", True), ("Zoom out", False)):
        scale = page.run("view.scale")
        page.click(f"[aria-label='{name}']")
        assert (page.run("view.scale") > scale) == bigger
    page.click("[aria-label='Show all']")
    assert page.run("view.moved") is False


def test_a_screen_reader_finds_names_roles_and_announcements(open_page):
    page = open_page(two_paths())
    assert (
        page.find("#step").get_attribute("role") == "status"
        and page.find("#step").get_attribute("aria-live") == "polite"
    )
    assert page.find("#n3").aria_role == "button"
    assert page.find("#n3").accessible_name == "q = x², operation square, value 9.0, gradient 1.0"
    assert page.find("#n1").accessible_name == "2, constant, value 2, no gradient"
    for control in page.all("button, input, select"):
        assert not control.is_displayed() or control.accessible_name
    page.to(2)
    assert page.find("#n3").get_attribute("aria-current") == "step"
    assert page.rows() == [], "the table is built when it is opened"
    page.click("#table > summary")
    assert [row.get_attribute("aria-current") for row in page.all("tbody tr")] == [None, None, None, "step", None]
    assert [cell.get_attribute("scope") for cell in page.all("thead th")] == ["col"] * 6


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_theme_follows_the_system_the_drawing_and_the_button(open_page, system):
    def dark(page):
        colour = page.run("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) < 300

    description = two_paths()
    open_page(description).browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": system}]}
    )
    page = open_page(description)
    assert dark(page) == (system == "dark")
    text = page.run("getComputedStyle($('#n3 text')).fill")
    page.click("#theme")
    assert dark(page) == (system == "light")
    assert page.run("getComputedStyle($('#n3 text')).fill") != text
    page.click("#theme")
    assert dark(page) == (system == "dark")
    assert dark(open_page(description | {"theme": "dark"}))


def test_hostile_labels_are_only_text(open_page):
    description = two_paths()
    description["title"] = HOSTILE
    for each in description["nodes"]:
        each |= {"name": HOSTILE, "expression": HOSTILE, "op": HOSTILE, "scope": HOSTILE}
    for each in description["edges"]:
        each |= {"name": HOSTILE, "derivative": HOSTILE}
    for each in description["paths"]["n0"]:
        each |= {"names": HOSTILE, "chain": HOSTILE}
    page = open_page(description, text=HOSTILE)
    for name in ("n0", "n3"):
        page.click(f"#{name}")
        assert HOSTILE in page.panel
    page.click("#table > summary", "#first", "#next")
    assert page.browser.title == HOSTILE and page.find("h1").text == HOSTILE
    assert page.run("$$('script').length") == 2
    assert page.run("$$('img').length") == 0
    assert page.run("$('#text pre').textContent") == HOSTILE


def test_a_script_that_reached_the_picture_would_not_run(open_page, browser):
    description = two_paths()
    svg = picture(description).replace("</svg>", "<script>document.title = 'broken'</script></svg>")
    page = open_page(description, svg)
    assert page.browser.title == "E over two paths"
    assert any("Content Security Policy" in line["message"] for line in browser.get_log("browser"))


def test_without_a_picture_the_text_stands_in_its_place_and_the_table_is_lit(open_page):
    page = open_page(two_paths(), None, text="E = 2·x + x² = 15.0 <b>")
    assert "E = 2·x + x² = 15.0 <b>" in page.find("#stage").text
    assert len(page.all("tbody tr")) == 5 and not page.find(".tools").is_displayed()
    page.to(2)
    assert "15.0" not in page.find("#stage").text, "the text holds numbers that are not computed yet"
    assert page.rows() == ["", "", "", "forward", ""]
    page.all("tbody button")[0].click()
    assert "x → q → E" in page.panel and page.rows() == ["path", "", "path", "path", "path"]
    page.all("#panel .choice")[0].click()
    assert page.rows() == ["path", "", "", "path", "path"]
    page.click("#last")
    assert "15.0 <b>" in page.find("#stage").text


def test_what_was_not_computed_is_never_zero(open_page):
    description = two_paths()
    for each in description["nodes"]:
        each["gradient"] = None
    for each in description["edges"]:
        each |= {"factor": None, "contribution": None}
    description["nodes"][2]["value"] = None
    page = open_page(description, None)
    assert "Step 5 of 5. All values. No gradient was computed." in page.step
    page.click("tbody tr:nth-child(3) button")
    assert "∂E/∂p = —" in page.panel and "p = 2·x = —" in page.panel
    assert {row.text for row in page.all("tbody td:nth-child(3)")} == {"—"}


def test_an_empty_description_is_a_page(open_page):
    page = open_page({"nodes": [], "edges": []}, None, text="nothing")
    assert page.step.startswith("Step 2 of 2")
    page.click("#first", "#play", "#play")


def test_values_are_found_wherever_the_drawing_writes_them(open_page):
    """On one line with the gradient, equal to it, beside equal digits in the name, with hard spaces, negative."""
    description = {
        "title": "Values",
        "nodes": numbered(
            "n",
            [
                node("x", None, "", "1.0", "1.0"),
                node("x2 2", "f", "f(x)", "2", "2", "n0"),
                node("z", "f", "f(x)", "0.5", "−0.5", "n1"),
                node("a", "f", "f(x)", "(3, 4) from −0.5 to 2.1", "0.25", "n2", "output", shape=[3, 4]),
            ],
        ),
        "edges": [],
    }
    svg = picture(description)
    svg = svg.replace(">2</text>", ">data 2 | grad 2</text>").replace("∂ 2<", "<")
    svg = svg.replace("(3, 4) from −0.5", "(3,\u00a04)\u00a0from −0.5")
    page = open_page(description, svg)
    page.to(1)
    assert page.texts("n1") == ["x2 2", "data 2 | grad —", ""] and page.texts("n2") == ["z", "—", "∂ —"]
    page.to(0)
    assert page.texts("n1")[:2] == ["x2 2", "data — | grad —"] and page.texts("n3")[1:] == ["—", "∂ —"]
    page.click("#last")
    assert page.texts("n1")[1] == "data 2 | grad 2" and page.texts("n2") == ["z", "0.5", "∂ −0.5"]


def test_a_large_graph_is_played_and_explored_like_a_small_one(open_page):
    page = open_page(chain(2000))
    assert page.find("#slider").get_attribute("max") == "4000"
    page.to(0)
    assert page.texts("n1999")[1] == "—"
    page.to(2500)
    page.click("#next", "#n5", "[aria-label='Zoom in']", "[aria-label='Show all']", "#table > summary")
    assert len(page.all("tbody tr")) == 2000 and page.texts("n1000")[2] == "∂ —"
    page.click("#last")
    assert page.texts("n1000")[2] == "∂ 0.25"


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_off_at_the_width_of_a_screen_and_of_a_telephone(open_page, width):
    page = open_page(two_paths())
    page.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    page.click("#n0")
    assert page.run("document.documentElement.scrollWidth") <= width
    for each in page.all("#steps button, #steps input, #steps select, #panel .choice"):
        assert each.rect["x"] >= 0 and each.rect["x"] + each.rect["width"] <= width


def test_printing_shows_the_whole_drawing_and_the_table_without_the_controls(open_page):
    page = open_page(two_paths())
    page.run("void zoom(5)")
    page.run("void dispatchEvent(new Event('beforeprint'))")
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not page.find(".controls").is_displayed() and not page.find("#theme").is_displayed()
    assert page.find("tbody").is_displayed()
    drawn = page.find("#stage svg").rect
    assert drawn["x"] >= 0 and drawn["x"] + drawn["width"] <= 1280
    page.run("void dispatchEvent(new Event('afterprint'))")
    assert not page.find("#table").get_attribute("open")


def test_the_engine_s_own_drawings_keep_their_numbers_until_their_steps(open_page):
    import engine
    from engine.drawing import draw
    from engine.errors import MissingExtraError

    x, w = engine.Value(1.0, label="x"), engine.Value(1.0, label="w")
    scalars = engine.sigmoid(w * x + 1) * w
    tensors = (engine.Tensor([[1.0, 2.0], [3.0, 4.0]], label="W") @ engine.Tensor([1.0, -1.0], label="v")).sum()
    large = engine.relu(engine.Tensor([[float(i * j) for i in range(7)] for j in range(5)], label="A")).sum()
    for output in (scalars, tensors, large):
        drawing = draw(output, derivatives=True)
        try:
            svg = drawing.svg()
        except MissingExtraError:
            pytest.skip("neither dot nor pygraphviz is installed")
        description = drawing.description
        page = open_page(description, svg)
        written = {each["id"]: page.texts(each["id"]) for each in description["nodes"]}
        page.to(0)
        for each in description["nodes"]:
            hidden = [line for line in page.texts(each["id"]) if line.endswith("—")]
            assert len(hidden) == (each["op"] is not None) + (each["gradient"] is not None), written[each["id"]]
        page.click("#last")
        assert {each: page.texts(each) for each in written} == written
