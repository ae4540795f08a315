"""Compiled functions of the whole process, those that were used last."""

import collections
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Any

from tfrobust.compat import keep_for_session

MOST_NETWORKS, MOST_FUNCTIONS = 8, 128


class Store:
    """Keeps values by two keys, a network's and their own, and drops those that were not used for longest.

    Args:
        networks: the most networks. Each keeps the weights of the classifier that it was traced with.
        functions: the most values of all networks together.

    Example:
    >>> from tfrobust.evaluation.compiled.store import Store
    >>> store = Store(functions=2)
    >>> [store.get("network", key, lambda: key) for key in "aba"], store.keys("network")
    (['a', 'b', 'a'], ['b', 'a'])
    >>> store.get("network", "c", str), store.keys("network")
    ('', ['a', 'c'])
    """

    def __init__(self, networks: int = MOST_NETWORKS, functions: int = MOST_FUNCTIONS):
        self._networks, self._functions = networks, functions
        self._kept: collections.OrderedDict[tuple, Any] = collections.OrderedDict()
        self._lock = threading.RLock()

    def get(self, network: Hashable, key: Hashable, make: Callable[[], Any]) -> Any:
        """The value of two keys, made if it is not there."""
        with self._lock:
            if (network, key) not in self._kept:
                self._kept[network, key] = make()
            value = self._kept[network, key]
            self._kept.move_to_end((network, key))
            self._shorten()
        return value

    def keys(self, network: Hashable) -> list:
        """The keys of a network's values, the one that was used last at the end."""
        with self._lock:
            return [key for owner, key in self._kept if owner == network]

    def clear(self) -> None:
        """Drops everything."""
        with self._lock:
            self._kept.clear()

    def _shorten(self):
        while len(self._kept) > self._functions:
            self._kept.popitem(last=False)
        latest = list(dict.fromkeys(network for network, _ in reversed(self._kept)))
        for network in latest[self._networks :]:
            for key in self.keys(network):
                del self._kept[network, key]


# A weak reference: Keras has the only strong one, until its session is cleared.
_store: Callable[[], Store | None] | None = None


def process_store() -> Store:
    """The store of the process; `keras.backend.clear_session` drops it, and `forget_traces` empties it."""
    global _store
    store = _store() if _store else None
    if store is None:
        store = Store()
        keep_for_session("tfrobust_traces", store)
        _store = weakref.ref(store)
    return store


def forget_traces() -> None:
    """Drops all compiled functions that evaluations keep, and the weights that they hold.

    Use it to free memory after evaluations; the next one traces its attacks again. At most 8 architectures
    are kept, each with the first classifier that was evaluated. `keras.backend.clear_session` does it too.

    Example:
    >>> tfrobust.evaluation.forget_traces()
    """
    process_store().clear()
