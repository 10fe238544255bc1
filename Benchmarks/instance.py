"""An instance of Quire for a benchmark, built in .build/release, and what is sent to it."""
import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRODUCTS = ROOT / ".build" / "release"


class Instance:
    """nginx, supervisor and responder on a free port, with a data directory of their own."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="quire-check-"))
        self.directory.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = dict(
            os.environ, PORT=str(self.port), VECTOR_DB_DATA_DIR=str(self.directory / "data"), RUN_DIRECTORY=str(self.directory / "run"))
        prefix = subprocess.run(
            [PRODUCTS / "quire", "nginx", "render"], env=self.environment, check=True, capture_output=True, text=True).stdout.strip()
        self.log = open(self.directory / "log", "w")
        self.server = subprocess.Popen([PRODUCTS / "quire-server"], env=self.environment, stdout=self.log, stderr=self.log)
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        self.nginx = subprocess.Popen(
            [nginx, "-p", prefix, "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"], stdout=self.log, stderr=self.log)
        try:
            self.wait_until_ready()
        except SystemExit:
            for process in (self.nginx, self.server):
                process.terminate()
                process.wait()
            raise

    def responder(self):
        children = pathlib.Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def wait_until_ready(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                status, _ = Client(self.port).call("GET", "/ready")
                if status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.002)
        sys.exit(f"the server did not become ready; see {self.directory}/log")

    def anonymous_memory(self):
        status = pathlib.Path(f"/proc/{self.responder()}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status).group(1)) * 1024

    def processor_seconds(self):
        """Used so far by the responder, and by nginx."""
        def used(pid):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        workers = pathlib.Path(f"/proc/{self.nginx.pid}/task/{self.nginx.pid}/children").read_text().split()
        return used(self.responder()), sum(map(used, workers))

    def kill_and_wait(self):
        """Seconds from kill -9 of the responder to the first 200 of /ready by its successor.

        It has run for half a minute: the supervisor makes longer and longer pauses after those that had not.
        """
        victim = self.responder()
        ticks = int(pathlib.Path(f"/proc/{victim}/stat").read_text().rsplit(")", 1)[1].split()[19])
        time.sleep(max(0, ticks / os.sysconf("SC_CLK_TCK") + 31 - time.clock_gettime(time.CLOCK_BOOTTIME)))
        start = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        while self.responder() in (victim, None):
            time.sleep(0.001)
        self.wait_until_ready()
        return time.monotonic() - start

    def stop(self):
        for process in (self.nginx, self.server):
            process.terminate()
            process.wait()
        shutil.rmtree(self.directory)


class Client:
    """One keep-alive connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def call(self, method, path, body=None):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        self.connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        reply = self.connection.getresponse()
        return reply.status, reply.read()

    def expect(self, expected, method, path, body=None):
        status, reply = self.call(method, path, body)
        if status != expected:
            sys.exit(f"{method} {path}: {status} instead of {expected}: {reply[:500]!r}")
        return json.loads(reply) if reply else None


def ingest(port, path, bodies, connections=4):
    """Posts all bodies over several connections; returns seconds."""
    clients = [Client(port) for _ in range(connections)]

    def work(client, part):
        for body in part:
            client.expect(201, "POST", path, body)

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(connections) as pool:
        list(pool.map(work, clients, [bodies[i::connections] for i in range(connections)]))
    return time.monotonic() - start


def encoded(vector):
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()


def vector_bodies(texts, vectors, per_document):
    for start in range(0, len(texts), per_document):
        rows = range(start, min(start + per_document, len(texts)))
        chunks = [{"text": texts[i], "embedding": encoded(vectors[i]), "page_number": i} for i in rows]
        yield json.dumps({"title": f"glosses from {start}", "chunks": chunks}).encode()


def recall(replies, vectors, queries, k=10):
    """Share of the true nearest k that were found; a neighbour as near as the k-th, up to 1e-6, is as good."""
    hits = 0
    for reply, query in zip(replies, queries):
        distances = 1 - (vectors @ query) / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))
        bound = np.partition(distances, k - 1)[k - 1] + 1e-6
        found = {result["chunk"]["metadata"]["page_number"] for result in reply["results"]}
        hits += sum(distances[row] <= bound for row in found)
    return hits / (k * len(queries))
