"""What a step sees and what it leaves: mounts, users, environment, network, layers."""
import json
import os
import tarfile

from harness import AMD64, ARM64, SlipwayCase, main


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

    def test_network_none_has_no_way_out(self):
        out = self.built("FROM busybox\nRUN --network=none ls /sys/class/net > /a; tail -n +3 /proc/net/dev > /b\n")
        self.assertNotIn("eth", self.read(out, "b"))

    def test_secret_is_seen_by_its_step_only(self):
        secret = "correct-horse-battery"
        self.write("key", secret)
        context = self.context(
            "FROM busybox\nRUN --mount=type=secret,id=key,mode=0400 test \"$(cat /run/secrets/key)\" = " + secret[:7] +
            "-horse-battery && echo ok > /ok\nRUN --mount=type=secret,id=key,env=TOKEN test -n \"$TOKEN\"\n"
            "RUN test ! -e /run/secrets/key && test -z \"$TOKEN\"\n".replace(secret, ""))
        self.build(context, "-t", "x", "--secret", "id=key,src=" + self.path("key"), "-o", self.path("out"), platforms=AMD64)
        self.assertFalse(os.path.exists(self.path("out", "run/secrets")))
        for directory, _, files in os.walk(self.root):
            for name in files:
                with open(os.path.join(directory, name), "rb") as file:
                    self.assertNotIn(secret[8:].encode() + b"\n", file.read(), os.path.join(directory, name))

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

    def test_no_cache_runs_everything(self):
        context = self.context("FROM busybox\nRUN echo ran\n")
        self.build(context, platforms=AMD64)
        self.assertNotIn("CACHED", self.build(context, "--no-cache", platforms=AMD64).err)

    def test_keep_going_finishes_the_other_platform(self):
        context = self.context("FROM busybox\nARG TARGETARCH\nRUN test $TARGETARCH = arm64\nRUN echo went-on\n")
        result = self.build(context, "--keep-going", expect=1)
        self.assertRegex(result.err, r"#\d+ [0-9.]+ went-on")


if __name__ == "__main__":
    main()
