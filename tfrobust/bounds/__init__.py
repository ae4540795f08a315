"""Bounds of a network's outputs over all images of a box: intervals, and linear functions (CROWN)."""

from tfrobust.bounds.arithmetic import Arithmetic as Arithmetic
from tfrobust.bounds.interval import Interval as Interval
from tfrobust.bounds.margins import bound_margins as bound_margins
from tfrobust.bounds.network import Network as Network
from tfrobust.bounds.network import read_network as read_network
from tfrobust.bounds.tighten import Tightening as Tightening
from tfrobust.spec import public_names

__all__ = public_names(globals())
