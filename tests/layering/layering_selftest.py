#!/usr/bin/env python3
"""Plants violations in a small tree and checks that layering_test.py names each, and nothing else."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).with_name("layering_test.py")


class LayeringTest(unittest.TestCase):
    def check(self, files):
        """Runs the script over a tree of {path: text}; returns its exit code and output lines."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                file = Path(root, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            done = subprocess.run([sys.executable, SCRIPT, "--root", root], capture_output=True, text=True, timeout=30)
            return done.returncode, done.stdout.splitlines()

    def assert_clean(self, files):
        code, lines = self.check(files)
        self.assertEqual((code, lines), (0, [f"{len(files)} files, 0 violations"]))

    def assert_violation(self, files, where, *words):
        code, lines = self.check(files)
        self.assertEqual(code, 1)
        self.assertEqual(len(lines), 2, lines)
        self.assertTrue(lines[0].startswith(where + ": "), lines[0])
        for word in words:
            self.assertIn(word, lines[0])

    def test_allowed_arrows_are_silent(self):
        self.assert_clean({
            "src/base/a.h": "#include <string>\n",
            "src/graph/a.h": '#include "base/a.h"\n#include "graph/b.h"\n',
            "src/runtime/a.cc": '#include "qemu/a.h"\n#include "content/a.h"\n',
            "src/nodes/a.cc": '#include "scheduler/a.h"\n#include "runtime/a.h"\n',
            "tools/slipway/main.cc": '#include "slipway/a.h"\n#include "build/a.h"\n#include <CLI/CLI.hpp>\n',
        })

    def test_upward_arrow(self):
        self.assert_violation({"src/base/a.h": '#pragma once\n#include "graph/graph.h"\n'},
                              "src/base/a.h:2", "base may not include graph")

    def test_siblings_do_not_know_each_other(self):
        self.assert_violation({"src/content/a.cc": '#include "registry/client.h"\n'},
                              "src/content/a.cc:1", "content may not include registry")
        self.assert_violation({"src/runtime/a.cc": '#include "dockerfile/ast.h"\n'},
                              "src/runtime/a.cc:1", "runtime may not include dockerfile")

    def test_scheduler_knows_no_containers(self):
        self.assert_violation({"src/scheduler/a.cc": '#include "graph/graph.h"\n'}, "src/scheduler/a.cc:1")

    def test_modules_do_not_include_tools(self):
        self.assert_violation({"src/build/a.cc": '#include "slipway/progress_tty.h"\n'},
                              "src/build/a.cc:1", "no module slipway")

    def test_third_party_outside_its_module(self):
        self.assert_violation({"src/build/a.cc": "#include <curl/curl.h>\n"}, "src/build/a.cc:1", "libcurl", "registry")
        self.assert_violation({"src/runtime/a.cc": "#include <sqlite3.h>\n"}, "src/runtime/a.cc:1", "SQLite")
        self.assert_violation({"src/build/a.cc": "#include <oneapi/tbb/task_group.h>\n"}, "src/build/a.cc:1", "oneTBB")
        self.assert_violation({"src/nodes/a.cc": '#include "ops.pb.h"\n'}, "src/nodes/a.cc:1", "protobuf")

    def test_third_party_in_a_header(self):
        self.assert_violation({"src/scheduler/a.h": "#include <tbb/task_arena.h>\n"}, "src/scheduler/a.h:1", ".cc files")
        self.assert_violation({"src/manifest/a.h": "#include <nlohmann/json.hpp>\n"}, "src/manifest/a.h:1", ".cc files")

    def test_third_party_in_a_private_header(self):
        header = {"src/registry/curl_library.h": "#include <curl/curl.h>\n"}
        self.assert_clean({**header, "src/registry/a.cc": '#include "registry/curl_library.h"\n'})
        self.assert_violation({"src/build/a.cc": '#include "registry/curl_library.h"\n'}, "src/build/a.cc:1", "only registry")

    def test_third_party_at_home_is_silent(self):
        self.assert_clean({
            "src/content/a.cc": "#include <archive.h>\n#include <zstd.h>\n#include <tbb/parallel_pipeline.h>\n",
            "src/manifest/a.cc": "#include <nlohmann/json.hpp>\n",
            "src/manifest/a.h": "#include <nlohmann/json_fwd.hpp>\n",
            "src/graph/a.cc": '#include "llb/ops.pb.h"\n',
        })

    def test_include_without_its_module(self):
        self.assert_violation({"src/base/a.cc": '#include "error.h"\n'}, "src/base/a.cc:1", "with their module")

    def test_unknown_module(self):
        self.assert_violation({"src/misc/a.cc": ""}, "src/misc/a.cc:1", "misc")

    def test_empty_tree_is_no_success(self):
        self.assertEqual(self.check({})[0], 2)


if __name__ == "__main__":
    unittest.main()
