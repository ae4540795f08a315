"""The table of methods."""

import keras
import numpy as np

from tfrobust import Linf
from tfrobust.attacks import APGD
from tfrobust.data import evaluation_dataset
from tfrobust.data.splits import Split
from tfrobust.evaluation.measure import Judge, measure
from tfrobust.training import compare


def report(clean, robust, strongest, seconds):
    counts = {"clean": clean, "robust": robust, "strongest": strongest}
    counted = {name: {"right": right, "total": 200} for name, right in counts.items()}
    return {"method": "TRADES", "step_seconds": seconds, **counted}


def test_a_row_has_means_and_deviations_and_what_was_not_run_says_so():
    runs = [report(190, 160, 150, 0.01), report(194, 164, 150, 0.03), report(192, 162, 150, 0.02)]
    text = compare.table({"gin/trades.gin": runs, "gin/adv.gin": []})
    head, _, adv, trades = text.splitlines()
    assert adv == "| [adv](gin/adv.gin) | | 0 | not run | not run | not run | not run |"
    assert trades == (
        "| [trades](gin/trades.gin) | TRADES | 3 | 96.0 ± 1.0 | 81.0 ± 1.0 | 75.0 ± 0.0 | 20 |"
    )
    assert head.count("|") == trades.count("|") == adv.count("|")


def test_the_strongest_evaluation_shares_traces_and_never_exceeds_its_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "STEPS", 5)
    generator = np.random.default_rng(0)
    x = generator.random((20, 2, 2, 1)).astype("float32")
    split = Split(x, (x.sum((1, 2, 3)) > 2).astype("int64") + 1)

    def classifier(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((2, 2, 1))
        outputs = keras.layers.Dense(3, name="logits")(keras.layers.Flatten(name="flat")(inputs))
        return keras.Model(inputs, outputs, name="linear")

    strongest = compare.StrongestAttack(Linf(0.05))
    dataset = evaluation_dataset(split, 8)
    found = [strongest(classifier(seed), dataset) for seed in (0, 1)]
    assert len(strongest._judges) == 1
    for seed, measured in enumerate(found):
        single = Judge(classifier(seed), APGD(Linf(0.05), steps=5))
        part = measure(single, dataset)
        np.testing.assert_array_equal(measured.clean, part.clean)
        assert (measured.robust <= part.robust).all()


def test_the_threat_model_comes_from_the_report():
    assert compare.threat_model_of({"threat_model": repr(Linf("8/255"))}) == Linf("8/255")
    assert compare.threat_model_of({"threat_model": repr(Linf(0.15))}).radius() == 0.15
