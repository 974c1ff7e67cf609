"""RFC 3261 section 10.3, row by row: what a REGISTER gets, and which bindings it leaves."""

from __future__ import annotations

from hashlib import md5
from random import Random

import pytest

from sipcore.auth.credentials import Credential
from sipcore.auth.hashing import Algorithm
from sipcore.errors import ConfigError
from sipcore.inbound import Answer
from sipcore.registrar import Location, RegistrarPolicy, Rules, StoredBinding, Users, location
from sipcore.syntax.message import Request, parse_message
from sipcore.timers import Timers
from sipcore.values import Secret
from tests.secrecy import PASSWORD

OPEN = RegistrarPolicy(require_authentication=False)
ALICE = "sip:alice@example.com"


class Bench:
    """The rules alone, with a clock to turn."""

    def __init__(self, policy: RegistrarPolicy = OPEN, users: Users | None = None) -> None:
        self.location = Location(Timers())
        self.rules = Rules(policy, users if users is not None else {}, self.location, random=Random(1))
        self.now = 1000.0
        self.cseq = 0
        self.authorization = ""

    def register(
        self,
        *contacts: str,
        uri: str = "sip:example.com",
        to: str = f"<{ALICE}>",
        call_id: str = "c1",
        cseq: int | None = None,
        expires: str | None = None,
        more: str = "",
    ) -> Answer:
        """The answer to a REGISTER; the CSeq rises by itself."""
        self.cseq = self.cseq + 1 if cseq is None else cseq
        lines = [
            f"REGISTER {uri} SIP/2.0",
            "Via: SIP/2.0/UDP pc.example;branch=z9hG4bK1",
            f"From: {to};tag=1",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {self.cseq} REGISTER",
            *[f"Contact: {contact}" for contact in contacts],
        ]
        if expires is not None:
            lines.append(f"Expires: {expires}")
        if self.authorization:
            lines.append(f"Authorization: {self.authorization}")
        request = parse_message(("\r\n".join(lines) + f"\r\n{more}Content-Length: 0\r\n\r\n").encode())
        assert isinstance(request, Request)
        return self.rules.process(request, self.now)

    def bindings(self, aor: str = "alice@example.com") -> tuple[StoredBinding, ...]:
        return self.location.bindings(aor, self.now)

    def uris(self, aor: str = "alice@example.com") -> list[str]:
        return [binding.uri for binding in self.bindings(aor)]

    def left(self, aor: str = "alice@example.com") -> list[float]:
        return [binding.expires_at - self.now for binding in self.bindings(aor)]


def listed(answer: Answer) -> list[str]:
    assert answer.status == 200
    return [value for name, value in answer.headers if name == "Contact"]


def header(answer: Answer, name: str) -> list[str]:
    return [value for key, value in answer.headers if key == name]


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- steps 1 and 2 ---------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.3-04")
def test_a_domain_that_is_not_ours_is_404() -> None:
    bench = Bench(RegistrarPolicy(require_authentication=False, domains=("Example.COM", "192.0.2.1")))
    assert bench.register("<sip:a@pc>", uri="sip:EXAMPLE.com").status == 200
    assert bench.register("<sip:a@pc>", uri="sip:192.0.2.1:5070").status == 200
    assert bench.register("<sip:a@pc>", uri="sip:example.org").status == 404
    assert bench.register("<sip:a@pc>", to="<sip:alice@example.org>").status == 404
    assert bench.uris("alice@example.org") == []


def test_a_user_in_the_request_uri_does_no_harm(bench: Bench) -> None:
    """RFC 3261 section 10.2 forbids it to clients; some do it."""
    assert bench.register("<sip:a@pc>", uri="sip:alice@example.com").status == 200


@pytest.mark.requirement("RFC3261-10.3-03", "RFC4475-3.3.5-01")
def test_require_is_processed_before_anything_changes(bench: Bench) -> None:
    answer = bench.register("<sip:a@pc>", more="Require: foo, path, bar\r\nProxy-Require: baz\r\n")
    assert answer.status == 420
    assert header(answer, "Unsupported") == ["foo, bar"]
    assert bench.uris() == []
    assert bench.register("<sip:a@pc>", more="Require: path\r\nProxy-Require: baz\r\n").status == 200


# --- steps 3 to 5 ----------------------------------------------------------------------------------------------------

USERS: dict[str, Secret | str | Credential] = {"alice": PASSWORD, "bob": Secret("hush"), "carol@example.com": "c"}


def digest_answer(answer: Answer, username: str, password: str, *, nc: int = 1, uri: str = "sip:example.com") -> str:
    """What a client answers to the MD5 challenge of a 401."""
    assert answer.status == 401
    challenge = next(value for value in header(answer, "WWW-Authenticate") if "MD5" in value)
    nonce = challenge.partition('nonce="')[2].partition('"')[0]
    realm = challenge.partition('realm="')[2].partition('"')[0]
    return credentials(username, password, realm, nonce, nc=nc, uri=uri)


def credentials(username: str, password: str, realm: str, nonce: str, *, nc: int, uri: str = "sip:example.com") -> str:
    def h(text: str) -> str:
        return md5(text.encode(), usedforsecurity=False).hexdigest()

    key, what = h(f"{username}:{realm}:{password}"), h(f"REGISTER:{uri}")
    response = h(f"{key}:{nonce}:{nc:08x}:abc:auth:{what}")
    return (
        f'Digest username="{username}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
        f'algorithm=MD5, cnonce="abc", qop=auth, nc={nc:08x}'
    )


def signed(bench: Bench, username: str, password: str, *contacts: str, to: str = f"<{ALICE}>") -> Answer:
    """The answer to the second REGISTER, the one with credentials."""
    bench.authorization = ""
    bench.authorization = digest_answer(bench.register(*contacts, to=to), username, password)
    return bench.register(*contacts, to=to)


@pytest.mark.requirement("RFC3261-22.1-07", "RFC3261-22.4-04", "RFC8760-2.3-01")
def test_a_registrar_challenges_with_401_and_one_row_for_each_algorithm() -> None:
    algorithms = (Algorithm.SHA_512_256, Algorithm.SHA_256, Algorithm.MD5)
    bench = Bench(RegistrarPolicy(realm="example.com", algorithms=algorithms), USERS)
    answer = bench.register("<sip:a@pc>")
    assert answer.status == 401
    rows = header(answer, "WWW-Authenticate")
    assert [row.partition("algorithm=")[2].partition(",")[0] for row in rows] == list(algorithms)
    assert all('qop="auth"' in row and 'realm="example.com"' in row for row in rows)
    assert bench.uris() == []


@pytest.mark.requirement("RFC3261-22.1-06")
def test_the_realm_is_the_first_domain_unless_given() -> None:
    assert RegistrarPolicy(domains=("Example.com", "b")).realm == "example.com"
    assert RegistrarPolicy(domains=("a",), realm="R").realm == "R"
    assert RegistrarPolicy().realm == "localhost"


def test_the_right_password_registers() -> None:
    bench = Bench(RegistrarPolicy(), USERS)
    assert listed(signed(bench, "alice", PASSWORD, "<sip:a@pc>")) == ["<sip:a@pc>;expires=3600"]
    bob = "<sip:bob@example.com>"
    assert signed(bench, "bob", "hush", "<sip:b@pc>", to=bob).status == 200
    assert signed(bench, "carol@example.com", "c", "<sip:c@pc>", to="<sip:carol@example.com>").status == 200


@pytest.mark.parametrize(("username", "password"), [("alice", "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_password_and_an_unknown_user_are_challenged_alike(username: str, password: str) -> None:
    bench = Bench(RegistrarPolicy(), USERS)
    answer = signed(bench, username, password, "<sip:a@pc>")
    assert answer.status == 401
    assert not any("stale" in row for row in header(answer, "WWW-Authenticate"))
    assert bench.uris() == []


@pytest.mark.requirement("RFC3261-10.3-04")
def test_somebody_elses_address_is_403_and_one_that_is_not_there_404() -> None:
    bench = Bench(RegistrarPolicy(domains=("example.com",)), USERS)
    assert signed(bench, "alice", PASSWORD, "<sip:a@pc>", to="<sip:bob@example.com>").status == 403
    assert signed(bench, "alice", PASSWORD, "<sip:a@pc>", to="<sip:nobody@example.com>").status == 404
    assert signed(bench, "alice", PASSWORD, "<sip:a@pc>", to="<sip:alice@example.org>").status == 404
    assert signed(bench, "carol@example.com", "c", "<sip:a@pc>", to="<sip:alice@example.com>").status == 403
    assert len(bench.location) == 0


def test_strangers_learn_nothing_about_who_exists() -> None:
    bench = Bench(RegistrarPolicy(), USERS)
    for to in ("<sip:alice@example.com>", "<sip:nobody@example.com>", "<sip:example.com>"):
        assert bench.register("<sip:a@pc>", to=to).status == 401


def test_an_address_without_a_user_is_404(bench: Bench) -> None:
    assert bench.register("<sip:a@pc>", to="<sip:example.com>").status == 404
    assert bench.register("<sip:a@pc>", to="<tel:+1-201>").status == 404


def test_users_may_be_a_function_and_credentials_may_be_hashed() -> None:
    ha1 = Secret(Algorithm.MD5.hash(f"alice:localhost:{PASSWORD}"))
    known = Credential(username="alice", ha1=((Algorithm.MD5, ha1),))
    asked: list[str] = []

    def find(username: str) -> Credential | None:
        asked.append(username)
        return known if username == "alice" else None

    bench = Bench(RegistrarPolicy(), find)
    assert signed(bench, "alice", PASSWORD, "<sip:a@pc>").status == 200
    assert signed(bench, "bob", PASSWORD, "<sip:a@pc>").status == 401
    assert {"alice", "bob"} <= set(asked)


def test_a_changed_password_counts_at_once() -> None:
    users = {"alice": "old"}
    bench = Bench(RegistrarPolicy(), users)
    assert signed(bench, "alice", "old", "<sip:a@pc>").status == 200
    users["alice"] = "new"
    assert signed(bench, "alice", "old", "<sip:a@pc>").status == 401
    assert signed(bench, "alice", "new", "<sip:a@pc>").status == 200


def test_a_password_that_no_client_could_have_is_nobodys() -> None:
    bench = Bench(RegistrarPolicy(), {"alice": "a\nb", "bo\nb": "x", "": "x"})
    assert signed(bench, "alice", "a\nb", "<sip:a@pc>").status == 401


@pytest.mark.requirement("RFC7616-3.3-06")
def test_an_old_nonce_with_the_right_password_is_stale() -> None:
    bench = Bench(RegistrarPolicy(nonce_lifetime=10.0), USERS)
    challenge = bench.register("<sip:a@pc>")
    bench.authorization = digest_answer(challenge, "alice", PASSWORD)
    bench.now += 9.999
    assert bench.register("<sip:a@pc>").status == 200
    bench.now += 0.001
    bench.authorization = digest_answer(challenge, "alice", PASSWORD, nc=2)
    stale = bench.register("<sip:a@pc>")
    assert stale.status == 401
    assert all("stale=true" in row for row in header(stale, "WWW-Authenticate"))
    bench.authorization = digest_answer(challenge, "alice", "wrong", nc=3)
    assert not any("stale" in row for row in header(bench.register("<sip:a@pc>"), "WWW-Authenticate"))


@pytest.mark.requirement("RFC7616-3.4-08")
def test_a_nonce_serves_many_refreshes_each_count_once() -> None:
    bench = Bench(RegistrarPolicy(), USERS)
    challenge = bench.register("<sip:a@pc>")
    for nc in (1, 2, 9, 10, 16):
        bench.authorization = digest_answer(challenge, "alice", PASSWORD, nc=nc)
        assert bench.register("<sip:a@pc>").status == 200
        replayed = bench.register("<sip:a@pc>")
        assert replayed.status == 401
        assert "stale=true" in header(replayed, "WWW-Authenticate")[0]


def test_one_time_nonces_are_good_for_one_request() -> None:
    bench = Bench(RegistrarPolicy(one_time_nonces=True), USERS)
    challenge = bench.register("<sip:a@pc>")
    bench.authorization = digest_answer(challenge, "alice", PASSWORD, nc=1)
    assert bench.register("<sip:a@pc>").status == 200
    bench.authorization = digest_answer(challenge, "alice", PASSWORD, nc=2)
    again = bench.register("<sip:a@pc>")
    assert again.status == 401
    assert "stale=true" in header(again, "WWW-Authenticate")[0]


def test_an_answer_without_qop_is_good_once_anyhow() -> None:
    bench = Bench(RegistrarPolicy(one_time_nonces=True), USERS)
    challenge = bench.register("<sip:a@pc>")
    nonce = digest_answer(challenge, "alice", PASSWORD).partition('nonce="')[2].partition('"')[0]
    h = Algorithm.MD5.hash
    response = h(f"{h(f'alice:localhost:{PASSWORD}')}:{nonce}:{h('REGISTER:sip:example.com')}")
    bench.authorization = (
        f'Digest username="alice", realm="localhost", nonce="{nonce}", uri="sip:example.com", response="{response}"'
    )
    assert [bench.register("<sip:a@pc>").status for _ in range(2)] == [200, 401]


@pytest.mark.requirement("RFC7616-3.4-09")
@pytest.mark.parametrize("missing", ["response", "uri", "nonce"])
def test_credentials_with_a_hole_are_400(missing: str) -> None:
    bench = Bench(RegistrarPolicy(), USERS)
    full = digest_answer(bench.register("<sip:a@pc>"), "alice", PASSWORD)
    bench.authorization = ", ".join(
        item for item in full.removeprefix("Digest ").split(", ") if not item.startswith(missing)
    )
    bench.authorization = f"Digest {bench.authorization}"
    answer = bench.register("<sip:a@pc>")
    assert (answer.status, answer.reason) == (400, "Malformed Credentials")


@pytest.mark.requirement("RFC4475-3.3.7-01")
def test_an_unknown_scheme_is_challenged() -> None:
    bench = Bench(RegistrarPolicy(), USERS)
    bench.authorization = "NoOneKnowsThisScheme opaque-data=here"
    assert bench.register("<sip:a@pc>").status == 401


def test_authentication_info_proves_that_we_know_the_password() -> None:
    assert header(signed(Bench(RegistrarPolicy(), USERS), "alice", PASSWORD), "Authentication-Info") == []
    bench = Bench(RegistrarPolicy(authentication_info=True), USERS)
    (value,) = header(signed(bench, "alice", PASSWORD), "Authentication-Info")
    nonce = bench.authorization.partition('nonce="')[2].partition('"')[0]
    ha1, ha2 = Algorithm.MD5.hash(f"alice:localhost:{PASSWORD}"), Algorithm.MD5.hash(":sip:example.com")
    assert f'rspauth="{Algorithm.MD5.hash(f"{ha1}:{nonce}:00000001:abc:auth:{ha2}")}"' in value
    assert header(Bench(RegistrarPolicy(authentication_info=True, require_authentication=False)).register(), "x") == []


@pytest.mark.requirement("RFC3261-10.3-05", "RFC5630-5.2-01")
@pytest.mark.parametrize(
    "to",
    [
        "<sip:%61lice@example.com>",
        "<sip:alice@EXAMPLE.com;x=1;user=phone>",
        "<sips:alice@example.com>",
        "Alice <sip:alice@example.com:5070>",
        "<sip:alice:pw@example.com?Subject=x>",
    ],
)
def test_an_address_of_record_has_one_canonical_form(bench: Bench, to: str) -> None:
    assert listed(bench.register("<sip:a@pc>", to=to)) == ["<sip:a@pc>;expires=3600"]
    assert listed(bench.register()) == ["<sip:a@pc>;expires=3600"]


def test_the_user_is_compared_with_case_and_by_its_octets(bench: Bench) -> None:
    bench.register("<sip:a@pc>", to="<sip:Alice@example.com>")
    bench.register("<sip:b@pc>", to="<sip:%C3%A9@example.com>")
    bench.register("<sip:c@pc>", to="<sip:%FF@example.com>")
    assert bench.uris() == []
    assert bench.uris("Alice@example.com") == ["sip:a@pc"]
    assert bench.uris("é@example.com") == ["sip:b@pc"]
    assert bench.uris("\udcff@example.com") == ["sip:c@pc"]


# --- step 6: the star ------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.3-06")
@pytest.mark.parametrize(
    ("contacts", "expires"),
    [
        (["*", "<sip:b@pc>"], "0"),
        (["<sip:b@pc>, *"], "0"),
        (["*", "*"], "0"),
        (["*"], "5"),
        (["*"], None),
        (["*"], "x"),
        (["*"], ""),
        (["*;expires=0"], "0"),
    ],
)
def test_a_star_with_anything_but_expires_0_is_400(bench: Bench, contacts: list[str], expires: str | None) -> None:
    bench.register("<sip:a@pc>")
    before = bench.bindings()
    assert bench.register(*contacts, expires=expires).status == 400
    assert bench.bindings() == before


@pytest.mark.requirement("RFC3261-10.3-07")
def test_a_star_removes_all_unless_it_is_late_for_one(bench: Bench) -> None:
    bench.register("<sip:a@pc>", call_id="c1", cseq=10)
    bench.register("<sip:b@pc>", call_id="c2", cseq=99)
    before = bench.bindings()
    for late in (9, 10):
        assert bench.register("*", call_id="c1", cseq=late, expires="0").status == 500
        assert bench.bindings() == before
    assert listed(bench.register("*", call_id="c1", cseq=11, expires="0")) == []
    assert len(bench.location) == 0
    assert listed(bench.register("*", expires="00")) == []


# --- step 7: each contact --------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.3-08")
def test_the_expiry_is_the_parameters_then_the_headers_then_ours() -> None:
    bench = Bench(RegistrarPolicy(require_authentication=False, default_expires=1800))
    answer = bench.register("<sip:a@pc>;expires=100", "<sip:b@pc>", expires="500")
    assert listed(answer) == ["<sip:a@pc>;expires=100", "<sip:b@pc>;expires=500"]
    assert listed(bench.register("<sip:c@pc>"))[2] == "<sip:c@pc>;expires=1800"


@pytest.mark.requirement("RFC3261-10.3-09")
@pytest.mark.parametrize(
    ("minimum", "maximum", "asked", "granted"),
    [
        (60, 3600, "59", None),
        (60, 3600, "1", None),
        (60, 3600, "60", 60),
        (60, 120, "3600", 120),
        (60, 120, "4294967296", 120),
        (60, 120, "9" * 300, 120),
        # From an hour on a 423 is forbidden, whatever the minimum.
        (7200, 9000, "3599", None),
        (7200, 9000, "3600", 3600),
        # Malformed counts as an hour.
        (60, 9000, "soon", 3600),
        (60, 9000, "-1", 3600),
        (60, 9000, '"60"', 3600),
        (60, 9000, "6_0", 3600),
        (60, 9000, "٦٠", 3600),
    ],
)
@pytest.mark.parametrize("place", ["parameter", "header"])
def test_what_is_granted(minimum: int, maximum: int, asked: str, granted: int | None, place: str) -> None:
    bench = Bench(
        RegistrarPolicy(require_authentication=False, min_expires=minimum, max_expires=maximum, default_expires=maximum)
    )
    if place == "parameter":
        answer = bench.register(f"<sip:a@pc>;expires={asked}", expires="1000")
    else:
        answer = bench.register("<sip:a@pc>", expires=asked)
    if granted is None:
        assert answer.status == 423
        assert header(answer, "Min-Expires") == [str(minimum)]
        assert bench.uris() == []
    else:
        assert listed(answer) == [f"<sip:a@pc>;expires={granted}"]
        assert bench.left() == [granted]


@pytest.mark.requirement("RFC3261-10.3-09")
def test_0_removes_and_is_never_too_brief(bench: Bench) -> None:
    bench.register("<sip:a@pc>", "<sip:b@pc>")
    assert listed(bench.register("<sip:a@pc>;expires=0")) == ["<sip:b@pc>;expires=3600"]
    assert listed(bench.register("<sip:b@pc>", expires="0")) == []
    assert listed(bench.register("<sip:nobody@pc>", expires="0")) == []
    assert len(bench.location) == 0


@pytest.mark.requirement("RFC3261-10.3-10")
def test_within_one_call_id_only_a_higher_cseq_changes_a_binding(bench: Bench) -> None:
    bench.register("<sip:a@pc>", call_id="c1", cseq=10)
    before = bench.bindings()
    bench.now += 10
    for late in (10, 9, 0):
        assert bench.register("<sip:a@pc>", call_id="c1", cseq=late).status == 500
        assert bench.register("<sip:a@pc>", call_id="c1", cseq=late, expires="0").status == 500
        assert bench.bindings() == before
    assert bench.register("<sip:a@pc>", call_id="c1", cseq=11).status == 200
    assert bench.left() == [3600]


@pytest.mark.requirement("RFC3261-10.3-10")
def test_another_call_id_updates_and_removes_whatever_its_cseq(bench: Bench) -> None:
    bench.register("<sip:a@pc>", call_id="c1", cseq=10)
    assert bench.register("<sip:a@pc>", call_id="c2", cseq=1).status == 200
    assert [(binding.call_id, binding.cseq) for binding in bench.bindings()] == [("c2", 1)]
    assert listed(bench.register("<sip:a@pc>", call_id="c3", cseq=0, expires="0")) == []


@pytest.mark.requirement("RFC3261-10.3-02")
@pytest.mark.parametrize(
    ("contacts", "status"),
    [
        (["<sip:new@pc>", "<sip:late@pc>"], 500),
        (["<sip:new@pc>", "<sip:brief@pc>;expires=5"], 423),
        (["<sip:new@pc>", "<sip:@pc>"], 400),
        (["<sip:new@pc>", "<sip:broken"], 400),
        (["<sip:new@pc>", "<sip:x@pc>;a=1;a=2"], 400),
        (["<sip:other@pc>;expires=0", "<sip:late@pc>"], 500),
    ],
)
def test_a_request_is_done_as_a_whole_or_not_at_all(bench: Bench, contacts: list[str], status: int) -> None:
    bench.register("<sip:late@pc>", call_id="c1", cseq=10)
    bench.register("<sip:other@pc>", call_id="c2", cseq=1)
    before = bench.bindings()
    assert bench.register(*contacts, call_id="c1", cseq=10).status == status
    assert bench.bindings() == before


def test_a_contact_named_twice_in_one_request_counts_as_said_last(bench: Bench) -> None:
    assert listed(bench.register("<sip:a@pc>;expires=100", "<sip:a@pc>;expires=200")) == ["<sip:a@pc>;expires=200"]
    assert listed(bench.register("<sip:a@pc>;expires=0", "<sip:a@pc>;expires=300")) == ["<sip:a@pc>;expires=300"]
    assert listed(bench.register("<sip:a@pc>", "<sip:a@pc>;expires=0")) == []


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("<sip:a@pc.example:5070>", "<sip:a@PC.example:5070>", True),
        ("<sip:%61@pc>", "<sip:a@pc>", True),
        ("<sip:a@pc;x=1>", "<sip:a@pc>", True),
        ("<sip:a@pc;x=1>", "<sip:a@pc;x=2>", False),
        ("<sip:a@pc>", "<sip:A@pc>", False),
        ("<sip:a@pc>", "<sip:a@pc:5060>", False),
        ("<sip:a@pc;transport=tcp>", "<sip:a@pc>", False),
        ("sip:a@pc", "<sip:a@pc>;q=0.5", True),
    ],
)
def test_contacts_are_compared_as_uris(bench: Bench, first: str, second: str, same: bool) -> None:
    bench.register(first)
    bench.register(second, call_id="c2")
    assert len(bench.bindings()) == (1 if same else 2)


def test_of_several_that_fit_the_same_text_is_taken(bench: Bench) -> None:
    """Comparison is not transitive: x=1 and x=2 both equal the bare URI, and it takes the place of one of them."""
    bench.register("<sip:a@pc;x=1>", "<sip:a@pc;x=2>")
    bench.register("<sip:a@pc>")
    assert bench.uris() == ["sip:a@pc", "sip:a@pc;x=2"]
    bench.register("<sip:a@pc;x=2>;q=0.1")
    assert [(binding.uri, binding.q) for binding in bench.bindings()] == [("sip:a@pc", None), ("sip:a@pc;x=2", "0.1")]


@pytest.mark.requirement("RFC5630-5.2-01")
def test_a_sips_contact_needs_a_sips_request_uri(bench: Bench) -> None:
    assert bench.register("<sip:a@pc>", "<SIPS:a@pc>").status == 400
    assert bench.uris() == []
    assert bench.register("<sips:a@pc>", uri="sips:example.com").status == 200


def test_max_contacts_is_a_403_that_changes_nothing() -> None:
    bench = Bench(RegistrarPolicy(require_authentication=False, max_contacts=2))
    assert bench.register("<sip:a@pc>", "<sip:b@pc>").status == 200
    before = bench.bindings()
    answer = bench.register("<sip:c@pc>")
    assert (answer.status, answer.reason) == (403, "Too Many Contacts")
    assert bench.register("<sip:a@pc>", "<sip:c@pc>").status == 403
    assert bench.bindings() == before
    assert bench.register("<sip:a@pc>;expires=0", "<sip:c@pc>").status == 200
    assert bench.uris() == ["sip:b@pc", "sip:c@pc"]
    bench.now += 3600
    assert bench.register("<sip:d@pc>", "<sip:e@pc>").status == 200, "what has lapsed does not count"


def test_when_there_is_no_room_for_another_address_it_is_503(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(location, "MAX_ADDRESSES", 0)
    assert bench.register("<sip:a@pc>").status == 503


def test_what_is_kept_has_a_bound(bench: Bench) -> None:
    fits = f"<sip:{'a' * 4000}@pc>"
    path = f"Path: <sip:{'p' * (4096 - len(fits) - 6)}>\r\n"
    assert bench.register(fits, more=path).status == 200
    before = bench.bindings()
    for contact, more in ((fits, path.replace("<", "<x")), (f"{fits};x", path), (f"<sip:{'a' * 4090}@pc>", "")):
        answer = bench.register(contact, more=more)
        assert (answer.status, answer.reason) == (400, "Contact Too Long")
    assert bench.bindings() == before


def test_what_is_kept_is_counted_as_wide_as_it_is_in_memory_and_on_the_wire(bench: Bench) -> None:
    """One character beyond ASCII makes four bytes of each in memory; a list of ten such bindings filled no datagram."""
    for text, status in (("x" * 4000, 200), ("x" * 900 + "\U0001f600", 200), ("x" * 1100 + "\U0001f600", 400)):
        assert bench.register(f'<sip:a@pc>;n="{text}"').status == status, text[-2:]
    assert bench.register("<sip:a@pc>", more=f"Path: <sip:p@{'x' * 1100}>;n=\u00e4\r\n").status == 400


def test_a_call_id_is_kept_with_each_binding_and_has_a_bound_of_its_own(bench: Bench) -> None:
    assert bench.register("<sip:a@pc>", call_id="c" * 1024).status == 200
    answer = bench.register("<sip:b@pc>", call_id="c" * 1025)
    assert (answer.status, answer.reason) == (400, "Call-ID Too Long")
    assert bench.uris() == ["sip:a@pc"]
    assert bench.register(call_id="c" * 1025).status == 200, "a question leaves nothing behind"


@pytest.mark.requirement("RFC4475-3.1.2.13-01")
def test_regbadct_a_question_mark_without_brackets_is_400(bench: Bench) -> None:
    assert bench.register("sip:user@example.com?Route=%3Csip:sip.example.com%3E").status == 400
    assert bench.uris() == []


# --- step 8: the list ------------------------------------------------------------------------------------------------


@pytest.mark.requirement("RFC3261-10.3-11")
def test_a_2xx_lists_all_bindings_with_what_is_left(bench: Bench) -> None:
    bench.register("<sip:a@pc>", call_id="a", cseq=1)
    bench.now += 100.4
    bench.register("<sip:b@pc>", call_id="b", cseq=1)
    bench.now += 0.2
    assert listed(bench.register()) == ["<sip:a@pc>;expires=3499", "<sip:b@pc>;expires=3600"]


@pytest.mark.parametrize("now", [0.0, 0.1, 12345.678901, 1e9 + 0.3])
def test_what_was_granted_is_listed_to_the_second(bench: Bench, now: float) -> None:
    bench.now = now
    for asked in (60, 61, 3599, 3600):
        assert listed(bench.register("<sip:a@pc>", expires=str(asked))) == [f"<sip:a@pc>;expires={asked}"]


def test_a_binding_is_listed_until_it_lapses_and_never_with_0(bench: Bench) -> None:
    bench.register("<sip:a@pc>", expires="60")
    bench.now += 59.9
    assert listed(bench.register()) == ["<sip:a@pc>;expires=1"]
    bench.now += 0.1
    assert listed(bench.register()) == []


@pytest.mark.requirement("RFC4475-3.3.12-01", "RFC4475-3.3.13-01", "RFC4475-3.3.14-01")
def test_parameters_come_back_where_they_were(bench: Bench) -> None:
    assert listed(bench.register("sip:cparam01@pc;unknownparam")) == ["<sip:cparam01@pc>;expires=3600;unknownparam"]
    bench.register("*", expires="0")
    assert listed(bench.register("<sip:cparam02@pc;unknownparam>")) == ["<sip:cparam02@pc;unknownparam>;expires=3600"]
    bench.register("*", expires="0")
    escaped = "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"
    assert listed(bench.register(escaped)) == [f"{escaped};expires=3600"]


def test_header_parameters_are_kept_and_given_back(bench: Bench) -> None:
    contact = '"A, B" <sip:a@pc>;q=0.7;Expires=120;+sip.instance="<urn:uuid:1>";reg-id=1;methods="INVITE,ACK"'
    row = '<sip:a@pc>;expires=120;q=0.7;+sip.instance="<urn:uuid:1>";reg-id=1;methods="INVITE,ACK"'
    assert listed(bench.register(contact)) == [row]
    (binding,) = bench.bindings()
    assert (binding.q, binding.instance, binding.reg_id) == ("0.7", '"<urn:uuid:1>"', "1")
    assert listed(bench.register("<sip:a@pc>")) == ["<sip:a@pc>;expires=3600"], "a refresh says all anew"


@pytest.mark.requirement("RFC3327-5.3-01")
def test_path_is_kept_and_given_back_in_order(bench: Bench) -> None:
    more = "Path: <sip:p1;lr>,<sip:p2;lr>\r\nPath: <sip:p3;lr>\r\nSupported: path\r\n"
    answer = bench.register("<sip:a@pc>", more=more)
    assert header(answer, "Path") == ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]
    assert bench.bindings()[0].path == ("<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>")


@pytest.mark.requirement("RFC3261-10.3-01")
def test_no_record_route_and_no_6xx(bench: Bench) -> None:
    answer = bench.register("<sip:a@pc>", more="Record-Route: <sip:p;lr>\r\n")
    assert answer.status == 200
    assert header(answer, "Record-Route") == []


# --- policy ----------------------------------------------------------------------------------------------------------


def test_the_policy_takes_what_is_just_possible() -> None:
    RegistrarPolicy(nonce_lifetime=1, min_expires=1, max_expires=1, default_expires=1, max_contacts=1)
    longest = 2**32 - 1
    RegistrarPolicy(nonce_lifetime=longest, max_expires=longest, default_expires=longest, max_contacts=64)


def test_the_policy_says_what_it_cannot_use() -> None:
    for options in (
        {"domains": ("a b",)},
        {"realm": "a\r\nb"},
        {"server": "a\0"},
        {"algorithms": ()},
        {"nonce_lifetime": 0},
        {"min_expires": 0},
        {"min_expires": 4000},
        {"max_expires": 2**32},
        {"max_expires": 59},
        {"default_expires": 3601},
        {"default_expires": 59},
        {"max_contacts": 0},
        {"max_contacts": 65},
    ):
        ((option, _),) = options.items()
        with pytest.raises(ConfigError) as caught:
            RegistrarPolicy(**options)
        assert caught.value.option in (option, "max_expires", "default_expires")
