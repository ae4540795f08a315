"""The rows that bin/benchmark.py --data prints."""

from tfrobust.benchmarks import data as benchmark


def test_every_kind_of_batch_has_a_rate():
    rows = list(benchmark.measure_batches(image_size=8, batch_size=4, batches=5))
    assert [len(row) for row in rows] == [len(benchmark.HEAD)] * 4
    assert all(float(rate.replace(",", "")) > 0 for _, *rates in rows for rate in rates)
    assert rows[0][-1] == "1.00"


def test_fits_are_counted():
    rows = list(benchmark.measure_stalls(fits=3, seconds=0.001))
    assert [row[0] for row in rows] == ["arrays, by Keras", "arrays, by a method"]
    assert all(row[-1].endswith(" of 3") for row in rows)
