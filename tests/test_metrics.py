"""Accuracy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
import nn
from engine import errors

labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20)


@given(labels)
def test_accuracy_is_the_share_of_equal_labels(pairs):
    guesses, truth = np.array(pairs).T
    expected = sum(a == b for a, b in pairs) / len(pairs)
    scores, one_hot = 0.3 * np.eye(4)[guesses], np.eye(4)[truth]
    for prediction in (guesses, scores, engine.Tensor(scores), scores.tolist()):
        for targets in (truth, one_hot, truth.tolist(), engine.Tensor(truth)):
            result = nn.accuracy(prediction, targets)
            assert type(result) is float
            assert result == expected


@pytest.mark.parametrize(("prediction", "targets"), [((3,), (2,)), ((3, 2), (2,)), ((3,), (3, 1, 1)), ((0,), (0,))])
def test_accuracy_needs_a_target_for_each_prediction(prediction, targets):
    with pytest.raises(errors.ShapeError, match="compared with its own target"):
        nn.accuracy(np.zeros(prediction), np.zeros(targets))
