"""Where the product may connect to: a provider's address comes from a tenant, and must not open the inside.

Link-local and cloud metadata addresses are never called. Loopback and private ones are called unless the
installation says `AIOS_EGRESS=public`. The rule is applied to the URL when a provider is created, and to
every address that a name resolves to when a connection is made, so DNS rebinding does not help.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from application.orchestration.upstream import Dialect
from domain.kernel.errors import InvalidInput

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA_NAMES = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "metadata.tencentyun.com",
        "metadata.platformequinix.com",
        "instance-data",
        "instance-data.ec2.internal",
        "rancher-metadata",
    }
)
METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "168.63.129.16",  # Azure wire server
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
        "fd00:42::42",  # Scaleway
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NUMERIC_HOST = re.compile(r"(0x[0-9a-f]+|[0-9]+)(\.(0x[0-9a-f]+|[0-9]+)){0,3}", re.IGNORECASE)
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_BASE_URL = "/base_url"


class EgressForbidden(Exception):
    """A connection to an address that this installation never calls was refused before it was made."""


def normalise_base_url(base_url: str, *, dialect: Dialect, allow_private: bool) -> str:
    """The base URL in one spelling, without trailing slash; InvalidInput at `/base_url` says what to change.

    Names are not resolved here: their addresses are checked at every connection.
    """
    if "?" in base_url or "#" in base_url:
        raise InvalidInput.at(
            _BASE_URL, "must have no query and no fragment; leave off '?' or '#' and the rest"
        )
    url = _parse(base_url, _BASE_URL)
    origin = _origin(url, _BASE_URL, allow_private=allow_private)
    path = url.raw_path.rstrip("/")
    if dialect == "anthropic" and path.endswith("/v1"):
        raise InvalidInput.at(
            _BASE_URL, "for dialect anthropic the base URL stands without /v1; leave '/v1' off"
        )
    return f"{origin}{path}"


def normalise_target(target: str, *, pointer: str, allow_private: bool) -> str:
    """The URL of a single endpoint in one spelling, its query kept; InvalidInput at `pointer` says what to
    change. Names are not resolved here: their addresses are checked at every connection.
    """
    url = _parse(target, pointer)
    return f"{_origin(url, pointer, allow_private=allow_private)}{url.raw_path_qs}"


def _origin(url: URL, pointer: str, *, allow_private: bool) -> str:
    host = _canonical_host(url.raw_host or "", pointer)
    try:
        check_host(host, allow_private=allow_private)
    except EgressForbidden as refused:
        raise InvalidInput.at(pointer, str(refused)) from None
    authority = f"[{host}]" if ":" in host else host
    default_port = url.explicit_port in (None, 443 if url.scheme == "https" else 80)
    return f"{url.scheme}://{authority}{'' if default_port else f':{url.explicit_port}'}"


def check_host(host: str, *, allow_private: bool) -> None:
    """EgressForbidden when a host name or a literal address may not be called."""
    name = host.rstrip(".").lower()
    if name in METADATA_NAMES:
        raise EgressForbidden(f"'{name}' is a cloud metadata service, which is never called")
    address = parse_address(name)
    if address is not None:
        check_address(address, allow_private=allow_private)
    elif not allow_private and (name == "localhost" or name.endswith((".localhost", ".local", ".internal"))):
        raise EgressForbidden(_not_public(name))


def check_address(address: IPAddress, *, allow_private: bool) -> None:
    """EgressForbidden when an address, or an IPv4 address carried inside an IPv6 one, may not be called."""
    for each in _carried(address):
        if each.is_link_local or each in METADATA_ADDRESSES:
            raise EgressForbidden(f"{address} is a link-local or metadata address, which is never called")
        if each.is_multicast:
            raise EgressForbidden(f"{address} is a multicast address, not a host")
        if not allow_private and (not each.is_global or getattr(each, "is_site_local", False)):
            raise EgressForbidden(_not_public(str(address)))


def parse_address(host: str) -> IPAddress | None:
    """The address a literal means, in any spelling the C library takes: `127.1`, `0x7f.1`, `2130706433`."""
    text = host.rstrip(".").partition("%")[0]
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    if _NUMERIC_HOST.fullmatch(text):
        try:
            return ipaddress.IPv4Address(socket.inet_aton(text))
        except OSError:
            return None
    return None


class GuardedResolver(AbstractResolver):
    """Resolves names for the connector and refuses a name if any of its addresses is forbidden."""

    def __init__(self, *, allow_private: bool, inner: AbstractResolver | None = None) -> None:
        self._allow_private = allow_private
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """As the inner resolver; EgressForbidden before any address is handed on."""
        check_host(host, allow_private=self._allow_private)
        found = await self._inner.resolve(host, port, family)
        for result in found:
            try:
                address = ipaddress.ip_address(result["host"].partition("%")[0])
                check_address(address, allow_private=self._allow_private)
            except EgressForbidden as refused:
                raise EgressForbidden(f"'{host}' resolves to a forbidden address: {refused}") from None
        return found

    async def close(self) -> None:
        """Closes the inner resolver."""
        await self._inner.close()


def _parse(text: str, pointer: str) -> URL:
    if len(text) > 2048 or any(c <= " " or c in "\\\x7f" for c in text):
        raise InvalidInput.at(pointer, "must be a URL of at most 2048 characters without spaces")
    if "#" in text:
        raise InvalidInput.at(pointer, "must have no fragment; leave off '#' and the rest")
    try:
        url = URL(text)
    except ValueError:
        raise InvalidInput.at(pointer, "is not a URL; write it as https://host/path") from None
    if url.scheme not in ("http", "https"):
        raise InvalidInput.at(pointer, "must begin with http:// or https://")
    if "@" in url.raw_authority:
        raise InvalidInput.at(pointer, "must hold no user name or password; a key belongs in api_key")
    return url


def _canonical_host(raw: str, pointer: str) -> str:
    host = raw.rstrip(".").lower()
    if "%" in host:
        raise InvalidInput.at(pointer, "must name no network interface (the '%' part of the address)")
    address = parse_address(host)
    if address is not None:
        return str(address)
    if len(host) > 253 or not _HOST_NAME.fullmatch(host) or _NUMERIC_HOST.fullmatch(host):
        raise InvalidInput.at(pointer, "must name a host, as in https://api.example.com/v1")
    return host


def _carried(address: IPAddress) -> Iterator[IPAddress]:
    """What a packet to this address reaches: the address, and the IPv4 address inside an IPv6 one."""
    embedded: tuple[IPAddress, ...] = ()
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            embedded = (address.ipv4_mapped,)
        elif address in _NAT64 or 1 < int(address) < 2**32:
            embedded = (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
        elif (tunnelled := address.sixtofour) is not None:
            embedded = (address, tunnelled)
        elif address.teredo is not None:
            embedded = (address, *address.teredo)
    return iter(embedded or (address,))


def _not_public(what: str) -> str:
    return f"{what} is not a public address, and AIOS_EGRESS=public allows no other"
