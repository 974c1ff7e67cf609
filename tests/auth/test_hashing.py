"""The hash algorithms, and the one that may be missing from the platform."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.auth import hashing
from sipcore.auth.hashing import Algorithm
from sipcore.auth.sha512_256 import Sha512of256

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))["vectors"]


def refuse_sha512_256(monkeypatch: pytest.MonkeyPatch) -> None:
    real = hashlib.new

    def new(name: str, *args: Any, **options: Any) -> Any:
        if name == "sha512_256":
            raise ValueError(f"unsupported hash type {name}")
        return real(name, *args, **options)

    monkeypatch.setattr(hashlib, "new", new)


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        # FIPS 180-4 examples of the National Institute of Standards and Technology: one block, two blocks.
        (b"abc", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrst"
            b"nopqrstu",
            "3928e184fb8690f840da3988121d31be65cb9d3ef83ee6146feac861e19b563a",
        ),
        (b"", "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a"),
    ],
)
@pytest.mark.requirement("RFC7616-3.9.2-01")
def test_sha512_256_has_the_values_of_fips_180_4(text: bytes, digest: str) -> None:
    assert Sha512of256(text).hexdigest() == digest
    assert hashing.sha512_256_function()(text).hexdigest() == digest


@pytest.mark.skipif(
    "sha512_256" not in hashlib.algorithms_available, reason="hashlib has no SHA-512/256 to compare with"
)
@settings(max_examples=40)
@given(st.binary(max_size=400))
def test_our_sha512_256_equals_that_of_hashlib(data: bytes) -> None:
    """Law: for all bytes both implementations give the same hash."""
    assert Sha512of256(data).hexdigest() == hashlib.new("sha512_256", data).hexdigest()


@pytest.mark.parametrize("size", [110, 111, 112, 113, 127, 128, 129, 239, 240])
def test_our_sha512_256_pads_right_at_the_edges_of_a_block(size: int) -> None:
    platform = hashing.sha512_256_function()
    assert Sha512of256(b"x" * size).hexdigest() == platform(b"x" * size).hexdigest()


def test_without_sha512_256_in_hashlib_ours_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_sha512_256(monkeypatch)
    assert hashing.sha512_256_function() is Sha512of256


def test_on_a_platform_without_sha512_256_the_vectors_still_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_sha512_256(monkeypatch)
    spec = importlib.util.find_spec("sipcore.auth.hashing")
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    checked = 0
    for vector in VECTORS:
        if vector["algorithm"] == "SHA-512-256" and vector["password"] is not None:
            algorithm = fresh.Algorithm.parse(vector["algorithm"])
            assert algorithm.digest is Sha512of256
            text = f"{vector['username']}:{vector['realm']}:{vector['password']}"
            assert algorithm.hash(text) == vector["expect"]["ha1"]
            checked += 1
    assert checked > 3


@pytest.mark.requirement("RFC8760-2.2-01", "RFC8760-2.6-01")
@pytest.mark.parametrize(
    ("algorithm", "start", "digits"),
    [
        (Algorithm.MD5, "d41d8cd98f00b204e9800998ecf8427e", 32),
        (Algorithm.SHA_256, "e3b0c442", 64),
        (Algorithm.SHA_512_256, "c672b8d1", 64),
    ],
)
def test_hashes_are_lower_case_hex_of_the_right_length(algorithm: Algorithm, start: str, digits: int) -> None:
    text = algorithm.hash("")
    assert text.startswith(start)
    assert len(text) == digits == algorithm.hex_length
    assert text == text.lower()


@pytest.mark.requirement("RFC8760-2.7-01")
def test_names_are_read_in_any_case_and_strangers_are_not_known() -> None:
    for algorithm in Algorithm:
        assert Algorithm.parse(algorithm.value) is algorithm
        assert Algorithm.parse(algorithm.value.lower()) is algorithm
        assert Algorithm.parse(algorithm.value.upper()) is algorithm
    assert Algorithm.parse("SHA3-256") is None
    assert Algorithm.parse("") is None


@pytest.mark.requirement("RFC7616-3.3-03")
def test_no_algorithm_is_md5() -> None:
    assert Algorithm.parse(None) is Algorithm.MD5


def test_strength_orders_the_bases_and_sess_counts_as_its_base() -> None:
    assert Algorithm.MD5.strength < Algorithm.SHA_256.strength < Algorithm.SHA_512_256.strength
    for algorithm in Algorithm:
        assert algorithm.strength == algorithm.base.strength
        assert algorithm.session is (algorithm is not algorithm.base)


def test_bytes_that_are_no_utf8_are_hashed_as_they_came() -> None:
    assert Algorithm.MD5.hash(b"\xff\xe4".decode("utf-8", "surrogateescape")) == hashlib.md5(b"\xff\xe4").hexdigest()


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [(Algorithm.MD5, "md5"), (Algorithm.SHA_256, "sha256"), (Algorithm.SHA_512_256, "sha512_256")],
)
def test_on_a_machine_in_fips_mode_it_is_said_that_nothing_depends_on_the_hash(
    monkeypatch: pytest.MonkeyPatch, algorithm: Algorithm, name: str
) -> None:
    """Such a machine refuses a hash unless it is told so, both when it is looked for and each time it is computed."""
    real, ours = getattr(hashlib, name, None), Sha512of256

    def strict(data: bytes = b"", *, usedforsecurity: bool = True) -> Any:
        if usedforsecurity is not False:
            raise ValueError("disabled for FIPS")
        assert data in (b"", b"abc"), "what is tried out is nobody's text"
        return ours(data) if real is None else real(data)

    def new(asked: str, data: bytes, **options: Any) -> Any:
        assert asked == name
        return strict(data, **options)

    monkeypatch.setattr(hashlib, "new", new)
    function = hashing.sha512_256_function() if name == "sha512_256" else hashing._permitted(strict)
    assert function is not Sha512of256
    assert function(b"abc").hexdigest() == algorithm.hash("abc")


def test_where_nothing_is_refused_the_hash_function_itself_is_used() -> None:
    tried: list[bytes] = []

    def function(data: bytes) -> Any:
        tried.append(data)
        return hashlib.sha256(data)

    assert hashing._permitted(function) is function
    assert tried == [b""]


@pytest.mark.parametrize("gone", [ImportError("no _md5"), AttributeError("no md5")])
def test_the_interpreters_own_md5_is_used_where_it_has_one(monkeypatch: pytest.MonkeyPatch, gone: Exception) -> None:
    class Own:
        md5 = staticmethod(hashlib.sha256)

    monkeypatch.setattr(hashing, "import_module", {"_md5": Own}.__getitem__)
    assert hashing._md5() is Own.md5

    def without(name: str) -> Any:
        raise gone

    monkeypatch.setattr(hashing, "import_module", without)
    assert hashing._md5()(b"abc").hexdigest() == hashlib.md5(b"abc").hexdigest()
