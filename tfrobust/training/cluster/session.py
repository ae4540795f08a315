"""From the first word between workers to the last."""

import atexit
import contextlib
import sys
from collections.abc import Iterator, Sequence

import tensorflow as tf

from tfrobust.compat import MultiWorkerStrategy
from tfrobust.errors import Interrupted
from tfrobust.ops.replicas.workers import ConnectedWorkers
from tfrobust.training.cluster.environment import Cluster
from tfrobust.training.cluster.watch import AGAIN, STATUS, Watch, end_process

_GONE = "Another worker is gone; what was saved before stays."


class WatchedWorkers(ConnectedWorkers):
    """Workers that know when one of them is gone.

    Args:
        strategy: the strategy, whose server is running.
        cluster: the `Cluster`.
        watch: the `Watch`.
    """

    def __init__(self, strategy: tf.distribute.Strategy, cluster: Cluster, watch: Watch) -> None:
        super().__init__(strategy, cluster.index, len(cluster.addresses), watch.check)
        self.watch = watch

    @contextlib.contextmanager
    def loss_interrupts(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            # Who is gone shows after some seconds; that someone is, TensorFlow may know at once.
            lost = self.watch.wait_for_loss()
            if not lost and not isinstance(
                error, tf.errors.UnavailableError | tf.errors.AbortedError
            ):
                raise
            atexit.register(end_process, STATUS)
            raise (self.watch.interruption() if lost else Interrupted(_GONE, AGAIN)) from error


@contextlib.contextmanager
def join_workers(cluster: Cluster, devices: Sequence[str]) -> Iterator[WatchedWorkers]:
    """Connects this process with the other workers, and models that are made inside with theirs.

    Args:
        cluster: the `Cluster` that `environment.find_cluster` read.
        devices: of this process, such as ("GPU:0", "GPU:1").

    Yields:
        The `Workers`.

    Raises:
        Interrupted: another worker is gone.
    """
    count = len(cluster.addresses)
    print(
        f"Worker {cluster.index} of {count} at {cluster.addresses[cluster.index]}, by {cluster.source}: "
        "waiting for the others.",
        file=sys.stderr,
        flush=True,
    )
    strategy = MultiWorkerStrategy(cluster.addresses, cluster.index, devices)
    watch = Watch(cluster.addresses, cluster.index)
    watch.start()
    workers = WatchedWorkers(strategy, cluster, watch)
    try:
        with workers.loss_interrupts(), strategy.scope():
            yield workers
    finally:
        watch.stop()
