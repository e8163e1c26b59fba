"""The Kubernetes manifests as data: each file, and what they come to once kustomize has put them together.

Of kustomize this knows what the manifests use: resources, patches that merge maps into maps, and images. What it makes
of them was compared with the real one.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
BASE, EXAMPLE = FOLDER / "base", FOLDER / "example"
KUSTOMIZATION = "kustomization.yaml"
PLACEHOLDER = "REPLACE ME"

Object = dict[str, Any]


class Pod(NamedTuple):
    """What a workload starts: its kind and name, its pods' labels and specification, and their only container."""

    workload: Object
    labels: Mapping[str, str]
    spec: Object
    container: Object

    @property
    def name(self) -> str:
        """The container's name: what it is."""
        name: str = self.container["name"]
        return name

    @property
    def ports(self) -> dict[str, int]:
        """The ports that the container listens on, by name."""
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}


def read(path: Path) -> list[Object]:
    """Return the documents of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def kustomization(folder: Path) -> Object:
    """Return what says how the files of a folder belong together."""
    (found,) = read(folder / KUSTOMIZATION)
    return found


@cache
def _built(folder: Path) -> tuple[Object, ...]:
    plan = kustomization(folder)
    objects: list[Object] = []
    for resource in plan["resources"]:
        path = (folder / resource).resolve()
        objects += _built(path) if path.is_dir() else read(path)
    for patch in plan.get("patches", ()):
        for changed in read(folder / patch["path"]):
            (number,) = (n for n, each in enumerate(objects) if key_of(each) == key_of(changed))
            objects[number] = _merged(objects[number], changed)
    images = {each["name"]: f"{each['newName']}:{each['newTag']}" for each in plan.get("images", ())}
    return tuple(_with_images(each, images) for each in objects)


def built(folder: Path = EXAMPLE) -> tuple[Object, ...]:
    """Return what kustomize makes of a folder."""
    return _built(folder)


def key_of(manifest: Object) -> tuple[str, str]:
    """Return the kind and the name of an object."""
    return manifest["kind"], manifest["metadata"]["name"]


def of_kind(kind: str, folder: Path = EXAMPLE) -> dict[str, Object]:
    """Return the objects of a kind by name."""
    return {each["metadata"]["name"]: each for each in built(folder) if each["kind"] == kind}


def pods(folder: Path = EXAMPLE) -> Iterator[Pod]:
    """Give what each workload starts."""
    for workload in built(folder):
        template = workload.get("spec", {}).get("template")
        if template is not None:
            (container,) = template["spec"]["containers"]
            yield Pod(workload, template["metadata"]["labels"], template["spec"], container)


def pod(name: str, folder: Path = EXAMPLE) -> Pod:
    """Return what a container's workload starts."""
    (found,) = (each for each in pods(folder) if each.name == name)
    return found


def environment(container: Object, folder: Path = EXAMPLE) -> dict[str, str]:
    """Return the variables that a container is started with."""
    maps = {name: each["data"] for name, each in of_kind("ConfigMap", folder).items()}
    secrets = {name: each["stringData"] for name, each in of_kind("Secret", folder).items()}
    variables: dict[str, str] = {}
    for source in container["envFrom"]:
        if "secretRef" in source:
            variables |= secrets.get(source["secretRef"]["name"], {})
        else:
            variables |= maps[source["configMapRef"]["name"]]
    return variables | {each["name"]: each["value"] for each in container["env"]}


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether a selector fits labels. Of selectors, the manifests use labels alone."""
    assert set(selector) <= {"matchLabels"}, selector
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def _merged(present: Any, changed: Any) -> Any:
    if not isinstance(present, dict) or not isinstance(changed, dict):
        assert not isinstance(changed, list), "how lists are merged depends on the field"
        return changed
    return present | {key: _merged(present.get(key), value) for key, value in changed.items()}


def _with_images(manifest: Any, images: Mapping[str, str]) -> Any:
    if isinstance(manifest, list):
        return [_with_images(each, images) for each in manifest]
    if not isinstance(manifest, dict):
        return manifest
    return {
        key: images.get(value, value) if key == "image" else _with_images(value, images)
        for key, value in manifest.items()
    }
