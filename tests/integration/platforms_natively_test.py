"""Programs of other machines behave as natively: each case says what the build's own machine gives, and what must be equal."""
import os

from harness import AMD64, CACHE, DEBIAN_NAME, SlipwayCase, main, need

# Everything that emulation is known to break somewhere. What a step finds out is a line "NAME: VALUE" in /found.
STEPS = r"""FROM busybox
COPY tools /tools
RUN chmod -R 755 /tools && echo root:x:0:0::/:/bin/sh > /etc/passwd && echo user:x:1000:1000::/:/bin/sh >> /etc/passwd
RUN <<EOT
note() { echo "$1: $2" >> /found; }
note machine "$(uname -m)"
note script "$(/tools/script one 'two words')"
note chain "$(/tools/chain.1 last 2>&1)"
/tools/lost 2> /dev/null; note no-interpreter "exit $?"
note no-interpreter-says "$(/tools/lost 2>&1 | sed 's/.*: //')"
/tools/empty; note empty-file "exit $?"
printf '\0\0\0\0' > /tools/zeros; chmod 755 /tools/zeros; /tools/zeros 2> /dev/null; note no-program "exit $?"
note argv0 "$(sh -c 'exec -a a-name /bin/busybox 2>&1 | head -n 1' | sed 's/BusyBox.*/BusyBox/')"
ln -s /bin/busybox /tools/basename; note applet "$(/tools/basename /a/b)"
note self-exe "$(readlink /proc/self/exe)"
note reexec "$(find / -maxdepth 1 -name found -exec echo {} \;)"
note pipe "$(echo abc | sed s/a/b/ | grep -c b)"
sh -c 'kill -TERM $$'; note killed "exit $?"
note trap "$(sh -c 'trap "echo caught" USR1; kill -USR1 $$; echo after' | tr '\n' ' ')"
cp /bin/busybox /tools/id; chown 1000 /tools/id; chmod 4755 /tools/id
note setuid "$(/tools/id -u) real $(/tools/id -ru)"
cp /bin/busybox /tools/su; chmod 4755 /tools/su
note drop "$(su user -c 'id -u')"
note environment "$(A=1 env | grep ^A=)"
note status "$(sh -c 'exit 42'; echo $?)"
note cmdline "$(cat /proc/self/cmdline | tr '\000' ' ')"
EOT
"""
TOOLS = {
    "tools/script": '#!/bin/sh\necho "$0|$1|$2|$#"\n',
    "tools/chain.1": "#!/tools/chain.2 first argument\n",
    "tools/chain.2": "#!/bin/sh -e\nfor a in \"$@\"; do printf '<%s>' \"$a\"; done\n",
    "tools/lost": "#!/no/such/interpreter\necho wrong\n",
    "tools/empty": "",
}
MACHINES = {"linux/arm64": "aarch64", "linux/arm/v7": "armv7l", "linux/arm/v6": "armv7l", "linux/ppc64le": "ppc64le",
            "linux/s390x": "s390x", "linux/riscv64": "riscv64", "linux/mips64le": "mips64", "linux/386": "x86_64"}


class AsNatively(SlipwayCase):
    def find_out(self, platforms, *args):
        self.import_busybox(platforms=platforms)
        context = self.context(STEPS, TOOLS)
        self.build(context, "-o", self.path("out"), *args, platforms=platforms)
        found = {}
        for platform in platforms.split(","):
            lines = self.read(self.path("out", platform.replace("/", "_"), "found")).splitlines()
            found[platform] = dict(line.split(": ", 1) for line in lines)
        return found

    def compare(self, platform, *args):
        tar = os.path.join(CACHE, "busybox-%s.tar" % DEBIAN_NAME[platform])
        need(platform in ("linux/riscv64", "linux/mips64le", "linux/arm/v6") or os.path.exists(tar), tar + " is missing")
        if not os.path.exists(tar):
            self.skipTest(tar + " cannot be had from this mirror")
        found = self.find_out(AMD64 + "," + platform, *args)
        native, foreign = found[AMD64], found[platform]
        self.assertEqual(MACHINES[platform], foreign.pop("machine"))
        self.assertEqual("x86_64", native.pop("machine"))
        self.assertEqual(native, foreign)
        # What it is natively, written out, so that a fault of both is seen too.
        self.assertEqual("/tools/script|one|two words|2", native["script"])
        self.assertEqual("<first argument></tools/chain.1><last>", native["chain"])
        self.assertEqual("exit 127", native["no-interpreter"])
        self.assertEqual("1000 real 0", native["setuid"])
        self.assertEqual("exit 143", native["killed"])

    def test_arm64(self):
        self.compare("linux/arm64")

    def test_arm_v7(self):
        self.compare("linux/arm/v7")

    def test_arm_v6(self):
        self.compare("linux/arm/v6")

    def test_ppc64le(self):
        self.compare("linux/ppc64le")

    def test_s390x(self):
        self.compare("linux/s390x")

    def test_riscv64(self):
        self.compare("linux/riscv64")

    def test_mips64le(self):
        self.compare("linux/mips64le")

    def test_first_process_that_crashes_fails_its_step(self):
        """QEMU's programs send themselves the signal; it hung, for nobody inside can kill process 1."""
        self.import_busybox(platforms="linux/arm64")
        context = self.context('FROM busybox\nRUN ["/bin/sh", "-c", "kill -SEGV $$; echo survived"]\n')
        result = self.slipway("build", "--platform", "linux/arm64", context, expect=1)
        self.assertIn("exit code: 139 (killed by signal 11)", result.err)
        self.assertNotIn("survived\n", result.err)

    def test_386(self):
        self.compare("linux/386")


if __name__ == "__main__":
    main()
