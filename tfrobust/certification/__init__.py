"""Lower bounds of robust accuracy: what no attack can break, proven by bounds or by randomised smoothing."""

from tfrobust.certification.certificate import Certificate as Certificate
from tfrobust.certification.certification import Certification as Certification
from tfrobust.certification.certify import certify as certify
from tfrobust.certification.enclosures import CROWN as CROWN
from tfrobust.certification.enclosures import CROWNIBP as CROWNIBP
from tfrobust.certification.enclosures import IBP as IBP
from tfrobust.certification.page import write_page as write_page
from tfrobust.certification.smoothing import Smoothing as Smoothing
from tfrobust.spec import public_names

__all__ = public_names(globals())
