# SPDX-License-Identifier: PostgreSQL
"""A TCP proxy on the loopback that misbehaves on request.

Put between two programs it forwards bytes; its knobs may be turned while connections are open:

    delay_s     every piece is held back for so long
    chunk       pieces of at most so many bytes, each in a segment of its own
    blackhole   bytes are taken and dropped, and nobody is told; nothing is closed either
    refuse      new connections are reset at once

and `cut`, `reset` and `cut_after` end the connections that are open.
"""

import socket
import struct
import threading
import time

PIECE_BYTES = 65536

# struct linger { on, zero seconds }
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def shut_down(peer, how):
    try:
        peer.shutdown(how)
    except OSError:
        pass


class Link:
    """One proxied connection: two sockets, a thread for each direction."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.sockets = (client, server)
        self.left = proxy.cut_after_bytes
        self.guard = threading.Lock()
        self.open = True
        for peer in self.sockets:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        try:
            while piece := source.recv(PIECE_BYTES):
                if self.proxy.delay_s:
                    time.sleep(self.proxy.delay_s)
                if not self.proxy.blackhole and not self._forward(piece, sink, source):
                    break
        except OSError:
            pass
        if not self.proxy.blackhole:
            self.close()

    def _forward(self, piece, sink, source):
        """False when the bytes that this connection may carry from its server are used up."""
        allowed = len(piece)
        if self.left is not None and source is self.sockets[1]:
            allowed = min(allowed, self.left)
            self.left -= allowed
        step = self.proxy.chunk or PIECE_BYTES
        for start in range(0, allowed, step):
            sink.sendall(piece[start : min(start + step, allowed)])
        return allowed == len(piece)

    def close(self, reset=False):
        with self.guard:
            if not self.open:
                return
            self.open = False
            for peer in self.sockets:
                if reset:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                # Either way the thread that is in recv wakes. SHUT_RD tells the peer nothing, and
                # the reset goes out when nobody uses the socket any more.
                shut_down(peer, socket.SHUT_RD if reset else socket.SHUT_RDWR)
                peer.close()


class FaultProxy:
    """Listens on `port` of the loopback for as long as the `with` block lasts."""

    host = "localhost"

    def __init__(
        self, target_port, target_host="127.0.0.1", ca_file=None, listen="127.0.0.1", port=0
    ):
        self.target = (target_host, target_port)
        self.ca_file = ca_file
        self.delay_s = 0.0
        self.chunk = 0
        self.blackhole = False
        self.refuse = False
        self.cut_after_bytes = None
        self.accepted = 0
        self.links = []
        self.listener = socket.create_server((listen, port), backlog=128)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._stop_listening()
        self.cut()

    def _stop_listening(self):
        shut_down(self.listener, socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.refuse:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                client.close()
                continue
            try:
                server = socket.create_connection(self.target, timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.links.append(Link(self, client, server))

    def cut_after(self, n_bytes):
        """New connections end when the server has sent so many bytes; None: they don't."""
        self.cut_after_bytes = n_bytes

    def cut(self):
        """End what is open in the orderly way of a FIN, without a word of the protocol."""
        self._end_all(reset=False)

    def reset(self):
        """End what is open with RST."""
        self._end_all(reset=True)

    def _end_all(self, reset):
        links, self.links = self.links, []
        for link in links:
            link.close(reset)

    def n_open(self):
        return sum(link.open for link in self.links)
