"""What the cases' builds talk to, all on loopback: a registry with base images, and one server for files and git."""
import gzip
import hashlib
import http.server
import json
import os
import subprocess
import urllib.parse
import urllib.request

import engines  # noqa: F401  puts the harness on the path
from loopback import LoopbackServer

MEDIA = "application/vnd.oci.image."
CREATED = "2023-11-14T22:13:20Z"
CONFIG = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["sh"]}
ARCHES = {"linux/amd64": ("amd64", {}), "linux/arm64": ("arm64", {}), "linux/arm/v7": ("armhf", {"variant": "v7"})}


class Bases:
    """Base images in a registry: busybox of three platforms, with whatever configuration."""

    def __init__(self, host, cache):
        self.host, self.layers = host, {}
        for platform, (debian, _) in ARCHES.items():
            with open(os.path.join(cache, "busybox-%s.tar" % debian), "rb") as file:
                tar = file.read()
            self.layers[platform] = ("sha256:" + hashlib.sha256(tar).hexdigest(), gzip.compress(tar, 5, mtime=0))

    def diff_ids(self):
        return {diff_id for diff_id, _ in self.layers.values()}

    def push(self, name, config=None, platforms=None):
        """`config`: fields that replace or join those of an ordinary base."""
        manifests = []
        for platform in platforms or ARCHES:
            diff_id, blob = self.layers[platform]
            os_name, architecture = platform.split("/")[:2]
            variant = ARCHES[platform][1]
            document = {"created": CREATED, "architecture": architecture, "os": os_name, **variant, "config": {**CONFIG, **(config or {})},
                        "rootfs": {"type": "layers", "diff_ids": [diff_id]}, "history": [{"created": CREATED, "created_by": "base"}]}
            manifest = {"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json",
                        "config": self.blob(name, json.dumps(document).encode(), MEDIA + "config.v1+json"),
                        "layers": [self.blob(name, blob, MEDIA + "layer.v1.tar+gzip")]}
            manifests.append({**self.manifest(name, manifest),
                              "platform": {"os": os_name, "architecture": architecture, **variant}})
        self.manifest(name, {"schemaVersion": 2, "mediaType": MEDIA + "index.v1+json", "manifests": manifests}, "latest")

    def blob(self, name, data, media_type):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        start = urllib.request.Request("http://%s/v2/%s/blobs/uploads/" % (self.host, name), data=b"", method="POST")
        with urllib.request.urlopen(start) as answer:
            location = answer.headers["Location"]
        self.put(location + ("&" if "?" in location else "?") + "digest=" + digest, data, "application/octet-stream")
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def manifest(self, name, document, tag=None):
        data = json.dumps(document).encode()
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.put("http://%s/v2/%s/manifests/%s" % (self.host, name, tag or digest), data, document["mediaType"])
        return {"mediaType": document["mediaType"], "digest": digest, "size": len(data)}

    @staticmethod
    def put(url, data, media_type):
        request = urllib.request.Request(url, data=data, method="PUT", headers={"Content-Type": media_type})
        urllib.request.urlopen(request).close()


class Files(http.server.BaseHTTPRequestHandler):
    """GROUP/CASE/NAME is the file NAME in the case's `www`; NAME.git/... is a repository there, by git's own program."""
    protocol_version = "HTTP/1.1"
    root = None

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        parts = urllib.parse.unquote(url.path).strip("/").split("/")
        if ".." in parts or len(parts) < 3:
            return self.answer(404, b"")
        path = os.path.join(self.root, *parts[:2], "www", *parts[2:])
        if any(part.endswith(".git") for part in parts[2:]):
            return self.git(os.path.join(self.root, *parts[:2], "www"), "/" + "/".join(parts[2:]), url.query)
        if not self.allowed(parts) or not os.path.isfile(path):
            return self.answer(404 if self.allowed(parts) else 401, b"")
        with open(path, "rb") as file:
            data = file.read()
        headers = {"ETag": '"%s"' % hashlib.sha256(data).hexdigest(), "Content-Type": "application/octet-stream",
                   "Last-Modified": self.date_time_string(os.stat(path).st_mtime)}
        self.answer(200, data, headers)

    do_POST = do_HEAD = do_GET

    def allowed(self, parts):
        """Files in a folder `private` want the token."""
        return "private" not in parts or self.headers.get("Authorization") == "Bearer conformance"

    def answer(self, status, data, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def git(self, root, path, query):
        body = self.body()
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
               "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
               "REMOTE_ADDR": "127.0.0.1", "GIT_CONFIG_COUNT": "3", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
               "GIT_CONFIG_KEY_1": "uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_1": "true",
               "GIT_CONFIG_KEY_2": "uploadpack.allowFilter", "GIT_CONFIG_VALUE_2": "true"}
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=env, check=False)
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.answer(int(headers.pop("Status", "200").split()[0]), data, headers)

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while True:
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body


class FileServer(LoopbackServer):
    def __init__(self, root):
        handler = type("Handler", (Files,), {"root": root})
        super().__init__(handler)
