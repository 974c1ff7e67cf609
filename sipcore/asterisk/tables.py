"""All options of all objects of a pjsip.conf: how their values read, their defaults, and which of them are used here.

The names and defaults are those of Asterisk 20 to 23, with what these versions still take of older ones.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["ANY_OPTION", "OPTIONS", "SINGLE", "WIZARD", "Kind", "Known", "known_option", "option_names"]


class Kind(enum.Enum):
    """How a value reads."""

    TEXT = enum.auto()
    TEXTS = enum.auto()
    """A repeated line adds to the earlier ones instead of replacing them."""
    SECRET = enum.auto()
    """Never shown."""
    SECRETS = enum.auto()
    """Never shown, and a repeated line adds to the earlier ones."""
    INTEGER = enum.auto()
    """From 0 to 2**32 - 1; a leading 0 means octal, `0x` hexadecimal."""
    SIGNED = enum.auto()
    """The same with a minus sign or without."""
    NUMBER = enum.auto()
    """With a decimal point or without."""
    BOOLEAN = enum.auto()


class Known(NamedTuple):
    """What is known of an option."""

    kind: Kind
    default: str
    used: bool
    """It has a meaning here; the others are read and checked, and that is all."""


def _table(used: str, **names: str) -> Mapping[str, Known]:
    """`names` are by kind, each `name` or `name=default`; `used` says which of them are used."""
    chosen = {"type", *used.split()}
    # Of an object that is not used here, its type is not, either.
    found = {"type": Known(Kind.TEXT, "", bool(used))}
    for kind, text in names.items():
        for item in text.split():
            name, _, default = item.partition("=")
            found[name] = Known(Kind[kind.upper()], default, name in chosen)
    assert chosen <= found.keys(), chosen - found.keys()
    return MappingProxyType(found)


OPTIONS: Final[Mapping[str, Mapping[str, Known]]] = MappingProxyType(
    {
        "global": _table(
            used="user_agent max_forwards keep_alive_interval default_auth_algorithms_uac default_auth_algorithms_uas "
            "endpoint_identifier_order disable_multi_domain ignore_uri_user_options",
            text="user_agent regcontext default_outbound_endpoint=default_outbound_endpoint "
            "default_voicemail_extension debug=no endpoint_identifier_order=ip,username,anonymous "
            "default_from_user=asterisk default_realm=asterisk taskprocessor_overload_trigger=global "
            "default_auth_algorithms_uas=MD5 default_auth_algorithms_uac=MD5",
            integer="max_forwards=70 keep_alive_interval=90 contact_expiration_check_interval=30 "
            "max_initial_qualify_time=0 unidentified_request_period=5 unidentified_request_count=5 "
            "unidentified_request_prune_interval=30 mwi_tps_queue_high=500",
            signed="mwi_tps_queue_low=-1",
            boolean="disable_multi_domain=no mwi_disable_initial_unsolicited=no ignore_uri_user_options=no "
            "use_callerid_contact=no send_contact_status_on_update_registration=no norefersub=yes "
            "allow_sending_180_after_183=no all_codecs_on_empty_reinvite=no rfc7329_enable=no",
        ),
        "system": _table(
            used="timer_t1 timer_b compact_headers disable_rport disable_tcp_switch",
            integer="timer_t1=500 timer_b=32000 threadpool_initial_size=0 threadpool_auto_increment=5 "
            "threadpool_idle_timeout=60 threadpool_max_size=50 taskpool_minimum_size=4 taskpool_initial_size=4 "
            "taskpool_auto_increment=1 taskpool_idle_timeout=60 taskpool_max_size=50",
            boolean="compact_headers=no disable_tcp_switch=yes follow_early_media_fork=yes "
            "accept_multiple_sdp_answers=no disable_rport=no",
        ),
        "transport": _table(
            used="protocol bind external_signaling_address external_signaling_hostname external_signaling_port "
            "local_net tos cos tcp_keepalive_enable tcp_keepalive_idle_time tcp_keepalive_interval_time "
            "tcp_keepalive_probe_count",
            text="protocol=udp bind ca_list_file ca_list_path cert_file priv_key_file cipher method domain "
            "external_media_address external_signaling_address external_signaling_hostname tos=0",
            texts="local_net",
            secret="password",
            integer="async_operations=1 cos=0 external_signaling_port=0 tcp_keepalive_idle_time=30 "
            "tcp_keepalive_interval_time=1 tcp_keepalive_probe_count=5 websocket_write_timeout=100",
            boolean="allow_reload=no allow_wildcard_certs=no require_client_cert=no symmetric_transport=no "
            "tcp_keepalive_enable=no verify_client=no verify_server=no",
        ),
        "auth": _table(
            used="auth_type username realm supported_algorithms_uac supported_algorithms_uas password md5_cred "
            "password_digest",
            text="auth_type=userpass username realm supported_algorithms_uac supported_algorithms_uas oauth_clientid",
            secret="password md5_cred oauth_secret refresh_token",
            secrets="password_digest",
            integer="nonce_lifetime=32",
        ),
        "registration": _table(
            used="server_uri client_uri contact_user contact_header_params outbound_auth outbound_proxy transport "
            "endpoint user_agent security_negotiation security_mechanisms expiration max_random_initial_delay "
            "retry_interval forbidden_retry_interval fatal_retry_interval max_retries auth_rejection_permanent "
            "line support_path support_outbound",
            text="server_uri client_uri contact_user contact_header_params outbound_auth outbound_proxy transport "
            "endpoint user_agent security_negotiation=no security_mechanisms",
            integer="expiration=3600 max_random_initial_delay=10 retry_interval=60 forbidden_retry_interval=0 "
            "fatal_retry_interval=0 max_retries=10",
            boolean="auth_rejection_permanent=yes line=no support_path=no support_outbound=no",
        ),
        "endpoint": _table(
            used="identify_by",
            text="100rel=yes accountcode aors auth call_group callerid callerid_privacy=allowed_not_screened "
            "callerid_tag codec_prefs_incoming_answer codec_prefs_incoming_offer codec_prefs_outgoing_answer "
            "codec_prefs_outgoing_offer connected_line_method=invite contact_user context=default "
            "direct_media_glare_mitigation=none direct_media_method=invite dtls_ca_file dtls_ca_path "
            "dtls_cert_file dtls_cipher dtls_fingerprint dtls_private_key dtls_rekey=0 dtls_setup dtls_verify=no "
            "dtmf_mode=rfc4733 from_domain from_user geoloc_incoming_call_profile geoloc_outgoing_call_profile "
            "identify_by=username,ip incoming_call_offer_pref=local incoming_mwi_mailbox language mailboxes "
            "media_address media_encryption=no message_context moh_suggest=default mwi_from_user named_call_group "
            "named_pickup_group outbound_auth outbound_proxy outgoing_call_offer_pref=remote_merge "
            "overlap_context pickup_group record_off_feature=automixmon record_on_feature=automixmon "
            "redirect_method=user rtp_engine=asterisk sdp_owner=- sdp_session=Asterisk security_mechanisms "
            "security_negotiation=no stir_shaken=no stir_shaken_profile subscribe_context t38_udptl_ec=none "
            "tenantid timers=yes tone_zone tos_audio=0 tos_text=0 tos_video=0 transport voicemail_extension",
            texts="acl allow contact_acl contact_deny contact_permit deny disallow permit",
            secrets="set_var",
            integer="cos_audio=0 cos_text=0 cos_video=0 device_state_busy_at=0 fax_detect_timeout=0 "
            "max_audio_streams=1 max_text_streams=1 max_video_streams=1 rtp_keepalive=0 rtp_timeout=0 "
            "rtp_timeout_hold=0 sub_min_expiry=0 t38_udptl_maxdatagram=0 timers_min_se=90 "
            "timers_sess_expires=1800",
            boolean="accept_multiple_sdp_answers=no aggregate_mwi=yes allow_overlap=yes allow_subscribe=yes "
            "allow_transfer=yes allow_unauthenticated_options=no asymmetric_rtp_codec=no "
            "bind_rtp_to_media_address=no bundle=no direct_media=yes disable_direct_media_on_nat=no "
            "dtls_auto_generate_cert=no fax_detect=no follow_early_media_fork=yes force_avp=no force_rport=yes "
            "g726_non_standard=no ice_support=no ignore_183_without_sdp=no inband_progress=no "
            "media_encryption_optimistic=no media_use_received_transport=no moh_passthrough=no "
            "mwi_subscribe_replaces_unsolicited=no notify_early_inuse_ringing=no one_touch_recording=no "
            "preferred_codec_only=no refer_blind_progress=yes rewrite_contact=no rpid_immediate=no rtcp_mux=no "
            "rtp_ipv6=no rtp_symmetric=no send_aoc=no send_connected_line=yes send_diversion=yes "
            "send_history_info=no send_pai=no send_rpid=no srtp_tag_32=no suppress_moh_on_sendonly=no "
            "suppress_q850_reason_headers=no t38_bind_udptl_to_media_address=no t38_udptl=no t38_udptl_ipv6=no "
            "t38_udptl_nat=no trust_connected_line=yes trust_id_inbound=no trust_id_outbound=no use_avpf=no "
            "use_ptime=no user_eq_phone=no webrtc=no",
        ),
        "aor": _table(
            used="",
            text="mailboxes outbound_proxy voicemail_extension",
            texts="contact",
            integer="default_expiration=3600 max_contacts=0 maximum_expiration=7200 minimum_expiration=60 "
            "qualify_frequency=0",
            number="qualify_timeout=3.0",
            boolean="authenticate_qualify=no qualify_2xx_only=no remove_existing=no remove_unavailable=no "
            "support_path=no",
        ),
        "identify": _table(
            used="endpoint match match_header match_request_uri",
            text="endpoint match_header match_request_uri transport",
            texts="match",
            boolean="srv_lookups=yes",
        ),
        "acl": _table(used="", texts="acl contact_acl contact_deny contact_permit deny permit"),
        "contact": _table(
            used="",
            text="call_id endpoint expiration_time outbound_proxy path reg_server uri user_agent via_addr",
            integer="qualify_frequency=0 via_port=0",
            number="qualify_timeout=3.0",
            boolean="authenticate_qualify=no prune_on_boot=no qualify_2xx_only=no",
        ),
        "domain_alias": _table(used="domain", text="domain"),
        "phoneprov": _table(used="", text="endpoint mac profile"),
        "resource_list": _table(
            used="",
            text="event",
            texts="list_item",
            integer="notification_batch_interval=0",
            boolean="full_state=no resource_display_name=no",
        ),
        "subscription_persistence": _table(
            used="",
            text="contact_uri endpoint expires generator_data local_name packet src_name tag transport_key",
            integer="cseq=0 local_port=0 src_port=0",
            boolean="prune_on_boot=no",
        ),
        "outbound-publish": _table(
            used="",
            text="event from_uri outbound_auth outbound_proxy server_uri to_uri transport",
            integer="expiration=3600 max_auth_attempts=5",
            boolean="multi_user=no",
        ),
        "inbound-publication": _table(used="", text="endpoint"),
        "asterisk-publication": _table(
            used="",
            text="device_state_filter devicestate_publish mailbox_state_filter mailboxstate_publish",
            boolean="device_state=no mailbox_state=no",
        ),
    }
)
"""The types of objects, each with its options."""

WIZARD: Final = "wizard"
"""The type that stands in pjsip_wizard.conf alone; its options are in `wizard`."""

SINGLE: Final = frozenset({"global", "system"})
"""Types of which there is one object; a section of that name needs no type."""

ANY_OPTION: Final[Mapping[str, str]] = MappingProxyType({"phoneprov": "", "inbound-publication": "event_"})
"""Types that take any option whose name begins so."""

_ANY: Final = Known(Kind.SECRETS, "", False)
_EXTENDED: Final = Known(Kind.SECRETS, "", False)
"""Notes of the administrator's own tools, which nobody knows; so they are not shown either."""


def known_option(kind: str, name: str) -> Known | None:
    """What is known of an option of a type; None when Asterisk does not know it."""
    found = OPTIONS[kind].get(name)
    if found is not None:
        return found
    if name.startswith("@"):
        return _EXTENDED
    prefix = ANY_OPTION.get(kind)
    return _ANY if prefix is not None and name.startswith(prefix) else None


def option_names() -> Iterator[str]:
    """The names of all options of all types; some more than once."""
    for table in OPTIONS.values():
        yield from table
