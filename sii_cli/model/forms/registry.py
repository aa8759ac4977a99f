"""The model families: a new one is a module beside this one, and a line here."""

from __future__ import annotations

from sii_cli.model.forms.form import Form
from sii_cli.model.forms.glm import GLM

FORMS: tuple[Form, ...] = (GLM,)


def form_of(parser: str | None) -> Form | None:
    """Return the form that a tool call parser reads, or `None` when it is not known."""
    return next((form for form in FORMS if parser in form.parsers), None)
