"""Host names: which are ours, and which a request may ask for."""

import pytest

from docsredirect.domain.hosts import OWN_HOSTS, HostRules, host_of, is_loopback
from tests.domain.cases import title

HOSTS_OF = [
    ("pythonhosted.org", "pythonhosted.org"),
    ("PythonHosted.ORG", "pythonhosted.org"),
    ("pythonhosted.org:80", "pythonhosted.org"),
    ("pythonhosted.org:", "pythonhosted.org"),
    ("pythonhosted.org.", "pythonhosted.org"),
    ("pythonhosted.org.:8080", "pythonhosted.org"),
    ("pythonhosted.org..", "pythonhosted.org."),
    ("127.0.0.1:8080", "127.0.0.1"),
    ("[::1]", "[::1]"),
    ("[::1]:8080", "[::1]"),
    ("[FE80::1]", "[fe80::1]"),
    ("a_b.example", "a_b.example"),
    ("", ""),
    (":80", ""),
]


@pytest.mark.parametrize(("authority", "host"), HOSTS_OF, ids=[title(row[0]) for row in HOSTS_OF])
def test_host_of(authority: str, host: str) -> None:
    """A host is compared without case, port or one trailing dot."""
    assert host_of(authority) == host


MALFORMED = [
    *("a b", " a", "a ", "a\n", "a\x00", "a/b", "a?b", "a#b", "a\\b", "a@b", "user:x@a", "a,b", "a;b", "a'b", 'a"b'),
    *("<a>", "a:b", "a:80:80", "a:-1", "a:123456", "a:\u0661", "caf\u00e9.example", "\ud800", "a%2eb", "::1", "[::1"),
    *("::1]", "[a]b", "[::1]x", "[::g]", "[]", "[::1%25eth0]"),
]


@pytest.mark.parametrize("authority", MALFORMED, ids=title)
def test_malformed_authority(authority: str) -> None:
    """What a ``Host`` field may not hold has no host."""
    assert host_of(authority) is None


@pytest.mark.parametrize(
    ("host", "owned", "served"),
    [
        *((host, True, True) for host in OWN_HOSTS),
        ("docs.example.com", True, True),
        ("a.pythonhosted.org", True, False),
        ("a.b.docs.example.com", True, False),
        ("example.com", False, False),
        ("notpythonhosted.org", False, False),
        ("python.org", False, False),
        ("pythonhosted.org.example", False, False),
        ("pythonhosted.org.", False, False),
        ("", False, False),
        ("localhost", False, True),
        ("127.0.0.1", False, True),
        ("[::1]", False, True),
    ],
)
def test_own_hosts(host: str, owned: bool, served: bool) -> None:
    """The legacy hosts and those of the settings are served; they and all below them are no targets."""
    rules = HostRules.of(["Docs.Example.com."])
    assert (rules.owns(host), rules.serves(host)) == (owned, served)


def test_star_serves_all_and_owns_nothing() -> None:
    """``*`` among the hosts serves every host, and makes none ours."""
    rules = HostRules.of(["*", "docs.example.com"])
    assert rules.serves("any.example.org") and rules.serves("pythonhosted.org")
    assert rules.own == {*OWN_HOSTS, "docs.example.com"}
    assert not rules.owns("any.example.org") and not rules.owns("*")


def test_legacy_hosts_are_always_ours() -> None:
    """The three legacy hosts are ours without any setting."""
    assert HostRules.of().own == {"pythonhosted.org", "www.pythonhosted.org", "packages.python.org"}
    assert not HostRules.of().serve_any


def test_added_host_is_compared_without_port() -> None:
    """A host that the settings add with a port is the same host."""
    assert HostRules.of(["Docs.Example.com.:8443"]).serves("docs.example.com")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *((host, True) for host in ("localhost", "docs.localhost", "a.b.localhost", "127.0.0.1", "127.1.2.3", "[::1]")),
        *((host, False) for host in ("localhost.example", "notlocalhost", "127.0.0.1.example", "128.0.0.1")),
        *((host, False) for host in ("1270.0.0.1", "127.0.0", "[::2]", "", "0.0.0.0", "127.0.0.1.")),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    """The names and addresses of this machine are told from those that resemble them."""
    assert is_loopback(host) is loopback
