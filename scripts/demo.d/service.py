"""The other service of the demo: the standard library's threading server with real keep-alive."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = json.dumps({"service": "python", "reviews": ["good", "better"] * 8}).encode()


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One segment per answer: without it the head and the body wait for each other's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)
        self.wfile.flush()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.do_GET()

    def log_message(self, *_):
        pass


ThreadingHTTPServer.request_queue_size = 128
service = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Service)
service.daemon_threads = True
print(f"listening {service.server_address[1]}", flush=True)
service.serve_forever()
