#include "accel/host_libraries.h"

#include <dirent.h>
#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <deque>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

constexpr std::size_t kProgramLimit = std::size_t{64} << 20;
// glibc's: the first when a thread ends early (pthread_exit, pthread_cancel), the second, before 2.34, to
// look up users in /etc/passwd.
constexpr const char* kLoadedByName[] = {"libgcc_s.so.1", "libnss_files.so.2"};

/// The path that the kernel knows an open file by; nothing if it is not a path (deleted, out of reach).
std::optional<std::string> path_of(int fd) {
  std::array<char, PATH_MAX> link{};
  const ssize_t n = ::readlink(concat("/proc/self/fd/", fd).c_str(), link.data(), link.size());
  if (n <= 0 || n == static_cast<ssize_t>(link.size()) || link[0] != '/') return std::nullopt;
  return std::string(link.data(), static_cast<std::size_t>(n));
}

/// Where `path` is once all links within the tree are followed.
std::optional<std::string> real_path(const RootedDir& tree, std::string_view path) {
  try {
    const auto fd = tree.try_open(path, O_PATH);
    if (!fd) return std::nullopt;
    auto root = path_of(tree.fd()), real = path_of(fd->get());
    if (!root || !real) return std::nullopt;
    if (*root == "/") return real;
    if (!real->starts_with(*root + "/")) return std::nullopt;
    return real->substr(root->size());
  } catch (const SystemError&) {
    return std::nullopt;  // a loop of links, a directory that may not be searched
  }
}

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

std::optional<RealFile> read_real_file(const RootedDir& tree, std::string_view path) {
  RealFile file;
  const auto real = real_path(tree, path);
  if (!real || !is_clean_path(*real)) return std::nullopt;
  auto bytes = read_regular(tree, *real, kProgramLimit, &file.status);
  if (!bytes) return std::nullopt;
  file.path = *real;
  file.bytes = std::move(*bytes);
  return file;
}

/// Where the loader looks without any configuration. Real directories, each once.
std::vector<std::string> HostLibraries::default_directories(const std::string& loader) {
  if (const auto known = directories_.find(loader); known != directories_.end()) return known->second;
  std::vector<std::string> wanted;
  if (loader.find("/ld-musl-") != std::string::npos) {
    wanted = {"/lib", "/usr/local/lib", "/usr/lib"};
  } else {
    const char* triplet = machine_ == EM_X86_64  ? "x86_64-linux-gnu"
                          : machine_ == EM_RISCV ? "riscv64-linux-gnu"
                          : machine_ == EM_PPC64 ? "powerpc64le-linux-gnu"
                                                 : "aarch64-linux-gnu";
    wanted = {
        concat("/lib/", triplet), concat("/usr/lib/", triplet), "/lib64", "/usr/lib64", "/lib", "/usr/lib"};
  }
  std::vector<std::string> found;
  for (const std::string& directory : wanted) {
    const auto real = real_path(tree_, directory);
    if (real && is_clean_path(*real) && std::ranges::find(found, *real) == found.end())
      found.push_back(*real);
  }
  return directories_.emplace(loader, std::move(found)).first->second;
}

HostLibraries::Closure HostLibraries::closure_of(const ElfImage& program) {
  Closure closure;
  const auto decline = [&](std::string why) {
    closure.why_not = std::move(why);
    return closure;
  };
  // The program that stands in must say "aarch64" when it asks uname(2), which takes a preloaded library.
  if (program.interpreter().empty())
    return decline("is static, so what it asks of the machine cannot be told");
  if (!program.rpath().empty() || !program.runpath().empty())
    return decline("has a library path of its own (DT_RPATH, DT_RUNPATH)");
  const auto loader = read_real_file(tree_, program.interpreter());
  if (!loader) return decline(concat("its loader ", program.interpreter(), " is missing"));
  closure.loader = loader->path;
  const auto directories = default_directories(program.interpreter());
  const std::string loader_name = program.interpreter().substr(program.interpreter().rfind('/') + 1);
  const auto [known, is_new] = libraries_.try_emplace(closure.loader);
  if (is_new) known->second = judge("its loader", directory_of(closure.loader), *loader);
  if (!known->second.why_not.empty()) return decline(known->second.why_not);
  closure.files.insert(closure.loader);
  std::deque<std::string> open(program.needed().begin(), program.needed().end());
  std::set<std::string> seen;
  while (!open.empty()) {
    const std::string name = std::move(open.front());
    open.pop_front();
    // The loader is one of glibc's own libraries, and loaded already; musl's is the whole library.
    if (name == loader_name || name.starts_with("libc.musl-") || !seen.insert(name).second) continue;
    const Library& found = library(name, directories);
    if (!found.why_not.empty()) return decline(found.why_not);
    if (std::ranges::find(closure.library_path, found.directory) == closure.library_path.end())
      closure.library_path.push_back(found.directory);
    closure.files.insert(concat(found.directory, '/', name));
    closure.absent.insert(found.absent.begin(), found.absent.end());
    open.insert(open.end(), found.needed.begin(), found.needed.end());
  }
  return closure;
}

std::set<std::string> HostLibraries::loaded_by_name(const Closure& closure) {
  std::set<std::string> found, known;
  for (const std::string& file : closure.files) known.insert(file.substr(file.rfind('/') + 1));
  const auto is_known = [&](const std::string& name) { return known.contains(name); };
  for (const std::string& directory : closure.library_path)
    for (const char* name : kLoadedByName) {
      const auto [at, is_new] = loaded_by_name_.try_emplace(concat(directory, '/', name));
      if (is_new) at->second = needed_by(at->first);
      if (at->second && std::ranges::all_of(*at->second, is_known)) found.insert(at->first);
    }
  return found;
}

std::optional<std::vector<std::string>> HostLibraries::needed_by(const std::string& path) {
  const auto file = read_real_file(tree_, path);
  if (!file || directory_of(file->path) != directory_of(path) || !is_its_packages(*file)) return std::nullopt;
  const auto image = ElfImage::parse(file->bytes);
  return image && image->machine() == machine_ ? std::optional(image->needed()) : std::nullopt;
}

bool HostLibraries::is_its_packages(const RealFile& file) {
  const auto owned = packages_.owner(file.path);
  return owned && checksum_of(owned->checksum.kind, file.bytes) == owned->checksum;
}

const HostLibraries::Library& HostLibraries::library(const std::string& name,
                                                     const std::vector<std::string>& directories) {
  // Names never have a slash here and paths of loaders always do, so one map serves both.
  if (const auto known = libraries_.find(name); known != libraries_.end()) return known->second;
  return libraries_.emplace(name, look_for(name, directories)).first->second;
}

HostLibraries::Library HostLibraries::look_for(const std::string& name,
                                               const std::vector<std::string>& directories) {
  Library missing;
  std::vector<std::string> absent;
  if (name.find('/') != std::string::npos) {
    missing.why_not = concat("needs the library ", name, " by its path");
    return missing;
  }
  for (const std::string& directory : directories) {
    const auto file = read_real_file(tree_, concat(directory, '/', name));
    if (!file) {
      absent.push_back(concat(directory, '/', name));
      continue;
    }
    // The loader will follow the link with the other root as "/", so it has to stay in its directory.
    if (directory_of(file->path) != directory) {
      missing.why_not = concat("its library ", name, " is a link to another directory");
      return missing;
    }
    Library found = judge("its library " + name, directory, *file);
    found.absent = std::move(absent);
    return found;
  }
  missing.why_not = concat("its library ", name, " is missing");
  return missing;
}

HostLibraries::Library HostLibraries::judge(const std::string& shown, const std::string& directory,
                                            const RealFile& file) {
  Library library{.directory = directory, .path = file.path, .needed = {}, .why_not = {}};
  const auto owned = packages_.owner(file.path);
  if (!owned) {
    library.why_not = concat(shown, " is of no known package");
    return library;
  }
  if (checksum_of(owned->checksum.kind, file.bytes) != owned->checksum) {
    library.why_not = concat(shown, " is not the file of its package ", owned->package.name);
    return library;
  }
  const Package* other = target_packages_.package(owned->package.name);
  if (!other || other->version != owned->package.version) {
    library.why_not = concat(shown, " is of ", owned->package.name, ' ', owned->package.version,
                             ", the target has ", other ? other->version : std::string("none"));
    return library;
  }
  const auto image = ElfImage::parse(file.bytes);
  if (!image || image->machine() != machine_)
    library.why_not = concat(shown, " is not a library of this machine");
  else if (!image->rpath().empty() || !image->runpath().empty())
    library.why_not = concat(shown, " has a library path of its own (DT_RPATH, DT_RUNPATH)");
  else
    library.needed = image->needed();
  return library;
}

}  // namespace slipway
