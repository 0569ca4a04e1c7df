"""The process provider: workers are forks of a template process that has everything imported."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.providers.process.provider import ProcessProvider

__all__ = ["ProcessProvider"]


def __getattr__(name: str) -> Any:
    # Lazily: the template process imports this package too, and must not load the gateway's side of it.
    if name != "ProcessProvider":
        raise AttributeError(name)
    from gateway.providers.process.provider import ProcessProvider  # noqa: PLC0415

    return ProcessProvider
