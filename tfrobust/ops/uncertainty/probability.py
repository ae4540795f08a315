"""TensorFlow Probability, which takes two seconds to import and which few things need."""

import functools
import warnings
from typing import Any

from tfrobust.errors import UserError


@functools.cache
def load_distributions() -> Any:
    """The module `tensorflow_probability.distributions`, imported now.

    Raises:
        UserError: it cannot be imported.

    Example:
    >>> from tfrobust.ops.uncertainty.probability import load_distributions
    >>> float(load_distributions().Normal(0.0, 1.0).cdf(0.0))
    0.5
    """
    try:
        with warnings.catch_warnings():
            # It compares versions by what Python will drop.
            warnings.simplefilter("ignore", DeprecationWarning)
            import tensorflow_probability as tfp
    except ImportError as error:
        raise UserError(
            "Certificates and comparisons take their distributions from TensorFlow Probability, which cannot "
            f"be imported: {error}. Install it by: pip install tensorflow-probability tf-keras"
        ) from error
    return tfp.distributions
