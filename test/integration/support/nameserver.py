# SPDX-License-Identifier: PostgreSQL
"""A name server on the loopback whose zone a test changes while it runs."""

import itertools
import os

from dnslib import QTYPE, RCODE, RR, SOA, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer


# A resolv.conf has no room for a port. Each server of each process has an address of its own.
PORT = 53
ADDRESSES = (f"127.53.{os.getpid() % 250 + 1}.{number}" for number in itertools.count(1))


class NameServer(BaseResolver):
    """Listens for as long as the `with` block lasts. PermissionError if the port is kept for root.

        names     name -> IPv4 addresses; a name that is not here does not exist
        serial    of every zone
        asked     names that were asked for, in order; SOA questions as "SOA zone"
    """

    def __init__(self, **names):
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.serial = 1
        self.asked = []
        quiet = DNSLogger(log="-request,-reply,-truncated,-error", prefix=False)
        self.address = next(ADDRESSES)
        self._server = DNSServer(self, address=self.address, port=PORT, logger=quiet)

    def __enter__(self):
        self._server.start_thread()
        return self

    def __exit__(self, *_):
        self._server.stop()
        self._server.server.server_close()

    def resolve(self, request, handler):
        """The answer to a question; called by the server's thread."""
        name = str(request.q.qname).rstrip(".").lower()
        kind = QTYPE[request.q.qtype]
        reply = request.reply()
        self.asked.append(f"SOA {name}" if kind == "SOA" else name)
        if kind == "SOA":
            times = (self.serial, 3600, 600, 86400, 60)
            soa = SOA(mname="ns." + name, rname="root." + name, times=times)
            reply.add_answer(RR(name, QTYPE.SOA, rdata=soa, ttl=60))
        elif name not in self.names:
            reply.header.rcode = RCODE.NXDOMAIN
        elif kind == "A":
            for address in self.names[name]:
                reply.add_answer(RR(name, QTYPE.A, rdata=A(address), ttl=3600))
        return reply

    def resolv_conf(self, directory):
        """A file for the setting resolv_conf that names this server."""
        path = directory / "resolv.conf"
        path.write_text(f"nameserver {self.address}\n")
        path.chmod(0o644)
        return path
