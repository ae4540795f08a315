"""Examples in docstrings, for the reference: below a heading, as far in as its parser wants them."""

import importlib
import re

import griffe

# A heading, and what stands below it, up to an empty line that no further example follows.
EXAMPLE = re.compile(r"^( *)Examples?:\n((?:\1 *\S.*\n?|\n+(?=\1 *>>> ))+)", re.M)


def indent_examples(text: str) -> str:
    """The docstring as the parser reads it: `Examples:`, and these indented; doctest takes both forms."""
    return EXAMPLE.sub(_indent, text)


def _indent(found):
    indent, body = found.groups()
    if not body.startswith(f"{indent} "):
        body = re.sub(r"^(?=.)", "    ", body, flags=re.M)
    return f"{indent}Examples:\n{body}"


class DocstringExamples(griffe.Extension):
    """Calls `indent_examples` on every docstring, reads computed `__all__`, and finds functions again.

    A function such as `losses.margin` in a module of its name hides behind that module.
    """

    def on_module(self, *, mod: griffe.Module, **kwargs) -> None:
        """Griffe calls this for each module that it has found."""
        if "__all__" in mod.members and mod.parent is not None and mod.parent.parent is None:
            mod.exports = list(importlib.import_module(mod.path).__all__)

    def on_package(self, *, pkg: griffe.Module, **kwargs) -> None:
        """Griffe calls this once it has read all modules of a package."""
        rooms = [part for part in pkg.members.values() if isinstance(part, griffe.Module)]
        for room in rooms:
            public = importlib.import_module(room.path)
            for name in getattr(public, "__all__", ()):
                module = room.members.get(name)
                # Of a function and the module of its name griffe keeps the module.
                if not isinstance(module, griffe.Module) or name not in module.members:
                    continue
                # What else of that module is public would no longer be found by its path.
                for other in set(public.__all__) & set(module.members):
                    if not module.members[other].is_alias:
                        room.set_member(other, module.members[other])

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        """Griffe calls this for each object that it has found."""
        if obj.docstring is not None:
            obj.docstring.value = indent_examples(obj.docstring.value)
