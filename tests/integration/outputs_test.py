"""What a build leaves: images in the store, OCI layouts and archives, files."""
import hashlib
import os

from harness import AMD64, ARM64, SlipwayCase, main, run


class Outputs(SlipwayCase):
    def test_outputs(self):
        self.import_busybox()
        context = self.context("FROM busybox\nRUN uname -m > /arch\nCOPY a /a\n", {"a": "text\n"})

        with self.subTest("without an output the image is in the store, under its name"):
            self.build(context, "-t", "local/app:2", "--iidfile", self.path("iid"))
            listed = self.slipway("images").out
            self.assertRegex(listed, r"local/app:2 +sha256:[0-9a-f]{12} +linux/amd64,linux/arm64 ")
            with open(self.path("iid")) as file:
                index = run(["skopeo", "inspect", "--raw", "oci:%s:docker.io/local/app:2" % self.root])
                self.assertEqual(file.read(), self.digest_of(index))

        with self.subTest("a directory and a tar hold the same image"):
            self.build(context, "-t", "app:1", "-o", "type=oci,tar=false,dest=" + self.path("layout"))
            self.build(context, "-t", "app:1", "-o", "type=oci,dest=" + self.path("image.tar"))
            os.mkdir(self.path("from-tar"))
            run(["tar", "-xf", self.path("image.tar"), "-C", self.path("from-tar")])
            run(["diff", "-r", self.path("layout"), self.path("from-tar")])
            self.assertEqual("x86_64\n", self.read(self.unpack(self.path("layout"), AMD64), "arch"))
            self.assertEqual("aarch64\n", self.read(self.unpack(self.path("layout"), ARM64), "arch"))

        with self.subTest("type=local gives the files"):
            self.build(context, "-o", self.path("files"))
            self.assertEqual("text\n", self.read(self.path("files"), "linux_arm64", "a"))

        with self.subTest("type=cacheonly leaves no image, only what the next build need not run"):
            args = ["-o", "type=cacheonly", "-t", "app:none", "--metadata-file", self.path("metadata"), "--iidfile", self.path("no-iid")]
            self.assertIn("no image", self.build(context, *args, "--build-arg", "X=1").err)
            self.assertNotIn("containerimage.digest", self.read(self.path("metadata")))
            self.assertFalse(os.path.exists(self.path("no-iid")))
            self.assertNotIn("app:none", self.slipway("images").out)

        with self.subTest("--quiet prints the image ID alone"):
            quiet = self.build(context, "-q", platforms=AMD64)
            self.assertRegex(quiet.out, r"^sha256:[0-9a-f]{64}\n$")
            self.assertEqual("", quiet.err)
        self.check_store()

    def test_each_output_has_its_own_names(self):
        self.import_busybox()
        context = self.context("FROM busybox\nRUN true\n")
        self.build(context, "-o", "type=oci,tar=false,name=first:1,dest=" + self.path("first"),
                   "-o", "type=oci,tar=false,name=second:2,dest=" + self.path("second"), platforms=AMD64)
        for directory, tag in (("first", "1"), ("second", "2")):
            names = [m["annotations"]["org.opencontainers.image.ref.name"]
                     for m in self.read_json(self.path(directory), "index.json")["manifests"]]
            self.assertEqual([tag], names)

    @staticmethod
    def digest_of(text):
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main()
