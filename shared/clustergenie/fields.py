"""Kinds of text that requests carry, each defined once."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must not contain control characters")
    return text


#: What people call a thing: 1 to 100 printable characters.
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_printable)
]
#: A region's slug, such as nyc1 or eu-west-1.
Region = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
]
#: Any id of ours, opaque.
Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
#: A text to look for.
SearchText = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class RequestBody(BaseModel):
    """Base of request bodies: types are not coerced; unknown fields are ignored, as they always were."""

    model_config = ConfigDict(frozen=True, strict=True)
