"""What is put where a value was: texts and numerals on which parsers have failed."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["ELEMENTS", "LONG_ELEMENTS", "WAYS", "Element"]


class Element(NamedTuple):
    """Some bytes for the place of a field."""

    name: str
    data: bytes


_DELIMITERS: Final = [bytes([code]) for code in b" \t\"'(),./:;<=>?@[\\]{}|#$%&*+-_`~!^0aZ"]

_CONTROLS: Final = [bytes([code]) for code in (*range(9), *range(10, 32), 127)]

# C1 controls, separators, marks of direction and of byte order, other spaces and digits, and what is no UTF-8 at all:
# a cut and an overlong sequence, halves of surrogate pairs, bytes that never occur.
_UNICODE: Final = [
    *[character.encode() for character in "\x80\x85\x9b\x9f\xa0\xad\xb5Éßſİ"],
    *[character.encode() for character in "\u200b\u200f\u2028\u2029\u202e\u3000\ufeff\uffff"],
    *[text.encode() for text in ("𝟚", "😀", "a\u0301", "\ufeffsip:a@h", "ﬁ")],
    b"\xe2\x82", b"\xc0\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xed\xb2\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xf8",
    b"\xff", b"\xfe\xff", b"\x80", b"\xc3", b'\xc3"', b"\xe9",
]

_QUOTING: Final = [
    b'"\\\0"', b"\\\0", b'"a\\\0b"', b'"\\\r"', b'"\\\n"', b'"\\\x7f"', b'"\x01"', b'""', b'"a', b'a"', b'"a\\',
    b'"a\\"', b'"a\\\\"', b'"a\\\\\\"', b"\\", b"\\\\", b'\\"', b'"\\', b'"""', b'"a"b"', b'"a" "b"', b'"a"b', b'a"b"',
    b'"a;b=c,d<e>"', b'"\\\xff"', b'"\\\xc3\xa9"', b'"a\tb"', b"'a'", b"(", b")", b"(a(b)c)", b"(a", b"a)", b'(")")',
    b"(\\))", b"<", b">", b"<>", b"<<a>>", b"<sip:a@h", b"sip:a@h>", b'<"a">', b'"<sip:a@h>"',
]

_LISTS: Final = [
    b",", b",,", b", ,", b"a,b", b",a", b"a,", b";", b";;", b"; ;", b";=", b";=;", b";a", b";a=", b";a=;a=b",
    b";a=b;A=c", b";a==b", b"=", b"==", b";expires=5;expires=6", b";tag", b";tag=", b";lr", b";q=0.5", b";rport=1",
    b";branch=", b"*", b"*, *", b"*;expires=0", b"<sip:b@h>", b", <sip:b@h>;q=0.1", b"Digest", b"Digest ,",
    b"Basic realm=a", b'Digest realm="a", nonce="b"', b', Digest realm="a", nonce="b", nonce="c"', b"Bearer abc==",
    b"a b c", b"a=b=c",
]

_URIS: Final = [
    b"%", b"%4", b"%zz", b"%00", b"%0d%0a", b"%25", b"%u0041", b"%C3%A9", b"%%%", b"sip:", b"sip:@", b"sip:a@", b":a@h",
    b"sip:a:b:c@h", b"sip:a@b@c", b"sip:h:", b"sip:h:0", b"sip:h:65536", b"sip:h:+5", b"sip:h?", b"sip:h;",
    b"sip:h?a=b", b"SIP:A@H", b"sips:a@h", b"tel:+1(2)-3;ext=4", b"urn:uuid:0", b"http://h/", b"mailto:a", b"a",
    b"sip:%00@h", b"sip:h;%3b", b"[::1]", b"[::1", b"::1", b"[:::1]", b"[::1%eth0]", b"[1::2::3]", b"[::ffff:1.2.3.4]",
    b"[]", b"[::1]:", b"[::1]x", b"1.2.3.4", b"1.2.3", b"1.2.3.4.", b"01.2.3.4", b"256.1.1.1", b"h-", b"-h", b"h..h",
    b".h", b"h.", b"h_h", b"xn--a",
]

_WORDS: Final = [
    b"SIP/2.0", b"SIP/3.0", b"sip/2.0", b"SIP/2.0/UDP", b"SIP / 2.0 / TCP", b"HTTP/1.1", b"UDP", b"REGISTER",
    b"register", b"%s%n%x%d", b"../../etc/passwd", b"$(id)", b"`id`", b"<script>", b"' OR 1=1--", b"\x1b[31m", b"None",
    b"true", b"NaN", b"Sat, 32 Foo 2010 25:61:61 GMT", b"Sun, 06 Nov 1994 08:49:37 GMT", b"0.000", b"0.0001", b"1.000",
    b"1.001", b".5", b"2", b"&lt;", b"&#0;", b"&a;", b"<![CDATA[", b"]]>", b"<!DOCTYPE a [<!ENTITY a 'b'>]>", b"<?x?>",
    b"<!--", b"</a>", b"<a b=c>",
]

_LINE_ENDS: Final = [
    b"\r\n", b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n ", b"\r\n\t", b"\r\n \r\n ", b"\n ", b"\r ", b" \r\n",
    b"\r\n\r\n", b"\r\nX: y", b"\nX: y", b"\rX: y", b"\r\nContent-Length: 5", b"\r\nl: 0",
    b"\r\nContent-Length: 0\r\n\r\n", b"\r\n:", b"\r\n\r\nSIP/2.0 200 OK\r\n\r\n", b"\0", b"\0\r\n", b"\x0b\x0c",
    b"\xe2\x80\xa8X: y", b"\xc2\x85X: y",
]

# What `int()` takes and no grammar does; what it raises ValueError for; the edges of all widths.
_NUMERALS: Final = [
    *(str(number).encode() for number in (0, 1, 9, 10, 64, 65, 99, 100, 199, 299, 600, 699, 700, 999, 1000)),
    *(str(number).encode() for number in (32767, 32768, 49152, 99999)),
    *(str(2**bits + more).encode() for bits in (16, 31, 32, 63, 64, 128) for more in (-1, 0, 1)),
    b"-0", b"-1", b"-2147483648", b"00", b"00200", b"0" * 30 + b"7", b"9" * 20, b"0" * 5000 + b"7", b"9" * 5000,
    b"2_00", b"+200", b" 200", b"200 ", b"\t200", b"\x0b200", b"\x1c200", b"200\x85", b"2 00", b"2,000", b"2'000",
    b"2.0",
    *(text.encode() for text in ("٢٠٠", "２００", "२००", "𝟚𝟘𝟘", "²", "½", "Ⅷ", "٢")),
    *(text.encode() for text in ("\xa0200", "\u2003200", "200\u2009")),
    b"0x10", b"0b1", b"0o7", b"1e3", b"1.5", b"inf", b"nan", b"ffffffff", b"100000000", b"zzzzzzzz", b"00000000",
    b"0000000g",
]


def _elements() -> tuple[Element, ...]:
    families = {
        "delimiter": _DELIMITERS,
        "control": _CONTROLS,
        "unicode": _UNICODE,
        "quoting": _QUOTING,
        "list": _LISTS,
        "uri": _URIS,
        "word": _WORDS,
        "line end": _LINE_ENDS,
        "numeral": _NUMERALS,
    }
    found = {b"": Element("nothing", b"")}
    for family, items in families.items():
        for data in items:
            # Some are at home in two families.
            found.setdefault(data, Element(f"{family} {_short(data)}", data))
    return tuple(found.values())


def _short(data: bytes) -> str:
    text = repr(data)[1:]
    return text if len(text) <= 48 else f"{text[:30]}... ({len(data)} bytes)"


_UNITS: Final = (b"<", b"=", b":", b"[", b"a.", b"%", b";a=", b'\\"', b'"",', b"a,", b"a=b,", b"<a>")

ELEMENTS: Final = _elements()
"""The short ones."""

LONG_ELEMENTS: Final = (
    *[
        Element(f"{count} times {_short(unit)}", unit * count)
        for unit in (b"a", b",", b'"', b"\\", b"(", b";", b"\xff", b"%00")
        for count in (255, 256, 1000, 4097, 10_000, 16_385)
    ],
    *[
        Element(f"{count} times {_short(unit)}", unit * count)
        for unit in (*_UNITS, b"\r\n ", b"\r\nX: y")
        for count in (255, 1000, 10_000)
    ],
    *[
        Element(f"{opening!r} and {closing!r}, {count} deep", opening * count + closing * count)
        for opening, closing in ((b"(", b")"), (b"<", b">"), (b'"\\"', b'"'), (b"[", b"]"), (b"<a>", b"</a>"))
        for count in (100, 10_000)
    ],
    *[
        Element(f"{count} parameters", b"".join([b";p%d=%d" % (number, number) for number in range(count)]))
        for count in (63, 64, 65, 5000)
    ],
    *[
        Element(f"{count} contacts", b", ".join([b"<sip:a%d@h>" % number for number in range(count)]))
        for count in (63, 64, 65, 4000)
    ],
    *[
        Element(f"{count} headers", b"".join([b"\r\nX-%d: y" % number for number in range(count)]))
        for count in (230, 255, 256, 257, 5000)
    ],
    Element("17 challenges", b", ".join([b'Digest realm="a%d", nonce="b"' % number for number in range(17)])),
    *[Element(f"{count} bytes", b"x" * count) for count in (8191, 8192, 8193, 16_384, 65_535, 65_536, 70_000)],
)
"""Those that only their length or their depth makes interesting; they take more time, so they come more rarely."""

WAYS: Final = ("replaced by", "preceded by", "followed by", "broken by")
"""How an element comes to its field; broken is in the middle."""
