#!/usr/bin/env python3
"""Checks the one direction of dependency: which module may include which, and where third-party headers may appear.

Reads #include lines of src/ and tools/ below --root (the repository). Prints FILE:LINE and the rule for each violation;
exit code 1 if there is any, 2 if there was nothing to check.
"""
import argparse
import re
import sys
from pathlib import Path

# The arrows: a module may include itself and what is listed.
LEAVES = ["base", "platforms", "manifest", "graph"]
ALLOWED = {
    "base": [],
    "platforms": ["base"],
    "manifest": ["base", "platforms"],
    "graph": ["base", "platforms", "manifest"],
    "content": LEAVES,
    "registry": LEAVES,
    "qemu": LEAVES,
    "accel": LEAVES + ["qemu"],
    "scheduler": ["base"],
}
ALLOWED["history"] = LEAVES + ["content"]
for name in ("cache", "dockerfile", "runtime"):
    ALLOWED[name] = LEAVES + ["content", "registry", "qemu", "accel"]
ALLOWED["nodes"] = sorted(ALLOWED)
ALLOWED["build"] = sorted(ALLOWED)
ALLOWED["tools"] = sorted(ALLOWED)
OWN_PREFIX = {"tools": "slipway"}  # tools/slipway/x.h is included as "slipway/x.h"

# Third-party headers: a pattern, the modules that may use it (None: all), what it is called.
THIRD_PARTY = [
    (r"curl/", ["registry"], "libcurl"),
    (r"archive(_entry)?\.h$", ["content"], "libarchive"),
    (r"(zstd|zstd_errors|zdict)\.h$", ["content"], "zstd"),
    (r"libdeflate\.h$", ["content"], "libdeflate"),
    (r"sqlite3(ext)?\.h$", ["content"], "SQLite"),
    (r"(oneapi/)?tbb([./]|$)", ["scheduler", "content", "tools"], "oneTBB"),
    (r"google/protobuf/|.*\.pb\.h$", ["graph"], "protobuf"),
    (r"boost/", ["base"], "Boost"),
    (r"openssl/", ["base"], "OpenSSL"),
    (r"CLI/", ["tools"], "CLI11"),
    (r"toml\+\+/", ["tools"], "toml++"),
    (r"nlohmann/", None, "nlohmann/json"),
]
FORWARD_DECLARATIONS = {"nlohmann/json_fwd.hpp"}  # fit for headers
# Headers that are a module's own affair, and may show what is inside it.
PRIVATE_HEADERS = {"registry/curl_library.h"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def third_party(header):
    for pattern, modules, name in THIRD_PARTY:
        if re.match(pattern, header):
            return modules, name
    return None


def check_third_party(module, file, header, owner):
    modules, name = owner
    if modules is not None and module not in modules:
        return f"<{header}>: {name} stays inside {', '.join(modules)}; {module} must go through their headers"
    is_private = f"{module}/{file.name}" in PRIVATE_HEADERS
    if file.suffix != ".cc" and header not in FORWARD_DECLARATIONS and not is_private:
        return f"<{header}>: {name} may be included by .cc files only, so that no other module sees it"
    return None


def check_include(module, file, header, quoted):
    """The rule that `header`, included by `file` of `module`, breaks; None if it breaks none."""
    owner = third_party(header)
    if owner:
        return check_third_party(module, file, header, owner)
    if not quoted:
        return None  # the standard library, the system
    if "/" not in header:
        return f'"{header}": includes start at the root of src/, with their module'
    target = header.split("/", 1)[0]
    if target == OWN_PREFIX.get(module, module):
        return None
    if header in PRIVATE_HEADERS:
        return f'"{header}": only {target} may include it'
    if target not in ALLOWED:
        return f'"{header}": there is no module {target}'
    if target not in ALLOWED[module]:
        allowed = ", ".join(ALLOWED[module]) or "no other module"
        return f'"{header}": {module} may not include {target} (it may include {allowed})'
    return None


def sources(root):
    """(module, file) of everything that is checked."""
    for file in sorted((root / "src").glob("*/**/*")):
        if file.suffix in (".h", ".cc"):
            yield file.relative_to(root / "src").parts[0], file
    for file in sorted((root / "tools").glob("**/*")):
        if file.suffix in (".h", ".cc"):
            yield "tools", file


def violations(root):
    found, count = [], 0
    for module, file in sources(root):
        count += 1
        where = file.relative_to(root)
        if module not in ALLOWED:
            found.append(f"{where}:1: module {module} has no place in the table of {Path(__file__).name}")
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), start=1):
            match = INCLUDE.match(line)
            if not match:
                continue
            rule = check_include(module, file, match[1] or match[2], match[1] is not None)
            if rule:
                found.append(f"{where}:{number}: {rule}")
    return found, count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    root = parser.parse_args().root
    found, count = violations(root)
    for line in found:
        print(line)
    if count == 0:
        print(f"{root}: no sources below src/ and tools/", file=sys.stderr)
        return 2
    print(f"{count} files, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
