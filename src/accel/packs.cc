#include "accel/packs.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <set>

#include "accel/dynamic_program.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr off_t kMaxProgram = off_t{1} << 30;
constexpr std::size_t kMaxEntries = 4096;  ///< of a condition's directory

std::string hex_sha256(int fd, std::string_view name) {
  Sha256 hash;
  std::array<char, std::size_t{1} << 16> buffer;
  while (true) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "read", name);
    if (n == 0) return std::string(hash.finish().hex());
    hash.update(buffer.data(), static_cast<std::size_t>(n));
  }
}

/// What a condition is about, as it is; not there: without identity and content.
struct Listing {
  std::optional<FileIdentity> identity;
  std::vector<std::string> content;  ///< PackCondition's
};

/// Nothing for what is there and no directory that can be read.
std::optional<Listing> list(const RootedDir& root, const std::string& directory) {
  const int fd = open_in_root(root.fd(), directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) {
    if (errno == ENOENT) return Listing{};
    return std::nullopt;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), &::closedir);
  if (!stream) {
    ::close(fd);
    return std::nullopt;
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0) return std::nullopt;
  Listing found{.identity = FileIdentity::of(status), .content = {}};
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    found.content.emplace_back(name);
    if (found.content.size() > kMaxEntries) return std::nullopt;
  }
  std::ranges::sort(found.content);
  return found;
}

/// Nothing for what is there and no file that can be read.
std::optional<Listing> read(const RootedDir& root, const std::string& file) {
  const UniqueFd fd{open_in_root(root.fd(), file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0)};
  if (!fd) return errno == ENOENT ? std::optional(Listing{}) : std::nullopt;
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > kMaxProgram)
    return std::nullopt;
  return Listing{.identity = FileIdentity::of(status), .content = {hex_sha256(fd.get(), file)}};
}

std::optional<Listing> look(const RootedDir& root, PackCondition::Of of, const std::string& path) {
  return of == PackCondition::Of::File ? read(root, path) : list(root, path);
}

std::string wanted_by(const PackCondition& condition) {
  if (condition.of == PackCondition::Of::File) return concat("the usual ", condition.path);
  return concat(condition.content.empty() ? "nothing" : join(condition.content, ", "), " in ",
                condition.path);
}

std::string with_pack(std::string text, const std::string& mounted_at) {
  constexpr std::string_view kPlaceholder = "{pack}";
  for (std::size_t at = 0; (at = text.find(kPlaceholder, at)) != std::string::npos; at += mounted_at.size())
    text.replace(at, kPlaceholder.size(), mounted_at);
  return text;
}

/// One pack against one root.
class Match {
 public:
  Match(const Pack& pack, const RootedDir& tree, const RootedDir& target, const PackageOwner& owner,
        const PackPlace& place)
      : pack_(pack), tree_(tree), target_(target), owner_(owner), place_(place) {}

  PackMatch run() {
    for (const PackProgram& program : pack_.programs) consider(program);
    for (auto& [path, why] : declined_)
      if (!taken_.contains(path))
        result_.declined.push_back(concat(pack_clause(pack_.reference), path, ": ", why));
    return std::move(result_);
  }

 private:
  void consider(const PackProgram& program) {
    const auto file = find_regular_file(target_, program.target);
    if (!file || taken_.contains(file->path)) return;  // the first entry that fits counts
    if (const std::string why = why_not(program, *file); !why.empty()) {
      declined_.insert_or_assign(file->path, why);
      return;
    }
    const DynamicProgram& twin = resolved(program.twin);
    if (!twin.why_not.empty()) {
      declined_.insert_or_assign(file->path,
                                 concat("the twin ", program.twin, " cannot be run: ", twin.why_not));
      return;
    }
    if (!inodes_.insert(file->status.st_ino).second) return;
    taken_.insert(file->path);
    result_.twins.push_back({.target = file->path,
                             .identity = FileIdentity::of(file->status),
                             .package = program.package,
                             .version = program.version,
                             .source = pack_.reference,
                             .tree = place_.tree,
                             .program = twin.program,
                             .loader = twin.loader,
                             .library_path = twin.library_path,
                             .declined_names = {},
                             .multi_call = {},
                             .rules = rules_of(program),
                             .guards = guards_of(program)});
  }

  /// A step may change what a condition is about; then it no longer holds.
  std::vector<std::size_t> guards_of(const PackProgram& program) {
    std::vector<std::size_t> guards;
    for (const PackCondition& condition : program.conditions) {
      const auto [at, is_new] = guards_.try_emplace(condition.path, result_.guards.size());
      if (is_new)
        result_.guards.push_back(
            {.path = condition.path, .identity = listing(condition)->identity, .library = {}});
      guards.push_back(at->second);
    }
    return guards;
  }

  const std::optional<Listing>& listing(const PackCondition& condition) {
    const auto [at, is_new] = listings_.try_emplace({condition.of, condition.path});
    if (is_new) at->second = look(target_, condition.of, condition.path);
    return at->second;
  }

  std::string why_not(const PackProgram& program, const FoundFile& file) {
    auto owned = owner_(file.path);
    if (!owned && file.path != program.target) owned = owner_(program.target);
    if (!owned) return "no package of the root owns it";
    if (owned->first != program.package || owned->second != program.version)
      return concat("it is for ", program.package, " ", program.version, ", the root has ", owned->first, " ",
                    owned->second);
    for (const PackCondition& condition : program.conditions)
      if (const auto& found = listing(condition); !found || found->content != condition.content)
        return concat("it wants ", wanted_by(condition), ", the root has something else there");
    if (file.status.st_size > kMaxProgram) return "the root's is absurdly large";
    if (hex_sha256(file.fd.get(), file.path) != program.sha256)
      return concat("the root's is not the one of ", program.package, " ", program.version,
                    " that it stands for");
    return {};
  }

  const DynamicProgram& resolved(const std::string& twin) {
    const auto [at, is_new] = programs_.try_emplace(twin);
    if (is_new) at->second = resolve_dynamic_program(tree_, twin);
    return at->second;
  }

  std::vector<ArgumentRule> rules_of(const PackProgram& program) const {
    std::vector<ArgumentRule> rules = program.rules;
    for (ArgumentRule& rule : rules)
      for (std::string& argument : rule.with) argument = with_pack(std::move(argument), place_.mounted_at);
    return rules;
  }

  const Pack& pack_;
  const RootedDir& tree_;
  const RootedDir& target_;
  const PackageOwner& owner_;
  const PackPlace& place_;
  std::map<std::string, DynamicProgram> programs_;
  std::map<std::pair<PackCondition::Of, std::string>, std::optional<Listing>> listings_;
  std::map<std::string, std::size_t> guards_;  ///< by path
  std::map<std::string, std::string> declined_;
  std::set<std::string> taken_;
  std::set<ino_t> inodes_;
  PackMatch result_;
};

}  // namespace

std::string pack_clause(const std::string& reference) { return concat("the pack ", reference, ": "); }

std::string seen_by_conditions(const Pack& pack, const RootedDir& root) {
  std::set<std::pair<PackCondition::Of, std::string>> places;
  for (const PackProgram& program : pack.programs)
    for (const PackCondition& condition : program.conditions) places.emplace(condition.of, condition.path);
  std::string seen;
  for (const auto& [of, path] : places) {
    const auto found = look(root, of, path);
    const std::string identity = found && found->identity ? found->identity->str() : "none";
    // No file name has a slash.
    seen += concat(path, "//", identity, "//", found ? join(found->content, "/") : "?", "//");
  }
  return seen;
}

PackMatch match_pack(const Pack& pack, const RootedDir& tree, const Platform& platform,
                     const RootedDir& target, const PackageOwner& owner, const PackPlace& place) {
  if (pack.platform != platform) {
    PackMatch none;
    none.declined.push_back(
        concat("the pack ", pack.reference, " is for ", pack.platform.str(), ", not for ", platform.str()));
    return none;
  }
  return Match(pack, tree, target, owner, place).run();
}

}  // namespace slipway
