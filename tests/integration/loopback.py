"""HTTP servers of the tests: on loopback, on a thread of their own, until they are closed."""
import http.server
import threading


class LoopbackServer:
    """Serves by `handler`, a BaseHTTPRequestHandler, whose requests are not printed. `host` is HOST:PORT."""

    def __init__(self, handler):
        quiet = type("Handler", (handler,), {"log_message": lambda *_: None})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), quiet)
        self.host = "127.0.0.1:%d" % self.server.server_address[1]
        self.url = "http://" + self.host
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
