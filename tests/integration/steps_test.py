"""What a step sees and what it leaves: mounts, users, environment, network, layers."""
import gzip
import hashlib
import json
import os
import secrets
import sqlite3
import tarfile

from harness import AMD64, ARM64, SLIPWAY, SlipwayCase, main, need, need_program, run, step_lines


def places_of(text, directory):
    """Where under `directory` the text is: any file, as it is or unpacked, and any row of a database."""
    found = []
    for folder, _, names in os.walk(directory):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            if text.encode() in data:
                found.append(path)
            # A tar file holds its files as they are, so the unpacked stream can be searched as a whole.
            if data[:2] == b"\x1f\x8b" and text.encode() in gzip.decompress(data):
                found.append(path + " (unpacked)")
            if data[:16] == b"SQLite format 3\0" and any(text in row for row in rows_of(path)):
                found.append(path + " (rows)")
    return found


def rows_of(path):
    database = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    try:
        for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in database.execute('select * from "%s"' % table):
                yield " ".join(cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell) for cell in row)
    finally:
        database.close()


class Steps(SlipwayCase):
    def setUp(self):
        super().setUp()
        self.import_busybox()

    def built(self, dockerfile, files=None, *args, platforms=AMD64):
        """The files of the result."""
        self.build(self.context(dockerfile, files), "-o", self.path("out"), *args, platforms=platforms)
        return self.path("out")

    def test_kernel_file_systems_are_there_and_leave_nothing(self):
        out = self.built("FROM busybox\nRUN test -r /proc/self/status && test -c /dev/null && test -d /sys/kernel && "
                         "test -s /etc/hosts && test -e /etc/resolv.conf && echo fine > /result\n")
        self.assertEqual("fine\n", self.read(out, "result"))
        self.assertFalse(os.path.exists(os.path.join(out, "etc/hosts")))
        self.assertFalse(os.path.exists(os.path.join(out, "etc/resolv.conf")))
        self.assertEqual([], os.listdir(os.path.join(out, "proc")))

    def test_names_are_asked_for_where_the_machine_asks(self):
        need(os.geteuid() == 0, "only root can give the machine other name servers")
        need_program("proot")
        asked = self.write("resolv.conf", "nameserver 192.0.2.53\nsearch example.test\noptions ndots:2\n")
        context = self.context("FROM busybox\nRUN cat /etc/resolv.conf > /seen\n")
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        for isolation in ("oci", "chroot", "proot"):
            run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, asked, SLIPWAY, "build", "--platform", AMD64,
                 "--no-cache", "-o", self.path(isolation), context], cwd=self.dir,
                env=self.environment({"SLIPWAY_ISOLATION": isolation}))
            self.assertEqual(self.read(asked), self.read(self.path(isolation), "seen"))
            self.assertFalse(os.path.exists(self.path(isolation, "etc/resolv.conf")))

    def test_layer_holds_what_the_step_changed_and_no_more(self):
        context = self.context("FROM busybox\nRUN echo a > /new && rm /etc/group && mkdir -p /d/e\n")
        self.build(context, "-t", "x", "-o", "type=oci,tar=false,dest=" + self.path("layout"), platforms=AMD64)
        manifest, config = self.layout_image(self.path("layout"), AMD64)
        self.assertEqual(2, len(manifest["layers"]))
        self.assertEqual(2, len(config["rootfs"]["diff_ids"]))
        with tarfile.open(self.blob_path(self.path("layout"), manifest["layers"][1]["digest"])) as tar:
            names = sorted(tar.getnames())
        self.assertEqual(["d", "d/e", "etc", "etc/.wh.group", "new"], names)

    def test_whiteouts_and_opaque_directories_reach_other_tools(self):
        context = self.context("FROM busybox\nRUN mkdir /d && echo 1 > /d/old && echo 1 > /gone\n"
                               "RUN rm -r /d /gone && mkdir /d && echo 2 > /d/new\n")
        self.build(context, "-t", "x", "-o", "type=oci,tar=false,dest=" + self.path("layout"), platforms=AMD64)
        root = self.unpack(self.path("layout"), AMD64)
        self.assertEqual(["new"], os.listdir(os.path.join(root, "d")))
        self.assertFalse(os.path.exists(os.path.join(root, "gone")))

    def test_whiteouts_of_a_base_image_are_honoured(self):
        context = self.context("FROM busybox\nRUN mkdir /d && echo 1 > /d/old && echo 1 > /gone\n"
                               "RUN rm -r /d /gone && mkdir /d && echo 2 > /d/new\n")
        self.build(context, "-t", "base", platforms=AMD64)
        self.run_in_other_store(context)

    def run_in_other_store(self, context):
        registry = self.registry()
        name = registry.host + "/base:1"
        self.build(context, "-t", name, "--push", platforms=AMD64)
        other = self.context("FROM %s\nRUN ls /d > /listing; test ! -e /gone\n" % name, name="other")
        self.slipway("build", "-o", self.path("o"), other, root=self.path("second-store"))
        self.assertEqual("new\n", self.read(self.path("o"), "listing"))
        self.check_store(root=self.path("second-store"))

    def test_user_workdir_env_and_arg(self):
        out = self.built("FROM busybox\nARG WHO=nobody\nENV GREETING=hello\nWORKDIR /w\nRUN chmod 777 /w\nUSER app\n"
                         "RUN echo $GREETING $WHO $(id -u):$(id -g) $HOME > out\n", None, "--build-arg", "WHO=you")
        self.assertEqual("hello you 1000:1000 /home\n", self.read(out, "w", "out"))

    def test_exec_form_runs_no_shell(self):
        out = self.built('FROM busybox\nRUN ["touch", "/$HOME"]\n')
        self.assertTrue(os.path.exists(os.path.join(out, "$HOME")))

    def test_copy_forms(self):
        out = self.built("FROM busybox AS s\nRUN mkdir -p /tree/sub && echo deep > /tree/sub/f && ln -s f /tree/sub/l\n"
                         "FROM scratch\nCOPY --chmod=0600 a /dir/\nCOPY b* /many/\nCOPY --from=s /tree /copied\n"
                         "COPY sub /sub\n", {"a": "a", "b1": "1", "b2": "2", "sub/x": "x", "sub/no.log": "",
                                             ".dockerignore": "**/*.log\n"})
        self.assertEqual(0o600, os.stat(os.path.join(out, "dir/a")).st_mode & 0o777)
        self.assertEqual(["b1", "b2"], sorted(os.listdir(os.path.join(out, "many"))))
        self.assertEqual("f", os.readlink(os.path.join(out, "copied/sub/l")))
        self.assertEqual(["x"], os.listdir(os.path.join(out, "sub")))

    def test_chown_by_name_is_of_the_target(self):
        context = self.context("FROM busybox\nCOPY --chown=app:app a /a\nCOPY a /b\n", {"a": "a"})
        self.build(context, "-t", "x", "-o", "type=oci,tar=false,dest=" + self.path("layout"), platforms=AMD64)
        manifest, _ = self.layout_image(self.path("layout"), AMD64)
        owners = {}
        for layer in manifest["layers"][1:]:
            with tarfile.open(self.blob_path(self.path("layout"), layer["digest"])) as tar:
                owners.update({m.name: (m.uid, m.gid) for m in tar})
        self.assertEqual({"a": (1000, 1000), "b": (0, 0)}, owners)

    def test_network_is_the_hosts_by_default(self):
        registry = self.registry()
        out = self.built("FROM busybox\nRUN wget -q -O /answer http://%s/v2/\n" % registry.host)
        self.assertEqual("{}", self.read(out, "answer"))

    def test_network_none_has_no_way_out(self):
        out = self.built("FROM busybox\nRUN --network=none cat /proc/net/dev > /devices\n")
        devices = [line.split(":")[0].strip() for line in self.read(out, "devices").splitlines()[2:]]
        self.assertEqual(["lo"], devices)

    def test_secret_is_seen_by_its_step_only(self):
        secret = secrets.token_hex(16)
        self.write("key", secret)
        known_by = "sha256sum | grep -q ^" + hashlib.sha256(secret.encode()).hexdigest()
        context = self.context(
            "FROM busybox\n"
            "RUN --mount=type=secret,id=key,mode=0400 cat /run/secrets/key | %s && echo ok > /ok\n"
            "RUN --mount=type=secret,id=key,env=TOKEN printf %%s $TOKEN | %s\n"
            "RUN test ! -e /run/secrets/key && test -z \"$TOKEN\" && ! cat /run/secrets/* 2>/dev/null\n" % (known_by, known_by))
        key = ["--secret", "id=key,src=" + self.path("key")]
        result = self.build(context, "-t", "x", *key, "-o", self.path("out"), "-o", "type=image",
                            "--metadata-file", self.path("m.json"), platforms=AMD64)
        self.assertEqual("ok\n", self.read(self.path("out"), "ok"))
        self.assertFalse(os.path.exists(self.path("out", "run/secrets")))
        self.assertNotIn(secret, result.out + result.err + self.read(self.path("m.json")))
        self.assertEqual([], places_of(secret, self.root))
        self.assertEqual([], places_of(secret, self.path("out")))
        self.the_search_finds(secret, key)

    def the_search_finds(self, secret, key):
        """The control: steps that give the secret away on purpose are found out."""
        self.build(self.context("FROM busybox\nRUN --mount=type=secret,id=key cp /run/secrets/key /leak\n", name="leak"),
                   "-t", "leak", *key, platforms=AMD64)
        found = places_of(secret, self.root)
        self.assertTrue([place for place in found if "snapshots/" in place], found)
        self.assertTrue([place for place in found if "blobs/" in place and place.endswith("(unpacked)")], found)
        said = secrets.token_hex(16)
        self.build(self.context("FROM busybox\nRUN --mount=type=secret,id=key cat /run/secrets/key && echo %s\n" % said, name="log"),
                   *key, platforms=AMD64)
        self.assertTrue([place for place in places_of(said, self.root) if "logs/" in place])
        self.assertEqual([], [place for place in places_of(secret, self.root) if "logs/" in place])
        self.build(self.context("FROM busybox\nENV A=%s\n" % secret, name="env"), "-t", secret, *key, platforms=AMD64)
        self.assertTrue([place for place in places_of(secret, self.root) if "slipway.db" in place])

    def test_missing_required_secret_is_said(self):
        context = self.context("FROM busybox\nRUN --mount=type=secret,id=key,required=true true\n")
        result = self.build(context, platforms=AMD64, expect=1)
        self.assertIn('requires the secret "key"', result.err)
        self.assertIn("--secret id=key,src=FILE", result.err)

    def test_config_and_history(self):
        context = self.context('FROM busybox\nLABEL a=b\nENV X=1\nEXPOSE 80\nWORKDIR /w\nENTRYPOINT ["/bin/sh"]\nCMD ["-c"]\n')
        self.build(context, "-t", "x", "--label", "c=d", "-o", "type=oci,tar=false,dest=" + self.path("layout"))
        for platform in (AMD64, ARM64):
            manifest, config = self.layout_image(self.path("layout"), platform)
            self.assertEqual(platform.split("/")[1], config["architecture"])
            self.assertEqual({"a": "b", "c": "d"}, config["config"]["Labels"])
            self.assertEqual(["/bin/sh"], config["config"]["Entrypoint"])
            self.assertEqual({"80/tcp": {}}, config["config"]["ExposedPorts"])
            self.assertEqual("/w", config["config"]["WorkingDir"])
            layers = [h for h in config["history"] if not h.get("empty_layer")]
            self.assertEqual(len(manifest["layers"]), len(layers))
            self.assertTrue(all(h.get("created") for h in config["history"][1:]), json.dumps(config["history"]))

    def test_store_may_be_at_an_odd_place(self):
        self.root = self.path("a store, with: odd\\ characters")
        self.import_busybox()
        self.build(self.context("FROM busybox\nRUN echo 1 > /a\nRUN test -e /a\n"), platforms=AMD64)

    def test_changed_file_reruns_what_follows_it_only(self):
        context = self.context("FROM busybox\nRUN echo before\nCOPY a /a\nRUN echo after\n", {"a": "1"})
        self.build(context, platforms=AMD64)
        self.write("context/a", "2")
        second = self.build(context, platforms=AMD64)
        self.assertIn("RUN echo before\n", second.err)
        self.assertEqual(["[4/4] RUN echo after", "[3/4] COPY a /a", "[2/4] RUN echo before"],
                         [s for s in ("[4/4] RUN echo after", "[3/4] COPY a /a", "[2/4] RUN echo before") if s in second.err])
        self.assertIn(" after\n", second.err.split("RUN echo after\n", 1)[1])
        self.assertEqual(2, second.err.count("CACHED"), second.err)  # FROM and the first RUN

    def test_second_run_knows_every_step(self):
        context = self.context("FROM busybox AS a\nRUN echo 1 > /1\nFROM busybox\nCOPY --from=a /1 /1\nRUN cat /1\n")
        self.build(context)
        steps = step_lines(self.build(context).err)
        self.assertEqual(8, len(steps), steps)  # on each platform FROM (once, whatever stages use it), RUN, COPY, RUN
        self.assertEqual({}, {name: said for name, said in steps.items() if said != ["CACHED"]})

    def test_label_given_twice_takes_the_last(self):
        context = self.context("FROM busybox\nLABEL a=dockerfile\n")
        self.build(context, "--label", "a=first", "--label", "b=x", "--label", "a=last", "-t", "x",
                   "-o", "type=oci,tar=false,dest=" + self.path("layout"), platforms=AMD64)
        _, config = self.layout_image(self.path("layout"), AMD64)
        self.assertEqual({"a": "last", "b": "x"}, config["config"]["Labels"])

    def test_no_cache_runs_everything(self):
        context = self.context("FROM busybox\nRUN echo ran\n")
        self.build(context, platforms=AMD64)
        again = self.build(context, "--no-cache", platforms=AMD64).err
        self.assertEqual(1, again.count("CACHED"), again)  # the base image, which is no step
        self.assertRegex(again, r"#\d+ [0-9.]+ ran\n")

    def test_no_cache_filter_runs_a_stage_that_others_stand_on(self):
        self.import_busybox()
        out = self.path("out")
        context = self.context("FROM busybox AS fetched\nRUN --mount=type=cache,target=/c echo x >> /c/runs; wc -l < /c/runs > /runs; echo same > /same\n"
                               "FROM fetched AS on_it\nRUN cp /runs /copied\n"
                               "FROM busybox AS unchanged\nCOPY --from=fetched /same /\nRUN od -An -tx1 -N8 /dev/urandom > /random\n"
                               "FROM scratch\nCOPY --from=on_it /copied /\nCOPY --from=unchanged /random /\n")

        def built(*args):
            self.build(context, "-o", out, *args, platforms=AMD64)
            return self.read(out, "copied").strip(), self.read(out, "random")

        runs, random = built()
        self.assertEqual("1", runs)
        self.assertEqual(("1", random), built())
        self.assertEqual(("2", random), built("--no-cache-filter=fetched"), "what reads the same of it is known by content")
        self.assertEqual(("2", random), built())
        self.assertEqual(("3", random), built("--no-cache-filter=fetched"))

    def test_keep_going_finishes_the_other_platform(self):
        context = self.context("FROM busybox\nARG TARGETARCH\nRUN test $TARGETARCH = arm64\nRUN echo went-on\n")
        result = self.build(context, "--keep-going", expect=1)
        self.assertRegex(result.err, r"#\d+ [0-9.]+ went-on")


if __name__ == "__main__":
    main()
