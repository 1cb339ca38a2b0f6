#!/usr/bin/env python3
"""A SIMULATED secure Kafka listener for tests: real TLS handshakes and real SCRAM exchanges (RFC 5802), in front of brokers
that know neither. It is not Kafka; what it proves is that our settings work against handshakes that nobody here wrote
(OpenSSL's) and that a refusal is told apart.

    secure_broker.py --upstream 127.0.0.1:PORT [--cert PEM --key PEM [--client-ca PEM]]
                     [--mechanism SCRAM-SHA-512 --user NAME --password TEXT]

Prints its port on one line; ends when its standard input does.
"""
import argparse
import base64
import hashlib
import hmac
import os
import select
import socket
import ssl
import struct
import sys
import threading

METADATA, FIND_COORDINATOR, SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 3, 10, 17, 18, 36
UNSUPPORTED_MECHANISM, UNSUPPORTED_VERSION, AUTHENTICATION_FAILED = 33, 35, 58


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", required=True)
    for name in ("cert", "key", "client-ca", "mechanism", "user", "password"):
        parser.add_argument("--" + name)
    return parser.parse_args()


def read_frame(stream):
    def exactly(count):
        data = b""
        while len(data) < count:
            more = stream.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    return exactly(struct.unpack(">i", exactly(4))[0])


def write_frame(stream, body):
    stream.sendall(struct.pack(">i", len(body)) + body)


def text(value):
    raw = value.encode()
    return struct.pack(">h", len(raw)) + raw


class Refused(Exception):
    pass


class Scram:
    """The server's side of RFC 5802, section 3."""

    def __init__(self, mechanism, user, password):
        self.hash = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}[mechanism]
        self.user = user
        self.salt = os.urandom(16)
        self.salted = hashlib.pbkdf2_hmac(self.hash, password.encode(), self.salt, 4096)
        self.first_bare = self.first_server = None

    def mac(self, key, value):
        return hmac.new(key, value, self.hash).digest()

    def answer(self, message):
        if self.first_bare is None:
            self.first_bare = message.decode().split(",", 2)[2]
            fields = dict(part.split("=", 1) for part in self.first_bare.split(","))
            if fields["n"] != self.user:
                raise Refused("no such user")
            nonce = fields["r"] + base64.b64encode(os.urandom(18)).decode()
            self.first_server = f"r={nonce},s={base64.b64encode(self.salt).decode()},i=4096"
            return self.first_server.encode(), False
        without_proof, proof = message.decode().rsplit(",p=", 1)
        signed = ",".join((self.first_bare, self.first_server, without_proof)).encode()
        client_key = self.mac(self.salted, b"Client Key")
        stored = hashlib.new(self.hash, client_key).digest()
        signature = self.mac(stored, signed)
        expected = bytes(a ^ b for a, b in zip(client_key, signature))
        if not hmac.compare_digest(base64.b64decode(proof), expected):
            raise Refused("invalid credentials")
        verifier = self.mac(self.mac(self.salted, b"Server Key"), signed)
        return b"v=" + base64.b64encode(verifier), True


class Connection:
    def __init__(self, stream, options, own_port):
        host, port = options.upstream.rsplit(":", 1)
        self.stream, self.options = stream, options
        self.upstream = socket.create_connection((host, int(port)))
        self.old = [struct.pack(">h", len(host)) + host.encode() + struct.pack(">i", int(port)),
                    bytes([len(host) + 1]) + host.encode() + struct.pack(">i", int(port))]
        self.new = [struct.pack(">h", len(host)) + host.encode() + struct.pack(">i", own_port),
                    bytes([len(host) + 1]) + host.encode() + struct.pack(">i", own_port)]
        self.asked = {}
        self.is_in = options.mechanism is None
        self.scram = Scram(options.mechanism, options.user, options.password) if options.mechanism else None

    def request(self):
        frame = read_frame(self.stream)
        key, version, correlation = struct.unpack(">hhi", frame[:8])
        client = struct.unpack(">h", frame[8:10])[0]
        body = frame[10 + max(0, client):]
        head = struct.pack(">i", correlation)
        if key == API_VERSIONS and version > 0:
            write_frame(self.stream, head + struct.pack(">hihhh", UNSUPPORTED_VERSION, 1, API_VERSIONS, 0, 0))
        elif key == SASL_HANDSHAKE:
            asked = body[2:2 + struct.unpack(">h", body[:2])[0]].decode()
            known = [self.options.mechanism] if self.options.mechanism else []
            code = 0 if asked in known else UNSUPPORTED_MECHANISM
            write_frame(self.stream, head + struct.pack(">hi", code, len(known)) + b"".join(map(text, known)))
        elif key == SASL_AUTHENTICATE:
            self.authenticate(head, version, body[4:])
        elif key != API_VERSIONS and not self.is_in:
            raise EOFError
        else:
            self.asked[correlation] = key
            write_frame(self.upstream, frame)

    def authenticate(self, head, version, message):
        lifetime = struct.pack(">q", 0) if version > 0 else b""
        try:
            answer, self.is_in = self.scram.answer(message)
            write_frame(self.stream, head + struct.pack(">hhi", 0, -1, len(answer)) + answer + lifetime)
        except Refused as reason:
            why = text(f"Authentication failed during authentication due to {reason}")
            write_frame(self.stream, head + struct.pack(">h", AUTHENTICATION_FAILED) + why + struct.pack(">i", 0) + lifetime)
            raise EOFError from reason

    def answer(self):
        frame = read_frame(self.upstream)
        key = self.asked.pop(struct.unpack(">i", frame[:4])[0], None)
        if key in (METADATA, FIND_COORDINATOR):
            for old, new in zip(self.old, self.new):
                frame = frame.replace(old, new)
        elif key == API_VERSIONS and self.options.mechanism:
            count = struct.unpack(">i", frame[6:10])[0]
            more = struct.pack(">hhhhhh", SASL_HANDSHAKE, 0, 1, SASL_AUTHENTICATE, 0, 1)
            end = 10 + 6 * count
            frame = frame[:6] + struct.pack(">i", count + 2) + frame[10:end] + more + frame[end:]
        write_frame(self.stream, frame)

    def carry(self):
        """Both ways in one thread: one TLS stream is not for two at once."""
        try:
            while True:
                waits = getattr(self.stream, "pending", lambda: 0)() > 0
                ready = select.select([self.stream, self.upstream], [], [], 0 if waits else None)[0]
                if waits or self.stream in ready:
                    self.request()
                if self.upstream in ready:
                    self.answer()
        except (EOFError, OSError):
            for stream in (self.stream, self.upstream):
                try:
                    stream.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def serve(raw, options, own_port, context):
    try:
        stream = context.wrap_socket(raw, server_side=True) if context else raw
        connection = Connection(stream, options, own_port)
    except OSError:
        raw.close()
        return
    connection.carry()


def main():
    options = arguments()
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        if options.client_ca:
            context.load_verify_locations(options.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    print(port, flush=True)

    def accept():
        while True:
            raw, _ = listener.accept()
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(raw, options, port, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
