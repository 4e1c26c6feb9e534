"""Docstrings as the site's tool reads them."""

import re

from griffe import Extension, Object

EXAMPLE = re.compile(r"^(\s*)Example:$", re.MULTILINE)


class OneExample(Extension):
    """The section `Example` of our docstrings is what Google's style calls `Examples`."""

    def on_object(self, *, obj: Object, **others: object) -> None:
        """Rename the section, so that its lines are shown as code."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(r"\1Examples:", obj.docstring.value)
