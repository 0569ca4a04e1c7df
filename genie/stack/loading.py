"""YAML in which every scalar stays the text that was written.

``canary: true`` and ``version: 1.10`` under labels mean the strings ``"true"`` and ``"1.10"`` (contract section 16), so no
scalar is ever turned into a bool or a number. Anchors and ``<<`` merges work; a repeated key is an error.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from genie.errors import StackError

_MERGE = "tag:yaml.org,2002:merge"


class _TextLoader(Reader, Scanner, Parser, Composer, SafeConstructor, BaseResolver):
    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        BaseResolver.__init__(self)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's signature
        written = [key.value for key, _ in node.value if key.tag != _MERGE]
        repeated = {str(key) for key in written if written.count(key) > 1}
        if repeated:
            raise ConstructorError(None, None, f"{', '.join(repeated)} is there twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


_TextLoader.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])


def load(text: str, name: str) -> Any:
    """The document as dicts, lists and strings; raises :class:`StackError` naming file and line."""
    loader = _TextLoader(text)
    try:
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise StackError(f"{name}, line {line}: {error.problem or error}") from error
    except yaml.YAMLError as error:
        raise StackError(f"{name} is not valid YAML: {error}") from error
