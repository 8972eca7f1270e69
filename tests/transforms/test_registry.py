"""How transforms become known."""

import sys
from decimal import Decimal
from importlib import invalidate_caches

import pytest

from catalog.transforms import registry as module
from catalog.transforms.registry import Registry, RegistryError, registry


def double(number: Decimal) -> Decimal:
    """Return twice the number.

    And no more.
    """
    return number * 2


def test_a_registered_function_is_known_by_its_name_signature_and_first_line():
    ours = Registry()
    assert ours.register()(double) is double
    (known,) = ours.all()
    assert (known.name, known.signature, known.summary) == (
        "double",
        "double(number: number)",
        "Return twice the number.",
    )


def test_a_function_can_be_given_another_name():
    ours = Registry()
    ours.register("twice")(double)
    assert ours.get("twice").function is double
    assert ours.get("double") is None


def test_a_name_is_given_once():
    ours = Registry()
    ours.register()(double)
    with pytest.raises(RegistryError, match="two transforms `double`"):
        ours.register()(double)


def unannotated(number):
    """Do something."""


def unreadable(number: complex) -> complex:
    """Do something."""
    return number


def undescribed(number: Decimal) -> Decimal:
    return number


def nothing() -> str:
    """Take nothing."""
    return ""


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (unannotated, "annotations"),
        (unreadable, "annotations"),
        (undescribed, "docstring"),
        (nothing, "no value"),
    ],
)
def test_a_function_that_cannot_be_called_or_listed_is_refused(function, reason):
    with pytest.raises(RegistryError, match=reason):
        Registry().register()(function)


@pytest.fixture
def afresh(monkeypatch):
    """A registry that has loaded nothing but what stands in the folder's modules."""
    known = dict(registry()._known)
    monkeypatch.setattr(module._registry, "_known", known)
    monkeypatch.setattr(module, "_loaded", [])


def install(folder, monkeypatch, source: str) -> None:
    """Put a package on sys.path as pip would have installed it."""
    (folder / "shop_transforms.py").write_text(source)
    info = folder / "shop_transforms-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-transforms\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[catalog.transforms]\nshop = shop_transforms\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "shop_transforms", raising=False)
    invalidate_caches()


SOURCE = '''
from catalog.transforms import register

@register()
def shout(text: str) -> str:
    """Shout."""
    return text.upper() + "!"
'''


def test_the_transforms_of_an_installed_package_are_found(afresh, tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, SOURCE)
    assert registry().get("shout").function("hi") == "HI!"


def test_a_package_that_takes_a_name_is_refused_by_its_name(afresh, tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, SOURCE.replace("shout", "strip"))
    with pytest.raises(RegistryError, match=r"shop-transforms.*two transforms `strip`"):
        registry()


def test_a_package_that_cannot_be_loaded_is_told(afresh, tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "1 / 0")
    with pytest.raises(RegistryError, match=r"shop-transforms \(shop_transforms\) cannot be loaded: division"):
        registry()


def test_a_module_put_into_the_folder_is_found_by_itself(afresh, tmp_path, monkeypatch):
    import catalog.transforms as package

    (tmp_path / "shouting.py").write_text(SOURCE)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "registry.py"))
    monkeypatch.setattr(package, "__path__", [str(tmp_path)])
    invalidate_caches()
    try:
        assert registry().get("shout") is not None
    finally:
        sys.modules.pop("catalog.transforms.shouting", None)
