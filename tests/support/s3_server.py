"""An S3 server in memory, path style: objects, conditional writes, and signatures checked as AWS documents version 4."""
import hashlib
import hmac
import http.server
import threading
import urllib.parse

ACCESS_KEY, SECRET_KEY, REGION, BUCKET = "AKEXAMPLE", "secret/+example", "eu-test-1", "bucket"


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class S3Objects:
    """What a server holds; `refusals` tells why requests were answered with 403."""

    def __init__(self):
        self.objects, self.requests, self.refusals = {}, [], []
        self.lock = threading.Lock()

    def handler(self):
        store = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def refusal(self, body):
                """What is wrong with the signature, or None."""
                given = self.headers.get("Authorization", "")
                if not given.startswith("AWS4-HMAC-SHA256 "):
                    return "not signed"
                fields = dict(part.strip().split("=", 1) for part in given.split(" ", 1)[1].split(","))
                access_key, date, region, service, end = fields["Credential"].split("/")
                if (access_key, region, service, end) != (ACCESS_KEY, REGION, "s3", "aws4_request"):
                    return "a credential of others"
                if self.headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
                    return "another body"
                names = fields["SignedHeaders"].split(";")
                if not {"host", "x-amz-content-sha256", "x-amz-date"} <= set(names) or names != sorted(names):
                    return "headers left out"
                path, _, query = self.path.partition("?")
                encoded = urllib.parse.quote(urllib.parse.unquote(path), safe="/-._~")
                canonical = "\n".join([self.command, encoded, query,
                                       *["%s:%s" % (name, self.headers[name].strip()) for name in names], "",
                                       ";".join(names), self.headers["x-amz-content-sha256"]])
                time = self.headers["x-amz-date"]
                text = "\n".join(["AWS4-HMAC-SHA256", time, "/".join([date, region, service, end]),
                                  hashlib.sha256(canonical.encode()).hexdigest()])
                key = ("AWS4" + SECRET_KEY).encode()
                for part in (date, region, service, end):
                    key = sign(key, part)
                expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
                if not time.startswith(date) or fields["Signature"] != expected:
                    return "another signature"
                return None

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                store.requests.append((self.command, self.path))
                refusal = self.refusal(body)
                if refusal:
                    store.refusals.append(refusal)
                    return self.answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
                path = urllib.parse.unquote(self.path)
                if not path.startswith("/%s/" % BUCKET):
                    return self.answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
                with store.lock:
                    return self.work(path, body)

            def work(self, path, body):
                held = store.objects.get(path)
                tag = held is not None and '"%s"' % hashlib.md5(held).hexdigest()
                if self.command == "PUT":
                    if self.headers.get("If-None-Match") == "*" and held is not None:
                        return self.answer(412, b"")
                    if "If-Match" in self.headers and self.headers["If-Match"] != tag:
                        return self.answer(412 if held is not None else 404, b"")
                    store.objects[path] = body
                    return self.answer(200, b"", {"ETag": '"%s"' % hashlib.md5(body).hexdigest()})
                if held is None:
                    return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
                return self.answer(200, held, {"ETag": tag})

            def answer(self, status, body, headers=None):
                self.send_response(status)
                for key, value in (headers or {}).items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = serve

        return Handler
