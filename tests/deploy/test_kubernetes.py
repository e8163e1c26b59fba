"""The Kubernetes manifests: of the right form, and holding together. What is in the containers: test_containers.py."""

from itertools import product
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from kubernetes_validate.utils import all_versions  # type: ignore[import-untyped]

from docsredirect.cli.parent import GIVE_UP_SECONDS, KILL_SECONDS, START_SECONDS
from docsredirect.domain.settings import load
from docsredirect.service import denied
from tests.deploy.manifests import (
    BASE,
    EXAMPLE,
    FOLDER,
    KUSTOMIZATION,
    Object,
    Pod,
    built,
    environment,
    key_of,
    kustomization,
    of_kind,
    pod,
    pods,
    read,
    selects,
)

FIRST_VERSION = 30
"""Of Kubernetes, 1.30: the first that knows all that the manifests say."""

VERSIONS = [version for version in all_versions() if int(version.split(".")[1]) >= FIRST_VERSION]
PODS = {each.name: each for each in pods()}
POLICIES = of_kind("NetworkPolicy")

every_pod = pytest.mark.parametrize("each", PODS.values(), ids=PODS)


class TestForm:
    @pytest.mark.parametrize("folder", [BASE, EXAMPLE])
    @pytest.mark.parametrize("version", VERSIONS)
    def test_every_object_is_one_that_kubernetes_takes(self, version: str, folder: Path) -> None:
        """Each object, put together as kustomize does it, has the form of its kind, without a field that is none."""
        for each in built(folder):
            kubernetes_validate.validate(each, version, strict=True)

    @pytest.mark.parametrize("folder", [BASE, EXAMPLE])
    def test_every_file_is_used(self, folder: Path) -> None:
        """Kustomize is told of every file, as what is there or as what changes it."""
        plan = kustomization(folder)
        named = [*plan["resources"], *(patch["path"] for patch in plan.get("patches", ()))]
        present = {path.name for path in folder.iterdir()} - {KUSTOMIZATION}
        assert sorted(name for name in named if (folder / name).is_file()) == sorted(present)

    def test_every_file_is_explained(self) -> None:
        """What each file is stands in the README beside them."""
        readme = (FOLDER / "README.md").read_text(encoding="utf-8")
        missing = [path.name for folder in (BASE, EXAMPLE) for path in folder.iterdir() if path.name not in readme]
        assert missing == []

    def test_every_object_is_there_once_and_in_one_namespace(self) -> None:
        """Nothing replaces something else by having its name, and nothing lands where no policy holds."""
        keys = [key_of(each) for each in built()]
        assert len(keys) == len(set(keys))
        (namespace,) = of_kind("Namespace")
        assert {each["metadata"].get("namespace", namespace) for each in built()} == {namespace}

    def test_no_secret_is_in_the_base(self) -> None:
        """Applying the base anew never overwrites a secret, nor the list of withdrawn projects."""
        assert of_kind("Secret", BASE) == {}
        assert "docsredirect-deny" not in of_kind("ConfigMap", BASE)


class TestHolds:
    def test_every_selector_selects(self) -> None:
        """Services, workloads, budgets and network policies are about pods that there are."""
        selectors: list[Object] = [
            *({"matchLabels": each["spec"]["selector"]} for each in of_kind("Service").values()),
            *(each["spec"]["selector"] for each in of_kind("PodDisruptionBudget").values()),
            *(each["spec"]["podSelector"] for each in POLICIES.values()),
            *(each.workload["spec"]["selector"] for each in PODS.values()),
            *(spread["labelSelector"] for each in PODS.values() for spread in each.spec["topologySpreadConstraints"]),
        ]
        idle = [each for each in selectors if not any(selects(each, pod.labels) for pod in PODS.values())]
        assert idle == []

    @every_pod
    def test_a_workload_selects_its_own_pods_alone(self, each: Pod) -> None:
        """An edge never counts as an admin side, and each is spread among its own."""
        selectors = [each.workload["spec"]["selector"]]
        selectors += [spread["labelSelector"] for spread in each.spec["topologySpreadConstraints"]]
        for selector in selectors:
            assert [pod.name for pod in PODS.values() if selects(selector, pod.labels)] == [each.name]

    def test_services_lead_to_ports_that_there_are(self) -> None:
        """Each port of a Service is one that all the pods behind it listen on, under that number."""
        for service in of_kind("Service").values():
            behind = [
                each for each in PODS.values() if selects({"matchLabels": service["spec"]["selector"]}, each.labels)
            ]
            for port, each in product(service["spec"]["ports"], behind):
                assert each.ports[port["targetPort"]] == port["port"]

    def test_what_comes_in_from_outside_ends_at_a_service(self) -> None:
        """Each host of the Ingresses leads to a port of a Service; ops is at none of them."""
        for ingress in of_kind("Ingress").values():
            for rule in ingress["spec"]["rules"]:
                (path,) = rule["http"]["paths"]
                backend = path["backend"]["service"]
                service = of_kind("Service")[backend["name"]]
                assert backend["port"]["name"] in [port["name"] for port in service["spec"]["ports"]]
                assert backend["port"]["name"] != "ops"
                assert rule["host"] in ingress["spec"]["tls"][0]["hosts"]

    def test_the_admin_side_knows_every_edge_by_name(self) -> None:
        """DOCSREDIRECT_EDGES names each replica as the stateful set and its Service do, at the port of ops."""
        edge = pod("edge")
        workload = edge.workload["metadata"]["name"], edge.workload["spec"]["serviceName"]
        service = of_kind("Service")[workload[1]]
        assert service["spec"]["clusterIP"] == "None"
        port = edge.ports["ops"]
        assert port in [each["port"] for each in service["spec"]["ports"]]
        replicas = range(edge.workload["spec"]["replicas"])
        named = of_kind("ConfigMap")["docsredirect-admin"]["data"]["DOCSREDIRECT_EDGES"].split()
        assert named == [f"http://{workload[0]}-{number}.{workload[1]}:{port}" for number in replicas]

    @every_pod
    def test_a_drain_neither_stops_the_service_nor_is_stopped_by_it(self, each: Pod) -> None:
        """Of each workload one pod may be taken away on purpose, and another one stays."""
        budgets = [
            budget["spec"]
            for budget in of_kind("PodDisruptionBudget").values()
            if selects(budget["spec"]["selector"], each.labels)
        ]
        assert [budget["maxUnavailable"] for budget in budgets] == [1]
        assert each.workload["spec"]["replicas"] > 1

    @every_pod
    def test_a_pod_has_the_time_that_it_needs(self, each: Pod) -> None:
        """It ends by itself before it is killed, and is not killed while it may still start."""
        shutdown = load({"DOCSREDIRECT_SHUTDOWN_SECONDS": _variable(each, "DOCSREDIRECT_SHUTDOWN_SECONDS")}).settings
        waiting = each.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        needed = waiting + shutdown.shutdown_seconds + KILL_SECONDS + GIVE_UP_SECONDS
        assert needed <= each.spec["terminationGracePeriodSeconds"]
        probe = each.container["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] > START_SECONDS

    @every_pod
    def test_nothing_comes_into_the_environment_by_itself(self, each: Pod) -> None:
        """Kubernetes adds no variables for Services, whose names begin like settings, and no token of its own."""
        assert each.spec["enableServiceLinks"] is False
        assert each.spec["automountServiceAccountToken"] is False
        account = of_kind("ServiceAccount")[each.spec["serviceAccountName"]]
        assert account["automountServiceAccountToken"] is False

    @every_pod
    def test_a_container_may_do_nothing(self, each: Pod) -> None:
        """It runs as nobody, cannot become somebody, and writes only where a volume is."""
        assert each.spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert each.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(each.container["resources"]) == {"requests", "limits"}

    @every_pod
    def test_what_is_written_and_what_is_read_is_mounted(self, each: Pod) -> None:
        """The folders that settings name are volumes; the deny file lies in one that is renewed and may be missing."""
        volumes = {volume["name"]: volume for volume in each.spec["volumes"]}
        mounts = {mount["mountPath"]: mount for mount in each.container["volumeMounts"]}
        variables = environment(each.container)
        for name in ("DOCSREDIRECT_STATE_DIR", "TMPDIR"):
            if name in variables:
                assert "emptyDir" in volumes[mounts[variables[name]]["name"]]
        folder, _, file = variables["DOCSREDIRECT_DENY_FILE"].rpartition("/")
        assert "subPath" not in mounts[folder]
        source = volumes[mounts[folder]["name"]]["configMap"]
        assert source["optional"] is True
        assert list(of_kind("ConfigMap")[source["name"]]["data"]) == [file]

    def test_the_deny_file_is_one(self) -> None:
        """What is shipped denies nobody, and holds no line that would be refused; nor does its example."""
        (text,) = of_kind("ConfigMap")["docsredirect-deny"]["data"].values()
        assert denied.parse(text.encode().splitlines()) == (frozenset(), [])
        example = text.removeprefix("# ").encode().splitlines()
        assert denied.parse(example) == (frozenset({"some-project"}), [])


def _variable(each: Pod, name: str) -> str:
    return environment(each.container)[name]


def test_files_hold_more_than_nothing() -> None:
    """No document of a file is empty."""
    assert all(read(path) and all(read(path)) for folder in (BASE, EXAMPLE) for path in folder.iterdir())
