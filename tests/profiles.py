"""Hypothesis profiles: `dev` (the default), `ci` (`.ci/run`) and `nightly`; choose with `--hypothesis-profile`."""

from hypothesis import settings

EXAMPLES = {"dev": 30, "ci": 100, "nightly": 2000}


def register() -> None:
    """Register the profiles and load `dev`. Hypothesis' own plugin loads the chosen one afterwards."""
    for name, examples in EXAMPLES.items():
        settings.register_profile(name, max_examples=examples, deadline=None, print_blob=True)
    settings.load_profile("dev")


def examples(at_ci: int) -> int:
    """Scale a test's number of examples, given for the profile `ci`, to the profile in use. At least 5."""
    return max(5, at_ci * settings.default.max_examples // EXAMPLES["ci"])
