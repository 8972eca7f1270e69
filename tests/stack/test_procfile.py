"""The Procfile, as the supervisor reads it."""

import pytest

from catalog.stack import StackError
from catalog.stack.program import lines


def test_each_line_names_a_process_and_its_command_and_all_else_is_skipped(tmp_path):
    (tmp_path / "Procfile").write_text("# comment: x\n\nweb: serve --on a:1 \nworker-a:   work\n not: this\n")
    assert lines(tmp_path) == {"web": "serve --on a:1 ", "worker-a": "work"}


def test_a_name_that_stands_twice_is_an_error(tmp_path):
    (tmp_path / "Procfile").write_text("web: a\nweb: b\n")
    with pytest.raises(StackError, match="twice"):
        lines(tmp_path)
