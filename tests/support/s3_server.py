"""An S3 server in memory, path style: objects, conditional writes, uploads in parts, and signatures checked as AWS
documents version 4."""
import hashlib
import hmac
import http.server
import re
import threading
import urllib.parse

ACCESS_KEY, SECRET_KEY, REGION, BUCKET = "AKEXAMPLE", "secret/+example", "eu-test-1", "bucket"


LEAST_PART = 5 << 20


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class S3Objects:
    """What a server holds; `refusals` tells why requests were answered with 403. `uploads` are those not ended, each with its
    object's path and its parts. `fault` may name a status for a request (command, path) instead of its work."""

    def __init__(self):
        self.objects, self.uploads, self.requests, self.refusals = {}, {}, [], []
        self.fault = lambda command, path: None
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
                fault = store.fault(self.command, self.path)
                if fault:
                    return self.answer(fault, b"<Error><Code>Fault</Code></Error>")
                path, _, query = self.path.partition("?")
                path = urllib.parse.unquote(path)
                if not path.startswith("/%s/" % BUCKET):
                    return self.answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
                with store.lock:
                    if query:
                        return self.work_in_parts(path, dict(urllib.parse.parse_qsl(query, keep_blank_values=True)), body)
                    return self.work(path, body)

            def work_in_parts(self, path, query, body):
                if self.command == "POST" and query == {"uploads": ""}:
                    name = "upload/%d+=" % len(store.requests)
                    store.uploads[name] = (path, {})
                    return self.answer(200, ("<InitiateMultipartUploadResult><UploadId>%s</UploadId>"
                                             "</InitiateMultipartUploadResult>" % name).encode())
                known, parts = store.uploads.get(query["uploadId"], (None, {}))
                if known != path:
                    return self.answer(404, b"<Error><Code>NoSuchUpload</Code></Error>")
                if self.command == "PUT":
                    parts[int(query["partNumber"])] = body
                    return self.answer(200, b"", {"ETag": '"%s"' % hashlib.md5(body).hexdigest()})
                if self.command == "DELETE":
                    del store.uploads[query["uploadId"]]
                    return self.answer(204, b"")
                return self.complete(path, query["uploadId"], parts, body.decode())

            def complete(self, path, name, parts, asked):
                listed = [(int(number), tag) for number, tag in
                          re.findall(r"<Part><PartNumber>(\d+)</PartNumber><ETag>([^<]*)</ETag></Part>", asked)]
                if listed != sorted((number, '"%s"' % hashlib.md5(part).hexdigest()) for number, part in parts.items()):
                    return self.answer(200, b"<Error><Code>InvalidPart</Code></Error>")
                if any(len(parts[number]) < LEAST_PART for number, _ in listed[:-1]):
                    return self.answer(200, b"<Error><Code>EntityTooSmall</Code></Error>")
                store.objects[path] = b"".join(parts[number] for number, _ in listed)
                del store.uploads[name]
                return self.answer(200, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")

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

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

        return Handler
