"""A model provider for the smoke test, small enough for a ConfigMap: lists one model to whoever has the key.

It is run inside the cluster by the Python of the operator's image, so it imports nothing but the standard library.
"""

import argparse
import hmac
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Provider(BaseHTTPRequestHandler):
    """Answers GET /v1/models as OpenAI's API does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer any path; a wrong key is rejected."""
        expected = f"Bearer {os.environ['PROVIDER_KEY']}"
        if hmac.compare_digest(self.headers.get("Authorization", ""), expected):
            self._answer(200, {"object": "list", "data": [{"id": "smoke-model", "object": "model"}]})
        else:
            self._answer(401, {"error": {"code": "invalid_api_key", "message": "Incorrect API key provided."}})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # a Pod is reached from outside
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    ThreadingHTTPServer((options.host, options.port), Provider).serve_forever()


if __name__ == "__main__":
    main()
