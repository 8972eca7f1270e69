"""docker.sh and docker.bat: the same verbs with the same help and the same commands, and those of manage.py.

docker.bat is read here, not run: that takes Windows. docker.sh is also run, against a `docker` that only writes down.
"""

import os
import re
import shutil
import subprocess
from itertools import pairwise

import pytest

from catalog.cli import main
from catalog.config import ROOT

SH = ROOT / "docker.sh"
BAT = ROOT / "docker.bat"
OF_DEVELOPERS = {
    "test-faults",
    "test-browser",
    "test-api",
    "lint",
    "audit",
    "lock",
    "bench",
}  # they take more than the image has
HELPERS = (
    "compose|everything|catalog|alone|tests|with_file|place|ready|browse|confirm|shift|private_networks|verb_[a-z-]+"
)
COMMAND = re.compile(rf"(?:^|(?<= ))((?:{HELPERS})\b.*|docker(?:-compose| info| compose).*)")


def functions_of_sh() -> dict[str, tuple[str, list[str]]]:
    """Return, by name, each function's help and the lines of its body."""
    found = re.findall(r"^(\w+)\(\) \{(?: # ([^\n]*))?\n(.*?)^\}$", SH.read_text(), re.MULTILINE | re.DOTALL)
    return {named(name): (text, body.splitlines()) for name, text, body in found}


def labels_of_bat() -> dict[str, tuple[str, list[str]]]:
    found = re.findall(r"^:([\w-]+)(?: ([^\n]*))?\n(.*?)(?=^:|\Z)", bat(), re.MULTILINE | re.DOTALL)
    return {name: (text, body.splitlines()) for name, text, body in found}


def named(function: str) -> str:
    return "verb_" + function[5:].replace("_", "-") if function.startswith("verb_") else function


def bat() -> str:
    return BAT.read_bytes().decode("ascii").replace("\r\n", "\n")


def verbs(functions: dict[str, tuple[str, list[str]]]) -> dict[str, str]:
    return {name[5:]: text for name, (text, _) in functions.items() if name.startswith("verb_")}


def commands_of_sh(body: list[str]) -> list[str]:
    """Return what a function runs, in words that both scripts share."""
    words = {'"$@"': "ARGUMENTS", "$tty": "TTY", "$verb": "VERB", "$name": "NAME", "$folder": "FOLDER", "$url": "URL"}
    words |= {"$file": "FILE", "${3-}": "ARGUMENTS", "'[": "[", "]'": "]"}
    plain = []
    for line in body:
        line = re.sub(r"\bverb_\w+", lambda match: named(match[0]), line.strip())
        line = re.sub(r' --user "[^"]+"', "", line)  # Windows knows no owners of this kind
        line = re.sub(r"\$\(([^()]*)\).*", r" \1", line)
        line = re.sub(r"[;)]? *(then|return ?;;|;; esac|return; fi|>/dev/null 2>&1).*$", "", line).rstrip("; )")
        plain += COMMAND.findall(replaced(line, words))
    return [command.replace('"', "") for command in plain]


def commands_of_bat(body: list[str]) -> list[str]:
    words = {
        "call :shift %*": "shift",
        "call :shift %REST%": "shift",
        "call :": "",
        "goto ": "",
        "'%COMPOSE%": " compose",
    }
    words |= {"%*": "ARGUMENTS", "%REST%": "ARGUMENTS", "%TTY%": "TTY", "%~1": "VERB", "%NAME%": "NAME"}
    words |= {"%FOLDER%": "FOLDER", "%URL%": "URL", "%FILE%": "FILE"}
    plain = []
    for line in body:
        if not line.startswith("rem "):
            line = re.sub(r" \|\| (exit /b.*|\()$| [12]?>nul.*|'\) do.*", "", line.strip())
            plain += COMMAND.findall(replaced(line, words))
    return [command.replace('"', "") for command in plain]


def replaced(line: str, words: dict[str, str]) -> str:
    for word, shared in words.items():
        line = line.replace(word, shared)
    return line


def test_there_are_verbs_and_commands_to_compare():
    assert len(verbs(functions_of_sh())) >= 20
    assert commands_of_sh(functions_of_sh()["verb_start"][1]) == ["compose up -d", "ready"]
    assert commands_of_bat(labels_of_bat()["verb_start"][1]) == ["compose up -d", "ready"]


def test_both_have_the_same_verbs_in_the_same_order_with_the_same_help():
    assert list(verbs(functions_of_sh()).items()) == list(verbs(labels_of_bat()).items())


def test_every_verb_says_what_it_does():
    assert all(text.endswith((".", "]")) for text in verbs(functions_of_sh()).values())


def test_they_have_the_verbs_of_manage_py():
    ours = set(verbs(functions_of_sh()))
    shown = {name for name, command in main.commands.items() if not command.hidden}
    assert ours == shown - OF_DEVELOPERS


@pytest.mark.parametrize("name", [f"verb_{verb}" for verb in verbs(functions_of_sh())])
def test_each_verb_runs_the_same_commands_in_both(name):
    commands = commands_of_sh(functions_of_sh()[name][1])
    assert commands or name == "verb_help"
    assert commands == commands_of_bat(labels_of_bat()[name][1])


@pytest.mark.parametrize("name", ["everything", "catalog", "alone", "tests", "ready", "loopback"])
def test_what_the_verbs_are_made_of_runs_the_same_commands_in_both(name):
    commands = commands_of_sh(functions_of_sh()[name][1])
    assert commands
    assert commands == commands_of_bat(labels_of_bat()[name][1])


def test_a_file_is_seen_by_its_verb_in_the_same_way_in_both():
    of_sh = commands_of_sh(functions_of_sh()["with_file"][1])
    of_bat = commands_of_bat(labels_of_bat()["with_file"][1])
    assert of_sh[-1] == of_bat[-1]
    assert "--volume FOLDER:/files cli VERB /files/NAME ARGUMENTS" in of_sh[-1]


def test_each_line_of_docker_bat_ends_as_windows_wants_it():
    written = BAT.read_bytes()
    assert written.count(b"\r\n") == written.count(b"\n") == written.count(b"\r")
    assert b"\r" not in SH.read_bytes()
    assert "*.bat text eol=crlf" in (ROOT / ".gitattributes").read_text()


def test_docker_bat_changes_nothing_for_who_calls_it_and_hands_on_the_exit_status():
    lines = bat().splitlines()
    begin = [line for line in lines if not line.startswith("rem")]
    assert begin[0] == "@echo off"
    assert begin[1] == "setlocal EnableExtensions DisableDelayedExpansion"  # a `!` in an argument stays
    assert lines[lines.index("call :main %*") + 1] == "exit /b %errorlevel%"


@pytest.mark.parametrize("name", list(labels_of_bat()))
def test_no_label_of_docker_bat_runs_on_into_the_next(name):
    body = [line for line in labels_of_bat()[name][1] if line and not line.startswith("rem ")]
    if name != "shift":  # which runs on into its loop
        assert re.match(r"exit /b( |$)", body[-1])


@pytest.mark.parametrize("name", list(labels_of_bat()))
def test_a_command_of_docker_bat_that_fails_ends_its_verb(name):
    """Every call but the last of a label, and but those whose outcome is looked at next, has its `|| exit /b`."""
    never_fail = ("call :shift", "call :setting", "call :private_networks")
    body = [line.strip() for line in labels_of_bat()[name][1] if line and not line.startswith("rem ")]
    for line, following in pairwise(body):
        if line.startswith("call :") and not following.startswith(("exit /b", "if errorlevel")):
            assert line.endswith("|| exit /b") or line.startswith(never_fail), line


def test_every_label_that_docker_bat_calls_is_there_and_every_quote_and_bracket_closed():
    called = set(re.findall(r"(?:call :|goto )([\w-]+)", bat())) - {"verb_"}
    assert called <= set(labels_of_bat())
    code = [line for line in bat().splitlines() if not re.match(r"rem |:|echo |exit|>", line.strip())]
    assert all(line.count('"') % 2 == 0 for line in code)
    assert sum(line.count("(") - line.count(")") for line in code if "echo(" not in line) == 0


@pytest.fixture
def docker(tmp_path):
    """Run docker.sh in a folder of its own with a `docker` that notes its arguments and does as `$DOCKER_DOES` says."""
    folder = tmp_path / "a project"
    folder.mkdir()
    (folder / "docker.sh").write_bytes(SH.read_bytes())
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "sed", "tr", "grep", "od", "id", "mv", "dirname", "basename"):
        (programs / name).symlink_to(shutil.which(name))
    said = tmp_path / "said"
    fake = '#!/bin/sh\nfor a; do printf "<%s>" "$a"; done >>{0}; echo >>{0}\neval "${{DOCKER_DOES:-:}}"\n'
    (programs / "docker").write_text(fake.format(said))
    (programs / "docker").chmod(0o755)

    def run(*arguments, does=":", cwd=folder):
        said.write_text("")
        environment = {**os.environ, "PATH": str(programs), "DOCKER_DOES": does}
        command = ["sh", str(folder / "docker.sh"), *arguments]
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30
        )
        done.said = [  # type: ignore[attr-defined]
            line for line in said.read_text().splitlines() if not re.match("<info>|(<compose>)?<version>", line)
        ]
        return done

    run.folder = folder  # type: ignore[attr-defined]
    return run


def test_help_lists_every_verb_without_docker(docker):
    shown = docker("help", does="exit 1")
    assert shown.returncode == 0
    listed = re.findall(r"^  ([a-z-]+) ", shown.stdout, re.MULTILINE)
    assert listed == list(verbs(functions_of_sh()))
    assert docker().stdout == docker("--help").stdout == shown.stdout


def test_an_unknown_verb_says_so_and_runs_nothing(docker):
    for verb in ("strat", "sta.t", "verb_start", "", "start;id"):
        answered = docker(verb) if verb else docker("*")
        assert answered.returncode == 2
        assert "There is no verb" in answered.stderr
        assert answered.said == []


@pytest.mark.parametrize("does", ["exit 1", "exit 127"])
def test_a_docker_that_does_not_run_gives_one_line_that_names_the_other_way(docker, does):
    answered = docker("start", does=does)
    assert answered.returncode == 1
    assert answered.stdout == ""
    assert answered.stderr == "Docker is not installed or not running. Without Docker: python3 manage.py start\n"


def test_the_exit_status_is_that_of_the_command_inside(docker):
    assert docker("transform", "add", "5", does='case "$*" in *run*) exit 7;; esac').returncode == 7
    assert docker("build", does='case "$*" in *build*) exit 3;; esac').returncode == 3


@pytest.mark.parametrize("published", ["0.0.0.0:5000", "[::]:5000", "192.168.1.5:5000"])
def test_an_open_service_is_stopped_where_its_port_is_published_for_others(docker, published):
    answers = f'case "$*" in *port*) echo {published};; *"= production"*) exit 1;; esac'
    done = docker("start", does=answers)
    assert done.returncode == 1
    assert f"The port is published on {published}" in done.stderr
    assert done.said[-1].endswith("<stop>")


@pytest.mark.parametrize(
    "answers",
    [
        "*port*) echo 127.0.0.1:5000;; *production*) exit 1;;",
        "*port*) echo [::1]:5000;;",
        "*port*) echo 0.0.0.0:5000;;",
    ],
    ids=["loopback", "loopback of IPv6", "production"],
)
def test_a_service_goes_on_where_its_port_is_on_loopback_or_it_asks_for_keys(docker, answers):
    done = docker("start", does=f'case "$*" in {answers} esac')
    assert done.returncode == 0
    assert done.stdout.startswith("http://")
    assert not [line for line in done.said if line.endswith("<stop>")]


def test_arguments_arrive_as_they_are_and_no_terminal_is_asked_for(docker):
    done = docker("webhooks", "test", "--payload", '{"a b": "$x *"}', "")
    assert done.said == [
        '<compose><run><--rm><-T><--use-aliases><cli><webhooks><test><--payload><{"a b": "$x *"}><>',
    ]


def test_docker_compose_of_old_is_taken_where_there_is_no_new_one(docker, tmp_path):
    old = tmp_path / "bin" / "docker-compose"
    old.write_text((tmp_path / "bin" / "docker").read_text())
    old.chmod(0o755)
    done = docker("stop", does='case "$1" in compose) exit 1;; esac')
    assert done.said == ["<--profile><nginx><--profile><order-list><--profile><cli><--profile><test><stop>"]


def test_neither_compose_is_said_in_one_line(docker):
    answered = docker("stop", does='case "$1" in compose) exit 1;; esac')
    assert answered.returncode == 1
    assert answered.stderr == "Docker is here, but not its compose. Without Docker: python3 manage.py stop\n"


def test_a_file_is_found_from_where_one_stands(docker, tmp_path):
    there = tmp_path / "my files"
    there.mkdir()
    (there / "a b.csv").write_text("sku,name\n")
    done = docker("import", "a b.csv", "--mode", "upsert", cwd=there)
    owner = f"<--user><{os.getuid()}:{os.getgid()}>"
    assert done.said == [
        f"<compose><run><--rm><-T><--no-deps>{owner}<--volume><{there}:/files><cli>"
        "<import></files/a b.csv><--mode><upsert>"
    ]


@pytest.mark.parametrize("arguments", [("export", "-"), ("import", "--help"), ("import",)])
def test_what_is_no_file_is_handed_on(docker, arguments):
    handed_on = "".join(f"<{each}>" for each in arguments)
    assert docker(*arguments).said == [f"<compose><run><--rm><-T><--no-deps><cli>{handed_on}"]


def test_a_folder_gets_a_name_and_a_password_once_and_keeps_what_its_settings_say(docker):
    settings = docker.folder / ".env"
    settings.write_text("PORT=5055")  # no line end
    docker("stop")
    first = settings.read_text()
    docker("stop")
    assert settings.read_text() == first
    assert re.fullmatch(
        r"PORT=5055\n(\n?)COMPOSE_PROJECT_NAME=catalog-[0-9a-f]{8}\n\nPOSTGRES_PASSWORD=[0-9a-f]{32}\n"
        r"\nREDIS_PASSWORD=[0-9a-f]{32}\n",
        first,
    )


def test_a_new_settings_file_is_for_its_owner_alone(docker):
    docker("stop")
    assert (docker.folder / ".env").stat().st_mode & 0o077 == 0


def test_a_service_that_does_not_get_ready_shows_why(docker):
    done = docker("start", does='case "$*" in *probe*) exit 1;; esac')
    assert done.returncode == 1
    assert "<compose><logs><--tail=20><migrate><web>" in done.said


def test_the_demo_lets_webhooks_reach_its_receivers_in_their_container(docker):
    done = docker("demo", "--fast", does='case "$*" in *"up -d"*) echo "$WEBHOOK_ALLOWED_NETWORKS";; esac')
    assert "172.16.0.0/12" in done.stdout
    assert done.said[-1].endswith("<cli><demo><--url><http://web:5000><--shown><http://><--receiver><cli><--fast>")


def test_clean_asks_nobody_where_nobody_is(docker):
    done = docker("clean")
    assert done.returncode == 0
    assert done.said[-1].endswith("<down><--volumes><--remove-orphans>")


def test_a_backup_lies_where_one_stands_and_only_once_it_is_whole(docker, tmp_path):
    there = tmp_path / "my files"
    there.mkdir()
    done = docker("backup", "a b", does='case "$*" in *pg_dump*) echo dumped;; esac', cwd=there)
    assert (done.returncode, (there / "a b").read_text()) == (0, "dumped\n")
    assert "<postgres><pg_dump><--format=custom>" in done.said[0]
    failed = docker("backup", "other", does='case "$*" in *pg_dump*) exit 1;; esac', cwd=there)
    assert failed.returncode == 1
    assert not (there / "other").exists()


def test_a_restore_reads_the_file_and_ends_as_it_went(docker):
    (docker.folder / "kept").write_text("dumped")
    done = docker("restore", "kept", "--force", does='case "$*" in *pg_restore*) grep -q dumped;; esac')
    assert done.returncode == 0
    assert [re.search("<(begin-restore|pg_restore|finish-restore)>", line)[1] for line in done.said] == [
        "begin-restore", "pg_restore", "finish-restore"
    ]  # fmt: skip
    assert done.said[0].endswith("<begin-restore><--force>")
    failed = docker("restore", "kept", does='case "$*" in *pg_restore*) exit 1;; esac')
    assert failed.returncode == 1
    assert failed.said[-1].endswith("<finish-restore><--failed>")


def test_a_backup_without_a_file_says_so(docker):
    assert docker("backup").returncode == docker("restore").returncode == 2
