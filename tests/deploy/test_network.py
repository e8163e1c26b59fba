"""The network policies: who may speak with whom, as rules of a pod, a port, and who is on the other side."""

from itertools import product

from tests.deploy.manifests import BASE, FOLDER, Object, of_kind, pods, selects

PODS = {each.name: each for each in pods()}
POLICIES = of_kind("NetworkPolicy")


def test_what_is_not_allowed_is_denied() -> None:
    """One policy holds for every pod of the namespace, both ways, and allows nothing."""
    (spec,) = (each["spec"] for each in POLICIES.values() if each["spec"]["podSelector"] == {})
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_who_may_come_in() -> None:
    """Traffic reaches what it is for; ops is for monitoring, and that of edges for the admin side."""
    assert _allowed("ingress", "from") == {
        ("edge", 8080, "namespace traffic"),
        ("edge", 9090, "namespace monitoring"),
        ("edge", 9090, "admin"),
        ("admin", 8081, "namespace traffic"),
        ("admin", 9090, "namespace monitoring"),
    }


def test_where_they_may_go() -> None:
    """Both look names up and speak https with the outside, but for the cloud's metadata; the admin side asks
    edges."""
    anybody = {
        (53, "kube-dns"),
        (53, "169.254.20.10/32"),
        (443, "0.0.0.0/0 but 169.254.0.0/16"),
        (443, "::/0 but fd00:ec2::/32"),
    }
    both = {(name, *each) for name in PODS for each in anybody}
    assert _allowed("egress", "to") == both | {("admin", 9090, "edge")}


def test_ports_are_ones_that_are_listened_on() -> None:
    """What is let in is let in to a port that there is."""
    for name, port, _ in _allowed("ingress", "from"):
        assert port in PODS[name].ports.values()


def _allowed(direction: str, peers: str) -> set[tuple[str, int, str]]:
    """Return what the policies allow: the pod that they are for, the port, and who is on the other side."""
    return {
        (each.name, port["port"], _told(peer))
        for policy in POLICIES.values()
        for each in PODS.values()
        if selects(policy["spec"]["podSelector"], each.labels)
        for rule in policy["spec"].get(direction, ())
        for port, peer in product(rule["ports"], rule[peers])
    }


def _told(peer: Object) -> str:
    """Return who a rule is about."""
    if "ipBlock" in peer:
        return " but ".join((peer["ipBlock"]["cidr"], *peer["ipBlock"].get("except", ())))
    if "podSelector" not in peer:
        (label,) = peer["namespaceSelector"]["matchLabels"].items()
        assert label[0] == "docsredirect/lets-in"
        return f"namespace {label[1]}"
    if "namespaceSelector" in peer:
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "kube-system"}
        return str(peer["podSelector"]["matchLabels"]["k8s-app"])
    (found,) = (each.name for each in PODS.values() if selects(peer["podSelector"], each.labels))
    return found


def test_the_labels_that_let_in_are_explained() -> None:
    """The README says which namespaces have to be labelled."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for label in ("docsredirect/lets-in=traffic", "docsredirect/lets-in=monitoring"):
        assert label in readme
        assert label in (BASE / "network.yaml").read_text(encoding="utf-8")
