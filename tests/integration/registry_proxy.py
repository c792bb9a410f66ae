"""A small HTTP proxy before a real registry, which puts faults in and notes what was asked."""
import http.client
import http.server

from loopback import LoopbackServer


class Proxy(LoopbackServer):
    """Hands requests to a real registry; `fault(method, path)` may answer instead: (status, headers, body) or None, or
    a function of the real body, or HALF (the real body, then the connection ends in its middle), or GONE (the
    connection ends without an answer)."""
    HALF, GONE = "half", "gone"

    def __init__(self, backend, fault):
        proxy = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy.requests.append((self.command, self.path))
                answer = fault(self.command, self.path)
                if isinstance(answer, tuple):
                    self.answer(*answer)
                    return
                if answer == proxy.GONE:
                    self.close_connection = True
                    return
                connection = http.client.HTTPConnection(backend, timeout=60)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "transfer-encoding")}
                connection.request(self.command, self.path, body=body, headers={**headers, "Host": self.headers["Host"]})
                response = connection.getresponse()
                data = response.read()
                connection.close()
                if callable(answer):
                    data = answer(data)
                self.answer(response.status, dict(response.getheaders()), data, len(data) // 2 if answer == proxy.HALF else None)

            def answer(self, status, headers, body, cut=None):
                self.send_response(status)
                length = headers.pop("Content-Length", None)
                for key, value in headers.items():
                    if key.lower() not in ("connection", "transfer-encoding", "date"):
                        self.send_header(key, value)
                self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body[:cut])
                self.close_connection = self.close_connection or cut is not None

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_one

        super().__init__(Handler)
