"""The page on training loops of one's own: its blocks run as they stand, in one process."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "own_train_step.md").read_text()
FILES = re.compile(r"^<!-- file: (\S+) -->\n```python\n(.*?)^```$", re.M | re.S)
RUNS = re.compile(r"^<!-- run -->\n```python\n(.*?)^```$", re.M | re.S)
# Beside the page: what its blocks claim.
CLAIMS = """
import keras, numpy as np, tensorflow as tf
from robust_model import RobustModel, attack

def make():
    keras.utils.set_random_seed(0)
    x = keras.Input((8, 8, 1))
    model = RobustModel(x, keras.layers.Dense(10)(keras.layers.Flatten()(x)))
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model

images = np.random.default_rng(0).random((32, 8, 8, 1), np.float32)
labels = np.arange(32) % 10
# Two steps of `fit` are two steps by hand with the seeds 0 and 1.
fitted, by_hand = make(), make()
fitted.fit(images, labels, epochs=2, batch_size=32, shuffle=False, verbose=0)
sgd = keras.optimizers.SGD(0.1)
for step in range(2):
    found = attack(by_hand, images, labels, seed=step)
    with tf.GradientTape() as tape:
        loss = by_hand.compute_loss(y=labels, y_pred=by_hand(found.x, training=True))
    gradients = tape.gradient(loss, by_hand.trainable_variables)
    sgd.apply_gradients(zip(gradients, by_hand.trainable_variables))
for one, other in zip(fitted.get_weights(), by_hand.get_weights()):
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
moved = [attack(fitted, images, labels, seed=seed).x for seed in (0, 0, 1)]
assert np.array_equal(moved[0], moved[1]) and not np.array_equal(moved[0], moved[2])
"""


@pytest.mark.slow
def test_its_blocks_run_and_do_what_they_say(tmp_path):
    for name, text in FILES.findall(PAGE):
        (tmp_path / name).write_text(text)
    step = FILES.findall(PAGE)[0][1].split("def train_step")[1]
    assert len(step.strip().splitlines()) == 8  # with the line of its name
    blocks = [*RUNS.findall(PAGE), CLAIMS]
    assert len(blocks) == 5
    (tmp_path / "page.py").write_text("\n".join(blocks))
    told = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(ROOT),
            "PATH": "",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    numbers = [float(line) for line in told.stdout.splitlines()]
    assert len(numbers) == 3 and all(0 <= number < 10 for number in numbers)
