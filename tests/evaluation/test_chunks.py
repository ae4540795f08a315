"""An evaluation chunk by chunk is that of all examples at once, whatever the source, killed or not."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf

import tfrobust
from tfrobust import PGD, Linf
from tfrobust.attacks import APGD
from tfrobust.data import Split
from tfrobust.errors import Interrupted, UserError
from tfrobust.evaluation import Bar, Examples, custom
from tfrobust.evaluation.examples import StoredExamples, as_examples, load_examples

TM = Linf(0.02)
ATTACKS = custom({"pgd": PGD(TM, steps=3, selection="any"), "apgd": APGD(TM, steps=4)})
OF_EXAMPLES = ("attempted", "broken", "run", "step", "forwards", "backwards", "unanswered")
ROWS = 16


class Source:
    """Reads by place, and notes what it was asked for."""

    def __init__(self, images, labels):
        self.images, self.labels, self.asked = images, labels, []

    def __len__(self):
        return len(self.labels)

    def read(self, places):
        self.asked.append(np.asarray(places))
        return self.images[places], self.labels[places]


def stream(images, labels):
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(7)


def stream_with_padding(images, labels):
    """Every fourth example comes twice, once with a weight of 0."""
    places = np.sort(np.concatenate([np.arange(len(labels)), np.arange(0, len(labels), 4)]))
    weights = np.concatenate([[1.0], (np.diff(places) > 0).astype(float)])
    return tf.data.Dataset.from_tensor_slices((images[places], labels[places], weights)).batch(9)


SOURCES = {
    "arrays": lambda x, y: (x, y),
    "split": Split,
    "source": Source,
    "stream": stream,
    "padded stream": stream_with_padding,
}


def evaluated(small, make=SOURCES["arrays"], chunk=ROWS, **options):
    network, images, labels = small
    options = {"checks": "none", **options}
    given = make(images, labels) if callable(make) else make
    return tfrobust.evaluate(network, given, ATTACKS, chunk=chunk, **options)


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return evaluated(
        small, chunk="auto", workdir=folder, checks="contract", keep_images=True
    ), folder


def check_same(found, whole):
    for name in ("ids", "labels", "predictions", "robust", "first_broken_by"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name), name)
    for outcome, other in zip(found.outcomes, whole.outcomes, strict=True):
        for name in OF_EXAMPLES:
            np.testing.assert_array_equal(getattr(outcome, name), getattr(other, name), name)
        assert outcome.traces <= other.traces + 1


@pytest.mark.parametrize("name", SOURCES)
def test_chunks_of_any_source_give_the_result_of_all_at_once(small, whole, tmp_path, name):
    expected, folder = whole
    assert 0 < expected.robust.sum() < expected.clean.sum()
    found = evaluated(small, SOURCES[name], workdir=tmp_path, checks="contract")
    check_same(found, expected)
    # C28 counts all of them, though the labels of some sources are read with the images.
    told, due = ({f.id: f for f in e.findings} for e in (found, expected))
    assert told["C28"] == due["C28"] and {f.level for f in told.values()} == {
        f.level for f in due.values()
    }
    # Of a stream the checks see what had come by when it was known not to fit.
    same = due.keys() if "stream" not in name else {"C8", "C26", "C27", "C39", "C40", "C42"}
    assert [id for id in same if id != "C22" and told[id] != due[id]] == []
    table = (tmp_path / "examples.csv").read_bytes()
    assert table == (folder / "examples.csv").read_bytes()
    ours, theirs = (json.loads((p / "report.json").read_text()) for p in (tmp_path, folder))
    for part in ("clean", "robust", "unanswered", "examples"):
        assert ours["tfrobust"][part] == theirs["tfrobust"][part]
    # Of the first chunk the images are kept, the clean ones beside them in the samples.
    first = len(found.adversarial)
    assert 10 < first <= ROWS
    np.testing.assert_array_equal(found.adversarial, expected.adversarial[:first])
    with np.load(tmp_path / "samples.npz") as samples:
        moved = np.abs(samples["images"] - samples["clean"]).max(axis=(1, 2, 3))
        assert (moved <= 0.02 + 1e-6).all() and (moved > 0).all()


def test_images_that_the_data_room_reads_are_evaluated_where_they_are(small, tmp_path):
    network, images, labels = small
    grey = np.round(255 * images).astype(np.uint8)
    for part in ("train", "test"):
        np.save(tmp_path / f"x_{part}.npy", grey)
        np.save(tmp_path / f"y_{part}.npy", labels)
    splits = tfrobust.data.npy(tmp_path, validation=5, memory_limit_gib=0)
    examples = load_examples(splits).first(40)
    assert isinstance(examples, StoredExamples) and examples.image_shape == (4, 4, 1)
    assert repr(examples) == f"StoredExamples({examples.name}: {len(examples)} images (4, 4, 1))"
    expected = evaluated((network, grey[:40], labels[:40]), chunk="auto")
    for given in (examples, splits.test.take(np.arange(40))):
        check_same(evaluated(small, given), expected)


def test_no_more_than_a_chunk_is_read_at_once_and_nothing_twice(small):
    source = Source(*small[1:])
    limits = {"C36": {"examples": 10}}
    evaluated(small, source, thresholds=limits)
    head, *chunks = source.asked[-5:]
    assert len(head) == 10 and max(map(len, source.asked)) <= ROWS
    np.testing.assert_array_equal(np.concatenate(chunks), np.arange(60))


class Stopping:
    """Asks to stop in the middle of an attack on the third chunk."""

    def __init__(self, journals):
        self.journals = journals

    def __call__(self):
        return len(list(self.journals.glob("chunk-*"))) == 3 or self._is_third()

    def _is_third(self):
        done = sorted(self.journals.glob("chunk-*/step-*/state.json"))
        return sum("closed" in path.read_text() for path in done) == 2


@pytest.mark.parametrize("name", ["source", "stream"])
def test_what_is_stopped_in_the_third_chunk_goes_on_there(small, whole, tmp_path, name):
    stop = Stopping(tmp_path / "state")
    with pytest.raises(Interrupted):
        evaluated(small, SOURCES[name], workdir=tmp_path, stop=stop)
    assert len(list(tmp_path.glob("state/chunk-*"))) == 3
    # A closed chunk holds no adversarial images but those of the first examples.
    sizes = [sum(f.stat().st_size for f in p.rglob("*")) for p in sorted(tmp_path.glob("state/*"))]
    assert sizes[1] < sizes[0]
    for changed, told in (({"chunk": 20}, "chunk: 16 there, 20 now"), ({"seed": 1}, "seed")):
        with pytest.raises(UserError, match=told):
            evaluated(small, SOURCES[name], workdir=tmp_path, **changed)
    given = SOURCES[name](*small[1:])
    again = evaluated(small, given, workdir=tmp_path, stop=lambda: False)
    check_same(again, whole[0])
    if name == "source":
        # The first two were not read again, but for what the checks look at.
        chunks = [places for places in given.asked if places[0] >= 30]
        np.testing.assert_array_equal(np.concatenate(chunks), np.arange(30, 60))
        assert not any((places[0], len(places)) == (15, 15) for places in given.asked)
    # Once more reads results only.
    once = evaluated(small, SOURCES[name], workdir=tmp_path)
    check_same(once, whole[0])
    assert [o.seconds for o in once.outcomes] == [o.seconds for o in again.outcomes]


def test_a_stream_with_other_images_later_on_is_refused(small, tmp_path):
    network, images, labels = small
    with pytest.raises(Interrupted):
        evaluated(small, stream, workdir=tmp_path, stop=Stopping(tmp_path / "state"))
    other = images.copy()
    other[25] = 1 - other[25]
    with pytest.raises(UserError, match="digest: "):
        evaluated((network, other, labels), stream, workdir=tmp_path)


def test_shards_in_chunks_are_merged_to_the_report_of_one_process(small, whole, tmp_path):
    network, images, labels = small
    examples = StoredExamples.of(Source(images, labels))
    for index, chunk in enumerate((8, 100)):
        folder = tmp_path / str(index)
        evaluated(small, examples.shard(index, 2), chunk, workdir=folder)
    parts = [tmp_path / "0", tmp_path / "1"]
    for chunk in (ROWS, 100):
        merged = evaluated(small, examples, chunk, workdir=tmp_path / f"of {chunk}", merge=parts)
        check_same(merged, whole[0])
        passes = [o.passes for o in merged.outcomes]
        assert all(sum(made) > 0 for made in passes)
    with pytest.raises(UserError, match="their own folders"):
        evaluated(small, examples, workdir=tmp_path / "images", merge=parts, keep_images=True)
    with pytest.raises(UserError, match="a stream has not"):
        evaluated(small, stream, workdir=tmp_path / "stream", merge=parts)


def test_images_of_chunks_are_those_of_all_in_files_of_their_own(small, whole, tmp_path):
    evaluated(small, SOURCES["source"], workdir=tmp_path, keep_images=True)
    files = sorted(tmp_path.glob("adversarial*.npz"))
    assert [path.name for path in files] == [f"adversarial-{n:05d}.npz" for n in range(4)]
    with np.load(whole[1] / "adversarial.npz") as every:
        for name in every.files:
            found = np.concatenate([np.load(path)[name] for path in files])
            np.testing.assert_array_equal(found, every[name])


def test_the_bar_counts_all_examples(small, whole):
    told = io.StringIO()
    evaluated(small, SOURCES["stream"], bar=Bar(told))
    lines = told.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines[:4]] == [
        f"{done} examples" for done in (16, 32, 48, 60)
    ]
    last = f"robust accuracy <= {100 * whole[0].robust.mean():.2f} %"
    assert lines[3].endswith(last) and lines[-1] == f"apgd  {last}"


def test_what_is_wrong_in_a_later_chunk_is_said(small):
    network, images, labels = small
    wrong = labels.copy()
    wrong[50] = 7
    with pytest.raises(UserError, match="from 0 to 4"):
        evaluated((network, images, wrong), SOURCES["source"])
    bright = np.where(np.arange(60)[:, None, None, None] == 50, 3, 1) * images
    with pytest.raises(UserError, match="Divide by 255|outside"):
        evaluated((network, bright, labels), SOURCES["stream"])


def test_what_fits_is_read_into_memory(small):
    network, images, labels = small
    for make in SOURCES.values():
        examples = as_examples(make(images, labels))
        loaded = examples.load()
        assert isinstance(loaded, Examples) and examples.fits(60)
        np.testing.assert_array_equal(loaded.x, images)
        np.testing.assert_array_equal(loaded.y, labels)
    with pytest.raises(UserError, match="read.places."):
        as_examples(3)
    for chunk in (0, "most"):
        with pytest.raises(UserError, match="chunk"):
            evaluated(small, chunk=chunk)
