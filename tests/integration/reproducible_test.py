"""SOURCE_DATE_EPOCH and rewrite-timestamp=true: two builds on two stores are the same, byte for byte."""
import tarfile

from harness import AMD64, SlipwayCase, main, run

EPOCH = 1600000000
DOCKERFILE = """FROM busybox AS build
WORKDIR /src
COPY . .
RUN mkdir -p out/deep && cp a out/deep/b && ln -s b out/deep/c && ln a out/hard && date > /dev/null
FROM busybox
COPY --from=build /src/out /out
RUN rm /etc/group && touch /new
ENV A=b
"""


class Reproducible(SlipwayCase):
    def test_two_stores_give_the_same_bytes(self):
        context = self.context(DOCKERFILE, {"a": "a" * 100000})
        for store in ("one", "two"):
            self.root = self.path(store)
            self.import_busybox()
            self.build(context, "-t", "x", "-o", "type=oci,rewrite-timestamp=true,dest=" + self.path(store + ".tar"),
                       env={"SOURCE_DATE_EPOCH": str(EPOCH)})
        run(["cmp", self.path("one.tar"), self.path("two.tar")])

    def test_epoch_is_the_time_of_image_and_history(self):
        self.import_busybox()
        context = self.context(DOCKERFILE, {"a": "a"})
        self.build(context, "-t", "x", "--build-arg", "SOURCE_DATE_EPOCH=%d" % EPOCH,
                   "-o", "type=oci,tar=false,rewrite-timestamp=true,dest=" + self.path("layout"), platforms=AMD64)
        manifest, config = self.layout_image(self.path("layout"), AMD64)
        self.assertEqual("2020-09-13T12:26:40Z", config["created"])
        self.assertEqual(["2020-09-13T12:26:40Z"] * (len(config["history"]) - 1), [h["created"] for h in config["history"][1:]])
        for layer in manifest["layers"][1:]:
            with tarfile.open(self.blob_path(self.path("layout"), layer["digest"])) as tar:
                for member in tar:
                    self.assertLessEqual(member.mtime, EPOCH, member.name)

    def test_epoch_may_be_an_arg_before_the_first_from(self):
        self.import_busybox()
        context = self.context("ARG SOURCE_DATE_EPOCH=%d\n" % EPOCH + DOCKERFILE, {"a": "a"})
        self.build(context, "-t", "x", "-o", "type=oci,tar=false,rewrite-timestamp=true,dest=" + self.path("layout"), platforms=AMD64)
        _, config = self.layout_image(self.path("layout"), AMD64)
        self.assertEqual("2020-09-13T12:26:40Z", config["created"])

    def test_rewriting_needs_an_epoch(self):
        self.import_busybox()
        result = self.build(self.context("FROM busybox\n"), "-o", "type=oci,rewrite-timestamp=true,dest=x.tar", expect=2)
        self.assertIn("SOURCE_DATE_EPOCH", result.err)


if __name__ == "__main__":
    main()
