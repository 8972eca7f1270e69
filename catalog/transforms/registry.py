"""The transforms by name. Modules of this folder and of installed packages are found when first asked for."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from catalog.transforms.arguments import Argument, shown

MAX_WORK = 50_000_000  # steps of a call, each a few nanoseconds
GROUP = "catalog.transforms"  # the entry points, each the name of a module that registers
_MACHINERY = ("__init__", "arguments", "registry", "routes", "schemas", "service")

Function = TypeVar("Function", bound=Callable[..., Any])


class RegistryError(Exception):
    """A transform that cannot be registered, or a package whose transforms cannot be loaded."""


@dataclass(frozen=True)
class Transform:
    """A registered function. The first parameter is the value at hand where transforms are chained."""

    name: str
    function: Callable[..., Any]
    takes_empty: bool = False
    work: Callable[..., int] | None = None

    @cached_property
    def arguments(self) -> list[Argument]:
        """What the function takes, in its order. Raises RegistryError for one without a known annotation."""
        parameters = inspect.signature(self.function, eval_str=True).parameters.values()
        try:
            return [Argument.of(parameter) for parameter in parameters]
        except TypeError as error:
            raise RegistryError(f"The transform `{self.name}`: {error}") from error

    def __call__(self, values: Sequence[Any]) -> Any:
        """Call the function. Raises ValueError where its work would be more than MAX_WORK."""
        if self.work is not None and self.work(*values) > MAX_WORK:
            raise ValueError("The arguments are too long together: this would take too much time.")
        return self.function(*values)

    @property
    def signature(self) -> str:
        """Return it as it is written: `round_to(number: number, places: whole number = 2)`."""
        return f"{self.name}({', '.join(map(shown, self.arguments))})"

    @property
    def summary(self) -> str:
        """Return the first line of its docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]


class Registry:
    """Transforms by name; a name is given once."""

    def __init__(self) -> None:
        self._known: dict[str, Transform] = {}

    def register(
        self, name: str | None = None, *, takes_empty: bool = False, work: Callable[..., int] | None = None
    ) -> Callable[[Function], Function]:
        """Make the decorated function known, by its own name or another.

        In a chain an empty text skips all functions but those with `takes_empty`. `work` takes the arguments and
        returns about how many steps the function needs, at most MAX_WORK: required where the time grows faster than
        the length of the texts.
        Raises RegistryError for a name that is taken, and for a function without annotations or docstring.
        """

        def known(function: Function) -> Function:
            self._add(Transform(name or function.__name__, function, takes_empty, work))
            return function

        return known

    def get(self, name: str) -> Transform | None:
        """Return the transform of this name, if there is one."""
        return self._known.get(name)

    def all(self) -> list[Transform]:
        """Return all transforms in the order of their names."""
        return sorted(self._known.values(), key=lambda transform: transform.name)

    def _add(self, transform: Transform) -> None:
        if other := self._known.get(transform.name):
            raise RegistryError(
                f"There are two transforms `{transform.name}`: in {other.function.__module__}"
                f" and in {transform.function.__module__}."
            )
        if not transform.name.isidentifier():
            raise RegistryError(f"`{transform.name}` is no name for a transform: letters, digits and _ only.")
        if not transform.arguments or transform.arguments[0].many:
            raise RegistryError(f"The transform `{transform.name}` takes no value in a first place.")
        if not transform.summary:
            raise RegistryError(f"The transform `{transform.name}` must say in a docstring what it does.")
        self._known[transform.name] = transform


_registry = Registry()
register = _registry.register
_loaded: list[str] = []


def registry() -> Registry:
    """Return the transforms of this folder and of the installed packages. Raises RegistryError."""
    if not _loaded:
        _load_folder()
        for point in entry_points(group=GROUP):
            _load_package(point)
        _loaded.append("all")
    return _registry


def _load_folder() -> None:
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in _MACHINERY:
            import_module(f"{__package__}.{path.stem}")


def _load_package(point: EntryPoint) -> None:
    try:
        point.load()
    except Exception as error:
        owner = point.dist.name if point.dist else "an installed package"
        raise RegistryError(f"The transforms of {owner} ({point.value}) cannot be loaded: {error}") from error
