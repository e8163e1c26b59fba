"""Which URLs a record may lead to, and the one form in which they are stored."""

import pytest

from docsredirect.domain.errors import shorten
from docsredirect.domain.hosts import HostRules
from docsredirect.domain.targets import is_absolute, is_folder
from tests.domain.cases import Fields, Found, ask, faults_of, fields, found, parse, title

HOST = "https://t.example.org"

ACCEPTED_PAGES = [
    (HOST, HOST + "/"),
    (HOST + "/", HOST + "/"),
    ("HTTPS://T.Example.ORG/Docs", HOST + "/Docs"),
    ("http://t.example.org/", "http://t.example.org/"),
    (HOST + ":8443/x", HOST + ":8443/x"),
    (HOST + ":1/", HOST + ":1/"),
    (HOST + ":65535", HOST + ":65535/"),
    (HOST + "/x.html", HOST + "/x.html"),
    (HOST + "/x.htm", HOST + "/x.htm"),
    (HOST + "?q=1", HOST + "/?q=1"),
    (HOST + "#top", HOST + "/#top"),
    (HOST + "/x?q=%7e%2f#a%7eb/?c", HOST + "/x?q=~%2F#a~b/?c"),
    (HOST + "/%7euser/%2f%3f%23%5c%25", HOST + "/~user/%2F%3F%23%5C%25"),
    (HOST + "/100%", HOST + "/100%25"),
    (HOST + "/[x]?[y]#[z]", HOST + "/%5Bx%5D?%5By%5D#%5Bz%5D"),
    (HOST + "/a:b@c", HOST + "/a:b@c"),
    (HOST + "//x//y", HOST + "//x//y"),
    (HOST + "/.../..a/b..", HOST + "/.../..a/b.."),
    (HOST + "/x?a=../b", HOST + "/x?a=../b"),
    ("https://xn--caf-dma.example/", "https://xn--caf-dma.example/"),
    ("https://1.example.org/", "https://1.example.org/"),
    ("https://a-b--c.example.o1/", "https://a-b--c.example.o1/"),
    ("https://" + "a" * 63 + ".example.org/", "https://" + "a" * 63 + ".example.org/"),
    ("https://notpythonhosted.org/", "https://notpythonhosted.org/"),
    ("https://python.org/", "https://python.org/"),
    ("https://pythonhosted.org.example/", "https://pythonhosted.org.example/"),
    ("https://localhost.example.org/", "https://localhost.example.org/"),
    (HOST + "/" + "a" * (2_048 - 22), HOST + "/" + "a" * (2_048 - 22)),
]

ACCEPTED_BASES = [
    (HOST, HOST + "/"),
    (HOST + "/docs", HOST + "/docs/"),
    (HOST + "/docs/", HOST + "/docs/"),
    (HOST + "/docs///", HOST + "/docs/"),
    (HOST + "//", HOST + "/"),
    (HOST + "/a%2fb", HOST + "/a%2Fb/"),
    (HOST + "/x.html5", HOST + "/x.html5/"),
    (HOST + "/html", HOST + "/html/"),
    ("https://docs.example.html", "https://docs.example.html/"),
]


@pytest.mark.parametrize(("given", "stored"), ACCEPTED_PAGES, ids=[title(row[0]) for row in ACCEPTED_PAGES])
def test_page_is_stored_in_normal_form(given: str, stored: str) -> None:
    """A target that nothing is appended to is stored in normal form, as the project's and as a rule's."""
    assert parse(fields(target=given, path="root")).target == stored
    assert parse(fields(rules={"a": given})).rules == {"a": stored}
    assert parse(fields(target=stored, path="root")).target == stored


@pytest.mark.parametrize(("given", "stored"), ACCEPTED_BASES, ids=[title(row[0]) for row in ACCEPTED_BASES])
@pytest.mark.parametrize("path", ["keep", "clean"])
def test_base_is_stored_in_normal_form(given: str, stored: str, path: str) -> None:
    """A base that paths are appended to is stored with one slash at its end, also before a rule's star."""
    assert parse(fields(target=given, path=path)).target == stored
    assert parse(fields(rules={"a/*": given + "*"})).rules == {"a/*": stored + "*"}
    assert parse(fields(target=stored, path=path)).target == stored


REFUSED = [
    ("", {"url-scheme"}),
    ("/docs/", {"url-scheme"}),
    ("//t.example.org/", {"url-scheme"}),
    ("t.example.org/docs/", {"url-scheme"}),
    ("ftp://t.example.org/", {"url-scheme"}),
    ("javascript:alert(1)", {"url-scheme"}),
    ("https:/t.example.org/", {"url-scheme"}),
    ("https:t.example.org", {"url-scheme"}),
    (" https://t.example.org/", {"url-scheme", "url-character"}),
    ("https:\\\\t.example.org\\", {"url-scheme", "url-character"}),
    ("https://", {"url-host"}),
    ("https:///t.example.org/", {"url-host"}),
    ("https://?q", {"url-host"}),
    ("https://example/", {"url-host"}),
    ("https://.example.org/", {"url-host"}),
    ("https://t..example.org/", {"url-host"}),
    ("https://-t.example.org/", {"url-host"}),
    ("https://t-.example.org/", {"url-host"}),
    ("https://t_t.example.org/", {"url-host"}),
    ("https://t%2eexample.org/", {"url-host"}),
    ("https://t.example.org%2f/", {"url-host"}),
    ("https://*.example.org/", {"url-host"}),
    ("https://t.example.org&x/", {"url-host"}),
    ("https://" + "a" * 64 + ".example.org/", {"url-host"}),
    ("https://" + "a." * 127 + "org/", {"url-host"}),
    ("https://localhost/", {"url-localhost"}),
    ("https://LocalHost:8080/", {"url-localhost"}),
    ("https://docs.localhost/", {"url-localhost"}),
    ("https://127.0.0.1/", {"url-ip-address"}),
    ("https://10.0.0.1:8080/", {"url-ip-address"}),
    ("https://2130706433/", {"url-ip-address"}),
    ("https://0x7f000001/", {"url-ip-address"}),
    ("https://0X7F.1/", {"url-ip-address"}),
    ("https://0x/", {"url-ip-address"}),
    ("https://017700000001/", {"url-ip-address"}),
    ("https://127.1/", {"url-ip-address"}),
    ("https://docs.123/", {"url-ip-address"}),
    ("https://[::1]/", {"url-ip-address"}),
    ("https://[::ffff:127.0.0.1]:80/", {"url-ip-address"}),
    ("https://[::1/", {"url-ip-address"}),
    ("https://pythonhosted.org/x/", {"url-own-host"}),
    ("https://WWW.PythonHosted.org/", {"url-own-host"}),
    ("http://packages.python.org:8080/", {"url-own-host"}),
    ("https://docs.pythonhosted.org/", {"url-own-host"}),
    ("https://a.b.packages.python.org/", {"url-own-host"}),
    ("https://pythonhosted.org./", {"url-own-host"}),
    ("https://t.example.org:0/", {"url-port"}),
    ("https://t.example.org:65536/", {"url-port"}),
    ("https://t.example.org:/", {"url-port"}),
    ("https://t.example.org:x/", {"url-port"}),
    ("https://t.example.org:-1/", {"url-port"}),
    ("https://t.example.org:100000/", {"url-port"}),
    ("https://t.example.org:80:80/", {"url-host"}),
    ("https://user@t.example.org/", {"url-userinfo"}),
    ("https://user:secret@t.example.org/", {"url-userinfo"}),
    ("https://@t.example.org/", {"url-userinfo"}),
    ("https://a@b@t.example.org/", {"url-userinfo"}),
    ("https://t.example.org@evil.example/", {"url-userinfo"}),
    ("https://caf\u00e9.example/", {"url-ascii", "url-host"}),
    (HOST + "/caf\u00e9/", {"url-ascii"}),
    (HOST + "/\ud800/", {"url-ascii"}),
    ("http\u017f://t.example.org/", {"url-ascii"}),
    *((f"{HOST}/a{char}b/", {"url-character"}) for char in '\x00\t\n\r\x1f \x7f\\"<>^{|}`'),
    (HOST + "/?a b", {"url-character"}),
    (HOST + "/#a\nb", {"url-character"}),
    (HOST + "\n/", {"url-character", "url-host"}),
    (HOST + "/#a#b", {"url-fragment"}),
    (HOST + "/##", {"url-fragment"}),
    *((f"{HOST}/{path}", {"url-dot-segment"}) for path in (".", "..", "a/../b/", "%2e%2E/", "a/%2e")),
    *((f"{HOST}/{path}", {"url-dot-segment"}) for path in ("a%2f..%2fb/", "a%5C..", "..%2f", "%2F.", "%5c.%5c")),
    (HOST + "/" + "a" * (2_049 - 22), {"url-too-long"}),
    (
        "ftp://user@127.0.0.1:0/../ " + "\u00e9" * 2_048 + "##",
        {"url-scheme", "url-ascii", "url-character", "url-too-long", "url-fragment"},
    ),
    (
        "https://user@127.0.0.1:0/.. " + "/\u00e9" * 1_024 + "##",
        {
            *("url-userinfo", "url-ip-address", "url-port", "url-character", "url-ascii", "url-too-long"),
            "url-fragment",
        },
    ),
    (
        "https://user@localhost:x/../\\##",
        {
            *("url-userinfo", "url-localhost", "url-port", "url-dot-segment", "url-character", "url-fragment"),
        },
    ),
]

REFUSED_BASES = [
    (HOST + "/?q=1", {"base-query"}),
    (HOST + "/docs?", {"base-query"}),
    (HOST + "/#top", {"base-fragment"}),
    (HOST + "/docs/#", {"base-fragment"}),
    (HOST + "/x.html", {"base-page"}),
    (HOST + "/x.htm", {"base-page"}),
    (HOST + "/X.HTML", {"base-page"}),
    (HOST + "/x%2ehtm%6c", {"base-page"}),
    (HOST + "/.html", {"base-page"}),
    (HOST + "/../x.html?q#f", {"base-page", "base-query", "base-fragment", "url-dot-segment"}),
]


def pointed(pointer: str, codes: set[str]) -> Found:
    """Return `codes` as faults at `pointer`."""
    return frozenset((pointer, code) for code in codes)


@pytest.mark.parametrize(("given", "codes"), REFUSED, ids=[title(row[0]) for row in REFUSED])
def test_refused_target(given: str, codes: set[str]) -> None:
    """A target is refused with every one of its faults at once, whatever the path policy."""
    assert found(faults_of(fields(target=given, path="root"))) == pointed("/target", codes)
    assert pointed("/target", codes) <= found(faults_of(fields(target=given, path="keep")))


@pytest.mark.parametrize(
    ("given", "codes"),
    [row for row in REFUSED if row[0][:8].lower().startswith(("http://", "https://"))],
    ids=title,
)
def test_refused_absolute_to(given: str, codes: set[str]) -> None:
    """A rule's absolute URL is checked exactly like a target."""
    assert found(faults_of(fields(rules={"a/b": given}))) == pointed("/rules/a~1b", codes)


@pytest.mark.parametrize(("given", "codes"), REFUSED_BASES, ids=[title(row[0]) for row in REFUSED_BASES])
def test_refused_base(given: str, codes: set[str]) -> None:
    """A base that paths are appended to is refused with every one of its faults, as a target and before a star."""
    assert found(faults_of(fields(target=given, path="keep"))) == pointed("/target", codes)
    assert found(faults_of(fields(target=given, path="clean"))) == pointed("/target", codes)
    assert found(faults_of(fields(rules={"*": given + "*"}))) == pointed("/rules/*", codes)


@pytest.mark.parametrize("target", [row[0] for row in REFUSED_BASES[:-1]], ids=title)
def test_page_as_root(target: str) -> None:
    """What cannot be a base may be a target that nothing is appended to."""
    assert faults_of(fields(target=target, path="root")) == []


OVERLONG: list[Fields] = [
    fields(target=HOST + "/" + "a" * (2_048 - 22)),
    fields(target=HOST + "/" + "[" * (2_048 - 22), path="root"),
    fields(target=HOST + "/" + "%" * (2_048 - 22), path="root"),
    fields(target=HOST + "?" + "q" * (2_048 - 22), path="root"),
    fields(rules={"a/*": HOST + "/" + "a" * (2_048 - 22) + "*"}),
    fields(rules={"a": "[" * 2_048}),
    fields(rules={"a/*": "a" * 2_048 + "*"}),
]


@pytest.mark.parametrize("raw", OVERLONG, ids=["slash", "brackets", "percent", "root", "star", "relative", "folder"])
def test_stored_url_is_not_too_long(raw: Fields) -> None:
    """A URL that is longer than 2,048 characters in normal form is refused: what is stored is accepted again."""
    assert {code for _, code in found(faults_of(raw))} == {"url-too-long"}


def test_own_hosts_of_settings() -> None:
    """A host that the settings add, and all below it, is no target either."""
    hosts = HostRules.of(["Docs.Example.com"])
    for host in ("docs.example.com", "DOCS.example.com:80", "a.docs.example.com", "pythonhosted.org"):
        assert found(faults_of(fields(target=f"https://{host}/"), hosts)) == {("/target", "url-own-host")}
    assert faults_of(fields(target="https://example.com/"), hosts) == []


def test_star_in_a_target_is_a_character() -> None:
    """A star carries nothing but at the end of a rule's `to`: in a target it is a character like any other."""
    record = fields(target=HOST + "/*", path="root")
    assert ask(record, "/foo-bar/x").location == HOST + "/*"
    assert ask(record | {"path": "keep"}, "/foo-bar/x").location == HOST + "/*/x"


def test_password_is_not_repeated() -> None:
    """A fault never shows the user name or password that a URL holds."""
    details = [fault.detail for fault in faults_of(fields(target="https://user:s3cret@t.example.org/docs/"))]
    assert details and not any("s3cret" in detail for detail in details)


def test_location_is_the_stored_target() -> None:
    """Where nothing is appended, the `Location` is the target in normal form, byte for byte."""
    for given, stored in ACCEPTED_PAGES:
        assert ask(fields(target=given, path="root"), "/foo-bar/x").location == stored


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("http://x", True),
        ("HTTPS://x", True),
        ("https://", True),
        ("http:/x", False),
        ("//x", False),
        ("x/http://y", False),
        ("http\u017f://x", False),
        ("", False),
    ],
)
def test_is_absolute(url: str, absolute: bool) -> None:
    """A URL is absolute where it says its own http(s) host."""
    assert is_absolute(url) is absolute


@pytest.mark.parametrize(
    ("url", "folder"),
    [(HOST + "/", True), (HOST + "/x", False), (HOST + "/?a=/", False), (HOST + "/#/", False), (HOST + "/x/", True)],
)
def test_is_folder(url: str, folder: bool) -> None:
    """Paths may be appended to a URL whose path, and nothing else, ends it with a slash."""
    assert is_folder(url) is folder


def test_shorten() -> None:
    """A value in a message is quoted, and cut where it is long."""
    assert shorten("a\n'b") == repr("a\n'b")
    assert shorten("a" * 80) == repr("a" * 80)
    assert shorten("a" * 81) == repr("a" * 80 + "…")
