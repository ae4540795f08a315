"""The images and labels that a classifier is evaluated on, in memory or read chunk by chunk."""

from tfrobust.evaluation.examples.arrays import Examples as Examples
from tfrobust.evaluation.examples.load import AnyExamples as AnyExamples
from tfrobust.evaluation.examples.load import as_examples as as_examples
from tfrobust.evaluation.examples.load import load_examples as load_examples
from tfrobust.evaluation.examples.stored import Source as Source
from tfrobust.evaluation.examples.stored import StoredExamples as StoredExamples
from tfrobust.evaluation.examples.stream import StreamedExamples as StreamedExamples
