"""Pin the base images by digest: `python3 tools/pin_images.py [--check]`; needs Docker and the images' registry.

Pulls each `NAME:TAG` of Dockerfile and docker-compose.yml and writes `NAME:TAG@sha256:…`, the digest of the index over
all processors. `--check` only lists the images that have no digest; exit status 1 if there are any.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ("Dockerfile", "docker-compose.yml")
REFERENCE = re.compile(r"^( *(?:FROM|image:) )([a-z0-9][\w./-]*:[\w.-]+)(@sha256:[0-9a-f]{64})?(?=\s)", re.MULTILINE)


def references(root: Path = ROOT) -> list[tuple[str, str, str]]:
    """Return file, image with tag, and digest (empty if there is none) of each base image."""
    texts = {name: (root / name).read_text() for name in FILES}
    return [(name, match[2], match[3] or "") for name, text in texts.items() for match in REFERENCE.finditer(text)]


def pin(root: Path = ROOT) -> None:
    """Write the current digest of every base image; SystemExit if one cannot be pulled, with nothing written."""
    digests = {image: digest_of(image) for image in sorted({image for _, image, _ in references(root)})}
    for name in FILES:
        path = root / name
        path.write_text(REFERENCE.sub(lambda match: f"{match[1]}{match[2]}@{digests[match[2]]}", path.read_text()))


def digest_of(image: str) -> str:
    """Pull an image and return the digest that the registry gave for its tag."""
    _docker("pull", "--quiet", image)
    listed = _docker("image", "inspect", "--format", '{{join .RepoDigests "\\n"}}', image)
    found = re.search(r"@(sha256:[0-9a-f]{64})$", listed, re.MULTILINE)
    return found[1] if found else sys.exit(f"Docker knows no digest of {image}: was it built here?")


def _docker(*arguments: str) -> str:
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        sys.exit("Docker is not installed.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"docker {arguments[0]} failed, and nothing was written:\n{error.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        unpinned = [f"{name}: {image} has no digest" for name, image, digest in references() if not digest]
        sys.exit("\n".join(unpinned) or 0)
    pin()
