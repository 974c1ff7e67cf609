"""The Python libraries that are compared, each made to do the same work as sipcore.

Where a library leaves a header unparsed until it is asked, it is asked; where it needs a step that sipcore does not
(as decoding the bytes), that step counts. Where it offers a cheap way and a dear one to the same value, the cheap
one is taken. None of them has types that could be checked when it is not installed, so all are `Any`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Sequence
from hashlib import md5
from typing import Any

from benchmarks.syntax.messages import PASSWORD, REQUEST_URI, USER
from benchmarks.syntax.screening import screened
from benchmarks.syntax.subjects import Refresh, Subject, new_cnonce

__all__ = ["PEERS", "NotInstalled", "load"]


class NotInstalled(Exception):
    """The peer's package cannot be imported; the text says how to get it."""


def load(name: str) -> Subject:
    """The subject for one of `PEERS`. Raises `NotInstalled`."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return screened(PEERS[name]())
    except ImportError as error:
        raise NotInstalled(f"not installed: pip install {name} ({error})") from None


def _sipmessage() -> Subject:
    package: Any = importlib.import_module("sipmessage")
    parse = package.Message.parse
    challenge_of = package.AuthChallenge.parse
    credentials_of, parameters_of, cseq_of = package.AuthCredentials, package.AuthParameters, package.CSeq
    via_of = package.Via.parse

    def read(data: bytes) -> tuple[Any, ...]:
        message = parse(data)
        headers = message.headers
        via = via_of(headers["Via"])  # `message.via` would parse the lower ones, too.
        from_, to, cseq = message.from_address, message.to_address, message.cseq
        hop = via.parameters
        rport = hop.get("rport")
        contacts = []
        for contact in message.contact:
            uri, parameters = contact.uri, contact.parameters
            expires = parameters.get("expires")
            contacts.append(
                (
                    uri.user,
                    uri.host,
                    uri.port,
                    uri.parameters.get("transport"),
                    None if expires is None else int(expires),
                    parameters.get("q"),
                )
            )
        challenges = []
        # `message.www_authenticate` reads the first one only.
        for value in headers.getlist("WWW-Authenticate"):
            get = challenge_of(value).parameters.get
            challenges.append((get("realm"), get("nonce"), get("opaque"), get("algorithm"), get("qop"), get("stale")))
        return (
            via.host,
            via.port,
            hop.get("branch"),
            hop.get("received"),
            None if rport is None else int(rport),
            from_.uri.user,
            from_.uri.host,
            from_.parameters.get("tag"),
            to.uri.user,
            to.uri.host,
            to.parameters.get("tag"),
            message.call_id,
            cseq.sequence,
            cseq.method,
            contacts,
            message.expires,
            challenges,
        )

    def respond(challenge: Any, cnonce: str, count: int) -> Any:
        parameters = challenge.parameters
        realm, nonce, opaque, nc = parameters["realm"], parameters["nonce"], parameters.get("opaque"), f"{count:08x}"
        ha1 = md5(f"{USER}:{realm}:{PASSWORD}".encode()).hexdigest()
        ha2 = md5(f"REGISTER:{REQUEST_URI}".encode()).hexdigest()
        return credentials_of(
            scheme="Digest",
            parameters=parameters_of(
                username=USER,
                realm=realm,
                nonce=nonce,
                uri=REQUEST_URI,
                response=md5(f"{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}".encode()).hexdigest(),
                algorithm=parameters["algorithm"],
                cnonce=cnonce,
                opaque=opaque,
                qop="auth",
                nc=nc,
            ),
        )

    def answer(data: bytes) -> str:
        return answer_values(parse(data).headers.getlist("WWW-Authenticate"))

    def answer_values(values: Sequence[str]) -> str:
        challenges = [challenge_of(value) for value in values]
        return str(respond(challenges[0], new_cnonce(), 1))

    def prepare(register: bytes, values: Sequence[str]) -> Refresh:
        message = parse(register)
        challenge, cnonce, count = challenge_of(values[0]), new_cnonce(), 1
        via, cseq = via_of(message.headers["Via"]), message.cseq.sequence
        transport, host, port, parameters = via.transport, via.host, via.port, via.parameters

        def refresh(branch: str) -> bytes:
            nonlocal cseq, count
            cseq += 1
            count += 1
            message.via = [package.Via(transport, host, port, parameters.replace(branch=branch))]
            message.cseq = cseq_of(cseq, "REGISTER")
            message.authorization = respond(challenge, cnonce, count)
            return bytes(message)

        return refresh

    return Subject(
        name="sipmessage",
        parse=parse,
        read=read,
        answer=answer,
        answer_values=answer_values,
        prepare=prepare,
        remark="computes no digest: the benchmark adds the three hashes",
    )


def _sippy() -> Subject:
    challenge_module: Any = importlib.import_module("sippy.SipWWWAuthenticate")
    # Its cnonce has 32 bits.
    challenge_module.token_hex = lambda _: new_cnonce()
    request_of: Any = importlib.import_module("sippy.SipRequest").SipRequest
    response_of: Any = importlib.import_module("sippy.SipResponse").SipResponse
    challenge_of: Any = challenge_module.SipWWWAuthenticate
    header_of: Any = importlib.import_module("sippy.SipHeader").SipHeader

    def parse(data: bytes) -> Any:
        text = data.decode()
        return response_of(text) if text.startswith("SIP/") else request_of(text)

    def read(data: bytes) -> tuple[Any, ...]:
        message = parse(data)
        body = message.getHFBody
        via, cseq = body("via"), body("cseq")
        from_, to = body("from").address, body("to").address
        hop = via.params
        rport = hop.get("rport")
        contacts = []
        for item in message.getHFBodys("contact"):
            address = item.address
            uri, parameters = address.url, address.params
            given = parameters.get("expires")
            contacts.append(
                (
                    uri.username,
                    uri.host,
                    uri.port,
                    uri.transport,
                    None if given is None else int(given),
                    parameters.get("q"),
                )
            )
        expires = message.getHFBodys("expires")
        return (
            via.hostname,
            via.port,
            hop.get("branch"),
            hop.get("received"),
            None if rport is None else int(rport),
            from_.url.username,
            from_.url.host,
            from_.params.get("tag"),
            to.url.username,
            to.url.host,
            to.params.get("tag"),
            body("call-id").body,
            cseq.cseq,
            cseq.method,
            contacts,
            expires[0].number if expires else None,
            [
                (item.realm, item.nonce, item.opaque, item.algorithm, item.qop, dict(item.otherparams).get("stale"))
                for item in message.getHFBodys("www-authenticate")
            ],
        )

    def answer(data: bytes) -> str:
        challenges = parse(data).getHFBodys("www-authenticate")
        return str(challenges[0].genAuthHF(USER, PASSWORD, "REGISTER", REQUEST_URI, qop="auth"))

    def answer_values(values: Sequence[str]) -> str:
        challenges = [challenge_of(value) for value in values]
        for challenge in challenges:
            challenge.parse()
        return str(challenges[0].genAuthHF(USER, PASSWORD, "REGISTER", REQUEST_URI, qop="auth"))

    def prepare(register: bytes, values: Sequence[str]) -> Refresh:
        message = parse(register)
        challenge = challenge_of(values[0])
        challenge.parse()
        (old,) = message.getHFs("authorization")
        authorization = challenge.genAuthHF(USER, PASSWORD, "REGISTER", REQUEST_URI, qop="auth")
        message.replaceHeader(old, header_of(name="authorization", body=authorization))
        via, cseq, count = message.getHFBody("via"), message.getHFBody("cseq"), 1

        def refresh(branch: str) -> bytes:
            nonlocal count
            count += 1
            via.setParam("branch", branch)
            cseq.incCSeqNum()
            authorization.nc = f"{count:08x}"
            authorization.genAuthResponse(PASSWORD, "REGISTER", None)
            return str(message).encode()

        return refresh

    return Subject(name="sippy", parse=parse, read=read, answer=answer, answer_values=answer_values, prepare=prepare)


def _opensip() -> Subject:
    message_module: Any = importlib.import_module("opensip.message")
    headers_module: Any = importlib.import_module("opensip.headers")
    auth: Any = importlib.import_module("opensip.auth")
    parse = message_module.parse_message
    address_of, via_of = headers_module.NameAddr.parse, headers_module.Via.parse
    addresses_of = headers_module.parse_address_list
    challenge_of, authorization_of = auth.Challenge.from_header, auth.build_authorization

    def read(data: bytes) -> tuple[Any, ...]:
        message = parse(data)
        headers = message.headers
        via = via_of(headers["Via"])
        from_, to = address_of(headers["From"]), address_of(headers["To"])
        number, method = message.cseq
        hop = via.params
        rport = hop.get("rport")
        contacts = []
        for contact in [item for value in headers.get_all("Contact") for item in addresses_of(value)]:
            uri, parameters = contact.uri, contact.params
            given = parameters.get("expires")
            contacts.append(
                (
                    uri.user,
                    uri.host,
                    uri.port,
                    uri.params.get("transport"),
                    None if given is None else int(given),
                    parameters.get("q"),
                )
            )
        expires = headers.get("Expires")
        return (
            via.host,
            via.port,
            hop.get("branch"),
            hop.get("received"),
            int(rport) if rport else None,
            from_.uri.user,
            from_.uri.host,
            from_.params.get("tag"),
            to.uri.user,
            to.uri.host,
            to.params.get("tag"),
            message.call_id,
            number,
            method,
            contacts,
            None if expires is None else int(expires),
            [
                (item.realm, item.nonce, item.opaque, item.algorithm, item.qop, item.stale)
                for item in map(challenge_of, headers.get_all("WWW-Authenticate"))
            ],
        )

    def answer(data: bytes) -> str:
        return answer_values(parse(data).headers.get_all("WWW-Authenticate"))

    def answer_values(values: Sequence[str]) -> str:
        challenges = [challenge_of(value) for value in values]
        text: str = authorization_of(
            challenge=challenges[0],
            method="REGISTER",
            uri=REQUEST_URI,
            username=USER,
            password=PASSWORD,
            cnonce=new_cnonce(),
        )
        return text

    def prepare(register: bytes, values: Sequence[str]) -> Refresh:
        message = parse(register)
        challenge, cnonce, count = challenge_of(values[0]), new_cnonce(), 1
        headers = message.headers
        via, cseq = via_of(headers["Via"]), message.cseq[0]

        def refresh(branch: str) -> bytes:
            nonlocal cseq, count
            cseq += 1
            count += 1
            via.params["branch"] = branch
            headers.set("Via", via)
            headers.set("CSeq", f"{cseq} REGISTER")
            headers.set(
                "Authorization",
                authorization_of(
                    challenge=challenge,
                    method="REGISTER",
                    uri=REQUEST_URI,
                    username=USER,
                    password=PASSWORD,
                    nc=count,
                    cnonce=cnonce,
                ),
            )
            data: bytes = message.encode()
            return data

        return refresh

    return Subject(name="opensip", parse=parse, read=read, answer=answer, answer_values=answer_values, prepare=prepare)


def _aiosipua() -> Subject:
    message_module: Any = importlib.import_module("aiosipua.message")
    headers_module: Any = importlib.import_module("aiosipua.headers")
    auth: Any = importlib.import_module("aiosipua.auth")
    parse = message_module.SipMessage.parse
    via_of, challenge_of, auth_text = headers_module.parse_via, headers_module.parse_auth, headers_module.stringify_auth
    cseq_of, cseq_text, via_text = headers_module.CSeq, headers_module.stringify_cseq, headers_module.stringify_via
    credentials_of, user = auth.build_credentials, auth.SipDigestAuth(USER, PASSWORD)

    def read(data: bytes) -> tuple[Any, ...]:
        message = parse(data)
        via = via_of(message.get_header("via"))
        from_, to, cseq = message.from_addr, message.to_addr, message.cseq
        rport = via.rport
        contacts = []
        for contact in message.contact:
            uri, parameters = contact.uri, contact.params
            given = parameters.get("expires")
            contacts.append(
                (
                    uri.user,
                    uri.host,
                    uri.port,
                    uri.params.get("transport"),
                    None if given is None else int(given),
                    parameters.get("q"),
                )
            )
        expires = message.get_header("expires")
        challenges = []
        for value in message.get_header_values("www-authenticate"):
            get = challenge_of(value).params.get
            challenges.append((get("realm"), get("nonce"), get("opaque"), get("algorithm"), get("qop"), get("stale")))
        return (
            via.host,
            via.port,
            via.branch,
            via.received,
            None if rport is None else int(rport),
            from_.uri.user,
            from_.uri.host,
            from_.tag,
            to.uri.user,
            to.uri.host,
            to.tag,
            message.call_id,
            cseq.seq,
            cseq.method,
            contacts,
            None if expires is None else int(expires),
            challenges,
        )

    def answer(data: bytes) -> str:
        return answer_values(parse(data).get_header_values("www-authenticate"))

    def answer_values(values: Sequence[str]) -> str:
        challenges = [challenge_of(value) for value in values]
        text: str = auth_text(
            credentials_of(user, challenges[0], "REGISTER", REQUEST_URI, cnonce=new_cnonce())
        )
        return text

    def prepare(register: bytes, values: Sequence[str]) -> Refresh:
        message = parse(register)
        challenge, cnonce, count = challenge_of(values[0]), new_cnonce(), 1
        via, cseq = via_of(message.get_header("via")), message.cseq.seq

        def refresh(branch: str) -> bytes:
            nonlocal cseq, count
            cseq += 1
            count += 1
            via.branch = branch
            message.set_header("Via", via_text(via))
            message.set_header("CSeq", cseq_text(cseq_of(cseq, "REGISTER")))
            credentials = credentials_of(user, challenge, "REGISTER", REQUEST_URI, nonce_count=count, cnonce=cnonce)
            message.set_header("Authorization", auth_text(credentials))
            return bytes(message)

        return refresh

    return Subject(name="aiosipua", parse=parse, read=read, answer=answer, answer_values=answer_values, prepare=prepare)


PEERS: dict[str, Callable[[], Subject]] = {
    "sipmessage": _sipmessage,
    "sippy": _sippy,
    "opensip": _opensip,
    "aiosipua": _aiosipua,
}
"""By the name under which pip knows it."""
