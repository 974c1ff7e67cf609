"""Parse, read, change and write a message, with the syntax room alone.

python examples/syntax.py
"""

from sipcore.syntax import Request, Uri, parse_message

data = b'OPTIONS sip:bob@h2.example SIP/2.0\r\nf: "Al" <sip:al@h1.example>;tag=7\r\nCSeq: 4 OPTIONS\r\nl: 0\r\n\r\n'
message = parse_message(data)  # or RemoteProtocolError
assert isinstance(message, Request)
print(message.method, message.request_uri.host, message.from_.display, message.from_.tag, message.cseq.number)
print(message.from_.uri.equivalent(Uri.parse("SIP:al@H1.EXAMPLE")))
changed = message.with_header("Max-Forwards", "70")  # every other byte stays
print(bytes(changed).decode())
