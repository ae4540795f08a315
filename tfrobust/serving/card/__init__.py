"""The model card of an export: what is known of the classifier, and its page."""

from tfrobust.serving.card.card import update_card as update_card
from tfrobust.serving.card.page import render_card as render_card
from tfrobust.serving.card.sources import describe_training as describe_training
