"""What is asked of a password, how one is kept, and `manage.py users`."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from catalog import config
from catalog.errors import ValidationFailed
from catalog.extensions import db
from catalog.users import passwords
from catalog.users import service as users_service
from tests.auth.conftest import PASSWORD, Browser

FULL_WIDTH = "".join(chr(ord(letter) + 0xFEE0) for letter in "passwordpassword")


class CountingHasher:
    """Notes how many passwords are hashed at once. Each call waits until another one runs, or a moment."""

    def __init__(self):
        self.running = self.most = 0
        self.changed = threading.Condition()

    def hash(self, password):
        with self.changed:
            self.running += 1
            self.most = max(self.most, self.running)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.most > passwords.HASHED_AT_ONCE, 0.05)
            self.running -= 1
        return password


def test_two_passwords_are_hashed_at_a_time_whatever_the_number_of_threads(monkeypatch):
    hasher = CountingHasher()
    monkeypatch.setattr(passwords, "_hasher", hasher)
    given = [f"password {number}" for number in range(16)]
    with ThreadPoolExecutor(len(given)) as threads:
        assert list(threads.map(passwords.hashed, given)) == given
    assert hasher.most == passwords.HASHED_AT_ONCE


@pytest.mark.parametrize(
    "password", ["correct horse battery", "aaaaabbbbbcccccdddddeeeee", "ÄÖÜäöüßéàèñ漢字かな", "x" * 990 + "abcdefghij"]
)
def test_a_length_is_all_that_is_asked(password):
    assert passwords.weakness(password) is None


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("", "15 characters at least"),
        ("fourteen chars", "15 characters at least"),
        ("e\u0301" * 14, "15 characters at least"),
        ("a" * 1_001, "1,000 characters at most"),
        ("abcdabcdabcdabcdabcd", "again and again"),
    ],
)
def test_what_is_shorter_longer_or_the_same_again_and_again_is_refused(password, said):
    assert said in passwords.weakness(password)


@pytest.mark.parametrize(
    "password",
    [
        *(
            "passwordpassword",
            "Password Password",
            "password-password-password",
            "qwertyqwertyqwerty",
            "1q2w3e4r5t6y7u8i9o0p",
        ),
        *(
            "1234567890123456",
            "9876543210987654",
            "abcdefghijklmnop",
            "ponmlkjihgfedcba",
            "qwertyuiopasdfgh",
            "qwertzuiopasdfgh",
        ),
        *("111222333444555", "manchesterunited", FULL_WIDTH, "letmeinletmeinlet"),
    ],
)
def test_what_many_people_use_is_refused(password):
    assert passwords.weakness(password) == passwords.COMMON


@pytest.mark.parametrize(
    ("password", "name"),
    [
        ("maximilian-schmidt", "Maximilian Schmidt"),
        ("Grace Grace Grace Gr", "Grace Grace"),
        ("christopher2026112", "Christopher"),
        ("catalog catalog catalog", "ada"),
    ],
)
def test_the_name_and_the_services_are_refused(password, name):
    assert passwords.weakness(password, name) == passwords.NAME


@pytest.mark.parametrize("password", ["!@#$%^&*()_+{}|", "ada likes correct horses", "password of ada 2026"])
def test_a_part_of_a_password_is_not_judged(password):
    assert passwords.weakness(password, "ada") is None


def test_every_way_to_a_new_password_looks_at_the_name(production):
    with production.app_context():
        with pytest.raises(ValidationFailed):
            users_service.create(
                {"name": "a very long name of one", "password": "A Very Long Name Of One", "scopes": ["tasks"]}
            )
        user = users_service.create({"name": "a very long name of one", "password": PASSWORD, "scopes": ["tasks"]})
        with pytest.raises(ValidationFailed):
            users_service.set_password(user.id, "a very long name of one")
    browser = Browser(production)
    assert browser.sign_in(name=user.name, password=PASSWORD).status_code == 303
    wanted = {"present": PASSWORD, "password": "a very long name of one"}
    assert browser.post("/console/account/password", json=wanted).status_code == 400


@pytest.mark.usefixtures("real_passwords")
def test_a_password_is_kept_by_argon2id_as_owasp_has_it_and_never_twice_the_same():
    one, other = passwords.hashed(PASSWORD), passwords.hashed(PASSWORD)
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other
    assert passwords.fits(PASSWORD, one)
    assert not passwords.fits(PASSWORD + " ", one)
    assert not passwords.fits(PASSWORD, None)


@pytest.mark.usefixtures("real_passwords")
def test_a_password_kept_with_other_parameters_is_kept_anew_when_it_is_next_seen(production):
    weaker = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    with production.app_context():
        user = users_service.create({"name": "Ada", "password": PASSWORD, "scopes": ["tasks"]})
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE users SET password_hash = :weaker"), {"weaker": weaker})
        db.session.remove()
        assert Browser(production).sign_in(name="Ada", password=PASSWORD).status_code == 303
        kept = db.session.scalar(text("SELECT password_hash FROM users"))
        assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert users_service.get(user.id).last_sign_in_at is not None
    assert Browser(production).sign_in(name="Ada", password=PASSWORD).status_code == 303


# The commands


@pytest.fixture
def users(production):
    """Return a function that runs `flask users …` with something on standard input, and returns its result."""

    def run(*arguments, typed=f"{PASSWORD}\n"):
        with production.app_context():
            return production.test_cli_runner().invoke(args=["users", *arguments], input=typed)

    return run


def test_the_first_user_is_made_and_signs_in(users, production):
    made = users("create", "Ada", "--scope", "admin")
    assert (made.exit_code, PASSWORD in made.output) == (0, False)
    assert Browser(production).sign_in(name="Ada", password=PASSWORD).status_code == 303
    said = users("list").stdout
    assert all(part in said for part in ("Ada", "admin", "active"))
    assert PASSWORD not in said


def test_no_password_can_be_given_as_an_argument(users):
    assert users("create", "Ada", "--scope", "admin", "--password", PASSWORD).exit_code == 2
    assert users("password", "Ada", PASSWORD).exit_code == 2


def test_a_user_is_changed_disabled_enabled_and_signed_out(users, production):
    users("create", "Ada", "--scope", "admin")
    browser = Browser(production)
    browser.sign_in(name="Ada", password=PASSWORD)
    assert "Ada" in users("sessions").stdout
    assert users("scopes", "ada", "--scope", "tasks").exit_code == 0
    assert (browser.status("/console/tasks"), browser.status("/console/keys")) == (200, 403)
    assert users("sign-out", "Ada").exit_code == 0
    assert browser.status() == 302
    browser.sign_in(name="Ada", password=PASSWORD)
    session = next(word for word in users("sessions").stdout.split() if word.count("-") == 4)
    assert users("sign-out", session).exit_code == 0
    assert browser.status() == 302
    assert users("disable", "Ada").exit_code == 0
    assert "disabled" in users("list").stdout
    assert browser.sign_in(name="Ada", password=PASSWORD).status_code == 401
    assert users("enable", "Ada").exit_code == 0
    assert users("password", "Ada", typed="another horse battery staple\n").exit_code == 0
    assert browser.sign_in(name="Ada", password=PASSWORD).status_code == 401
    assert browser.sign_in(name="Ada", password="another horse battery staple").status_code == 303


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (("create", "Ada", "--scope", "tasks"), "short\n", "15 characters"),
        (("create", "Ada", "--scope", "tasks"), "", "15 characters"),
        (("create", "Ada", "--scope", "everything"), None, "everything"),
        (("create", "Ada"), None, "--scope"),
        (("create", " Ada", "--scope", "tasks"), None, "begin or end with space"),
        (("create", "TAKEN", "--scope", "tasks"), None, "There is a user of this name."),
        (("disable", "nobody"), None, "no such user"),
        (("sign-out", "01890000-0000-7000-8000-000000000000"), None, "no such session"),
    ],
)
def test_what_cannot_be_is_said_without_a_traceback(users, arguments, typed, said):
    users("create", "taken", "--scope", "tasks")
    result = users(*arguments, typed=f"{PASSWORD}\n" if typed is None else typed)
    assert result.exit_code != 0
    assert said in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.processes
def test_the_verb_reads_the_password_from_what_is_piped_in(committed, environment):
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "users", "create", "Ada", "--scope", "tasks"]
    settings = {"PATH": "/usr/bin:/bin", "CATALOG_ENV_FILE": "/dev/null", **environment}
    done = subprocess.run(
        command, cwd=config.ROOT, env=settings, input=f"{PASSWORD}\n", capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "Ada can sign in" in done.stdout) == (0, True), done.stderr
    with committed.app_context():
        assert users_service.named("ada").scopes == ["tasks"]
