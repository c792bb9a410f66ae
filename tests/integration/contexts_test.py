"""Build contexts of every kind, through the real program: directories, stdin, git and http."""
import base64
import hashlib
import http.server
import io
import os
import shutil
import signal
import subprocess
import tarfile

from harness import SlipwayCase, main, need_program, wait_for_port
from loopback import LoopbackServer

COPY_ALL = "FROM scratch\nCOPY . /\n"
WITHOUT_RANGE = 54321


def tar_of(entries, compression=""):
    """A tar of {name: text or TarInfo}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:" + compression) as tar:
        for name, value in entries.items():
            if isinstance(value, tarfile.TarInfo):
                value.name = name
                tar.addfile(value)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value.encode()))
    return out.getvalue()


def link(target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


class Server(LoopbackServer):
    """Files over http, with ETags, and below /git/ a directory; remembers what it was asked."""

    def __init__(self, directory):
        self.files, self.asked, self.token = {}, [], None
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=directory)

            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers)))
                if outer.token and self.headers.get("Authorization", "").lower() != outer.token.lower():
                    self.answer(401, b"")
                elif self.path.startswith("/git/"):
                    super().do_GET()
                elif self.path not in outer.files:
                    self.answer(404, b"")
                else:
                    body = outer.files[self.path]
                    etag = '"%s"' % hashlib.sha256(body).hexdigest()
                    same = self.headers.get("If-None-Match") == etag
                    self.answer(304 if same else 200, b"" if same else body, etag)

            def answer(self, status, body, etag=None):
                self.send_response(status)
                if etag:
                    self.send_header("ETag", etag)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="x"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)


class Case(SlipwayCase):
    builds = 0

    def built(self, context, *args, stdin=None, **options):
        """{name: text} of the image that the build gives."""
        self.builds += 1
        dest = self.path("out%d" % self.builds)
        self.result = self.run_build(context, *args, "-o", "type=local,dest=" + dest, stdin=stdin, **options)
        files = {}
        for directory, _, names in os.walk(dest):
            for name in names:
                path = os.path.join(directory, name)
                with open(path, errors="replace") as file:
                    files[os.path.relpath(path, dest)] = file.read()
        return files

    def refused(self, code, *says, args, stdin=None, **options):
        result = self.run_build(*args, stdin=stdin, expect=code, **options)
        for text in says:
            self.assertIn(text, result.err)
        self.assertEqual(1, len([line for line in result.err.splitlines() if line.startswith("ERROR: ")]), result)
        return result

    def run_build(self, *args, stdin=None, **options):
        if stdin is None:
            return self.slipway("build", *args, **options)
        path = self.path("stdin")
        with open(path, "wb") as file:
            file.write(stdin if isinstance(stdin, bytes) else stdin.encode())
        with open(path, "rb") as file:
            return self.slipway("build", *args, stdin=file, **options)

    def server(self):
        server = Server(self.dir)
        self.addCleanup(server.close)
        return server

    def git(self, *args, directory="repo"):
        env = {"PATH": os.environ["PATH"], "HOME": self.dir, "GIT_CONFIG_NOSYSTEM": "1",
               "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
        result = subprocess.run(["git", "-C", self.path(directory), *args], env=env, capture_output=True, text=True)
        self.assertEqual(0, result.returncode, result.stderr)
        return result.stdout.strip()

    def repository(self, files, directory="repo"):
        """A git repository with one commit, whose id is returned."""
        need_program("git")
        os.makedirs(self.path(directory), exist_ok=True)
        if not os.path.exists(self.path(directory, ".git")):
            self.git("-c", "init.defaultBranch=main", "init", "-q", directory=directory)
        for name, text in files.items():
            self.write(os.path.join(directory, name), text)
        self.git("add", "-A", directory=directory)
        self.git("commit", "-q", "-m", "x", directory=directory)
        return self.git("rev-parse", "HEAD", directory=directory)

    def git_daemon(self):
        host, port = self.unused_address().split(":")
        daemon = subprocess.Popen(["git", "daemon", "--export-all", "--reuseaddr", "--base-path=" + self.dir,
                                   "--listen=" + host, "--port=" + port, self.dir],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                  env=dict(os.environ, GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory",
                                           GIT_CONFIG_VALUE_0="*"))

        def end():
            if daemon.poll() is None:  # git's front end has the daemon as a child
                os.killpg(daemon.pid, signal.SIGKILL)
                daemon.wait()

        self.addCleanup(end)
        wait_for_port(int(port), daemon)
        return "git://%s:%s/repo" % (host, port), end


class Directories(Case):
    def test_lower_case_dockerfile_is_found(self):
        self.write("c/dockerfile", COPY_ALL)
        self.assertEqual({"dockerfile": COPY_ALL}, self.built("c"))

    def test_dockerfile_may_be_ignored_and_is_used(self):
        context = self.context(COPY_ALL, {"a": "a", "b.log": "b", ".dockerignore": "Dockerfile\n.dockerignore\n*.log\n"})
        self.assertEqual({"a": "a"}, self.built(context))

    def test_ignore_file_of_the_dockerfile_wins(self):
        self.write("c/sub/X", COPY_ALL)
        self.write("c/sub/X.dockerignore", "sub\n.dockerignore\n")
        self.write("c/.dockerignore", "keep\n")
        self.write("c/keep", "k")
        self.assertEqual({"keep": "k"}, self.built("c", "-f", "c/sub/X"))

    def test_dockerfile_is_relative_to_here_or_else_to_the_context(self):
        self.write("c/D", "FROM scratch\nCOPY a /of-context\n")
        self.write("c/a", "a")
        self.assertEqual({"of-context": "a"}, self.built("c", "-f", "D"))
        self.write("D", "FROM scratch\nCOPY a /of-here\n")
        self.assertEqual({"of-here": "a"}, self.built("c", "-f", "D"))
        self.assertEqual({"of-here": "a"}, self.built("c", "-f", self.path("D")))

    def test_missing_dockerfile_names_the_near_one(self):
        self.write("c/Dokerfile", COPY_ALL)
        self.refused(2, "c/Dockerfile: no such file", "did you mean -f c/Dokerfile?", args=["c"])
        self.write("c/app.Dockerfile", COPY_ALL)
        self.refused(2, "c/web.Dockerfile: no such file", "did you mean -f c/app.Dockerfile?",
                     args=["c", "-f", "c/web.Dockerfile"])

    def test_dockerfile_on_stdin(self):
        context = self.context("RUBBISH\n", {"a": "a", ".dockerignore": "Dockerfile\n.dockerignore\n"})
        self.assertEqual({"a": "a"}, self.built(context, "-f", "-", stdin=COPY_ALL))

    def test_dockerfile_from_a_url(self):
        server = self.server()
        server.files["/D"] = b"FROM scratch\nCOPY a /b\n"
        self.assertEqual({"b": "a"}, self.built(self.context("RUBBISH\n", {"a": "a"}), "-f", server.url + "/D"))

    def test_what_is_no_context(self):
        self.refused(2, "no-such", "not a directory", args=["no-such"])
        self.refused(2, "contexts are directories", args=["ftp://example.com/x"])


class Input(Case):
    FILES = {"Dockerfile": COPY_ALL, "a": "a", "d/b.log": "b", ".dockerignore": "Dockerfile\n.dockerignore\n**/*.log\n"}

    def test_tars(self):
        for compression in ("", "gz", "bz2", "xz"):
            with self.subTest(compression):
                self.assertEqual({"a": "a"}, self.built("-", stdin=tar_of(self.FILES, compression)))

    def test_zstd(self):
        need_program("zstd")
        packed = subprocess.run(["zstd", "-c"], input=tar_of(self.FILES), capture_output=True, check=True).stdout
        self.assertEqual({"a": "a"}, self.built("-", stdin=packed))

    def test_dockerfile_within_the_tar(self):
        files = dict(self.FILES, **{"sub/X": "FROM scratch\nCOPY a /x\n"})
        self.assertEqual({"x": "a"}, self.built("-", "-f", "sub/X", stdin=tar_of(files)))
        self.refused(2, "sub/Y of stdin: no such file", "did you mean -f sub/X?", args=["-", "-f", "sub/Y"],
                     stdin=tar_of(files))

    def test_dockerfile_alone(self):
        self.assertEqual({}, self.built("-", stdin="FROM scratch\nWORKDIR /x\n"))
        self.refused(1, "looked in the build context stdin", "Dockerfile:2", args=["-"],
                     stdin="FROM scratch\nCOPY a /a\n")

    def test_conflicts(self):
        self.refused(2, "nothing came on stdin", args=["-"], stdin="")
        self.refused(2, "both come from stdin", args=["-", "-f", "-"], stdin=COPY_ALL)
        self.refused(2, "-f names another one", args=["-", "-f", "X"], stdin=COPY_ALL)

    def test_hostile_tars_reach_nothing_outside(self):
        outside = self.write("outside", "untouched")
        self.refused(1, "leads out", args=["-"], stdin=tar_of({"Dockerfile": COPY_ALL, "../../escaped": "x"}))
        self.refused(1, "entry \"h\"", args=["-"],
                     stdin=tar_of({"Dockerfile": COPY_ALL, "d": link(self.dir), "h": link("d/outside", tarfile.LNKTYPE)}))
        files = self.built("-", stdin=tar_of({"Dockerfile": "FROM scratch\nCOPY abs escaped /\n", "d": link("/"),
                                              "d/escaped": "x", "/abs": "y"}))
        self.assertEqual({"abs": "y", "escaped": "x"}, files)
        self.assertEqual("untouched", self.read(outside))
        # A link that leads out is one within the context when it is followed, and there it leads nowhere.
        self.refused(1, "Dockerfile:2", args=["-"],
                     stdin=tar_of({"Dockerfile": "FROM scratch\nCOPY x/ /x/\n", "x": link(outside)}))
        # Nor is the Dockerfile read through one.
        self.refused(2, "neither a regular file", args=["-"], stdin=tar_of({"Dockerfile": link(outside)}))

    def test_damaged_tar(self):
        self.refused(1, "the archive on stdin", args=["-"], stdin=tar_of(self.FILES, "gz")[:60])
        self.check_store()


class Git(Case):
    FILES = {"Dockerfile": COPY_ALL, "a": "one", "sub/Dockerfile": "FROM scratch\nCOPY b /\n", "sub/b": "b",
             ".dockerignore": "*ockerfile\nsub\n.dockerignore\n"}

    def test_branch_commit_and_subdirectory(self):
        first = self.repository(self.FILES)
        self.git("tag", "v1")
        self.repository({"a": "two"})
        url, stop = self.git_daemon()
        self.assertEqual({"a": "two"}, self.built(url))
        self.assertIn("[internal] load git source " + url, self.result.err)
        self.assertEqual({"a": "one"}, self.built(url + "#v1"))
        self.assertEqual({"b": "b"}, self.built(url + "#main:sub"))
        self.assertEqual({"b": "b"}, self.built(url + "?branch=main&subdir=sub"))
        self.assertEqual({"a": "one"}, self.built(url + "#" + first))
        self.refused(3, "was expected", args=[url + "?ref=main&checksum=" + first])
        self.refused(1, 'no branch or tag "mian"', "did you mean main?", args=[url + "#mian"])
        self.refused(1, "there is no such repository", args=[url + "-not"])
        stop()
        self.assertEqual({"a": "one"}, self.built(url + "#" + first))
        self.refused(3, args=[url])
        self.check_store()

    def test_git_directory_on_request(self):
        self.repository(self.FILES)
        url, _ = self.git_daemon()
        keep = ["--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1"]
        self.assertFalse([name for name in self.built(url) if name.startswith(".git/")])
        self.assertIn(".git/HEAD", self.built(url, *keep))
        self.assertIn(".git/HEAD", self.built(url + "?keep-git-dir=1"))

    def test_repository_of_this_machine(self):
        self.repository(self.FILES)
        self.assertEqual({"a": "one"}, self.built("file://" + self.path("repo")))

    def test_dumb_server_and_token(self):
        self.repository(self.FILES)
        self.git("clone", "-q", "--bare", self.path("repo"), self.path("git", "x.git"), directory="")
        self.git("update-server-info", directory="git/x.git")
        server = self.server()
        url = server.url + "/git/x.git"
        self.assertEqual({"a": "one"}, self.built(url))
        shutil.rmtree(self.root)
        server.token = "Basic " + base64.b64encode(b"x-access-token:sesame").decode()
        self.refused(4, "--secret id=GIT_AUTH_TOKEN.127.0.0.1", args=[url])
        env = {"TOKEN": "sesame"}
        self.assertEqual({"a": "one"}, self.built(url, "--secret", "id=GIT_AUTH_TOKEN,env=TOKEN", env=env))
        self.assertNotIn("sesame", self.result.err)
        self.built(url.replace("http://", "http://x-access-token:sesame@"))
        self.assertNotIn("sesame", self.result.err)
        self.assertFalse(subprocess.run(["grep", "-r", "sesame", self.root + "/git"], capture_output=True).stdout)

    def test_hostile_urls(self):
        self.repository({"Dockerfile": COPY_ALL})
        os.symlink("/", self.path("repo", "root"))
        self.repository({"x": "x"})
        url = "file://" + self.path("repo")
        self.refused(1, "no directory", args=[url + "#main:root/etc"])
        self.refused(2, "leads out", args=[url + "#main:../.."])
        self.refused(2, "no name of a branch", args=[url + "#--upload-pack=touch%20/tmp/x"])
        self.refused(2, "is no host", args=["ssh://-oProxyCommand=x/y"])
        self.refused(2, "not a directory", args=["ext::sh -c x"])


class Http(Case):
    def test_tar(self):
        server = self.server()
        server.files["/c.tar.gz"] = tar_of({"Dockerfile": COPY_ALL, "a": "a", ".dockerignore": "Dockerfile\n.dockerignore\n"}, "gz")
        self.assertEqual({"a": "a"}, self.built(server.url + "/c.tar.gz"))
        self.assertEqual({"a": "a"}, self.built(server.url + "/c.tar.gz"))
        self.assertIsNotNone(server.asked[1][1].get("If-None-Match"))
        server.files["/c.tar.gz"] = tar_of({"Dockerfile": COPY_ALL, "b": "b", ".dockerignore": "Dockerfile\n.dockerignore\n"})
        self.assertEqual({"b": "b"}, self.built(server.url + "/c.tar.gz"))
        self.check_store()

    def test_dockerfile(self):
        server = self.server()
        server.files["/D"] = b"FROM scratch\nCOPY context /itself\n"
        self.assertEqual({"itself": server.files["/D"].decode()}, self.built(server.url + "/D"))

    def test_errors(self):
        server = self.server()
        server.files["/page"] = b"<!DOCTYPE html><html></html>"
        self.refused(1, "/nothing: not found (404)", args=[server.url + "/nothing?signature=x"])
        self.refused(1, "is a web page", "must end in .git", args=[server.url + "/page"])
        server.token = "Bearer sesame"
        self.refused(4, "--secret id=HTTP_AUTH_TOKEN_127.0.0.1", args=[server.url + "/page"])
        server.files["/D"] = b"FROM scratch\nCOPY context /x\n"
        self.built(server.url + "/D", "--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,env=TOKEN", env={"TOKEN": "sesame"})
        self.refused(3, "cannot reach server", args=["http://%s/x" % self.unused_address()])


class Named(Case):
    """--build-context, read by FROM and COPY --from."""
    COPY_BASE = "FROM scratch\nCOPY --from=base . /\n"

    def named(self, value, dockerfile=COPY_BASE, *args):
        return self.built(self.context(dockerfile), "--build-context", "Base=" + value, *args)

    def test_directory_with_its_own_ignore_file(self):
        self.write("other/a", "a")
        self.write("other/b.log", "b")
        self.write("other/.dockerignore", "*.log\n.dockerignore\n")
        self.assertEqual({"a": "a"}, self.named("other"))
        self.assertEqual({"a": "a"}, self.named("other", "FROM base\n"))
        self.write("other/a", "changed")
        self.assertEqual({"a": "changed"}, self.named("other"))

    def test_git(self):
        self.repository({"a": "a", "sub/b": "b"})
        url, _ = self.git_daemon()
        self.assertEqual({"b": "b"}, self.named(url + "#main:sub"))
        self.assertIn("[context base] load from " + url, self.result.err)

    def test_http(self):
        server = self.server()
        server.files["/c.tar.gz"] = tar_of({"a": "a"}, "gz")
        self.assertEqual({"a": "a"}, self.named(server.url + "/c.tar.gz"))

    def test_image_and_layout(self):
        self.built(self.context("FROM scratch\nCOPY a /\nLABEL x=y\n", {"a": "a"}, name="first"), "-t", "app:1", "-o",
                   "type=oci,tar=false,dest=" + self.path("layout"))
        self.slipway("build", "-t", "app:1", self.path("first"))
        self.assertEqual({"a": "a"}, self.named("docker-image://app:1"))
        shutil.rmtree(self.root)
        self.assertEqual({"a": "a"}, self.named("oci-layout://layout:1"))
        self.assertEqual({"a": "a"}, self.named("oci-layout://layout", "FROM base\n"))
        digest = self.read_json(self.path("layout"), "index.json")["manifests"][0]["digest"]
        self.assertEqual({"a": "a"}, self.named("oci-layout://layout@" + digest))
        self.refused(1, 'no image tagged "2"', args=["context", "--build-context", "base=oci-layout://layout:2"])
        self.check_store()

    def test_stage(self):
        self.assertEqual({"a": "x"}, self.built(
            self.context("FROM scratch AS one\nCOPY a /a\nFROM scratch\nCOPY --from=lib / /\n", {"a": "x"}),
            "--build-context", "lib=target:one"))

    def test_bad_values(self):
        context = self.context(self.COPY_BASE)
        self.refused(2, "--build-context base", "docker-image://", args=[context, "--build-context", "base=nowhere"])
        self.refused(2, "NAME=VALUE", args=[context, "--build-context", "base"])


class Add(Case):
    """Remote sources of ADD."""

    def test_file(self):
        server = self.server()
        server.files["/dir/f.txt"] = b"one"
        context = self.context("FROM scratch\nADD %s/dir/f.txt /\n" % server.url)
        self.assertEqual({"f.txt": "one"}, self.built(context))
        self.assertEqual(0o600, os.stat(self.path("out1", "f.txt")).st_mode & 0o777)
        self.assertEqual({"f.txt": "one"}, self.built(context))
        self.assertIsNotNone(server.asked[1][1].get("If-None-Match"))
        self.assertIn("CACHED", self.result.err)
        server.files["/dir/f.txt"] = b"two"
        self.assertEqual({"f.txt": "two"}, self.built(context))
        del server.files["/dir/f.txt"]
        self.refused(1, "Dockerfile:2", "/dir/f.txt: not found (404)", args=[context])

    def test_checksum(self):
        server = self.server()
        server.files["/f"] = b"one"
        digest = hashlib.sha256(b"one").hexdigest()
        context = self.context("FROM scratch\nADD --checksum=sha256:%s %s/f /\n" % (digest, server.url))
        self.assertEqual({"f": "one"}, self.built(context))
        self.built(context)
        self.assertEqual(1, len(server.asked))
        wrong = self.context("FROM scratch\nADD --checksum=sha256:%s %s/f /\n" % ("0" * 64, server.url), name="wrong")
        self.refused(3, "ERROR: Dockerfile:2:1: building for", "/f", digest, "was expected", args=[wrong])

    def test_git(self):
        self.repository({"a": "a", "sub/b": "b"})
        url, stop = self.git_daemon()
        context = self.context("FROM scratch\nADD %s#main:sub /x/\n" % (url + ".git"))
        os.rename(self.path("repo"), self.path("repo.git"))
        self.assertEqual({"x/b": "b"}, self.built(context))
        self.assertEqual({"x/b": "b"}, self.built(context))
        self.assertIn("CACHED", self.result.err)
        self.refused(1, "Dockerfile:2", "did you mean main?",
                     args=[self.context("FROM scratch\nADD %s#mian /x/\n" % (url + ".git"), name="wrong")])
        stop()
        self.refused(3, "Dockerfile:2", args=[context])


class Rootless(Case):
    user = WITHOUT_RANGE

    def test_tar_and_git(self):
        files = {"Dockerfile": COPY_ALL, "a": "a", ".dockerignore": "Dockerfile\n.dockerignore\n"}
        self.assertEqual({"a": "a"}, self.built("-", stdin=tar_of(files, "gz")))
        self.repository(files)
        url, _ = self.git_daemon()
        self.assertEqual({"a": "a"}, self.built(url))
        server = self.server()
        server.files["/c.tar"] = tar_of(files)
        self.assertEqual({"a": "a"}, self.built(server.url + "/c.tar"))


if __name__ == "__main__":
    main()
