"""What `kubectl kustomize` makes of deploy/kubernetes, as far as it is used there, for machines without kubectl.

Where there is one, a test compares the two.
"""

import copy
import re
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

MERGE_KEYS = {"volumeMounts": "mountPath"}  # lists of objects are merged by `name`, but for these


def rendered(folder: Path) -> list[Object]:
    """Return the objects of a kustomization."""
    known = {"apiVersion", "kind", "namespace", "resources", "images", "configMapGenerator", "patches"}
    told = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert told.keys() <= known, f"{folder}: {told.keys() - known} is not known here"
    objects = [each for name in told["resources"] for each in _resources(folder / name)]
    for generator in told.get("configMapGenerator", []):
        _generate(objects, generator, folder)
    for patch in told.get("patches", []):
        _patch(objects, patch, folder)
    for each in objects:
        if "namespace" in told:
            each["metadata"]["namespace"] = told["namespace"]
        _set_images(each, {image["name"]: f"{image['newName']}:{image['newTag']}" for image in told.get("images", [])})
    return objects


def _resources(path: Path) -> list[Object]:
    return rendered(path) if path.is_dir() else [copy.deepcopy(each) for each in yaml.safe_load_all(path.read_text())]


def _generate(objects: list[Object], generator: Object, folder: Path) -> None:
    lines = "".join((folder / name).read_text() for name in generator["envs"]).splitlines()
    data = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    if generator.get("behavior") == "merge":
        (present,) = (each for each in objects if _is(each, "ConfigMap", generator["name"]))
        present["data"] |= data
    else:
        objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data})


def _patch(objects: list[Object], patch: Object, folder: Path) -> None:
    change = yaml.safe_load((folder / patch["path"]).read_text())
    kinds = patch["target"]["kind"] if "target" in patch else change["kind"]
    names = ".*" if "target" in patch else re.escape(change["metadata"]["name"])
    chosen = [each for each in objects if re.fullmatch(kinds, each["kind"]) and re.fullmatch(names, name_of(each))]
    assert chosen, f"{patch} changes nothing"
    for each in chosen:
        parts = {name: value for name, value in change.items() if name not in ("apiVersion", "kind", "metadata")}
        each.update(_merged(each, parts))


def _merged(present: Any, change: Any, key: str = "") -> Any:
    if isinstance(present, dict) and isinstance(change, dict):
        return {**present, **{name: _merged(present.get(name), value, name) for name, value in change.items()}}
    merge_key = MERGE_KEYS.get(key, "name")
    if isinstance(present, list) and isinstance(change, list) and all(merge_key in item for item in change):
        theirs = {item[merge_key]: item for item in change}
        mine = {item[merge_key]: item for item in present}
        return [_merged(mine.get(name, {}), theirs.get(name, {})) for name in {**theirs, **mine}]
    return copy.deepcopy(change)


def _set_images(part: Any, images: dict[str, str]) -> None:
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _set_images(value, images)
    if isinstance(part, dict) and part.get("image") in images:
        part["image"] = images[part["image"]]


def name_of(each: Object) -> str:
    """Return an object's name."""
    return str(each["metadata"]["name"])


def _is(each: Object, kind: str, name: str) -> bool:
    return each["kind"] == kind and name_of(each) == name
