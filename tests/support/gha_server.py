"""GitHub's cache service, in both versions, and the blob store behind it, in memory: entries by key and scope, never changed
once finished, at signed addresses; blobs written whole or in blocks (version 1: in ranges), read with ranges."""
import base64
import http.server
import itertools
import json
import re
import threading
import urllib.parse
import xml.etree.ElementTree

SERVICE_V1 = "/_apis/artifactcache/"
SERVICE = "/twirp/github.actions.results.api.v1.CacheService/"
SIGNATURE = base64.urlsafe_b64encode(b"signature").decode()


def token(*scopes):
    """A token for (scope, permission) pairs: 1 reads, 2 writes."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    access = [{"Scope": scope, "Permission": permission} for scope, permission in scopes]
    return ".".join([part({"alg": "none"}), part({"ac": json.dumps(access), "exp": 4102444800, "nbf": 0}), SIGNATURE])


def scopes_of(text):
    middle = text.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return [(entry["Scope"], entry["Permission"]) for entry in json.loads(claims["ac"])]


class CacheService:
    """`entries` are finished (scope, key, version) -> blob's number, the newest last; `busy` counts down answers of 429."""

    def __init__(self):
        self.entries, self.reserved, self.blobs, self.blocks = {}, {}, {}, {}
        self.requests, self.problems, self.busy = [], [], 0
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()

    def keys(self):
        return [key for _, key, _ in self.entries]

    def find(self, scopes, wanted, prefixes, version):
        """Of the first scope that has one: the very key, or else the newest that begins so."""
        for scope, _ in scopes:
            if (scope, wanted, version) in self.entries:
                return wanted, self.entries[scope, wanted, version]
            for prefix in prefixes:
                for (of, key, of_version), number in reversed(self.entries.items()):
                    if of == scope and of_version == version and key.startswith(prefix):
                        return key, number
        return None

    def handler(self):
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                body = self.body()
                service.requests.append((self.command, self.path))
                with service.lock:
                    if self.path.startswith("/blobs/"):
                        return self.blob(body)
                    if self.path.startswith(SERVICE_V1):
                        return self.call_v1(self.path[len(SERVICE_V1):], body)
                    if not self.path.startswith(SERVICE):
                        return self.answer(404, b"")
                    return self.call(self.path[len(SERVICE):], body)

            def body(self):
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def call_v1(self, path, body):
                text = self.headers.get("Authorization", "").partition(" ")[2]
                if "api-version=" not in self.headers["Accept"] or not text.endswith("." + SIGNATURE):
                    return self.answer(401, b'{"message":"another token"}')
                scopes = scopes_of(text)
                if self.command == "GET":
                    query = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(path).query))
                    keys = query["keys"].split(",")
                    found = service.find(scopes, keys[0], keys, query["version"])
                    if not found:
                        return self.answer(204, b"")
                    return self.json({"cacheKey": found[0], "archiveLocation": self.sign(found[1])})
                if path == "caches":
                    asked = json.loads(body)
                    place = (scopes[0][0], asked["key"], asked["version"])
                    if place in service.entries or place in service.reserved:
                        return self.answer(409, b'{"typeKey":"ArtifactCacheItemAlreadyExistsException","message":"exists"}')
                    service.reserved[place] = next(service.numbers)
                    return self.json({"cacheId": service.reserved[place]})
                number = int(path.split("/")[1])
                if self.command == "PATCH":
                    start, end = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/\*", self.headers["Content-Range"]).groups())
                    if end - start + 1 != len(body):
                        service.problems.append("another range: %s" % self.headers["Content-Range"])
                    held = service.blobs.get(number, b"")
                    service.blobs[number] = held[:start].ljust(start, b"\0") + body + held[end + 1:]
                    return self.answer(204, b"")
                place, = [place for place, reserved in service.reserved.items() if reserved == number]
                if len(service.blobs.get(number, b"")) != json.loads(body)["size"]:
                    service.problems.append("finished without its bytes: %s" % path)
                service.entries[place] = service.reserved.pop(place)
                return self.answer(204, b"")

            def call(self, method, body):
                if service.busy > 0:
                    service.busy -= 1
                    return self.answer(429, b'{"code":"resource_exhausted","msg":"too fast"}', {"Retry-After": "0"})
                kind, _, text = self.headers.get("Authorization", "").partition(" ")
                if kind != "Bearer" or not text.endswith("." + SIGNATURE):
                    return self.twirp(401, "unauthenticated", "another token")
                if self.command != "POST" or self.headers["Content-Type"] != "application/json":
                    return self.twirp(404, "bad_route", "no such method")
                asked, scopes = json.loads(body), scopes_of(text)
                place = (next((scope for scope, permission in scopes if permission & 2), None), asked["key"], asked["version"])
                if not re.fullmatch("[^,]{1,512}", asked["key"]):
                    return self.twirp(400, "invalid_argument", "a bad key")
                return getattr(self, method)(asked, scopes, place)

            def GetCacheEntryDownloadURL(self, asked, scopes, _):
                found = service.find(scopes, asked["key"], asked["restore_keys"], asked["version"])
                if not found:
                    return self.json({"ok": False, "signed_download_url": "", "matched_key": ""})
                return self.json({"ok": True, "signed_download_url": self.sign(found[1]), "matched_key": found[0]})

            def CreateCacheEntry(self, asked, scopes, place):
                if place[0] is None:
                    return self.twirp(403, "permission_denied", "the token may only read")
                if place in service.entries or place in service.reserved:
                    return self.twirp(409, "already_exists", "cache entry with the same key, version, and scope already exists")
                service.reserved[place] = next(service.numbers)
                return self.json({"ok": True, "signed_upload_url": self.sign(service.reserved[place])})

            def FinalizeCacheEntryUpload(self, asked, scopes, place):
                number = service.reserved.get(place)
                if number is None or len(service.blobs.get(number, b"")) != int(asked["size_bytes"]):
                    service.problems.append("finished without its bytes: %s" % asked)
                    return self.twirp(404, "not_found", "no such upload")
                service.entries[place] = service.reserved.pop(place)
                return self.json({"ok": True, "entry_id": str(number)})

            def sign(self, number):
                return "http://%s/blobs/%d?se=2099&sig=secret%%2Bsignature" % (self.headers["Host"], number)

            def blob(self, body):
                url = urllib.parse.urlparse(self.path)
                query, number = dict(urllib.parse.parse_qsl(url.query)), int(url.path.split("/")[2])
                if query.get("sig") != "secret+signature" or "Authorization" in self.headers:
                    service.problems.append("a bad address: %s" % self.path)
                    return self.answer(403, b"<Error><Code>AuthenticationFailed</Code></Error>")
                if self.command == "GET":
                    return self.read(service.blobs.get(number))
                return self.write(number, query, body)

            def read(self, held):
                if held is None:
                    return self.answer(404, b"<Error><Code>BlobNotFound</Code></Error>")
                wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
                if not wanted:
                    return self.answer(200, held)
                start = int(wanted.group(1))
                return self.answer(206, held[start:], {"Content-Range": "bytes %d-%d/%d" % (start, len(held) - 1, len(held))})

            def write(self, number, query, body):
                if query.get("comp") == "block":
                    service.blocks[number, query["blockid"]] = body
                elif query.get("comp") == "blocklist":
                    names = [entry.text for entry in xml.etree.ElementTree.fromstring(body)]
                    service.blobs[number] = b"".join(service.blocks[number, name] for name in names)
                elif self.headers.get("x-ms-blob-type") == "BlockBlob":
                    service.blobs[number] = body
                else:
                    return self.answer(400, b"<Error><Code>MissingRequiredHeader</Code></Error>")
                return self.answer(201, b"")

            def json(self, value):
                self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

            def twirp(self, status, code, message):
                self.answer(status, json.dumps({"code": code, "msg": message}).encode(), {"Content-Type": "application/json"})

            def answer(self, status, body, headers=None):
                self.send_response(status)
                for key, value in (headers or {}).items():
                    self.send_header(key, value)
                self.send_header("x-ms-request-id", str(len(service.requests)))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PATCH = do_POST = do_PUT = serve

        return Handler
