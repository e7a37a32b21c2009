"""Ratings. With FAIL_EVERY=N each Nth answer is a 503: the failing endpoint of the demo."""
import itertools
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

fail_every = int(os.environ.get("FAIL_EVERY", "0"))
count = itertools.count(1)


class Ratings(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; held back for one another they would take 40 ms.
    disable_nagle_algorithm = True

    def do_GET(self):
        failing = fail_every > 0 and self.path != "/healthz" and next(count) % fail_every == 0
        body = json.dumps({"error": "out of memory"} if failing else {"stars": [5, 4]}).encode()
        self.send_response(503 if failing else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ratings)
server.daemon_threads = True
server.serve_forever()
