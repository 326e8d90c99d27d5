"""Which addresses a provider may have, in every spelling, and that a name cannot smuggle one in."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from application.orchestration.upstream import Dialect, FailureKind, ProviderSpec, UpstreamFailure
from domain.kernel.errors import InvalidInput
from infrastructure.providers.egress import normalise_base_url
from infrastructure.providers.http import HttpUpstream
from tests.contract.conftest import call
from tests.fakes.upstream import FakeUpstream

METADATA = [
    "http://169.254.169.254/v1",
    "http://169.254.169.254./v1",
    "http://169.254.0.23/",
    "http://2852039166/",
    "http://0xA9FEA9FE/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://\uff11\uff16\uff19.254.169.254/",
    "http://169\u3002254\u3002169\u3002254/",
    "http://[fe80::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://metadata.google.internal/",
    "http://METADATA.google.internal./",
    "http://metadata/",
    "http://instance-data/latest",
]
INSIDE = [
    "http://127.0.0.1:11434/v1",
    "http://127.1/",
    "http://0x7f000001/",
    "http://localhost:8000/v1",
    "http://api.localhost/",
    "http://0.0.0.0:8000/",
    "http://10.1.2.3/",
    "http://172.16.0.9/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://[::1]:8000/v1",
    "http://[fd12::1]/",
    "http://[fec0::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://gpu.internal/v1",
]
UNUSABLE = [
    ("", "http://"),
    ("api.example.com/v1", "http://"),
    ("ftp://example.com", "http://"),
    ("//example.com/v1", "http://"),
    ("http:///v1", "host"),
    ("http://user:pw@example.com/", "api_key"),
    ("http://example.com/v1?key=1", "query"),
    ("http://example.com/v1#top", "query"),
    ("http://exa mple.com/", "spaces"),
    ("http://example.com\\@evil.com/", "spaces"),
    ("http://example.com\r\nHost: evil/", "spaces"),
    ("http://example.com:99999/", "URL"),
    ("http://999.1.1.1/", "host"),
    ("http://-.com/", "host"),
    ("http://[fe80::1%25eth0]/", "interface"),
    ("https://example.com/" + "a" * 2100, "2048"),
    ("http://224.0.0.1/", "multicast"),
]


@pytest.mark.parametrize("base_url", METADATA)
@pytest.mark.parametrize("allow_private", [True, False])
def test_metadata_and_link_local_addresses_are_never_allowed(base_url: str, allow_private: bool) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise_base_url(base_url, dialect="openai", allow_private=allow_private)

    assert caught.value.errors[0].pointer == "/base_url"
    assert "never called" in caught.value.errors[0].detail


@pytest.mark.parametrize("base_url", INSIDE)
def test_inside_addresses_are_allowed_unless_egress_is_public(base_url: str) -> None:
    assert normalise_base_url(base_url, dialect="openai", allow_private=True)

    with pytest.raises(InvalidInput) as caught:
        normalise_base_url(base_url, dialect="openai", allow_private=False)
    assert "AIOS_EGRESS=public" in caught.value.errors[0].detail


@pytest.mark.parametrize(("base_url", "cure"), UNUSABLE)
def test_unusable_urls_are_refused_with_a_cure(base_url: str, cure: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise_base_url(base_url, dialect="openai", allow_private=True)

    assert caught.value.errors[0].pointer == "/base_url"
    assert cure in caught.value.errors[0].detail
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "dialect", "normal"),
    [
        ("https://API.Example.com:443/v1/", "openai", "https://api.example.com/v1"),
        ("http://example.com:80", "anthropic", "http://example.com"),
        ("http://example.com.:8080/a/../b//", "openai", "http://example.com:8080/b"),
        ("http://127.1:11434/v1", "openai", "http://127.0.0.1:11434/v1"),
        ("http://[0:0::1]:80/v1", "openai", "http://[::1]/v1"),
        ("https://bücher.example/v1", "openai", "https://xn--bcher-kva.example/v1"),
        ("https://8.8.8.8/v1", "openai", "https://8.8.8.8/v1"),
    ],
)
def test_urls_have_one_spelling(base_url: str, dialect: Dialect, normal: str) -> None:
    made = normalise_base_url(base_url, dialect=dialect, allow_private=True)

    assert made == normal
    assert normalise_base_url(made, dialect=dialect, allow_private=True) == normal


def test_anthropic_base_url_stands_without_version() -> None:
    with pytest.raises(InvalidInput, match="without /v1"):
        normalise_base_url("https://api.example.com/v1", dialect="anthropic", allow_private=True)


class Names(AbstractResolver):
    """A name server under somebody else's control."""

    def __init__(self, *answers: str) -> None:
        self.answers = answers

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self.answers
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("answers", "allow_private"),
    [
        (("169.254.169.254",), True),
        (("93.184.216.34", "169.254.169.254"), True),
        (("fe80::1%2",), True),
        (("::ffff:169.254.169.254",), True),
        (("127.0.0.1",), False),
        (("10.0.0.7",), False),
    ],
)
async def test_name_that_resolves_to_a_forbidden_address_is_never_connected(
    answers: tuple[str, ...], allow_private: bool
) -> None:
    upstream = HttpUpstream(names=Names(*answers))
    provider = ProviderSpec(
        name="rebind", dialect="openai", base_url="http://rebind.example/v1", allow_private=allow_private
    )

    with pytest.raises(UpstreamFailure) as caught:
        await upstream.open(provider, call())
    await upstream.aclose()

    assert caught.value.kind is FailureKind.EGRESS_FORBIDDEN
    assert "rebind.example" in caught.value.detail


async def test_allowed_name_is_connected_at_the_checked_address(server: FakeUpstream) -> None:
    upstream = HttpUpstream(names=Names("127.0.0.1"))
    base_url = f"http://model.example:{server.port}/v1"

    answer = await upstream.open(ProviderSpec(name="named", dialect="openai", base_url=base_url), call())
    await answer.read(1 << 20)
    await answer.aclose()
    await upstream.aclose()

    assert server.requests[0].headers["host"] == f"model.example:{server.port}"


@pytest.mark.parametrize(
    "base_url", ["http://169.254.169.254", "http://2852039166/v1", "http://[::ffff:a9fe:a9fe]"]
)
async def test_adapter_refuses_a_forbidden_literal_that_reached_it(http: HttpUpstream, base_url: str) -> None:
    with pytest.raises(UpstreamFailure) as caught:
        await http.open(ProviderSpec(name="sly", dialect="openai", base_url=base_url), call())

    assert caught.value.kind is FailureKind.EGRESS_FORBIDDEN


async def test_public_egress_refuses_loopback_at_the_adapter(
    http: HttpUpstream, server: FakeUpstream
) -> None:
    provider = ProviderSpec(
        name="inside", dialect="openai", base_url=server.openai_base_url, allow_private=False
    )

    with pytest.raises(UpstreamFailure) as caught:
        await http.open(provider, call())

    assert caught.value.kind is FailureKind.EGRESS_FORBIDDEN
    assert server.connections == 0
