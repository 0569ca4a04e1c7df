"""Building and deploying what stack.yml names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from clustergenie.settings import Home
from gateway.images import BuildError, Bundle, ImageStore, VenvError, VenvStore, build
from genie.client import SystemApi
from genie.errors import GatewayError, GenieError, StackError
from genie.stack.model import Stack, StackFunction


@dataclass(frozen=True)
class Failure:
    """One function that could not be built or deployed; the others go on."""

    name: str
    reason: str


def build_one(stack: Stack, function: StackFunction, home: Home, told: Callable[[str], None]) -> Bundle:
    """Pack one function and install what it needs; ``told`` gets pip's lines. Raises :class:`StackError`."""
    if function.handler is None or not function.lang:
        raise StackError(
            f"{function.name} has no handler or no lang in {stack.path.name}, so it is not built here"
        )
    extra = {str(path.relative_to(stack.folder)): path for path in stack.copy}
    try:
        bundle = build(
            ImageStore(home.images),
            image=function.image,
            template=stack.template(function),
            handler=function.handler,
            extra=extra,
        )
        VenvStore(home.venvs).prepare(bundle.requirements, told)
    except (BuildError, VenvError) as error:
        raise StackError(f"{function.name} cannot be built: {error}") from error
    return bundle


def build_all(
    stack: Stack, functions: Sequence[StackFunction], home: Home, told: Callable[[str], None]
) -> list[Failure]:
    """Build those of ``functions`` that have code here."""
    ours = [function for function in functions if function.is_built_here]
    return _each(ours, told, lambda function: build_one(stack, function, home, told))


def deploy_all(
    functions: Sequence[StackFunction], api: SystemApi, told: Callable[[str], None]
) -> list[Failure]:
    """Deploy each; one that is refused does not stop the others."""
    return _each(functions, told, lambda function: api.deploy(function.to_deployment()))


def not_ready(api: SystemApi) -> list[str]:
    """Names of functions that should have a replica and have none yet."""
    return [
        str(status["name"])
        for status in api.functions()
        if status.get("replicas", 0) and not status.get("availableReplicas", 0)
    ]


def refuse(failures: Iterable[Failure], what: str) -> None:
    """Raise one :class:`GenieError` for all ``failures``, if there are any."""
    reasons = [f"{failure.name}: {failure.reason}" for failure in failures]
    if reasons:
        raise GenieError(f"{len(reasons)} could not be {what}:\n  " + "\n  ".join(reasons))


def _each(
    functions: Iterable[StackFunction], told: Callable[[str], None], work: Callable[[StackFunction], object]
) -> list[Failure]:
    failures = []
    for function in functions:
        told(function.name)
        try:
            work(function)
        except (StackError, GatewayError) as error:
            if isinstance(error, GatewayError) and error.status == 0:
                raise  # nobody answers: the others would only say the same
            failures.append(Failure(function.name, str(error)))
    return failures
