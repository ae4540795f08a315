"""The options that a recipe declares, and editors offer, are those that it takes."""

import inspect
import sys
import typing

import keras
import pytest

from tfrobust import Bregman, methods, recipes
from tfrobust.recipes import options

GROUPS = [group for group in vars(options).values() if typing.is_typeddict(group)]
VALUES = {
    "divergence": Bregman(),
    "intermediate": 1,
    "ramp_epochs": 1,
    "regularizers": (),
    "scale": 1.0,
    "steps": 2,
    "step_size": 0.1,
}
NEEDED = {"helper": keras.Sequential(), "batch_shape": (4, 8, 8, 1)}


def declared(recipe):
    (group,) = typing.get_args(inspect.signature(recipe).parameters["options"].annotation)
    return set(group.__annotations__)


def candidates():
    """Whatever any method or recipe takes."""
    found = set().union(*(group.__annotations__ for group in GROUPS))
    for function in (
        *map(methods.__dict__.get, methods.__all__),
        *map(vars(recipes).get, recipes.__all__),
    ):
        found |= {
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.kind == p.KEYWORD_ONLY
        }
    return found


@pytest.fixture
def only_bound(monkeypatch):
    """Methods are not made: their arguments are bound to their signatures."""
    for name in recipes.__all__:
        module = sys.modules[getattr(recipes, name).__module__]
        for method in set(methods.__all__) & set(vars(module)):
            signature = inspect.signature(getattr(methods, method))
            monkeypatch.setattr(module, method, signature.bind)


@pytest.mark.parametrize("name", recipes.__all__)
def test_options_are_declared_as_they_are_taken(only_bound, name):
    recipe = getattr(recipes, name)
    own = inspect.signature(recipe).parameters
    needed = {key: value for key, value in NEEDED.items() if key in own}
    taken = set()
    for option in sorted(candidates() - set(own)):
        try:
            recipe(None, "Linf", 0.1, **needed, **{option: VALUES.get(option)})
        except TypeError:  # an unknown argument, or one that the recipe gives itself
            continue
        taken.add(option)
    assert declared(recipe) == taken
    assert own.keys() & declared(recipe) == set()


@pytest.mark.parametrize("name", recipes.__all__)
def test_a_recipe_says_what_it_returns(name):
    returned = inspect.signature(getattr(recipes, name)).return_annotation
    assert issubclass(returned, methods.AdversarialModel)
    assert returned.__name__ in inspect.getdoc(getattr(recipes, name))
