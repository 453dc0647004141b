"""Progress: a bar that keeps its room, and figures in short lines."""

import math
import re
import sys

import pytest

import nn
from nn.training import progress

NAMES = ["loss", "accuracy", "precision", "recall", "f1_score", "top_k_accuracy"]


def history(*names):
    figures = {name: [0.123456] for name in names}
    return nn.History(figures | {f"validation_{name}": [0.654321] for name in names})


@pytest.mark.parametrize("columns", [70, 80, 100, 200])
@pytest.mark.parametrize("count", [1, 2, 6])
def test_figures_give_way_to_the_bar(monkeypatch, capsys, columns, count):
    pytest.importorskip("tqdm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bar = progress.report_on(True, epochs=100, steps=math.inf, steps_each=1)
    for _ in range(100):
        bar.step()
    bar.epoch(100, history(*NAMES[:count]))
    bar.close()
    line = capsys.readouterr().err.split("\r")[-1].rstrip("\n")
    assert len(line) <= columns
    assert len(re.search(r"100%\|([^|]+)\|", line)[1]) >= 10
    shown = re.findall(r"(\w+) 0\.123/0\.654", line)
    assert shown == NAMES[: len(shown)]
    assert shown
    if columns == 200:
        assert len(shown) == count


def test_lines_show_training_and_validation_together(capsys):
    lines = progress.Lines(20)
    lines.epoch(1, nn.History(loss=[0.5, 0.25], validation_loss=[0.75], seconds=[12345.6]))
    assert capsys.readouterr().err.startswith("epoch  1/20  loss 0.25/0.75  seconds 1.235e+04  0.0 s")
