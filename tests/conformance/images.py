"""OCI layouts as text that can be compared: the files a build added to its base, and the fields of its configuration."""
import functools
import gzip
import hashlib
import io
import json
import os
import re
import tarfile

CONTEXT_MTIME = 1700000000  # of every file in a prepared context
RECENT = 1735689600  # what is newer was made by a build
CONFIG_FIELDS = ["User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Healthcheck", "Volumes", "WorkingDir", "OnBuild",
                 "Labels", "StopSignal", "Shell"]
XATTR = "SCHILY.xattr."
INLINE = 240  # longer contents are given as size and digest


class Entry:
    """A file of a flattened image. `same_as` is the path of the first name, for hard links."""

    def __init__(self, info, data):
        self.kind = {tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.FIFOTYPE: "p", tarfile.CHRTYPE: "c",
                     tarfile.BLKTYPE: "b"}.get(info.type, "f")
        self.mode, self.owner, self.link = info.mode & 0o7777, (info.uid, info.gid), info.linkname
        self.mtime, self.data, self.device = int(info.mtime), data, (info.devmajor, info.devminor)
        self.xattrs = {k[len(XATTR):]: v for k, v in info.pax_headers.items() if k.startswith(XATTR)}
        self.same_as = None

    def key(self):
        mtime = None if self.kind == "d" else self.mtime
        return (self.kind, self.mode, self.owner, self.link, mtime, self.data, sorted(self.xattrs.items()), self.same_as)

    def text(self, path):
        path = re.sub(r"[\x00-\x1f\x7f]", lambda found: "\\x%02x" % ord(found.group()), path)
        if self.kind == "l":
            words = ["l", "%d:%d" % self.owner, path, "->", self.link]
        else:
            words = [self.kind, "%04o" % self.mode, "%d:%d" % self.owner, path + ("/" if self.kind == "d" and path != "/" else "")]
        if self.kind in "cb":
            words.append("%d,%d" % self.device)
        if self.same_as:
            words.append("= " + self.same_as)
        elif self.kind == "f":
            words.append(contents(self.data))
        if self.kind not in "d" and self.mtime != CONTEXT_MTIME:
            words.append("@now" if self.mtime >= RECENT else "@%d" % self.mtime)
        words += ["[%s=%s]" % (name, json.dumps(value)) for name, value in sorted(self.xattrs.items())]
        return " ".join(words)


def contents(data):
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    if text is not None and len(data) <= INLINE and (text.isprintable() or re.fullmatch(r"[\x20-\x7e\n\t\r]*", text)):
        return json.dumps(text, ensure_ascii=False)
    return "%d bytes, sha256:%s" % (len(data), hashlib.sha256(data).hexdigest()[:16])


def remove(tree, path, below_only=False):
    for other in [p for p in tree if p.startswith(path.rstrip("/") + "/") and p != "/"]:
        del tree[other]
    if not below_only:
        tree.pop(path, None)


def apply_layer(tree, blob):
    """Unpacks a layer over `tree`: {path: Entry}."""
    data = gzip.decompress(blob) if blob[:2] == b"\x1f\x8b" else blob
    added = set()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for info in tar:
            path = os.path.normpath("/" + info.name)
            folder, name = os.path.split(path)
            if name == ".wh..wh..opq":
                for other in [p for p in tree if p.startswith(folder.rstrip("/") + "/") and p not in added]:
                    del tree[other]
                continue
            if name.startswith(".wh."):
                remove(tree, os.path.join(folder, name[4:]))
                continue
            if info.islnk():
                first = os.path.normpath("/" + info.linkname)
                if first not in tree:
                    raise AssertionError("%s is a hard link to %s, which no layer has" % (path, first))
                entry = Entry(info, tree[first].data)
                vars(entry).update(vars(tree[first]))
                entry.same_as = tree[first].same_as or first
            else:
                entry = Entry(info, tar.extractfile(info).read() if info.isreg() else b"")
            if path in tree and not (tree[path].kind == "d" and entry.kind == "d"):
                remove(tree, path)
            tree[path] = entry
            added.add(path)


@functools.lru_cache(None)
def base_tree(blob):
    tree = {}
    apply_layer(tree, blob)
    return tree


class Layout:
    """An OCI layout directory. `bases`: the unpacked digests of the layers that base images have."""

    def __init__(self, directory, bases):
        self.directory, self.bases = directory, bases

    def blob(self, digest):
        with open(os.path.join(self.directory, "blobs", *digest.split(":")), "rb") as file:
            return file.read()

    def manifests(self):
        """{platform: manifest}; attestations are left out."""
        with open(os.path.join(self.directory, "index.json")) as file:
            entries = json.load(file)["manifests"]
        found = {}
        while entries:
            entry = entries.pop(0)
            document = json.loads(self.blob(entry["digest"]))
            if "manifests" in document:
                entries += document["manifests"]
                continue
            config = json.loads(self.blob(document["config"]["digest"]))
            platform = "/".join(filter(None, [config["os"], config["architecture"], config.get("variant")]))
            if "unknown" not in platform:
                found[platform] = (document, config)
        return found

    def tree(self, manifest, config):
        """The files that differ from the base's, one line each, by path."""
        flat, base = {}, {}
        for number, (layer, diff_id) in enumerate(zip(manifest["layers"] or [], config["rootfs"]["diff_ids"] or [], strict=True)):
            blob = self.blob(layer["digest"])
            if diff_id in self.bases and number == 0:
                base = base_tree(blob)
                flat = dict(base)
            else:
                apply_layer(flat, blob)
        lines = [(path, entry.text(path)) for path, entry in flat.items()
                 if path not in base or base[path].key() != entry.key()]
        lines += [(path, "- " + path) for path in base if path not in flat and os.path.dirname(path) in flat]
        return "".join(text + "\n" for _, text in sorted(lines))


def config_text(config):
    """The fields a Dockerfile can set, without those of time and place."""
    fields = {name: config["config"][name] for name in CONFIG_FIELDS if config["config"].get(name)}
    if config.get("author"):
        fields["author"] = config["author"]
    history = [entry for entry in config.get("history") or [] if entry.get("created_by") != "base"]
    fields["history"] = [("(empty) " if entry.get("empty_layer") else "") + created_by(entry) for entry in history]
    return json.dumps(fields, indent=1, ensure_ascii=False) + "\n"


def created_by(entry):
    """What made a layer, without the builder's name; BuildKit gives EXPOSE's ports in no order."""
    text = re.sub(r" # (buildkit|slipway)$", "", entry.get("created_by", ""))
    ports = re.fullmatch(r"EXPOSE \[(.*)\]", text)
    return "EXPOSE [%s]" % " ".join(sorted(ports.group(1).split())) if ports else text
