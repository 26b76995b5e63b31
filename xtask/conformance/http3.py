"""HTTP/3 by clients that are not ours (aioquic, Chromium): `http3.py FOREBAY [CHROMIUM]`, the program
with its feature `http3`.

An origin, a certificate and the program are made here; each case is a line, and a failure ends it with 1.
"""

import asyncio
import base64
import datetime
import hashlib
import http.server
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "www.example.com"
BIG = bytes(number * 7 % 251 for number in range(1 << 16)) * 64
PATIENCE = 30


class Origin(http.server.BaseHTTPRequestHandler):
    """Answers what the path says, and sends a body back."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = BIG if self.path == "/big" else f"you asked for {self.path}".encode()
        if self.path == "/page":
            body = f"<!doctype html><title>page</title><p>{self.headers['Via']}".encode()
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=60")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def do_POST(self):
        body, trailers = self.body()
        self.send_response(200)
        self.send_header("X-Sum", hashlib.sha256(body).hexdigest())
        self.send_header("X-Heard", trailers)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\nX-Length: %d\r\n\r\n" % (len(body), body, len(body)))

    def body(self):
        if length := self.headers.get("Content-Length"):
            return self.rfile.read(int(length)), ""
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        trailers = b""
        while (line := self.rfile.readline()) != b"\r\n":
            trailers += line.strip()
        return body, trailers.decode().lower()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Takes a hundred connections at once: past its queue the kernel lets them wait, up to half a minute."""

    request_queue_size = 256


class Http3(H3Connection):
    """aioquic takes an answer to HEAD that says its length for a broken one (RFC 9114 section 4.1.2)."""

    heads = set()

    def _check_content_length(self, stream):
        if stream.stream_id not in self.heads or stream.content_length > 0:
            super()._check_content_length(stream)


class Client(QuicConnectionProtocol):
    """One connection; each request is a stream."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.http = Http3(self._quic)
        self.answers, self.ends = {}, {}

    async def ask(self, method, path, fields=(), body=None, trailers=None):
        stream = self._quic.get_next_available_stream_id()
        self.answers[stream] = {"heads": [], "body": b""}
        self.ends[stream] = asyncio.get_running_loop().create_future()
        if method == "HEAD":
            self.http.heads.add(stream)
        head = [(":method", method), (":scheme", "https"), (":authority", HOST), (":path", path)]
        head = [(name.encode(), value.encode()) for name, value in [*head, *fields]]
        self.http.send_headers(stream, head, end_stream=body is None)
        if body is not None:
            self.http.send_data(stream, body, end_stream=trailers is None)
        if trailers is not None:
            lines = [(name.encode(), value.encode()) for name, value in trailers]
            self.http.send_headers(stream, lines, end_stream=True)
        self.transmit()
        try:
            await asyncio.wait_for(self.ends[stream], PATIENCE)
        except asyncio.TimeoutError:
            heads = self.answers[stream]["heads"]
            sys.exit(f"{method} {path} is not answered in {PATIENCE} s; heads so far: {heads}")
        return self.answers[stream]

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            failure = ConnectionError(f"closed: {event.error_code:#x} {event.reason_phrase}")
            for end in self.ends.values():
                if not end.done():
                    end.set_exception(failure)
        if isinstance(event, StreamReset) and event.stream_id in self.ends:
            self.ends[event.stream_id].set_exception(ConnectionError("reset"))
        for heard in self.http.handle_event(event):
            if isinstance(heard, HeadersReceived):
                head = {name.decode(): value.decode() for name, value in heard.headers}
                self.answers[heard.stream_id]["heads"].append(head)
            elif isinstance(heard, DataReceived):
                self.answers[heard.stream_id]["body"] += heard.data
            else:
                continue
            if heard.stream_ended:
                self.ends[heard.stream_id].set_result(None)


def check(name, holds, seen):
    print(f"case {name}: {'passed' if holds else f'FAILED: {seen}'}", flush=True)
    if not holds:
        sys.exit(1)


async def cases(client):
    for name, wanted in [("a miss", "fwd=uri-miss"), ("a hit", "; hit")]:
        answer = await client.ask("GET", "/x")
        head = answer["heads"][0]
        is_right = head[":status"] == "200" and answer["body"] == b"you asked for /x"
        check(name, is_right and wanted in head["cache-status"], answer)
    answer = await client.ask("HEAD", "/x")
    check("HEAD", answer["body"] == b"" and answer["heads"][0]["content-length"] == "16", answer)
    answer = await client.ask("GET", "/big")
    check("a large body", answer["body"] == BIG, len(answer["body"]))
    answer = await client.ask("GET", "/big", [("range", "bytes=5-1000004")])
    is_right = answer["heads"][0][":status"] == "206" and answer["body"] == BIG[5:1000005]
    check("a range", is_right, answer["heads"])
    summed = hashlib.sha256(BIG).hexdigest()
    length = [("content-length", str(len(BIG)))]
    for name, fields, trailers, heard in [
        ("a body", length, None, ""),
        ("a body of no known length", [], None, ""),
        ("trailers", [("te", "trailers"), ("trailer", "x-last")], [("x-last", "1")], "x-last: 1"),
    ]:
        answer = await client.ask("POST", "/echo", fields, BIG, trailers)
        head = answer["heads"][0]
        check(f"{name}, sent", (head["x-sum"], head["x-heard"]) == (summed, heard), answer["heads"])
        last = answer["heads"][-1].get("x-length")
        check(f"{name}, back", answer["body"] == BIG and last == str(len(BIG)), answer["heads"])
    answers = await asyncio.gather(*(client.ask("GET", f"/{number}") for number in range(100)))
    bodies = [answer["body"] for answer in answers]
    wanted = [f"you asked for /{number}".encode() for number in range(100)]
    check("a hundred at once", bodies == wanted, bodies)
    fields = [(f"x-{number}", "value," * number) for number in range(60)]
    answer = await client.ask("GET", "/fields", fields + [("cookie", "a=1"), ("cookie", "b=2")])
    check("many fields", answer["heads"][0][":status"] == "200", answer)


def certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "own.pem").write_bytes(made.public_bytes(pem))
    (folder / "own.key").write_bytes(key.private_bytes(pem, kind, plain))
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    named = key.public_key().public_bytes(serialization.Encoding.DER, public)
    return base64.b64encode(hashlib.sha256(named).digest()).decode()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(program, folder, origin):
    clear, secured = free_port(), free_port()
    (folder / "forebay.toml").write_text(
        f"""listen = ["127.0.0.1:{clear}"]
admin = "off"
[tls]
listen = ["127.0.0.1:{secured}"]
http3 = "on"
[[tls.certificate]]
certificate_file = "{folder}/own.pem"
key_file = "{folder}/own.key"
[[route]]
to = "http://127.0.0.1:{origin}"
"""
    )
    running = subprocess.Popen([program, "run", "--config", folder / "forebay.toml"])
    until = time.monotonic() + PATIENCE
    while running.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", secured)).close()
            return running, secured
        except ConnectionRefusedError:
            time.sleep(0.05)
    running.kill()
    sys.exit("the program does not listen")


async def talk(folder, port):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=HOST)
    configuration.load_verify_locations(cafile=str(folder / "own.pem"))
    configuration.verify_mode = ssl.CERT_REQUIRED
    async with connect(
        "127.0.0.1", port, configuration=configuration, create_protocol=Client
    ) as client:
        await cases(client)


def browse(browser, folder, port, key):
    flags = [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", f"--user-data-dir={folder}/browser", "--enable-quic",
        f"--origin-to-force-quic-on={HOST}:{port}",
        f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
        f"--ignore-certificate-errors-spki-list={key}",
    ]
    url = f"https://{HOST}:{port}/page"
    shown = subprocess.run(
        [browser, *flags, "--dump-dom", url], capture_output=True, text=True, timeout=4 * PATIENCE
    )
    # The origin has heard from the gateway which version the browser spoke.
    check("a page in a browser", "<p>3.0 " in shown.stdout, shown)


def main(program, browser=None):
    origin = Server(("127.0.0.1", 0), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        key = certificate(folder)
        running, port = start(os.path.abspath(program), folder, origin.server_port)
        try:
            asyncio.run(talk(folder, port))
            if browser:
                browse(browser, folder, port, key)
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait()


main(*sys.argv[1:])
