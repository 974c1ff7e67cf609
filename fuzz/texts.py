"""What operators write and type when nothing is wrong: where the targets of `fuzz.operators` start."""

from __future__ import annotations

from typing import Final

from fuzz.operators import PASSWORD

__all__ = ["TEXTS"]

_PJSIP: Final = f"""\
;-- none of that --; ; is read ;-- nor that --;
[global]
type = global
user_agent = Example 1.0
max_forwards = 70
keep_alive_interval = 90
default_auth_algorithms_uac = MD5
endpoint_identifier_order = ip,username,anonymous
[system]
type = system
timer_t1 = 500
timer_b = 32000
compact_headers = no
disable_rport = no
[udp]
type = transport
protocol = udp
bind = 0.0.0.0:5060
external_signaling_address = 198.51.100.7
external_signaling_port = 6060
local_net = 192.168.0.0/16
local_net = 10.0.0.0/255.0.0.0
tos = cs3
cos = 3
[tcp]
type = transport
protocol = tcp
bind = [::]:5070
tcp_keepalive_enable = yes
[trunk](!)
type = registration
transport = udp
server_uri = sip:sip.example.com\\;transport=udp
expiration = 0x258
retry_interval => 030
max_retries = 4294967295
[alice](trunk)
client_uri = sip:alice@example.com
outbound_auth = alice, bob
contact_user = alice
contact_header_params = reg-id=1\\;+sip.instance="<urn:uuid:1>"
outbound_proxy = sip:proxy.example.com\\;lr,<sip:edge.example.com\\;lr>
line = yes
endpoint = office
support_path = yes
support_outbound = y
[alice](+)
user_agent = Example
user_agent += 2
[alice]
type = auth
auth_type = digest
username = alice
password = {PASSWORD}
realm = *
supported_algorithms_uac = SHA-256, MD5
[bob]
type = auth
username = bob
password_digest = MD5:370e07334f26657659034beac86ed394
"""

_CALLS: Final = f"""\
#tryinclude nothing.conf
#include "more.conf"
[office]
type = endpoint
identify_by = username,ip
allow = !all,ulaw
set_var = PIN={PASSWORD}
[office]
type = identify
endpoint = office
match = 192.0.2.1,192.0.2.0/24
match_header = X-Trunk: /^o[nm]e*$/
match_request_uri = /sip:(a|b)+@/
[alias.example.com]
type = domain_alias
domain = example.com
[office]
type = aor
contact = sip:office@192.0.2.7
qualify_timeout = 3.0
[@note]
type = phoneprov
anything = goes
"""

_WIZARD: Final = f"""\
[hosts](!)
type = wizard
transport = udp
accepts_registrations = no
[trunk](hosts)
sends_registrations = yes
sends_auth = yes
accepts_auth = no
sends_line_with_registrations = yes
has_phoneprov = no
remote_hosts = sip1.example.com, sip2.example.com:5061
server_uri_pattern = sip:${{REMOTE_HOST}}\\;transport=udp
client_uri_pattern = sip:${{USERNAME}}@${{REMOTE_HOST}}
outbound_auth/username = alice
outbound_auth/password = {PASSWORD}
registration/expiration = 600
registration/contact_user = alice
endpoint/context = default
aor/qualify_frequency = 15
identify/match = 192.0.2.1
"""

_TOML: Final = f"""\
#:schema ./sipcore.schema.json
[defaults]
registrar = "sip:sip.example.com"
expires = "10min"
transport = "udp"
[transports.udp]
protocol = "udp"
bind = "0.0.0.0:5060"
local_net = ["192.168.0.0/16"]
[transports.udp.socket]
tos = 104
[credentials.alice]
username = "alice"
password = "{PASSWORD}"
algorithms = ["SHA-256", "MD5"]
[credentials.bob]
username = "bob"
password = {{ file = "bob.key" }}
[registrations.alice]
aor = "sip:alice@example.com"
credentials = ["alice"]
supported = ["path", "outbound"]
extra_headers = ["X-Site: Berlin"]
line = true
[registrations."b \\u0041"]
aor = "sip:bob@example.com"
username = "bob"
password = {{ credential = "bobs" }}
profile = "ASTERISK"
timing = {{ t1 = 0.5 }}
"""

_MANAGER: Final = f"""\
[general]
enabled = yes
port = 5038
bindaddr = 127.0.0.1
authtimeout = 30
authlimit = 50
timestampevents = no
disabledevents = registry
[admin]
secret = {PASSWORD}
read = system,reporting
write = all
permit = 127.0.0.0/255.0.0.0
deny = 0.0.0.0/0
"""

_AMI: Final = (
    "Action: Ping\r\nActionID: 1\r\n\r\nAction: ListCommands\r\n\r\n",
    f"Action: Login\r\nUsername: admin\r\nSecret: {PASSWORD}\r\nEvents: off\r\n\r\nAction: Logoff\r\n\r\n",
    "Action: Challenge\r\nAuthType: MD5\r\n\r\nAction: Login\r\nAuthType: MD5\r\nUsername: admin\r\nKey: 0\r\n\r\n",
    "Action: Command\nActionID: a b\nCommand: pjsip show registration one\n\nAction: CoreStatus\n\n",
    "Action: PJSIPShowRegistrationsOutbound\r\nActionID: x\r\n\r\nAction: Events\r\nEventMask: system,call\r\n\r\n",
    "Action: PJSIPRegister\r\nRegistration: *all\r\n\r\nAction: PJSIPUnregister\r\nRegistration: one\r\n\r\n",
    "Action: Reload\r\nModule: res_pjsip\r\n\r\nAction: CoreSettings\r\n\r\nAction: Ping\r\n\r\n",
)

_CONSOLE: Final = (
    "pjsip show registrations",
    "pjsip show registrations like ^(one|t[w]o)+$",
    "pjsip show registration one",
    "pjsip list registrations like o",
    "pjsip send register *all",
    'pjsip send unregister "two"',
    "pjsip show auths",
    "pjsip show auth one",
    "pjsip show transports",
    "pjsip reload",
    "module reload res_pjsip.so res_pjsip_outbound_registration.so",
    "core reload",
    "core show uptime seconds",
    "core show help pjsip show registrations",
    "core show version",
)

TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "pjsip": (_PJSIP, _CALLS),
    "wizard": (_WIZARD, f"{_WIZARD}[more](hosts)\nremote_hosts = h.example\nsends_registrations = yes\n"),
    "toml": (_TOML, '[registrations.a]\naor = "sip:alice@example.com"\n'),
    "manager": (_MANAGER, _MANAGER.replace("permit", "allowmultiplelogin = no\npermit")),
    "ami": _AMI,
    "console": _CONSOLE,
}
"""By target."""
