"""What cannot be logits is found before training."""

import numpy as np
import pytest

from tfrobust.errors import UserError
from tfrobust.training.contract import check_logits

LOGITS = np.array([[1.0, -2.0, 0.5], [0.2, 0.3, 0.4]])


def test_logits_pass_also_where_one_row_looks_like_probabilities():
    check_logits(LOGITS, 3)
    check_logits(np.array([[0.2, 0.3, 0.5], [2.0, 0.0, 0.0]]), 3)


@pytest.mark.parametrize(
    ("outputs", "num_classes", "message"),
    [
        (LOGITS, 4, "4 logits"),
        (LOGITS[:, :, None], 3, "4 logits|3 logits"),
        (LOGITS * np.nan, 3, "finite"),
        (np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True), 3, "softmax"),
    ],
)
def test_the_rest_is_refused(outputs, num_classes, message):
    with pytest.raises(UserError, match=message):
        check_logits(outputs, num_classes)
