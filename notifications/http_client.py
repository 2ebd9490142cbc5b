"""POST to an address that a person has given: never to this machine or the network it stands in.

The address that is connected to is the one that was checked, whatever the name server says the next
moment; a redirect is an answer like any other and is not followed. However slowly the receiver
answers, it ends after TOTAL_SECONDS. Proxies of the environment are not used.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import certifi
import httpcore
from django.conf import settings

CONNECT_SECONDS, TOTAL_SECONDS = 5.0, 10.0
NAT64 = IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


class NotDelivered(Exception):
    """There was no answer; the text says why."""


class ForbiddenAddress(NotDelivered):
    """The receiver is at an address that nothing is sent to."""


def is_allowed(address: Address) -> bool:
    """Of the internet, or of the networks that WEBHOOK_ALLOWED_NETWORKS names."""
    address = _plain(address)
    networks: Iterable[IPv4Network | IPv6Network] = settings.WEBHOOK_ALLOWED_NETWORKS
    if any(address in network for network in networks):
        return True
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False  # private of old, fec0::/10, which Python calls global
    return address.is_global and not address.is_multicast and not address.is_reserved


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def refusal_of(host: str) -> str:
    """Why nothing is sent to this host, as far as its name alone tells; '' where it may be."""
    if host.rstrip(".").lower() in ("localhost", "ip6-localhost"):
        host = "127.0.0.1"
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return ""
    return "" if is_allowed(address) else _refusal(address)


def _refusal(address: Address) -> str:
    return (
        f"{address} is not an address of the internet. Whoever runs this installation can allow "
        "its network by WEBHOOK_ALLOWED_NETWORKS."
    )


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The status of the answer. Raises NotDelivered."""
    backend = _CheckedBackend(time.monotonic() + TOTAL_SECONDS)
    timeout = {
        **{"connect": CONNECT_SECONDS, "pool": CONNECT_SECONDS},
        **{"read": TOTAL_SECONDS, "write": TOTAL_SECONDS},
    }
    try:
        with (
            httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend) as pool,
            pool.stream(
                "POST",
                url,
                headers=list(headers.items()),
                content=body,
                extensions={"timeout": timeout},
            ) as response,
        ):
            return response.status
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise NotDelivered(f"no answer within {TOTAL_SECONDS:.0f} s") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        raise NotDelivered(f"no answer: {error}") from error


@cache
def _tls() -> ssl.SSLContext:
    """The roots of this machine, to which an organization may have added its own, and the usual."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class _CheckedBackend(httpcore.NetworkBackend):
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.sockets = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any
    ) -> httpcore.NetworkStream:
        """Connects to an address that was checked, not to a name. Raises ForbiddenAddress."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            # The latter for a name with a part that no name of a host may have.
            reason = getattr(error, "strerror", None) or error
            raise NotDelivered(f"there is no host {host}: {reason}") from error
        addresses = [ip_address(entry[4][0].partition("%")[0]) for entry in found]
        allowed = [address for address in addresses if is_allowed(address)]
        if not allowed:
            raise ForbiddenAddress(_refusal(addresses[0]))
        for address in allowed:
            try:
                stream = self.sockets.connect_tcp(str(address), port, timeout, *args, **kwargs)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                if time.monotonic() > self.deadline:
                    break
            else:
                return _TimedStream(stream, self.deadline)
        raise NotDelivered(f"no connection: {failure}") from failure


class _TimedStream(httpcore.NetworkStream):
    """Gives up at its deadline, also while the receiver goes on sending single bytes."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self.stream, self.deadline = stream, deadline

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, self._left())

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self.stream.start_tls(ssl_context, server_hostname, self._left())
        return _TimedStream(stream, self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)
