#include "accel/twin_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "accel/exec/matching.h"
#include "accel/exec/places.h"
#include "accel/exec/table_format.h"
#include "accel/loader_options.h"
#include "accel/programs.h"
#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kShimName = "uname.so";
constexpr std::size_t kMostTable = std::size_t{1} << 28;

// What reaches into dynamic loaders and C libraries, or is for the emulator. Libraries that such variables
// name are the target's, and messages may differ. Sizes in blocks of other than 2^n bytes are counted in long
// double. GCC_EXEC_PREFIX names directories of the target's compiler, which a pack's has elsewhere.
constexpr std::string_view kDeclinedVariables[] = {
    "BLOCKSIZE=",     "BLOCK_SIZE=", "DU_BLOCK_SIZE=", "LS_BLOCK_SIZE=", "LD_",      "QEMU_",
    "GLIBC_TUNABLES", "MALLOC_",     "GCONV_PATH=",    "LOCPATH=",       "NLSPATH=", "MUSL_LOCPATH=",
    "GCC_EXEC_PREFIX=",
};

std::string in_step(std::string_view path) { return concat(kTwinDirectory, "/", path); }
std::string in_tree(std::size_t tree, std::string_view path) { return in_step(concat("tree/", tree, path)); }

bool is_clean_absolute(std::string_view path) {
  return path.size() > 1 && path.front() == '/' && path.find('\0') == std::string_view::npos &&
         fs::path(path).lexically_normal() == fs::path(path);
}

/// Executed by way of one run/N directory.
using Executable = std::pair<std::size_t, std::string>;  // tree, path
Executable executable_of(const Twin& twin) {
  return {twin.tree, twin.loader.empty() ? twin.program : twin.loader};
}

/// Nothing if it is all right.
std::optional<std::string> damage(const Twin& twin, const AcceleratedRoot& root) {
  const auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (twin.tree >= root.trees.size()) return "its tree is not there";
  if (!is_clean_absolute(twin.program) || (!twin.loader.empty() && !is_clean_absolute(twin.loader)))
    return "its path is not one that can be handed over";
  for (const std::string& directory : twin.library_path)
    if (!is_clean_absolute(directory) || directory.find_first_of(":;") != std::string::npos)
      return "its library path is not one that can be handed over";
  for (const ArgumentRule& rule : twin.rules)
    if (has_nul(rule.pattern) || !twin_file::is_plain_pattern(rule.pattern.c_str()) ||
        std::ranges::any_of(rule.with, has_nul))
      return "a rule for its arguments has a pattern that is not supported";
  if (has_nul(twin.multi_call) || std::ranges::any_of(twin.declined_names, has_nul))
    return "its names are damaged";
  if (std::ranges::any_of(twin.guards, [&](std::size_t guard) { return guard >= root.guards.size(); }))
    return "what it rests on is not known";
  return std::nullopt;
}

/// The twins that can be run, by their number; the rest is accounted for in `left_out`.
std::vector<std::size_t> usable_twins(const AcceleratedRoot& root, std::vector<std::string>& left_out) {
  std::map<Executable, std::optional<std::string>> loaders;
  std::set<std::uint64_t> inodes;
  std::vector<std::size_t> usable;
  for (std::size_t i = 0; i < root.twins.size(); ++i) {
    const Twin& twin = root.twins[i];
    std::optional<std::string> why_not = damage(twin, root);
    if (!why_not && !inodes.insert(twin.identity.inode).second) why_not = "another has the same inode number";
    if (!why_not && !twin.loader.empty()) {
      const auto [at, is_new] = loaders.try_emplace(executable_of(twin));
      if (is_new) at->second = loader_shortcoming(root.trees[twin.tree], twin.loader);
      why_not = at->second;
    }
    if (why_not)
      left_out.push_back(concat(twin.target, ": ", *why_not));
    else
      usable.push_back(i);
  }
  return usable;
}

/// Each executable's number: N of run/N.
std::map<Executable, std::size_t> number_executables(const AcceleratedRoot& root,
                                                     const std::vector<std::size_t>& twins) {
  std::map<Executable, std::size_t> numbers;
  for (const std::size_t i : twins) numbers.try_emplace(executable_of(root.twins[i]), numbers.size());
  return numbers;
}

/// Builds the file from front to back; what refers is written behind what it refers to, but for the header.
class Writer {
 public:
  Writer() { bytes_.resize(sizeof(twin_file::Header)); }
  twin_file::Text text(std::string_view text) {
    const auto known = texts_.find(text);
    if (known != texts_.end()) return known->second;
    const twin_file::Text out{.offset = position(), .size = static_cast<std::uint32_t>(text.size())};
    bytes_.append(text).push_back('\0');
    return texts_.emplace(text, out).first->second;
  }
  template <class T>
  twin_file::List list(const std::vector<T>& items) {
    while (bytes_.size() % alignof(std::uint64_t) != 0) bytes_.push_back('\0');
    const twin_file::List out{.offset = position(), .count = static_cast<std::uint32_t>(items.size())};
    bytes_.append(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(T));
    return out;
  }
  template <class Range>
  twin_file::List texts(const Range& range) {
    std::vector<twin_file::Text> items;
    for (const auto& item : range) items.push_back(text(item));
    return list(items);
  }
  std::string finish(twin_file::Header header) {
    position();
    header.size = bytes_.size();
    std::memcpy(bytes_.data(), &header, sizeof header);
    return std::move(bytes_);
  }

 private:
  std::uint32_t position() const {
    if (bytes_.size() > kMostTable) throw InvalidInput("there are too many native programs for one table");
    return static_cast<std::uint32_t>(bytes_.size());
  }
  std::string bytes_;
  std::map<std::string, twin_file::Text, std::less<>> texts_;
};

twin_file::RuleKind kind_of(ArgumentRule::Kind kind) {
  switch (kind) {
    case ArgumentRule::Kind::Prepend:
      return twin_file::kPrepend;
    case ArgumentRule::Kind::Append:
      return twin_file::kAppend;
    case ArgumentRule::Kind::Replace:
      return twin_file::kReplace;
    case ArgumentRule::Kind::Drop:
      return twin_file::kDrop;
    case ArgumentRule::Kind::Require:
      return twin_file::kRequire;
    case ArgumentRule::Kind::DeclineVariable:
      return twin_file::kDeclineVariable;
    case ArgumentRule::Kind::Decline:
      break;
  }
  return twin_file::kDecline;
}

std::vector<std::string> loader_arguments(const Twin& twin) {
  std::vector<std::string> directories;
  for (const std::string& directory : twin.library_path) directories.push_back(in_tree(twin.tree, directory));
  std::vector<std::string> out;
  // The cache is the root's, with paths of the other machine's libraries.
  if (!is_musl_loader(twin.loader)) out.push_back("--inhibit-cache");
  out.insert(out.end(), {"--preload", in_step(kShimName)});
  if (!directories.empty()) out.insert(out.end(), {"--library-path", join(directories, ":")});
  out.push_back("--argv0");
  return out;
}

twin_file::Guard encode(const Guard& guard, Writer& writer) {
  const FileIdentity identity = guard.identity.value_or(FileIdentity{});
  return {.inode = identity.inode,
          .size = identity.size,
          .mtime_ns = identity.mtime_ns,
          .ctime_ns = identity.ctime_ns,
          .is_absent = guard.identity ? 0U : 1U,
          .path = writer.text(guard.path),
          .library = writer.text(guard.library)};
}

twin_file::Entry encode(const AcceleratedRoot& root, std::size_t index, std::size_t run, Writer& writer) {
  const Twin& twin = root.twins[index];
  twin_file::Entry entry{.inode = twin.identity.inode,
                         .size = twin.identity.size,
                         .mtime_ns = twin.identity.mtime_ns,
                         .ctime_ns = twin.identity.ctime_ns,
                         .index = static_cast<std::uint32_t>(index)};
  const auto [tree, path] = executable_of(twin);
  entry.executable = writer.text(in_tree(tree, path));
  entry.link_directory = writer.text(in_step(concat("run/", run, "/")));
  entry.program = writer.text(in_tree(twin.tree, twin.program));
  if (twin.loader.empty()) entry.flags |= twin_file::kStatic;
  if (!twin.loader.empty() && !is_musl_loader(twin.loader)) entry.flags |= twin_file::kNoHostPreload;
  entry.loader_arguments =
      writer.texts(twin.loader.empty() ? std::vector<std::string>{} : loader_arguments(twin));
  entry.declined_names = writer.texts(twin.declined_names);
  entry.multi_call = writer.text(twin.multi_call);
  std::vector<twin_file::Rule> rules;
  for (const ArgumentRule& rule : twin.rules)
    rules.push_back(
        {.kind = kind_of(rule.kind), .pattern = writer.text(rule.pattern), .with = writer.texts(rule.with)});
  entry.rules = writer.list(rules);
  std::vector<twin_file::Guard> guards;
  for (const std::size_t guard : twin.guards) guards.push_back(encode(root.guards[guard], writer));
  entry.guards = writer.list(guards);
  return entry;
}

std::string encode(const AcceleratedRoot& root, const std::vector<std::size_t>& twins) {
  Writer writer;
  const auto runs = number_executables(root, twins);
  std::vector<twin_file::Entry> entries;
  for (const std::size_t i : twins)
    entries.push_back(encode(root, i, runs.at(executable_of(root.twins[i])), writer));
  std::ranges::sort(entries, {}, &twin_file::Entry::inode);
  twin_file::Header header{.magic = twin_file::kMagic};
  header.entries = writer.list(entries);
  header.declined_variables = writer.texts(kDeclinedVariables);
  std::vector<twin_file::Guard> cache;
  if (root.loader_cache) cache.push_back(encode(*root.loader_cache, writer));
  header.loader_cache = writer.list(cache);
  return writer.finish(header);
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

void make_links(const AcceleratedRoot& root, const std::vector<std::size_t>& twins, const fs::path& directory,
                const std::vector<std::string>& names) {
  const auto runs = number_executables(root, twins);
  std::map<Executable, std::set<std::string>> links;
  for (const std::size_t i : twins) {
    std::set<std::string>& of = links[executable_of(root.twins[i])];
    of.insert(fs::path(root.twins[i].target).filename());
    of.insert(names.begin(), names.end());
  }
  for (const auto& [executable, all] : links) {
    const fs::path run = directory / "run" / std::to_string(runs.at(executable));
    fs::create_directories(run);
    for (const std::string& name : all)
      if (is_plain_name(name)) fs::create_symlink(in_tree(executable.first, executable.second), run / name);
  }
}

}  // namespace

std::string encode_twin_table(const AcceleratedRoot& root, std::vector<std::string>& left_out) {
  return encode(root, usable_twins(root, left_out));
}

TwinMounts prepare_twin_directory(const AcceleratedRoot& root, const fs::path& directory,
                                  const std::vector<std::string>& names) {
  if (slipway_exec_program().empty())
    throw HostError("emulation cannot be accelerated on this machine: only on amd64 and arm64");
  TwinMounts out;
  const std::vector<std::size_t> twins = usable_twins(root, out.left_out);
  fs::create_directories(directory);
  // A step's user may be anybody, whatever the umask here.
  fs::permissions(directory, fs::perms(0755));
  write_file_atomic(directory / "table", encode(root, twins), Durability::None, 0644);
  write_file_atomic(directory / kShimName, uname_shim(root.machine), Durability::None, 0755);
  const fs::path counts = directory / "counts";
  write_file_atomic(counts, std::string(root.twins.size() * sizeof(std::uint64_t), '\0'), Durability::None,
                    0666);
  fs::permissions(counts, fs::perms(0666));
  make_links(root, twins, directory, names);
  out.mounts.push_back({.source = directory, .target = kTwinDirectory});
  out.mounts.push_back({.source = counts, .target = kCountsPath, .writable = true});
  for (std::size_t i = 0; i < root.trees.size(); ++i) {
    fs::create_directories(directory / "tree" / std::to_string(i));
    out.mounts.push_back({.source = root.trees[i], .target = in_step(concat("tree/", i))});
  }
  return out;
}

std::string tree_in_step(std::size_t tree) { return in_step(concat("tree/", tree)); }

std::vector<std::uint64_t> read_twin_counts(const fs::path& directory, const AcceleratedRoot& root) {
  std::vector<std::uint64_t> counts(root.twins.size());
  const UniqueFd file{::open((directory / "counts").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (!file) return counts;
  const std::size_t size = counts.size() * sizeof(std::uint64_t);
  if (::pread(file.get(), counts.data(), size, 0) != static_cast<ssize_t>(size)) std::ranges::fill(counts, 0);
  return counts;
}

}  // namespace slipway
