"""`manage.py test` leaves out the tests that start processes, unless its arguments select tests."""

from pathlib import Path

import pytest

from catalog.commands import develop

LEFT_OUT = ["-m", "not processes"]


@pytest.fixture
def given(monkeypatch):
    """Return a function that runs the verb with arguments and returns those that pytest is given."""
    calls = []
    monkeypatch.setattr(develop, "_pytest", calls.append)

    def run(*arguments: str) -> list[str]:
        develop.test.main(list(arguments), standalone_mode=False)
        return calls[-1]

    return run


@pytest.mark.parametrize("arguments", [(), ("-q",), ("--junitxml", __file__ + ".xml"), ("--hypothesis-profile", "ci")])
def test_tests_that_start_processes_are_left_out_by_default(given, arguments):
    assert [each for each in given(*arguments) if each in LEFT_OUT] == LEFT_OUT


def test_a_path_outside_of_the_tests_selects_nothing(given, tmp_path):
    assert "not processes" in given("--junitxml", str(tmp_path))


@pytest.mark.parametrize("selection", ["tests/core", "tests/test_tiers.py::given", __file__, "-kcache", "-m"])
def test_selected_tests_all_run(given, selection, monkeypatch):
    monkeypatch.chdir(Path(__file__).parent.parent)
    assert "not processes" not in given(selection)


def test_all_includes_them(given):
    assert "not processes" not in given("--all")
